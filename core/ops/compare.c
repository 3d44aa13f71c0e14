/* compare.c: comparison and logic; the results are bools and have no gradient. */
#include "core/call/short.h"
#include "map.h"

static tern_value compare(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    return tern_map_binary(call, call->op->fn, call->args, dtype, TERN_BOOL);
}

#define COMPARISON(id)                                                                             \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        return compare(call);                                                                      \
    }                                                                                              \
    tern_tensor *tern_##id(tern_tensor *input, tern_tensor *other) {                               \
        tern_tensor *out = tern_short_binary(TERN_ROW(id), input, other);                          \
        return out ? out : TERN_CALL(id, ARG_TENSOR(input), ARG_TENSOR(other));                    \
    }
#define COMPARISON_SCALAR(id)                                                                      \
    tern_tensor *tern_##id##_scalar(tern_tensor *input, double other) {                            \
        tern_tensor *out = tern_short_scalar(TERN_ROW(id), input, other);                          \
        return out ? out : TERN_CALL(id, ARG_TENSOR(input), tern_number(other));                   \
    }

COMPARISON(eq)
COMPARISON(ne)
COMPARISON(lt)
COMPARISON(le)
COMPARISON(gt)
COMPARISON(ge)
COMPARISON(logical_and)
COMPARISON(logical_or)
COMPARISON_SCALAR(eq)
COMPARISON_SCALAR(gt)
COMPARISON_SCALAR(ge)
COMPARISON_SCALAR(lt)

tern_value tern_op_logical_xor(tern_opcall *call) {
    return compare(call);
}

tern_value tern_op_equal(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!tern_same_shape(a, b)) return tern_bool(false);
    tern_tensor *same = tern_all(tern_eq(a, b));
    return tern_is_nil(same) ? tern_none() : tern_bool(tern_item(same) != 0);
}

bool tern_equal(tern_tensor *input, tern_tensor *other) {
    tern_value same = TERN_CALL_VALUE(equal, ARG_TENSOR(input), ARG_TENSOR(other));
    return same.kind == TERN_VALUE_BOOL && same.as.b;
}
