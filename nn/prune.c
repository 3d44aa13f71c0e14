/* prune.c: masks over weights. prune_choose.c decides what they mask. */
#include "prune.h"

#include <stdio.h>

#include "parametrize.h"

bool tern_prunable_find(tern_module *module, const char *name, const char *who,
                        tern_prunable *out) {
    *out = (tern_prunable){0};
    if (!tern_module_there(module, who)) return false;
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx) || !tern_argument_given(ctx, who, "name", name)) return false;
    const tern_computed *computed = tern_computed_find(module->inner, name);
    *out = (tern_prunable){.module = module, .pruned = computed && computed->pruned};
    int length = snprintf(out->name, sizeof out->name, "%s", name);
    if (length >= (int)sizeof out->name) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the parameter's name has %d characters, at most %d",
                  who, length, (int)sizeof out->name - 1);
        return false;
    }
    snprintf(out->original, sizeof out->original, "%s_orig", name);
    snprintf(out->mask, sizeof out->mask, "%s_mask", name);
    out->weight = tern_plain_parameter(module, out->pruned ? out->original : name, who);
    return out->weight != NULL;
}

tern_tensor *tern_prunable_mask(const tern_prunable *p) {
    return p->pruned ? tern_module_tensor(p->module, p->mask)
                     : tern_ones_like(tern_detach(p->weight));
}

/* Registers under the new names, and takes the old one away. */
static tern_status start(const tern_prunable *p, tern_tensor *mask) {
    tern_module *module = p->module;
    bool required = tern_has_grad_required(p->weight);
    if (!tern_module_settle(module, tern_slot_find(&module->inner->parameters, p->name)))
        return tern_check(module->inner->ctx);
    tern_module_parameter(module, p->original, p->weight);
    tern_module_buffer(module, p->mask, mask, true);
    if (!required) tern_requires_grad(p->weight, false);
    bool added = !tern_latched(module->inner->ctx) && tern_computed_add(module, p->name, true);
    if (added && tern_module_remove(module, p->name) == TERN_OK) return TERN_OK;
    if (added) tern_computed_remove(module, p->name);
    return tern_check(module->inner->ctx);
}

tern_status tern_prunable_apply(const tern_prunable *p, tern_tensor *mask) {
    tern_ctx *ctx = p->module->inner->ctx;
    tern_scope scope =
        p->pruned ? tern_scope_begin(ctx, TERN_NO_GRAD) : tern_module_begin(p->module);
    mask = tern_clone(tern_to_device(tern_to_dtype(tern_detach(mask), tern_dtype_of(p->weight)),
                                     tern_device_of(p->weight)));
    if (p->pruned)
        tern_mul_in_place(tern_module_tensor(p->module, p->mask), mask);
    else if (!tern_latched(ctx))
        start(p, mask);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_mask(tern_module *module, const char *name, tern_tensor *mask) {
    const char *who = "tern_prune_mask";
    tern_prunable p;
    if (!tern_prunable_find(module, name, who, &p)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!tern_argument_tensor(ctx, who, mask)) return tern_check(ctx);
    bool fits = tern_rank(mask) == tern_rank(p.weight);
    for (int d = 0; fits && d < tern_rank(mask); d++)
        fits = tern_size(mask, d) == tern_size(p.weight, d);
    if (!fits)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the mask must have the shape of '%s'", who,
                         name);
    return tern_prunable_apply(&p, mask);
}

bool tern_is_pruned(const tern_module *module) {
    if (!tern_module_there(module, "tern_is_pruned")) return false;
    for (size_t i = 0; i < module->inner->n_computed; i++)
        if (module->inner->computed[i].pruned) return true;
    for (size_t i = 0; i < module->inner->n_children; i++)
        if (tern_is_pruned(module->inner->children[i].module)) return true;
    return false;
}

tern_status tern_prune_remove(tern_module *module, const char *name) {
    const char *who = "tern_prune_remove";
    tern_prunable p;
    if (!tern_prunable_find(module, name, who, &p)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!p.pruned)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: parameter '%s' of %s is not pruned", who,
                         name, tern_module_name(module));
    bool required = tern_has_grad_required(p.weight);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *value = tern_mul(tern_detach(p.weight), tern_module_tensor(module, p.mask));
    if (!tern_latched(ctx)) tern_copy_in_place(p.weight, value);
    tern_scope_end(scope);
    if (tern_latched(ctx) || tern_is_nil(tern_module_parameter(module, name, p.weight)))
        return tern_check(ctx);
    if (!required) tern_requires_grad(p.weight, false);
    tern_computed_remove(module, name);
    tern_module_remove(module, p.original);
    return tern_module_remove(module, p.mask);
}
