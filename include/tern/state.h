/*
 * tern/state.h: more about states: loading what fits, editing the keys of a state dict, deep copies.
 *
 * A state dict is a value like any other (value.h): tern_module_state_dict makes one, tern_value_load reads
 * one. The functions here make new dicts in the open scope, which hold the same tensors, and leave the old dict
 * as it is. As in nn.h, a NULL argument or a value that is not a dict latches an error, and the result is none.
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
    TERN_LOAD_SKIP = 4u /* entries of another size, and those that are not tensors, are skipped */
};

/*
 * load_state_dict(state, strict=False): loads, and returns what did not fit as a dict in the open scope:
 *
 *     {"missing_keys": [names of the model that the state does not have],
 *      "unexpected_keys": [names of the state that the model does not have],
 *      "mismatched_keys": [(name, size in the state, size in the model)]}
 *
 * The first two lists are PyTorch's, in its order. An entry of another size is an error with PyTorch's text, as
 * in PyTorch. With TERN_LOAD_SKIP the model's tensor keeps its value instead, and the entry is in the third list
 * (for a value that is not a tensor, the size in the state is the name of its kind). An error changes nothing.
 * None after latching.
 */
TERN_API tern_value tern_module_load_state(tern_module *module, tern_value state, unsigned flags);

/* ---- editing keys ---------------------------------------------------------------------------- */

/*
 * `path` names an entry ("fc.weight"), or a module with everything below it ("fc"). A path that ends in a dot is
 * a prefix of keys ("module."). The versions in _metadata are edited like the keys.
 */

/* The state without the entries that the path names. */
TERN_API tern_value tern_state_remove(tern_ctx *ctx, tern_value state, const char *path);

/*
 * The state, where the keys that the path names begin with `to` instead of the path:
 *
 *     tern_state_rename(ctx, state, "module.", "")             consume_prefix_in_state_dict_if_present
 *     tern_state_rename(ctx, state, "backbone", "encoder")     "backbone.0.weight": "encoder.0.weight"
 *
 * It is an error if two entries would get the same name.
 */
TERN_API tern_value tern_state_rename(tern_ctx *ctx, tern_value state, const char *path,
                                      const char *to);

/* Only the entries below a module, under the names that they have inside it: what tern_module_load_state of that
 * module takes. */
TERN_API tern_value tern_state_below(tern_ctx *ctx, tern_value state, const char *path);

/* ---- deep copies (copy.deepcopy) ------------------------------------------------------------- */

/*
 * A copy of a value in the open scope, including its tensors. Tensors that share storage share it in the copy
 * too, and views stay views. Parameters require a gradient as before; gradients are not copied. A tensor with a
 * history is an error, as in PyTorch. None after latching; then nothing of the copy is left.
 */
TERN_API tern_value tern_value_copy(tern_ctx *ctx, tern_value value);

/*
 * A copy of a module in the open scope. The class makes it from the same arguments; then it gets the children,
 * parameters, buffers, values and modes that the module has now, including what was replaced, removed or tied.
 * What is tied stays tied in the copy. No random number is drawn. Gradients are not copied. Members of a struct
 * that are not fields, not registered and not set by init must be copied by the class (its `copied`). NULL after
 * latching; then nothing of the copy is left.
 */
TERN_API tern_module *tern_module_copy(tern_module *module);

/*
 * A copy of an optimizer of `module`, for the parameters of `copy`, which is a copy of that module. It has the same
 * options, groups and state; its parameters are those of `copy` with the same names. It is an error if the
 * optimizer has a parameter that is not the module's. NULL after latching; then nothing of the copy is left.
 *
 *     tern_module *best = tern_module_copy(model);
 *     tern_optim *best_adam = tern_optim_copy(adam, model, best);
 */
TERN_API tern_optim *tern_optim_copy(tern_optim *optim, tern_module *module, tern_module *copy);

#ifdef __cplusplus
}
#endif

#endif
