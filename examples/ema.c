/*
 * ema.c: a moving average of the weights. Steps of a large learning rate over noisy samples jump around the
 * minimum; the average of the weights is nearer to it.
 */
#include <stdio.h>

#include "tern/tern.h"

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 11);
    tern_module *model = tern_nn(ctx, "Linear(4, 1)");
    tern_tensor *truth = tern_randn(ctx, TERN_SHAPE(4, 1), NULL);
    tern_tensor *test_x = tern_randn(ctx, TERN_SHAPE(128, 4), NULL);
    tern_tensor *test_y = tern_matmul(test_x, truth);
    tern_module *average = tern_averaged_ema(model, 0.95, false);
    tern_optim *sgd = tern_optim_new(model, "SGD(lr=0.2)");

    for (int step = 1; step <= 200; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = tern_randn(ctx, TERN_SHAPE(8, 4), NULL);
        tern_tensor *noise = tern_randn(ctx, TERN_SHAPE(8, 1), NULL);
        tern_tensor *y = tern_add(tern_matmul(x, truth), noise);
        tern_tensor *loss = tern_mse_loss(tern_forward(model, x), y, TERN_MEAN);
        tern_optim_zero_grad(sgd);
        tern_backward(loss);
        tern_optim_step(sgd);
        tern_averaged_update(average, model);
        if (step % 50 == 0) {
            tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
            tern_tensor *own = tern_mse_loss(tern_forward(model, test_x), test_y, TERN_MEAN);
            tern_tensor *mean = tern_mse_loss(tern_forward(average, test_x), test_y, TERN_MEAN);
            printf("step %3d: test loss %.4f, of the average %.4f\n", step, tern_item(own),
                   tern_item(mean));
            tern_scope_end(inference);
        }
        tern_scope_end(scope);
    }

    if (tern_check(ctx)) fprintf(stderr, "ema: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
