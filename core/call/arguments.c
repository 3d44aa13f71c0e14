/* arguments.c: what an implementation reads of its call, and how it refuses one. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "op.h"

const char *tern_op_name(const tern_op *op, char *out_text) {
    size_t length = strcspn(op->schema, "(:");
    if (length > 63) length = 63;
    memcpy(out_text, op->schema, length);
    out_text[length] = '\0';
    return out_text;
}

tern_value tern_call_fail(const tern_opcall *call, tern_status status, const char *format, ...) {
    char name[64], message[800];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    tern_fail(call->ctx, status, "%s: %s", tern_op_name(call->op, name), message);
    return tern_none();
}

tern_shape tern_arg_ints(const tern_opcall *call, int i) {
    tern_value v = tern_arg(call, i);
    tern_shape shape = {-1, {0}};
    if (v.kind == TERN_VALUE_NONE) return shape;
    size_t count = tern_value_is_number(v) ? 1 : tern_value_count(v);
    if (count > TERN_MAX_RANK) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%zu numbers in a list that holds at most %d",
                       count, TERN_MAX_RANK);
        return shape;
    }
    shape.rank = (int32_t)count;
    if (tern_value_is_number(v))
        shape.dim[0] = tern_value_as_int(v);
    else
        for (size_t k = 0; k < count; k++) shape.dim[k] = tern_value_as_int(tern_value_at(v, k));
    return shape;
}

tern_tensor **tern_arg_tensors(const tern_opcall *call, int i, int *out_count) {
    tern_value v = tern_arg(call, i);
    *out_count = 0;
    if (v.kind == TERN_VALUE_TENSOR) {
        tern_tensor **one = tern_scope_alloc(call->ctx, sizeof *one);
        if (one) one[(*out_count)++] = v.as.tensor;
        return one;
    }
    size_t count = tern_value_count(v);
    tern_tensor **tensors = tern_scope_alloc(call->ctx, (count + 1) * sizeof *tensors);
    for (size_t k = 0; tensors && k < count; k++) {
        tern_value item = tern_value_at(v, k);
        if (item.kind != TERN_VALUE_TENSOR) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "element %zu of the list of tensors is %s, not a tensor", k,
                           tern_kind_name(item.kind));
            return NULL;
        }
        tensors[(*out_count)++] = item.as.tensor;
    }
    return tensors;
}

tern_value tern_number(double value) {
    bool whole = value == floor(value) && fabs(value) <= 9007199254740992.0;
    return whole && !(value == 0 && signbit(value)) ? tern_int((int64_t)value) : tern_float(value);
}
