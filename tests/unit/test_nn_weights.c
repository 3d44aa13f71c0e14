/* One model's weights in several contexts and threads. */
#include <pthread.h>

#include "nn_fixture.h"
#include "tern/io.h"
#include "tern/memory.h"

#define NOTATION "Sequential(Linear(3, 4), BatchNorm1d(4), Tanh(), Linear(4, 1))"

TestSuite(nn_weights, .init = open_context, .fini = close_context);

static double answer(tern_ctx *own, tern_module *model, float first) {
    float row[3] = {first, 1, 2};
    tern_scope scope = tern_scope_begin(own, TERN_INFERENCE);
    tern_module_eval(model);
    tern_tensor *x = tern_from_data(own, row, TERN_SHAPE(1, 3), TERN_FLOAT32);
    double out = tern_item(tern_forward(model, x));
    tern_scope_end(scope);
    return out;
}

typedef struct worker {
    tern_weights *weights;
    double answers[8];
    bool good;
} worker;

static void *work(void *argument) {
    worker *w = argument;
    tern_ctx *own = tern_open("cpu_ref");
    tern_module *model = tern_nn(own, NOTATION);
    w->good = tern_weights_use(w->weights, model) == TERN_OK;
    for (int i = 0; i < 8; i++) w->answers[i] = answer(own, model, (float)i);
    w->good = tern_close(own) == TERN_OK && w->good;
    return NULL;
}

Test(nn_weights, threads_answer_as_the_model_does_and_outlive_it) {
    enum { THREADS = 3 };
    worker workers[THREADS];
    pthread_t threads[THREADS];
    double wanted[8];
    tern_module *model = tern_nn(ctx, NOTATION);
    for (int i = 0; i < 8; i++) wanted[i] = answer(ctx, model, (float)i);
    tern_weights *weights = tern_weights_new(model);
    CHECK_CLEAN();
    for (int t = 0; t < THREADS; t++) {
        workers[t] = (worker){.weights = weights};
        cr_assert_eq(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    }
    tern_fill_in_place(tern_module_tensor(model, "3.bias"), 5); /* a copy: nobody sees this */
    tern_module_free(model);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        cr_assert(workers[t].good);
        for (int i = 0; i < 8; i++) cr_assert_eq(workers[t].answers[i], wanted[i]);
    }
    tern_weights_free(weights);
}

Test(nn_weights, they_live_as_long_as_a_module_uses_them_and_want_no_gradients) {
    tern_module *first = tern_nn(ctx, NOTATION), *second = tern_nn(ctx, NOTATION);
    tern_weights *weights = tern_weights_new(first);
    cr_assert_eq(tern_weights_use(weights, second), TERN_OK);
    tern_module *third = tern_nn(ctx, NOTATION);
    cr_assert_eq(tern_weights_use(weights, third), TERN_OK);
    tern_weights_free(weights);
    cr_assert_eq(answer(ctx, first, 1), answer(ctx, second, 1));
    tern_fill_in_place(tern_module_tensor(third, "3.bias"), 9); /* what no program may do */
    cr_assert_eq(at(tern_module_tensor(second, "3.bias"), 0), 9, "the weights were copied");
    cr_assert(tern_has_grad_required(tern_module_tensor(first, "0.weight")));
    cr_assert_not(tern_has_grad_required(tern_module_tensor(second, "0.weight")));
    CHECK_CLEAN();
}

Test(nn_weights, what_does_not_fit_changes_nothing) {
    tern_module *first = tern_nn(ctx, "Linear(3, 4)"), *second = tern_nn(ctx, "Linear(3, 5)");
    double before = at(tern_module_tensor(second, "bias"), 0);
    tern_weights *weights = tern_weights_new(first);
    cr_assert_eq(tern_weights_use(weights, second), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("size mismatch for weight: copying a param with shape torch.Size([4, 3])");
    cr_assert_eq(at(tern_module_tensor(second, "bias"), 0), before);
    cr_assert(tern_has_grad_required(tern_module_tensor(second, "bias")));
    tern_weights_free(weights);
    cr_assert_eq(tern_weights_use(NULL, second), TERN_ERR_ARGUMENT);
    tern_weights_free(NULL);
}

Test(nn_weights, every_allocation_may_fail) {
    tern_module *first = tern_nn(ctx, NOTATION), *second = tern_nn(ctx, NOTATION);
    int failed = 0;
    for (uint64_t nth = 1;; nth++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_fail_allocation(nth);
        tern_weights *weights = tern_weights_new(first);
        tern_status status = tern_weights_use(weights, second);
        bool reached = tern_fail_allocation(0) >= nth;
        cr_assert_eq(status == TERN_OK, *tern_error(ctx) == 0, "%s", tern_error(ctx));
        failed += status != TERN_OK;
        tern_error_clear(ctx);
        tern_weights_free(weights);
        tern_scope_end(scope);
        if (!reached) break;
    }
    cr_assert_geq(failed, 10, "only %d allocations failed", failed);
    cr_assert_eq(answer(ctx, first, 1), answer(ctx, second, 1));
}

Test(nn_weights, an_assigned_state_is_the_same_memory) {
    tern_module *model = tern_nn(ctx, "Linear(2, 1)");
    tern_value state = tern_dict_new(ctx, false);
    float numbers[3] = {1, 2, 3};
    tern_tensor *weight = tern_from_data(ctx, numbers, TERN_SHAPE(1, 2), TERN_FLOAT32);
    tern_dict_set(state, "weight", tern_tensor_value(weight));
    tern_dict_set(state, "bias",
                  tern_tensor_value(tern_from_data(ctx, numbers, TERN_SHAPE(1), TERN_FLOAT32)));
    cr_assert_eq(tern_module_assign_state_dict(model, state, true), TERN_OK);
    tern_fill_in_place(weight, 7);
    cr_assert_eq(at(tern_module_tensor(model, "weight"), 1), 7);
    cr_assert(tern_has_grad_required(tern_module_tensor(model, "weight")));
    CHECK_CLEAN();
}
