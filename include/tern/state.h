/*
 * tern/state.h: more about states: loading what fits, editing the keys of a state dict, deep copies.
 *
 * A state dict is a value like any other (value.h): tern_module_state_dict makes one, tern_value_load reads
 * one. The functions here make new dicts of the open scope, whose tensors are those of the old one, and
 * leave the old one as it is. They take NULL and what is no dict as every function of nn.h does: an error
 * that is latched, and none.
 */
#ifndef TERN_STATE_H
#define TERN_STATE_H

#include "tern/nn.h"
#include "tern/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- loading what fits ----------------------------------------------------------------------- */

enum {
    TERN_LOAD_STRICT = 1u, /* missing and unexpected keys are errors */
    TERN_LOAD_ASSIGN = 2u, /* assign=True, as in tern_module_assign_state_dict */
    TERN_LOAD_SKIP = 4u    /* an entry of another size, or that is no tensor, is left out */
};

/*
 * load_state_dict(state, strict=False): loads, and tells what did not fit, in a dict of the open scope:
 *
 *     {"missing_keys": [names of the model that the state does not have],
 *      "unexpected_keys": [names of the state that the model does not have],
 *      "mismatched_keys": [(name, size in the state, size in the model)]}
 *
 * The first two are PyTorch's, in its order. An entry of another size is an error with PyTorch's text, as
 * there, but for TERN_LOAD_SKIP: then it keeps its value and is in the third list (with the name of its kind
 * as the size, where it is no tensor). An error changes nothing. None after latching.
 */
TERN_API tern_value tern_module_load_state(tern_module *module, tern_value state, unsigned flags);

/* ---- editing keys ---------------------------------------------------------------------------- */

/*
 * `path` names an entry ("fc.weight") or a module, which is everything below it ("fc"); one that ends in a
 * dot is a beginning that keys have ("module."). The versions in _metadata are edited with the keys.
 */

/* The state without what the path names; what it does not name stays. */
TERN_API tern_value tern_state_remove(tern_ctx *ctx, tern_value state, const char *path);

/*
 * The state with `to` in place of the path at the beginning of the keys that it names:
 *
 *     tern_state_rename(ctx, state, "module.", "")             consume_prefix_in_state_dict_if_present
 *     tern_state_rename(ctx, state, "backbone", "encoder")     "backbone.0.weight": "encoder.0.weight"
 *
 * Two entries that would get one name are an error.
 */
TERN_API tern_value tern_state_rename(tern_ctx *ctx, tern_value state, const char *path,
                                      const char *to);

/* The entries below a module alone, named as it names them: what tern_module_load_state of that module
 * takes. */
TERN_API tern_value tern_state_below(tern_ctx *ctx, tern_value state, const char *path);

/* ---- deep copies (copy.deepcopy) ------------------------------------------------------------- */

/*
 * A copy of a value in the open scope, down to its tensors, which are copied once: those that share storage
 * share the copy's, and views stay views. Parameters require a gradient as before; gradients are not copied. A
 * tensor with a history is an error, as in PyTorch. None after latching; then nothing of the copy is left.
 */
TERN_API tern_value tern_value_copy(tern_ctx *ctx, tern_value value);

/*
 * A copy of a module in the open scope: made by its class from the same arguments, and then given the
 * children, parameters and buffers, values and modes that the module has now, whatever was replaced, removed
 * or tied; what is tied stays tied in the copy. No random number is drawn. Gradients are not copied. Members
 * of a struct that are neither fields, nor registered, nor set by init are the class's to copy (its `copied`).
 * NULL after latching; then nothing of the copy is left.
 */
TERN_API tern_module *tern_module_copy(tern_module *module);

/*
 * A copy of an optimizer over the parameters of a module, for the module's copy: the same options, groups and
 * state, stepping the parameters of `copy` that have the names that its own have in `module`. A parameter
 * that is not the module's is an error. NULL after latching; then nothing of the copy is left.
 *
 *     tern_module *best = tern_module_copy(model);
 *     tern_optim *best_adam = tern_optim_copy(adam, model, best);
 */
TERN_API tern_optim *tern_optim_copy(tern_optim *optim, tern_module *module, tern_module *copy);

#ifdef __cplusplus
}
#endif

#endif
