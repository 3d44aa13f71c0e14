/* Updates: formulas that write, over many tuples in one launch, and step by step with the same bits. */
#include <math.h>
#include <string.h>

#include "patched_device.h"
#include "tern/grad.h"
#include "tern/optim.h"
#include "tern/tern.h"
#include "tern/update.h"

static tern_ctx *ctx;

static struct {
    int launches, n_inputs, n_outputs; /* of MAP; those of the last */
    uint32_t flags;
    tern_operand operands[1024];
} seen;

static int32_t watching_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                               const tern_operand *inputs, int32_t n_inputs,
                               const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                               uint32_t attrs_size, tern_backend_error *err) {
    if (kernel == TERN_KERNEL_MAP) {
        seen.launches++;
        seen.n_inputs = n_inputs;
        seen.n_outputs = n_outputs;
        seen.flags = ((const tern_map_attrs *)attrs)->flags;
        cr_assert_leq(n_inputs, 1024);
        memcpy(seen.operands, inputs, (size_t)n_inputs * sizeof *inputs);
    }
    return real.launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                       attrs_size, err);
}

static void open_watched(void) {
    patch_device("cpu_ref");
    table->launch = watching_launch;
    ctx = open_patched();
    memset(&seen, 0, sizeof seen);
}
static void close_watched(void) {
    tern_close(ctx);
    unpatch_device();
}

TestSuite(updates, .init = open_watched, .fini = close_watched);

/* ---- one launch ------------------------------------------------------------------------------ */

enum { PARAMETERS = 40 };

/* Leaves of mixed shapes, one of them empty and one with strides of its own. */
static tern_value make_parameters(tern_dtype dtype, tern_tensor **out, int count) {
    tern_value list = tern_list_new(ctx);
    for (int i = 0; i < count; i++) {
        tern_shape shape = i == 3  ? TERN_SHAPE(0, 4)
                           : i % 3 ? TERN_SHAPE(1 + i % 7)
                                   : TERN_SHAPE(2, 1 + i % 5);
        tern_tensor *p = tern_to_dtype(tern_randn(ctx, shape, NULL), dtype);
        if (i == 6) p = tern_transpose(p, 0, 1);
        out[i] = tern_requires_grad(tern_detach(p), true);
        tern_list_append(list, tern_tensor_value(out[i]));
    }
    return list;
}

static void set_gradients(tern_tensor *const *parameters, int count) {
    for (int i = 0; i < count; i++) {
        tern_tensor *g = tern_randn(ctx, tern_shape_of(parameters[i]), NULL);
        tern_set_grad(parameters[i], tern_to_dtype(g, tern_dtype_of(parameters[i])));
    }
}

static tern_optim *make(tern_value parameters, const char *text) {
    tern_value call = tern_notation_parse(ctx, "test", text);
    return tern_optim_make(ctx, parameters, tern_dict_get(call, "module").as.s,
                           tern_dict_get(call, "args"));
}

static void step(tern_optim *optim) {
    cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
}

Test(updates, of_all_parameters_are_one_launch) {
    static const char *const optimizers[] = {"SGD(lr=0.1)", "SGD(lr=0.1, momentum=0.9)", "Adam()",
                                             "AdamW()"};
    for (int k = 0; k < 4; k++) {
        tern_tensor *p[PARAMETERS];
        tern_optim *optim = make(make_parameters(TERN_FLOAT32, p, PARAMETERS), optimizers[k]);
        set_gradients(p, PARAMETERS);
        for (int i = 0; i < 3; i++) step(optim);
        uint64_t before = tern_stats_of(ctx).launches;
        step(optim);
        cr_assert_eq(tern_stats_of(ctx).launches - before, 1, "%s", optimizers[k]);
        cr_assert_eq(seen.n_outputs % (PARAMETERS - 1), 0, "%s: %d outputs", optimizers[k],
                     seen.n_outputs);
        cr_assert(seen.flags & TERN_MAP_SKIPS);
    }
}

/* Adam's inputs are p, g, m, v and numbers: all that is written is flagged, and nothing else. */
Test(updates, say_which_inputs_they_write) {
    tern_tensor *p[5];
    tern_optim *optim = make(make_parameters(TERN_FLOAT32, p, 5), "Adam()");
    set_gradients(p, 5);
    step(optim);
    step(optim);
    int tuples = seen.n_outputs / 3, each = seen.n_inputs / tuples, written = 0;
    cr_assert_eq(tuples, 4);
    for (int i = 0; i < seen.n_inputs; i++) {
        bool flagged = seen.operands[i].flags & TERN_OPERAND_ALIASES_OUTPUT;
        written += flagged;
        cr_assert_eq(flagged, i % each != 1 && i % each < 4, "input %d", i);
        cr_assert_eq(seen.operands[i].buffer == NULL, i % each >= 4, "input %d", i);
    }
    cr_assert_eq(written, 3 * tuples);
}

/* A parameter without a gradient rests, and its step number with it. */
Test(updates, have_numbers_of_their_own_for_each_tuple) {
    tern_tensor *p[3], *q[3];
    tern_manual_seed(ctx, 1);
    tern_optim *late = make(make_parameters(TERN_FLOAT32, p, 3), "Adam(lr=0.5)");
    tern_manual_seed(ctx, 1);
    tern_optim *alone = make(make_parameters(TERN_FLOAT32, q, 3), "Adam(lr=0.5)");
    set_gradients(p, 2);
    step(late);
    tern_tensor *g = tern_ones_like(tern_detach(p[2]));
    tern_set_grad(p[2], g);
    tern_set_grad(q[2], g);
    seen.launches = 0;
    step(late);
    cr_assert_eq(seen.launches, 1);
    step(alone);
    cr_assert(tern_equal(tern_detach(p[2]), tern_detach(q[2])));
    cr_assert_eq(tern_item(tern_optim_state(late, 0, "step")), 2);
    cr_assert_eq(tern_item(tern_optim_state(late, 2, "step")), 1);
}

/* ---- plans ----------------------------------------------------------------------------------- */

static struct {
    int prepared, launched, query_inputs, launch_inputs;
    unsigned char copy[4096];
    uint32_t size;
} planned;

static int32_t prepare_map(tern_bdevice *device, const tern_plan_query *query,
                           tern_bplan **out_plan, uint64_t *out_workspace,
                           tern_backend_error *err) {
    (void)device, (void)err;
    planned.prepared++;
    planned.query_inputs = query->n_inputs;
    planned.size = query->attrs_size;
    memcpy(planned.copy, query->attrs, query->attrs_size);
    *out_plan = (tern_bplan *)(void *)&planned;
    *out_workspace = 0;
    return TERN_BACKEND_OK;
}

static int32_t launch_map_plan(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                               const tern_operand *inputs, int32_t n_inputs,
                               const tern_operand *outputs, int32_t n_outputs,
                               tern_bbuffer *workspace, uint64_t offset, tern_backend_error *err) {
    (void)plan, (void)workspace, (void)offset;
    planned.launched++;
    planned.launch_inputs = n_inputs;
    return real.launch(device, queue, TERN_KERNEL_MAP, inputs, n_inputs, outputs, n_outputs,
                       planned.copy, planned.size, err);
}

static void free_plan(tern_bdevice *device, tern_bplan *plan) {
    (void)device, (void)plan;
}

Test(updates, are_planned_for_one_tuple_and_launched_for_all) {
    tern_tensor *p[9];
    tern_optim *optim = make(make_parameters(TERN_FLOAT32, p, 9), "SGD(lr=0.5)");
    set_gradients(p, 9);
    step(optim);
    table->planned[TERN_KERNEL_MAP / 64] |= UINT64_C(1) << TERN_KERNEL_MAP % 64;
    table->prepare = prepare_map;
    table->launch_plan = launch_map_plan;
    table->plan_free = free_plan;
    seen.launches = 0;
    step(optim);
    step(optim);
    cr_assert_eq(planned.prepared, 1);
    cr_assert_eq(planned.launched, 2);
    cr_assert_eq(planned.query_inputs, 3);
    cr_assert_eq(planned.launch_inputs, 3 * 8);
    cr_assert_eq(seen.launches, 0);
}

/* ---- step by step ---------------------------------------------------------------------------- */

static bool supports_no_map(tern_bdevice *device, const tern_kernel_query *query,
                            const char **out_reason) {
    *out_reason = "the test says no";
    return query->kernel != TERN_KERNEL_MAP && real.supports(device, query, out_reason);
}

static const char *const every_optimizer[] = {
    "SGD(lr=0.1)",
    "SGD(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01, maximize=True)",
    "SGD(lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)",
    "Adam(weight_decay=0.1, amsgrad=True, maximize=True)",
    "AdamW()",
    "Adamax(weight_decay=0.1)",
    "NAdam(weight_decay=0.1, decoupled_weight_decay=True)",
    "RAdam(weight_decay=0.1)",
    "Adagrad(lr_decay=0.1)",
    "Adadelta()",
    "RMSprop(momentum=0.9, centered=True)",
    "Rprop()",
    "ASGD(t0=2, weight_decay=0.1)",
    "Adafactor(weight_decay=0.1)",
};

enum { STEPS = 7, FEW = 8 };

/* Runs the steps and gives the parameters and all of the state as one line of numbers. */
static tern_tensor *after_steps(const char *optimizer, tern_dtype dtype) {
    tern_tensor *p[FEW], *parts[256];
    int n = 0;
    tern_manual_seed(ctx, 5);
    tern_optim *optim = make(make_parameters(dtype, p, FEW), optimizer);
    for (int i = 0; i < STEPS; i++) {
        set_gradients(p, FEW);
        step(optim);
    }
    for (int i = 0; i < FEW; i++) parts[n++] = tern_detach(p[i]);
    tern_value state = tern_dict_get(tern_optim_state_dict(optim), "state"), key, of, name, item;
    for (size_t i = 0; tern_dict_at(state, i, &key, &of); i++)
        for (size_t k = 0; tern_dict_at(of, k, &name, &item); k++) parts[n++] = item.as.tensor;
    for (int i = 0; i < n; i++)
        parts[i] = tern_reshape(tern_to_dtype(parts[i], TERN_FLOAT64), TERN_SHAPE(-1));
    return tern_cat(parts, n, 0);
}

Test(updates, have_the_same_bits_step_by_step) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    static double fused[4096], composed[4096];
    for (size_t i = 0; i < sizeof every_optimizer / sizeof *every_optimizer; i++)
        for (int d = 0; d < 4; d++) {
            tern_ctx *with_map = ctx;
            tern_tensor *all = after_steps(every_optimizer[i], dtypes[d]);
            size_t count = (size_t)tern_numel(all);
            cr_assert(count > FEW && count <= 4096 && seen.launches > 0);
            tern_to_host(all, fused, count * sizeof *fused);
            table->supports = supports_no_map;
            ctx = open_patched();
            seen.launches = 0;
            all = after_steps(every_optimizer[i], dtypes[d]);
            cr_assert_eq(seen.launches, 0);
            cr_assert_eq((size_t)tern_numel(all), count);
            tern_to_host(all, composed, count * sizeof *composed);
            cr_assert(memcmp(fused, composed, count * sizeof *fused) == 0, "%s of %s",
                      every_optimizer[i], tern_dtype_name(dtypes[d]));
            tern_close(ctx);
            table->supports = real.supports;
            ctx = with_map;
        }
}

/* The memory between steps is that of the largest parameter, however many there are, and none of it is
 * asked for once a weight has changed. */
static int allocations_behind_a_write;
static bool written;
static const void *watched;

static int32_t noting_launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                             const tern_operand *inputs, int32_t n_inputs,
                             const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                             uint32_t attrs_size, tern_backend_error *err) {
    written = written || outputs[0].buffer == watched;
    return real.launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                       attrs_size, err);
}

static int32_t noting_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    allocations_behind_a_write += written;
    return real.buffer_alloc(device, bytes, out_buffer, err);
}

Test(updates, allocate_nothing_between_the_writes_of_steps) {
    table->supports = supports_no_map;
    table->launch = noting_launch;
    table->buffer_alloc = noting_alloc;
    tern_tensor *p[PARAMETERS];
    tern_optim *optim = make(make_parameters(TERN_FLOAT32, p, PARAMETERS), "Adam(amsgrad=True)");
    set_gradients(p, PARAMETERS);
    watched = BODY(p[0])->storage->buffer;
    for (int i = 0; i < 2; i++) {
        tern_empty_cache(ctx);
        written = false;
        step(optim);
        cr_assert(written);
        cr_assert_eq(allocations_behind_a_write, 0);
    }
}

/* ---- clipping -------------------------------------------------------------------------------- */

static bool supports_no_list(tern_bdevice *device, const tern_kernel_query *query,
                             const char **out_reason) {
    *out_reason = "the test says no";
    return query->kernel != TERN_KERNEL_REDUCE_LIST && query->kernel != TERN_KERNEL_MAP &&
           real.supports(device, query, out_reason);
}

/* The norm and a sum over the clipped gradients. */
static uint64_t clip(double norm_type, double max_norm, double out[2]) {
    tern_tensor *p[PARAMETERS], *sums[PARAMETERS];
    tern_manual_seed(ctx, 9);
    tern_value list = make_parameters(TERN_FLOAT32, p, PARAMETERS);
    set_gradients(p, PARAMETERS);
    uint64_t before = tern_stats_of(ctx).launches;
    tern_tensor *norm = tern_clip_grad_norm(ctx, list, max_norm, norm_type, false);
    uint64_t launches = tern_stats_of(ctx).launches - before;
    for (int i = 0; i < PARAMETERS; i++)
        sums[i] = tern_sum(tern_mul_scalar(tern_grad_of(p[i]), i + 1));
    out[0] = tern_item(norm);
    out[1] = tern_item(tern_sum(tern_stack(sums, PARAMETERS, 0)));
    return launches;
}

Test(updates, clipping_is_three_launches_and_the_same_bits_in_many) {
    static const double types[] = {2, 1, 0, 3, 0.5, INFINITY, -INFINITY};
    double warm_up[2], fused[2], composed[2];
    clip(2, 1, warm_up); /* tries its program out */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        tern_ctx *with_lists = ctx;
        cr_assert_leq(clip(types[i], 0.5, fused), 3);
        table->supports = supports_no_list;
        ctx = open_patched();
        cr_assert_gt(clip(types[i], 0.5, composed), 3);
        cr_assert(memcmp(fused, composed, sizeof fused) == 0, "norm of order %g: %g, %g", types[i],
                  fused[0], composed[0]);
        tern_close(ctx);
        table->supports = real.supports;
        ctx = with_lists;
    }
}

/* Tensors of two dtypes are measured apart, and their norms together. */
Test(updates, norms_of_two_dtypes_are_one) {
    const float data[] = {3, 4};
    tern_value list = tern_list_new(ctx);
    tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE(2), TERN_FLOAT32);
    for (int i = 0; i < 3; i++)
        tern_list_append(list, tern_tensor_value(i == 1 ? tern_to_dtype(x, TERN_FLOAT64) : x));
    tern_list_append(list, tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT32)));
    tern_tensor *norm = tern_total_norm(ctx, list, 2, false);
    cr_assert_float_eq(tern_item(norm), sqrt(75), 1e-6, "%s", tern_error(ctx));
    cr_assert_eq(tern_dtype_of(norm), TERN_FLOAT32);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static tern_updater *updater(const char *formula) {
    tern_update_rule rule = {formula, "a b c", "n", "yes"};
    return tern_updater_of(ctx, &rule, 1, TERN_FLOAT32);
}

static tern_tensor *three(float x) {
    const float data[] = {x, x + 1, x + 2};
    return tern_from_data(ctx, data, TERN_SHAPE(3), TERN_FLOAT32);
}

static double first(tern_tensor *x) {
    return tern_item(tern_select(x, 0, 0));
}

/* Both read before either is written, in one launch and step by step. */
Test(updates, read_all_before_they_write) {
    for (int round = 0; round < 2; round++) {
        tern_tensor *tuple[] = {three(1), three(10), NULL};
        const double numbers[] = {2};
        tern_updater *u = updater("a = b; b = a * n; b = b if yes else a; a = a + 1");
        cr_assert_eq(tern_update_start(tern_updater_prepare(u, tuple, numbers, 1)), TERN_OK, "%s",
                     tern_error(ctx));
        cr_assert_eq(first(tuple[0]), 11);
        cr_assert_eq(first(tuple[1]), 20);
        tern_tensor *exchanged[] = {three(1), three(10), NULL};
        u = updater("c = a; a = b; b = c; c = 0 * c");
        exchanged[2] = three(0);
        tern_update_start(tern_updater_prepare(u, exchanged, numbers, 1));
        cr_assert_eq(first(exchanged[0]), 10);
        cr_assert_eq(first(exchanged[1]), 1);
        tern_close(ctx);
        table->supports = supports_no_map;
        ctx = open_patched();
    }
}

Test(updates, refuse_what_they_cannot_do) {
    static const char *const wrong[][2] = {
        {"a + 1", "column 1: expected a name and '='"},
        {"a = b +", "column 8: expected a value"},
        {"a = z", "there is no 'z'"},
        {"x = b", "reads or writes nothing"},
        {"a = add(a, b, n * 2)", "the factor of a step is a number or a name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_null(updater(wrong[i][0]));
        cr_assert_not_null(strstr(tern_error(ctx), wrong[i][1]), "%s", tern_error(ctx));
        tern_error_clear(ctx);
    }
    tern_tensor *tuple[] = {three(1), NULL, NULL};
    const double number = 1;
    cr_assert_null(tern_updater_prepare(updater("a = a + b"), tuple, &number, 1));
    cr_assert_not_null(strstr(tern_error(ctx), "is missing"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tuple[0] = tern_as_strided(three(1), TERN_SHAPE(3), TERN_SHAPE(0), 0);
    cr_assert_null(tern_updater_prepare(updater("a = a + n"), tuple, &number, 1));
    cr_assert_not_null(strstr(tern_error(ctx), "share memory"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}
