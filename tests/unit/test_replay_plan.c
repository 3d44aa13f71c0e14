/* Replays: what a plan consists of, and the memory that it needs. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "replay_fixture.h"

TestSuite(replay_plan, .init = replay_begin, .fini = replay_end);

/* ---- one body -------------------------------------------------------------------------------- */

Test(replay_plan, what_a_plan_consists_of) {
    tern_tensor *x = row(1);
    tern_capture_begin(ctx, &x, 1);
    cr_assert(tern_is_capturing(ctx));
    tern_tensor *unread = tern_sin(x);
    tern_tensor *out = tern_add(tern_exp(tern_sum(x)), tern_arange(ctx, 0, 3, 1));
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    cr_assert(!tern_is_capturing(ctx) && unread);
    tern_replay_info info = tern_replay_describe(replay);
    cr_assert(info.launches < info.captured_launches, "%zu of %zu", info.launches,
              info.captured_launches);
    cr_assert(info.block_bytes > 0 && info.kept_bytes >= 12);
    tern_tensor *other = row(0);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_replay_output(replay, 0), 0), tern_item(tern_exp(tern_sum(other))),
                       0);
    cr_assert_float_eq(at(out, 2), at(tern_add_scalar(tern_exp(tern_sum(other)), 2), 0), 0);
    cr_assert(tern_is_nil(tern_replay_output(replay, 1)));
    CHECK_ERROR("tern_replay_output: number 1 of 1 outputs");
    tern_replay_free(replay);
    cr_assert_eq(tern_replay_run(replay, &other, 1), TERN_ERR_STATE);
    tern_error_clear(ctx);
}

/* A tensor from outside that holds one number, in no memory yet, is read as it is at each run. */
Test(replay_plan, state_from_outside_is_read_and_written_where_it_is) {
    tern_tensor *x = row(1), *total = tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    tern_capture_begin(ctx, &x, 1);
    tern_add_in_place(total, x);
    tern_replay *replay = tern_capture_end(ctx, NULL, 0);
    for (int i = 0; i < 3; i++) tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(at(total, 0), 4, 0);
    tern_fill_in_place(total, 10);
    tern_replay_run(replay, &x, 1);
    cr_assert_float_eq(at(total, 2), 13, 0);
    tern_capture_begin(ctx, &x, 1); /* a number that the body writes itself is written again */
    tern_fill_in_place(total, 5);
    tern_add_in_place(total, x);
    replay = tern_capture_end(ctx, NULL, 0);
    for (int i = 0; i < 3; i++) tern_replay_run(replay, &x, 1);
    cr_assert_float_eq(at(total, 0), 6, 0);
    CHECK_CLEAN();
}

Test(replay_plan, a_view_of_an_input_follows_it) {
    tern_tensor *data = tern_reshape(tern_arange(ctx, 0, 24, 1), TERN_SHAPE(6, 4));
    tern_tensor *x = tern_slice(data, 0, 1, 3, 1);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_sum(tern_select(x, 0, 1));
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    x = tern_slice(data, 0, 4, 6, 1);
    tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_float_eq(tern_item(tern_replay_output(replay, 0)), 20 + 21 + 22 + 23, 0);
}

/* A device may keep a constant weight packed: for the weight that it was. */
Test(replay_plan, weights_that_change_between_runs_are_read_anew) {
    close_context();
    ctx = tern_open("cpu_simd");
    tern_manual_seed(ctx, 3);
    tern_module *m = tern_nn(ctx, "Linear(64, 64)");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(8, 64), NULL);
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_forward(m, x);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tern_forward(m, x);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    for (int i = 0; i < 3; i++) {
        tern_init_uniform(tern_module_tensor(m, "weight"), -1, 1, NULL);
        tern_replay_run(replay, &x, 1);
        tern_tensor *difference = tern_sub(tern_forward(m, x), tern_replay_output(replay, 0));
        cr_assert_lt(tern_item(tern_max(tern_abs(difference))), 1e-5);
    }
    tern_scope_end(scope);
    CHECK_CLEAN();
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { VGG_BATCH = 32 };

typedef struct vgg {
    tern_module *model;
    tern_optim *optim;
    tern_tensor *inputs[2];
} vgg;

static vgg vgg_on(const char *device) {
    tern_close(ctx);
    ctx = tern_open(device);
    cr_assert_not_null(ctx, "%s", device);
    tern_manual_seed(ctx, 1);
    vgg v = {0};
    v.model = tern_nn(
        ctx, "Sequential(Conv2d(1, 10, 3, padding=1), ReLU(), Conv2d(10, 10, 3, padding=1), "
             "ReLU(), MaxPool2d(2), Conv2d(10, 10, 3, padding=1), ReLU(), "
             "Conv2d(10, 10, 3, padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(490, 10))");
    v.optim = tern_optim_new(v.model, "SGD(lr=0.1)");
    v.inputs[0] = tern_rand(ctx, TERN_SHAPE(VGG_BATCH, 1, 28, 28), NULL);
    v.inputs[1] = tern_randint(ctx, 0, 10, TERN_SHAPE(VGG_BATCH), NULL);
    return v;
}

static tern_tensor *vgg_step(const vgg *v) {
    tern_optim_zero_grad(v->optim);
    tern_tensor *loss =
        tern_cross_entropy(tern_forward(v->model, v->inputs[0]), v->inputs[1], TERN_MEAN);
    tern_backward(loss);
    tern_optim_step(v->optim);
    return loss;
}

/* The most memory that an eager step needs, with weights, gradients and inputs. */
static uint64_t eager_peak(const vgg *v, double *out_loss) {
    for (int i = 0; i < 3; i++) {
        if (i == 1) tern_reset_peak(ctx); /* gradients are there */
        tern_scope scope = tern_scope_begin(ctx, 0);
        *out_loss = tern_item(vgg_step(v));
        tern_scope_end(scope);
    }
    return tern_stats_of(ctx).device_bytes_peak;
}

static uint64_t replayed_peak(const vgg *v, double *out_loss) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    vgg_step(v);
    tern_scope_end(scope);
    tern_capture_begin(ctx, v->inputs, 2);
    scope = tern_scope_begin(ctx, 0);
    tern_tensor *loss = vgg_step(v);
    tern_replay *replay = tern_capture_end(ctx, &loss, 1);
    tern_scope_end(scope);
    tern_reset_peak(ctx);
    tern_replay_run(replay, v->inputs, 2);
    *out_loss = tern_item(tern_replay_output(replay, 0));
    uint64_t peak = tern_stats_of(ctx).device_bytes_peak;
    tern_replay_info info = tern_replay_describe(replay);
    cr_assert_gt(info.repeated_launches, 0);
    cr_assert_lt(info.block_bytes, peak);
    /* the first block's output and the gradients of both its convolutions' outputs: one of them at a time may be
     * computed again, and a mask of one byte an element is kept */
    cr_assert_leq(info.block_bytes, (uint64_t)VGG_BATCH * 10 * 784 * (4 + 4 + 1) + 16384);
    return peak;
}

static void check_vgg(const char *device) {
    double eager, replayed;
    vgg v = vgg_on(device);
    uint64_t usual = eager_peak(&v, &eager);
    v = vgg_on(device);
    uint64_t planned = replayed_peak(&v, &replayed);
    CHECK_CLEAN();
    cr_assert(eager == replayed, "%s: %a, %a", device, eager, replayed);
    cr_assert_leq((double)planned, 0.6 * (double)usual, "%s: %llu of %llu bytes", device,
                  (unsigned long long)planned, (unsigned long long)usual);
}

Test(replay_plan, a_planned_tinyvgg_step_needs_three_fifths_of_the_memory) {
    check_vgg("cpu_ref");
}

Test(replay_plan, so_it_does_on_the_fast_device) {
    check_vgg("cpu_simd");
}

/* What a launch reads or writes twice, what a later one reads, and what lies in a part of it is not replaced. */
static tern_tensor *tangle(tern_tensor *x) {
    tern_tensor *a = tern_mul_scalar(x, 3);
    tern_tensor *b = tern_add(a, tern_transpose(a, 0, 1));
    tern_tensor *c = tern_mul(b, b);
    tern_tensor *d = tern_add(tern_select(c, 0, 0), tern_select(c, 0, 1));
    tern_tensor *e = tern_exp(tern_neg(tern_relu(tern_sub(c, tern_mul_scalar(b, 0.5)))));
    tern_tensor *f = tern_mul_scalar(e, 2); /* not after e has changed */
    tern_add_in_place(e, tern_unsqueeze(d, 0));
    e = tern_mul(e, f);
    return tern_add(tern_sum(tern_mul(e, c)), tern_sum(tern_gt_scalar(b, 0)));
}

Test(replay_plan, launches_that_tangle_give_the_same_bits) {
    tern_manual_seed(ctx, 4);
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(16, 16), NULL);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *out = tangle(x);
    tern_replay *replay = tern_capture_end(ctx, &out, 1);
    CHECK_CLEAN();
    for (int i = 0; i < 3; i++) {
        tern_tensor *y = tern_randn(ctx, TERN_SHAPE(16, 16), NULL);
        double wanted = tern_item(tangle(y));
        tern_replay_run(replay, &y, 1);
        cr_assert(tern_item(tern_replay_output(replay, 0)) == wanted, "%d", i);
    }
    CHECK_CLEAN();
}

/* What waits is not computed again where what it is made of has changed since. */
Test(replay_plan, what_is_made_of_changed_values_is_kept) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(64, 64), TERN_FLOAT32);
    tern_tensor *w = tern_ones(ctx, TERN_SHAPE(64, 64), TERN_FLOAT32);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *waits = tern_mul(x, w), *parts[4];
    tern_add_in_place(w, x);
    for (int i = 0; i < 4; i++) parts[i] = tern_matmul(tern_matmul(tern_exp(x), x), x);
    tern_tensor *fullest = tern_cat(parts, 4, 0);
    tern_tensor *one = tern_sign(tern_sum(fullest));
    tern_tensor *out[] = {one, tern_sum(tern_mul(waits, one))};
    tern_replay *replay = tern_capture_end(ctx, out, 2);
    for (int i = 2; i < 5; i++) {
        tern_replay_run(replay, &x, 1);
        CHECK_CLEAN();
        cr_assert_eq(tern_item(tern_replay_output(replay, 1)), 4096.0 * i);
    }
    cr_assert_eq(tern_replay_describe(replay).repeated_launches, 0);
}
