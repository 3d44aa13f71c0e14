/* classes.c: the optimizers by name. */
#include "classes.h"

#include <string.h>

static const tern_optim_class *const classes[] = {
    &tern_asgd_class,    &tern_adadelta_class, &tern_adagrad_class, &tern_adam_class,
    &tern_adamw_class,   &tern_adamax_class,   &tern_nadam_class,   &tern_radam_class,
    &tern_rmsprop_class, &tern_rprop_class,    &tern_sgd_class,
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
