/* Replays: what is looked at in each run, and what is refused. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "replay_fixture.h"

TestSuite(replay_refused, .init = replay_begin, .fini = replay_end);

/* ---- checks ---------------------------------------------------------------------------------- */

/* A loss of the model's output that looks whether it is in order. */
typedef struct looking {
    tern_tensor *(*loss)(tern_tensor *out, tern_tensor *target);
    double wrong; /* the first element of an input whose output is refused */
    const char *error;
} looking;

static tern_tensor *cross_entropy_of(tern_tensor *out, tern_tensor *target) {
    return tern_binary_cross_entropy(out, target, NULL, TERN_MEAN);
}

/* The output is the variance. */
static tern_tensor *gaussian_of(tern_tensor *out, tern_tensor *target) {
    tern_tensor *input = tern_add_scalar(out, 1);
    return tern_gaussian_nll_loss(input, target, out, false, 1e-6, TERN_MEAN);
}

static const looking losses[] = {
    {cross_entropy_of, 1000,
     "tern_replay_run: nn.functional.binary_cross_entropy: all elements of input should be between "
     "0 and 1"},
    {gaussian_of, -1000,
     "tern_replay_run: nn.functional.gaussian_nll_loss: var has negative entry/entries"},
};

typedef struct learner {
    const looking *by;
    tern_module *model;
    tern_optim *optim;
    tern_tensor *weight;
} learner;

static void learn(const learner *l, tern_tensor *x) {
    tern_tensor *target = tern_full(ctx, TERN_SHAPE(1), 0.25, TERN_FLOAT32);
    tern_optim_zero_grad(l->optim);
    tern_backward(l->by->loss(tern_forward(l->model, x), target));
    tern_optim_step(l->optim);
}

/* After its first step. */
static learner learner_new(const looking *by) {
    learner l = {.by = by, .model = tern_nn(ctx, "Linear(3, 1, bias=False)")};
    l.weight = tern_module_tensor(l.model, "weight");
    tern_init_constant(l.weight, 0.02);
    l.optim = tern_optim_new(l.model, "SGD(lr=0.0001)");
    tern_scope scope = tern_scope_begin(ctx, 0);
    learn(&l, row(1));
    tern_scope_end(scope);
    return l;
}

/* The loss looks at its input in each run: a run that it refuses changes no weight. */
static void check_looks_in_each_run(const char *device, const looking *by) {
    close_context();
    ctx = tern_open(device);
    learner replayed = learner_new(by), eager = learner_new(by);
    tern_tensor *x = row(1), *other = row(2), *wrong = row(by->wrong);
    tern_tensor *before = tern_clone(replayed.weight);
    capture(x);
    tern_scope scope = tern_scope_begin(ctx, 0);
    learn(&replayed, x);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    tern_scope_end(scope);
    learn(&eager, x);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_OK, "%s", tern_error(ctx));
    learn(&eager, other);
    cr_assert(tern_equal(replayed.weight, eager.weight));
    cr_assert(!tern_equal(replayed.weight, before));
    cr_assert_eq(tern_replay_run(replay, &wrong, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR(by->error);
    cr_assert(tern_equal(replayed.weight, eager.weight));
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_OK);
    learn(&eager, x);
    cr_assert(tern_equal(replayed.weight, eager.weight));
    CHECK_CLEAN();
}

Test(replay_refused, what_a_loss_looks_at_is_looked_at_in_each_run) {
    const char *const devices[] = {"cpu_ref", "discrete", "delaying", "cpu_simd"};
    for (size_t d = 0; d < sizeof devices / sizeof *devices; d++)
        for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
            check_looks_in_each_run(devices[d], &losses[i]);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(const char *reason) {
    const char *told = tern_capture_refusal(ctx);
    cr_assert(!told || strstr(told, reason), "%s, not: %s", told, reason);
    cr_assert_null(tern_capture_end(ctx, NULL, 0));
    cr_assert_eq(tern_check(ctx), TERN_ERR_UNSUPPORTED);
    CHECK_ERROR_HAS(reason);
    cr_assert(!tern_is_capturing(ctx));
}

static tern_replay *captured_sum(tern_tensor *x) {
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_sum(tern_exp(tern_mul(x, x)));
    return tern_capture_end(ctx, &out, 1);
}

Test(replay_refused, what_cannot_be_repeated_is_refused) {
    tern_tensor *x = row(1);
    capture(x);
    cr_assert_float_eq(tern_item(tern_sum(x)), 6, 0); /* the body itself goes on */
    check_refused("reads a tensor's values");
    capture(x);
    tern_value args[] = {tern_tensor_value(x)};
    tern_call(ctx, "nonzero", args, 1, tern_none());
    check_refused("reads a tensor's values");
    capture(x);
    row(2);
    check_refused("takes data from the host");
    capture(x);
    tern_manual_seed(ctx, 1);
    check_refused("seeds a generator");
    capture(x);
    tern_to_device(x, "discrete");
    check_refused("reads a tensor's values");
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *adam = tern_optim_new(m, "Adam()");
    capture(x);
    tern_optim_zero_grad(adam);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_optim_step(adam);
    check_refused("run one step before capturing");
    tern_optim_zero_grad(adam);
    capture(x);
    tern_backward(tern_sum(tern_forward(m, x)));
    check_refused("makes a .grad that was empty");
    capture(x);
    tern_nn(ctx, "Linear(3, 1)");
    tern_capture_cancel(ctx);
    cr_assert(!tern_is_capturing(ctx));
    CHECK_CLEAN();
}

Test(replay_refused, what_has_changed_is_refused) {
    tern_tensor *x = row(1), *wide = tern_zeros(ctx, TERN_SHAPE(4), TERN_FLOAT32);
    tern_replay *replay = captured_sum(x);
    cr_assert_eq(tern_replay_run(replay, &wide, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_replay_run: input 0 is float32 [4], but it was captured as float32 [3]");
    cr_assert_eq(tern_replay_run(replay, NULL, 0), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_replay_run: 0 inputs, 1 were captured");
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    capture(x);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_optim_zero_grad(sgd);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_optim_step(sgd);
    replay = tern_capture_end(ctx, NULL, 0);
    tern_scope_end(scope);
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_OK, "%s", tern_error(ctx));
    tern_optim_set(sgd, 0, "weight_decay", tern_float(0.1));
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("an option of SGD that decides the form of its update has changed");
    tern_optim_set(sgd, 0, "weight_decay", tern_float(0));
    tern_module_to(m, "discrete");
    cr_assert_eq(tern_replay_run(replay, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("has moved to other memory since the body was captured");
    tern_optim_free(sgd);
}

Test(replay_refused, inputs_that_cannot_be_exchanged_are_refused) {
    tern_tensor *x = row(1), *both[] = {x, tern_slice(x, 0, 0, 2, 1)};
    cr_assert_eq(tern_capture_begin(ctx, both, 2), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_capture_begin: input 1 shares memory with another one: clone one of them");
    both[1] = x; /* but one tensor may be two inputs, as of an autoencoder */
    cr_assert_eq(tern_capture_begin(ctx, both, 2), TERN_OK);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    both[1] = row(2);
    cr_assert_eq(tern_replay_run(replay, both, 2), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("input 1 is another tensor than input 0");
    tern_tensor *leaf = tern_requires_grad(row(1), true);
    cr_assert_eq(tern_capture_begin(ctx, &leaf, 1), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("requires a gradient");
    capture(x);
    cr_assert_eq(tern_capture_begin(ctx, &x, 1), TERN_ERR_STATE);
    CHECK_ERROR_HAS("a body is captured already");
    tern_capture_cancel(ctx);
    cr_assert_null(tern_capture_end(ctx, NULL, 0));
    CHECK_ERROR_HAS("nothing is captured");
}

/* Gradients are where the last run left them, whatever happened between. */
Test(replay_refused, gradients_of_the_last_run_are_in_grad) {
    tern_module *m = tern_nn(ctx, "Linear(3, 1)");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    tern_tensor *x = row(1), *other = row(5), *weight = tern_module_tensor(m, "weight");
    capture(x);
    tern_optim_zero_grad(sgd);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    tern_optim_zero_grad(sgd);
    cr_assert_null(tern_grad_of(weight));
    tern_backward(tern_sum(tern_forward(m, other)));
    cr_assert_float_eq(at(tern_grad_of(weight), 0), 5, 0);
    tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(at(tern_grad_of(weight), 0), 1, 0);
}

/* A run that fails before its update changes no weight and counts no step. */
Test(replay_refused, a_failed_run_is_no_step) {
    tern_module *m = tern_nn(ctx, "Sequential(Embedding(4, 3), Linear(3, 2))");
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    const int64_t rows[] = {0, 3}, bad[] = {0, 4};
    tern_tensor *good = tern_from_data(ctx, rows, TERN_SHAPE(2), TERN_INT64), *inputs[] = {good};
    tern_tensor *worse = tern_from_data(ctx, bad, TERN_SHAPE(2), TERN_INT64);
    tern_replay *replay = NULL;
    for (int i = 0; i < 2; i++) {
        if (i == 1) capture(good);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_zero_grad(adam);
        tern_backward(tern_sum(tern_forward(m, good)));
        tern_optim_step(adam);
        if (i == 1) replay = tern_capture_end(ctx, NULL, 0);
        tern_scope_end(scope);
    }
    char before[8192];
    strcpy(before, repr_of(tern_optim_state_dict(adam)));
    inputs[0] = worse;
    cr_assert_eq(tern_replay_run(replay, inputs, 1), TERN_ERR_INDEX);
    tern_error_clear(ctx);
    cr_assert_str_eq(repr_of(tern_optim_state_dict(adam)), before);
    inputs[0] = good;
    cr_assert_eq(tern_replay_run(replay, inputs, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_neq(repr_of(tern_optim_state_dict(adam)), before);
    CHECK_CLEAN();
}

/* ---- without memory -------------------------------------------------------------------------- */

Test(replay_refused, any_allocation_may_fail) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 2), Dropout(0.5))");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    tern_tensor *x = row(1);
    int failures = 0;
    for (uint64_t n = 1; n < 400; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_fail_allocation(n);
        tern_capture_begin(ctx, &x, 1);
        tern_optim_zero_grad(sgd);
        tern_tensor *loss = tern_sum(tern_forward(m, x));
        tern_backward(loss);
        tern_optim_step(sgd);
        tern_replay *replay = tern_capture_end(ctx, &loss, 1);
        tern_replay_run(replay, &x, 1);
        tern_fail_allocation(0);
        tern_capture_cancel(ctx);
        failures += tern_check(ctx) == TERN_ERR_OUT_OF_MEMORY;
        cr_assert(tern_check(ctx) == TERN_OK || tern_check(ctx) == TERN_ERR_OUT_OF_MEMORY, "%s",
                  tern_error(ctx));
        tern_error_clear(ctx);
        tern_scope_end(scope);
    }
    cr_assert_gt(failures, 5);
}
