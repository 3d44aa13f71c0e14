/* walk.c: walks over a module and all below it. */
#include <string.h>

#include "module.h"

/* ---- pointers met ---------------------------------------------------------------------------- */

bool tern_seen_add(tern_seen *seen, const void *pointer) {
    for (size_t i = 0; i < seen->count; i++)
        if (seen->items[i] == pointer) return false;
    if (seen->count == seen->capacity) {
        size_t capacity = seen->capacity ? seen->capacity * 2 : 32;
        const void **items =
            tern_realloc(seen->items, seen->capacity * sizeof *items, capacity * sizeof *items);
        if (!items) {
            seen->failed = true;
            return false;
        }
        seen->items = items;
        seen->capacity = capacity;
    }
    seen->items[seen->count++] = pointer;
    return true;
}

/* ---- the walks ------------------------------------------------------------------------------- */

typedef struct walk {
    tern_textbuf path; /* "block.0." */
    tern_seen seen;
    bool once;
    char what;
    tern_slot_visit visit_slot;
    tern_module_visit visit_module;
    void *user;
} walk;

static bool visit_slots(walk *w, tern_module *module, tern_slots *slots) {
    size_t length = w->path.length;
    for (size_t i = 0; i < slots->count; i++) {
        tern_slot *slot = &slots->items[i];
        if (!slot->tensor || (w->once && !tern_seen_add(&w->seen, slot->tensor))) continue;
        tern_textbuf_add(&w->path, "%s", slot->name);
        if (w->path.failed || !w->visit_slot(w->user, w->path.data, slot, module)) return false;
        tern_textbuf_cut(&w->path, length);
    }
    return true;
}

static bool visit(walk *w, tern_module *module) {
    if (w->visit_slot) {
        if (w->what != 'b' && !visit_slots(w, module, &module->inner->parameters)) return false;
        if (w->what != 'p' && !visit_slots(w, module, &module->inner->buffers)) return false;
        return true;
    }
    /* The path ends in a dot, a module's name does not. */
    size_t length = w->path.length;
    if (length) tern_textbuf_cut(&w->path, length - 1);
    bool go_on = w->visit_module(w->user, w->path.data ? w->path.data : "", module);
    if (length) tern_textbuf_add(&w->path, ".");
    return go_on;
}

static bool descend(walk *w, tern_module *module) {
    if (!tern_module_there(module, "a child")) return false;
    if (w->once && !tern_seen_add(&w->seen, module)) return !w->seen.failed;
    if (!visit(w, module)) return false;
    size_t length = w->path.length;
    for (size_t i = 0; i < module->inner->n_children; i++) {
        const tern_child *child = &module->inner->children[i];
        tern_textbuf_add(&w->path, "%s.", child->name);
        if (w->path.failed || !descend(w, child->module)) return false;
        tern_textbuf_cut(&w->path, length);
    }
    return true;
}

static void free_memory(void *memory) {
    tern_walk_memory *m = memory;
    tern_textbuf_free(&m->path);
    tern_free(m->seen.items);
    m->seen = (tern_seen){0};
}

/* A walk inside this one, from the same module, finds none and makes its own. False and latched when
 * memory is out. */
static bool take_memory(walk *w, tern_module_inner *inner) {
    if (!inner->walks.deferred) {
        tern_scope scope = tern_owner_begin(inner->owner, 0);
        inner->walks.deferred =
            scope.serial && tern_defer(inner->ctx, free_memory, &inner->walks) == TERN_OK;
        tern_scope_end(scope);
        if (!inner->walks.deferred) return false;
    }
    w->path = inner->walks.path;
    w->seen = inner->walks.seen;
    inner->walks.path = (tern_textbuf){0};
    inner->walks.seen = (tern_seen){0};
    return true;
}

static void keep_memory(walk *w, tern_module_inner *inner) {
    tern_walk_memory *kept = &inner->walks;
    free_memory(kept); /* of a walk inside this one */
    tern_textbuf_cut(&w->path, 0);
    w->seen.count = 0;
    kept->path = w->path;
    kept->seen = w->seen;
    if (kept->path.failed || kept->seen.failed) free_memory(kept);
}

static bool run(walk *w, tern_module *module) {
    if (!module) return true;
    if (!tern_module_there(module, w->visit_slot ? "tern_module_parameters" : "tern_module_each"))
        return false;
    if (!take_memory(w, module->inner)) return false;
    bool completed = descend(w, module);
    bool failed = w->path.failed || w->seen.failed;
    keep_memory(w, module->inner);
    if (failed) tern_nn_no_memory(module->inner->ctx, module->inner->name);
    return completed && !failed;
}

bool tern_walk_slots(tern_module *module, char what, bool once, tern_slot_visit visit_slot,
                     void *user) {
    walk w = {.once = once, .what = what, .visit_slot = visit_slot, .user = user};
    return run(&w, module);
}

bool tern_walk_modules(tern_module *module, bool once, tern_module_visit visit_module, void *user) {
    walk w = {.once = once, .visit_module = visit_module, .user = user};
    return run(&w, module);
}

void tern_module_each(tern_module *module, tern_module_visit visit_module, void *user) {
    if (visit_module) tern_walk_modules(module, true, visit_module, user);
}

/* ---- what is told of parameters and buffers -------------------------------------------------- */

static bool put_named(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)module;
    return tern_dict_set(*(tern_value *)user, key, tern_tensor_value(slot->tensor)) == TERN_OK;
}

static tern_value named(tern_module *module, char what) {
    if (!tern_module_there(module, "tern_module_named_parameters")) return tern_none();
    tern_value dict = tern_dict_new(module->inner->ctx, true);
    if (dict.kind != TERN_VALUE_DICT) return tern_none();
    return tern_walk_slots(module, what, true, put_named, &dict) ? dict : tern_none();
}

tern_value tern_module_named_parameters(tern_module *module) {
    return named(module, 'p');
}

tern_value tern_module_named_buffers(tern_module *module) {
    return named(module, 'b');
}

static bool put_listed(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)key;
    (void)module;
    return tern_list_append(*(tern_value *)user, tern_tensor_value(slot->tensor)) == TERN_OK;
}

tern_value tern_module_parameters(tern_module *module) {
    if (!tern_module_there(module, "tern_module_parameters")) return tern_none();
    tern_value list = tern_list_new(module->inner->ctx);
    if (list.kind != TERN_VALUE_LIST) return tern_none();
    return tern_walk_slots(module, 'p', true, put_listed, &list) ? list : tern_none();
}

static bool add_elements(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)key;
    (void)module;
    *(int64_t *)user += tern_numel(slot->tensor);
    return true;
}

int64_t tern_module_count_parameters(tern_module *module) {
    int64_t count = 0;
    tern_walk_slots(module, 'p', true, add_elements, &count);
    return count;
}

/* ---- modes and gradients --------------------------------------------------------------------- */

/* Recursions without names: they cannot fail, so a mode is set everywhere or nowhere. */
void tern_module_train(tern_module *module, bool training) {
    if (!tern_module_there(module, "tern_module_train")) return;
    module->inner->training = training;
    for (size_t i = 0; i < module->inner->n_children; i++)
        tern_module_train(module->inner->children[i].module, training);
}

void tern_module_eval(tern_module *module) {
    tern_module_train(module, false);
}

bool tern_module_is_training(const tern_module *module) {
    return tern_module_there(module, "tern_module_is_training") && module->inner->training;
}

void tern_module_apply(tern_module *module, void (*fn)(tern_module *module, void *user),
                       void *user) {
    if (!tern_module_there(module, "tern_module_apply") || !fn) return;
    for (size_t i = 0; i < module->inner->n_children; i++)
        tern_module_apply(module->inner->children[i].module, fn, user);
    fn(module, user);
}

static bool drop_grad(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)user;
    (void)key;
    (void)module;
    return tern_set_grad(slot->tensor, NULL) == TERN_OK;
}

/* The context's latched status after a walk. */
static tern_status after(tern_module *module, bool completed) {
    if (completed) return TERN_OK;
    return tern_fail(module->inner->ctx, TERN_ERR_INTERNAL, "%s: a walk over its parameters failed",
                     module->inner->name);
}

tern_status tern_module_zero_grad(tern_module *module) {
    if (!tern_module_there(module, "tern_module_zero_grad")) return tern_module_absent(module);
    return after(module, tern_walk_slots(module, 'p', true, drop_grad, NULL));
}

static bool set_required(void *user, const char *key, tern_slot *slot, tern_module *module) {
    (void)key;
    (void)module;
    return !tern_is_nil(tern_requires_grad(slot->tensor, *(const bool *)user));
}

tern_status tern_module_requires_grad(tern_module *module, bool requires_grad) {
    if (!tern_module_there(module, "tern_module_requires_grad")) return tern_module_absent(module);
    return after(module, tern_walk_slots(module, 'p', true, set_required, &requires_grad));
}
