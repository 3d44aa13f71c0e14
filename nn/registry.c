/* registry.c: classes by name: the built-in ones and the program's own. */
#include <stdatomic.h>
#include <string.h>

#include "layers/layers.h"

static const tern_module_class *const builtin[] = {
    &tern_flatten_class,     &tern_identity_class,    &tern_l1_loss_class,
    &tern_linear_class,      &tern_log_softmax_class, &tern_mse_loss_class,
    &tern_module_dict_class, &tern_module_list_class, &tern_relu_class,
    &tern_sequential_class,  &tern_sigmoid_class,     &tern_softmax_class,
    &tern_softmin_class,     &tern_tanh_class,        &tern_unflatten_class,
};
#define BUILTIN_COUNT (sizeof builtin / sizeof builtin[0])

/* Slots fill from the front and are never emptied; a thread that loses the race for one tries the
 * next. */
#define MAX_REGISTERED 256
static _Atomic(const tern_module_class *) registered[MAX_REGISTERED];

const tern_module_class *tern_nn_class_at(size_t index) {
    if (index < BUILTIN_COUNT) return builtin[index];
    index -= BUILTIN_COUNT;
    return index < MAX_REGISTERED ? atomic_load(&registered[index]) : NULL;
}

static bool has_name(const tern_module_class *cls, const char *name, size_t length) {
    return tern_class_name_length(cls) == length && strncmp(cls->schema, name, length) == 0;
}

static const tern_module_class *find(const char *name, size_t length) {
    const tern_module_class *cls;
    for (size_t i = 0; (cls = tern_nn_class_at(i)) != NULL; i++)
        if (has_name(cls, name, length)) return cls;
    return NULL;
}

const tern_module_class *tern_nn_class(const char *name) {
    return find(name, strlen(name));
}

tern_status tern_nn_register(tern_ctx *ctx, const tern_module_class *cls) {
    if (cls->size < sizeof *cls || !cls->schema)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_nn_register: the class is incomplete: begin it with "
                         "TERN_MODULE_CLASS");
    size_t length = tern_class_name_length(cls);
    for (size_t i = 0; i < MAX_REGISTERED; i++) {
        const tern_module_class *known = find(cls->schema, length), *empty = NULL;
        if (known == cls) return TERN_OK;
        if (known)
            return tern_fail(ctx, TERN_ERR_ARGUMENT,
                             "tern_nn_register: there is a module named %.*s already", (int)length,
                             cls->schema);
        if (atomic_compare_exchange_strong(&registered[i], &empty, cls)) return TERN_OK;
    }
    return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "tern_nn_register: more than %d classes",
                     MAX_REGISTERED);
}
