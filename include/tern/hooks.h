/*
 * tern/hooks.h: functions that are called whenever a module runs, forward and backward (hooks of
 * torch.nn.Module), to look at what passes through it or to change it.
 *
 * A hook is made in the open scope and ends with it, with its module, or by tern_hook_remove: one that is to
 * live as long as the module is made between tern_module_begin and tern_scope_end. Hooks of one kind are
 * called in the order in which they were registered. Constructors return NULL after latching.
 *
 * Arguments are tuples of the positional arguments of the call, also where there is one. A hook returns none
 * to leave them as they are, or what takes their place: a tuple, or one value in place of a tuple of one.
 * Temporaries that it makes die when it returns.
 */
#ifndef TERN_HOOKS_H
#define TERN_HOOKS_H

#include "tern/function.h"
#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* register_forward_pre_hook: before the forward; may change its arguments. */
typedef tern_value (*tern_forward_pre_hook_fn)(tern_module *module, tern_value args, void *user);

/* register_forward_pre_hook(hook): `hook` is called before forward. */
TERN_API tern_hook *tern_module_forward_pre_hook(tern_module *module, tern_forward_pre_hook_fn hook,
                                                 void *user);

/* register_forward_hook: after the forward; may change its output, a tensor or a tuple. */
typedef tern_value (*tern_forward_hook_fn)(tern_module *module, tern_value args, tern_value output,
                                           void *user);

/* register_forward_hook(hook): `hook` is called after forward. */
TERN_API tern_hook *tern_module_forward_hook(tern_module *module, tern_forward_hook_fn hook,
                                             void *user);

/*
 * register_full_backward_hook: in a backward, once the gradients of the module's arguments are known. They
 * come with those of its output, as tuples: none for what is no tensor or needs no gradient, zeros for a
 * tensor of the output that nothing used. What it returns goes on in place of the arguments' gradients. Where no
 * argument needs a gradient (the first layer) it is called when the output's are known. For what is called
 * while gradients are recorded; the output's tensors must be the output itself, or stand in its tuple.
 */
typedef tern_value (*tern_backward_hook_fn)(tern_module *module, tern_value grad_input,
                                            tern_value grad_output, void *user);

/* register_full_backward_hook(hook): `hook` is called with the gradients of the module's
 * inputs and outputs. */
TERN_API tern_hook *tern_module_backward_hook(tern_module *module, tern_backward_hook_fn hook,
                                              void *user);

#ifdef __cplusplus
}
#endif

#endif
