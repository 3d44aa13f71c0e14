/* classes.h: the classes of the built-in optimizers, one a kind. */
#ifndef TERN_OPTIM_CLASSES_H
#define TERN_OPTIM_CLASSES_H

#include "internal.h"

extern const tern_optim_class tern_sgd_class;       /* sgd.c */
extern const tern_optim_class tern_adam_class;      /* adam.c */
extern const tern_optim_class tern_adamw_class;     /* adam.c */
extern const tern_optim_class tern_rmsprop_class;   /* adaptive.c */
extern const tern_optim_class tern_adagrad_class;   /* adaptive.c */
extern const tern_optim_class tern_adadelta_class;  /* adaptive.c */
extern const tern_optim_class tern_adamax_class;    /* adam_variants.c */
extern const tern_optim_class tern_nadam_class;     /* adam_variants.c */
extern const tern_optim_class tern_radam_class;     /* adam_variants.c */
extern const tern_optim_class tern_asgd_class;      /* asgd_rprop.c */
extern const tern_optim_class tern_rprop_class;     /* asgd_rprop.c */
extern const tern_optim_class tern_adafactor_class; /* adafactor.c */
extern const tern_optim_class tern_muon_class;      /* muon.c */
extern const tern_optim_class tern_lbfgs_class;     /* lbfgs.c */

/* A typed constructor: options over the class's defaults (NULL), then params. */
tern_optim *tern_optim_of_class(tern_ctx *ctx, const tern_optim_class *cls, tern_value params,
                                const void *options);

#endif
