/*
 * scatter_reduce.c: scatter_reduce and index_reduce with sum, prod, mean, amax and amin.
 *
 * Gradients follow PyTorch's: equal extremes share, and a product's gradient is found without dividing
 * by a single zero.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"

typedef enum reduction { SUM, PROD, MEAN, AMAX, AMIN } reduction;

static const char *const names[] = {"sum", "prod", "mean", "amax", "amin"};

static int how_of(const char *name) {
    for (int i = 0; i < 5; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

/* What leaves a reduction as it is, as far as the dtype can say it. */
static tern_value neutral(reduction how, tern_dtype dtype) {
    static const int64_t most[TERN_DTYPE_COUNT] = {
        [TERN_INT64] = INT64_MAX, [TERN_INT32] = INT32_MAX, [TERN_INT16] = INT16_MAX,
        [TERN_INT8] = INT8_MAX,   [TERN_UINT8] = UINT8_MAX, [TERN_BOOL] = 1};
    if (how == SUM || how == MEAN) return ARG_INT(0);
    if (how == PROD) return ARG_INT(1);
    if (tern_dtype_is_floating(dtype)) return ARG_FLOAT(how == AMAX ? -INFINITY : INFINITY);
    if (how == AMIN) return ARG_INT(most[dtype]);
    return ARG_INT(dtype == TERN_UINT8 || dtype == TERN_BOOL ? 0 : -most[dtype] - 1);
}

/* out = reduce(out, src) at index, by the kernel. False after latching. */
static bool combine(tern_opcall *call, tern_tensor *out, int dim, tern_tensor *index,
                    tern_tensor *src, reduction how) {
    static const int32_t members[] = {TERN_SCATTER_ADD, TERN_SCATTER_MUL, TERN_SCATTER_ADD,
                                      TERN_SCATTER_MAX, TERN_SCATTER_MIN};
    if (BODY(out)->numel == 0) {
        tern_call_fail(call, TERN_ERR_INDEX, "index is out of bounds for dimension %d with size 0",
                       dim);
        return false;
    }
    tern_tensor *operands[2] = {index, src};
    tern_index_attrs attrs = {.dim = dim, .reduce = members[how]};
    tern_launch(call->lane, TERN_KERNEL_SCATTER, 0, operands, 2, &out, 1, &attrs, sizeof attrs);
    return call->ctx->status == TERN_OK;
}

static bool operands_fit(tern_opcall *call, const tern_tensor *x, const tern_tensor *index,
                         const tern_tensor *src, int dim) {
    bool fits = BODY(index)->rank == BODY(x)->rank && BODY(src)->rank == BODY(x)->rank &&
                BODY(src)->dtype == BODY(x)->dtype;
    for (int d = 0; fits && d < BODY(index)->rank; d++)
        fits = (d == dim || BODY(index)->shape[d] <= BODY(x)->shape[d]) &&
               BODY(index)->shape[d] <= BODY(src)->shape[d];
    if (fits || BODY(index)->numel == 0) return true;
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT], c[TERN_SHAPE_TEXT];
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "Expected index %s to be no larger than self %s apart from dimension %d and than "
        "src %s, which has self's dtype",
        tern_shape_text(BODY(index)->rank, BODY(index)->shape, a),
        tern_shape_text(BODY(x)->rank, BODY(x)->shape, b), dim,
        tern_shape_text(BODY(src)->rank, BODY(src)->shape, c));
    return false;
}

/* How many values go into each element. */
static tern_tensor *counts(tern_tensor *x, int dim, tern_tensor *index, tern_tensor *src,
                           bool include_self) {
    tern_tensor *start = include_self ? tern_ones_like(x) : tern_zeros_like(x);
    tern_tensor *n = tern_scatter_add(start, dim, index, tern_ones_like(src));
    return TERN_CALL(masked_fill, ARG_TENSOR(n), ARG_TENSOR(tern_eq_scalar(n, 0.0)), ARG_INT(1));
}

/* (input, dim, index, src, reduce, include_self) */
tern_value tern_op_scatter_reduce(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *src = tern_arg_tensor(call, 3);
    tern_tensor *index = tern_arg_tensor(call, 2);
    const char *name = tern_arg_text(call, 4, "");
    bool include_self = tern_arg_bool(call, 5, true);
    int dim, which = how_of(name);
    if (which < 0)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "reduce argument must be either sum, prod, mean, amax or amin, got %s", name);
    if (BODY(index)->dtype != TERN_INT64 && BODY(index)->dtype != TERN_INT32)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected dtype int64 for index, but got %s",
                              tern_dtype_name(BODY(index)->dtype));
    index = tern_to_dtype(index, TERN_INT64);
    if (call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, 0), &dim) ||
        !operands_fit(call, x, index, src, dim))
        return tern_none();
    tern_tensor *out = tern_new_dense_like(call->lane, x, BODY(x)->dtype);
    tern_tensor *from = x;
    if (!include_self)
        from = TERN_CALL(scatter_value, ARG_TENSOR(x), ARG_INT(dim), ARG_TENSOR(index),
                         neutral((reduction)which, BODY(x)->dtype));
    tern_copy_raw(out, from);
    if (call->ctx->status != TERN_OK || BODY(index)->numel == 0) return tern_result(call, out);
    if (!combine(call, out, dim, index, src, (reduction)which)) return tern_none();
    if (which != MEAN) return tern_result(call, out);
    tern_tensor *n = counts(x, dim, index, src, include_self);
    bool floating = tern_dtype_is_floating(BODY(x)->dtype);
    return tern_result(call, floating ? tern_div(out, n) : tern_floor_divide(out, n));
}

/* ---- gradients ---- */

typedef struct parts {
    tern_tensor *x, *src, *index, *out, *grad;
    int dim;
    bool include_self;
    const char *name;
} parts;

static tern_tensor *gathered(const parts *p, tern_tensor *from) {
    return tern_gather(from, p->dim, p->index);
}

static void prod_gradient(const parts *p, tern_tensor **own, tern_tensor **src) {
    tern_tensor *x_zero = tern_eq_scalar(p->x, 0.0), *src_zero = tern_eq_scalar(p->src, 0.0);
    tern_tensor *x_safe = tern_fill_where(p->x, x_zero, 1.0);
    tern_value include = ARG_BOOL(p->include_self), name = tern_text(p->name);
    tern_tensor *without = TERN_CALL(scatter_reduce, ARG_TENSOR(x_safe), ARG_INT(p->dim),
                                     ARG_TENSOR(p->index), ARG_TENSOR(p->src), name, include);
    *own = tern_div(tern_mul(p->grad, without), x_safe);
    tern_tensor *zeros = tern_scatter_add(tern_zeros_like(p->x), p->dim, p->index,
                                          tern_to_dtype(src_zero, BODY(p->x)->dtype));
    tern_tensor *single = tern_logical_and(src_zero, tern_eq_scalar(gathered(p, zeros), 1.0));
    tern_tensor *filled = tern_fill_where(p->src, single, 1.0);
    tern_tensor *others = TERN_CALL(scatter_reduce, ARG_TENSOR(p->x), ARG_INT(p->dim),
                                    ARG_TENSOR(p->index), ARG_TENSOR(filled), name, include);
    tern_tensor *divided =
        tern_div(gathered(p, tern_mul(p->grad, p->out)), tern_fill_where(p->src, src_zero, 1.0));
    *src = tern_where(single, gathered(p, tern_mul(p->grad, others)), divided);
}

static void extreme_gradient(const parts *p, tern_tensor **own, tern_tensor **src) {
    tern_dtype dtype = BODY(p->grad)->dtype;
    tern_tensor *own_is = tern_to_dtype(tern_eq(p->x, p->out), dtype);
    tern_tensor *src_is = tern_to_dtype(tern_eq(p->src, gathered(p, p->out)), dtype);
    tern_tensor *n = tern_scatter_add(own_is, p->dim, p->index, src_is);
    tern_tensor *share = tern_div(p->grad, n);
    /* A NaN equals nothing: 0 / 0 makes its element's gradients NaN, as PyTorch has them. */
    *own = tern_mul(own_is, share);
    *src = tern_mul(src_is, gathered(p, share));
}

/* src as far as the index reaches. */
static tern_tensor *cut_to(tern_tensor *src, const tern_tensor *index) {
    for (int d = 0; d < BODY(index)->rank && !tern_is_nil(src); d++)
        if (BODY(src)->shape[d] > BODY(index)->shape[d])
            src = tern_narrow(src, d, 0, BODY(index)->shape[d]);
    return src;
}

/* All is of index's shape: a larger src takes no gradient beyond it. */
void tern_grad_scatter_reduce(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_ctx *ctx = tern_node_ctx(node);
    parts p = {.x = tern_node_input(node, 0),
               .index = tern_node_input(node, 1),
               .src = tern_node_input(node, 2),
               .out = tern_node_output(node, 0),
               .grad = grad_out[0],
               .name = tern_node_arg(node, 4).as.s};
    tern_value include = tern_node_arg(node, 5);
    p.include_self = include.kind == TERN_VALUE_NONE || tern_value_as_int(include) != 0;
    int which = how_of(p.name);
    if (ctx->status != TERN_OK ||
        !tern_wrap_dim(ctx, BODY(p.x)->rank, tern_value_as_int(tern_node_arg(node, 1)), &p.dim))
        return;
    p.src = cut_to(p.src, p.index);
    tern_tensor *own = p.grad, *src = NULL;
    if (which == SUM) {
        src = gathered(&p, p.grad);
    } else if (which == MEAN) {
        own = tern_div(p.grad, counts(p.x, p.dim, p.index, p.src, p.include_self));
        src = gathered(&p, own);
    } else if (which == PROD) {
        prod_gradient(&p, &own, &src);
    } else {
        extreme_gradient(&p, &own, &src);
    }
    if (!p.include_self)
        own = TERN_CALL(scatter_value, ARG_TENSOR(own), ARG_INT(p.dim), ARG_TENSOR(p.index),
                        ARG_FLOAT(0.0));
    if (tern_node_needs(node, 0)) grads[0] = own;
    if (tern_node_needs(node, 2)) grads[2] = tern_pad_to(src, tern_node_input_shape(node, 2));
}

/* index_reduce(input, dim, index, source, reduce, include_self): whole slices. */
tern_value tern_op_index_reduce(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 2);
    tern_tensor *source = tern_arg_tensor(call, 3);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    tern_shape column = {BODY(source)->rank, {0}};
    for (int d = 0; d < BODY(source)->rank; d++) column.dim[d] = d == dim ? BODY(index)->numel : 1;
    tern_tensor *spread = tern_expand(tern_reshape(index, column), tern_shape_of(source));
    return tern_result(call, TERN_CALL(scatter_reduce, ARG_TENSOR(x), ARG_INT(dim),
                                       ARG_TENSOR(spread), ARG_TENSOR(source), tern_arg(call, 4),
                                       ARG_BOOL(tern_arg_bool(call, 5, true))));
}
