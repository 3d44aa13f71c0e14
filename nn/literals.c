/* literals.c: lists, tuples and dicts of what an array holds. */
#include "tern/literals.h"
#include "tern/context.h"
#include "tern/tensor.h"

static bool is_array(tern_ctx *ctx, const void *array, size_t count, const char *function) {
    if (array || count == 0) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the array is NULL", function);
    return false;
}

/* The container, none where it could not be filled. */
static tern_value filled(tern_value container, tern_status status) {
    return status == TERN_OK ? container : tern_none();
}

tern_value tern_dict_from(tern_ctx *ctx, const tern_entry *entries, size_t count) {
    if (!is_array(ctx, entries, count, "tern_dict_from")) return tern_none();
    tern_value dict = tern_dict_new(ctx, false);
    tern_status status = dict.kind == TERN_VALUE_DICT ? TERN_OK : TERN_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < count && status == TERN_OK; i++)
        status = entries[i].key ? tern_dict_set(dict, entries[i].key, entries[i].value)
                                : tern_fail(ctx, TERN_ERR_ARGUMENT,
                                            "tern_dict_from: the key of entry %zu is NULL", i);
    return filled(dict, status);
}

static tern_value fill(tern_value list, const tern_value *items, size_t count) {
    tern_status status = list.kind == TERN_VALUE_NONE ? TERN_ERR_OUT_OF_MEMORY : TERN_OK;
    for (size_t i = 0; i < count && status == TERN_OK; i++)
        status = tern_list_append(list, items[i]);
    return filled(list, status);
}

tern_value tern_list_from(tern_ctx *ctx, const tern_value *items, size_t count) {
    if (!is_array(ctx, items, count, "tern_list_from")) return tern_none();
    return fill(tern_list_new(ctx), items, count);
}

tern_value tern_tuple_from(tern_ctx *ctx, const tern_value *items, size_t count) {
    if (!is_array(ctx, items, count, "tern_tuple_from")) return tern_none();
    return fill(tern_tuple_new(ctx), items, count);
}

tern_value tern_tensors_from(tern_ctx *ctx, tern_tensor *const *tensors, size_t count) {
    if (!is_array(ctx, tensors, count, "tern_tensors_from")) return tern_none();
    tern_value tuple = tern_tuple_new(ctx);
    tern_status status = tuple.kind == TERN_VALUE_TUPLE ? TERN_OK : TERN_ERR_OUT_OF_MEMORY;
    for (size_t i = 0; i < count && status == TERN_OK; i++)
        status = tensors[i] && tern_context_of(tensors[i]) != ctx
                     ? tern_fail(ctx, TERN_ERR_ARGUMENT,
                                 "tern_tensors_from: tensor %zu is of another context", i)
                     : tern_list_append(tuple, tern_tensor_value(tensors[i]));
    return filled(tuple, status);
}
