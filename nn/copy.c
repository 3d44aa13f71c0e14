/*
 * copy.c: deep copies of modules.
 *
 * The class makes the copy, from the arguments that the module's struct holds; what its init registers is
 * then brought to what the module has. A child that init made of the same class and arguments is taken as it
 * is and brought up likewise, so that a tree is made once; others are copied and put in its place.
 */
#include <string.h>

#include "module.h"
#include "tern/state.h"

/* Copies by their originals, modules and tensors. */
typedef struct copying {
    tern_ctx *ctx;
    const void **pairs; /* (original, copy) after each other */
    size_t count, capacity;
} copying;

static const void *copy_of(const copying *c, const void *original) {
    for (size_t i = 0; i < c->count; i += 2)
        if (c->pairs[i] == original) return c->pairs[i + 1];
    return NULL;
}

static bool is_a_copy(const copying *c, const void *pointer) {
    for (size_t i = 1; i < c->count; i += 2)
        if (c->pairs[i] == pointer) return true;
    return false;
}

static bool note(copying *c, const void *original, const void *copy) {
    if (c->count + 2 > c->capacity) {
        size_t capacity = c->capacity ? c->capacity * 2 : 64;
        const void **pairs =
            tern_realloc(c->pairs, c->capacity * sizeof *pairs, capacity * sizeof *pairs);
        if (!pairs) return tern_nn_no_memory(c->ctx, "tern_module_copy") == TERN_OK;
        c->pairs = pairs;
        c->capacity = capacity;
    }
    c->pairs[c->count++] = original;
    c->pairs[c->count++] = copy;
    return true;
}

/* ---- parameters and buffers ------------------------------------------------------------------ */

/* The copy of a tensor: over the handle that init made, or a new one in the copy's owner. */
static tern_tensor *copy_tensor(copying *c, tern_module *copy, tern_tensor *original,
                                tern_tensor *made) {
    bool reuse = made && !is_a_copy(c, made);
    tern_scope scope = reuse ? tern_scope_begin(c->ctx, TERN_NO_GRAD) : tern_module_begin(copy);
    tern_tensor *fresh = tern_clone(tern_detach(original));
    if (reuse && !tern_is_nil(fresh)) tern_update(&made, fresh);
    tern_scope_end(scope);
    tern_tensor *result = reuse ? made : fresh;
    if (tern_dtype_is_floating(tern_dtype_of(result)))
        tern_requires_grad(result, tern_has_grad_required(original));
    return !tern_latched(c->ctx) && note(c, original, result) ? result : NULL;
}

/* Gives the copy's slot of this name what the original's has. */
static bool copy_slot(copying *c, tern_module *copy, const tern_slot *from, bool is_buffer) {
    tern_slots *slots = is_buffer ? &copy->inner->buffers : &copy->inner->parameters;
    tern_slot *own = tern_slot_find(slots, from->name);
    tern_tensor *made = own ? own->tensor : NULL, *tensor = NULL;
    if (from->tensor) {
        const void *there = copy_of(c, from->tensor);
        tensor = there ? (tern_tensor *)(uintptr_t)there : copy_tensor(c, copy, from->tensor, made);
        if (!tensor) return false;
    }
    if (own && tensor == made) {
        own->persistent = from->persistent;
    } else if (is_buffer) {
        tern_module_buffer(copy, from->name, tensor, from->persistent);
    } else {
        bool required = tensor && tern_has_grad_required(tensor);
        tern_module_parameter(copy, from->name, tensor);
        if (tensor && !required) tern_requires_grad(tensor, false);
    }
    return !tern_latched(c->ctx);
}

/* Takes what the original does not have, and brings the rest into its order. */
static bool match_slots(copying *c, tern_module *copy, const tern_slots *from, tern_slots *slots) {
    for (size_t i = slots->count; i-- > 0;)
        if (!tern_slot_find(from, slots->items[i].name))
            tern_module_remove(copy, slots->items[i].name);
    for (size_t i = 0; i < slots->count && !tern_latched(c->ctx); i++) {
        tern_slot *right = tern_slot_find(slots, from->items[i].name), swap = *right;
        *right = slots->items[i];
        slots->items[i] = swap;
    }
    return !tern_latched(c->ctx);
}

static bool copy_slots(copying *c, tern_module *copy, const tern_module *original) {
    const tern_slots *parameters = &original->inner->parameters;
    const tern_slots *buffers = &original->inner->buffers;
    for (size_t i = 0; i < parameters->count; i++)
        if (!copy_slot(c, copy, &parameters->items[i], false)) return false;
    for (size_t i = 0; i < buffers->count; i++)
        if (!copy_slot(c, copy, &buffers->items[i], true)) return false;
    return match_slots(c, copy, parameters, &copy->inner->parameters) &&
           match_slots(c, copy, buffers, &copy->inner->buffers);
}

/* ---- children -------------------------------------------------------------------------------- */

static tern_module *copy_module(copying *c, tern_module *original);
static bool bring_up(copying *c, tern_module *copy, tern_module *original);

/* Whether a module that init made is of the same class and arguments as the one to be copied. */
static bool is_like(tern_ctx *ctx, const tern_module *made, const tern_module *original) {
    bool same = made->cls == original->cls;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    for (const tern_field *field = made->cls->fields; same && field && field->name; field++)
        same = tern_value_equal(tern_field_get(ctx, field, made),
                                tern_field_get(ctx, field, original));
    tern_scope_end(scope);
    return same && !tern_latched(ctx);
}

static bool copy_child(copying *c, tern_module *copy, const tern_child *from) {
    const tern_child *own = tern_child_find(copy->inner, from->name, strlen(from->name));
    tern_module *made = own ? own->module : NULL;
    tern_module *fresh = (tern_module *)(uintptr_t)copy_of(c, from->module);
    if (!fresh && made && !is_a_copy(c, made) && is_like(c->ctx, made, from->module))
        return note(c, from->module, made) && bring_up(c, made, from->module);
    if (!fresh) {
        tern_scope scope = tern_module_begin(copy);
        fresh = copy_module(c, from->module);
        tern_scope_end(scope);
    }
    return fresh && (made == fresh || tern_module_child(copy, from->name, fresh));
}

static bool copy_children(copying *c, tern_module *copy, const tern_module *original) {
    const tern_module_inner *from = original->inner;
    tern_module_inner *inner = copy->inner;
    for (size_t i = 0; i < from->n_children; i++)
        if (!copy_child(c, copy, &from->children[i])) return false;
    for (size_t i = inner->n_children; i-- > 0;)
        if (!tern_child_find(from, inner->children[i].name, strlen(inner->children[i].name)))
            tern_module_remove(copy, inner->children[i].name);
    for (size_t i = 0; i < inner->n_children && !tern_latched(c->ctx); i++) {
        const char *name = from->children[i].name;
        tern_child *right = tern_child_find(inner, name, strlen(name)), swap = *right;
        *right = inner->children[i];
        inner->children[i] = swap;
    }
    return !tern_latched(c->ctx);
}

/* ---- modules --------------------------------------------------------------------------------- */

/* Gives what the class made what the original has now. */
static bool bring_up(copying *c, tern_module *copy, tern_module *original) {
    if (!copy_slots(c, copy, original) || !copy_children(c, copy, original)) return false;
    for (size_t i = 0; i < original->inner->n_computed; i++)
        if (!tern_computed_add(copy, original->inner->computed[i].name,
                               original->inner->computed[i].pruned))
            return false;
    copy->inner->training = original->inner->training;
    if (copy->cls->copied) copy->cls->copied(copy, original);
    return !tern_latched(c->ctx);
}

static tern_module *copy_module(copying *c, tern_module *original) {
    if (!tern_module_there(original, "tern_module_copy")) return NULL;
    tern_module *copy = tern_module_new(c->ctx, original->cls, original);
    if (!copy) return NULL;
    if (note(c, original, copy) && bring_up(c, copy, original)) return copy;
    tern_module_free(copy);
    return NULL;
}

tern_module *tern_module_copy(tern_module *module) {
    uint8_t random[TERN_RNG_STATE_SIZE];
    if (!tern_module_there(module, "tern_module_copy") || tern_latched(module->inner->ctx))
        return NULL;
    copying c = {.ctx = module->inner->ctx};
    tern_generator *generator = tern_default_generator(c.ctx);
    tern_generator_get_state(generator, random);
    tern_module *copy = copy_module(&c, module);
    tern_generator_set_state(generator, random, sizeof random);
    tern_free(c.pairs);
    return copy;
}
