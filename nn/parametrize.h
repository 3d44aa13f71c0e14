/* parametrize.h: lists of parametrizations, PyTorch's ParametrizationList. */
#ifndef TERN_NN_PARAMETRIZE_H
#define TERN_NN_PARAMETRIZE_H

#include "module.h"
#include "tern/nn_utils.h"

/* The list of a parametrized tensor: module.parametrizations.NAME; NULL after latching. */
tern_module *tern_parametrizations_of(tern_module *module, const char *name);

/* What the list gives now. */
tern_tensor *tern_parametrizations_value(tern_module *list);

/*
 * Makes the tensor `name` of a module a parametrized one: its list begins with `first`, whose arguments are the
 * given originals (parameters; one is called "original", several "original0", "original1", ...). NULL after
 * latching; then nothing has changed.
 */
tern_module *tern_parametrize_with(tern_module *module, const char *name, tern_module *first,
                                   tern_tensor *const *originals, int n_originals);

/* The state dict, or one in which what torch.nn.utils.weight_norm called path.NAME_g and path.NAME_v has the keys
 * of today's two originals. */
tern_value tern_parametrizations_keys(tern_module *module, const char *name, const char *path,
                                      tern_value state);

/* The parameter that is to be parametrized or pruned; NULL after latching with the function's name. */
tern_tensor *tern_plain_parameter(tern_module *module, const char *name, const char *who);

#endif
