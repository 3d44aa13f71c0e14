#define _GNU_SOURCE
#include "io_fixture.h"

#include "tern/memory.h"
#include "tern/ops.h"

#define NPY(name) TERN_TEST_SOURCE "/tests/data/npy/" name

/* ---- memory of the program's ----------------------------------------------------------------- */

static void count_release(void *user) {
    ++*(int *)user;
}

Test(from_memory, uses_the_memory_itself_until_the_last_tensor_is_gone) {
    tern_ctx *ctx = tern_open("cpu_ref");
    float *memory = tern_alloc(4 * sizeof *memory);
    int released = 0;
    for (int i = 0; i < 4; i++) memory[i] = (float)i;
    uint64_t held = tern_stats_of(ctx).device_bytes;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *tensor =
        tern_from_memory(ctx, memory, TERN_SHAPE(2, 2), TERN_FLOAT32, count_release, &released);
    cr_assert_eq(tern_item(tern_select(tern_select(tensor, 0, 1), 0, 1)), 3.0);
    tern_tensor *row = tern_keep(tern_select(tensor, 0, 1));
    cr_assert_eq(tern_stats_of(ctx).device_bytes - held, 0, "the memory was copied");
    float changed[4] = {5, 6, 7, 8};
    cr_assert_eq(tern_write_host(tensor, changed, sizeof changed), TERN_OK);
    cr_assert_eq(memory[3], 8.0f, "a write went elsewhere");
    tern_scope_end(scope);
    cr_assert_eq(released, 0, "a view still needs the memory");
    cr_assert_eq(tern_item(tern_select(row, 0, 0)), 7.0);
    tern_drop(row);
    cr_assert_eq(released, 0, "the view's scope is open");
    tern_close(ctx);
    cr_assert_eq(released, 1);
    tern_free(memory);
}

Test(from_memory, copies_what_the_device_cannot_use_and_releases_it_at_once) {
    tern_ctx *ctx = tern_open("cpu_ref");
    unsigned char *memory = tern_alloc(64);
    int released = 0;
    for (int i = 0; i < 64; i++) memory[i] = (unsigned char)i;
    tern_tensor *odd =
        tern_from_memory(ctx, memory + 1, TERN_SHAPE(3), TERN_UINT8, count_release, &released);
    cr_assert_eq(released, 1);
    cr_assert_eq(tern_item(tern_select(odd, 0, 2)), 3.0);
    tern_from_memory(ctx, memory, TERN_SHAPE(0), TERN_UINT8, count_release, &released);
    cr_assert_eq(released, 2);
    tern_from_memory(ctx, memory, TERN_SHAPE(2), TERN_DTYPE_DEFAULT, NULL, NULL);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert(tern_is_nil(
        tern_from_memory(ctx, memory, TERN_SHAPE(-1), TERN_UINT8, count_release, &released)));
    cr_assert_eq(released, 3, "after a failure nobody needs the memory");
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(
        tern_from_memory(ctx, NULL, TERN_SHAPE(2), TERN_UINT8, count_release, &released)));
    cr_assert_eq(released, 4);
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(
        tern_from_memory(ctx, memory, TERN_SHAPE(2), (tern_dtype)77, count_release, &released)));
    cr_assert_eq(released, 5);
    tern_error_clear(ctx);
    tern_close(ctx);
    tern_free(memory);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void check_same(tern_value a, tern_value b) {
    tern_value key, x, y;
    cr_assert_eq(a.kind, b.kind);
    if (a.kind == TERN_VALUE_TENSOR) {
        cr_assert_eq(tern_dtype_of(a.as.tensor), tern_dtype_of(b.as.tensor));
        cr_assert(tern_equal(a.as.tensor, b.as.tensor));
    } else if (a.kind == TERN_VALUE_DICT) {
        cr_assert_eq(tern_value_count(a), tern_value_count(b));
        for (size_t i = 0; tern_dict_at(a, i, &key, &x) && tern_dict_at(b, i, NULL, &y); i++)
            check_same(x, y);
    } else if (a.kind == TERN_VALUE_LIST) {
        for (size_t i = 0; i < tern_value_count(a); i++)
            check_same(tern_value_at(a, i), tern_value_at(b, i));
    }
}

Test(map, gives_the_values_that_loading_gives) {
    static const char *const paths[] = {SAMPLE("ckpt_adam.pth"),   SAMPLE("views.pth"),
                                        SAMPLE("m1_deflated.pth"), SAMPLE("tied_legacy.pth"),
                                        SAMPLE("m1_1.13.pth"),     NPY("c.npy"),
                                        NPY("fortran.npy"),        NPY("big.npy"),
                                        NPY("empty.npy"),          NPY("two.npz")};
    static const char *const devices[] = {"cpu_ref", "discrete", "delaying"};
    for (int d = 0; d < 3; d++) {
        tern_ctx *ctx = tern_open(devices[d]);
        /* The test backends are there where TERN_PLUGIN_PATH_ADD names their folder. */
        if (d > 0 && tern_check(ctx) == TERN_ERR_NOT_FOUND) {
            tern_close(ctx);
            continue;
        }
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            tern_scope scope = tern_scope_begin(ctx, 0);
            tern_value mapped = tern_value_map(ctx, paths[i]);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", devices[d], tern_error(ctx));
            check_same(mapped, tern_value_load(ctx, paths[i]));
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", devices[d], tern_error(ctx));
            tern_scope_end(scope);
        }
        tern_close(ctx);
    }
}

/* A file with a tensor of 4 MB, and what its reading takes from the device. */
static uint64_t device_bytes(tern_ctx *ctx, const char *path,
                             tern_value (*read)(tern_ctx *ctx, const char *path)) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    uint64_t before = tern_stats_of(ctx).device_bytes;
    tern_value value = read(ctx, path);
    cr_assert_neq(value.kind, TERN_VALUE_NONE, "%s", tern_error(ctx));
    uint64_t bytes = tern_stats_of(ctx).device_bytes - before;
    tern_scope_end(scope);
    return bytes;
}

Test(map, copies_nothing_where_the_layout_allows) {
    const char *folder = make_folder();
    static const char *const names[] = {"x.pth", "x.npy"};
    char path[512];
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_value tensor = tern_tensor_value(tern_ones(ctx, TERN_SHAPE(1024, 1024), TERN_FLOAT32));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        cr_assert_eq(tern_value_save(ctx, tensor, path), TERN_OK, "%s", tern_error(ctx));
        cr_assert_geq(device_bytes(ctx, path, tern_value_load), 4 << 20);
        cr_assert_eq(device_bytes(ctx, path, tern_value_map), 0, "%s is copied", names[i]);
    }
    count_files(folder, true);
    tern_close(ctx);
}

Test(map, writes_change_neither_the_file_nor_another_mapping) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/x.pth", folder);
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_value ones = tern_tensor_value(tern_ones(ctx, TERN_SHAPE(100), TERN_FLOAT32));
    cr_assert_eq(tern_value_save(ctx, ones, path), TERN_OK);
    tern_tensor *a = tern_value_map(ctx, path).as.tensor, *b = tern_value_map(ctx, path).as.tensor;
    float sevens[100];
    for (int i = 0; i < 100; i++) sevens[i] = 7;
    cr_assert_eq(tern_write_host(a, sevens, sizeof sevens), TERN_OK);
    cr_assert_eq(tern_item(tern_select(a, 0, 99)), 7.0);
    cr_assert_eq(tern_item(tern_select(b, 0, 99)), 1.0);
    cr_assert_eq(tern_item(tern_select(tern_value_load(ctx, path).as.tensor, 0, 99)), 1.0);
    /* Saving over it leaves what is mapped. */
    tern_value zeros = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32));
    cr_assert_eq(tern_value_save(ctx, zeros, path), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_item(tern_select(b, 0, 99)), 1.0);
    count_files(folder, true);
    tern_close(ctx);
}

Test(map, maps_safetensors_at_any_place) {
    const char *folder = make_folder();
    char path[512];
    /* The data begins at byte 128: `a` is aligned, `b`, four bytes behind it, is not; neither is copied. */
    static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                                 "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]}}";
    unsigned char bytes[134] = {120};
    memset(bytes + 8, ' ', 120);
    memcpy(bytes + 8, header, sizeof header - 1);
    for (int i = 0; i < 6; i++) bytes[128 + i] = (unsigned char)i;
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    tern_ctx *ctx = tern_open("cpu_ref");
    cr_assert_eq(tern_file_write(ctx, path, bytes, sizeof bytes), TERN_OK);
    uint64_t loaded = device_bytes(ctx, path, tern_value_load);
    uint64_t mapped = device_bytes(ctx, path, tern_value_map);
    cr_assert(mapped == 0 && loaded > 0, "%d of %d bytes", (int)mapped, (int)loaded);
    check_same(tern_value_map(ctx, path), tern_value_load(ctx, path));
    bytes[0] = 121;
    cr_assert_eq(tern_file_write(ctx, path, bytes, sizeof bytes), TERN_OK);
    cr_assert_eq(tern_value_map(ctx, path).kind, TERN_VALUE_NONE);
    count_files(folder, true);
    tern_error_clear(ctx);
    tern_close(ctx);
}

Test(map, names_what_it_cannot_map) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/x", folder);
    tern_ctx *ctx = tern_open(NULL);
    cr_assert_eq(tern_file_write(ctx, path, "", 0), TERN_OK);
    const char *const bad[][2] = {{path, "cannot be mapped: it is empty"},
                                  {folder, "it is not a regular file"},
                                  {"/absent/x.pth", "No such file"},
                                  {SAMPLE("code.pth"), "wants to call 'posix.getcwd'"},
                                  {TERN_TEST_SOURCE "/LICENSE", "not a file of torch.save"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(tern_value_map(ctx, bad[i][0]).kind, TERN_VALUE_NONE);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i][1]), "%s", tern_error(ctx));
        check_message(ctx);
        cr_assert_neq(tern_error_clear(ctx), TERN_OK);
        cr_assert_eq(tern_value_map(ctx, bad[i][0]).kind, TERN_VALUE_NONE);
        cr_assert_eq(tern_value_map(ctx, SAMPLE("m1.pth")).kind, TERN_VALUE_NONE, "after an error");
        tern_error_clear(ctx);
    }
    count_files(folder, true);
    tern_close(ctx);
}

Test(map, survives_every_failing_allocation) {
    int failed = 0;
    for (uint64_t nth = 1; nth < 120; nth++) {
        tern_ctx *ctx = tern_open("cpu_ref");
        tern_fail_allocation(nth);
        tern_value value = tern_value_map(ctx, SAMPLE("ckpt_adam.pth"));
        tern_fail_allocation(0);
        tern_status status = tern_error_clear(ctx);
        cr_assert(status == TERN_OK || status == TERN_ERR_OUT_OF_MEMORY, "allocation %d", (int)nth);
        cr_assert_eq(status == TERN_OK, value.kind == TERN_VALUE_DICT);
        failed += status != TERN_OK;
        tern_close(ctx);
    }
    cr_assert_gt(failed, 8, "only %d allocations failed", failed);
}

/* Elements of a block that are aligned as numbers and not as the device asks; where no byte before them is in
 * the block they are copied. */
Test(from_memory, uses_memory_within_a_block_at_any_element) {
    static _Alignas(64) float block[64];
    tern_ctx *ctx = tern_open(NULL);
    for (int i = 0; i < 64; i++) block[i] = (float)i;
    for (size_t first = 0; first < 20; first++) {
        int released = 0;
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *t = tern_from_memory_within(ctx, block, first * 4, TERN_SHAPE(3), TERN_FLOAT32,
                                                 count_release, &released);
        cr_assert_eq(released, 0, "element %zu is copied", first);
        tern_add_scalar_in_place(t, 100);
        cr_assert_eq(tern_item(tern_sum(t)), (double)(3 * first + 303));
        cr_assert_eq(block[first], (float)first + 100);
        cr_assert(first == 0 || block[first - 1] == (float)(first - 1));
        cr_assert_eq(block[first + 3], (float)(first + 3));
        for (size_t i = 0; i < 3; i++) block[first + i] -= 100;
        tern_scope_end(scope);
    }
    int released = 0;
    tern_from_memory_within(ctx, (char *)block + 64 + 4, 0, TERN_SHAPE(3), TERN_FLOAT32,
                            count_release, &released);
    cr_assert_eq(released, 1, "bytes before the block are used");
    tern_from_memory_within(ctx, block, 65, TERN_SHAPE(3), TERN_FLOAT32, count_release, &released);
    cr_assert_eq(released, 2, "numbers at an odd address are used");
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}
