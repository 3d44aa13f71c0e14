/*
 * mlp_static.c: one small trained network, as an embedded program would have it: the reference
 * backend linked in, no text forms, no files. Fits y = x^2 on [-1, 1].
 *
 * Its stripped size under musl is limited by the test `size`; what it prints must be the same for
 * every compiler and CPU (the test matrix-training).
 */
#include <stdio.h>

#include "tern/tern.h"

int main(void) {
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_manual_seed(ctx, 42);
    tern_tensor *x = tern_unsqueeze(tern_linspace(ctx, -1, 1, 64), 1);
    tern_tensor *y = tern_mul(x, x);

    tern_module *model = TERN_SEQUENTIAL(ctx, tern_nn_linear(ctx, 1, 16, NULL), tern_nn_tanh(ctx),
                                         tern_nn_linear(ctx, 16, 1, NULL));
    tern_sgd_options options = TERN_SGD_OPTIONS;
    options.lr = 0.1;
    tern_optim *sgd = tern_sgd_new(ctx, tern_module_parameters(model), &options);

    double first = 0.0, last = 0.0;
    for (int epoch = 0; epoch <= 1000; epoch++) {
        tern_scope step = tern_scope_begin(ctx, 0);
        tern_tensor *loss = tern_mse_loss(tern_forward(model, x), y, TERN_MEAN);
        tern_optim_zero_grad(sgd);
        tern_backward(loss);
        tern_optim_step(sgd);
        last = tern_item(loss);
        if (epoch == 0) first = last;
        if (epoch % 100 == 0) printf("%4d %.17g\n", epoch, last);
        tern_scope_end(step);
    }
    if (tern_check(ctx)) fprintf(stderr, "%s\n", tern_error(ctx));
    bool failed = tern_close(ctx) != TERN_OK;
    return failed || !(last < first / 100.0);
}
