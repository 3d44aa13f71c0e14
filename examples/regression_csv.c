/*
 * regression_csv.c: predicts a price from columns of a CSV file.
 *
 *     regression_csv FILE.csv         the last column is learned from the others
 *
 * Shows reading data into tensors, standardising them, mini-batches in a shuffled order and Adam.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/tern.h"

enum { COLUMNS = 4, FEATURES = COLUMNS - 1, MAX_ROWS = 1000, BATCH = 16, EPOCHS = 60 };

/* Reads the rows below the header. -1, after a message that names the line, where one is wrong. */
static int read_csv(const char *path, float rows[MAX_ROWS][COLUMNS]) {
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "regression_csv: %s: %s\n", path, strerror(errno));
        return -1;
    }
    char line[256];
    int count = -1; /* the header */
    bool good = true;
    while (good && count < MAX_ROWS && fgets(line, sizeof line, file)) {
        char *cell = line;
        for (int c = 0; count >= 0 && c < COLUMNS && good; c++) {
            char *end;
            rows[count][c] = strtof(cell, &end);
            good = end != cell && *end == (c + 1 < COLUMNS ? ',' : '\n');
            cell = end + 1;
        }
        count++;
    }
    fclose(file);
    if (good) return count;
    fprintf(stderr, "regression_csv: %s:%d: %d numbers are wanted\n", path, count + 1, COLUMNS);
    return -1;
}

/* Columns with mean 0 and deviation 1; where asked, *out_mean and *out_scale undo it. */
static tern_tensor *standardise(tern_tensor *x, tern_tensor **out_mean, tern_tensor **out_scale) {
    tern_tensor *mean = tern_mean_dims(x, TERN_SHAPE(0), true);
    tern_tensor *centred = tern_sub(x, mean);
    tern_tensor *scale = tern_sqrt(tern_mean_dims(tern_square(centred), TERN_SHAPE(0), true));
    if (out_mean) *out_mean = mean;
    if (out_scale) *out_scale = scale;
    return tern_div(centred, scale);
}

/* One pass over the rows in a new order; returns the mean loss of its batches. */
static double train_epoch(tern_module *model, tern_optim *adam, tern_tensor *x, tern_tensor *y) {
    tern_ctx *ctx = tern_module_context(model);
    tern_scope epoch = tern_scope_begin(ctx, 0);
    int64_t rows = tern_size(x, 0);
    tern_tensor *order = tern_randperm(ctx, rows, NULL);
    double total = 0;
    for (int64_t start = 0; start < rows && tern_check(ctx) == TERN_OK; start += BATCH) {
        tern_scope step = tern_scope_begin(ctx, 0); /* a batch's tensors die with it */
        tern_tensor *batch = tern_slice(order, 0, start, start + BATCH, 1);
        tern_tensor *predicted = tern_forward(model, tern_index_select(x, 0, batch));
        tern_tensor *loss = tern_mse_loss(predicted, tern_index_select(y, 0, batch), TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        total += tern_item(loss) * (double)tern_size(batch, 0);
        tern_scope_end(step);
    }
    tern_scope_end(epoch);
    return total / (double)rows;
}

int main(int argc, char **argv) {
    static float rows[MAX_ROWS][COLUMNS];
    if (argc != 2) {
        fprintf(stderr, "usage: regression_csv FILE.csv\n");
        return 2;
    }
    int count = read_csv(argv[1], rows);
    if (count < 0) return 1;

    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 0);
    tern_tensor *table = tern_from_data(ctx, rows, TERN_SHAPE(count, COLUMNS), TERN_FLOAT32);
    tern_tensor *prices = tern_slice(table, 1, FEATURES, COLUMNS, 1), *mean, *scale;
    tern_tensor *x = standardise(tern_slice(table, 1, 0, FEATURES, 1), NULL, NULL);
    tern_tensor *y = standardise(prices, &mean, &scale);

    tern_module *model = tern_nn(ctx, "Sequential(Linear(3, 16), ReLU(), Linear(16, 1))");
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.01)");
    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        double loss = train_epoch(model, adam, x, y);
        if (epoch % 20 == 0 || epoch == EPOCHS - 1) printf("epoch %2d: loss %.4f\n", epoch, loss);
    }

    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *predicted = tern_add(tern_mul(tern_forward(model, x), scale), mean);
    for (int row = 0; row < 5 && row < count; row++)
        printf("row %d: price %.0f, predicted %.0f\n", row, (double)rows[row][FEATURES],
               tern_item(tern_select(predicted, 0, row)));
    tern_scope_end(inference);

    if (tern_check(ctx)) fprintf(stderr, "regression_csv: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
