/* NORM and NORM_GRAD: kernels/norm.inc. */
#include <string.h>

#include "call.h"

#define LANES 64  /* of kernels/fold.h */
#define MANY  256 /* elements of a weight from which on an item each has work enough for a device */

/*
 * The positions that stay (one group or item each) and the rest, below each. Operands from `standing` on have
 * no place in the rest.
 */
static void describe(gpu_norm_launch *l, const tern_operand *const *operands, int32_t count,
                     int32_t standing, uint32_t dims) {
    gpu_walk kept, rest;
    memset(l, 0, sizeof *l);
    gpu_walk_make(&kept, operands, count, dims);
    gpu_walk_make(&rest, operands, standing, ~dims);
    l->kept = kept.count;
    l->rest = rest.count;
    l->kept_rank = kept.rank;
    l->rest_rank = rest.rank;
    memcpy(l->kept_shape, kept.shape, sizeof *kept.shape * (size_t)kept.rank);
    memcpy(l->rest_shape, rest.shape, sizeof *rest.shape * (size_t)rest.rank);
    for (int32_t k = 0; k < count; k++) {
        l->at[k] = gpu_at(operands[k]);
        memcpy(l->kept_stride[k], kept.stride[k], sizeof *kept.shape * (size_t)kept.rank);
    }
    for (int32_t k = 0; k < standing; k++)
        memcpy(l->rest_stride[k], rest.stride[k], sizeof *rest.shape * (size_t)rest.rank);
}

enum { FORWARD = 0, TO_INPUT = 1, TO_WEIGHT = 2 };

static int32_t find(const gpu_call *call, int32_t direction, int32_t fn, uint32_t affine,
                    gpu_program **out_program) {
    int32_t number_class = gpu_class(call);
    gpu_variant variant = {
        GPU_SOURCE_NORM,
        number_class,
        {{"DIRECTION", direction},
         {"DTYPE", call->inputs[0].dtype},
         {"STATISTICS", number_class == GPU_F64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32},
         {"RMS", fn == TERN_NORM_RMS},
         {"WEIGHTED", (affine & TERN_NORM_WEIGHT) != 0},
         {"BIASED", (affine & TERN_NORM_BIAS) != 0}}};
    return gpu_find(call, &variant, out_program);
}

int32_t gpu_norm(const gpu_call *call) {
    const tern_norm_attrs *attrs = call->attrs;
    const tern_operand *x = call->inputs, *next = x + 1, *y = call->outputs, *out = y + 1;
    bool rms = attrs->fn == TERN_NORM_RMS;
    const tern_operand *weight = attrs->affine & TERN_NORM_WEIGHT ? next++ : x;
    const tern_operand *bias = attrs->affine & TERN_NORM_BIAS ? next : x;
    const tern_operand *mean = rms ? out : out++, *rstd = out++;
    bool wants_var = out < y + call->n_outputs;
    const tern_operand *var = wants_var ? out : rstd;
    const tern_operand *all[] = {x, weight, bias, y, mean, rstd, var};
    gpu_norm_launch l;
    gpu_program *program;
    if (x->rank > GPU_NORM_RANK) return TERN_BACKEND_DECLINED;
    describe(&l, all, 7, 4, attrs->dims);
    l.eps = gpu_bits(gpu_class(call), attrs->eps, 0);
    l.wants = wants_var;
    int32_t status = find(call, FORWARD, attrs->fn, attrs->affine, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(x),    gpu_of(weight), gpu_of(bias), gpu_of(y),
                                gpu_of(mean), gpu_of(rstd),   gpu_of(var),  GPU_VALUE(l)};
    return gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.kept, 1, 1,
                            LANES);
}

/* The inputs of NORM_GRAD; what a form does not have is another that is not read. */
typedef struct gradient {
    const tern_operand *g, *x, *mean, *rstd, *weight;
    const tern_norm_grad_attrs *attrs;
} gradient;

static int32_t to_input(const gpu_call *call, const gradient *q, const tern_operand *out) {
    const tern_operand *all[] = {q->g, q->x, q->weight, out, q->mean, q->rstd};
    gpu_norm_launch l;
    gpu_program *program;
    describe(&l, all, 6, 4, q->attrs->dims);
    int32_t status = find(call, TO_INPUT, q->attrs->fn, q->attrs->affine, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(q->g),    gpu_of(q->x), gpu_of(q->weight), gpu_of(q->mean),
                                gpu_of(q->rstd), gpu_of(out),  GPU_VALUE(l)};
    return gpu_start_groups(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.kept, 1, 1,
                            LANES);
}

/* A statistic as it broadcasts to x. */
static tern_operand spread(const tern_operand *statistic, uint32_t dims, int64_t *strides) {
    tern_operand over = *statistic;
    for (int32_t d = 0; d < statistic->rank; d++)
        strides[d] = dims >> d & 1u ? 0 : statistic->strides[d];
    over.strides = strides;
    return over;
}

/* The dimensions that `out` is a sum over. */
static uint32_t summed(const tern_operand *x, const tern_operand *out) {
    uint32_t dims = 0;
    for (int32_t d = 0; d < x->rank; d++)
        if (out->shape[d] != x->shape[d]) dims |= 1u << d;
    return dims;
}

/* One of the two outputs may be NULL; both have one shape. */
static int32_t to_weight(const gpu_call *call, const gradient *q, const tern_operand *dw,
                         const tern_operand *db) {
    int64_t strides[2][TERN_BACKEND_MAX_RANK];
    tern_operand mean = spread(q->mean, q->attrs->dims, strides[0]),
                 rstd = spread(q->rstd, q->attrs->dims, strides[1]);
    const tern_operand *weight = dw ? dw : db, *bias = db ? db : dw;
    const tern_operand *all[] = {q->g, q->x, &mean, &rstd, weight, bias};
    gpu_norm_launch l;
    gpu_program *program;
    describe(&l, all, 6, 4, summed(q->x, weight));
    l.wants = (dw ? 1 : 0) | (db ? 2 : 0);
    int32_t status = find(call, TO_WEIGHT, q->attrs->fn, 0, &program);
    if (status != TERN_BACKEND_OK) return status;
    gpu_argument arguments[] = {gpu_of(q->g),   gpu_of(q->x), gpu_of(&mean), gpu_of(&rstd),
                                gpu_of(weight), gpu_of(bias), GPU_VALUE(l)};
    if (l.kept >= MANY)
        return gpu_start(call, program, 0, arguments, GPU_COUNT_OF(arguments), l.kept);
    return gpu_start_groups(call, program, 1, arguments, GPU_COUNT_OF(arguments), l.kept, 1, 1,
                            LANES);
}

int32_t gpu_norm_grad(const gpu_call *call) {
    const tern_norm_grad_attrs *attrs = call->attrs;
    const tern_operand *in = call->inputs, *next = in + 2, *out = call->outputs;
    bool rms = attrs->fn == TERN_NORM_RMS;
    gradient q = {.g = in, .x = in + 1, .attrs = attrs};
    q.mean = rms ? next : next++;
    q.rstd = next++;
    q.weight = attrs->affine & TERN_NORM_WEIGHT ? next : q.x;
    const tern_operand *dx = attrs->wants & TERN_WANTS_INPUT ? out++ : NULL;
    const tern_operand *dw = attrs->wants & TERN_WANTS_WEIGHT ? out++ : NULL;
    const tern_operand *db = attrs->wants & TERN_WANTS_BIAS ? out : NULL;
    if (q.x->rank > GPU_NORM_RANK) return TERN_BACKEND_DECLINED;
    bool apart = dw && db && summed(q.x, dw) != summed(q.x, db);
    int32_t status = dx ? to_input(call, &q, dx) : TERN_BACKEND_OK;
    if (status == TERN_BACKEND_OK && (dw || db))
        status = to_weight(call, &q, dw, apart ? NULL : db);
    if (status == TERN_BACKEND_OK && apart) status = to_weight(call, &q, NULL, db);
    return status;
}
