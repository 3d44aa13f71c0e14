/* Launches: what a device answers is taken for what it is, and numbers need no memory of their own. */
#include "patched_device.h"

#include <math.h>
#include <string.h>

#include "core/call/launch.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"

static tern_ctx *ctx;
static int32_t answer;       /* of every launch of `answered` */
static int32_t answered;     /* a kernel family; 0 is none */
static int launches;         /* that reach the device */
static tern_operand seen[8]; /* the operands of the last launch */

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    launches++;
    for (int i = 0; i < n_inputs && i < 7; i++) seen[i] = inputs[i];
    seen[n_inputs < 7 ? n_inputs : 7] = outputs[0];
    if (kernel == answered) return answer;
    return real.launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                       attrs_size, err);
}

static void open_watched(void) {
    answered = launches = 0;
    patch_device("cpu_ref");
    table->launch = launch;
    ctx = open_patched();
}

static void close_watched(void) {
    tern_close(ctx);
    unpatch_device();
}

TestSuite(launch, .init = open_watched, .fini = close_watched);

static tern_tensor *numbers(int64_t count) {
    return tern_add_scalar(tern_arange(ctx, 0, (double)count, 1), 0.25);
}

/* ---- answers --------------------------------------------------------------------------------- */

Test(launch, that_a_primitive_declines_is_an_error) {
    tern_tensor *a = numbers(4), *b = numbers(4);
    answered = TERN_KERNEL_BINARY;
    answer = TERN_BACKEND_DECLINED;
    cr_assert(tern_is_nil(tern_add(a, b)), "by the short path");
    cr_assert_not_null(strstr(tern_error(ctx), "declined kernel binary, which is a primitive"),
                       "%s", tern_error(ctx));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_DEVICE);
    cr_assert(tern_is_nil(tern_add(a, tern_unsqueeze(b, 1))), "by the long path");
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_DEVICE);
    answered = TERN_KERNEL_REDUCE;
    cr_assert(isnan(tern_item(tern_sum(a))));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_DEVICE);
}

Test(launch, of_more_operands_than_a_kernel_takes_is_refused) {
    tern_tensor *many[TERN_MAX_OPERANDS + 1];
    for (int i = 0; i <= TERN_MAX_OPERANDS; i++) many[i] = numbers(2);
    launches = 0;
    cr_assert_eq(tern_launch(ctx->lanes[0], TERN_KERNEL_COPY, 0, many, TERN_MAX_OPERANDS,
                             many + TERN_MAX_OPERANDS, 1, NULL, 0),
                 TERN_ERR_UNSUPPORTED);
    cr_assert_eq(launches, 0);
    cr_assert_not_null(strstr(tern_error(ctx), "a kernel takes at most"), "%s", tern_error(ctx));
}

/* ---- what is known of kernels ---------------------------------------------------------------- */

static uint32_t mixed(const tern_kernel_query *query) {
    uint32_t hash = (uint32_t)query->kernel * 31u + (uint32_t)query->fn;
    for (int i = 0; i < query->n_inputs; i++) hash = hash * 31u + (uint32_t)query->input_dtypes[i];
    return hash * 31u + (uint32_t)query->output_dtypes[0];
}

/* Says yes or no by the query, in a pattern that neighbours do not share. */
static bool supports(tern_bdevice *device, const tern_kernel_query *query,
                     const char **out_reason) {
    (void)device;
    *out_reason = "the test says no";
    return mixed(query) * 2654435761u >> 31;
}

/* Every answer, whatever was asked in between, is the device's for that very query. */
Test(launch, kernels_are_never_mixed_up) {
    table->supports = supports;
    tern_tensor *of[TERN_DTYPE_COUNT];
    for (int d = 0; d < TERN_DTYPE_COUNT; d++)
        of[d] = tern_empty(ctx, TERN_SHAPE(2), (tern_dtype)d);
    int asked = 0, wrong = 0;
    for (int round = 0; round < 2; round++) {
        for (int32_t fn = 1; fn < 40; fn++) {
            for (int in = 0; in < TERN_DTYPE_COUNT; in++) {
                for (int out = 0; out < TERN_DTYPE_COUNT; out++) {
                    int32_t dtypes[] = {in, out};
                    tern_kernel_query query = {sizeof query, TERN_KERNEL_UNARY, fn, 1, 1, 8,
                                               dtypes,       dtypes + 1};
                    const char *reason;
                    bool right = supports(NULL, &query, &reason);
                    wrong += right != tern_has_kernel(ctx->lanes[0], TERN_KERNEL_UNARY, fn, &of[in],
                                                      1, &of[out], 1, 8, NULL);
                    asked++;
                }
            }
        }
    }
    cr_assert_eq(wrong, 0, "%d of %d answers are another kernel's", wrong, asked);
}

/* ---- numbers --------------------------------------------------------------------------------- */

Test(launch, a_number_is_an_immediate_of_the_operands_dtype) {
    tern_tensor *x = numbers(3);
    launches = 0;
    tern_mul_scalar(x, 0.1);
    cr_assert_eq(launches, 1);
    cr_assert_null(seen[1].buffer);
    cr_assert_eq(seen[1].rank, 0);
    cr_assert_eq(seen[1].at.f, (double)0.1f);
    tern_tensor *half = tern_to_dtype(x, TERN_FLOAT16);
    tern_mul_scalar(half, 0.1);
    cr_assert_eq(seen[1].at.f, 0.0999755859375);
    tern_tensor *whole = tern_arange_i64(ctx, 3);
    launches = 0;
    tern_add_scalar(whole, 7);
    cr_assert_eq(launches, 1);
    cr_assert_null(seen[1].buffer);
    cr_assert_eq(seen[1].at.i, 7);
}

Test(launch, a_tensor_of_one_number_is_written_when_somebody_looks) {
    tern_tensor *ones = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32),
                *x = tern_reshape(numbers(6), TERN_SHAPE(2, 3));
    launches = 0;
    tern_tensor *sum = tern_add(x, ones);
    cr_assert_eq(launches, 1);
    cr_assert_null(seen[1].buffer);
    tern_tensor *total = tern_sum(ones); /* a kernel that takes no immediate */
    cr_assert_eq(launches, 3);
    cr_assert_eq(tern_item(total), 6);
    tern_tensor *row = tern_select(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32), 0, 1);
    tern_add_scalar_in_place(row, 2);
    cr_assert_eq(tern_item(tern_sum(row)), 6);
    cr_assert_eq(tern_item(tern_sum(sum)), 15 + 6 * 0.25 + 6);
}

/* ---- stamps ---------------------------------------------------------------------------------- */

static uint64_t stamp(const tern_tensor *tensor) {
    return BODY(tensor)->storage->stamp;
}

Test(launch, contents_have_a_stamp_that_every_write_renews) {
    tern_tensor *x = numbers(4);
    uint64_t before = stamp(x);
    tern_sum(x);
    cr_assert_eq(stamp(x), before);
    tern_add_scalar_in_place(x, 1);
    cr_assert_neq(stamp(x), before);
    before = stamp(x);
    const float data[] = {1, 2, 3, 4};
    tern_write_host(x, data, sizeof data);
    cr_assert_neq(stamp(x), before);
    before = stamp(x);
    tern_zero_in_place(x);
    cr_assert_neq(stamp(x), before);
    cr_assert_neq(stamp(numbers(4)), stamp(numbers(4)));
}

Test(launch, parameters_are_constant_in_inference_mode_alone) {
    tern_owner *owner = tern_owner_new(ctx);
    tern_scope inside = tern_owner_begin(owner, 0);
    tern_tensor *w = numbers(3);
    tern_scope_end(inside);
    tern_mul(w, w);
    cr_assert_eq(seen[0].flags & TERN_OPERAND_CONSTANT, 0);
    tern_scope inference = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *x = numbers(3);
    tern_mul(w, x);
    cr_assert(seen[0].flags & TERN_OPERAND_CONSTANT);
    cr_assert_eq(seen[1].flags & TERN_OPERAND_CONSTANT, 0);
    cr_assert_eq(seen[0].stamp, stamp(w));
    tern_scope_end(inference);
}

Test(launch, an_input_that_is_the_output_says_so) {
    tern_tensor *x = tern_reshape(numbers(4), TERN_SHAPE(2, 2)),
                *y = tern_reshape(numbers(4), TERN_SHAPE(2, 2));
    tern_add_in_place(x, y);
    cr_assert(seen[0].flags & TERN_OPERAND_ALIASES_OUTPUT);
    cr_assert_eq(seen[1].flags & TERN_OPERAND_ALIASES_OUTPUT, 0);
}

Test(launch, an_input_that_was_converted_for_it_is_dead_afterwards) {
    tern_tensor *x = numbers(3), *whole = tern_arange_i64(ctx, 3);
    tern_mul(x, whole);
    cr_assert_eq(seen[0].flags & TERN_OPERAND_DEAD, 0);
    cr_assert(seen[1].flags & TERN_OPERAND_DEAD);
    tern_mul(x, x);
    cr_assert_eq(seen[1].flags & TERN_OPERAND_DEAD, 0);
}
