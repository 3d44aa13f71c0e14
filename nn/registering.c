/*
 * registering.c: what a module holds under which name: registering, replacing, removing and tying.
 *
 * A change that is refused changes nothing: all that can fail is done first. The struct of a module has
 * members of its own for what it registered, and its code looks there; so what takes the place of a tensor
 * or a child is written to the member that held the old one.
 */
#include <string.h>

#include "module.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* A name must be not empty, without a dot, and of nothing else; PyTorch's words. What is registered under
 * it as the same kind of thing is replaced: `slots` are that kind's, NULL for children. */
static bool check_name(tern_module *self, const char *what, const char *name,
                       const tern_slots *slots) {
    tern_module_inner *inner = self->inner;
    const char *cls = tern_module_name(self);
    if (tern_latched(inner->ctx)) return false;
    if (!name || !*name)
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: %s name can't be empty string \"\"", cls,
                  what);
    else if (strchr(name, '.'))
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: %s name can't contain \".\", got: %s", cls,
                  what, name);
    else if ((slots != &inner->parameters && tern_slot_find(&inner->parameters, name)) ||
             (slots != &inner->buffers && tern_slot_find(&inner->buffers, name)) ||
             (slots && tern_child_find(inner, name, strlen(name))))
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT,
                  "%s: attribute '%s' already exists and is not a %s: remove it first with "
                  "tern_module_remove",
                  cls, name, what);
    return !tern_latched(inner->ctx);
}

/* Room for one more item in the module's owner; arenas keep the smaller ones until the end. */
void *tern_module_grown(tern_module_inner *inner, void *items, size_t count, size_t *capacity,
                        size_t item_size) {
    if (count < *capacity) return items;
    size_t larger = *capacity ? *capacity * 2 : 4;
    tern_scope scope = tern_owner_begin(inner->owner, 0);
    void *copy = scope.serial ? tern_scope_alloc(inner->ctx, larger * item_size) : NULL;
    tern_scope_end(scope);
    if (!copy) return NULL;
    if (count) memcpy(copy, items, count * item_size);
    *capacity = larger;
    return copy;
}

const char *tern_module_own_text(tern_module_inner *inner, const char *name) {
    tern_scope scope = tern_owner_begin(inner->owner, 0);
    char *copy = scope.serial ? tern_scope_alloc(inner->ctx, strlen(name) + 1) : NULL;
    tern_scope_end(scope);
    return copy ? strcpy(copy, name) : NULL;
}

/* ---- members of the module's struct ---------------------------------------------------------- */

/* The member that is known of a name; NULL where none is. */
static void *member_of(const tern_module_inner *inner, const char *name) {
    for (size_t i = 0; i < inner->n_members; i++)
        if (strcmp(inner->members[i].name, name) == 0) return inner->members[i].at;
    return NULL;
}

/* The first word of the struct, from `offset` on, that is this pointer and not the member of another name; the
 * struct's size where none is. */
static size_t find_word(const tern_module *module, const char *name, const void *pointer,
                        size_t offset) {
    const tern_module_inner *inner = module->inner;
    size_t size = module->cls->instance_size;
    for (; size >= sizeof pointer && offset <= size - sizeof pointer; offset += sizeof pointer) {
        const char *word = (const char *)module + offset;
        if (memcmp(word, &pointer, sizeof pointer) != 0) continue;
        bool is_taken = false;
        for (size_t i = 0; i < inner->n_members && !is_taken; i++)
            is_taken = inner->members[i].at == word && strcmp(inner->members[i].name, name) != 0;
        if (!is_taken) return offset;
    }
    return size;
}

static bool add_member(tern_module_inner *inner, const char *name, void *at) {
    for (size_t i = 0; i < inner->n_members; i++) {
        if (strcmp(inner->members[i].name, name) != 0) continue;
        inner->members[i].at = at;
        return true;
    }
    tern_member *members = tern_module_grown(inner, inner->members, inner->n_members,
                                             &inner->members_capacity, sizeof *members);
    const char *copy = members ? tern_module_own_text(inner, name) : NULL;
    if (!copy) return false;
    inner->members = members;
    inner->members[inner->n_members++] = (tern_member){copy, at};
    return true;
}

/* Keeps in mind which member holds the pointer, before another takes its place: where that is NULL, it
 * could not be found again. False after latching. */
static bool learn_member(tern_module *self, const char *name, const void *pointer) {
    size_t size = self->cls->instance_size;
    if (!pointer || member_of(self->inner, name)) return true;
    size_t at = find_word(self, name, pointer, sizeof(tern_module));
    if (at == size || find_word(self, name, pointer, at + sizeof pointer) != size) return true;
    return add_member(self->inner, name, (char *)self + at);
}

/* Writes what replaces `old` to the member that is known, or to every word that holds `old`. */
static void move_member(tern_module *module, const char *name, const void *old, const void *fresh) {
    void *member = member_of(module->inner, name);
    if (member) memcpy(member, &fresh, sizeof fresh);
    if (member || !old) return;
    size_t at = sizeof(tern_module);
    while ((at = find_word(module, name, old, at)) < module->cls->instance_size)
        memcpy((char *)module + at, &fresh, sizeof fresh);
}

/* Another name of the same module that stands for the pointer too, its member unknown; else NULL. */
static const char *twin_of(const tern_module_inner *inner, const char *name, const void *pointer) {
    const tern_slots *both[] = {&inner->parameters, &inner->buffers};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k]->count; i++) {
            const tern_slot *other = &both[k]->items[i];
            if (other->tensor == pointer && strcmp(other->name, name) != 0 &&
                !member_of(inner, other->name))
                return other->name;
        }
    for (size_t i = 0; i < inner->n_children; i++) {
        const tern_child *other = &inner->children[i];
        if (other->module == pointer && strcmp(other->name, name) != 0 &&
            !member_of(inner, other->name))
            return other->name;
    }
    return NULL;
}

/* Finds out which member of the struct holds what is registered under the name, before another takes its
 * place. False, and a latched error, where several may. */
static bool is_replaceable(tern_module *self, const char *name, const void *pointer) {
    bool known = !pointer || member_of(self->inner, name);
    const char *twin = known ? NULL : twin_of(self->inner, name, pointer);
    if (!twin || find_word(self, name, pointer, sizeof(tern_module)) == self->cls->instance_size)
        return learn_member(self, name, pointer);
    tern_fail(self->inner->ctx, TERN_ERR_STATE,
              "%s: '%s' and '%s' are the same object: say which member of the struct holds which, "
              "with tern_module_member",
              tern_module_name(self), name, twin);
    return false;
}

bool tern_module_settle(tern_module *module, const tern_slot *slot) {
    return is_replaceable(module, slot->name, slot->tensor);
}

void tern_module_set_member(tern_module *module, const char *name, tern_tensor *tensor) {
    void *member = member_of(module->inner, name);
    if (member) memcpy(member, &tensor, sizeof tensor);
}

void tern_slot_replace(tern_module *module, tern_slot *slot, tern_tensor *tensor) {
    move_member(module, slot->name, slot->tensor, tensor);
    slot->tensor = tensor;
}

tern_status tern_module_member(tern_module *self, const char *name, void *member) {
    if (!tern_module_there(self, "tern_module_member")) return tern_module_absent(self);
    tern_module_inner *inner = self->inner;
    if (tern_latched(inner->ctx)) return tern_check(inner->ctx);
    if (!tern_argument_given(inner->ctx, "tern_module_member", "name", name) ||
        !tern_argument_given(inner->ctx, "tern_module_member", "member", member))
        return TERN_ERR_ARGUMENT;
    if (tern_slot_find(&inner->parameters, name) || tern_slot_find(&inner->buffers, name) ||
        tern_child_find(inner, name, strlen(name)))
        return add_member(inner, name, member) ? TERN_OK : tern_check(inner->ctx);
    return tern_fail(inner->ctx, TERN_ERR_NOT_FOUND, "%s has no parameter, buffer or child '%s'",
                     tern_module_name(self), name);
}

/* ---- parameters and buffers ------------------------------------------------------------------ */

/* The slot of a name, a new one where there is none. NULL after latching. */
static tern_slot *slot_for(tern_module *self, tern_slots *slots, const char *name) {
    tern_slot *slot = tern_slot_find(slots, name);
    if (slot) return is_replaceable(self, name, slot->tensor) ? slot : NULL;
    tern_slot *items = tern_module_grown(self->inner, slots->items, slots->count, &slots->capacity,
                                         sizeof *slots->items);
    const char *copy = items ? tern_module_own_text(self->inner, name) : NULL;
    if (!copy) return NULL;
    slots->items = items;
    slots->items[slots->count] = (tern_slot){.name = copy, .persistent = true};
    return &slots->items[slots->count];
}

/* Puts the tensor into the slot that slot_for gave, which counts from here on. */
static void fill_slot(tern_module *self, tern_slots *slots, tern_slot *slot, tern_tensor *tensor) {
    slots->count += slot == &slots->items[slots->count];
    tern_slot_replace(self, slot, tensor);
}

tern_tensor *tern_module_parameter(tern_module *self, const char *name, tern_tensor *tensor) {
    if (!tern_module_there(self, "tern_module_parameter"))
        return tern_nn_no_module(self, "tern_module_parameter", tensor);
    tern_slots *slots = &self->inner->parameters;
    tern_ctx *ctx = self->inner->ctx;
    if (tensor && tern_is_nil(tensor)) return tensor;
    if (!check_name(self, "parameter", name, slots)) return tern_nil(ctx);
    if (tensor && !tern_argument_tensor(ctx, "tern_module_parameter", tensor)) return tern_nil(ctx);
    if (tensor && !tern_is_leaf(tensor)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: cannot assign non-leaf Tensor to parameter '%s': model parameters have no "
                  "history, see tern_detach",
                  tern_module_name(self), name);
        return tern_nil(ctx);
    }
    tern_slot *slot = slot_for(self, slots, name);
    if (!slot) return tern_nil(ctx);
    if (tensor && tern_is_nil(tern_requires_grad(tensor, true))) return tern_nil(ctx);
    fill_slot(self, slots, slot, tensor);
    return tensor;
}

tern_tensor *tern_module_buffer(tern_module *self, const char *name, tern_tensor *tensor,
                                bool persistent) {
    if (!tern_module_there(self, "tern_module_buffer"))
        return tern_nn_no_module(self, "tern_module_buffer", tensor);
    tern_slots *slots = &self->inner->buffers;
    tern_ctx *ctx = self->inner->ctx;
    if (tensor && tern_is_nil(tensor)) return tensor;
    if (!check_name(self, "buffer", name, slots)) return tern_nil(ctx);
    if (tensor && !tern_argument_tensor(ctx, "tern_module_buffer", tensor)) return tern_nil(ctx);
    tern_slot *slot = slot_for(self, slots, name);
    if (!slot) return tern_nil(ctx);
    slot->persistent = persistent;
    fill_slot(self, slots, slot, tensor);
    return tensor;
}

/* ---- tying ----------------------------------------------------------------------------------- */

/* The holder of a parameter by its path and its slot; NULL after latching. */
static tern_slot *parameter_at(tern_module *module, const char *path, tern_module **out_holder) {
    const char *last;
    tern_module *holder = tern_module_holder(module, path, &last);
    tern_slot *slot = holder ? tern_slot_find(&holder->inner->parameters, last) : NULL;
    *out_holder = holder;
    if (!slot)
        tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND,
                  "tern_module_tie: %s has no parameter '%s'", tern_module_name(module), path);
    return slot;
}

static bool same_shape(const tern_tensor *a, const tern_tensor *b) {
    tern_shape x = tern_shape_of(a), y = tern_shape_of(b);
    return tern_shape_equal(&x, &y);
}

tern_status tern_module_tie(tern_module *module, const char *path, const char *other) {
    if (!tern_module_there(module, "tern_module_tie")) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    tern_module *holder, *source;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_given(ctx, "tern_module_tie", "path", path) ||
        !tern_argument_given(ctx, "tern_module_tie", "other", other))
        return TERN_ERR_ARGUMENT;
    tern_slot *slot = parameter_at(module, path, &holder);
    const tern_slot *from = slot ? parameter_at(module, other, &source) : NULL;
    if (!slot || !from || !is_replaceable(holder, slot->name, slot->tensor)) return tern_check(ctx);
    if (!from->tensor)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_module_tie: '%s' is None", other);
    if (slot->tensor && !same_shape(slot->tensor, from->tensor))
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "tern_module_tie: '%s' and '%s' have different shapes: replace one of them "
            "first with tern_module_parameter",
            path, other);
    tern_slot_replace(holder, slot, from->tensor);
    return TERN_OK;
}

/* Whether two parameters are one piece of memory, seen in one way. */
static bool is_same_memory(const tern_tensor *a, const tern_tensor *b) {
    if (!tern_shares_storage(a, b) || tern_dtype_of(a) != tern_dtype_of(b) || !same_shape(a, b) ||
        tern_storage_offset(a) != tern_storage_offset(b) || tern_numel(a) == 0)
        return false;
    for (int d = 0; d < tern_rank(a); d++)
        if (tern_stride(a, d) != tern_stride(b, d)) return false;
    return true;
}

/* The first parameter of the tree over this one's memory: itself, where there is no other. */
static tern_tensor *first_over(const tern_module *module, tern_tensor *tensor) {
    const tern_slots *slots = &module->inner->parameters;
    for (size_t i = 0; i < slots->count; i++) {
        tern_tensor *own = slots->items[i].tensor;
        if (own && (own == tensor || is_same_memory(own, tensor))) return own;
    }
    for (size_t i = 0; i < module->inner->n_children; i++) {
        tern_tensor *found = first_over(module->inner->children[i].module, tensor);
        if (found) return found;
    }
    return NULL;
}

/* Parameters that assign_state_dict put over the memory of another are tied as soon as one module has
 * both: one handle, so that there is one gradient. */
static void tie_shared(tern_module *root, tern_module *module) {
    tern_slots *slots = &module->inner->parameters;
    for (size_t i = 0; i < slots->count; i++) {
        tern_tensor *own = slots->items[i].tensor, *first = own ? first_over(root, own) : NULL;
        if (first && first != own) tern_slot_replace(module, &slots->items[i], first);
    }
    for (size_t i = 0; i < module->inner->n_children; i++)
        tie_shared(root, module->inner->children[i].module);
}

/* ---- children -------------------------------------------------------------------------------- */

/* The levels below a module; 0 for one without children. */
static int height_of(const tern_module *module) {
    int height = 0;
    for (size_t i = 0; i < module->inner->n_children; i++) {
        int below = 1 + height_of(module->inner->children[i].module);
        if (below > height) height = below;
    }
    return height;
}

static bool reaches(const tern_module *from, const tern_module *to) {
    if (from == to) return true;
    for (size_t i = 0; i < from->inner->n_children; i++)
        if (reaches(from->inner->children[i].module, to)) return true;
    return false;
}

static void push_down(tern_module *module, int level) {
    if (module->inner->level >= level) return;
    module->inner->level = level;
    for (size_t i = 0; i < module->inner->n_children; i++)
        push_down(module->inner->children[i].module, level + 1);
}

/* Latches and returns false for a module that cannot be a child of this one. */
static bool check_child(tern_module *self, const char *name, tern_module *child) {
    tern_ctx *ctx = self->inner->ctx;
    const char *cls = tern_module_name(self);
    if (!tern_module_there(child, "tern_module_child"))
        tern_fail(ctx, TERN_ERR_STATE, "%s: child '%s' is gone", cls, name);
    else if (child->inner->ctx != ctx)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: child '%s' belongs to another context", cls, name);
    else if (reaches(child, self))
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: child '%s' contains the module itself", cls, name);
    else if (self->inner->level + 1 + height_of(child) >= TERN_MODULE_DEPTH)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: with child '%s' the modules are nested deeper than %d", cls, name,
                  TERN_MODULE_DEPTH);
    return !tern_latched(ctx);
}

static bool add_child(tern_module_inner *inner, const char *name, tern_module *child) {
    tern_child *children = tern_module_grown(inner, inner->children, inner->n_children,
                                             &inner->children_capacity, sizeof *children);
    const char *copy = children ? tern_module_own_text(inner, name) : NULL;
    if (!copy) return false;
    inner->children = children;
    inner->children[inner->n_children++] = (tern_child){.name = copy, .module = child};
    return true;
}

tern_module *tern_module_child(tern_module *self, const char *name, tern_module *child) {
    if (!tern_module_there(self, "tern_module_child") || !check_name(self, "module", name, NULL))
        return NULL;
    tern_module_inner *inner = self->inner;
    if (!tern_argument_given(inner->ctx, "tern_module_child", "child", child) ||
        !check_child(self, name, child))
        return NULL;
    tern_child *own = tern_child_find(inner, name, strlen(name));
    if (own) {
        if (!is_replaceable(self, name, own->module)) return NULL;
        move_member(self, name, own->module, child);
        own->module = child;
    } else if (add_child(inner, name, child)) {
        move_member(self, name, NULL, child);
    } else {
        return NULL;
    }
    push_down(child, inner->level + 1);
    tie_shared(self, child);
    return child;
}

tern_module *tern_module_set(tern_module *module, const char *path, tern_module *child) {
    const char *last;
    if (!tern_module_there(module, "tern_module_set")) return NULL;
    if (!tern_argument_given(module->inner->ctx, "tern_module_set", "path", path)) return NULL;
    tern_module *holder = tern_module_holder(module, path, &last);
    if (holder) return tern_module_child(holder, last, child);
    tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND, "tern_module_set: %s has no submodule '%.*s'",
              tern_module_name(module), (int)(last - path - 1), path);
    return NULL;
}

/* ---- removing -------------------------------------------------------------------------------- */

static bool remove_slot(tern_module *holder, tern_slots *slots, const char *name) {
    tern_slot *slot = tern_slot_find(slots, name);
    if (!slot || !is_replaceable(holder, slot->name, slot->tensor)) return false;
    tern_slot_replace(holder, slot, NULL);
    size_t behind = (size_t)(slots->items + slots->count - slot) - 1;
    memmove(slot, slot + 1, behind * sizeof *slot);
    slots->count--;
    return true;
}

/* In a list the modules behind move up and take the numbers before theirs. */
static bool remove_child(tern_module *holder, const char *name) {
    tern_module_inner *inner = holder->inner;
    tern_child *child = tern_child_find(inner, name, strlen(name));
    if (!child || !is_replaceable(holder, name, child->module)) return false;
    move_member(holder, name, child->module, NULL);
    bool is_list = (holder->cls->flags & TERN_MODULE_LIST) != 0;
    for (; child + 1 < inner->children + inner->n_children; child++) {
        const char *number = child->name;
        *child = child[1];
        if (is_list) child->name = number;
    }
    inner->n_children--;
    return true;
}

tern_status tern_module_remove(tern_module *module, const char *path) {
    const char *last;
    if (!tern_module_there(module, "tern_module_remove")) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_given(ctx, "tern_module_remove", "path", path)) return TERN_ERR_ARGUMENT;
    tern_module *holder = tern_module_holder(module, path, &last);
    if (holder &&
        (remove_child(holder, last) || remove_slot(holder, &holder->inner->parameters, last) ||
         remove_slot(holder, &holder->inner->buffers, last)))
        return TERN_OK;
    if (tern_latched(ctx)) return tern_check(ctx);
    return tern_fail(ctx, TERN_ERR_NOT_FOUND, "%s has no parameter, buffer or child '%s'",
                     tern_module_name(module), path);
}
