/* sort.c: sort. It is stable and NaN is the greatest. */
#include "layout.h"

static bool sort_raw(tern_opcall *call, tern_tensor *x, int dim, bool descending,
                     tern_tensor **out) {
    out[0] = tern_tensor_new(call->lane, BODY(x)->dtype, BODY(x)->rank, BODY(x)->shape);
    out[1] = tern_tensor_new(call->lane, TERN_INT64, BODY(x)->rank, BODY(x)->shape);
    if (call->ctx->status != TERN_OK || BODY(x)->numel == 0) return call->ctx->status == TERN_OK;
    if (BODY(x)->rank == 0) {
        tern_copy_raw(out[0], x);
        tern_fill_raw(out[1], 0.0, 0);
        return true;
    }
    tern_sort_attrs attrs = {dim, descending};
    tern_launch(call->lane, TERN_KERNEL_SORT, 0, &x, 1, out, 2, &attrs, sizeof attrs);
    return call->ctx->status == TERN_OK;
}

/* (values, indices): the dim argument is the first after input. */
tern_value tern_op_sort(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0), *both[2];
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(input)->rank, tern_arg_int(call, 1, -1), &dim) ||
        !sort_raw(call, input, dim, tern_arg_bool(call, 2, false), both))
        return tern_none();
    return tern_tensors_value(call->ctx, both, 2);
}

void tern_grad_sort(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (!grad_out[0]) return;
    tern_value dim = tern_node_arg(node, 1);
    tern_tensor *zeros =
        TERN_CALL(new_zeros, ARG_TENSOR(grad_out[0]), ARG_SHAPE(tern_node_input_shape(node, 0)));
    grads[0] =
        tern_scatter_add(zeros, dim.kind == TERN_VALUE_NONE ? -1 : (int)tern_value_as_int(dim),
                         tern_node_output(node, 1), grad_out[0]);
}
