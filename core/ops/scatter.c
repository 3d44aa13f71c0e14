/* scatter.c: scatter with its reductions, of a tensor or of a number. */
#include <string.h>

#include "compose.h"

/* A tensor with at least one dimension, without alias. */
static tern_tensor *raised(tern_tensor *tensor) {
    tern_shape one = {1, {1}};
    return BODY(tensor)->rank ? tensor : tern_broadcast_view(tensor, &one);
}

static bool scatter_fits(tern_opcall *call, const tern_tensor *input, const tern_tensor *index,
                         const tern_tensor *src, int dim) {
    if (BODY(index)->dtype != TERN_INT64 && BODY(index)->dtype != TERN_INT32) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "Expected dtype int64 for index, but got %s",
                       tern_dtype_name(BODY(index)->dtype));
        return false;
    }
    bool fits = (BODY(index)->rank ? BODY(index)->rank : 1) ==
                    (BODY(input)->rank ? BODY(input)->rank : 1) &&
                (!src || (BODY(src)->rank ? BODY(src)->rank : 1) ==
                             (BODY(index)->rank ? BODY(index)->rank : 1));
    for (int d = 0; fits && d < BODY(index)->rank; d++) {
        int64_t own = BODY(input)->rank ? BODY(input)->shape[d] : 1;
        int64_t from = !src ? BODY(index)->shape[d] : BODY(src)->rank ? BODY(src)->shape[d] : 1;
        fits = (d == dim || BODY(index)->shape[d] <= own) && BODY(index)->shape[d] <= from;
    }
    if (fits || BODY(index)->numel == 0) return true;
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT], c[TERN_SHAPE_TEXT];
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "Expected index %s to be no larger than self %s apart from dimension %d and to "
                   "be no larger size than src %s",
                   tern_shape_text(BODY(index)->rank, BODY(index)->shape, a),
                   tern_shape_text(BODY(input)->rank, BODY(input)->shape, b), dim,
                   src ? tern_shape_text(BODY(src)->rank, BODY(src)->shape, c) : "of one value");
    return false;
}

/* out[index] = reduce(out[index], src) over a copy of input. src NULL: `value` everywhere. */
static tern_tensor *scatter_into(tern_opcall *call, tern_tensor *out, int dim, tern_tensor *index,
                                 tern_tensor *src, int32_t reduce) {
    if (call->ctx->status != TERN_OK || BODY(index)->numel == 0) return out;
    if (BODY(out)->numel == 0) {
        tern_call_fail(call, TERN_ERR_INDEX, "index is out of bounds for dimension %d with size 0",
                       dim);
        return call->ctx->nil;
    }
    tern_tensor *operands[2] = {raised(tern_to_dtype(index, TERN_INT64)), raised(src)};
    tern_tensor *into = raised(out);
    tern_index_attrs attrs = {.dim = dim, .reduce = reduce};
    tern_launch(call->lane, TERN_KERNEL_SCATTER, 0, operands, 2, &into, 1, &attrs, sizeof attrs);
    return out;
}

static tern_tensor *copy_of(tern_opcall *call, tern_tensor *input) {
    tern_tensor *out = tern_new_dense_like(call->lane, input, BODY(input)->dtype);
    tern_copy_raw(out, input);
    return out;
}

/* The reduce argument ("add", "multiply"), SET where none is given; -1 after latching. */
static int32_t reduce_argument(tern_opcall *call, int index) {
    const char *name = tern_arg_text(call, index, NULL);
    if (!name) return TERN_SCATTER_SET;
    if (strcmp(name, "add") == 0) return TERN_SCATTER_ADD;
    if (strcmp(name, "multiply") == 0) return TERN_SCATTER_MUL;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "reduce argument must be either add or multiply, got %s", name);
    return -1;
}

/* ---- scatter ---- */

static tern_value scatter_call(tern_opcall *call, tern_tensor *src) {
    tern_tensor *input = tern_arg_tensor(call, 0), *index = tern_arg_tensor(call, 2);
    int32_t reduce = reduce_argument(call, 4);
    int dim;
    if (reduce < 0 || call->ctx->status != TERN_OK ||
        !tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    if (BODY(src)->dtype != BODY(input)->dtype)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expected self.dtype to be equal to src.dtype, but got %s and %s",
                              tern_dtype_name(BODY(input)->dtype),
                              tern_dtype_name(BODY(src)->dtype));
    if (!scatter_fits(call, input, index, src, dim)) return tern_none();
    return tern_result(call, scatter_into(call, copy_of(call, input), dim, index, src, reduce));
}

tern_value tern_op_scatter(tern_opcall *call) {
    return scatter_call(call, tern_arg_tensor(call, 3));
}

/* With `reduce` scatter has no gradient, as in PyTorch: what it adds or multiplies is not known. */
static bool replaces(tern_node *node) {
    if (tern_node_arg(node, 4).kind == TERN_VALUE_NONE) return true;
    tern_fail(tern_node_ctx(node), TERN_ERR_UNSUPPORTED,
              "scatter: the derivative with `reduce` is not implemented: use scatter_add or "
              "scatter_reduce");
    return false;
}

void tern_grad_scatter(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_value dim = tern_node_arg(node, 1);
    tern_tensor *index = tern_node_input(node, 1);
    if (!replaces(node)) return;
    if (tern_node_needs(node, 0))
        grads[0] = TERN_CALL(scatter_value, ARG_TENSOR(grad_out[0]), dim, ARG_TENSOR(index),
                             ARG_FLOAT(0.0));
    if (tern_node_needs(node, 2))
        grads[2] = tern_pad_to(TERN_CALL(gather, ARG_TENSOR(grad_out[0]), dim, ARG_TENSOR(index)),
                               tern_node_input_shape(node, 2));
}

tern_value tern_op_scatter_value(tern_opcall *call) {
    tern_tensor *index = tern_arg_tensor(call, 2);
    tern_tensor *value =
        tern_operand_of(call, tern_arg(call, 3), BODY(tern_arg_tensor(call, 0))->dtype);
    if (call->ctx->status != TERN_OK) return tern_none();
    if (BODY(value)->rank != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "value must be a number or a 0-dimensional tensor, but has %d "
                              "dimensions: pass it as src",
                              BODY(value)->rank);
    tern_shape shape = tern_shape_of(index);
    return scatter_call(call, tern_broadcast_view(value, &shape));
}

void tern_grad_scatter_value(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!replaces(node)) return;
    grads[0] = TERN_CALL(scatter_value, ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1),
                         ARG_TENSOR(tern_node_input(node, 1)), ARG_FLOAT(0.0));
    if (tern_node_needs(node, 2)) /* a 0-dim tensor in place of the number */
        grads[2] = tern_sum(TERN_CALL(gather, ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1),
                                      ARG_TENSOR(tern_node_input(node, 1))));
}

/* ---- C functions ---- */

tern_tensor *tern_scatter(tern_tensor *input, int dim, tern_tensor *index, tern_tensor *src) {
    return TERN_CALL(scatter, ARG_TENSOR(input), ARG_INT(dim), ARG_TENSOR(index), ARG_TENSOR(src));
}
