/*
 * tern/grad.h: gradients: leaves, backward, tern_grad, and checking gradients by finite
 * differences.
 *
 * A graph lives in the scope in which its operations ran and ends with it. A leaf's gradient lives
 * in the leaf's own scope.
 */
#ifndef TERN_GRAD_H
#define TERN_GRAD_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tensor.requires_grad_(): makes a leaf of a floating dtype accumulate a gradient, or stops it.
 * Returns the tensor. */
TERN_API tern_tensor *tern_requires_grad(tern_tensor *tensor, bool requires_grad);

/* Tensor.requires_grad, Tensor.is_leaf */
TERN_API bool tern_has_grad_required(const tern_tensor *tensor);

/* Tensor.is_leaf: made by you, not by a recorded operation. */
TERN_API bool tern_is_leaf(const tern_tensor *tensor);

/* Tensor.is_inference(): made inside a TERN_INFERENCE scope. */
TERN_API bool tern_is_inference(const tern_tensor *tensor);

/* Tensor.grad: NULL if there is none. Owned by the leaf; the handle stays the same from step to
 * step until the gradient is reset. */
TERN_API tern_tensor *tern_grad_of(const tern_tensor *tensor);

/* Sets Tensor.grad to a copy of `grad` (same shape, dtype and device), or removes it (NULL). */
TERN_API tern_status tern_set_grad(tern_tensor *tensor, tern_tensor *grad);

/* Tensor.retain_grad(): a non-leaf keeps its gradient too. */
TERN_API tern_status tern_retain_grad(tern_tensor *tensor);

/* Tensor.detach(): the same storage without history. */
TERN_API tern_tensor *tern_detach(tern_tensor *tensor);

/* The name of the graph node that produced a tensor ("MulBackward0"), in the open scope; "" for a
 * leaf. */
TERN_API const char *tern_grad_fn_name(const tern_tensor *tensor);

/* loss.backward(): loss has one element. Adds into the leaves' gradients, then frees the graph. */
TERN_API tern_status tern_backward(tern_tensor *loss);

enum {
    TERN_RETAIN_GRAPH = 1u,
    TERN_CREATE_GRAPH = 2u, /* the gradients have a history themselves; implies retain */
    TERN_ALLOW_UNUSED = 4u  /* tern_grad: an input that the outputs do not depend on gives NULL */
};

/* torch.autograd.backward(tensor, gradient): NULL stands for 1 if the tensor has one element. */
TERN_API tern_status tern_backward_with(tern_tensor *tensor, tern_tensor *gradient, unsigned flags);

/*
 * torch.autograd.grad(outputs, inputs, grad_outputs): does not touch any .grad. grad_outputs, or an
 * entry of it, may be NULL for an output with one element. Writes n_inputs tensors of the open
 * scope to `out_grads`.
 */
TERN_API tern_status tern_grad(tern_tensor *const *outputs, int n_outputs,
                               tern_tensor *const *inputs, int n_inputs,
                               tern_tensor *const *grad_outputs, unsigned flags,
                               tern_tensor **out_grads);

/* A function to check: n inputs to one tensor. */
typedef tern_tensor *(*tern_grad_fn)(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs,
                                     void *user);

/*
 * torch.autograd.gradcheck: compares the gradient of `fn` with central differences in float64.
 * Inputs are float64 leaves that require a gradient. PyTorch's defaults are eps 1e-6, atol 1e-5 and
 * rtol 1e-3. A mismatch is an error that names the input and the element.
 */
TERN_API tern_status tern_gradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user,
                                    tern_tensor *const *inputs, int n_inputs, double eps,
                                    double atol, double rtol);

/* torch.autograd.gradgradcheck: the same for the gradient's own gradient. */
TERN_API tern_status tern_gradgradcheck(tern_ctx *ctx, tern_grad_fn fn, void *user,
                                        tern_tensor *const *inputs, int n_inputs, double eps,
                                        double atol, double rtol);

#ifdef __cplusplus
}
#endif

#endif
