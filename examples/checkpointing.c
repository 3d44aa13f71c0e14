/*
 * checkpointing.c: activation checkpointing: a deep model trained with its activations kept, and with those of
 * each part computed again in the backward. Losses are the same, dropout included; the memory is not.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { BLOCKS = 12 };

static void train(int segments) {
    char text[1024] = "Sequential(Linear(8, 64)";
    for (int i = 0; i < BLOCKS; i++) strcat(text, ", Linear(64, 64), Tanh(), Dropout(0.1)");
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 2);
    tern_module *model = tern_nn(ctx, strcat(text, ", Linear(64, 1))"));
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(512, 8), NULL);
    tern_tensor *y = tern_sum_dims(x, TERN_SHAPE(1), true);
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.001)");
    uint64_t before = 0, peak = 0;

    for (int step = 0; step < 6; step++) {
        before = tern_stats_of(ctx).device_bytes;
        tern_reset_peak(ctx);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *output =
            segments ? tern_checkpoint_sequential(model, segments, x) : tern_forward(model, x);
        tern_tensor *loss = tern_mse_loss(output, y, TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        peak = tern_stats_of(ctx).device_bytes_peak - before;
        tern_optim_step(adam);
        if (step % 5 == 0) printf("  step %d: loss %.6f\n", step, tern_item(loss));
        tern_scope_end(scope);
    }
    printf("  peak of a step: %.1f MiB\n", (double)peak / 1048576);

    if (tern_check(ctx)) fprintf(stderr, "checkpointing: %s\n", tern_error(ctx));
    tern_close(ctx);
}

int main(void) {
    printf("all activations kept\n");
    train(0);
    printf("in 6 parts\n");
    train(6);
    return 0;
}
