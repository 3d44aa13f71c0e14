/*
 * linear_program.h: the tutorial "PyTorch workflow fundamentals": a straight line learned by two models,
 * with PyTorch's numbers. What `tern train linear` runs, and the training vectors of that name check.
 *
 * Data: x = 0, step, 2 step, ...; y = weight x + bias; the first 80 % train, the rest tests. Seeded
 * before a model is made and again before its loop; L1 loss, SGD. Shapes are [n, 1].
 */
#ifndef TERN_TOOLS_LINEAR_PROGRAM_H
#define TERN_TOOLS_LINEAR_PROGRAM_H

#include "tern/nn.h"

typedef struct line_data {
    tern_tensor *x_train, *y_train, *x_test, *y_test;
    int64_t n_train, n_test;
} line_data;

/* False after latching an error; fewer than 2 points are one. */
bool line_data_make(tern_ctx *ctx, double weight, double bias, double step, int64_t points,
                    line_data *out_data);

/* model_0: two parameters, `weights` and `bias`, drawn from a normal distribution. NULL on failure. */
tern_module *line_model_parameters(tern_ctx *ctx);

/* model_1: a layer Linear(1, 1) named `linear_layer`. */
tern_module *line_model_layer(tern_ctx *ctx);

/* Called after each epoch; `loss` is the training loss before the step, `test_loss` the one after it.
 * Returns false to stop. */
typedef bool (*line_epoch_fn)(void *user, int64_t epoch, double loss, double test_loss);

typedef struct line_training {
    double lr;
    int64_t epochs;
    bool is_eager; /* no epoch is replayed */
} line_training;

/* Trains a model; false after latching an error or where fn said stop. */
bool line_train(tern_module *model, const line_data *data, const line_training *how,
                line_epoch_fn fn, void *user);

/* The model's predictions in inference mode, in the open scope. */
tern_tensor *line_predict(tern_module *model, tern_tensor *x);

#endif
