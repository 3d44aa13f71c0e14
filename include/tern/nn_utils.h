/*
 * tern/nn_utils.h: torch.nn.utils: parameters as one vector, parametrized weights (weight and spectral
 * norm), pruning, convolutions with their batch norm folded in. Clipping of gradients is in optim.h.
 *
 * A parametrized or pruned weight is computed anew before each forward of its module, of parameters and
 * buffers that have PyTorch's names, so that state dicts are PyTorch's. tern_module_tensor(module, "weight") gives
 * what it is now. An optimizer made before keeps stepping the same parameter, but for tern_weight_norm, which
 * makes two of it. What is refused changes nothing.
 */
#ifndef TERN_NN_UTILS_H
#define TERN_NN_UTILS_H

#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- vectors --------------------------------------------------------------------------------- */

/* parameters_to_vector(parameters): a list of tensors of one dtype and device, flattened one behind the other.
 * Differentiable. Nil after latching. */
TERN_API tern_tensor *tern_parameters_to_vector(tern_ctx *ctx, tern_value parameters);

/* vector_to_parameters(vector, parameters): the way back; the values are copied. A vector of another length
 * than the parameters together is an error. */
TERN_API tern_status tern_vector_to_parameters(tern_tensor *vector, tern_value parameters);

/* ---- parametrizations (torch.nn.utils.parametrize) ------------------------------------------- */

/*
 * register_parametrization(module, name, parametrization): module.weight becomes parametrization(weight),
 * where the parameter is called "parametrizations.weight.original" from then on. A second one is applied to what
 * the first gives. It must keep shape and dtype. The parametrization must live as long as the module
 * (tern_module_begin).
 */
TERN_API tern_status tern_parametrize(tern_module *module, const char *name,
                                      tern_module *parametrization);

/* is_parametrized(module, name) */
TERN_API bool tern_is_parametrized(const tern_module *module, const char *name);

/* remove_parametrizations(module, name, leave_parametrized): makes it a plain parameter again. It keeps the value
 * that the parametrizations gave it, or else gets the original one back, which is only possible where there is a
 * single original (not after tern_weight_norm). */
TERN_API tern_status tern_remove_parametrizations(tern_module *module, const char *name,
                                                  bool leave_parametrized);

/*
 * parametrizations.weight_norm(module, name, dim) (Salimans and Kingma 2016): w = g v / |v|, the norm over all
 * dimensions but `dim` (-1: over all). "original0" is g, "original1" v. State dicts of the older
 * torch.nn.utils.weight_norm, whose keys end in "weight_g" and "weight_v", are loaded too.
 */
TERN_API tern_status tern_weight_norm(tern_module *module, const char *name, int dim);

/*
 * parametrizations.spectral_norm(module, name) (Miyato et al. 2018): w / sigma(w), its greatest singular value by
 * power iteration, n_power_iterations in each forward of training mode. Draws from the context's generator. `dim`
 * is the dimension of the outputs: 0, but 1 for transposed convolutions (-1 chooses between them).
 */
TERN_API tern_status tern_spectral_norm(tern_module *module, const char *name,
                                        int64_t n_power_iterations, double eps, int dim);

/* ---- pruning (torch.nn.utils.prune) ----------------------------------------------------------
 * `amount` says how much of what is not masked yet: tern_float(0.3) a share, 0 to 1, whose count is rounded, half
 * to even; tern_int(3) a count, refused where fewer are left. PyTorch's methods for elements are called
 * unstructured there, those for whole slices structured. The random ones draw from the context's generator what
 * PyTorch draws, so that the same seed gives the same masks. */

/* custom_from_mask(module, name, mask): module.weight becomes weight_orig * weight_mask, where the mask is a
 * buffer. If the parameter is pruned already, its mask becomes the product of both masks. */
TERN_API tern_status tern_prune_mask(tern_module *module, const char *name, tern_tensor *mask);

/* l1_unstructured(module, name, amount): masks the elements with the smallest magnitudes; among equal ones the
 * first. */
TERN_API tern_status tern_prune_l1(tern_module *module, const char *name, tern_value amount);

/* random_unstructured(module, name, amount): masks elements at random. */
TERN_API tern_status tern_prune_random(tern_module *module, const char *name, tern_value amount);

/* ln_structured(module, name, amount, n, dim): masks the slices along `dim` with the smallest n-norms. The
 * weight has 2 dimensions or more. */
TERN_API tern_status tern_prune_ln(tern_module *module, const char *name, tern_value amount,
                                   double n, int dim);

/* random_structured(module, name, amount, dim): masks slices along `dim` at random. */
TERN_API tern_status tern_prune_random_structured(tern_module *module, const char *name,
                                                  tern_value amount, int dim);

/* A parameter by its module and name. */
typedef struct tern_prune_target {
    tern_module *module;
    const char *name;
} tern_prune_target;

/*
 * global_unstructured(parameters, L1Unstructured, amount=amount): masks the elements with the smallest magnitudes
 * of all these parameters together. They belong to modules of one context; none may be given twice. If memory
 * runs out, the first of them may be pruned already.
 */
TERN_API tern_status tern_prune_global_l1(const tern_prune_target *targets, size_t n_targets,
                                          tern_value amount);

/* global_unstructured(parameters, RandomUnstructured, amount=amount): masks elements of all of them at random. */
TERN_API tern_status tern_prune_global_random(const tern_prune_target *targets, size_t n_targets,
                                              tern_value amount);

/* prune.remove(module, name): makes it a plain parameter again, zero where it was masked. */
TERN_API tern_status tern_prune_remove(tern_module *module, const char *name);

/* prune.is_pruned(module): whether a parameter of the module, or of a module below it, is pruned. */
TERN_API bool tern_is_pruned(const tern_module *module);

/* ---- fusion ---------------------------------------------------------------------------------- */

/*
 * fuse_conv_bn_eval(conv, bn): a copy of the convolution, in the open scope, that computes what both do one
 * after the other in evaluation mode. conv is a Conv1d to Conv3d or ConvTranspose1d to ConvTranspose3d; bn has
 * running statistics. NULL after latching.
 */
TERN_API tern_module *tern_fuse_conv_bn_eval(tern_module *conv, tern_module *bn);

#ifdef __cplusplus
}
#endif

#endif
