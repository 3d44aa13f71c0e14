/* Plans: made once, compared whole, bounded, and done without where there is no memory for them. */
#include "patched_device.h"

#include <stdlib.h>
#include <string.h>

#include "core/call/launch.h"
#include "core/call/plan.h"

struct tern_bplan {
    int32_t kernel;
};

static int asked, alive, launched; /* calls of prepare, plans, launches by plan */
static int32_t answer;             /* of prepare */
static uint64_t workspace;         /* that plans want */
static const tern_bbuffer *seen_workspace;
static uint64_t seen_stamp;

static int32_t prepare(tern_bdevice *device, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    (void)device;
    asked++;
    seen_stamp = query->inputs[0].stamp;
    cr_assert_eq(query->struct_size, sizeof *query);
    for (int i = 0; i < query->n_inputs; i++) cr_assert_null(query->inputs[i].buffer);
    cr_assert_null(query->outputs[0].buffer);
    if (answer != TERN_BACKEND_OK) {
        strcpy(err->message, "its columns are odd");
        return answer;
    }
    alive++;
    *out_plan = malloc(sizeof **out_plan);
    (*out_plan)->kernel = query->kernel;
    *out_workspace = workspace;
    return TERN_BACKEND_OK;
}

static const void *plan_attrs; /* of the test's plans: matmul's defaults */
static uint32_t plan_attrs_size;

static int32_t launch_plan(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *buffer,
                           uint64_t offset, tern_backend_error *err) {
    launched++;
    seen_workspace = buffer;
    cr_assert_eq(offset % table->alignment, 0);
    return real.launch(device, queue, plan->kernel, inputs, n_inputs, outputs, n_outputs,
                       plan_attrs, plan_attrs_size, err);
}

static void plan_free(tern_bdevice *device, tern_bplan *plan) {
    (void)device;
    alive--;
    free(plan);
}

static tern_ctx *ctx;

static void open_planned(void) {
    static const tern_matmul_attrs matmul = {1, 0, 1, 0};
    plan_attrs = &matmul;
    plan_attrs_size = sizeof matmul;
    asked = alive = launched = 0;
    answer = TERN_BACKEND_OK;
    workspace = 0;
    patch_device("cpu_ref");
    table->planned[0] = UINT64_C(1) << TERN_KERNEL_MATMUL;
    table->prepare = prepare;
    table->launch_plan = launch_plan;
    table->plan_free = plan_free;
    ctx = open_patched();
}

static void close_planned(void) {
    tern_close(ctx);
    cr_assert_eq(alive, 0, "%d plans outlive their context", alive);
    unpatch_device();
}

TestSuite(plan, .init = open_planned, .fini = close_planned);

/* The sum of ones[rows, 3] x ones[3, 2]. */
static double product(int64_t rows) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    double sum = tern_item(tern_sum(tern_matmul(tern_ones(ctx, TERN_SHAPE(rows, 3), TERN_FLOAT32),
                                                tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32))));
    tern_scope_end(scope);
    return sum;
}

Test(plan, is_made_once_for_a_shape) {
    for (int i = 0; i < 5; i++) cr_assert_eq(product(4), 24);
    cr_assert_eq(asked, 1);
    cr_assert_eq(launched, 5);
    cr_assert_eq(product(5), 30);
    cr_assert_eq(product(4), 24);
    cr_assert_eq(product(5), 30);
    cr_assert_eq(asked, 2);
    cr_assert_null(seen_workspace);
}

Test(plan, of_a_family_that_was_not_asked_for_is_never_made) {
    table->planned[0] = 0;
    cr_assert_eq(product(4), 24);
    cr_assert_eq(asked, 0);
}

Test(plan, depends_on_strides_and_dtypes) {
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(3, 3), TERN_FLOAT32);
    tern_tensor *b = tern_rand(ctx, TERN_SHAPE(3, 3), TERN_FLOAT32);
    tern_matmul(a, b);
    tern_matmul(a, tern_t(b));
    cr_assert_eq(asked, 2);
    tern_matmul(tern_to_dtype(a, TERN_FLOAT64), tern_to_dtype(b, TERN_FLOAT64));
    cr_assert_eq(asked, 3);
    tern_matmul(a, tern_t(b));
    cr_assert_eq(asked, 3);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

/* A product of a tensor that an owner keeps, as a module keeps its weights. */
static void weigh(tern_tensor *weight) {
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_matmul(weight, weight);
    tern_scope_end(scope);
}

Test(plan, of_a_constant_is_made_anew_when_that_was_written) {
    tern_owner *owner = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(owner, 0);
    tern_tensor *weight = tern_add_scalar(tern_rand(ctx, TERN_SHAPE(3, 3), TERN_FLOAT32), 0);
    tern_scope_end(scope);
    weigh(weight);
    weigh(weight);
    cr_assert_eq(asked, 1);
    cr_assert_neq(seen_stamp, 0);
    tern_add_scalar_in_place(weight, 1);
    weigh(weight);
    cr_assert_eq(asked, 2, "a plan of the old weights was used");
    tern_matmul(weight, weight);
    cr_assert_eq(seen_stamp, 0, "a stamp of what is no constant is shown");
}

Test(plan, are_bounded_and_the_oldest_goes) {
    for (int64_t rows = 1; rows <= 300; rows++) product(rows);
    cr_assert_eq(asked, 300);
    cr_assert_eq(alive, 256);
    product(300);
    product(45); /* the oldest that is left */
    cr_assert_eq(asked, 300);
    product(44);
    cr_assert_eq(asked, 301);
    product(45);
    cr_assert_eq(asked, 301, "the one that was used last went");
    product(46);
    cr_assert_eq(asked, 302, "the least recently used one stayed");
    cr_assert_eq(alive, 256);
}

Test(plan, gets_its_workspace_and_gives_it_back) {
    workspace = 1000;
    cr_assert_eq(product(4), 24);
    cr_assert_not_null(seen_workspace);
    const tern_bbuffer *first = seen_workspace;
    uint64_t held = tern_stats_of(ctx).device_bytes;
    cr_assert_eq(product(4), 24);
    cr_assert_eq(seen_workspace, first, "the workspace was not used again");
    cr_assert_eq(tern_stats_of(ctx).device_bytes, held);
}

Test(plan, without_memory_is_done_without) {
    answer = TERN_BACKEND_OUT_OF_MEMORY;
    cr_assert_eq(product(4), 24);
    cr_assert_eq(launched, 0);
    answer = TERN_BACKEND_OK;
    cr_assert_eq(product(4), 24);
    cr_assert_eq(launched, 1);
    static const uint64_t impossible[] = {UINT64_MAX, UINT64_MAX - 63, UINT64_C(1) << 63,
                                          UINT64_C(1) << 62, UINT64_C(1) << 60};
    for (int i = 0; i < 5; i++) {
        workspace = impossible[i];
        cr_assert_eq(product(5 + i), 6 * (5 + i));
        cr_assert_eq(launched, 1);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

Test(plan, that_the_device_refuses_is_an_error_with_the_reason) {
    answer = TERN_BACKEND_UNSUPPORTED;
    product(4);
    cr_assert_not_null(
        strstr(tern_error(ctx),
               "device cpu_ref has no kernel for matmul (float32, float32 -> float32): its "
               "columns are odd"),
        "%s", tern_error(ctx));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_UNSUPPORTED);
    product(4);
    cr_assert_eq(asked, 1, "a refusal is asked for again");
    cr_assert_not_null(strstr(tern_error(ctx), "its columns are odd"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(plan, of_a_primitive_may_not_be_declined) {
    answer = TERN_BACKEND_DECLINED;
    product(4);
    cr_assert_not_null(strstr(tern_error(ctx), "declined kernel matmul"), "%s", tern_error(ctx));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_DEVICE);
}

static bool supports_all(tern_bdevice *device, const tern_kernel_query *query,
                         const char **out_reason) {
    (void)device, (void)query;
    *out_reason = NULL;
    return true;
}

Test(plan, of_a_fused_kernel_may_be_declined) {
    table->supports = supports_all;
    table->planned[TERN_KERNEL_SOFTMAX / 64] |= UINT64_C(1) << TERN_KERNEL_SOFTMAX % 64;
    answer = TERN_BACKEND_DECLINED;
    tern_tensor *in = tern_ones(ctx, TERN_SHAPE(2, 4), TERN_FLOAT32);
    tern_tensor *out = tern_empty(ctx, TERN_SHAPE(2, 4), TERN_FLOAT32);
    tern_softmax_attrs attrs = {1, 0};
    for (int i = 0; i < 2; i++)
        cr_assert_not(tern_try_launch(ctx->lanes[0], TERN_KERNEL_SOFTMAX, 0, &in, 1, &out, 1,
                                      &attrs, sizeof attrs));
    cr_assert_eq(asked, 1);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

/* Whatever allocation of a planned launch fails: a right result, or none and a clean error. */
Test(plan, survives_every_failing_allocation) {
    tern_tensor *a = tern_add_scalar(tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32), 0);
    tern_tensor *b = tern_add_scalar(tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32), 0);
    workspace = 100000;
    int done_without = 0;
    for (uint64_t nth = 1, calls = 0; nth <= calls + 1; nth++) { /* to the first that is not made */
        tern_ctx *own = ctx;
        tern_tensor *out = tern_empty(own, TERN_SHAPE(2, 2), TERN_FLOAT32);
        tern_empty_cache(own);
        tern_lane *lane = own->lanes[0];
        tern_matmul_attrs attrs = {1, 0, 1, 0};
        tern_tensor *in[] = {tern_reshape(a, TERN_SHAPE(1, 2, 3)),
                             tern_reshape(b, TERN_SHAPE(1, 3, 2))};
        tern_tensor *whole = tern_reshape(out, TERN_SHAPE(1, 2, 2));
        int before = launched;
        tern_plans_free(lane);
        tern_fail_allocation(nth);
        tern_launch(lane, TERN_KERNEL_MATMUL, 0, in, 2, &whole, 1, &attrs, sizeof attrs);
        calls = tern_fail_allocation(0);
        if (tern_check(own) == TERN_OK) {
            cr_assert_eq(tern_item(tern_sum(out)), 12, "allocation %d", (int)nth);
            done_without += launched == before;
        } else {
            cr_assert_eq(tern_error_clear(own), TERN_ERR_OUT_OF_MEMORY);
        }
    }
    cr_assert_geq(done_without, 2, "the lane's plans and the plan: %d", done_without);
}
