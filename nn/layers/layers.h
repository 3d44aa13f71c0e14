/*
 * layers.h: the classes of the built-in modules, one a kind, and what their files share.
 */
#ifndef TERN_NN_LAYERS_H
#define TERN_NN_LAYERS_H

#include "../module.h"

/* ---- containers.c ---- */
extern const tern_module_class tern_sequential_class;
extern const tern_module_class tern_module_list_class;
extern const tern_module_class tern_module_dict_class;

/* ---- linear.c ---- */
extern const tern_module_class tern_linear_class;
extern const tern_module_class tern_identity_class;

/* ---- shape.c ---- */
extern const tern_module_class tern_flatten_class;
extern const tern_module_class tern_unflatten_class;

/* ---- activation.c ---- */
extern const tern_module_class tern_relu_class;
extern const tern_module_class tern_sigmoid_class;
extern const tern_module_class tern_tanh_class;
extern const tern_module_class tern_softmax_class;
extern const tern_module_class tern_log_softmax_class;
extern const tern_module_class tern_softmin_class;

/* ---- loss.c ---- */
extern const tern_module_class tern_l1_loss_class;
extern const tern_module_class tern_mse_loss_class;

#endif
