#include "results.h"

#include "tern/memory.h"

static bool all_integers(tern_value list) {
    size_t count = tern_value_count(list);
    for (size_t i = 0; i < count; i++)
        if (tern_value_at(list, i).kind != TERN_VALUE_INT) return false;
    return count > 0;
}

static void add(results *r, tern_value item) {
    if (r->count < MOST_RESULTS)
        r->items[r->count++] = item;
    else
        r->too_many = true;
}

static void flatten(tern_value value, results *r) {
    bool is_list = value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE;
    if (!is_list || all_integers(value)) {
        add(r, value);
        return;
    }
    for (size_t i = 0; i < tern_value_count(value); i++) flatten(tern_value_at(value, i), r);
}

void results_flatten(tern_value value, results *out_results) {
    out_results->count = 0;
    out_results->too_many = false;
    flatten(value, out_results);
}

static tern_tensor *size_tensor(tern_ctx *ctx, tern_value list) {
    size_t count = tern_value_count(list);
    int64_t *sizes = tern_scope_alloc(ctx, count * sizeof *sizes);
    if (!sizes) return tern_nil(ctx);
    for (size_t i = 0; i < count; i++) sizes[i] = tern_value_as_int(tern_value_at(list, i));
    tern_shape shape = {1, {(int64_t)count}};
    return tern_from_data(ctx, sizes, shape, TERN_INT64);
}

tern_tensor *result_tensor(tern_ctx *ctx, tern_value item) {
    tern_shape scalar = {0, {0}};
    uint8_t yes = item.kind == TERN_VALUE_BOOL && item.as.b;
    switch (item.kind) {
    case TERN_VALUE_TENSOR: return item.as.tensor;
    case TERN_VALUE_BOOL: return tern_from_data(ctx, &yes, scalar, TERN_BOOL);
    case TERN_VALUE_INT: return tern_from_data(ctx, &item.as.i, scalar, TERN_INT64);
    case TERN_VALUE_FLOAT: return tern_from_data(ctx, &item.as.f, scalar, TERN_FLOAT64);
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: return size_tensor(ctx, item);
    default:
        tern_fail(ctx, TERN_ERR_ARGUMENT, "the result is a %s, not a tensor or a number",
                  tern_kind_name(item.kind));
        return tern_nil(ctx);
    }
}
