/*
 * linear_regression.c: the tutorial "PyTorch workflow fundamentals" in C: a straight line, learned
 * first by a module of our own with two numbers in it, then by one that holds a Linear layer.
 *
 *     linear_regression [FOLDER]      saves the models in FOLDER (models, where none is named)
 *
 * TERN_DEVICE chooses the device. The numbers are PyTorch's, digit for digit, on cpu_ref. Beside the
 * calls stands the PyTorch they mirror.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tern/tern.h"

/* ---- the models ------------------------------------------------------------------------------ */

/* class LinearRegressionModel(nn.Module) */
typedef struct linear_regression {
    tern_module module;
    tern_tensor *weights, *bias;
} linear_regression;

/* self.weights = nn.Parameter(torch.randn(1)), and the same for the bias */
static tern_status regression_init(tern_module *self) {
    linear_regression *m = (linear_regression *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->weights = tern_module_parameter(self, "weights", tern_randn(ctx, TERN_SHAPE(1), NULL));
    m->bias = tern_module_parameter(self, "bias", tern_randn(ctx, TERN_SHAPE(1), NULL));
    return TERN_OK;
}

/* return self.weights * x + self.bias */
static tern_tensor *regression_forward(tern_module *self, tern_tensor *x) {
    linear_regression *m = (linear_regression *)self;
    return tern_add(tern_mul(m->weights, x), m->bias);
}

static const tern_module_class model_0_class = {
    TERN_MODULE_CLASS("LinearRegressionModel()", linear_regression),
    .init = regression_init,
    .forward = regression_forward,
};

/* class LinearRegressionModelV2(nn.Module) */
typedef struct linear_regression_v2 {
    tern_module module;
    tern_module *linear_layer;
} linear_regression_v2;

/* self.linear_layer = nn.Linear(in_features=1, out_features=1) */
static tern_status regression_v2_init(tern_module *self) {
    linear_regression_v2 *m = (linear_regression_v2 *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->linear_layer = tern_module_child(self, "linear_layer", tern_nn_linear(ctx, 1, 1, NULL));
    return TERN_OK;
}

/* return self.linear_layer(x) */
static tern_tensor *regression_v2_forward(tern_module *self, tern_tensor *x) {
    return tern_forward(((linear_regression_v2 *)self)->linear_layer, x);
}

static const tern_module_class model_1_class = {
    TERN_MODULE_CLASS("LinearRegressionModelV2()", linear_regression_v2),
    .init = regression_v2_init,
    .forward = regression_v2_forward,
};

/* ---- the data -------------------------------------------------------------------------------- */

typedef struct data {
    tern_tensor *x_train, *y_train, *x_test, *y_test;
} data;

/* X = torch.arange(0, 1, 0.02).unsqueeze(dim=1);  y = 0.7 * X + 0.3;  40 to train, 10 to test */
static data make_data(tern_ctx *ctx) {
    tern_tensor *x = tern_unsqueeze(tern_arange(ctx, 0, 1, 0.02), 1);
    tern_tensor *y = tern_add_scalar(tern_mul_scalar(x, 0.7), 0.3);
    return (data){tern_slice(x, 0, 0, 40, 1), tern_slice(y, 0, 0, 40, 1),
                  tern_slice(x, 0, 40, 50, 1), tern_slice(y, 0, 40, 50, 1)};
}

/* ---- training -------------------------------------------------------------------------------- */

/* The loss on the test data, in evaluation mode and without gradients. */
static double test_loss(tern_module *model, tern_module *loss_fn, const data *d) {
    tern_ctx *ctx = tern_module_context(model);
    tern_module_eval(model);
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE); /* with torch.inference_mode(): */
    double loss = tern_item(tern_forward2(loss_fn, tern_forward(model, d->x_test), d->y_test));
    tern_scope_end(scope);
    return loss;
}

static void train(tern_module *model, const data *d, int epochs, int report_every) {
    tern_ctx *ctx = tern_module_context(model);
    tern_module *loss_fn = tern_nn_l1_loss(ctx, TERN_MEAN); /* nn.L1Loss() */
    tern_optim *optimizer = tern_optim_new(model, "SGD(lr=0.01)");
    tern_manual_seed(ctx, 42);
    for (int epoch = 0; epoch < epochs && tern_check(ctx) == TERN_OK; epoch++) {
        tern_scope step = tern_scope_begin(ctx, 0); /* what this epoch makes dies with it */
        tern_module_train(model, true);
        tern_tensor *loss = tern_forward2(loss_fn, tern_forward(model, d->x_train), d->y_train);
        tern_optim_zero_grad(optimizer);
        tern_backward(loss);
        tern_optim_step(optimizer);
        double tested = test_loss(model, loss_fn, d);
        if (epoch % report_every == 0) {
            char train_text[32], test_text[32]; /* as Python prints a float */
            tern_format_double(tern_item(loss), train_text);
            tern_format_double(tested, test_text);
            printf("Epoch: %d | MAE Train Loss: %s | MAE Test Loss: %s\n", epoch, train_text,
                   test_text);
        }
        tern_scope_end(step);
    }
}

/* ---- before, during and after ---------------------------------------------------------------- */

static void print_state(tern_module *model) {
    tern_ctx *ctx = tern_module_context(model);
    tern_scope scope = tern_scope_begin(ctx, 0);
    char text[512];
    tern_value_repr(tern_module_state_dict(model), text, sizeof text);
    printf("%s\n", text);
    tern_scope_end(scope);
}

static void print_predictions(tern_module *model, const data *d) {
    tern_scope scope = tern_scope_begin(tern_module_context(model), TERN_INFERENCE);
    tern_module_eval(model);
    printf("%s\n", tern_repr_text(tern_forward(model, d->x_test)));
    tern_scope_end(scope);
}

/* Saves the model, loads it into a fresh one, and compares what both predict. */
static void save_and_compare(tern_module *model, const tern_module_class *cls, const data *d,
                             const char *path) {
    tern_ctx *ctx = tern_module_context(model);
    tern_module_save(model, path); /* torch.save(model.state_dict(), path) */
    tern_module *loaded = tern_module_new(ctx, cls, NULL);
    tern_module_load(loaded, path); /* loaded.load_state_dict(torch.load(path)) */
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_module_eval(loaded);
    bool equal = tern_equal(tern_forward(model, d->x_test), tern_forward(loaded, d->x_test));
    tern_scope_end(scope);
    if (tern_check(ctx) == TERN_OK)
        printf("Saved to %s; the loaded model predicts the same: %s\n", path,
               equal ? "True" : "False");
}

static void run(tern_ctx *ctx, const tern_module_class *cls, const data *d, int epochs,
                int report_every, const char *path) {
    tern_manual_seed(ctx, 42); /* torch.manual_seed(42) */
    tern_module *model = tern_module_new(ctx, cls, NULL);
    if (!model) return;
    printf("%s\n", tern_module_repr_text(model)); /* print(model) */
    print_state(model);
    print_predictions(model, d);
    train(model, d, epochs, report_every);
    printf("The original values are weights: 0.7, bias: 0.3. Learned:\n");
    print_state(model);
    print_predictions(model, d);
    save_and_compare(model, cls, d, path);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "models";
    char path_0[1024], path_1[1024];
    snprintf(path_0, sizeof path_0, "%s/01_pytorch_workflow_model_0.pth", folder);
    snprintf(path_1, sizeof path_1, "%s/01_pytorch_workflow_model_1.pth", folder);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        perror(folder);
        return 1;
    }
    tern_ctx *ctx = tern_open(NULL); /* TERN_DEVICE, else the best device */
    data d = make_data(ctx);
    run(ctx, &model_0_class, &d, 100, 10, path_0);
    run(ctx, &model_1_class, &d, 1000, 100, path_1);
    /* The first error is kept until here, and nothing was done after it. */
    if (tern_check(ctx)) fprintf(stderr, "linear_regression: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
