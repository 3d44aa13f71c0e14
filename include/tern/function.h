/*
 * tern/function.h: your own gradients: functions with a forward and a backward (torch.autograd.Function), and
 * hooks on the gradient of a tensor (Tensor.register_hook).
 *
 *     static void forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
 *         out[0] = tern_exp(in[0]);
 *         tern_function_save(call, out[0]);
 *     }
 *     static void backward(tern_function_call *call, tern_tensor *const *grad, tern_tensor **out) {
 *         out[0] = tern_mul(grad[0], tern_function_saved(call, 0));
 *     }
 *     static const tern_function exponential = {.name = "Exponential", .forward = forward,
 *                                               .backward = backward};
 *
 *     tern_tensor *y = tern_function_apply(&exponential, x, NULL);
 */
#ifndef TERN_FUNCTION_H
#define TERN_FUNCTION_H

#include "tern/grad.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- own functions --------------------------------------------------------------------------- */

/* One call of a function, PyTorch's ctx: forward saves tensors in it, and backward reads them. Valid only until
 * the forward or backward that got it returns. */
typedef struct tern_function_call tern_function_call;

/* Describes a function. It is copied when it is applied. */
typedef struct tern_function {
    const char *name; /* "Exponential": its node is called ExponentialBackward0 */
    int n_outputs;    /* 0 stands for 1 */

    /*
     * Computes the outputs from the inputs; nothing is recorded meanwhile. It must not write to the inputs. It
     * may return an input as an output, which then becomes a view of it. To report an error, latch it with
     * tern_fail; outputs may then stay NULL.
     */
    void (*forward)(tern_function_call *call, tern_tensor *const *inputs, tern_tensor **outputs);

    /*
     * Computes the gradients of the inputs from those of the outputs; an output that got no gradient has zeros.
     * All elements of out_grads are NULL at first, which means zero; leave those of inputs that need no
     * gradient (tern_function_needs). With TERN_CREATE_GRAPH the operations in here are recorded, so that the
     * gradients can be differentiated again.
     */
    void (*backward)(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out_grads);
} tern_function;

/* Function.apply(inputs), with at most 512 inputs: writes the outputs to `out_outputs`, nil after latching. Both
 * functions can read `user` (tern_function_user); it must live as long as the graph, so allocate what it points
 * to with tern_graph_alloc. */
TERN_API tern_status tern_function_apply_all(const tern_function *function,
                                             tern_tensor *const *inputs, int n_inputs, void *user,
                                             tern_tensor **out_outputs);

/* The same for one input and one output. */
TERN_API tern_tensor *tern_function_apply(const tern_function *function, tern_tensor *input,
                                          void *user);

/* Zeroed memory for what `user` points to: it lives as long as the graph that is being recorded. NULL after
 * latching. */
TERN_API void *tern_graph_alloc(tern_ctx *ctx, size_t bytes);

/* In forward, ctx.save_for_backward(tensor): keeps an input, an output or any other tensor for the backward, at
 * most 16. If a saved tensor has been written to by then, the backward is an error. */
TERN_API tern_status tern_function_save(tern_function_call *call, tern_tensor *tensor);

/* In backward, ctx.saved_tensors[index], in the order in which they were saved; nil after latching. */
TERN_API tern_tensor *tern_function_saved(tern_function_call *call, int index);

/* ctx.needs_input_grad[index] */
TERN_API bool tern_function_needs(const tern_function_call *call, int index);

/* What the application was given. */
TERN_API void *tern_function_user(const tern_function_call *call);

/* The context of the call. */
TERN_API tern_ctx *tern_function_context(const tern_function_call *call);

/* How many inputs the call has. */
TERN_API int tern_function_input_count(const tern_function_call *call);

/* ---- hooks on gradients ---------------------------------------------------------------------- */

/* Gets the complete gradient of a tensor and returns its replacement, of the same shape; NULL leaves it as it
 * is. */
typedef tern_tensor *(*tern_grad_hook_fn)(tern_tensor *grad, void *user);

typedef struct tern_hook tern_hook;

/*
 * Tensor.register_hook(hook). The hook of a leaf is called in every backward, before the gradient is added to
 * .grad. That of another tensor is called in the backward of its graph, and counts only for operations that use
 * the tensor after the hook was registered. Hooks are called in the order in which they were registered. The
 * handle belongs to the open scope, and the hook ends with it: register the hook of a module's parameter after
 * tern_module_begin. A tensor that needs no gradient is an error. tern_retain_grad keeps the gradient from before
 * the hooks. NULL after latching.
 */
TERN_API tern_hook *tern_tensor_hook(tern_tensor *tensor, tern_grad_hook_fn hook, void *user);

/* handle.remove(): for hooks of tensors and of modules (tern/hooks.h). NULL is allowed. */
TERN_API void tern_hook_remove(tern_hook *hook);

/* For code that adds a kind of hook: makes a handle in the open scope. `remove` is called with `user` exactly
 * once, by tern_hook_remove or when the scope ends. NULL after latching; `remove` is then not called. */
TERN_API tern_hook *tern_hook_new(tern_ctx *ctx, void (*remove)(void *user), void *user);

#ifdef __cplusplus
}
#endif

#endif
