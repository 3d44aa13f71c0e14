#include "linear_program.h"

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/optim.h"
#include "tern/replay.h"

/* ---- data ------------------------------------------------------------------------------------ */

bool line_data_make(tern_ctx *ctx, double weight, double bias, double step, int64_t points,
                    line_data *out_data) {
    if (points < 2) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%lld points: at least 2 are needed, to train and to test", (long long)points);
        return false;
    }
    /* Half a step past the last point: rounding never adds one or takes one away. */
    double end = ((double)points - 0.5) * step;
    tern_tensor *x = tern_unsqueeze(tern_arange(ctx, 0, end, step), 1);
    tern_tensor *y = tern_add_scalar(tern_mul_scalar(x, weight), bias);
    out_data->n_train = (int64_t)(0.8 * (double)points);
    out_data->n_test = points - out_data->n_train;
    out_data->x_train = tern_narrow(x, 0, 0, out_data->n_train);
    out_data->y_train = tern_narrow(y, 0, 0, out_data->n_train);
    out_data->x_test = tern_narrow(x, 0, out_data->n_train, out_data->n_test);
    out_data->y_test = tern_narrow(y, 0, out_data->n_train, out_data->n_test);
    return tern_check(ctx) == TERN_OK;
}

/* ---- model_0 --------------------------------------------------------------------------------- */

typedef struct parameters_model {
    tern_module module;
    tern_tensor *weights, *bias;
} parameters_model;

static tern_status parameters_init(tern_module *self) {
    parameters_model *m = (parameters_model *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_shape one = {1, {1}};
    m->weights = tern_module_parameter(self, "weights", tern_randn(ctx, one, NULL));
    m->bias = tern_module_parameter(self, "bias", tern_randn(ctx, one, NULL));
    return tern_check(ctx);
}

static tern_tensor *parameters_forward(tern_module *self, tern_tensor *x) {
    parameters_model *m = (parameters_model *)self;
    return tern_add(tern_mul(m->weights, x), m->bias);
}

static const tern_module_class parameters_class = {
    TERN_MODULE_CLASS("LinearRegressionModel()", parameters_model),
    .init = parameters_init,
    .forward = parameters_forward,
};

tern_module *line_model_parameters(tern_ctx *ctx) {
    return tern_module_new(ctx, &parameters_class, NULL);
}

/* ---- model_1 --------------------------------------------------------------------------------- */

typedef struct layer_model {
    tern_module module;
    tern_module *linear_layer;
} layer_model;

static tern_status layer_init(tern_module *self) {
    layer_model *m = (layer_model *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->linear_layer = tern_module_child(self, "linear_layer", tern_nn_linear(ctx, 1, 1, NULL));
    return tern_check(ctx);
}

static tern_tensor *layer_forward(tern_module *self, tern_tensor *x) {
    return tern_forward(((layer_model *)self)->linear_layer, x);
}

static const tern_module_class layer_class = {
    TERN_MODULE_CLASS("LinearRegressionModelV2()", layer_model),
    .init = layer_init,
    .forward = layer_forward,
};

tern_module *line_model_layer(tern_ctx *ctx) {
    return tern_module_new(ctx, &layer_class, NULL);
}

/* ---- training -------------------------------------------------------------------------------- */

typedef struct line_trainer {
    tern_ctx *ctx;
    tern_module *model;
    const line_data *data;
    tern_optim *optim;
    tern_replay *replay; /* of an epoch; NULL before, and where it cannot be replayed */
} line_trainer;

static tern_tensor *train_step(const line_trainer *t) {
    tern_module_train(t->model, true);
    tern_tensor *predictions = tern_forward(t->model, t->data->x_train);
    tern_tensor *loss = tern_l1_loss(predictions, t->data->y_train, TERN_MEAN);
    tern_optim_zero_grad(t->optim);
    tern_backward(loss);
    tern_optim_step(t->optim);
    return loss;
}

static tern_tensor *test_loss(const line_trainer *t) {
    tern_scope scope = tern_scope_begin(t->ctx, TERN_INFERENCE);
    tern_module_eval(t->model);
    tern_tensor *predictions = tern_forward(t->model, t->data->x_test);
    return tern_scope_return(scope, tern_l1_loss(predictions, t->data->y_test, TERN_MEAN));
}

/* An epoch is the same every time, so the second one is captured. */
static void run_epoch(line_trainer *t, bool is_captured, tern_tensor **out_losses) {
    if (t->replay) {
        tern_replay_run(t->replay, NULL, 0);
        for (size_t i = 0; i < 2; i++) out_losses[i] = tern_replay_output(t->replay, i);
        return;
    }
    out_losses[0] = train_step(t);
    out_losses[1] = test_loss(t);
    if (!is_captured) return;
    if (tern_capture_refusal(t->ctx))
        tern_capture_cancel(t->ctx);
    else
        t->replay = tern_capture_end(t->ctx, out_losses, 2);
}

bool line_train(tern_module *model, const line_data *data, const line_training *how,
                line_epoch_fn fn, void *user) {
    tern_ctx *ctx = tern_module_context(model);
    tern_sgd_options options = TERN_SGD_OPTIONS;
    options.lr = how->lr;
    line_trainer t = {.ctx = ctx, .model = model, .data = data};
    t.optim = tern_sgd_new(ctx, tern_module_parameters(model), &options);
    for (int64_t epoch = 0; epoch < how->epochs; epoch++) {
        tern_tensor *losses[2];
        bool is_captured = epoch == 1 && !how->is_eager;
        if (is_captured) tern_capture_begin(ctx, NULL, 0);
        tern_scope scope = tern_scope_begin(ctx, 0);
        run_epoch(&t, is_captured, losses);
        double loss = tern_item(losses[0]), test = tern_item(losses[1]);
        tern_scope_end(scope);
        if (tern_check(ctx) != TERN_OK || !fn(user, epoch, loss, test)) return false;
    }
    return tern_check(ctx) == TERN_OK;
}

tern_tensor *line_predict(tern_module *model, tern_tensor *x) {
    tern_scope scope = tern_scope_begin(tern_module_context(model), TERN_INFERENCE);
    tern_module_eval(model);
    tern_tensor *predictions = tern_keep(tern_forward(model, x));
    tern_scope_end(scope);
    return predictions;
}
