/* Steps behind an error that the device has not told yet: they write nothing and count for nothing. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "patched_device.h"

#include "tern/tern.h"
#include "test_plugins.h"

static tern_ctx *ctx;
static int waits;

static int32_t counting_wait(tern_bdevice *device, tern_bqueue *queue, tern_backend_error *err) {
    waits++;
    return real.queue_synchronize(device, queue, err);
}

TestSuite(skips, .init = find_test_plugins, .fini = forget_test_plugins);

enum { PARAMETERS = 3, NUMBERS = 64 };

typedef struct training {
    tern_tensor *p[PARAMETERS];
    tern_optim *optim;
} training;

static void open_device(const char *name) {
    patch_device(name);
    table->queue_synchronize = counting_wait;
    ctx = open_patched();
}
static void close_device(void) {
    tern_close(ctx);
    unpatch_device();
}

static training begin(const char *optimizer) {
    training t;
    tern_manual_seed(ctx, 3);
    tern_value list = tern_list_new(ctx), call = tern_notation_parse(ctx, "test", optimizer);
    for (int i = 0; i < PARAMETERS; i++) {
        t.p[i] = tern_requires_grad(tern_randn(ctx, TERN_SHAPE(2, 1 + i), NULL), true);
        tern_list_append(list, tern_tensor_value(t.p[i]));
    }
    t.optim =
        tern_optim_make(ctx, list, tern_dict_get(call, "module").as.s, tern_dict_get(call, "args"));
    return t;
}

static void set_gradients(const training *t, double seed) {
    for (int i = 0; i < PARAMETERS; i++) {
        tern_tensor *g = tern_full(ctx, tern_shape_of(t->p[i]), seed + i, TERN_FLOAT32);
        tern_set_grad(t->p[i], tern_cos(g));
    }
}

static tern_status step(const training *t, double seed) {
    set_gradients(t, seed);
    return tern_optim_step(t->optim);
}

/* Reads a row that is not there. */
static void go_wrong(void) {
    const int64_t rows[] = {7};
    tern_tensor *index = tern_from_data(ctx, rows, TERN_SHAPE(1), TERN_INT64);
    tern_embedding(index, tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32));
}

/* Parameters and state, as numbers. */
static int numbers_of(const training *t, double out[NUMBERS]) {
    tern_tensor *parts[NUMBERS];
    int n = 0;
    for (int i = 0; i < PARAMETERS; i++) parts[n++] = tern_detach(t->p[i]);
    tern_value state = tern_dict_get(tern_optim_state_dict(t->optim), "state"), key, of, name, item;
    for (size_t i = 0; tern_dict_at(state, i, &key, &of); i++)
        for (size_t k = 0; tern_dict_at(of, k, &name, &item); k++) parts[n++] = item.as.tensor;
    for (int i = 0; i < n; i++)
        parts[i] = tern_reshape(tern_to_dtype(parts[i], TERN_FLOAT64), TERN_SHAPE(-1));
    tern_tensor *all = tern_cat(parts, n, 0);
    int count = (int)tern_numel(all);
    cr_assert(count >= 12 && count <= NUMBERS, "%s", tern_error(ctx));
    tern_to_host(all, out, (size_t)count * sizeof *out);
    return count;
}

static void expect_numbers(const training *t, const double *expected, int count, const char *what) {
    double numbers[NUMBERS];
    cr_assert_eq(numbers_of(t, numbers), count, "%s", what);
    cr_assert(memcmp(numbers, expected, (size_t)count * sizeof *numbers) == 0, "%s", what);
}

static const char *const optimizers[] = {"SGD(lr=0.1, momentum=0.9, dampening=0.5)",
                                         "Adam(lr=0.1)",
                                         "AdamW(amsgrad=True)",
                                         "NAdam()",
                                         "ASGD(t0=1)",
                                         "Adagrad(lr_decay=0.1)",
                                         "Rprop()",
                                         "Adafactor(weight_decay=0.1)"};

/* `good` steps, then an error with three steps behind it, then a good step: as if nothing had been. */
static void check_skipped(const char *device, const char *optimizer, int good) {
    double before[NUMBERS], after[NUMBERS];
    open_device(device);
    training t = begin(optimizer);
    for (int i = 0; i < good; i++) cr_assert_eq(step(&t, i), TERN_OK, "%s", tern_error(ctx));
    int n_before = numbers_of(&t, before);
    cr_assert_eq(step(&t, 10), TERN_OK);
    int n_after = numbers_of(&t, after);

    t = begin(optimizer);
    for (int i = 0; i < good; i++) step(&t, i);
    go_wrong();
    waits = 0;
    for (int i = 0; i < 3; i++) cr_assert_eq(step(&t, 20 + i), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(waits, 0, "%s waits", optimizer);
    cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX);
    cr_assert_not_null(strstr(tern_error(ctx), "index 7 is out of bounds"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    expect_numbers(&t, before, n_before, optimizer);
    cr_assert_eq(step(&t, 10), TERN_OK, "%s", tern_error(ctx));
    expect_numbers(&t, after, n_after, optimizer);
    close_device();
}

Test(skips, leave_weights_state_and_counts_as_they_were) {
    static const char *const devices[] = {"delaying", "delaying:1", "discrete"};
    for (int d = 0; d < 3; d++)
        for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
            for (int good = 0; good < 3; good += 2) check_skipped(devices[d], optimizers[i], good);
}

/* Steps that no call waits for: some are under way, then the oldest is waited for. */
Test(skips, are_told_when_many_steps_are_under_way) {
    double before[NUMBERS];
    open_device("delaying");
    training t = begin("Adam(lr=0.1)");
    step(&t, 0);
    int count = numbers_of(&t, before);
    for (int i = 0; i < 3; i++) step(&t, 1); /* the first of these waits for nothing */
    tern_check(ctx);
    waits = 0;
    for (int i = 0; i < TERN_SKIPS_STEPS; i++) cr_assert_eq(step(&t, 1), TERN_OK);
    cr_assert_eq(waits, 0);
    cr_assert_eq(step(&t, 1), TERN_OK);
    cr_assert_eq(waits, 1);

    t = begin("Adam(lr=0.1)");
    step(&t, 0);
    go_wrong();
    tern_status status = TERN_OK;
    int steps = 0;
    for (; steps < 3 * TERN_SKIPS_STEPS && status == TERN_OK; steps++) status = step(&t, 2);
    cr_assert_eq(status, TERN_ERR_INDEX);
    cr_assert(steps > 1 && steps <= TERN_SKIPS_STEPS + 1, "%d", steps);
    tern_error_clear(ctx);
    expect_numbers(&t, before, count, "Adam");
    close_device();
}

/* A later error takes back its own steps, and not those of an earlier one a second time. */
Test(skips, are_taken_back_once) {
    double after[NUMBERS];
    open_device("delaying");
    training t = begin("Adam(lr=0.1)");
    for (int i = 0; i < 3; i++) step(&t, i);
    int count = numbers_of(&t, after);
    t = begin("Adam(lr=0.1)");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(step(&t, i), TERN_OK);
        go_wrong();
        step(&t, 30);
        cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX);
        tern_error_clear(ctx);
    }
    expect_numbers(&t, after, count, "Adam");
    close_device();
}

/* Of an optimizer on two devices, the steps of the one that met the error. The other is not waited for in
 * between, so that its steps stay under way. */
Test(skips, are_those_of_one_device) {
    open_device("delaying");
    tern_tensor *p[2];
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < 2; i++) {
        tern_tensor *values = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32);
        p[i] = tern_requires_grad(tern_to_device(values, i ? "delaying:1" : "delaying:0"), true);
        tern_list_append(list, tern_tensor_value(p[i]));
    }
    tern_optim *optim = tern_optim_make(ctx, list, "Adam", tern_none());
    for (int i = 0; i < 2; i++) tern_set_grad(p[i], tern_ones_like(tern_detach(p[i])));
    for (int round = 0; round < 3; round++) {
        cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
        go_wrong();
        cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX);
        tern_error_clear(ctx);
    }
    cr_assert_eq(tern_item(tern_optim_state(optim, 0, "step")), 3);
    cr_assert_eq(tern_item(tern_optim_state(optim, 1, "step")), 6);
    close_device();
}

/* State that is looked at is known to be right. */
Test(skips, are_known_to_who_looks_at_the_state) {
    open_device("delaying");
    training t = begin("Adam(lr=0.1)");
    step(&t, 0);
    cr_assert_eq(tern_item(tern_optim_state(t.optim, 0, "step")), 1);
    go_wrong();
    cr_assert_eq(step(&t, 1), TERN_OK);
    cr_assert_eq(tern_optim_state_dict(t.optim).kind, TERN_VALUE_NONE);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_INDEX);
    cr_assert_eq(tern_item(tern_optim_state(t.optim, 0, "step")), 1);
    close_device();
}

/* An optimizer may end while its last step is under way. */
Test(skips, end_with_their_optimizer) {
    open_device("delaying");
    training t = begin("Adam(lr=0.1)");
    step(&t, 0);
    tern_optim_free(t.optim);
    go_wrong();
    cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX);
    tern_error_clear(ctx);
    close_device();
}

/* What clipping scales is no weight, but the gradients are left alone too. */
Test(skips, clipping_leaves_the_gradients) {
    open_device("delaying");
    training t = begin("SGD()");
    set_gradients(&t, 0);
    double before = tern_item(tern_sum(tern_grad_of(t.p[2])));
    go_wrong();
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < PARAMETERS; i++) tern_list_append(list, tern_tensor_value(t.p[i]));
    waits = 0;
    tern_clip_grad_norm(ctx, list, 0.1, 2, false);
    cr_assert_eq(waits, 0);
    cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX);
    tern_error_clear(ctx);
    cr_assert_eq(tern_item(tern_sum(tern_grad_of(t.p[2]))), before);
    close_device();
}

/* ---- devices that cannot skip ---------------------------------------------------------------- */

static bool supports_no_map(tern_bdevice *device, const tern_kernel_query *query,
                            const char **out_reason) {
    *out_reason = "the test says no";
    return query->kernel != TERN_KERNEL_MAP && real.supports(device, query, out_reason);
}

/* A queue without a flag, or without MAP, is waited for; a device without a queue has told at once. */
static void check_refused(const char *device, bool flag, bool map) {
    double before[NUMBERS];
    patch_device(device);
    if (!flag) table->skip_flag = NULL;
    if (!map) table->supports = supports_no_map;
    ctx = open_patched();
    training t = begin("Adam(lr=0.1)");
    cr_assert_eq(step(&t, 0), TERN_OK, "%s", tern_error(ctx));
    int count = numbers_of(&t, before);
    set_gradients(&t, 1);
    go_wrong();
    cr_assert_eq(tern_optim_step(t.optim), TERN_ERR_INDEX, "%s", device);
    tern_error_clear(ctx);
    expect_numbers(&t, before, count, device);
    close_device();
}

Test(skips, need_a_flag_and_the_kernel) {
    check_refused("delaying", false, true);
    check_refused("delaying", true, false);
    check_refused("discrete", false, true);
    check_refused("discrete", true, false);
    check_refused("minimal", false, false);
    check_refused("cpu_ref", false, true);
}
