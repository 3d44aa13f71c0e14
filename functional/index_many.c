/*
 * index_many.c: indexing by several tensors (Tensor.__getitem__, index, index_put), by masks, and
 * nonzero, whose result's size depends on the data: it waits for the device once, for the count.
 */
#include "core/ops/layout.h"
#include "functional.h"
#include "subscript.h"

/* ---- nonzero ---- */

/* int64 [count, rank]: the positions of what is not 0, in row-major order. */
static tern_tensor *nonzero_of(tern_opcall *call, tern_tensor *input) {
    tern_ctx *ctx = call->ctx;
    tern_shape shape = {2, {0, BODY(input)->rank}};
    tern_tensor *count = tern_tensor_new(call->lane, TERN_INT64, 0, NULL);
    if (ctx->status == TERN_OK && BODY(input)->numel > 0) {
        tern_launch(call->lane, TERN_KERNEL_NONZERO_COUNT, 0, &input, 1, &count, 1, NULL, 0);
        shape.dim[0] = tern_item_i64(count);
    }
    tern_tensor *out = tern_new_shaped(call, TERN_INT64, &shape);
    if (ctx->status == TERN_OK && BODY(out)->numel > 0)
        tern_launch(call->lane, TERN_KERNEL_NONZERO, 0, &input, 1, &out, 1, NULL, 0);
    return out;
}

tern_value tern_op_nonzero(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    bool tuple = tern_arg_bool(call, 1, false);
    if (tuple && BODY(input)->rank == 0) input = tern_unsqueeze(input, 0);
    tern_tensor *found = nonzero_of(call, input);
    if (!tuple) return tern_result(call, found);
    return TERN_CALL_VALUE(unbind, ARG_TENSOR(found), ARG_INT(1));
}

tern_value tern_op_argwhere(tern_opcall *call) {
    return tern_result(call, nonzero_of(call, tern_arg_tensor(call, 0)));
}

tern_value tern_op_nonzero_static(tern_opcall *call) {
    int64_t size = tern_arg_int(call, 1, 0);
    if (size < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "size must be non-negative, got %lld",
                              (long long)size);
    tern_tensor *found = nonzero_of(call, tern_arg_tensor(call, 0));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_shape rest = {2, {size - BODY(found)->shape[0], BODY(found)->shape[1]}};
    if (rest.dim[0] <= 0) return tern_result(call, tern_clone(tern_narrow(found, 0, 0, size)));
    tern_tensor *fill =
        TERN_CALL(new_full, ARG_TENSOR(found), ARG_SHAPE(rest), ARG_INT(tern_arg_int(call, 2, -1)));
    return tern_result(call, tern_cat((tern_tensor *[]){found, fill}, 2, 0));
}

/* ---- the kernels' form: indices for neighbouring dimensions, from `first` on ---- */

/* Index tensors of one shape and of int64 for dimensions that x has; false after latching. */
static bool indices_fit(tern_opcall *call, const tern_tensor *x, tern_tensor *const *indices,
                        int count, int64_t first) {
    bool fits = count > 0 && first >= 0 && first <= BODY(x)->rank - count;
    for (int i = 0; fits && i < count; i++)
        fits = BODY(indices[i])->dtype == TERN_INT64 && tern_same_shape(indices[i], indices[0]) &&
               BODY(x)->rank - count + BODY(indices[i])->rank <= TERN_MAX_RANK;
    if (!fits)
        tern_call_fail(call, TERN_ERR_INDEX,
                       "%d index tensors from dimension %lld on do not fit an input of %d "
                       "dimensions: they are int64, of one shape",
                       count, (long long)first, BODY(x)->rank);
    return fits;
}

/* The shape with the indexed dimensions replaced by the index's. */
static tern_shape indexed_shape(const tern_tensor *x, const tern_tensor *index, int first,
                                int count) {
    tern_shape shape = {0, {0}};
    for (int d = 0; d < first; d++) shape.dim[shape.rank++] = BODY(x)->shape[d];
    for (int d = 0; d < BODY(index)->rank; d++) shape.dim[shape.rank++] = BODY(index)->shape[d];
    for (int d = first + count; d < BODY(x)->rank; d++) shape.dim[shape.rank++] = BODY(x)->shape[d];
    return shape;
}

tern_value tern_op__index_get(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    int count;
    tern_tensor **indices = tern_arg_tensors(call, 2, &count);
    if (!indices || call->ctx->status != TERN_OK) return tern_none();
    if (!indices_fit(call, input, indices, count, tern_arg_int(call, 1, 0))) return tern_none();
    int first = (int)tern_arg_int(call, 1, 0);
    tern_shape shape = indexed_shape(input, indices[0], first, count);
    tern_tensor *out = tern_new_shaped(call, BODY(input)->dtype, &shape);
    if (call->ctx->status != TERN_OK || BODY(out)->numel == 0) return tern_result(call, out);
    if (BODY(input)->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX, "index is out of bounds for a size of 0");
    tern_tensor *operands[TERN_MAX_RANK + 1];
    operands[0] = input;
    for (int i = 0; i < count; i++) operands[i + 1] = indices[i];
    tern_multi_index_attrs attrs = {.first = first, .count = count};
    tern_launch(call->lane, TERN_KERNEL_INDEX_GET, 0, operands, count + 1, &out, 1, &attrs,
                sizeof attrs);
    return tern_result(call, out);
}

/* The node's index tensors, inputs from `from` on, as a list value. */
static tern_value node_indices(tern_node *node, int from) {
    tern_value list = tern_list_new(tern_node_ctx(node));
    for (int k = from; k < tern_node_n_inputs(node); k++)
        tern_list_append(list, ARG_TENSOR(tern_node_input(node, k)));
    return list;
}

void tern_grad__index_get(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(tern_node_input_shape(node, 0)));
    grads[0] = TERN_CALL(_index_put, ARG_TENSOR(zeros), ARG_TENSOR(grad_out[0]),
                         tern_node_arg(node, 1), ARG_BOOL(true), node_indices(node, 1));
}

tern_value tern_op__index_put(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *values = tern_arg_tensor(call, 1);
    int count;
    tern_tensor **indices = tern_arg_tensors(call, 4, &count);
    if (!indices || call->ctx->status != TERN_OK ||
        !indices_fit(call, input, indices, count, tern_arg_int(call, 2, 0)))
        return tern_none();
    tern_shape shape = indexed_shape(input, indices[0], (int)tern_arg_int(call, 2, 0), count);
    bool fits = BODY(values)->dtype == BODY(input)->dtype && BODY(values)->rank == shape.rank;
    for (int d = 0; fits && d < shape.rank; d++) fits = BODY(values)->shape[d] == shape.dim[d];
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "values must have the dtype of the input and the shape that the "
                              "indices give");
    tern_tensor *out = tern_new_dense_like(call->lane, input, BODY(input)->dtype);
    tern_copy_raw(out, input);
    if (call->ctx->status != TERN_OK || BODY(values)->numel == 0) return tern_result(call, out);
    tern_tensor *operands[TERN_MAX_RANK + 1];
    operands[0] = values;
    for (int i = 0; i < count; i++) operands[i + 1] = indices[i];
    tern_multi_index_attrs attrs = {.first = (int32_t)tern_arg_int(call, 2, 0),
                                    .count = count,
                                    .reduce = tern_arg_bool(call, 3, false) ? TERN_SCATTER_ADD
                                                                            : TERN_SCATTER_SET};
    if (BODY(out)->numel == 0)
        return tern_call_fail(call, TERN_ERR_INDEX, "index is out of bounds for a size of 0");
    tern_launch(call->lane, TERN_KERNEL_INDEX_PUT, 0, operands, count + 1, &out, 1, &attrs,
                sizeof attrs);
    return tern_result(call, out);
}

void tern_grad__index_put(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value first = tern_node_arg(node, 2), indices = node_indices(node, 2);
    bool adds = tern_value_as_int(tern_node_arg(node, 3)) != 0;
    if (tern_node_needs(node, 1))
        grads[1] = TERN_CALL(_index_get, ARG_TENSOR(grad_out[0]), first, indices);
    if (!tern_node_needs(node, 0)) return;
    tern_tensor *zero = TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(TERN_SCALAR_SHAPE));
    zero = tern_expand(zero, tern_node_input_shape(node, 1));
    grads[0] = adds ? grad_out[0]
                    : TERN_CALL(_index_put, ARG_TENSOR(grad_out[0]), ARG_TENSOR(zero), first,
                                ARG_BOOL(false), indices);
}

/* ---- Python's form: a list with gaps and masks ---- */

typedef struct plan {
    tern_tensor *indices[TERN_MAX_RANK]; /* by dimension, NULL where it stays whole */
    tern_tensor *packed[TERN_MAX_RANK];  /* those there are, broadcast to one shape */
    int count, first;
    bool adjacent;
} plan;

/* The list by dimension: a mask of r dimensions becomes r index tensors. False after latching. */
static bool spread_list(tern_opcall *call, tern_tensor *input, tern_value list, plan *p) {
    int dim = 0;
    size_t count = tern_value_count(list);
    for (size_t i = 0; i < count; i++) {
        tern_value item = tern_value_at(list, i);
        tern_tensor *index = item.kind == TERN_VALUE_TENSOR ? item.as.tensor : NULL;
        bool mask = index && (BODY(index)->dtype == TERN_BOOL || BODY(index)->dtype == TERN_UINT8);
        int span = mask ? BODY(index)->rank : 1;
        if (dim + span > BODY(input)->rank) {
            tern_call_fail(call, TERN_ERR_INDEX, "too many indices for tensor of dimension %d",
                           BODY(input)->rank);
            return false;
        }
        if (!mask) {
            p->indices[dim] = index ? tern_to_dtype(index, TERN_INT64) : NULL;
        } else {
            for (int d = 0; d < span; d++)
                if (BODY(index)->shape[d] != BODY(input)->shape[dim + d]) {
                    tern_call_fail(call, TERN_ERR_INDEX,
                                   "The shape of the mask at index %d does not match the shape of "
                                   "the indexed tensor at index %d",
                                   d, dim + d);
                    return false;
                }
            tern_tensor *found = TERN_CALL(nonzero, ARG_TENSOR(index));
            for (int d = 0; d < span; d++) p->indices[dim + d] = tern_select(found, 1, d);
        }
        dim += span;
    }
    return call->ctx->status == TERN_OK;
}

static bool make_plan(tern_opcall *call, tern_tensor *input, tern_value list, plan *p) {
    *p = (plan){.first = -1, .adjacent = true};
    if (!spread_list(call, input, list, p)) return false;
    int last = -1;
    for (int d = 0; d < BODY(input)->rank; d++) {
        if (!p->indices[d]) continue;
        if (p->first < 0) p->first = d;
        if (last >= 0 && d != last + 1) p->adjacent = false;
        last = d;
        p->packed[p->count++] = p->indices[d];
    }
    tern_shape shape;
    if (p->count && !tern_broadcast_shape(call, p->packed, p->count, &shape)) return false;
    for (int i = 0; i < p->count; i++) p->packed[i] = tern_expand(p->packed[i], shape);
    if (p->adjacent) return true;
    p->first = 0;
    return true;
}

/* The order of dimensions with those indexed in front; false where it is the order there is. */
static bool front_order(const plan *p, int rank, tern_shape *out_order) {
    out_order->rank = 0;
    for (int d = 0; d < rank; d++)
        if (p->indices[d]) out_order->dim[out_order->rank++] = d;
    for (int d = 0; d < rank; d++)
        if (!p->indices[d]) out_order->dim[out_order->rank++] = d;
    return !p->adjacent;
}

static tern_value list_of(tern_ctx *ctx, tern_tensor *const *tensors, int count) {
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < count; i++) tern_list_append(list, ARG_TENSOR(tensors[i]));
    return list;
}

/* A list of tensors, or a subscript as text. */
tern_value tern_op_index(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    const char *subscript = tern_arg_text(call, 1, NULL);
    if (subscript) return tern_result(call, tern_subscript(call, input, subscript));
    plan p;
    tern_shape order;
    if (!make_plan(call, input, tern_arg(call, 1), &p)) return tern_none();
    if (p.count == 0) return tern_result(call, tern_clone(input));
    if (front_order(&p, BODY(input)->rank, &order)) input = tern_permute(input, order);
    tern_value indices = list_of(call->ctx, p.packed, p.count);
    return tern_result(call, TERN_CALL(_index_get, ARG_TENSOR(input), ARG_INT(p.first), indices));
}

tern_value tern_op_index_put(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *values = tern_arg_tensor(call, 2);
    bool accumulate = tern_arg_bool(call, 3, false);
    plan p;
    tern_shape order, inverse;
    if (!make_plan(call, input, tern_arg(call, 1), &p)) return tern_none();
    if (BODY(values)->dtype != BODY(input)->dtype)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Index put requires the source and destination dtypes match, got %s "
                              "for the destination and %s for the source.",
                              tern_dtype_class(BODY(input)->dtype),
                              tern_dtype_class(BODY(values)->dtype));
    bool moved = front_order(&p, BODY(input)->rank, &order);
    tern_tensor *base = moved ? tern_permute(input, order) : input;
    if (call->ctx->status != TERN_OK) return tern_none();
    if (p.count == 0) {
        tern_tensor *whole = tern_expand(values, tern_shape_of(input));
        return tern_result(call, accumulate ? tern_add(input, whole) : tern_clone(whole));
    }
    if (!indices_fit(call, base, p.packed, p.count, p.first)) return tern_none();
    tern_shape shape = indexed_shape(base, p.packed[0], p.first, p.count);
    tern_value indices = list_of(call->ctx, p.packed, p.count);
    tern_tensor *out =
        TERN_CALL(_index_put, ARG_TENSOR(base), ARG_TENSOR(tern_expand(values, shape)),
                  ARG_INT(p.first), ARG_BOOL(accumulate), indices);
    if (!moved) return tern_result(call, out);
    inverse.rank = order.rank;
    for (int d = 0; d < order.rank; d++) inverse.dim[order.dim[d]] = d;
    return tern_result(call, tern_permute(out, inverse));
}

/* ---- masks ---- */

/* input and mask at their common shape; false after latching. */
static bool broadcast_mask(tern_opcall *call, tern_tensor **input, tern_tensor **mask) {
    tern_tensor *both[2] = {*input, *mask};
    tern_shape shape;
    if (BODY((*mask))->dtype != TERN_BOOL) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected BoolTensor for mask, got %s",
                       tern_dtype_class(BODY((*mask))->dtype));
        return false;
    }
    if (!tern_broadcast_shape(call, both, 2, &shape)) return false;
    *input = tern_expand(*input, shape);
    *mask = tern_expand(*mask, shape);
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_masked_fill(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *mask = tern_arg_tensor(call, 1);
    tern_value value = tern_arg(call, 2);
    tern_tensor *fill = value.kind == TERN_VALUE_TENSOR
                            ? tern_to_dtype(value.as.tensor, BODY(input)->dtype)
                            : tern_operand_of(call, value, BODY(input)->dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(fill)->rank != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "only supports a 0-dimensional value tensor, but got tensor with %d "
                              "dimension(s).",
                              BODY(fill)->rank);
    if (!broadcast_mask(call, &input, &mask)) return tern_none();
    return tern_result(call, tern_where(mask, fill, input));
}

/* The positions in a flattened mask where it is true. */
static tern_tensor *true_positions(tern_tensor *mask) {
    tern_tensor *found = TERN_CALL(nonzero, ARG_TENSOR(tern_reshape(mask, TERN_SHAPE(-1))));
    return tern_reshape(found, TERN_SHAPE(-1));
}

tern_value tern_op_masked_select(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *mask = tern_arg_tensor(call, 1);
    if (!broadcast_mask(call, &input, &mask)) return tern_none();
    tern_tensor *flat = tern_reshape(input, TERN_SHAPE(-1));
    return tern_result(call, tern_index_select(flat, 0, true_positions(mask)));
}

tern_value tern_op_masked_scatter(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *mask = tern_arg_tensor(call, 1);
    tern_tensor *source = tern_arg_tensor(call, 2);
    if (BODY(source)->dtype != BODY(input)->dtype)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expected self and source to have same dtypes but got %s and %s",
                              tern_dtype_class(BODY(input)->dtype),
                              tern_dtype_class(BODY(source)->dtype));
    if (!broadcast_mask(call, &input, &mask)) return tern_none();
    tern_tensor *at = true_positions(mask);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(at)->numel > BODY(source)->numel)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Number of elements of source < number of ones in mask (%lld < %lld)",
                              (long long)BODY(source)->numel, (long long)BODY(at)->numel);
    tern_tensor *from = tern_narrow(tern_reshape(source, TERN_SHAPE(-1)), 0, 0, BODY(at)->numel);
    tern_tensor *out = tern_scatter(tern_reshape(input, TERN_SHAPE(-1)), 0, at, from);
    return tern_result(call, tern_reshape(out, tern_shape_of(input)));
}
