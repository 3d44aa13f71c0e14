/*
 * Which launches are a library's, and plans: products by cuBLASLt (cuda_product.c), convolutions and their gradients by
 * cuDNN (cuda_conv.c), where those are installed.
 *
 * THE RULE is here, in one place (is_worth): products of at least WORTH[CUDA_BLAS] multiplications, convolutions of at
 * least WORTH[CUDA_DNN], which the library can be asked for. All others are own kernels', as all are with
 * TERN_CUDA_LIBRARIES=off; TERN_CUDA_LIBRARIES=always is without the limits. A library is opened for the first launch
 * that is to be its.
 *
 * A plan keeps the library's description of a launch and the algorithm that it chose for it, so that a sum is in the
 * same order in every launch and every run. With a program behind it (MATMUL_MAP, CONV_MAP), what the library would
 * serve is declined, so that the core composes it: a product, and one pass over its results.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda.h"

/* 128 cubed: below, the launch is most of the time, and an own kernel is a node of a replay's graph. 256 cubed: cuDNN
 * starts slowly, and a launch of it costs more. */
static const double WORTH[CUDA_LIBRARY_COUNT] = {
    [CUDA_BLAS] = (double)(1 << 21), [CUDA_DNN] = (double)(1 << 24)};

static bool is_worth(const cuda_device *self, int library, double work) {
    return self->libraries == CUDA_LIBRARIES_ALWAYS ||
           (self->libraries == CUDA_LIBRARIES_LARGE && work >= WORTH[library]);
}

/* ---- the libraries on a device --------------------------------------------------------------- */

static const struct library {
    const char *name, *serves;
} about[CUDA_LIBRARY_COUNT] = {
    [CUDA_BLAS] = {"cuBLASLt", "products"}, [CUDA_DNN] = {"cuDNN", "convolutions"}};

static const char *open_library(int library) {
    return library == CUDA_BLAS ? cuda_blas_open() : cuda_dnn_open();
}

/* "cuDNN 9.19.0" of one that is open. */
static void put_version(int library, char *out, size_t size) {
    size_t version = library == CUDA_BLAS ? cuda_blas.version() : cuda_dnn.version();
    snprintf(out, size, "%s %zu.%zu.%zu", about[library].name, version / 10000, version / 100 % 100,
             version % 100);
}

static void tell(const cuda_device *self, int library, const char *reason) {
    char line[200], version[64];
    if (reason) {
        snprintf(line, sizeof line, "cuda: large %s by own kernels: %s", about[library].serves,
                 reason);
    } else {
        put_version(library, version, sizeof version);
        snprintf(line, sizeof line, "cuda: large %s by %s, %s TF32", about[library].serves, version,
                 self->tf32 ? "in" : "without");
    }
    cuda_host->log(TERN_BACKEND_LOG_INFO, line);
}

/* Why there is no handle; NULL where there is one. */
static const char *start_library(cuda_device *self, int library) {
    tern_backend_error err;
    const char *reason = open_library(library);
    if (reason) return reason;
    if (!cuda_enter(self, &err)) return "the GPU does not answer";
    bool starts = library == CUDA_BLAS ? cuda_blas.create(&self->blas) == CUBLAS_STATUS_SUCCESS
                                       : cuda_dnn.create(&self->dnn) == CUDNN_STATUS_SUCCESS;
    cuda_leave();
    if (starts) return NULL;
    if (library == CUDA_BLAS)
        self->blas = NULL;
    else
        self->dnn = NULL;
    return library == CUDA_BLAS
               ? "the cuBLASLt that is installed does not start on this GPU with this driver"
               : "the cuDNN that is installed does not start on this GPU with this driver";
}

/* Whether the library serves the device, which the first who asks finds out. */
static bool has_library(cuda_device *self, int library) {
    _Atomic int *known = &self->library_state[library];
    int state = atomic_load(known);
    if (state == CUDA_LIBRARY_UNKNOWN) {
        pthread_mutex_lock(&self->gpu.lock);
        state = atomic_load(known);
        if (state == CUDA_LIBRARY_UNKNOWN) {
            const char *reason = start_library(self, library);
            tell(self, library, reason);
            state = reason ? CUDA_LIBRARY_MISSING : CUDA_LIBRARY_READY;
            atomic_store(known, state);
        }
        pthread_mutex_unlock(&self->gpu.lock);
    }
    return state == CUDA_LIBRARY_READY;
}

void cuda_libraries_init(cuda_device *self) {
    static const int32_t planned[] = {TERN_KERNEL_MATMUL, TERN_KERNEL_CONV,
                                      TERN_KERNEL_CONV_GRAD_INPUT, TERN_KERNEL_CONV_GRAD_WEIGHT};
    const char *libraries = getenv("TERN_CUDA_LIBRARIES"), *tf32 = getenv("TERN_CUDA_TF32");
    self->libraries = CUDA_LIBRARIES_LARGE;
    if (libraries && strcmp(libraries, "off") == 0) self->libraries = CUDA_LIBRARIES_OFF;
    if (libraries && strcmp(libraries, "always") == 0) self->libraries = CUDA_LIBRARIES_ALWAYS;
    self->tf32 = tf32 && strcmp(tf32, "1") == 0;
    for (size_t i = 0; i < sizeof planned / sizeof *planned; i++)
        if (self->libraries != CUDA_LIBRARIES_OFF)
            self->table.planned[planned[i] / 64] |= UINT64_C(1) << planned[i] % 64;
}

void cuda_libraries_fini(cuda_device *self) {
    if (self->blas) cuda_blas.destroy(self->blas);
    if (self->dnn) cuda_dnn.destroy(self->dnn);
    self->blas = NULL;
    self->dnn = NULL;
}

void cuda_libraries_tell(char *out, size_t size) {
    const char *wanted = getenv("TERN_CUDA_LIBRARIES");
    size_t at = 0;
    if (wanted && strcmp(wanted, "off") == 0) {
        snprintf(out, size, "TERN_CUDA_LIBRARIES is off: own kernels alone");
        return;
    }
    for (int library = 0; library < CUDA_LIBRARY_COUNT && at < size; library++) {
        char version[64];
        const char *text = open_library(library);
        if (!text) {
            put_version(library, version, sizeof version);
            text = version;
        }
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? "; " : "", text);
    }
}

/* ---- plans ----------------------------------------------------------------------------------- */

struct tern_bplan {
    int32_t kernel;
    uint32_t attrs_size;
    union {
        tern_matmul_attrs product;
        tern_conv_attrs conv;
    } attrs;
    cuda_product *product; /* both NULL: own kernels serve */
    cuda_conv *conv;
};

static double product_work(const tern_operand *a, const tern_operand *out) {
    double work = (double)a->shape[a->rank - 1];
    for (int32_t d = 0; d < out->rank; d++) work *= (double)out->shape[d];
    return work;
}

static bool is_product_served(cuda_device *self, const tern_operand *in, int32_t n_operands,
                              const tern_operand *out, const tern_matmul_attrs *attrs) {
    return is_worth(self, CUDA_BLAS, product_work(in, out)) &&
           cuda_product_fits(in, n_operands, out, attrs) && has_library(self, CUDA_BLAS);
}

static bool is_conv_served(cuda_device *self, int32_t kernel, const tern_operand *in,
                           int32_t n_operands, const tern_operand *out,
                           const tern_conv_attrs *attrs) {
    return is_worth(self, CUDA_DNN, cuda_conv_work(kernel, in, out)) &&
           cuda_conv_fits(kernel, in, n_operands, out, attrs) && has_library(self, CUDA_DNN);
}

int32_t cuda_prepare(tern_bdevice *base, const tern_plan_query *query, tern_bplan **out_plan,
                     uint64_t *out_workspace, tern_backend_error *err) {
    cuda_device *self = (cuda_device *)base;
    const tern_operand *in = query->inputs, *out = query->outputs;
    tern_bplan *own = cuda_host->alloc(sizeof *own);
    if (!own) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    memset(own, 0, sizeof *own);
    own->kernel = query->kernel;
    own->attrs_size =
        query->kernel == TERN_KERNEL_MATMUL ? sizeof own->attrs.product : sizeof own->attrs.conv;
    memcpy(&own->attrs, query->attrs, own->attrs_size);
    *out_workspace = 0;
    if (query->kernel != TERN_KERNEL_MATMUL) {
        if (is_conv_served(self, query->kernel, in, query->n_inputs, out, &own->attrs.conv))
            own->conv = cuda_conv_new(self, query, out_workspace);
    } else if (is_product_served(self, in, query->n_inputs, out, &own->attrs.product)) {
        own->product = cuda_product_new(self, query, out_workspace);
    }
    *out_plan = own;
    return TERN_BACKEND_OK;
}

void cuda_plan_free(tern_bdevice *base, tern_bplan *own) {
    (void)base;
    if (own->product) cuda_product_free(own->product);
    if (own->conv) cuda_conv_free(own->conv);
    cuda_host->free(own);
}

/* ---- launching ------------------------------------------------------------------------------- */

int32_t cuda_started(cuda_device *self, const cuda_queue *queue, CUstream stream, const char *what,
                     const char *failure, tern_backend_error *err) {
    size_t available, total;
    if (!failure)
        return self->waits ? cuda_result(self, queue, what, cuda.stream_synchronize(stream), err)
                           : TERN_BACKEND_OK;
    /* the library's word for an error says nothing of a GPU that is lost; the driver's does */
    CUresult code = cuda.memory_info(&available, &total);
    if (cuda_is_lost(code)) return cuda_result(self, queue, what, code, err);
    return tern_kit_fail(err, TERN_BACKEND_FAILED,
                         "cuda: %s failed: %.60s: TERN_CUDA_LIBRARIES=off is without it", what,
                         failure);
}

int32_t cuda_launch_plan(tern_bdevice *base, tern_bqueue *queue, tern_bplan *own,
                         const tern_operand *in, int32_t n_in, const tern_operand *out,
                         int32_t n_out, tern_bbuffer *workspace, uint64_t workspace_offset,
                         tern_backend_error *err) {
    cuda_device *self = (cuda_device *)base;
    CUdeviceptr space = 0;
    int32_t status;
    if (workspace) space = ((cuda_buffer *)(void *)workspace)->at + workspace_offset;
    if (own->product &&
        cuda_product_launch(self, queue, own->product, in, out, space, &status, err))
        return status;
    if (own->conv && cuda_conv_launch(self, queue, own->conv, in, out, space, &status, err))
        return status;
    return gpu_launch(base, queue, own->kernel, in, n_in, out, n_out, &own->attrs, own->attrs_size,
                      err);
}

/* Whether a launch with a program behind it is composed. */
static bool is_declined(cuda_device *self, int32_t kernel, const tern_operand *in,
                        const tern_operand *out, const void *attrs) {
    if (kernel == TERN_KERNEL_MATMUL_MAP) {
        const tern_matmul_map_attrs *own = attrs;
        return is_product_served(self, in, own->n_operands, out, &own->product);
    }
    if (kernel == TERN_KERNEL_CONV_MAP) {
        const tern_conv_map_attrs *own = attrs;
        return is_conv_served(self, TERN_KERNEL_CONV, in, own->n_operands, out, &own->product);
    }
    return false;
}

int32_t cuda_launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel, const tern_operand *in,
                    int32_t n_in, const tern_operand *out, int32_t n_out, const void *attrs,
                    uint32_t size, tern_backend_error *err) {
    if (is_declined((cuda_device *)base, kernel, in, out, attrs)) return TERN_BACKEND_DECLINED;
    return gpu_launch(base, queue, kernel, in, n_in, out, n_out, attrs, size, err);
}
