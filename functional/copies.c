/* copies.c: the view operations' *_copy forms: the same elements in storage of their own. */
#include "core/ops/layout.h"
#include "functional.h"

/* The view operation with the call's own arguments, each result cloned. */
static tern_value copy_of(tern_opcall *call, const tern_op *view) {
    tern_value result = tern_op_call(call->ctx, view, call->args, call->n_args);
    if (result.kind == TERN_VALUE_TENSOR) return tern_result(call, tern_clone(result.as.tensor));
    for (size_t i = 0; i < tern_value_count(result); i++)
        tern_list_set(result, i, ARG_TENSOR(tern_clone(tern_value_at(result, i).as.tensor)));
    return call->ctx->status == TERN_OK ? result : tern_none();
}

tern_value tern_op_view_copy(tern_opcall *call) {
    /* What cannot be viewed is copied by reshape already. */
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_tensor *out = TERN_CALL(reshape, ARG_TENSOR(input), tern_arg(call, 1));
    if (call->ctx->status != TERN_OK) return tern_none();
    bool shared = BODY(out)->storage == BODY(input)->storage;
    return tern_result(call, shared ? tern_clone(out) : out);
}
tern_value tern_op_alias_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(alias));
}
tern_value tern_op_as_strided_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(as_strided));
}
tern_value tern_op_diagonal_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(diagonal));
}
tern_value tern_op_expand_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(expand));
}
tern_value tern_op_narrow_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(narrow));
}
tern_value tern_op_permute_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(permute));
}
tern_value tern_op_squeeze_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(squeeze));
}
tern_value tern_op_t_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(t));
}
tern_value tern_op_transpose_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(transpose));
}
tern_value tern_op_unfold_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(unfold));
}
tern_value tern_op_unsqueeze_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(unsqueeze));
}
tern_value tern_op_unbind_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(unbind));
}
tern_value tern_op_split_with_sizes_copy(tern_opcall *call) {
    return copy_of(call, TERN_ROW(split_with_sizes));
}
