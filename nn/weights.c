/* weights.c: a state dict in host memory, outside of every context, counted by who uses it. */
#include <stdatomic.h>

#include "module.h"

typedef struct weight {
    char *key;
    tern_dtype dtype;
    tern_shape shape;
    void *data; /* row-major */
} weight;

struct tern_weights {
    atomic_int references; /* the program's, and one for each tensor over the memory */
    size_t count;
    weight items[];
};

static void drop(void *user) {
    tern_weights *weights = user;
    if (atomic_fetch_sub_explicit(&weights->references, 1, memory_order_acq_rel) != 1) return;
    for (size_t i = 0; i < weights->count; i++) {
        tern_free(weights->items[i].key);
        tern_free(weights->items[i].data);
    }
    tern_free(weights);
}

/* ---- making ---- */

static bool copy_weight(tern_ctx *ctx, tern_value key, tern_tensor *tensor, weight *out) {
    size_t bytes = (size_t)tern_numel(tensor) * tern_dtype_size(tern_dtype_of(tensor));
    out->dtype = tern_dtype_of(tensor);
    out->shape = tern_shape_of(tensor);
    out->key = tern_strdup(key.as.s);
    out->data = tern_alloc(bytes);
    if (!out->key || !out->data) return tern_nn_no_memory(ctx, "tern_weights_new") == TERN_OK;
    return tern_to_host(tensor, out->data, bytes) == TERN_OK;
}

static tern_weights *copy_state(tern_ctx *ctx, tern_value state) {
    size_t count = tern_value_count(state);
    tern_value key, item;
    tern_weights *weights = tern_alloc_zeroed(1, sizeof *weights + count * sizeof(weight));
    if (!weights) {
        tern_nn_no_memory(ctx, "tern_weights_new");
        return NULL;
    }
    atomic_init(&weights->references, 1);
    weights->count = count;
    for (size_t i = 0; tern_dict_at(state, i, &key, &item); i++)
        if (!copy_weight(ctx, key, item.as.tensor, &weights->items[i])) {
            drop(weights);
            return NULL;
        }
    return weights;
}

tern_weights *tern_weights_new(tern_module *module) {
    if (!tern_module_there(module, "tern_weights_new") || tern_latched(module->inner->ctx))
        return NULL;
    tern_ctx *ctx = module->inner->ctx;
    tern_weights *weights = NULL;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_value state = tern_module_state_dict(module);
    if (!tern_latched(ctx)) weights = copy_state(ctx, state);
    tern_scope_end(scope);
    return weights;
}

/* ---- using ---- */

/* A state dict over the shared memory. */
static tern_value state_over(tern_ctx *ctx, tern_weights *weights) {
    tern_value state = tern_dict_new(ctx, false);
    for (size_t i = 0; i < weights->count && !tern_latched(ctx); i++) {
        const weight *w = &weights->items[i];
        atomic_fetch_add_explicit(&weights->references, 1, memory_order_relaxed);
        tern_tensor *tensor = tern_from_memory(ctx, w->data, w->shape, w->dtype, drop, weights);
        tern_dict_set(state, w->key, tern_tensor_value(tensor));
    }
    return state;
}

tern_status tern_weights_use(tern_weights *weights, tern_module *module) {
    if (!tern_module_there(module, "tern_weights_use")) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!tern_argument_given(ctx, "tern_weights_use", "weights", weights)) return TERN_ERR_ARGUMENT;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_status status = tern_module_assign_state_dict(module, state_over(ctx, weights), true);
    tern_scope_end(scope);
    if (status != TERN_OK) return status;
    tern_module_eval(module);
    return tern_module_requires_grad(module, false);
}

void tern_weights_free(tern_weights *weights) {
    if (weights) drop(weights);
}
