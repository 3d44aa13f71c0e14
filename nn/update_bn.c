/* update_bn.c: the running statistics of batch norms, as means over batches. */
#include "layers/layers.h"
#include "tern/averaged.h"

/* The batch norms of a model, and the momenta that they had. */
typedef struct norms {
    tern_module **items;
    tern_optional_float *momenta;
    size_t count, capacity;
} norms;

static bool count_norm(void *user, const char *name, tern_module *module) {
    (void)name;
    ((norms *)user)->capacity += tern_layer_momentum(module) != NULL;
    return true;
}

static bool add_norm(void *user, const char *name, tern_module *module) {
    norms *n = user;
    (void)name;
    if (!tern_layer_momentum(module)) return true;
    n->momenta[n->count] = *tern_layer_momentum(module);
    n->items[n->count++] = module;
    return true;
}

static bool collect(tern_module *model, norms *out) {
    tern_ctx *ctx = model->inner->ctx;
    if (!tern_walk_modules(model, true, count_norm, out)) return false;
    out->items = tern_scope_alloc(ctx, (out->capacity + 1) * sizeof(tern_module *));
    out->momenta = tern_scope_alloc(ctx, (out->capacity + 1) * sizeof *out->momenta);
    return out->items && out->momenta && tern_walk_modules(model, true, add_norm, out);
}

/* reset_running_stats() and the mean over all batches in place of a moving one. */
static void reset(tern_module *norm) {
    const char *const names[] = {"running_mean", "running_var", "num_batches_tracked"};
    for (int i = 0; i < 3; i++) {
        const tern_slot *slot = tern_slot_find(&norm->inner->buffers, names[i]);
        if (slot && slot->tensor) tern_fill_in_place(slot->tensor, i == 1);
    }
    *tern_layer_momentum(norm) = (tern_optional_float){false, 0};
}

static void run_batches(tern_loader *loader, tern_module *model) {
    tern_ctx *ctx = model->inner->ctx;
    tern_tensor *batch[TERN_MAX_FIELDS];
    bool more = tern_loader_begin(loader) == TERN_OK;
    while (more && !tern_latched(ctx)) {
        tern_scope step = tern_scope_begin(ctx, TERN_NO_GRAD);
        more = tern_loader_next(loader, batch);
        if (more) tern_forward(model, batch[0]);
        tern_scope_end(step);
    }
}

tern_status tern_update_bn(tern_loader *loader, tern_module *model) {
    if (!tern_module_there(model, "tern_update_bn")) return tern_module_absent(model);
    tern_ctx *ctx = model->inner->ctx;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_given(ctx, "tern_update_bn", "loader", loader)) return TERN_ERR_ARGUMENT;
    tern_loader_length(loader); /* latches where it is gone */
    if (tern_latched(ctx)) return tern_check(ctx);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    bool was_training = model->inner->training;
    norms n = {0};
    if (collect(model, &n) && n.count) {
        for (size_t i = 0; i < n.count; i++) reset(n.items[i]);
        tern_module_train(model, true);
        run_batches(loader, model);
        tern_module_train(model, was_training);
        for (size_t i = 0; i < n.count; i++) *tern_layer_momentum(n.items[i]) = n.momenta[i];
    }
    tern_scope_end(scope);
    return tern_check(ctx);
}
