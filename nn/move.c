/*
 * move.c: a module on another device or in another dtype, whole or not at all.
 *
 * First every tensor's copy is made in a scope of its own; only when all are there, and the devices
 * report no error, do the handles take over their copies' storage. Handles stay, so tied weights
 * and optimizers keep theirs.
 */
#include "module.h"

typedef struct move {
    tern_ctx *ctx;
    const char *device; /* or NULL: */
    tern_dtype dtype;
    tern_tensor **pairs; /* (handle, copy) after each other */
    size_t count, capacity;
} move;

static bool stage(move *m, tern_tensor *tensor) {
    if (!m->device && !tern_dtype_is_floating(tern_dtype_of(tensor))) return true;
    tern_tensor *source = tern_detach(tensor);
    tern_tensor *copy =
        m->device ? tern_to_device(source, m->device) : tern_to_dtype(source, m->dtype);
    if (tern_is_nil(copy)) return false;
    if (copy == source) return true;
    if (m->count + 2 > m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : 64;
        tern_tensor **pairs = tern_realloc(m->pairs, m->capacity * sizeof(tern_tensor *),
                                           capacity * sizeof(tern_tensor *));
        if (!pairs) {
            tern_nn_no_memory(m->ctx, "tern_module_to");
            return false;
        }
        m->pairs = pairs;
        m->capacity = capacity;
    }
    m->pairs[m->count++] = tensor;
    m->pairs[m->count++] = copy;
    return true;
}

static bool stage_slot(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)key;
    (void)module;
    tern_tensor *grad = tern_grad_of(slot->tensor);
    return stage(user, slot->tensor) && (!grad || stage(user, grad));
}

static tern_status move_all(tern_module *module, const char *device, tern_dtype dtype) {
    tern_ctx *ctx = module->inner->ctx;
    move m = {.ctx = ctx, .device = device, .dtype = dtype};
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    bool staged = tern_walk_slots(module, 'a', true, stage_slot, &m);
    tern_status status = tern_check(ctx);
    if (staged && status == TERN_OK)
        for (size_t i = 0; i < m.count; i += 2) status = tern_update(&m.pairs[i], m.pairs[i + 1]);
    tern_scope_end(scope);
    tern_free(m.pairs);
    return tern_latched(ctx) ? tern_check(ctx) : status;
}

tern_status tern_module_to(tern_module *module, const char *device) {
    if (!tern_module_there(module, "tern_module_to")) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!device) return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_module_to: the device is NULL");
    if (tern_device_open(ctx, device) != TERN_OK) return tern_check(ctx);
    return move_all(module, device, TERN_DTYPE_DEFAULT);
}

tern_status tern_module_to_dtype(tern_module *module, tern_dtype dtype) {
    if (!tern_module_there(module, "tern_module_to_dtype")) return tern_module_absent(module);
    if (!tern_dtype_is_floating(dtype))
        return tern_fail(module->inner->ctx, TERN_ERR_ARGUMENT,
                         "nn.Module.to only accepts floating point or complex dtypes, but got "
                         "desired dtype=torch.%s",
                         tern_dtype_name(dtype));
    return move_all(module, NULL, dtype);
}
