#include "kernel_driver.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/plugin/pool.h"
#include "numerics/dtype_convert.h"
#include "tern/memory.h"

#ifdef TERN_STATIC
int32_t tern_backend_query_cpu_ref(uint32_t, const tern_host *, tern_backend_desc *,
                                   tern_backend_error *);
#else
#include <dlfcn.h>
#endif

static void *host_alloc(size_t bytes) {
    return tern_alloc(bytes);
}
static void host_free(void *memory) {
    tern_free(memory);
}
static char last_log[256];
static void host_log(int level, const char *message) {
    (void)level;
    snprintf(last_log, sizeof last_log, "%s", message);
}
const char *driver_last_log(void) {
    return last_log;
}

static const tern_host host = {
    sizeof host, TERN_BACKEND_ABI,  host_alloc,        host_free,
    host_log,    tern_pool_threads, tern_parallel_for,
};

static tern_backend_query_fn find_query(driver *d, const char *backend) {
#ifdef TERN_STATIC
    (void)d;
    cr_assert_str_eq(backend, "cpu_ref");
    return tern_backend_query_cpu_ref;
#else
    char path[512];
    const char *folders[] = {"lib/tern/plugins", "lib/tern/test-plugins"};
    for (size_t i = 0; i < 2 && !d->library; i++) {
        snprintf(path, sizeof path, "%s/%s/libtern_%s.so", TERN_TEST_BUILD, folders[i], backend);
        d->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    cr_assert_not_null(d->library, "%s does not open", path);
    union {
        void *object;
        tern_backend_query_fn function;
    } symbol = {dlsym(d->library, TERN_BACKEND_QUERY_SYMBOL)};
    cr_assert_not_null(symbol.object);
    return symbol.function;
#endif
}

static void open_device(driver *d, int index) {
    tern_backend_error err = {""};
    cr_assert_eq(d->desc.device_open(index, &d->device, &err), TERN_BACKEND_OK, "%s", err.message);
    d->table = d->device->vtable;
    if (!d->table->queue_create) return;
    cr_assert_eq(d->table->queue_create(d->device, &d->queue, &err), TERN_BACKEND_OK);
}

driver driver_open(const char *backend) {
    driver d = {.desc = {.struct_size = sizeof d.desc}};
    tern_backend_error err = {""};
    last_log[0] = '\0';
    tern_backend_query_fn query = find_query(&d, backend);
    cr_assert_eq(query(TERN_BACKEND_ABI, &host, &d.desc, &err), TERN_BACKEND_OK, "%s", err.message);
    open_device(&d, 0);
    return d;
}

driver driver_open_other(const driver *d, int index) {
    driver other = {.desc = d->desc};
    open_device(&other, index);
    return other;
}

void driver_close_other(driver *other) {
    if (other->queue) other->table->queue_destroy(other->device, other->queue);
    other->table->close(other->device);
}

void driver_close(driver *d) {
    driver_close_other(d);
    if (d->desc.shutdown) d->desc.shutdown();
#ifndef TERN_STATIC
    if (d->desc.can_unload) dlclose(d->library);
#endif
}

bool driver_supports(driver *d, int kernel, int fn, int n_inputs, int input_dtype,
                     int output_dtype) {
    const int32_t in[] = {input_dtype, input_dtype}, out = output_dtype;
    tern_kernel_query query = {.struct_size = sizeof query,
                               .kernel = kernel,
                               .fn = fn,
                               .n_inputs = n_inputs,
                               .n_outputs = 1,
                               .input_dtypes = in,
                               .output_dtypes = &out};
    const char *reason = NULL;
    bool yes = d->table->supports(d->device, &query, &reason);
    cr_assert(yes || reason, "a refusal without a reason");
    return yes;
}

static void synchronize(driver *d) {
    tern_backend_error err;
    if (d->queue) d->table->queue_synchronize(d->device, d->queue, &err);
}

int64_t tensor_count(const tensor *t) {
    int64_t count = 1;
    for (int i = 0; i < t->operand.rank; i++) count *= t->shape[i];
    return count;
}

/* The element offset of the flat row-major position. */
static int64_t element_offset(const tensor *t, int64_t flat) {
    int64_t offset = 0;
    for (int i = t->operand.rank - 1; i >= 0; i--) {
        offset += flat % t->shape[i] * t->strides[i];
        flat /= t->shape[i];
    }
    return offset;
}

static void upload(driver *d, tensor *t, const void *bytes) {
    tern_backend_error err;
    cr_assert_eq(
        d->table->copy_to_device(d->device, d->queue, t->operand.buffer, 0, bytes, t->bytes, &err),
        TERN_BACKEND_OK);
}

static tensor make(driver *d, int dtype, int rank, const int64_t *shape, const int64_t *strides,
                   int64_t offset) {
    tensor t = {.operand = {.dtype = dtype, .rank = rank}};
    int64_t step = 1, last = offset;
    for (int i = rank - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.strides[i] = strides ? strides[i] : step;
        step *= shape[i];
        last += (shape[i] - 1) * t.strides[i];
    }
    uint64_t size = tern_num_dtype_size(dtype);
    t.bytes = (uint64_t)(last + 1) * size;
    t.operand.at.byte_offset = (uint64_t)offset * size;
    tern_backend_error err;
    cr_assert_eq(d->table->buffer_alloc(d->device, t.bytes, &t.operand.buffer, &err),
                 TERN_BACKEND_OK);
    return t;
}

tensor tensor_strided(driver *d, int dtype, int rank, const int64_t *shape, const int64_t *strides,
                      int64_t offset, const double *values) {
    tensor t = make(d, dtype, rank, shape, strides, offset);
    char *bytes = tern_alloc(t.bytes);
    memset(bytes, dtype == TERN_BT_BOOL ? 1 : 0x5a, t.bytes);
    for (int64_t i = 0; values && i < tensor_count(&t); i++) {
        tern_num_store_f64(dtype, bytes, offset + element_offset(&t, i), values[i]);
    }
    upload(d, &t, bytes);
    tern_free(bytes);
    return t;
}

tensor tensor_new(driver *d, int dtype, int rank, const int64_t *shape, const double *values) {
    return tensor_strided(d, dtype, rank, shape, NULL, 0, values);
}

tensor tensor_i64(driver *d, int rank, const int64_t *shape, const int64_t *values) {
    tensor t = make(d, TERN_BT_INT64, rank, shape, NULL, 0);
    upload(d, &t, values);
    return t;
}

void tensor_free(driver *d, tensor *t) {
    d->table->buffer_free(d->device, d->queue, t->operand.buffer);
}

tern_operand tensor_operand(const tensor *t) {
    tern_operand operand = t->operand;
    operand.shape = t->shape;
    operand.strides = t->strides;
    return operand;
}

static char *download(driver *d, const tensor *t) {
    tern_backend_error err;
    char *bytes = tern_alloc(t->bytes);
    cr_assert_eq(
        d->table->copy_to_host(d->device, d->queue, bytes, t->operand.buffer, 0, t->bytes, &err),
        TERN_BACKEND_OK);
    synchronize(d);
    return bytes;
}

void tensor_read(driver *d, const tensor *t, double *out) {
    char *bytes = download(d, t);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        out[i] = tern_num_load_f64(t->operand.dtype, bytes + t->operand.at.byte_offset,
                                   element_offset(t, i));
    }
    tern_free(bytes);
}

void tensor_read_i64(driver *d, const tensor *t, int64_t *out) {
    char *bytes = download(d, t);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        out[i] = tern_num_load_i64(t->operand.dtype, bytes + t->operand.at.byte_offset,
                                   element_offset(t, i));
    }
    tern_free(bytes);
}

int driver_launch(driver *d, int kernel, const tensor *inputs, int n_inputs, tensor *outputs,
                  int n_outputs, const void *attrs, size_t attrs_size, tern_backend_error *err) {
    tern_operand operands[40];
    for (int i = 0; i < n_inputs + n_outputs; i++) {
        operands[i] = tensor_operand(i < n_inputs ? &inputs[i] : &outputs[i - n_inputs]);
    }
    int status = d->table->launch(d->device, d->queue, kernel, operands, n_inputs,
                                  operands + n_inputs, n_outputs, attrs, (uint32_t)attrs_size, err);
    if (status != TERN_BACKEND_OK || !d->queue) return status;
    status = d->table->queue_synchronize(d->device, d->queue, err);
    if (status != TERN_BACKEND_OK || !d->table->take_error) return status;
    return d->table->take_error(d->device, d->queue, err);
}

void driver_run(driver *d, int kernel, const tensor *inputs, int n_inputs, tensor *outputs,
                int n_outputs, const void *attrs, size_t attrs_size) {
    tern_backend_error err = {""};
    int status =
        driver_launch(d, kernel, inputs, n_inputs, outputs, n_outputs, attrs, attrs_size, &err);
    cr_assert_eq(status, TERN_BACKEND_OK, "kernel %d: status %d: %s", kernel, status, err.message);
}

void tensor_expect(driver *d, const tensor *t, const double *values, double tolerance,
                   const char *what) {
    double got[4096];
    cr_assert(tensor_count(t) <= 4096);
    tensor_read(d, t, got);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        bool same = isnan(values[i]) ? isnan(got[i])
                                     : got[i] == values[i] || fabs(got[i] - values[i]) <= tolerance;
        cr_assert(same, "%s: element %lld is %.17g, expected %.17g", what, (long long)i, got[i],
                  values[i]);
    }
}
