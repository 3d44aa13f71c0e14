/* Uploads beside the kernels, on a device that does everything as late as it may. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "patched_device.h"

#include <stdlib.h>
#include <string.h>

#include "tern/data.h"
#include "test_plugins.h"

static tern_ctx *ctx;

static void open_delaying(void) {
    find_test_plugins();
    patch_device("delaying:0");
    ctx = open_patched();
}

static void close_delaying(void) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_close(ctx), TERN_OK);
    unpatch_device();
    forget_test_plugins();
}

TestSuite(upload, .init = open_delaying, .fini = close_delaying);

static tern_tensor *send(const float *data, int64_t count) {
    return tern_from_data_async(ctx, data, TERN_SHAPE(count), TERN_FLOAT32, NULL);
}

Test(upload, has_read_the_data_when_it_returns) {
    float data[] = {1, 2, 3, 4}, got[4];
    const float sent[] = {1, 2, 3, 4};
    tern_tensor *t = send(data, 4);
    memset(data, 0x7f, sizeof data);
    cr_assert_eq(tern_to_host(t, got, sizeof got), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(memcmp(got, sent, sizeof got), 0);
}

Test(upload, comes_before_the_first_kernel_that_uses_it) {
    const float one[] = {1, 2}, two[] = {10, 20};
    tern_tensor *a = send(one, 2), *b = send(two, 2);
    tern_tensor *c = tern_add(a, b);
    cr_assert_eq(tern_item(tern_sum(c)), 33);
    tern_add_in_place(send(one, 2), c); /* as an output as well */
    tern_tensor *d = send(one, 2);
    tern_write_host(d, two, sizeof two);
    cr_assert_eq(tern_item(tern_sum(d)), 30);
}

static int waits; /* of the kernels' queue for an event */

static int32_t counted_wait(tern_bdevice *device, tern_bqueue *queue, tern_bevent *event,
                            tern_backend_error *err) {
    waits += queue == ctx->lanes[0]->queue;
    return real.event_wait(device, queue, event, err);
}

Test(upload, is_waited_for_once_by_the_kernels_and_never_by_those_that_do_not_use_it) {
    const float data[] = {1, 2};
    table->event_wait = counted_wait;
    waits = 0;
    tern_tensor *t = send(data, 2), *other = tern_ones(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    tern_sum(tern_exp(other));
    cr_assert_eq(waits, 0);
    tern_sum(t);
    tern_sum(t);
    cr_assert_eq(waits, 1);
    cr_assert_eq(tern_item(tern_sum(t)), 3);
}

static int blocked; /* waits of the host */

static int32_t counted_synchronize(tern_bdevice *device, tern_bqueue *queue,
                                   tern_backend_error *err) {
    blocked++;
    return real.queue_synchronize(device, queue, err);
}

static int32_t nothing_passes(tern_bdevice *device, tern_bevent *event, int32_t *out_passed,
                              tern_backend_error *err) {
    (void)device, (void)event, (void)err;
    *out_passed = 0;
    return TERN_BACKEND_OK;
}

/* A training loop's shape: a batch, work on it, its end; memory goes round. */
static void run_loop(void) {
    tern_tensor *sum = tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    double expected = 0;
    uint64_t held = 0;
    float batch[256];
    table->queue_synchronize = counted_synchronize;
    blocked = 0;
    for (int step = 0; step < 40; step++) {
        for (int i = 0; i < 256; i++) batch[i] = (float)(step + i % 3);
        for (int i = 0; i < 256; i++) expected += batch[i];
        tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
        tern_add_in_place(sum, tern_sum(send(batch, 256)));
        tern_scope_end(scope);
        if (step == 20) held = tern_stats_of(ctx).cached_bytes;
    }
    cr_assert_eq(blocked, 0, "the host waited for a queue");
    cr_assert_eq(tern_stats_of(ctx).cached_bytes, held, "memory grows with the steps");
    cr_assert_eq(tern_item(sum), expected);
}

Test(upload, goes_round_in_a_steady_loop_without_a_wait) {
    run_loop();
}

/* The device is far behind: memory is bounded, and an upload waits for the kernels that use its storage. */
Test(upload, goes_round_where_the_device_is_far_behind) {
    table->event_query = nothing_passes;
    run_loop();
}

static int beside; /* copies on another queue than the kernels' */

static int32_t counted_copy(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, const void *src, uint64_t bytes,
                            tern_backend_error *err) {
    beside += queue != ctx->lanes[0]->queue;
    return real.copy_to_device(device, queue, dst, dst_offset, src, bytes, err);
}

Test(upload, is_how_a_loader_sends_its_batches) {
    tern_tensor *x = tern_arange(ctx, 0, 12, 1);
    tern_tensor *fields[] = {tern_reshape(x, TERN_SHAPE(6, 2)), tern_reshape(x, TERN_SHAPE(12))};
    fields[1] = tern_narrow(fields[1], 0, 0, 6);
    tern_loader_options options = TERN_LOADER_OPTIONS;
    options.batch_size = 2;
    tern_loader *loader = tern_loader_new(tern_tensor_dataset_new(ctx, fields, 2), &options);
    tern_tensor *batch[2];
    table->copy_to_device = counted_copy;
    beside = 0;
    cr_assert_eq(tern_loader_begin(loader), TERN_OK, "%s", tern_error(ctx));
    for (int i = 0; tern_loader_next(loader, batch); i++) {
        cr_assert_eq(tern_item(tern_sum(batch[0])), 16 * i + 6);
        cr_assert_eq(tern_item(tern_sum(batch[1])), 4 * i + 1);
    }
    cr_assert_eq(beside, 6);
}

Test(upload, larger_than_all_staging_memory_arrives) {
    int64_t count = (int64_t)11 << 20;
    float *data = malloc((size_t)count * sizeof *data);
    float *got = malloc((size_t)count * sizeof *got);
    for (int64_t i = 0; i < count; i++) data[i] = (float)(i % 1000003);
    tern_tensor *t = send(data, count);
    cr_assert_eq(tern_to_host(t, got, (size_t)count * sizeof *got), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(memcmp(got, data, (size_t)count * sizeof *got), 0);
    free(data);
    free(got);
}

Test(upload, that_nobody_uses_is_freed_in_order) {
    const float one[] = {1, 2, 3, 4};
    for (int i = 0; i < 20; i++) tern_drop(send(one, 4));
    tern_empty_cache(ctx);
    for (int i = 0; i < 3; i++) tern_drop(send(one, 4));
    tern_tensor *t = send(one, 4);
    cr_assert_eq(tern_item(tern_sum(t)), 10);
}

Test(upload, of_nothing_and_of_bad_arguments) {
    cr_assert_eq(tern_numel(tern_from_data_async(ctx, NULL, TERN_SHAPE(0), TERN_FLOAT32, NULL)), 0);
    cr_assert_eq(tern_check(ctx), TERN_OK);
    cr_assert(tern_is_nil(tern_from_data_async(ctx, NULL, TERN_SHAPE(2), TERN_FLOAT32, NULL)));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
    float data = 1;
    cr_assert(tern_is_nil(
        tern_from_data_async(ctx, &data, TERN_SHAPE((int64_t)1 << 62), TERN_FLOAT32, NULL)));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
    cr_assert(tern_is_nil(tern_from_data_async(ctx, &data, TERN_SHAPE(-1), TERN_FLOAT32, NULL)));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
}

Test(upload, to_a_device_without_queues_is_a_copy) {
    const float one[] = {1, 2, 3, 4};
    tern_tensor *t = tern_from_data_async(ctx, one, TERN_SHAPE(4), TERN_FLOAT32, "cpu_ref");
    cr_assert_eq(tern_item(tern_sum(t)), 10);
    cr_assert_str_eq(tern_device_of(t), "cpu_ref");
}

/* Whatever allocation of an upload fails: the right data, or a clean error, and the next one is right. */
Test(upload, survives_every_failing_allocation) {
    float data[2048], got[2048];
    for (int i = 0; i < 2048; i++) data[i] = (float)i;
    tern_fail_allocation(0);
    int failed = 0;
    for (uint64_t nth = 1, calls = 1; nth <= calls; nth++) {
        tern_ctx *own = ctx;
        ctx = open_patched();
        tern_fail_allocation(nth);
        tern_tensor *t = send(data, 2048);
        tern_tensor *sum = tern_sum(t);
        calls = tern_fail_allocation(0);
        if (tern_check(ctx) == TERN_OK) {
            cr_assert_eq(tern_to_host(t, got, sizeof got), TERN_OK);
            cr_assert_eq(memcmp(got, data, sizeof got), 0, "allocation %d", (int)nth);
            cr_assert_eq(tern_item(sum), 2047 * 1024);
        } else {
            cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY, "allocation %d", (int)nth);
            failed++;
        }
        cr_assert_eq(tern_item(tern_sum(send(data, 2048))), 2047 * 1024, "%s", tern_error(ctx));
        cr_assert_eq(tern_close(ctx), TERN_OK);
        ctx = own;
    }
    cr_assert_gt(failed, 0);
}

/* ---- what a lane finds out ------------------------------------------------------------------- */

Test(upload, and_a_lane_knows_where_its_device_keeps_errors_for_kernels) {
    cr_assert_not_null(real.skip_flag);
    cr_assert_not_null(ctx->lanes[0]->skip_flag);
    cr_assert_eq(tern_device_open(ctx, "cpu_ref"), TERN_OK);
    cr_assert_null(ctx->lanes[1]->skip_flag);
}

/* A shape that a device's plans cannot do runs on the CPU where that is allowed. */
static int32_t refuse_plan(tern_bdevice *device, const tern_plan_query *query,
                           tern_bplan **out_plan, uint64_t *out_workspace,
                           tern_backend_error *err) {
    (void)device, (void)query, (void)out_plan, (void)out_workspace;
    strcpy(err->message, "its rows are odd");
    return TERN_BACKEND_UNSUPPORTED;
}

Test(upload, and_a_refused_plan_falls_back_to_the_cpu_where_that_is_allowed) {
    tern_ctx *strict = ctx;
    table->prepare = refuse_plan;
    setenv("TERN_FALLBACK", "allow", 1);
    ctx = open_patched();
    unsetenv("TERN_FALLBACK");
    const float data[] = {1, 2, 3, 4};
    tern_tensor *t = tern_reshape(send(data, 4), TERN_SHAPE(2, 2));
    tern_tensor *product = tern_matmul(t, t);
    cr_assert_eq(tern_item(tern_sum(product)), 54, "%s", tern_error(ctx));
    cr_assert_gt(tern_stats_of(ctx).fallbacks, 0);
    cr_assert_eq(tern_close(ctx), TERN_OK);
    ctx = strict;
}

/* ---- between devices ------------------------------------------------------------------------- */

static int direct;

static int32_t counted_between(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                               uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                               uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    direct++;
    return real.copy_between(device, queue, dst, dst_offset, src_device, src, src_offset, bytes,
                             err);
}

static int32_t cannot(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                      uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                      uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)device, (void)queue, (void)dst, (void)dst_offset, (void)src_device, (void)src;
    (void)src_offset, (void)bytes, (void)err;
    return TERN_BACKEND_UNSUPPORTED;
}

/* A tensor that is still being written goes to another device and back, and is changed meanwhile. */
static void there_and_back(void) {
    const float data[] = {1, 2, 3, 4, 5, 6};
    for (int round = 0; round < 3; round++) {
        tern_tensor *a = tern_reshape(send(data, 6), TERN_SHAPE(2, 3));
        tern_mul_scalar_in_place(a, 10);
        tern_tensor *plain = tern_to_device(a, "delaying:1");
        tern_tensor *there = tern_to_device(tern_t(a), "delaying:1");
        tern_mul_scalar_in_place(a, 0);
        tern_tensor *sum = tern_add(there, there);
        tern_tensor *back = tern_to_device(sum, "delaying:0");
        tern_mul_scalar_in_place(sum, 0);
        float got[6];
        const float expected[] = {20, 80, 40, 100, 60, 120};
        cr_assert_eq(tern_to_host(back, got, sizeof got), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(memcmp(got, expected, sizeof got), 0);
        cr_assert_eq(tern_item(tern_sum(plain)), 210);
        cr_assert_str_eq(tern_device_of(there), "delaying:1");
        cr_assert_str_eq(tern_device_of(back), "delaying:0");
    }
}

TestSuite(copy_between, .init = open_delaying, .fini = close_delaying);

Test(copy_between, goes_directly_between_devices_of_a_plugin) {
    cr_assert_eq(tern_device_open(ctx, "delaying:1"), TERN_OK);
    table->copy_between = counted_between;
    ctx->lanes[1]->device->vtable.copy_between = counted_between;
    direct = 0;
    there_and_back();
    cr_assert_eq(direct, 9);
    tern_to_device(tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32), "cpu_ref");
    cr_assert_eq(direct, 9, "a device of another plugin was copied to directly");
}

Test(copy_between, goes_through_the_host_where_the_devices_cannot) {
    cr_assert_eq(tern_device_open(ctx, "delaying:1"), TERN_OK);
    table->copy_between = cannot;
    ctx->lanes[1]->device->vtable.copy_between = NULL;
    there_and_back();
}

Test(copy_between, survives_every_failing_allocation) {
    const float data[] = {1, 2, 3, 4};
    cr_assert_eq(tern_device_open(ctx, "delaying:1"), TERN_OK);
    for (uint64_t nth = 1, calls = 1; nth <= calls; nth++) {
        tern_tensor *a = tern_add_scalar(send(data, 4), 1);
        tern_empty_cache(ctx);
        tern_fail_allocation(nth);
        tern_tensor *there = tern_to_device(a, "delaying:1");
        calls = tern_fail_allocation(0);
        if (tern_check(ctx) == TERN_OK)
            cr_assert_eq(tern_item(tern_sum(there)), 14, "allocation %d", (int)nth);
        else
            cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY, "allocation %d", (int)nth);
    }
}

/* ---- the program's memory -------------------------------------------------------------------- */

static int released;

static void release(void *user) {
    (void)user;
    released++;
}

Test(upload, and_the_programs_memory_goes_back_when_the_device_is_done_with_it) {
    cr_assert_not_null(real.buffer_import);
    static _Alignas(64) float memory[4] = {1, 2, 3, 4};
    released = 0;
    table->event_query = nothing_passes;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *sum =
        tern_sum(tern_from_memory(ctx, memory, TERN_SHAPE(4), TERN_FLOAT32, release, NULL));
    tern_keep(sum);
    tern_scope_end(scope);
    cr_assert_eq(released, 0, "memory went back while the device may read it");
    table->event_query = real.event_query;
    cr_assert_eq(tern_item(sum), 10);
    cr_assert_eq(released, 1);
    tern_from_memory(ctx, memory, TERN_SHAPE(4), TERN_FLOAT32, release, NULL);
    table->event_query = nothing_passes;
    cr_assert_eq(tern_close(ctx), TERN_OK);
    cr_assert_eq(released, 2, "memory was not given back at the end");
    table->event_query = real.event_query;
    ctx = open_patched();
}
