/*
 * image_classifier.c: a small convolutional network tells drawn shapes apart.
 *
 * The images are 12 x 12 with noise: a frame, a cross or a diagonal pair, at a random place. Training
 * goes in mini-batches; accuracy is measured on images that were not trained on.
 */
#include <stdio.h>

#include "tern/tern.h"

enum { SIDE = 12, SHAPE = 5, CLASSES = 3, TRAIN = 240, TEST = 90, BATCH = 24, EPOCHS = 8 };

typedef struct images {
    tern_tensor *pixels; /* [N, 1, SIDE, SIDE] float32 */
    tern_tensor *labels; /* [N] int64 */
} images;

/* True where a pixel of the SHAPE x SHAPE square belongs to the shape of a class. */
static bool is_inked(int64_t label, int row, int column) {
    int last = SHAPE - 1;
    if (label == 0) return row == 0 || row == last || column == 0 || column == last;
    if (label == 1) return row == last / 2 || column == last / 2;
    return row == column || row == last - column;
}

static images draw_images(tern_ctx *ctx, int count) {
    tern_generator *g = tern_default_generator(ctx);
    tern_tensor *noise =
        tern_mul_scalar(tern_rand(ctx, TERN_SHAPE(count, 1, SIDE, SIDE), NULL), 0.5);
    float ink[SIDE][SIDE];
    int64_t labels[TRAIN];
    for (int n = 0; n < count; n++) {
        labels[n] = n % CLASSES;
        int top = (int)(tern_generator_next_u32(g) % (SIDE - SHAPE));
        int left = (int)(tern_generator_next_u32(g) % (SIDE - SHAPE));
        for (int row = 0; row < SIDE; row++)
            for (int column = 0; column < SIDE; column++) {
                int r = row - top, c = column - left;
                bool inside = r >= 0 && r < SHAPE && c >= 0 && c < SHAPE;
                ink[row][column] = inside && is_inked(labels[n], r, c) ? 1 : 0;
            }
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *image = tern_from_data(ctx, ink, TERN_SHAPE(1, SIDE, SIDE), TERN_FLOAT32);
        tern_add_in_place(tern_select(noise, 0, n), image);
        tern_scope_end(scope);
    }
    return (images){noise, tern_from_data(ctx, labels, TERN_SHAPE(count), TERN_INT64)};
}

/* The share of images whose largest logit is the right one's. */
static double accuracy(tern_module *model, const images *test) {
    tern_scope scope = tern_scope_begin(tern_module_context(model), TERN_INFERENCE);
    tern_module_eval(model);
    tern_tensor *guesses = tern_argmax(tern_forward(model, test->pixels), 1, false);
    tern_tensor *right = tern_to_dtype(tern_eq(guesses, test->labels), TERN_FLOAT32);
    double share = tern_item(tern_mean(right));
    tern_scope_end(scope);
    return share;
}

static double train_epoch(tern_module *model, tern_optim *optimizer, const images *train) {
    tern_ctx *ctx = tern_module_context(model);
    tern_scope epoch = tern_scope_begin(ctx, 0);
    tern_tensor *order = tern_randperm(ctx, TRAIN, NULL);
    double total = 0;
    tern_module_train(model, true);
    for (int64_t start = 0; start < TRAIN && tern_check(ctx) == TERN_OK; start += BATCH) {
        tern_scope step = tern_scope_begin(ctx, 0);
        tern_tensor *batch = tern_slice(order, 0, start, start + BATCH, 1);
        tern_tensor *logits = tern_forward(model, tern_index_select(train->pixels, 0, batch));
        tern_tensor *wanted = tern_index_select(train->labels, 0, batch);
        tern_tensor *loss = tern_cross_entropy(logits, wanted, TERN_MEAN);
        tern_optim_zero_grad(optimizer);
        tern_backward(loss);
        tern_optim_step(optimizer);
        total += tern_item(loss) * BATCH / TRAIN;
        tern_scope_end(step);
    }
    tern_scope_end(epoch);
    return total;
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    images train = draw_images(ctx, TRAIN), test = draw_images(ctx, TEST);
    tern_module *model =
        tern_nn(ctx, "Sequential(Conv2d(1, 8, 3, padding=1), ReLU(), MaxPool2d(2), "
                     "Conv2d(8, 16, 3, padding=1), ReLU(), MaxPool2d(2), "
                     "Flatten(), Linear(144, 3))");
    tern_optim *optimizer = tern_optim_new(model, "AdamW(lr=0.01)");
    printf("%s\n", tern_module_repr_text(model));
    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        double loss = train_epoch(model, optimizer, &train);
        printf("epoch %d: loss %.4f, accuracy %.3f\n", epoch, loss, accuracy(model, &test));
    }
    if (tern_check(ctx)) fprintf(stderr, "image_classifier: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
