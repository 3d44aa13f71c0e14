/* Every allocation that fails while a file is read, told or written ends in a clean error. */
#define _GNU_SOURCE
#include "io_fixture.h"

#include "tern/ops.h"

#define NPY(name) TERN_TEST_SOURCE "/tests/data/npy/" name
#define GGUF      TERN_TEST_SOURCE "/tests/data/gguf/sample.gguf"

static bool told(tern_ctx *ctx, const char *path) {
    return tern_json_text(ctx, tern_file_inspect(ctx, path), 0) != NULL;
}

static bool loaded(tern_ctx *ctx, const char *path) {
    return tern_value_load(ctx, path).kind != TERN_VALUE_NONE;
}

static bool converted(tern_ctx *ctx, const char *path) {
    return tern_value_save(ctx, tern_value_load(ctx, NPY("two.npz")), path) == TERN_OK;
}

/* How many allocations failed the work before it succeeded. */
static int fail_each(const char *path, bool (*work)(tern_ctx *ctx, const char *path)) {
    bool done = false;
    int failed = 0;
    for (uint64_t nth = 1; !done && nth < 2000; nth++) {
        tern_ctx *ctx = tern_open("cpu_ref");
        tern_fail_allocation(nth);
        done = work(ctx, path);
        tern_fail_allocation(0);
        tern_status status = tern_check(ctx);
        cr_assert_eq(status, done ? TERN_OK : TERN_ERR_OUT_OF_MEMORY, "%s, allocation %d: %s", path,
                     (int)nth, tern_error(ctx));
        failed += !done;
        tern_close(ctx);
    }
    cr_assert(done, "%s: 2000 allocations were not enough", path);
    return failed;
}

Test(file_memory, telling_what_is_in_a_file_survives_every_failing_allocation) {
    cr_assert_gt(fail_each(SAMPLE("checkpoint_more.pth"), told), 10);
    cr_assert_gt(fail_each(SAMPLE("dtypes_legacy.pth"), told), 10);
    cr_assert_gt(fail_each(SAMPLE("constructors.pth"), told), 10);
    cr_assert_gt(fail_each(NPY("packed.npz"), told), 5);
    cr_assert_gt(fail_each(NPY("big.npy"), told), 2);
    cr_assert_gt(fail_each(GGUF, told), 5);
}

Test(file_memory, reading_arrays_survives_every_failing_allocation) {
    cr_assert_gt(fail_each(NPY("packed.npz"), loaded), 5);
    cr_assert_gt(fail_each(NPY("big.npy"), loaded), 2);
    cr_assert_gt(fail_each(NPY("fortran.npy"), loaded), 2);
    cr_assert_gt(fail_each(GGUF, loaded), 10);
    cr_assert_gt(fail_each(SAMPLE("constructors.pth"), loaded), 10);
}

Test(file_memory, writing_survives_every_failing_allocation_and_keeps_the_old_file) {
    const char *folder = make_folder();
    static const char *const names[] = {"x.npz", "x.safetensors", "x.pth"};
    char path[512];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        cr_assert_gt(fail_each(path, converted), 5, "%s", names[i]);
        cr_assert_eq(count_files(folder, false), i + 1, "a failed save left a file");
    }
    count_files(folder, true);
}
