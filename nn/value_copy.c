/* value_copy.c: deep copies of values: state dicts, checkpoints. */
#include "module.h"
#include "tern/state.h"

/* How deep values may nest: as deep as JSON and notation. */
#define DEPTH 256

typedef struct tensors {
    tern_tensor **items;
    size_t count, capacity;
} tensors;

typedef struct copying {
    tern_ctx *ctx;
    tensors storages; /* (a tensor, the copy of its whole storage) after each other */
    tensors made;     /* every copy, to give back where a later one fails */
} copying;

/* Room for two more: before anything is made, so that all that is made is kept. False after latching. */
static bool reserve(copying *c, tensors *list) {
    if (list->count + 2 <= list->capacity) return true;
    size_t larger = list->capacity ? list->capacity * 2 : 64;
    tern_tensor **items = tern_realloc(list->items, list->capacity * sizeof(tern_tensor *),
                                       larger * sizeof(tern_tensor *));
    if (!items) return tern_nn_no_memory(c->ctx, "tern_value_copy") == TERN_OK;
    list->items = items;
    list->capacity = larger;
    return true;
}

/* The copy of all that lies in the tensor's storage; nil after latching. */
static tern_tensor *storage_of(copying *c, tern_tensor *tensor) {
    tensors *list = &c->storages;
    for (size_t i = 0; i < list->count; i += 2)
        if (tern_shares_storage(list->items[i], tensor) &&
            tern_dtype_of(list->items[i]) == tern_dtype_of(tensor))
            return list->items[i + 1];
    if (!reserve(c, list)) return tern_nil(c->ctx);
    tern_tensor *whole =
        tern_view_of_storage(tensor, TERN_SHAPE(tern_storage_numel(tensor)), TERN_SHAPE(1), 0);
    tern_tensor *copy = tern_clone(whole);
    tern_drop(whole);
    if (tern_is_nil(copy)) return copy;
    list->items[list->count++] = tensor;
    list->items[list->count++] = copy;
    return copy;
}

static tern_value copy_tensor(copying *c, tern_tensor *tensor) {
    tern_shape stride = tern_shape_of(tensor);
    if (tern_is_nil(tensor)) return tern_tensor_value(tensor);
    if (!tern_is_leaf(tensor)) {
        tern_fail(c->ctx, TERN_ERR_ARGUMENT,
                  "tern_value_copy: a tensor has a history (%s): pass tern_detach(tensor)",
                  tern_grad_fn_name(tensor));
        return tern_none();
    }
    for (int d = 0; d < stride.rank; d++) stride.dim[d] = tern_stride(tensor, d);
    if (!reserve(c, &c->made)) return tern_none();
    tern_tensor *copy = tern_view_of_storage(storage_of(c, tensor), tern_shape_of(tensor), stride,
                                             tern_storage_offset(tensor));
    if (tern_is_nil(copy)) return tern_none();
    c->made.items[c->made.count++] = copy;
    if (tern_has_grad_required(tensor)) tern_requires_grad(copy, true);
    return tern_tensor_value(copy);
}

static tern_value copy_value(copying *c, tern_value value, int depth);

static tern_value copy_items(copying *c, tern_value list, int depth) {
    tern_value copy =
        list.kind == TERN_VALUE_TUPLE ? tern_tuple_new(c->ctx) : tern_list_new(c->ctx);
    for (size_t i = 0; i < tern_value_count(list) && !tern_latched(c->ctx); i++)
        tern_list_append(copy, copy_value(c, tern_value_at(list, i), depth + 1));
    return copy;
}

static tern_value copy_dict(copying *c, tern_value dict, int depth) {
    tern_value copy = tern_dict_new(c->ctx, tern_dict_is_ordered(dict)), key, item;
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item) && !tern_latched(c->ctx); i++)
        tern_dict_set_value(copy, copy_value(c, key, depth + 1), copy_value(c, item, depth + 1));
    tern_value attributes = tern_dict_attributes(dict);
    if (attributes.kind == TERN_VALUE_DICT)
        tern_dict_set_attributes(copy, copy_value(c, attributes, depth + 1));
    return copy;
}

static tern_value copy_value(copying *c, tern_value value, int depth) {
    if (depth > DEPTH) {
        tern_fail(c->ctx, TERN_ERR_ARGUMENT, "tern_value_copy: nested deeper than %d", DEPTH);
        return tern_none();
    }
    switch (value.kind) {
    case TERN_VALUE_STRING: return tern_string_n(c->ctx, value.as.s, value.length);
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: return copy_items(c, value, depth);
    case TERN_VALUE_DICT: return copy_dict(c, value, depth);
    case TERN_VALUE_TENSOR: return copy_tensor(c, value.as.tensor);
    default: return value;
    }
}

tern_value tern_value_copy(tern_ctx *ctx, tern_value value) {
    if (tern_latched(ctx)) return tern_none();
    copying c = {.ctx = ctx};
    tern_value copy = copy_value(&c, value, 0);
    bool failed = tern_latched(ctx);
    /* The views keep the storage. */
    for (size_t i = 1; i < c.storages.count; i += 2) tern_drop(c.storages.items[i]);
    for (size_t i = 0; failed && i < c.made.count; i++) tern_drop(c.made.items[i]);
    tern_free(c.storages.items);
    tern_free(c.made.items);
    return failed ? tern_none() : copy;
}
