/*
 * regression_csv.c: predicts a price from the columns of a CSV file.
 *
 *     regression_csv FILE.csv         the last column is learned from the others
 *
 * Shows columns as tensors, standardising them, a loader of shuffled mini-batches and Adam.
 */
#include <stdio.h>

#include "tern/tern.h"

enum { MOST_COLUMNS = 64, EPOCHS = 60 };

/* What a column lost to have mean 0 and deviation 1, which undoes it. */
typedef struct scale {
    tern_tensor *mean, *deviation;
} scale;

static tern_tensor *standardise(tern_tensor *x, scale *out_scale) {
    out_scale->mean = tern_mean_dims(x, TERN_SHAPE(0), true);
    tern_tensor *centred = tern_sub(x, out_scale->mean);
    out_scale->deviation = tern_sqrt(tern_mean_dims(tern_square(centred), TERN_SHAPE(0), true));
    return tern_div(centred, out_scale->deviation);
}

/* The first `count` columns from `first` on, float32 [rows, count]. */
static tern_tensor *columns(tern_csv *csv, int first, int count) {
    const char *names[MOST_COLUMNS];
    for (int i = 0; i < count && i < MOST_COLUMNS; i++) names[i] = tern_csv_name(csv, first + i);
    return tern_csv_numbers(csv, names, count < MOST_COLUMNS ? count : MOST_COLUMNS);
}

/* One pass over the samples in a new order; returns the mean loss of its batches. */
static double train_epoch(tern_module *model, tern_optim *adam, tern_loader *loader) {
    tern_ctx *ctx = tern_module_context(model);
    double total = 0;
    tern_loader_begin(loader);
    for (bool more = true; more;) {
        tern_scope step = tern_scope_begin(ctx, 0); /* a batch's tensors die with it */
        tern_tensor *batch[2];
        more = tern_loader_next(loader, batch);
        if (more) {
            tern_tensor *loss = tern_mse_loss(tern_forward(model, batch[0]), batch[1], TERN_MEAN);
            tern_optim_zero_grad(adam);
            tern_backward(loss);
            tern_optim_step(adam);
            total += tern_item(loss);
        }
        tern_scope_end(step);
    }
    return total / (double)tern_loader_length(loader);
}

static void learn(tern_ctx *ctx, tern_csv *csv) {
    int features = tern_csv_column_count(csv) - 1;
    scale of_inputs, of_price;
    tern_tensor *prices = columns(csv, features, 1);
    tern_tensor *both[] = {standardise(columns(csv, 0, features), &of_inputs),
                           standardise(prices, &of_price)};
    tern_loader_options options = TERN_LOADER_OPTIONS;
    options.batch_size = 16;
    options.shuffle = true;
    tern_loader *loader = tern_loader_new(tern_tensor_dataset_new(ctx, both, 2), &options);

    tern_module *first = tern_nn_linear(ctx, features, 16, NULL);
    tern_module *model =
        TERN_SEQUENTIAL(ctx, first, tern_nn(ctx, "ReLU()"), tern_nn(ctx, "Linear(16, 1)"));
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.01)");
    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        double loss = train_epoch(model, adam, loader);
        if (epoch % 20 == 0 || epoch == EPOCHS - 1) printf("epoch %2d: loss %.4f\n", epoch, loss);
    }

    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *predicted =
        tern_add(tern_mul(tern_forward(model, both[0]), of_price.deviation), of_price.mean);
    for (int row = 0; row < 5 && row < tern_csv_row_count(csv) && tern_check(ctx) == TERN_OK; row++)
        printf("row %d: price %s, predicted %.0f\n", row, tern_csv_text(csv, row, features),
               tern_item(tern_select(predicted, 0, row)));
    tern_scope_end(inference);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: regression_csv FILE.csv\n");
        return 2;
    }
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 0);
    tern_csv *csv = tern_csv_open(ctx, argv[1], NULL); /* pandas.read_csv */
    if (csv) learn(ctx, csv);
    if (tern_check(ctx)) fprintf(stderr, "regression_csv: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
