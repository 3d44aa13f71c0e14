/*
 * Convolutions and their gradients by cuDNN, where it is installed; cuda_plan.c decides which.
 *
 * The library is asked for what it does with the same meaning: contiguous operands of one dtype. Of what it offers,
 * an algorithm serves that is the same in every run, adds up the products of each result (no transform, by which an
 * infinity would reach its neighbours) and computes float32 as such, but for TERN_CUDA_TF32=1. A plan keeps it, with
 * the descriptions.
 *
 * A bias is there before: it is spread over the result, which the convolution is added to, so that float16 and
 * bfloat16 are rounded once.
 */
#include <pthread.h>
#include <string.h>

#include "../gpu/call.h"
#include "cuda.h"

#define ALIGNMENT      16 /* bytes, of every operand; where one lies otherwise, own kernels serve */
#define MOST_WORKSPACE ((size_t)256 << 20)
#define MOST_FOUND     8
#define MOST_RANK      5

enum { X, W, OUT, OPERANDS };

/* The three calls: which operands they read and write, and which algorithms may serve. */
typedef struct direction {
    int32_t kernel;
    int8_t input[2], written; /* the launch's inputs and its output */
    int8_t a, b;              /* in the library's order */
    uint32_t algorithms;      /* as bits */
    cudnnStatus_t(**choose) CUDNN_CHOOSE_PARAMETERS;
    cudnnStatus_t(**space) CUDNN_SPACE_PARAMETERS;
    cudnnStatus_t(**run) CUDNN_RUN_PARAMETERS;
} direction;

static const direction directions[] = {
    {TERN_KERNEL_CONV,
     {X, W},
     OUT,
     X,
     W,
     1u << CUDNN_FORWARD_IMPLICIT | 1u << CUDNN_FORWARD_PRECOMPUTED | 1u << CUDNN_FORWARD_EXPLICIT,
     &cuda_dnn.forward_choose,
     &cuda_dnn.forward_space,
     &cuda_dnn.forward},
    {TERN_KERNEL_CONV_GRAD_INPUT,
     {OUT, W},
     X,
     W,
     OUT,
     1u << CUDNN_BACKWARD_DATA_DIRECT,
     &cuda_dnn.backward_data_choose,
     &cuda_dnn.backward_data_space,
     &cuda_dnn.backward_data},
    {TERN_KERNEL_CONV_GRAD_WEIGHT,
     {OUT, X},
     W,
     X,
     OUT,
     1u << CUDNN_BACKWARD_FILTER_DIRECT,
     &cuda_dnn.backward_filter_choose,
     &cuda_dnn.backward_filter_space,
     &cuda_dnn.backward_filter},
};

/* ---- a convolution as the library is asked for it -------------------------------------------- */

typedef struct conv {
    const direction *way;
    int32_t dtype; /* TERN_BT_* */
    int rank, groups;
    bool has_bias;
    int shape[OPERANDS][MOST_RANK], stride[OPERANDS][MOST_RANK];
    int padding[3], step[3], dilation[3];
} conv;

static const direction *direction_of(int32_t kernel) {
    for (size_t i = 0; i < sizeof directions / sizeof *directions; i++)
        if (directions[i].kernel == kernel) return &directions[i];
    return NULL;
}

static void put_operands(const direction *way, const tern_operand *in, const tern_operand *out,
                         const tern_operand *all[OPERANDS]) {
    all[way->input[0]] = &in[0];
    all[way->input[1]] = &in[1];
    all[way->written] = out;
}

static bool is_served(int32_t dtype) {
    return dtype == TERN_BT_FLOAT32 || dtype == TERN_BT_FLOAT64 || dtype == TERN_BT_FLOAT16 ||
           dtype == TERN_BT_BFLOAT16;
}

/* Where a dimension of an operand is among the library's, which has two of space at least. */
static int place_of(int32_t d, int32_t rank) {
    return d < 2 || rank > 3 ? d : 3;
}

/* A contiguous operand; the stride of a dimension of one says nothing. */
static bool put_operand(const tern_operand *operand, int *shape, int *stride) {
    int64_t count = 1;
    shape[2] = stride[2] = 1;
    for (int32_t d = operand->rank - 1; d >= 0; d--) {
        int64_t size = operand->shape[d];
        int at = place_of(d, operand->rank);
        if (size > 1 && operand->strides[d] != count) return false;
        stride[at] = (int)count;
        if (size < 1 || size > INT32_MAX || (count *= size) > INT32_MAX) return false;
        shape[at] = (int)size;
        if (operand->rank == 3 && d == 2) stride[2] = (int)count;
    }
    return true;
}

/* The window, and whether it fits the sizes as the library reckons them. */
static bool put_window(conv *c, const tern_conv_attrs *attrs) {
    int missing = c->rank - 2 - attrs->spatial;
    c->groups = attrs->groups;
    for (int d = 0; d < c->rank - 2; d++) {
        bool own = d >= missing;
        int64_t padding = own ? attrs->padding[d - missing] : 0;
        int64_t step = own ? attrs->stride[d - missing] : 1;
        int64_t dilation = own ? attrs->dilation[d - missing] : 1;
        if (padding < 0 || padding > INT16_MAX || step < 1 || step > INT16_MAX || dilation < 1 ||
            dilation > INT16_MAX)
            return false;
        int64_t reach = dilation * (c->shape[W][2 + d] - 1) + 1;
        int64_t room = c->shape[X][2 + d] + 2 * padding - reach;
        if (room < 0 || c->shape[OUT][2 + d] != room / step + 1) return false;
        c->padding[d] = (int)padding;
        c->step[d] = (int)step;
        c->dilation[d] = (int)dilation;
    }
    return true;
}

static bool describe(const direction *way, const tern_operand *in, int32_t n_operands,
                     const tern_operand *out, const tern_conv_attrs *attrs, conv *c) {
    const tern_operand *all[OPERANDS];
    put_operands(way, in, out, all);
    memset(c, 0, sizeof *c);
    c->way = way;
    c->dtype = out->dtype;
    c->rank = attrs->spatial < 2 ? 4 : 2 + attrs->spatial;
    c->has_bias = n_operands > 2;
    if (!is_served(c->dtype) || (c->has_bias && in[2].dtype != c->dtype)) return false;
    for (int i = 0; i < OPERANDS; i++)
        if (all[i]->dtype != c->dtype || all[i]->rank != 2 + attrs->spatial ||
            !put_operand(all[i], c->shape[i], c->stride[i]))
            return false;
    return put_window(c, attrs);
}

bool cuda_conv_fits(int32_t kernel, const tern_operand *in, int32_t n_operands,
                    const tern_operand *out, const tern_conv_attrs *attrs) {
    conv c;
    return describe(direction_of(kernel), in, n_operands, out, attrs, &c);
}

double cuda_conv_work(int32_t kernel, const tern_operand *in, const tern_operand *out) {
    const tern_operand *all[OPERANDS];
    put_operands(direction_of(kernel), in, out, all);
    double work = 1;
    for (int32_t d = 0; d < all[OUT]->rank; d++) work *= (double)all[OUT]->shape[d];
    for (int32_t d = 1; d < all[W]->rank; d++) work *= (double)all[W]->shape[d];
    return work;
}

/* ---- plans ----------------------------------------------------------------------------------- */

struct cuda_conv {
    conv conv;
    cudnnOperand_t of[OPERANDS];
    cudnnConvolutionDescriptor_t window;
    int algo;
    size_t workspace;
};

/* The first call that fails ends it. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        cudnnStatus_t tried = (call);                                                              \
        if (tried != CUDNN_STATUS_SUCCESS) return tried;                                           \
    } while (0)

static int type_of(int32_t dtype) {
    switch (dtype) {
    case TERN_BT_FLOAT64: return CUDNN_DATA_DOUBLE;
    case TERN_BT_FLOAT16: return CUDNN_DATA_HALF;
    case TERN_BT_BFLOAT16: return CUDNN_DATA_BFLOAT16;
    default: return CUDNN_DATA_FLOAT;
    }
}

/* Float32 is computed as such, whatever the library would rather have. */
static int math_of(const cuda_device *self, const conv *c, int wanted) {
    return c->dtype == TERN_BT_FLOAT32 && !self->tf32 ? CUDNN_FMA_MATH : wanted;
}

static cudnnStatus_t make_operand(const conv *c, int which, cudnnOperand_t *out) {
    if (which == W) {
        TRY(cuda_dnn.filter_create(out));
        return cuda_dnn.filter_set(*out, type_of(c->dtype), CUDNN_TENSOR_NCHW, c->rank,
                                   c->shape[W]);
    }
    TRY(cuda_dnn.tensor_create(out));
    return cuda_dnn.tensor_set(*out, type_of(c->dtype), c->rank, c->shape[which], c->stride[which]);
}

static cudnnStatus_t make_window(const cuda_device *self, const conv *c,
                                 cudnnConvolutionDescriptor_t *out) {
    int compute = c->dtype == TERN_BT_FLOAT64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
    int wanted = c->dtype == TERN_BT_FLOAT16 ? CUDNN_TENSOR_OP_MATH : CUDNN_DEFAULT_MATH;
    TRY(cuda_dnn.conv_create(out));
    TRY(cuda_dnn.conv_set(*out, c->rank - 2, c->padding, c->step, c->dilation,
                          CUDNN_CROSS_CORRELATION, compute));
    TRY(cuda_dnn.conv_set_groups(*out, c->groups));
    return cuda_dnn.conv_set_math(*out, math_of(self, c, wanted));
}

static bool may_serve(const conv *c, const cudnnConvolutionAlgoPerf_t *found) {
    return found->status == CUDNN_STATUS_SUCCESS && found->determinism == CUDNN_DETERMINISTIC &&
           found->algo >= 0 && found->algo < 32 && c->way->algorithms >> found->algo & 1 &&
           found->math != CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
}

/* The handle serves one thread at a time. */
static cudnnStatus_t choose(cuda_device *self, cuda_conv *own) {
    cudnnConvolutionAlgoPerf_t found[MOST_FOUND];
    const conv *c = &own->conv;
    const direction *way = c->way;
    cudnnOperand_t a = own->of[way->a], b = own->of[way->b], out = own->of[way->written];
    int count = 0;
    TRY((*way->choose)(self->dnn, a, b, own->window, out, MOST_FOUND, &count, found));
    for (int i = 0; i < count; i++) {
        if (!may_serve(c, &found[i])) continue;
        TRY(cuda_dnn.conv_set_math(own->window, math_of(self, c, found[i].math)));
        cudnnStatus_t status =
            (*way->space)(self->dnn, a, b, own->window, out, found[i].algo, &own->workspace);
        own->algo = found[i].algo;
        if (status == CUDNN_STATUS_SUCCESS && own->workspace <= MOST_WORKSPACE) return status;
    }
    return CUDNN_STATUS_NOT_SUPPORTED;
}

static cudnnStatus_t make(cuda_device *self, cuda_conv *own) {
    for (int i = 0; i < OPERANDS; i++) TRY(make_operand(&own->conv, i, &own->of[i]));
    TRY(make_window(self, &own->conv, &own->window));
    pthread_mutex_lock(&self->dnn_lock);
    cudnnStatus_t status = choose(self, own);
    pthread_mutex_unlock(&self->dnn_lock);
    return status;
}

void cuda_conv_free(cuda_conv *own) {
    for (int i = 0; i < OPERANDS; i++)
        if (own->of[i]) (i == W ? cuda_dnn.filter_destroy : cuda_dnn.tensor_destroy)(own->of[i]);
    if (own->window) cuda_dnn.conv_destroy(own->window);
    cuda_host->free(own);
}

cuda_conv *cuda_conv_new(cuda_device *self, const tern_plan_query *query, uint64_t *out_workspace) {
    tern_backend_error err;
    cuda_conv *own = cuda_host->alloc(sizeof *own);
    if (!own) return NULL;
    memset(own, 0, sizeof *own);
    bool is_made = describe(direction_of(query->kernel), query->inputs, query->n_inputs,
                            query->outputs, query->attrs, &own->conv) &&
                   cuda_enter(self, &err);
    if (is_made) {
        is_made = make(self, own) == CUDNN_STATUS_SUCCESS;
        cuda_leave();
    }
    *out_workspace = is_made ? own->workspace : 0;
    if (is_made) return own;
    cuda_conv_free(own);
    return NULL;
}

/* ---- launching ------------------------------------------------------------------------------- */

/* The bias, in every place of the result. */
static int32_t spread_bias(cuda_device *self, tern_bqueue *queue, const tern_operand *bias,
                           const tern_operand *out, tern_backend_error *err) {
    int64_t strides[MOST_RANK] = {0, bias->strides[0]};
    tern_operand spread = *bias;
    spread.rank = out->rank;
    spread.shape = out->shape;
    spread.strides = strides;
    return gpu_launch(&self->gpu.base, queue, TERN_KERNEL_COPY, &spread, 1, out, 1, NULL, 0, err);
}

static cudnnStatus_t run(cuda_device *self, const cuda_conv *own, const CUdeviceptr *at,
                         CUdeviceptr workspace, CUstream stream) {
    const conv *c = &own->conv;
    const direction *way = c->way;
    double one = 1, added = c->has_bias ? 1 : 0;
    float one_single = 1, added_single = (float)added;
    bool wide = c->dtype == TERN_BT_FLOAT64;
    const void *alpha = wide ? (const void *)&one : &one_single;
    const void *beta = wide ? (const void *)&added : &added_single;
    TRY(cuda_dnn.set_stream(self->dnn, stream));
    return (*way->run)(self->dnn, alpha, own->of[way->a], cuda_pointer(at[way->a]), own->of[way->b],
                       cuda_pointer(at[way->b]), own->window, own->algo, cuda_pointer(workspace),
                       own->workspace, beta, own->of[way->written], cuda_pointer(at[way->written]));
}

static int32_t start(cuda_device *self, cuda_queue *queue, const cuda_conv *own,
                     const CUdeviceptr *at, CUdeviceptr workspace, tern_backend_error *err) {
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUstream stream = cuda_ordered(queue);
    cuda_note(queue, "cudnnConvolution");
    pthread_mutex_lock(&self->dnn_lock);
    cudnnStatus_t status = run(self, own, at, workspace, stream);
    pthread_mutex_unlock(&self->dnn_lock);
    const char *failure = status == CUDNN_STATUS_SUCCESS ? NULL : cuda_dnn.status_name(status);
    int32_t result = cuda_started(self, queue, stream, "a convolution by cuDNN", failure, err);
    cuda_leave();
    if (result == TERN_BACKEND_OK) atomic_fetch_add(&self->convolutions, 1);
    return result;
}

bool cuda_conv_launch(cuda_device *self, tern_bqueue *queue, const cuda_conv *own,
                      const tern_operand *in, const tern_operand *out, CUdeviceptr workspace,
                      int32_t *out_status, tern_backend_error *err) {
    const tern_operand *all[OPERANDS];
    CUdeviceptr at[OPERANDS], bits = 0;
    put_operands(own->conv.way, in, out, all);
    for (int i = 0; i < OPERANDS; i++) bits |= at[i] = cuda_address(all[i]);
    if (bits % ALIGNMENT) return false;
    *out_status = TERN_BACKEND_OK;
    if (own->conv.has_bias) *out_status = spread_bias(self, queue, &in[2], out, err);
    if (*out_status == TERN_BACKEND_OK)
        *out_status = start(self, (cuda_queue *)(void *)queue, own, at, workspace, err);
    return true;
}
