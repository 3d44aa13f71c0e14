/* Scopes, latched errors, handles and storage. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

TestSuite(scope, .init = open_context, .fini = close_context);

Test(scope, the_first_error_is_kept_and_later_calls_change_nothing) {
    tern_tensor *w = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_tensor *bad = tern_add(w, tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32));
    cr_assert(tern_is_nil(bad));
    cr_assert(isnan(tern_item(bad)));
    tern_add_scalar_in_place(w, 1);
    cr_assert_not_null(strstr(tern_error(ctx), "The size of tensor a (2) must match"));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
    cr_assert_float_eq(tern_item(tern_sum(w)), 2, 0);
    cr_assert_eq(tern_check(ctx), TERN_OK);
}

static void count(void *user, tern_status status, const char *message) {
    (void)status;
    (void)message;
    ++*(int *)user;
}

Test(scope, the_error_callback_is_called_once_for_each_latch) {
    int calls = 0;
    tern_on_error(ctx, count, &calls);
    tern_fail(ctx, TERN_ERR_STATE, "one");
    tern_fail(ctx, TERN_ERR_STATE, "two");
    cr_assert_eq(calls, 1);
    cr_assert_str_eq(tern_error(ctx), "one");
}

Test(scope, storage_goes_back_at_the_end_of_a_scope) {
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_zeros(ctx, TERN_SHAPE(1000), TERN_FLOAT32);
    cr_assert(tern_stats_of(ctx).device_bytes >= before + 4000);
    tern_scope_end(s);
    cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
}

Test(scope, ending_a_scope_ends_those_inside_and_restores_the_mode) {
    tern_scope outer = tern_scope_begin(ctx, 0);
    tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_scope_begin(ctx, TERN_INFERENCE);
    cr_assert_eq(tern_scope_depth(ctx), 3);
    tern_scope_end(outer);
    cr_assert_eq(tern_scope_depth(ctx), 0);
    cr_assert(tern_is_grad_enabled(ctx));
    tern_scope_end(outer); /* again: a no-op */
    cr_assert_eq(tern_scope_depth(ctx), 0);
}

Test(scope, keep_moves_a_tensor_one_scope_out) {
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_tensor *t = tern_keep(tern_full(ctx, TERN_SHAPE(4), 2.5, TERN_FLOAT32));
    tern_scope_end(s);
    cr_assert_float_eq(tern_item(tern_sum(t)), 10, 0);
}

Test(scope, update_gives_an_outer_handle_a_new_value_without_growth) {
    tern_tensor *state = tern_zeros(ctx, TERN_SHAPE(8), TERN_FLOAT32);
    uint64_t held = tern_stats_of(ctx).device_bytes;
    for (int i = 0; i < 5; i++) {
        tern_scope s = tern_scope_begin(ctx, 0);
        cr_assert_eq(tern_update(&state, tern_add_scalar(state, 1)), TERN_OK);
        tern_scope_end(s);
    }
    cr_assert_eq(tern_stats_of(ctx).device_bytes, held);
    cr_assert_float_eq(tern_item(tern_sum(state)), 40, 0);
}

Test(scope, updates_of_a_leaf_take_no_memory) {
    tern_tensor *w = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32), true);
    uint64_t before = 0;
    for (int i = 0; i < 2000; i++) {
        if (i == 10) before = tern_stats_of(ctx).host_allocations;
        tern_scope s = tern_scope_begin(ctx, 0);
        tern_set_grad(w, NULL);
        tern_backward(tern_sum(tern_mul(w, w)));
        tern_tensor *step = tern_mul_scalar(tern_grad_of(w), 0.25);
        tern_update(&w, tern_detach(tern_sub(w, step)));
        tern_scope_end(s);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_stats_of(ctx).host_allocations, before);
}

/* Beyond a chunk of an arena (16 KiB), as the arrays of a large step are. */
Test(scope, large_pieces_of_memory_are_kept_for_the_next_scope) {
    uint64_t before = 0;
    for (int i = 0; i < 20; i++) {
        if (i == 10) before = tern_stats_of(ctx).host_allocations;
        tern_scope s = tern_scope_begin(ctx, 0);
        unsigned char *first = tern_scope_alloc(ctx, 100000),
                      *second = tern_scope_alloc(ctx, 70000);
        cr_assert(first[99999] == 0 && second[69999] == 0);
        memset(first, 0xff, 100000);
        memset(second, 0xff, 70000);
        tern_scope_end(s);
    }
    cr_assert_eq(tern_stats_of(ctx).host_allocations, before);
    tern_empty_cache(ctx);
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_scope_alloc(ctx, 100000);
    tern_scope_end(s);
    cr_assert_eq(tern_stats_of(ctx).host_allocations, before + 1, "the cache was emptied");
}

Test(scope, drop_releases_storage_early_and_leaves_views_alone) {
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_tensor *t = tern_ones(ctx, TERN_SHAPE(1024), TERN_FLOAT32);
    tern_tensor *view = tern_narrow(t, 0, 0, 2);
    tern_drop(t);
    cr_assert(tern_is_nil(t));
    tern_tensor *sum = tern_sum(view);
    cr_assert_float_eq(tern_item(sum), 2, 0);
    tern_drop(sum);
    tern_drop(view);
    cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
}

static void note(void *arg) {
    ++*(int *)arg;
}

Test(scope, deferred_calls_and_owners_end_with_their_scope) {
    int ended = 0;
    tern_scope s = tern_scope_begin(ctx, 0);
    tern_owner *owner = tern_owner_new(ctx);
    tern_scope inside = tern_owner_begin(owner, 0);
    tern_defer(ctx, note, &ended);
    tern_tensor *t = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_scope_end(inside);
    cr_assert_eq(ended, 0, "the owner lives on");
    cr_assert_float_eq(tern_item(tern_sum(t)), 2, 0);
    tern_scope_end(s);
    cr_assert_eq(ended, 1);
}

Test(scope, an_inner_scope_returns_its_result) {
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32), true);
    tern_scope s = tern_scope_inner(ctx);
    tern_tensor *y = tern_scope_return(s, tern_sum(tern_mul(x, x)));
    cr_assert_eq(tern_backward(y), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(tern_item(tern_sum(tern_grad_of(x))), 4, 0);
}

Test(scope, sizes_that_overflow_are_errors) {
    tern_zeros(ctx, TERN_SHAPE(INT64_MAX, 8), TERN_FLOAT32);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
    tern_zeros(ctx, TERN_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), TERN_FLOAT32);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
    tern_zeros(ctx, TERN_SHAPE(-1), TERN_FLOAT32);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
}

Test(scope, an_unknown_device_latches_and_never_returns_null) {
    tern_ctx *other = tern_open("foo");
    cr_assert_not_null(other);
    cr_assert_not_null(strstr(tern_error(other), "foo"));
    cr_assert(tern_is_nil(tern_ones(other, TERN_SHAPE(1), TERN_FLOAT32)));
    cr_assert_neq(tern_close(other), TERN_OK);
}

Test(scope, tensors_of_two_contexts_do_not_mix) {
    tern_ctx *other = tern_open("cpu");
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    tern_add(a, tern_ones(other, TERN_SHAPE(1), TERN_FLOAT32));
    cr_assert_not_null(strstr(tern_error(ctx), "two contexts"));
    tern_close(other);
}

/* What the allocation test runs: a little of everything. */
static tern_status work(void) {
    tern_ctx *own = tern_open("cpu");
    tern_tensor *x = tern_requires_grad(tern_ones(own, TERN_SHAPE(3, 2), TERN_FLOAT32), true);
    tern_scope s = tern_scope_begin(own, 0);
    tern_tensor *y = tern_mul_scalar(tern_relu(tern_matmul(x, tern_t(x))), 2);
    tern_mul_scalar_in_place(tern_select(y, 0, 1), 3);
    tern_backward(tern_mean(y));
    tern_repr_text(y);
    tern_scope_end(s);
    return tern_close(own);
}

Test(scope, every_failed_allocation_ends_in_a_clean_error) {
    cr_assert_eq(work(), TERN_OK);
    tern_fail_allocation(0);
    work();
    uint64_t calls = tern_fail_allocation(0);
    cr_assert_gt(calls, 5);
    for (uint64_t n = 1; n <= calls; n++) {
        tern_fail_allocation(n);
        tern_status status = work();
        tern_fail_allocation(0);
        cr_assert_neq(status, TERN_OK, "call %llu of %llu", (unsigned long long)n,
                      (unsigned long long)calls);
    }
    cr_assert_eq(work(), TERN_OK);
}
