/*
 * tern/hooks.h: functions that are called whenever a module runs, forward and backward (hooks of
 * torch.nn.Module), to look at what passes through it or to change it.
 *
 * A hook belongs to the open scope. It ends with that scope, with its module, or when tern_hook_remove is
 * called. To make one that lives as long as the module, register it between tern_module_begin and
 * tern_scope_end. Hooks of one kind are called in the order in which they were registered. Constructors return
 * NULL after latching.
 *
 * `args` is a tuple of the positional arguments of the call, even if there is only one. A hook returns none to
 * leave things as they are, or a replacement: a tuple, or a single value instead of a tuple of one. Tensors that
 * it makes otherwise are freed when it returns.
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
 * register_full_backward_hook: called in the backward pass, once the gradients of the module's arguments are
 * known. It gets two tuples, the gradients of the arguments and those of the output. An element is none if the
 * argument is not a tensor or needs no gradient, and zeros if nothing used that tensor of the output. What the
 * hook returns replaces the gradients of the arguments. If no argument needs a gradient (in the first layer), it
 * is called when the gradients of the output are known. Only calls that record gradients have a backward pass.
 * The output must be a tensor or a tuple of tensors: tensors in nested values are not seen.
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
