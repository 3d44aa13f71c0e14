/*
 * autoencoder.c: squeezes small pictures through two numbers and draws them again.
 *
 * The pictures are 6 x 6 with one row and one column filled: 36 of them, each described fully by
 * where its two lines are. The autoencoder is never told that; it learns to pass pictures through a
 * narrow middle (2 numbers) by being asked for its own input.
 */
#include <stdio.h>

#include "tern/tern.h"

enum { SIDE = 6, PIXELS = SIDE * SIDE, PICTURES = SIDE * SIDE, EPOCHS = 601 };

static tern_tensor *make_pictures(tern_ctx *ctx) {
    static float pixels[PICTURES][SIDE][SIDE];
    for (int p = 0; p < PICTURES; p++)
        for (int i = 0; i < SIDE; i++) pixels[p][p / SIDE][i] = pixels[p][i][p % SIDE] = 1;
    return tern_from_data(ctx, pixels, TERN_SHAPE(PICTURES, PIXELS), TERN_FLOAT32);
}

/* Two pictures of PIXELS numbers side by side; '#' is above a half. */
static void draw(tern_tensor *left, tern_tensor *right) {
    double a[PIXELS], b[PIXELS];
    if (tern_to_doubles(left, a, PIXELS) != TERN_OK || tern_to_doubles(right, b, PIXELS) != TERN_OK)
        return;
    for (int row = 0; row < SIDE; row++) {
        for (int i = 0; i < SIDE; i++) putchar(a[row * SIDE + i] > 0.5 ? '#' : '.');
        printf("   ");
        for (int i = 0; i < SIDE; i++) putchar(b[row * SIDE + i] > 0.5 ? '#' : '.');
        putchar('\n');
    }
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 1);
    tern_tensor *pictures = make_pictures(ctx);

    /* The halves are modules of their own, so that each can be used alone. */
    tern_module *encoder = tern_nn(ctx, "Sequential(Linear(36, 32), Tanh(), Linear(32, 2))");
    tern_module *decoder = tern_nn(ctx, "Sequential(Linear(2, 32), Tanh(), Linear(32, 36))");
    tern_module *model = TERN_SEQUENTIAL(ctx, encoder, decoder);
    tern_module *loss_fn = tern_nn_bce_with_logits_loss(ctx, NULL, NULL, TERN_MEAN);
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.02)");
    tern_sched *schedule = tern_sched_new(adam, "CosineAnnealingLR(T_max=601)");

    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        tern_scope step = tern_scope_begin(ctx, 0);
        tern_tensor *loss = tern_forward2(loss_fn, tern_forward(model, pictures), pictures);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        tern_sched_step(schedule);
        if (epoch % 200 == 0) printf("epoch %3d: loss %.4f\n", epoch, tern_item(loss));
        tern_scope_end(step);
    }

    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *codes = tern_forward(encoder, pictures);
    tern_tensor *drawn = tern_sigmoid(tern_forward(decoder, codes));
    for (int p = 8; p < PICTURES; p += 13) {
        printf("\npicture %d, its code %s\n", p, tern_repr_text(tern_select(codes, 0, p)));
        draw(tern_select(pictures, 0, p), tern_select(drawn, 0, p));
    }
    tern_scope_end(inference);

    if (tern_check(ctx)) fprintf(stderr, "autoencoder: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
