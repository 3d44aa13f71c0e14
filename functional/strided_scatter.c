/*
 * strided_scatter.c: torch.as_strided_scatter. PyTorch's gradient of its input is that of the elements which src
 * replaces, and 0 elsewhere; so is this one. _as_strided_scatter, which the gradients of views use, has
 * the other.
 */
#include "core/ops/compose.h"
#include "functional.h"

tern_value tern_op_strided_scatter(tern_opcall *call) {
    tern_tensor *out = TERN_CALL(as_strided_scatter, tern_arg(call, 0), tern_arg(call, 1),
                                 tern_arg(call, 2), tern_arg(call, 3), tern_arg(call, 4));
    return tern_result(call, out);
}

void tern_grad_strided_scatter(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = tern_contiguous(grad_out[0]);
    tern_value size = tern_node_arg(node, 2), stride = tern_node_arg(node, 3);
    tern_value offset = tern_node_arg(node, 4);
    if (offset.kind == TERN_VALUE_NONE) offset = ARG_INT(0);
    tern_tensor *part = TERN_CALL(as_strided, ARG_TENSOR(g), size, stride, offset);
    if (tern_node_needs(node, 1)) grads[1] = tern_clone(part);
    if (tern_node_needs(node, 0))
        grads[0] = TERN_CALL(as_strided_scatter, ARG_TENSOR(tern_zeros_like(g)), ARG_TENSOR(part),
                             size, stride, offset);
}
