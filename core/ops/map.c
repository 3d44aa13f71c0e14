/* map.c: broadcasting, conversion and launch of the element-wise families. */
#include "map.h"

#include <math.h>

/* True for an argument that was converted, or a number made a tensor, for this one launch. */
static bool is_made_here(const tern_tensor *operand, tern_value arg) {
    return arg.kind != TERN_VALUE_TENSOR || operand != arg.as.tensor;
}

tern_value tern_map_launch(tern_opcall *call, int32_t kernel, int32_t fn, const tern_value *args,
                           int count, tern_dtype compute, tern_dtype result, const void *attrs,
                           size_t attrs_size) {
    tern_tensor *operands[TERN_MAP_MAX_OPERANDS] = {NULL};
    tern_tensor *views[TERN_MAP_MAX_OPERANDS] = {NULL};
    tern_shape shape;
    for (int i = 0; i < count; i++) {
        /* The condition of `where` keeps its own dtype. */
        bool condition = kernel == TERN_KERNEL_TERNARY && fn == TERN_TERNARY_WHERE && i == 0;
        operands[i] = tern_operand_of(call, args[i], condition ? TERN_BOOL : compute);
        if (tern_is_nil(operands[i])) return tern_none();
    }
    if (!tern_broadcast_shape(call, operands, count, &shape)) return tern_none();
    for (int i = 0; i < count; i++) {
        views[i] = tern_broadcast_view(operands[i], &shape);
        if (tern_is_nil(views[i])) return tern_none();
        if (is_made_here(operands[i], args[i])) BODY(views[i])->flags |= TERN_T_TEMPORARY;
    }
    tern_tensor *out = tern_map_output(call, result, &shape);
    if (tern_is_nil(out)) return tern_none();
    tern_launch(call->lane, kernel, fn, views, count, &out, 1, attrs, attrs_size);
    for (int i = 0; i < count; i++) {
        if (views[i] != operands[i]) tern_tensor_release(views[i]);
        if (is_made_here(operands[i], args[i])) tern_tensor_release(operands[i]);
    }
    return call->ctx->status == TERN_OK ? ARG_TENSOR(out) : tern_none();
}

tern_value tern_map_binary(tern_opcall *call, int32_t fn, const tern_value *args,
                           tern_dtype compute, tern_dtype result) {
    tern_binary_attrs attrs = {fn, 0, 1, 1};
    return tern_map_launch(call, TERN_KERNEL_BINARY, fn, args, 2, compute, result, &attrs,
                           sizeof attrs);
}

tern_dtype tern_map_float(tern_dtype promoted) {
    return tern_dtype_is_floating(promoted) ? promoted : TERN_FLOAT32;
}

tern_value tern_node_operand(tern_node *node, int k, int arg) {
    tern_value number = tern_node_arg(node, arg);
    return tern_value_is_number(number) ? number : ARG_TENSOR(tern_node_input(node, k));
}

tern_tensor *tern_mul_value(tern_tensor *input, tern_value other) {
    if (other.kind == TERN_VALUE_TENSOR) return tern_mul(input, other.as.tensor);
    return TERN_CALL(mul, ARG_TENSOR(input), other);
}

tern_tensor *tern_div_value(tern_tensor *input, tern_value other) {
    if (other.kind == TERN_VALUE_TENSOR) return tern_div(input, other.as.tensor);
    return TERN_CALL(div, ARG_TENSOR(input), other);
}

tern_tensor *tern_where_value(tern_tensor *condition, tern_value yes, tern_value no) {
    return TERN_CALL(where, ARG_TENSOR(condition), yes, no);
}

tern_tensor *tern_compare_value(const tern_op *op, tern_tensor *input, tern_value other) {
    tern_value args[] = {ARG_TENSOR(input), other};
    return tern_op_tensor(NULL, op, args, 2);
}
