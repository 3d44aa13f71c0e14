/* module.c: making modules, registering what they hold, and calling them. */
#include "module.h"

#include <string.h>

bool tern_module_there(const tern_module *module, const char *who) {
    if (!module || !module->inner->gone) return module != NULL;
    tern_fail(module->inner->ctx, TERN_ERR_STATE,
              "%s: the module is gone, its scope has ended: make it in the scope that uses it",
              who);
    return false;
}

tern_status tern_module_absent(const tern_module *module) {
    return module ? tern_check(module->inner->ctx) : TERN_ERR_ARGUMENT;
}

tern_tensor *tern_nn_no_module(const tern_module *module, const char *who, tern_tensor *tensor) {
    if (module) return tern_nil(module->inner->ctx);
    if (!tensor) return NULL;
    tern_argument_given(tern_context_of(tensor), who, "the module", NULL);
    return tern_nil(tern_context_of(tensor));
}

size_t tern_class_name_length(const tern_module_class *cls) {
    return strcspn(cls->schema, "( ");
}

/* ---- making ---------------------------------------------------------------------------------- */

static void copy_fields(const tern_field *fields, void *out_object, const void *config) {
    static const size_t sizes[] = {
        [TERN_FIELD_INT] = sizeof(int64_t),
        [TERN_FIELD_BOOL] = sizeof(bool),
        [TERN_FIELD_FLOAT] = sizeof(double),
        [TERN_FIELD_TEXT] = sizeof(const char *),
        [TERN_FIELD_DTYPE] = sizeof(tern_dtype),
        [TERN_FIELD_SHAPE] = sizeof(tern_shape),
        [TERN_FIELD_REDUCTION] = sizeof(tern_reduction),
        [TERN_FIELD_OPTIONAL_INT] = sizeof(tern_optional_int),
        [TERN_FIELD_OPTIONAL_FLOAT] = sizeof(tern_optional_float),
        [TERN_FIELD_OPTIONAL_BOOL] = sizeof(tern_optional_bool),
        [TERN_FIELD_PAIR] = sizeof(tern_pair),
        [TERN_FIELD_OPTIONAL_PAIR] = sizeof(tern_optional_pair),
        [TERN_FIELD_TRIPLE] = sizeof(tern_triple),
        [TERN_FIELD_INT_LIST] = sizeof(tern_int_list),
        [TERN_FIELD_FLOAT_LIST] = sizeof(tern_float_list),
        [TERN_FIELD_TENSOR] = sizeof(tern_tensor *),
        [TERN_FIELD_GENERATOR] = sizeof(tern_generator *),
        [TERN_FIELD_VALUE] = sizeof(tern_value),
    };
    for (const tern_field *field = fields; field && field->name; field++)
        memcpy((char *)out_object + field->offset, (const char *)config + field->offset,
               sizes[field->type]);
}

/* The mark of a module that is gone, and nothing left to walk over. */
static void end_module(void *arg) {
    tern_module_inner *inner = arg;
    *inner = (tern_module_inner){.ctx = inner->ctx, .gone = true, .name = ""};
}

/* The struct of the class, and in front of it what the library keeps. */
static tern_module *module_new(tern_ctx *ctx, const tern_module_class *cls) {
    size_t before = (sizeof(tern_module_inner) + 15) & ~(size_t)15;
    uint64_t bytes;
    if (!tern_size_add(before, cls->instance_size, &bytes)) bytes = SIZE_MAX;
    tern_module_inner *inner =
        tern_scope_alloc_lasting(ctx, (size_t)bytes, before + sizeof(tern_module));
    if (!inner) return NULL;
    inner->ctx = ctx;
    if (tern_defer(ctx, end_module, inner) != TERN_OK) return NULL;
    tern_module *module = (tern_module *)(void *)((char *)inner + before);
    module->cls = cls;
    module->inner = inner;
    return module;
}

/* With the owner's scope open. */
static tern_module *build(tern_ctx *ctx, tern_owner *owner, const tern_module_class *cls,
                          const void *config) {
    tern_module *module = module_new(ctx, cls);
    size_t length = tern_class_name_length(cls);
    char *name = tern_scope_alloc(ctx, length + 1);
    if (!module || !name) return NULL;
    memcpy(name, cls->schema, length);
    tern_module_inner *inner = module->inner;
    inner->owner = owner;
    inner->name = name;
    inner->training = true;
    if (config) {
        copy_fields(cls->fields, module, config);
        if (!tern_fields_own(ctx, cls->fields, module)) return NULL;
    }
    tern_status status = cls->init ? cls->init(module) : TERN_OK;
    if (status != TERN_OK)
        tern_fail(ctx, status, "%s: its init failed with '%s'", tern_module_name(module),
                  tern_status_name(status));
    return tern_latched(ctx) ? NULL : module;
}

tern_module *tern_module_new(tern_ctx *ctx, const tern_module_class *cls, const void *config) {
    if (tern_latched(ctx) || !tern_argument_given(ctx, "tern_module_new", "cls", cls)) return NULL;
    if (cls->size < sizeof *cls || cls->instance_size < sizeof(tern_module) || !cls->schema) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "tern_module_new: the class is incomplete: begin it with TERN_MODULE_CLASS");
        return NULL;
    }
    tern_owner *owner = tern_owner_new(ctx);
    if (!owner) return NULL;
    tern_scope scope = tern_owner_begin(owner, 0);
    tern_module *module = scope.serial ? build(ctx, owner, cls, config) : NULL;
    tern_scope_end(scope);
    const tern_field *device = tern_field_find(cls->fields, "device");
    if (module && device && device->type == TERN_FIELD_TEXT) {
        const char *name = *(const char *const *)((const char *)module + device->offset);
        if (name && tern_module_to(module, name) != TERN_OK) module = NULL;
    }
    if (!module) tern_owner_free(owner);
    return module;
}

void tern_module_free(tern_module *module) {
    if (tern_module_there(module, "tern_module_free")) tern_owner_free(module->inner->owner);
}

/* ---- registering ----------------------------------------------------------------------------- */

tern_scope tern_module_begin(tern_module *self) {
    bool there = tern_module_there(self, "tern_module_begin");
    return tern_owner_begin(there ? self->inner->owner : NULL, 0);
}

static const tern_slot *find_slot(const tern_slots *slots, const char *name) {
    for (size_t i = 0; i < slots->count; i++)
        if (strcmp(slots->items[i].name, name) == 0) return &slots->items[i];
    return NULL;
}

static const tern_child *find_child(const tern_module_inner *inner, const char *name,
                                    size_t length) {
    for (size_t i = 0; i < inner->n_children; i++)
        if (strncmp(inner->children[i].name, name, length) == 0 &&
            inner->children[i].name[length] == '\0')
            return &inner->children[i];
    return NULL;
}

/* A name must be new, not empty and without a dot; PyTorch's words. */
static bool check_name(tern_module *self, const char *what, const char *name) {
    tern_module_inner *inner = self->inner;
    const char *cls = tern_module_name(self);
    if (!name || !*name)
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: %s name can't be empty string \"\"", cls,
                  what);
    else if (strchr(name, '.'))
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: %s name can't contain \".\", got: %s", cls,
                  what, name);
    else if (find_slot(&inner->parameters, name) || find_slot(&inner->buffers, name) ||
             find_child(inner, name, strlen(name)))
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: attribute '%s' already exists", cls, name);
    return !tern_latched(inner->ctx);
}

/* Room for one more item in the module's owner; arenas keep the smaller ones until the end. */
static void *grown(tern_module_inner *inner, void *items, size_t count, size_t *capacity,
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

static const char *own_name(tern_module_inner *inner, const char *name) {
    tern_scope scope = tern_owner_begin(inner->owner, 0);
    char *copy = scope.serial ? tern_scope_alloc(inner->ctx, strlen(name) + 1) : NULL;
    tern_scope_end(scope);
    return copy ? strcpy(copy, name) : NULL;
}

static bool add_slot(tern_module_inner *inner, tern_slots *slots, const char *name,
                     tern_tensor *tensor, bool persistent) {
    tern_slot *items =
        grown(inner, slots->items, slots->count, &slots->capacity, sizeof *slots->items);
    const char *copy = items ? own_name(inner, name) : NULL;
    if (!copy) return false;
    slots->items = items;
    slots->items[slots->count++] = (tern_slot){copy, tensor, persistent};
    return true;
}

tern_tensor *tern_module_parameter(tern_module *self, const char *name, tern_tensor *tensor) {
    if (!tern_module_there(self, "tern_module_parameter"))
        return tern_nn_no_module(self, "tern_module_parameter", tensor);
    tern_module_inner *inner = self->inner;
    tern_ctx *ctx = inner->ctx;
    if (tensor && tern_is_nil(tensor)) return tensor;
    if (!check_name(self, "parameter", name)) return tern_nil(ctx);
    if (tensor && !tern_argument_tensor(ctx, "tern_module_parameter", tensor)) return tern_nil(ctx);
    if (tensor && !tern_is_leaf(tensor)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: cannot assign non-leaf Tensor to parameter '%s': model parameters have no "
                  "history, see tern_detach",
                  tern_module_name(self), name);
        return tern_nil(ctx);
    }
    if (tensor && tern_is_nil(tern_requires_grad(tensor, true))) return tern_nil(ctx);
    if (!add_slot(inner, &inner->parameters, name, tensor, true)) return tern_nil(ctx);
    return tensor;
}

tern_tensor *tern_module_buffer(tern_module *self, const char *name, tern_tensor *tensor,
                                bool persistent) {
    if (!tern_module_there(self, "tern_module_buffer"))
        return tern_nn_no_module(self, "tern_module_buffer", tensor);
    tern_ctx *ctx = self->inner->ctx;
    if (tensor && tern_is_nil(tensor)) return tensor;
    if (!check_name(self, "buffer", name)) return tern_nil(ctx);
    if (tensor && !tern_argument_tensor(ctx, "tern_module_buffer", tensor)) return tern_nil(ctx);
    if (!add_slot(self->inner, &self->inner->buffers, name, tensor, persistent))
        return tern_nil(ctx);
    return tensor;
}

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

tern_module *tern_module_child(tern_module *self, const char *name, tern_module *child) {
    if (!tern_module_there(self, "tern_module_child") || !check_name(self, "module", name))
        return NULL;
    tern_module_inner *inner = self->inner;
    if (!tern_argument_given(inner->ctx, "tern_module_child", "child", child)) return NULL;
    if (!tern_module_there(child, "tern_module_child")) {
        tern_fail(inner->ctx, TERN_ERR_STATE, "%s: child '%s' is gone", tern_module_name(self),
                  name);
        return NULL;
    }
    if (child->inner->ctx != inner->ctx) {
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: child '%s' belongs to another context",
                  tern_module_name(self), name);
        return NULL;
    }
    if (reaches(child, self)) {
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT, "%s: child '%s' contains the module itself",
                  tern_module_name(self), name);
        return NULL;
    }
    if (inner->level + 1 + height_of(child) >= TERN_MODULE_DEPTH) {
        tern_fail(inner->ctx, TERN_ERR_ARGUMENT,
                  "%s: with child '%s' the modules are nested deeper than %d",
                  tern_module_name(self), name, TERN_MODULE_DEPTH);
        return NULL;
    }
    tern_child *children = grown(inner, inner->children, inner->n_children,
                                 &inner->children_capacity, sizeof *children);
    const char *copy = children ? own_name(inner, name) : NULL;
    if (!copy) return NULL;
    inner->children = children;
    inner->children[inner->n_children++] = (tern_child){copy, child};
    push_down(child, inner->level + 1);
    return child;
}

/* ---- looking --------------------------------------------------------------------------------- */

const char *tern_module_name(const tern_module *module) {
    return tern_module_there(module, "tern_module_name") ? module->inner->name : "";
}

tern_ctx *tern_module_context(const tern_module *module) {
    return tern_module_there(module, "tern_module_context") ? module->inner->ctx : NULL;
}

tern_module *tern_module_child_at(const tern_module *module, size_t index, const char **out_name) {
    if (out_name) *out_name = "";
    if (!tern_module_there(module, "tern_module_child_at") || index >= module->inner->n_children)
        return NULL;
    if (out_name) *out_name = module->inner->children[index].name;
    return module->inner->children[index].module;
}

/* Follows all names of a path but the last; *out_last is that one. */
static tern_module *descend(tern_module *module, const char *path, const char **out_last) {
    const char *dot;
    while (module && (dot = strchr(path, '.')) != NULL) {
        const tern_child *child = find_child(module->inner, path, (size_t)(dot - path));
        module = child ? child->module : NULL;
        path = dot + 1;
    }
    *out_last = path;
    return module;
}

tern_module *tern_module_get(tern_module *module, const char *path) {
    if (!tern_module_there(module, "tern_module_get")) return NULL;
    if (!tern_argument_given(module->inner->ctx, "tern_module_get", "path", path)) return NULL;
    if (!*path) return module;
    const char *last;
    tern_module *holder = descend(module, path, &last);
    const tern_child *child = holder ? find_child(holder->inner, last, strlen(last)) : NULL;
    if (child) return child->module;
    tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND, "%s has no submodule '%s'",
              tern_module_name(module), path);
    return NULL;
}

tern_tensor *tern_module_tensor(tern_module *module, const char *path) {
    if (!tern_module_there(module, "tern_module_tensor")) return NULL;
    if (!tern_argument_given(module->inner->ctx, "tern_module_tensor", "path", path))
        return tern_nil(module->inner->ctx);
    const char *last;
    tern_module *holder = descend(module, path, &last);
    const tern_slot *slot = holder ? find_slot(&holder->inner->parameters, last) : NULL;
    if (holder && !slot) slot = find_slot(&holder->inner->buffers, last);
    if (slot && slot->tensor) return slot->tensor;
    tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND, "%s has no parameter or buffer '%s'",
              tern_module_name(module), path);
    return tern_nil(module->inner->ctx);
}

tern_value tern_module_argument(const tern_module *module, const char *name) {
    bool there = tern_module_there(module, "tern_module_argument");
    const tern_field *field = there ? tern_field_find(module->cls->fields, name) : NULL;
    return field ? tern_field_get(module->inner->ctx, field, module) : tern_none();
}
