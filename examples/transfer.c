/*
 * transfer.c: transfer learning. A classifier of points learns four quadrants; its layers are loaded into a model
 * for another question, frozen, and given another head, which learns from a few examples.
 */
#include <stdio.h>

#include "tern/tern.h"

static void train(tern_module *model, tern_tensor *x, tern_tensor *y, int steps) {
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.02)");
    for (int step = 0; step <= steps; step++) {
        tern_scope scope = tern_scope_begin(tern_module_context(model), 0);
        tern_tensor *loss = tern_cross_entropy(tern_forward(model, x), y, TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        if (step % (steps / 3) == 0) printf("  step %3d: loss %.4f\n", step, tern_item(loss));
        tern_scope_end(scope);
    }
}

/* Whether a coordinate is positive: int64 zeros and ones. */
static tern_tensor *is_positive(tern_tensor *x, int64_t column) {
    tern_tensor *values = tern_select(x, 1, column);
    return tern_to_dtype(tern_gt(values, tern_zeros_like(values)), TERN_INT64);
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 3);
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(256, 2), NULL);
    tern_tensor *quadrant = tern_add(tern_mul_scalar(is_positive(x, 0), 2), is_positive(x, 1));
    tern_module *first =
        tern_nn(ctx, "Sequential(Linear(2, 16), Tanh(), Linear(16, 8), Tanh(), Linear(8, 4))");
    printf("quadrants, %d parameters\n", (int)tern_module_count_parameters(first));
    train(first, x, quadrant, 150);

    /* A model of the same layers, loaded; what has another size, its head, would be skipped. */
    tern_module *model =
        tern_nn(ctx, "Sequential(Linear(2, 16), Tanh(), Linear(16, 8), Tanh(), Linear(8, 4))");
    tern_module_load_state(model, tern_module_state_dict(first), TERN_LOAD_SKIP);

    /* The five lines: freeze all, and a new head that belongs to the model. */
    tern_module_requires_grad(model, false);
    tern_scope of_model = tern_module_begin(model);
    tern_module_child(model, "4", tern_nn(ctx, "Linear(8, 2)"));
    tern_scope_end(of_model);
    tern_tensor *frozen = tern_clone(tern_module_tensor(model, "0.weight"));

    /* Are both coordinates positive? Asked for 24 points. */
    tern_tensor *few = tern_slice(x, 0, 0, 24, 1);
    tern_tensor *both = tern_mul(is_positive(few, 0), is_positive(few, 1));
    printf("both positive, a head of %d parameters\n",
           (int)tern_module_count_parameters(tern_module_get(model, "4")));
    train(model, few, both, 90);

    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *all = tern_mul(is_positive(x, 0), is_positive(x, 1));
    printf("accuracy on 256 points: %.3f\n", tern_accuracy(tern_forward(model, x), all));
    printf("the loaded layers are %s\n",
           tern_equal(frozen, tern_module_tensor(model, "0.weight")) ? "as they were" : "changed");
    tern_scope_end(inference);

    if (tern_check(ctx)) fprintf(stderr, "transfer: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
