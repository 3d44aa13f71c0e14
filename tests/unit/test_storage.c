/* Buffers: the device's limits, memory that is out, small storages that share large buffers. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "patched_device.h"

#include <string.h>

#include "core/memory/storage.h"

static uint64_t available; /* that the device has left, in bytes of buffers */
static uint64_t largest_asked;
static int buffers; /* that are there */

/* Sizes are found again by address, since buffer_free does not say them. */
enum { KNOWN = 4096 };
static struct {
    tern_bbuffer *buffer;
    uint64_t bytes;
} known[KNOWN];

static int32_t limited_alloc(tern_bdevice *device, uint64_t bytes, tern_bbuffer **out_buffer,
                             tern_backend_error *err) {
    if (bytes > largest_asked) largest_asked = bytes;
    if (bytes > available) return TERN_BACKEND_OUT_OF_MEMORY;
    int32_t status = real.buffer_alloc(device, bytes, out_buffer, err);
    if (status != TERN_BACKEND_OK) return status;
    int i = 0;
    while (known[i].buffer) i++;
    known[i].buffer = *out_buffer;
    known[i].bytes = bytes;
    available -= bytes;
    buffers++;
    return TERN_BACKEND_OK;
}

static void limited_free(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *buffer) {
    real.buffer_free(device, queue, buffer);
    for (int i = 0; i < KNOWN; i++) {
        if (known[i].buffer != buffer) continue; /* an imported one is not known */
        known[i].buffer = NULL;
        available += known[i].bytes;
        buffers--;
        return;
    }
}

static tern_ctx *ctx;

static void open_limited(void) {
    memset(known, 0, sizeof known);
    available = UINT64_MAX;
    largest_asked = 0;
    buffers = 0;
    patch_device("cpu_ref");
    table->buffer_alloc = limited_alloc;
    table->buffer_free = limited_free;
    ctx = open_patched();
}

static void close_limited(void) {
    tern_close(ctx);
    cr_assert_eq(buffers, 0, "%d buffers outlive their context", buffers);
    unpatch_device();
}

TestSuite(storage, .init = open_limited, .fini = close_limited);

static tern_tensor *bytes_of(int64_t bytes) {
    return tern_empty(ctx, TERN_SHAPE(bytes), TERN_UINT8);
}

Test(storage, empties_the_cache_when_memory_is_out) {
    available = 100000;
    tern_drop(bytes_of(70000));
    cr_assert_gt(tern_stats_of(ctx).cached_bytes, 0);
    cr_assert_not(tern_is_nil(bytes_of(50000)), "%s", tern_error(ctx));
    cr_assert_eq(tern_stats_of(ctx).cached_bytes, 0);
}

Test(storage, asks_for_the_exact_size_when_memory_is_out) {
    available = 70000; /* 66000 rounds up to 81920 */
    tern_tensor *t = bytes_of(66000);
    cr_assert_not(tern_is_nil(t), "%s", tern_error(ctx));
    cr_assert_eq(available, 4000);
    tern_drop(t);
    cr_assert_eq(available, 70000, "a buffer of an odd size was kept");
    t = bytes_of(66001);
    cr_assert_not(tern_is_nil(t), "%s", tern_error(ctx));
    cr_assert(tern_is_nil(bytes_of(5000)));
    cr_assert_eq(tern_check(ctx), TERN_ERR_OUT_OF_MEMORY);
    cr_assert_not_null(strstr(tern_error(ctx), "out of memory: 5000 bytes"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(storage, compares_what_is_asked_for_with_the_largest_allocation_not_what_it_rounds_to) {
    table->largest_allocation = 70000;
    cr_assert_not(tern_is_nil(bytes_of(70000)), "%s", tern_error(ctx));
    cr_assert_not(tern_is_nil(bytes_of(66000)), "%s", tern_error(ctx));
    cr_assert_eq(largest_asked, 70000);
    cr_assert(tern_is_nil(bytes_of(70001)));
    cr_assert_not_null(strstr(tern_error(ctx), "70001 bytes is larger than the device's largest "
                                               "allocation, 70000"),
                       "%s", tern_error(ctx));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
    cr_assert_eq(largest_asked, 70000);
}

Test(storage, at_the_largest_allocation_serves_again) {
    table->largest_allocation = 70000;
    tern_drop(bytes_of(66000));
    int before = buffers;
    cr_assert_not(tern_is_nil(bytes_of(70000)));
    cr_assert_eq(buffers, before);
}

static int32_t small_memory(tern_bdevice *device, uint64_t *out_free, uint64_t *out_total,
                            tern_backend_error *err) {
    (void)device, (void)err;
    *out_free = 1;
    *out_total = 50000;
    return TERN_BACKEND_OK;
}

Test(storage, in_the_cache_stays_below_what_the_device_has) {
    tern_drop(bytes_of(60000));
    cr_assert_gt(tern_stats_of(ctx).cached_bytes, 60000);
    tern_close(ctx);
    table->memory_info = small_memory;
    ctx = open_patched();
    tern_drop(bytes_of(60000));
    cr_assert_eq(tern_stats_of(ctx).cached_bytes, 0);
    tern_drop(bytes_of(30000));
    cr_assert_gt(tern_stats_of(ctx).cached_bytes, 0);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static void share(uint64_t limit, uint32_t alignment) {
    table->suballocation = limit;
    table->alignment = alignment;
}

static const tern_storage *storage_of(const tern_tensor *t) {
    return BODY(t)->storage;
}

Test(storage, of_small_tensors_is_cut_from_large_buffers) {
    share(4096, 256);
    const tern_tensor *t[100];
    for (int i = 0; i < 100; i++) {
        t[i] = bytes_of(1 + 40 * i);
        cr_assert_eq(storage_of(t[i])->offset % 256, 0);
        cr_assert_geq(storage_of(t[i])->capacity, (uint64_t)(1 + 40 * i));
        for (int k = 0; k < i; k++) {
            const tern_storage *a = storage_of(t[i]), *b = storage_of(t[k]);
            cr_assert(a->buffer != b->buffer || a->offset >= b->offset + b->capacity ||
                      b->offset >= a->offset + a->capacity);
        }
    }
    cr_assert_leq(buffers, 2);
    bytes_of(4097);
    cr_assert_leq(buffers, 3);
    cr_assert_eq(storage_of(bytes_of(4097))->offset, 0);
}

Test(storage, that_is_a_piece_is_read_and_written_where_it_lies) {
    share(4096, 64);
    const float one[] = {1, 2, 3, 4}, two[] = {10, 20, 30, 40};
    float sum[4];
    tern_tensor *a = tern_from_data(ctx, one, TERN_SHAPE(2, 2), TERN_FLOAT32);
    tern_tensor *b = tern_from_data(ctx, two, TERN_SHAPE(2, 2), TERN_FLOAT32);
    cr_assert_eq(storage_of(a)->buffer, storage_of(b)->buffer);
    tern_tensor *c = tern_add(tern_t(a), tern_select(b, 0, 1));
    tern_add_in_place(c, tern_full(ctx, TERN_SHAPE(2, 2), 100, TERN_FLOAT32));
    cr_assert_eq(tern_to_host(c, sum, sizeof sum), TERN_OK, "%s", tern_error(ctx));
    const float expected[] = {131, 143, 132, 144};
    cr_assert_eq(memcmp(sum, expected, sizeof sum), 0);
    cr_assert_eq(tern_item(tern_sum(tern_matmul(a, b))), 540);
    cr_assert_eq(tern_storage_to_host(b, sum, sizeof sum), TERN_OK);
    cr_assert_eq(memcmp(sum, two, sizeof sum), 0);
}

Test(storage, that_is_a_piece_serves_again) {
    share(4096, 64);
    tern_tensor *t = bytes_of(100);
    uint64_t offset = storage_of(t)->offset;
    bytes_of(100);
    tern_drop(t);
    cr_assert_eq(storage_of(bytes_of(101))->offset, offset);
}

Test(storage, of_a_block_goes_back_when_all_its_pieces_are_back) {
    share(4096, 64);
    int before = buffers;
    tern_tensor *a = bytes_of(100), *b = bytes_of(2000);
    cr_assert_eq(buffers, before + 1);
    tern_drop(a);
    tern_empty_cache(ctx);
    cr_assert_eq(buffers, before + 1, "a block went while a piece was in use");
    cr_assert_eq(storage_of(bytes_of(100))->offset, 0, "the piece that was free was lost");
    tern_scope scope = tern_scope_begin(ctx, 0);
    bytes_of(200);
    tern_scope_end(scope);
    tern_drop(b);
    tern_empty_cache(ctx);
    cr_assert_eq(buffers, before + 1);
    tern_close(ctx);
    cr_assert_eq(buffers, 0);
    ctx = open_patched();
}

Test(storage, without_memory_for_a_block_has_a_buffer_of_its_own) {
    share(4096, 64);
    available = 3000;
    tern_tensor *t = bytes_of(100);
    cr_assert_not(tern_is_nil(t), "%s", tern_error(ctx));
    cr_assert_eq(available, 3000 - storage_of(t)->capacity);
}

/* Limits that no arithmetic of 64 bits has room for. */
Test(storage, is_cut_as_well_where_the_device_asks_for_absurd_blocks) {
    share(UINT64_MAX, 64);
    table->largest_allocation = 10000;
    cr_assert_not(tern_is_nil(bytes_of(100)), "%s", tern_error(ctx));
    cr_assert_not(tern_is_nil(bytes_of(10000)), "%s", tern_error(ctx));
    cr_assert(tern_is_nil(bytes_of(10001)));
    tern_error_clear(ctx);
}

/* ---- the program's memory -------------------------------------------------------------------- */

static int released;

static void release(void *user) {
    (void)user;
    released++;
}

Test(storage, over_the_programs_memory_gives_it_back) {
    static _Alignas(64) float memory[4] = {1, 2, 3, 4};
    released = 0;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *t = tern_from_memory(ctx, memory, TERN_SHAPE(4), TERN_FLOAT32, release, NULL);
    tern_tensor *view = tern_select(t, 0, 3);
    tern_drop(t);
    cr_assert_eq(released, 0);
    cr_assert_eq(tern_item(view), 4);
    tern_scope_end(scope);
    cr_assert_eq(released, 1);
}
