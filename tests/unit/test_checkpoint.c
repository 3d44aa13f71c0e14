/* Activation checkpointing: the same numbers, in less memory. */
#include "nn_fixture.h"
#include "tern/checkpoint.h"
#include "tern/hooks.h"

TestSuite(checkpoint, .init = open_context, .fini = close_context);

#define BLOCK "Sequential(Linear(16, 16), Tanh(), Dropout(0.5), Linear(16, 16))"

static tern_module *model(void) {
    tern_manual_seed(ctx, 4);
    return tern_nn(ctx, "Sequential(" BLOCK ", " BLOCK ", " BLOCK ", " BLOCK ")");
}

/* The gradients of all parameters and of the input after a step that is checkpointed, or not. */
static tern_value gradients(bool checkpointed, double *out_next) {
    tern_module *m = model();
    tern_tensor *x = tern_requires_grad(tern_randn(ctx, TERN_SHAPE(3, 16), NULL), true), *y = x;
    tern_value list = tern_list_new(ctx), parameters = tern_module_parameters(m);
    for (size_t i = 0; i < 4; i++) {
        tern_module *block = tern_module_child_at(m, i, NULL);
        y = checkpointed ? tern_checkpoint(block, y) : tern_forward(block, y);
    }
    tern_backward(tern_sum(tern_square(y)));
    *out_next = at(tern_rand(ctx, TERN_SHAPE(1), NULL), 0);
    tern_list_append(list, tern_tensor_value(tern_grad_of(x)));
    for (size_t i = 0; i < tern_value_count(parameters); i++)
        tern_list_append(list,
                         tern_tensor_value(tern_grad_of(tern_value_at(parameters, i).as.tensor)));
    CHECK_CLEAN();
    return list;
}

Test(checkpoint, gradients_and_random_numbers_are_the_same) {
    double next, plain_next;
    tern_value plain = gradients(false, &plain_next), checkpointed = gradients(true, &next);
    cr_assert_float_eq(next, plain_next, 0);
    for (size_t i = 0; i < 17; i++)
        cr_assert(
            tern_equal(tern_value_at(plain, i).as.tensor, tern_value_at(checkpointed, i).as.tensor),
            "%zu", i);
}

static uint64_t peak_of(int segments, tern_tensor **out_grad) {
    char text[1024] = "Sequential(";
    for (int i = 0; i < 32; i++) strcat(text, i ? ", Tanh()" : "Linear(64, 64), Tanh()");
    tern_manual_seed(ctx, 4);
    tern_module *m = tern_nn(ctx, strcat(text, ")"));
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(256, 64), TERN_FLOAT32);
    tern_reset_peak(ctx);
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *y = segments ? tern_checkpoint_sequential(m, segments, x) : tern_forward(m, x);
    tern_backward(tern_sum(y));
    tern_scope_end(scope);
    *out_grad = tern_grad_of(tern_module_tensor(m, "0.weight"));
    CHECK_CLEAN();
    return tern_stats_of(ctx).device_bytes_peak - before;
}

Test(checkpoint, the_peak_of_memory_is_smaller) {
    tern_tensor *plain_grad, *grad;
    uint64_t plain = peak_of(0, &plain_grad), parts = peak_of(6, &grad);
    cr_assert(tern_equal(plain_grad, grad));
    /* 33 activations; with 6 segments of 5 and 8 layers 5 of them and those of one segment. */
    cr_assert_lt(2 * parts, plain, "%llu bytes, %llu without", (unsigned long long)parts,
                 (unsigned long long)plain);
}

static tern_value count(tern_module *module, tern_value args, tern_value output, void *user) {
    (void)module;
    (void)args;
    (void)output;
    ++*(int *)user;
    return tern_none();
}

Test(checkpoint, the_forward_runs_again_where_something_is_recorded) {
    int calls = 0;
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_module_forward_hook(m, count, &calls);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32);
    tern_tensor *y = tern_checkpoint(m, x);
    cr_assert_eq(calls, 1);
    tern_tensor *weight = tern_module_tensor(m, "weight");
    tern_backward(tern_sum(y));
    cr_assert_eq(calls, 2);
    cr_assert_eq(tern_module_tensor(m, "weight"), weight);
    cr_assert_float_eq(at(tern_grad_of(weight), 0), 1, 0);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    cr_assert(tern_is_leaf(tern_checkpoint(m, x)));
    tern_scope_end(scope);
    cr_assert_eq(calls, 3);
    CHECK_CLEAN();
}

Test(checkpoint, tied_and_frozen_parameters_are_as_without) {
    for (int frozen = 0; frozen < 2; frozen++) {
        tern_manual_seed(ctx, 2);
        tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 3), Tanh(), Linear(3, 3))");
        tern_module_tie(m, "2.weight", "0.weight");
        if (frozen) tern_requires_grad(tern_module_tensor(m, "0.bias"), false);
        tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32);
        tern_backward(tern_sum(tern_forward(m, x)));
        tern_tensor *plain = tern_clone(tern_grad_of(tern_module_tensor(m, "0.weight")));
        tern_module_zero_grad(m);
        tern_backward(tern_sum(tern_checkpoint(m, x)));
        CHECK_CLEAN();
        cr_assert(tern_equal(plain, tern_grad_of(tern_module_tensor(m, "2.weight"))));
        cr_assert_eq(tern_grad_of(tern_module_tensor(m, "0.bias")) == NULL, frozen);
    }
}

Test(checkpoint, faults_leave_the_model_as_it_was) {
    tern_module *m = model();
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3, 16), TERN_FLOAT32);
    tern_tensor *weight = tern_module_tensor(m, "0.0.weight");
    for (uint64_t n = 1;; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *loss = tern_sum(tern_checkpoint(m, x));
        CHECK_CLEAN();
        tern_fail_allocation(n);
        tern_status status = tern_backward(loss);
        tern_fail_allocation(0);
        tern_scope_end(scope);
        cr_assert_eq(tern_module_tensor(m, "0.0.weight"), weight);
        if (status == TERN_OK) break;
        tern_error_clear(ctx);
        tern_module_zero_grad(m);
        tern_empty_cache(ctx);
        cr_assert_lt(n, 10000);
    }
    cr_assert(tern_is_nil(tern_checkpoint_sequential(m, 5, x)));
    CHECK_ERROR("tern_checkpoint_sequential: takes a Sequential, and 1 to 4 segments for this one, "
                "not 5");
}
