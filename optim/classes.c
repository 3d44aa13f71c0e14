/* classes.c: the optimizers by name. */
#include "classes.h"

#include <string.h>

static const tern_optim_class *const classes[] = {
    &tern_asgd_class,    &tern_adadelta_class, &tern_adagrad_class, &tern_adam_class,
    &tern_adamw_class,   &tern_adamax_class,   &tern_nadam_class,   &tern_radam_class,
    &tern_rmsprop_class, &tern_rprop_class,    &tern_sgd_class,     &tern_adafactor_class,
    &tern_lbfgs_class,   &tern_muon_class,
};
/* Optimizers of PyTorch that there will not be, and what to use. */
static const struct {
    const char *name, *reason;
} left_out[] = {
    {"SparseAdam", "gradients are never sparse here, and Adam takes them as they are"},
};

#define CLASS_COUNT (sizeof classes / sizeof classes[0])

const tern_optim_class *tern_optim_class_of(const char *name) {
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (strcmp(classes[i]->name, name) == 0) return classes[i];
    return NULL;
}

const char *tern_optim_name_at(size_t index) {
    return index < CLASS_COUNT ? classes[index]->name : NULL;
}

void tern_optim_unknown(tern_ctx *ctx, const char *where, const char *kind, const char *name,
                        const char *(*name_at)(size_t index)) {
    const char *known;
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (strcmp(left_out[i].name, name) != 0) continue;
        tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: %s is not supported: %s", where, name,
                  left_out[i].reason);
        return;
    }
    tern_nearest nearest = tern_nearest_begin(name);
    for (size_t i = 0; (known = name_at(i)) != NULL; i++)
        tern_nearest_try(&nearest, known, strlen(known));
    if (nearest.name && strcmp(nearest.name, name) != 0)
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "%s: there is no %s '%.60s'; did you mean %s?", where,
                  kind, name, nearest.name);
    else
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "%s: there is no %s '%.60s' with these arguments", where,
                  kind, name);
}
