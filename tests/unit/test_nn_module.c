/* Modules: registering, forward, state dicts, printing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

#define CHECK_CLEAN(ctx) cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx))

typedef struct line {
    tern_module module;
    tern_tensor *weights, *bias;
} line;

static tern_status line_init(tern_module *self) {
    line *m = (line *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->weights = tern_module_parameter(self, "weights", tern_randn(ctx, TERN_SHAPE(1), NULL));
    m->bias = tern_module_parameter(self, "bias", tern_randn(ctx, TERN_SHAPE(1), NULL));
    return TERN_OK;
}

static tern_tensor *line_forward(tern_module *self, tern_tensor *x) {
    line *m = (line *)self;
    return tern_add(tern_mul(m->weights, x), m->bias);
}

static const tern_module_class line_class = {TERN_MODULE_CLASS("LinearRegressionModel()", line),
                                             .init = line_init, .forward = line_forward};

Test(nn_module, a_users_module_has_the_tutorials_parameters_and_state) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    tern_module *model = tern_module_new(ctx, &line_class, NULL);
    CHECK_CLEAN(ctx);
    char text[300];
    tern_value_repr(tern_module_state_dict(model), text, sizeof text);
    puts(text);
    cr_assert_str_eq(text, "OrderedDict({'weights': tensor([0.3367]), 'bias': tensor([0.1288])})");
    cr_assert_str_eq(tern_module_repr_text(model), "LinearRegressionModel()");
    tern_tensor *y = tern_forward(model, tern_ones(ctx, TERN_SHAPE(2, 1), TERN_FLOAT32));
    cr_assert_float_eq(tern_item(tern_select(tern_select(y, 0, 0), 0, 0)), 0.46549978, 1e-6);
    CHECK_CLEAN(ctx);
    tern_optim *sgd = tern_optim_new(model, "SGD(lr=0.01)");
    CHECK_CLEAN(ctx);
    tern_backward(tern_sum(y));
    tern_optim_step(sgd);
    CHECK_CLEAN(ctx);
    cr_assert_float_eq(tern_item(tern_module_tensor(model, "bias")), 0.12880941 - 0.02, 1e-6);
    puts(tern_optim_repr_text(sgd));
    tern_module *seq =
        tern_nn(ctx, "Sequential(Flatten(), Linear(4, 3), ReLU(), Linear(3, 2, bias=False))");
    CHECK_CLEAN(ctx);
    puts(tern_module_repr_text(seq));
    tern_module *again = tern_nn(ctx, tern_module_repr_text(seq));
    CHECK_CLEAN(ctx);
    cr_assert_str_eq(tern_module_repr_text(seq), tern_module_repr_text(again));
    tern_close(ctx);
}
