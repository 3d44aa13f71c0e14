/*
 * libcudnn.so.9 of the driver that stands in: convolutions and their gradients on the host, of what descriptions and
 * an algorithm say. Strict about all of it: descriptions are set before they are used and go together, an algorithm is
 * the same in every run and no transform, the workspace is as large as it needs and holds junk behind the call, the
 * stream is set by the thread that calls, operands are aligned, and float32 is TF32's only with the word tf32.
 *
 * What it offers first is not what may be taken: an algorithm that fails, a transform, one that differs from run to
 * run, and one that rounds float32.
 */
#define _DEFAULT_SOURCE /* usleep */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standin.h"

#include "api.h"
#include "cuda/dnn.h"
#include "numbers.h"

#define X(result, name, symbol, parameters) result symbol parameters;
CUDA_DNN_FUNCTIONS(X)
#undef X

#define BAD       CUDNN_STATUS_BAD_PARAM
#define MOST_RANK 5

#define DNN_CALL(symbol, parameters, with_context, failure, ...)                                   \
    LIBRARY_CALL(cudnnStatus_t, CUDNN_STATUS_EXECUTION_FAILED, symbol, parameters, with_context,   \
                 failure, __VA_ARGS__)

struct cudnnContext {
    object base;
    CUstream stream;
    pthread_t setter; /* of the stream */
};

/* A tensor or a filter. */
struct cudnnOperandStruct {
    object base;
    bool is_set;
    int type, rank, shape[MOST_RANK], stride[MOST_RANK];
};

struct cudnnConvolutionStruct {
    object base;
    bool is_set;
    int spatial, padding[3], step[3], dilation[3], compute, groups, math;
};

/* ---- descriptions ---------------------------------------------------------------------------- */

size_t cudnnGetVersion(void) {
    return 91900;
}

const char *cudnnGetErrorString(cudnnStatus_t status) {
    return status == BAD                          ? "CUDNN_STATUS_BAD_PARAM"
           : status == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
                                                  : "CUDNN_STATUS_EXECUTION_FAILED";
}

DNN_CALL(cudnnCreate, (cudnnHandle_t * handle), true, CUDNN_STATUS_NOT_INITIALIZED, {
    *handle = standin_new(KIND_DNN, sizeof **handle);
    return CUDNN_STATUS_SUCCESS;
})

DNN_CALL(cudnnDestroy, (cudnnHandle_t handle), true, CUDNN_STATUS_SUCCESS, {
    if (!standin_check(handle, KIND_DNN, "cudnnDestroy")) return BAD;
    standin_end(handle);
    return CUDNN_STATUS_SUCCESS;
})

DNN_CALL(cudnnSetStream, (cudnnHandle_t handle, CUstream stream), true, CUDNN_STATUS_INTERNAL_ERROR,
         {
             if (!standin_check(handle, KIND_DNN, "cudnnSetStream") ||
                 !standin_check(stream, KIND_STREAM, "cudnnSetStream"))
                 return BAD;
             handle->stream = stream;
             handle->setter = pthread_self();
             /* another thread that may use the handle comes between */
             standin_unlock();
             usleep(200);
             standin_lock();
             return CUDNN_STATUS_SUCCESS;
         })

static cudnnStatus_t create(cudnnOperand_t *out, kind of) {
    *out = standin_new_free(of, sizeof **out);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t destroy(void *own, kind of, const char *what) {
    if (!standin_check(own, of, what)) return BAD;
    standin_end(own);
    return CUDNN_STATUS_SUCCESS;
}

DNN_CALL(cudnnCreateTensorDescriptor, (cudnnOperand_t * tensor), false, CUDNN_STATUS_INTERNAL_ERROR,
         { return create(tensor, KIND_TENSOR); })
DNN_CALL(cudnnDestroyTensorDescriptor, (cudnnOperand_t tensor), false, CUDNN_STATUS_SUCCESS,
         { return destroy(tensor, KIND_TENSOR, "cudnnDestroyTensorDescriptor"); })
DNN_CALL(cudnnCreateFilterDescriptor, (cudnnOperand_t * filter), false, CUDNN_STATUS_INTERNAL_ERROR,
         { return create(filter, KIND_FILTER); })
DNN_CALL(cudnnDestroyFilterDescriptor, (cudnnOperand_t filter), false, CUDNN_STATUS_SUCCESS,
         { return destroy(filter, KIND_FILTER, "cudnnDestroyFilterDescriptor"); })
DNN_CALL(cudnnDestroyConvolutionDescriptor, (cudnnConvolutionDescriptor_t conv), false,
         CUDNN_STATUS_SUCCESS,
         { return destroy(conv, KIND_WINDOW, "cudnnDestroyConvolutionDescriptor"); })

static int kind_of(int type) {
    return type == CUDNN_DATA_DOUBLE  ? NUMBER_F64
           : type == CUDNN_DATA_FLOAT ? NUMBER_F32
           : type == CUDNN_DATA_HALF  ? NUMBER_F16
                                      : NUMBER_BF16;
}

static cudnnStatus_t set_shape(cudnnOperand_t own, int type, int rank, const int *shape,
                               const char *what) {
    if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_DOUBLE && type != CUDNN_DATA_HALF &&
        type != CUDNN_DATA_BFLOAT16)
        return standin_report("%s: type %d", what, type), BAD;
    if (rank < 4 || rank > MOST_RANK) return standin_report("%s: rank %d", what, rank), BAD;
    own->type = type;
    own->rank = rank;
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 1) return standin_report("%s: size %d", what, shape[d]), BAD;
        own->shape[d] = shape[d];
    }
    own->is_set = true;
    return CUDNN_STATUS_SUCCESS;
}

DNN_CALL(cudnnSetTensorNdDescriptor,
         (cudnnOperand_t tensor, int type, int rank, const int *shape, const int *strides), false,
         BAD, {
             const char *what = "cudnnSetTensorNdDescriptor";
             if (!standin_check(tensor, KIND_TENSOR, what)) return BAD;
             for (int d = 0; d < rank && d < MOST_RANK; d++) {
                 tensor->stride[d] = strides[d];
                 if (strides[d] < 1) return standin_report("%s: stride %d", what, strides[d]), BAD;
             }
             return set_shape(tensor, type, rank, shape, what);
         })

DNN_CALL(cudnnSetFilterNdDescriptor,
         (cudnnOperand_t filter, int type, int format, int rank, const int *shape), false, BAD, {
             const char *what = "cudnnSetFilterNdDescriptor";
             if (!standin_check(filter, KIND_FILTER, what)) return BAD;
             if (format != CUDNN_TENSOR_NCHW)
                 return standin_report("%s: format %d", what, format), BAD;
             cudnnStatus_t status = set_shape(filter, type, rank, shape, what);
             for (int d = rank - 1, step = 1; d >= 0; step *= shape[d--]) filter->stride[d] = step;
             return status;
         })

DNN_CALL(cudnnCreateConvolutionDescriptor, (cudnnConvolutionDescriptor_t * conv), false,
         CUDNN_STATUS_INTERNAL_ERROR, {
             *conv = standin_new_free(KIND_WINDOW, sizeof **conv);
             (*conv)->groups = 1;
             return CUDNN_STATUS_SUCCESS;
         })

DNN_CALL(cudnnSetConvolutionNdDescriptor,
         (cudnnConvolutionDescriptor_t conv, int spatial, const int *padding, const int *stride,
          const int *dilation, int mode, int compute_type),
         false, BAD, {
             const char *what = "cudnnSetConvolutionNdDescriptor";
             if (!standin_check(conv, KIND_WINDOW, what)) return BAD;
             if (spatial < 2 || spatial > 3)
                 return standin_report("%s: %d dimensions", what, spatial), BAD;
             if (mode != CUDNN_CROSS_CORRELATION)
                 return standin_report("%s: a window that is turned round", what), BAD;
             conv->spatial = spatial;
             conv->compute = compute_type;
             for (int d = 0; d < spatial; d++) {
                 conv->padding[d] = padding[d];
                 conv->step[d] = stride[d];
                 conv->dilation[d] = dilation[d];
                 if (padding[d] < 0 || stride[d] < 1 || dilation[d] < 1)
                     return standin_report("%s: a window that is none", what), BAD;
             }
             conv->is_set = true;
             return CUDNN_STATUS_SUCCESS;
         })

DNN_CALL(cudnnSetConvolutionGroupCount, (cudnnConvolutionDescriptor_t conv, int groups), false, BAD,
         {
             if (!standin_check(conv, KIND_WINDOW, "cudnnSetConvolutionGroupCount")) return BAD;
             conv->groups = groups;
             return CUDNN_STATUS_SUCCESS;
         })

DNN_CALL(cudnnSetConvolutionMathType, (cudnnConvolutionDescriptor_t conv, int math), false, BAD, {
    if (!standin_check(conv, KIND_WINDOW, "cudnnSetConvolutionMathType")) return BAD;
    if (math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH)
        return standin_report("cudnnSetConvolutionMathType: %d", math), BAD;
    conv->math = math;
    return CUDNN_STATUS_SUCCESS;
})

/* ---- a convolution --------------------------------------------------------------------------- */

enum { IMAGE, FILTER, RESULT, OPERANDS };
enum { FORWARD, BACKWARD_DATA, BACKWARD_FILTER };

/* Which operands are read, and which is written, in the order of the call. */
static const int order[3][OPERANDS] = {[FORWARD] = {IMAGE, FILTER, RESULT},
                                       [BACKWARD_DATA] = {FILTER, RESULT, IMAGE},
                                       [BACKWARD_FILTER] = {IMAGE, RESULT, FILTER}};

typedef struct convolution {
    int direction;
    struct cudnnOperandStruct of[OPERANDS];
    struct cudnnConvolutionStruct window;
    double alpha, beta;
    uint64_t at[OPERANDS], workspace, workspace_bytes; /* the device's addresses */
    char *memory[OPERANDS];                            /* the host's */
} convolution;

static const char *types_wrong(const convolution *c) {
    int type = c->of[IMAGE].type;
    bool wide = type == CUDNN_DATA_DOUBLE;
    for (int i = 0; i < OPERANDS; i++)
        if (c->of[i].type != type) return "types that do not go together";
    if (c->window.compute != (wide ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT))
        return "another type to compute in";
    if (type == CUDNN_DATA_FLOAT && (c->window.math != CUDNN_FMA_MATH) != standin_has("tf32"))
        return "TF32 that was not asked for, or none";
    if (c->window.math == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) return "numbers that are rounded";
    return NULL;
}

static const char *sizes_wrong(const convolution *c) {
    const int *x = c->of[IMAGE].shape, *w = c->of[FILTER].shape, *y = c->of[RESULT].shape;
    const struct cudnnConvolutionStruct *v = &c->window;
    for (int i = 0; i < OPERANDS; i++)
        if (c->of[i].rank != v->spatial + 2) return "ranks that do not go together";
    if (v->groups < 1 || x[1] != w[1] * v->groups || w[0] % v->groups || w[0] != y[1] ||
        x[0] != y[0])
        return "channels that do not go together";
    for (int d = 0; d < v->spatial; d++) {
        int reach = v->dilation[d] * (w[2 + d] - 1) + 1;
        if (y[2 + d] != (x[2 + d] + 2 * v->padding[d] - reach) / v->step[d] + 1)
            return "sizes that do not go together";
    }
    return NULL;
}

static bool read_conv(convolution *c, int direction, cudnnHandle_t handle, cudnnOperand_t a,
                      cudnnOperand_t b, cudnnConvolutionDescriptor_t window, cudnnOperand_t out,
                      const char *what) {
    const cudnnOperand_t given[OPERANDS] = {a, b, out};
    memset(c, 0, sizeof *c);
    c->direction = direction;
    if (!standin_check(handle, KIND_DNN, what) || !standin_check(window, KIND_WINDOW, what))
        return false;
    c->window = *window;
    bool is_set = window->is_set;
    for (int i = 0; i < OPERANDS; i++) {
        int which = order[direction][i];
        if (!standin_check(given[i], which == FILTER ? KIND_FILTER : KIND_TENSOR, what))
            return false;
        c->of[which] = *given[i];
        is_set = is_set && given[i]->is_set;
    }
    const char *wrong = is_set ? types_wrong(c) : "a description that was not set";
    if (!wrong) wrong = sizes_wrong(c);
    if (wrong) standin_report("%s: %s", what, wrong);
    return !wrong;
}

/* ---- algorithms ------------------------------------------------------------------------------ */

enum { TRANSFORM = 4, DIFFERS = 0 };

static int good_algorithm(int direction) {
    return direction == FORWARD         ? CUDNN_FORWARD_PRECOMPUTED
           : direction == BACKWARD_DATA ? CUDNN_BACKWARD_DATA_DIRECT
                                        : CUDNN_BACKWARD_FILTER_DIRECT;
}

static size_t space_of(const convolution *c) {
    return 512 + 4 * (size_t)c->of[RESULT].shape[1];
}

static cudnnStatus_t choose(int direction, cudnnHandle_t handle, cudnnOperand_t a, cudnnOperand_t b,
                            cudnnConvolutionDescriptor_t window, cudnnOperand_t out, int wanted,
                            int *count, cudnnConvolutionAlgoPerf_t *found, const char *what) {
    convolution c;
    if (!read_conv(&c, direction, handle, a, b, window, out, what)) return BAD;
    int good = good_algorithm(direction), sure = CUDNN_DETERMINISTIC, math = window->math;
    const cudnnConvolutionAlgoPerf_t all[] = {
        {CUDNN_FORWARD_EXPLICIT, CUDNN_STATUS_NOT_SUPPORTED, -1, 0, sure, math, {0}},
        {TRANSFORM, CUDNN_STATUS_SUCCESS, -1, 64, sure, math, {0}},
        {DIFFERS, CUDNN_STATUS_SUCCESS, -1, 0, 0, math, {0}},
        {good, CUDNN_STATUS_SUCCESS, -1, 0, sure, CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION, {0}},
        {good, CUDNN_STATUS_SUCCESS, -1, space_of(&c), sure, math, {0}}};
    *count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && *count < wanted; i++)
        found[(*count)++] = all[i];
    return CUDNN_STATUS_SUCCESS;
}

static const char *algorithm_wrong(const convolution *c, int algo) {
    if (algo == good_algorithm(c->direction)) return NULL;
    return algo == DIFFERS     ? "sums that differ from run to run"
           : algo == TRANSFORM ? "an algorithm that transforms images"
                               : "an algorithm that was not offered";
}

static cudnnStatus_t space(int direction, cudnnHandle_t handle, cudnnOperand_t a, cudnnOperand_t b,
                           cudnnConvolutionDescriptor_t window, cudnnOperand_t out, int algo,
                           size_t *bytes, const char *what) {
    convolution c;
    if (!read_conv(&c, direction, handle, a, b, window, out, what)) return BAD;
    const char *wrong = algorithm_wrong(&c, algo);
    if (wrong) return standin_report("%s: %s", what, wrong), BAD;
    *bytes = space_of(&c);
    return CUDNN_STATUS_SUCCESS;
}

/* ---- doing it -------------------------------------------------------------------------------- */

static int64_t extent_of(const struct cudnnOperandStruct *own) {
    int64_t last = 0;
    for (int d = 0; d < own->rank; d++) last += (int64_t)(own->shape[d] - 1) * own->stride[d];
    return last + 1;
}

static uint64_t bytes_of(const struct cudnnOperandStruct *own) {
    return (uint64_t)(extent_of(own) * standin_number_size(kind_of(own->type)));
}

/* Everything that lies there, in the order of memory. */
static double *numbers_of(const convolution *c, int which) {
    const struct cudnnOperandStruct *own = &c->of[which];
    int64_t count = extent_of(own);
    double *out = malloc((size_t)count * sizeof *out);
    bool rounds = own->type == CUDNN_DATA_FLOAT && c->window.math != CUDNN_FMA_MATH;
    if (!out) abort();
    for (int64_t i = 0; i < count; i++) {
        out[i] = standin_load(c->memory[which], i, kind_of(own->type));
        if (rounds) out[i] = standin_cut((float)out[i], 13);
    }
    return out;
}

/* Steps to the next position; false behind the last. */
static bool next(int *at, const int *shape, int rank) {
    for (int d = rank - 1; d >= 0; d--) {
        if (++at[d] < shape[d]) return true;
        at[d] = 0;
    }
    return false;
}

static int64_t offset(const struct cudnnOperandStruct *own, const int *at) {
    int64_t sum = 0;
    for (int d = 0; d < own->rank; d++) sum += (int64_t)at[d] * own->stride[d];
    return sum;
}

/* Where row `at` of the result begins and tap `tap` (o, c, ...) of the filter meet; false outside of the image. The
 * last dimension is left out. */
static bool meet(const convolution *c, const int *at, const int *tap, int64_t *out) {
    const struct cudnnConvolutionStruct *v = &c->window;
    const struct cudnnOperandStruct *x = &c->of[IMAGE];
    int each = c->of[FILTER].shape[0] / v->groups;
    int channel = at[1] / each * c->of[FILTER].shape[1] + tap[1];
    *out = (int64_t)at[0] * x->stride[0] + (int64_t)channel * x->stride[1];
    for (int d = 0; d < v->spatial - 1; d++) {
        int place = at[2 + d] * v->step[d] - v->padding[d] + tap[2 + d] * v->dilation[d];
        if (place < 0 || place >= x->shape[2 + d]) return false;
        *out += (int64_t)place * x->stride[2 + d];
    }
    return true;
}

/* The products of a row of the result with one tap, added to the operand that is written. */
static void add_row(const convolution *c, double *const numbers[OPERANDS], const int *at,
                    const int *tap) {
    const int *way = order[c->direction];
    const struct cudnnConvolutionStruct *v = &c->window;
    int last = v->spatial - 1, step = v->step[last], width = c->of[IMAGE].shape[2 + last];
    int first = tap[2 + last] * v->dilation[last] - v->padding[last];
    int begin = first < 0 ? (step - 1 - first) / step : 0;
    int end = first < width ? (width - 1 - first) / step + 1 : 0;
    int64_t place[OPERANDS] = {0}, stride[OPERANDS] = {[FILTER] = 0};
    if (end > c->of[RESULT].shape[2 + last]) end = c->of[RESULT].shape[2 + last];
    if (!meet(c, at, tap, &place[IMAGE])) return;
    place[IMAGE] += (int64_t)first * c->of[IMAGE].stride[2 + last];
    place[FILTER] = offset(&c->of[FILTER], tap);
    place[RESULT] = offset(&c->of[RESULT], at);
    stride[IMAGE] = (int64_t)step * c->of[IMAGE].stride[2 + last];
    stride[RESULT] = c->of[RESULT].stride[2 + last];
    const double *a = numbers[way[0]], *b = numbers[way[1]];
    for (int i = begin; i < end; i++)
        numbers[way[2]][place[way[2]] + i * stride[way[2]]] +=
            a[place[way[0]] + i * stride[way[0]]] * b[place[way[1]] + i * stride[way[1]]];
}

/* Adds every product of the convolution to the operand that is written, in double. */
static void add_products(const convolution *c, double *const numbers[OPERANDS]) {
    int at[MOST_RANK] = {0}, tap[MOST_RANK];
    do {
        memset(tap, 0, sizeof tap);
        tap[0] = at[1];
        do add_row(c, numbers, at, tap);
        while (next(tap + 1, c->of[FILTER].shape + 1, c->of[FILTER].rank - 1));
    } while (next(at, c->of[RESULT].shape, c->of[RESULT].rank - 1));
}

static void put_results(const convolution *c, const double *sums) {
    int which = order[c->direction][2], at[MOST_RANK] = {0};
    const struct cudnnOperandStruct *own = &c->of[which];
    do {
        int64_t place = offset(own, at);
        double value = c->alpha * sums[place];
        if (c->beta != 0)
            value += c->beta * standin_load(c->memory[which], place, kind_of(own->type));
        standin_store(c->memory[which], place, kind_of(own->type), value);
    } while (next(at, own->shape, own->rank));
}

/* Memory may have been freed since the call. */
static void run(void *argument) {
    convolution *c = argument;
    const int *way = order[c->direction];
    allocation *used[OPERANDS];
    double *numbers[OPERANDS];
    for (int i = 0; i < OPERANDS; i++) {
        used[i] = standin_find(c->at[i], bytes_of(&c->of[i]), "a convolution");
        if (!used[i]) return;
        c->memory[i] = standin_memory(used[i], c->at[i]);
    }
    allocation *junk = standin_find(c->workspace, c->workspace_bytes, "a convolution's workspace");
    if (!junk) return;
    memset(standin_memory(junk, c->workspace), 0xa7, c->workspace_bytes);
    for (int i = 0; i < 2; i++) numbers[way[i]] = numbers_of(c, way[i]);
    numbers[way[2]] = calloc((size_t)extent_of(&c->of[way[2]]), sizeof **numbers);
    if (!numbers[way[2]]) abort();
    add_products(c, numbers);
    put_results(c, numbers[way[2]]);
    for (int i = 0; i < OPERANDS; i++) free(numbers[i]);
    standin_count_convolution();
    standin_check_bounds(used[way[2]], "a convolution");
}

/* ---- the calls ------------------------------------------------------------------------------- */

static const char *call_wrong(const convolution *c, cudnnHandle_t handle, size_t workspace_bytes) {
    const int *way = order[c->direction];
    uint64_t begin = c->at[way[2]], end = begin + bytes_of(&c->of[way[2]]);
    if (!handle->stream) return "a handle without a stream";
    if (!pthread_equal(handle->setter, pthread_self()))
        return "a stream that another thread has set";
    if (workspace_bytes < c->workspace_bytes) return "a workspace that is too small";
    if (c->workspace % 256) return "a workspace that is not aligned";
    for (int i = 0; i < OPERANDS; i++) {
        if (c->at[i] % 16) return "an operand that is not aligned";
        if (i != way[2] && c->at[i] < end && begin < c->at[i] + bytes_of(&c->of[i]))
            return "a result where something is read";
    }
    return NULL;
}

static cudnnStatus_t start(convolution *c, cudnnHandle_t handle, const void *const at[OPERANDS],
                           int algo, void *workspace, size_t workspace_bytes, const char *what) {
    standin_bytes used[OPERANDS + 1];
    int64_t count = 0;
    for (int i = 0; i < OPERANDS; i++) {
        int which = order[c->direction][i];
        c->at[which] = (uint64_t)(uintptr_t)at[i];
        used[count++] = (standin_bytes){c->at[which], bytes_of(&c->of[which])};
    }
    c->workspace = (uint64_t)(uintptr_t)workspace;
    c->workspace_bytes = space_of(c);
    const char *wrong = algorithm_wrong(c, algo);
    if (!wrong) wrong = call_wrong(c, handle, workspace_bytes);
    if (wrong) return standin_report("%s: %s", what, wrong), BAD;
    if (!standin_check(handle->stream, KIND_STREAM, what)) return BAD;
    used[count++] = (standin_bytes){c->workspace, c->workspace_bytes};
    convolution *kept = malloc(sizeof *kept);
    if (!kept) abort();
    *kept = *c;
    CUresult code = standin_put_call(handle->stream, what, run, kept, used, count);
    return code == CUDA_SUCCESS ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

static double factor(const void *at, const convolution *c) {
    return c->window.compute == CUDNN_DATA_DOUBLE ? *(const double *)at : *(const float *)at;
}

#define DIRECTION(which, choose_symbol, space_symbol, run_symbol)                                  \
    DNN_CALL(choose_symbol, CUDNN_CHOOSE_PARAMETERS, true, CUDNN_STATUS_INTERNAL_ERROR, {          \
        return choose(which, handle, a, b, conv, out, wanted, count, found, #choose_symbol);       \
    })                                                                                             \
    DNN_CALL(space_symbol, CUDNN_SPACE_PARAMETERS, true, CUDNN_STATUS_NOT_SUPPORTED,               \
             { return space(which, handle, a, b, conv, out, algo, bytes, #space_symbol); })        \
    DNN_CALL(run_symbol, CUDNN_RUN_PARAMETERS, true, CUDNN_STATUS_EXECUTION_FAILED, {              \
        const void *at[OPERANDS] = {a_at, b_at, out_at};                                           \
        convolution c;                                                                             \
        if (!read_conv(&c, which, handle, a, b, conv, out, #run_symbol)) return BAD;               \
        c.alpha = factor(alpha, &c);                                                               \
        c.beta = factor(beta, &c);                                                                 \
        return start(&c, handle, at, algo, workspace, workspace_bytes, #run_symbol);               \
    })

DIRECTION(FORWARD, cudnnGetConvolutionForwardAlgorithm_v7, cudnnGetConvolutionForwardWorkspaceSize,
          cudnnConvolutionForward)
DIRECTION(BACKWARD_DATA, cudnnGetConvolutionBackwardDataAlgorithm_v7,
          cudnnGetConvolutionBackwardDataWorkspaceSize, cudnnConvolutionBackwardData)
DIRECTION(BACKWARD_FILTER, cudnnGetConvolutionBackwardFilterAlgorithm_v7,
          cudnnGetConvolutionBackwardFilterWorkspaceSize, cudnnConvolutionBackwardFilter)
