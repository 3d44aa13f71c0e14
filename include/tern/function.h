/*
 * tern/function.h: gradients of one's own: functions with a forward and a backward
 * (torch.autograd.Function), and hooks on the gradient of a tensor (Tensor.register_hook).
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

/* One application: in forward what is to be saved, in backward what was. It is there until the function
 * that got it returns. */
typedef struct tern_function_call tern_function_call;

/* What an application is made of, which copies it. */
typedef struct tern_function {
    const char *name; /* "Exponential": its node is called ExponentialBackward0 */
    int n_outputs;    /* 0 stands for 1 */

    /*
     * The outputs from the inputs, without recording. An output that is an input is handed on as a view of
     * it; inputs are not to be written to. An error is latched (tern_fail), and outputs may then stay NULL.
     */
    void (*forward)(tern_function_call *call, tern_tensor *const *inputs, tern_tensor **outputs);

    /*
     * The gradients of the inputs from those of the outputs, zeros where an output has none. out_grads is
     * NULL, which is zero, for every input; one that needs no gradient (tern_function_needs) may stay so.
     * What is computed of operations is recorded where TERN_CREATE_GRAPH asks for it, and can be
     * differentiated again.
     */
    void (*backward)(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out_grads);
} tern_function;

/* Function.apply(inputs), up to 512 of them: the outputs go to `out_outputs`, nil after latching. `user` is
 * handed to both functions and must live as long as the graph (tern_graph_alloc). */
TERN_API tern_status tern_function_apply_all(const tern_function *function,
                                             tern_tensor *const *inputs, int n_inputs, void *user,
                                             tern_tensor **out_outputs);

/* The same for one input and one output. */
TERN_API tern_tensor *tern_function_apply(const tern_function *function, tern_tensor *input,
                                          void *user);

/* Zeroed memory that lives as long as the graphs that are recorded now: for what `user` points to. NULL after
 * latching. */
TERN_API void *tern_graph_alloc(tern_ctx *ctx, size_t bytes);

/* In forward, ctx.save_for_backward(tensor): an input, an output or anything else, up to 16 tensors. The
 * graph keeps its storage until the backward, and refuses one that was written to meanwhile. */
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

/* Gets the gradient of a tensor when it is complete, and returns what takes its place: itself, or one of the
 * same shape. NULL leaves it. */
typedef tern_tensor *(*tern_grad_hook_fn)(tern_tensor *grad, void *user);

typedef struct tern_hook tern_hook;

/*
 * Tensor.register_hook(hook): of a leaf, it is called at every backward, before the gradient is added to
 * .grad; of another tensor, at the backward of its graph, for what uses the tensor from now on. Several are
 * called in the order in which they were registered. The handle lives in the open scope, and the hook no
 * longer than it: a hook of a module's parameter is made with tern_module_begin. A tensor that needs no
 * gradient is an error. Where the gradient is retained too (tern_retain_grad), that is the one before the
 * hooks. NULL after latching.
 */
TERN_API tern_hook *tern_tensor_hook(tern_tensor *tensor, tern_grad_hook_fn hook, void *user);

/* handle.remove() of any hook (hooks of modules are in tern/hooks.h). NULL is fine. */
TERN_API void tern_hook_remove(tern_hook *hook);

/* For who adds a kind of hook: a handle in the open scope. `remove` is called with `user` once, by
 * tern_hook_remove or when the scope ends. NULL after latching; then it was not called. */
TERN_API tern_hook *tern_hook_new(tern_ctx *ctx, void (*remove)(void *user), void *user);

#ifdef __cplusplus
}
#endif

#endif
