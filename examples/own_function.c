/*
 * own_function.c: a network of binary activations. sign() has the gradient 0 everywhere; the straight-through
 * estimator, a function with a backward of one's own, lets the gradient pass. Hooks look at what goes through
 * the model, forward and backward.
 */
#include <stdio.h>

#include "tern/tern.h"

static void sign_forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    tern_function_save(call, in[0]);
    out[0] = tern_sign(in[0]);
}

/* The gradient of the identity where |x| is at most 1. */
static void sign_backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    tern_tensor *x = tern_function_saved(call, 0);
    out[0] = tern_mul(grads[0], tern_le(tern_abs(x), tern_ones_like(x)));
}

static const tern_function sign_through = {
    .name = "SignThrough", .forward = sign_forward, .backward = sign_backward};

static tern_tensor *binary_forward(tern_module *self, tern_tensor *x) {
    (void)self;
    return tern_function_apply(&sign_through, x, NULL);
}

static const tern_module_class binary_class = {TERN_MODULE_CLASS("Binary()", tern_module),
                                               .forward = binary_forward};

/* What a step saw: the mean of the binary activations, the norm of what came back to them. */
typedef struct seen {
    double mean, norm;
} seen;

static tern_value look_forward(tern_module *module, tern_value args, tern_value output,
                               void *user) {
    (void)module;
    (void)args;
    ((seen *)user)->mean = tern_item(tern_mean(output.as.tensor));
    return tern_none();
}

static tern_value look_backward(tern_module *module, tern_value grad_input, tern_value grad_output,
                                void *user) {
    (void)module;
    (void)grad_input;
    tern_tensor *grad = tern_value_at(grad_output, 0).as.tensor;
    ((seen *)user)->norm = tern_item(tern_sqrt(tern_sum(tern_square(grad))));
    return tern_none();
}

/* Gradients of the first layer are kept small. */
static tern_tensor *limit(tern_tensor *grad, void *user) {
    return tern_clamp(grad, -*(double *)user, *(double *)user);
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 4);
    tern_nn_register(ctx, &binary_class);
    tern_module *model = tern_nn(ctx, "Sequential(Linear(2, 32), Binary(), Linear(32, 1))");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(64, 2), NULL);
    tern_tensor *y = tern_sign(tern_mul(tern_slice(x, 1, 0, 1, 1), tern_slice(x, 1, 1, 2, 1)));
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.02)");
    seen now = {0, 0};
    double most = 0.05;
    tern_module_forward_hook(tern_module_get(model, "1"), look_forward, &now);
    tern_module_backward_hook(tern_module_get(model, "1"), look_backward, &now);
    tern_tensor_hook(tern_module_tensor(model, "0.weight"), limit, &most);

    for (int step = 0; step <= 150; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *loss = tern_mse_loss(tern_forward(model, x), y, TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        if (step % 50 == 0)
            printf("step %3d: loss %.4f, mean %.4f, gradient %.4f\n", step, tern_item(loss),
                   now.mean, now.norm);
        tern_scope_end(scope);
    }

    if (tern_check(ctx)) fprintf(stderr, "own_function: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
