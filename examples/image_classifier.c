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

static double accuracy(tern_module *model, const images *test) {
    tern_scope scope = tern_scope_begin(tern_module_context(model), TERN_INFERENCE);
    tern_module_eval(model);
    double share = tern_accuracy(tern_forward(model, test->pixels), test->labels);
    tern_scope_end(scope);
    return share;
}

static double train_epoch(tern_module *model, tern_optim *optimizer, tern_loader *loader) {
    double total = 0;
    tern_module_train(model, true);
    tern_loader_begin(loader); /* for pixels, labels in loader: */
    for (bool more = true; more;) {
        tern_scope step = tern_scope_begin(tern_module_context(model), 0);
        tern_tensor *batch[2];
        more = tern_loader_next(loader, batch);
        if (more) {
            tern_tensor *logits = tern_forward(model, batch[0]);
            tern_tensor *loss = tern_cross_entropy(logits, batch[1], TERN_MEAN);
            tern_optim_zero_grad(optimizer);
            tern_backward(loss);
            tern_optim_step(optimizer);
            total += tern_item(loss) * BATCH / TRAIN;
        }
        tern_scope_end(step);
    }
    return total;
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    images train = draw_images(ctx, TRAIN), test = draw_images(ctx, TEST);
    tern_tensor *both[] = {train.pixels, train.labels};
    tern_loader_options options = TERN_LOADER_OPTIONS;
    options.batch_size = BATCH;
    options.shuffle = true;
    tern_loader *loader = tern_loader_new(tern_tensor_dataset_new(ctx, both, 2), &options);
    tern_module *model =
        tern_nn(ctx, "Sequential(Conv2d(1, 8, 3, padding=1), ReLU(), MaxPool2d(2), "
                     "Conv2d(8, 16, 3, padding=1), ReLU(), MaxPool2d(2), "
                     "Flatten(), Linear(144, 3))");
    tern_optim *optimizer = tern_optim_new(model, "AdamW(lr=0.01)");
    printf("%s\n", tern_module_repr_text(model));
    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        double loss = train_epoch(model, optimizer, loader);
        printf("epoch %d: loss %.4f, accuracy %.3f\n", epoch, loss, accuracy(model, &test));
    }
    if (tern_check(ctx)) fprintf(stderr, "image_classifier: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
