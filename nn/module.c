/* module.c: making modules and looking at what they hold. */
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

tern_scope tern_module_begin(tern_module *self) {
    bool there = tern_module_there(self, "tern_module_begin");
    return tern_owner_begin(there ? self->inner->owner : NULL, 0);
}

void tern_module_free(tern_module *module) {
    if (tern_module_there(module, "tern_module_free")) tern_owner_free(module->inner->owner);
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

tern_slot *tern_slot_find(const tern_slots *slots, const char *name) {
    for (size_t i = 0; i < slots->count; i++)
        if (strcmp(slots->items[i].name, name) == 0) return &slots->items[i];
    return NULL;
}

tern_child *tern_child_find(const tern_module_inner *inner, const char *name, size_t length) {
    for (size_t i = 0; i < inner->n_children; i++)
        if (strncmp(inner->children[i].name, name, length) == 0 &&
            inner->children[i].name[length] == '\0')
            return &inner->children[i];
    return NULL;
}

tern_module *tern_module_holder(tern_module *module, const char *path, const char **out_last) {
    const char *dot;
    while (module && (dot = strchr(path, '.')) != NULL) {
        const tern_child *child = tern_child_find(module->inner, path, (size_t)(dot - path));
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
    tern_module *holder = tern_module_holder(module, path, &last);
    const tern_child *child = holder ? tern_child_find(holder->inner, last, strlen(last)) : NULL;
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
    tern_module *holder = tern_module_holder(module, path, &last);
    const tern_slot *slot = holder ? tern_slot_find(&holder->inner->parameters, last) : NULL;
    if (holder && !slot) slot = tern_slot_find(&holder->inner->buffers, last);
    if (slot && slot->tensor) return slot->tensor;
    const tern_computed *computed = holder ? tern_computed_find(holder->inner, last) : NULL;
    if (computed) return holder->inner->computing->value(holder, computed);
    tern_fail(module->inner->ctx, TERN_ERR_NOT_FOUND, "%s has no parameter or buffer '%s'",
              tern_module_name(module), path);
    return tern_nil(module->inner->ctx);
}

tern_value tern_module_argument(const tern_module *module, const char *name) {
    bool there = tern_module_there(module, "tern_module_argument");
    const tern_field *field = there ? tern_field_find(module->cls->fields, name) : NULL;
    return field ? tern_field_get(module->inner->ctx, field, module) : tern_none();
}
