#define _GNU_SOURCE
#include "io_fixture.h"

#include <sys/stat.h>

static char path[512];

static const char *in(const char *folder, const char *name) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void check_content(const char *file, const char *expected) {
    static unsigned char bytes[65536];
    size_t size = slurp(file, bytes);
    cr_assert(size == strlen(expected) && memcmp(bytes, expected, size) == 0, "%s has changed",
              file);
}

Test(file, replaces_content_and_keeps_rights) {
    const char *folder = make_folder();
    tern_ctx *ctx = tern_open(NULL);
    cr_assert_eq(tern_file_write(ctx, in(folder, "f"), "one", 3), TERN_OK, "%s", tern_error(ctx));
    check_content(path, "one");
    chmod(path, 0640);
    cr_assert_eq(tern_file_write(ctx, path, "", 0), TERN_OK);
    check_content(path, "");
    struct stat info;
    stat(path, &info);
    cr_assert_eq(info.st_mode & 0777, 0640);
    char *big = tern_file_read(ctx, path, &(size_t){0});
    cr_assert_str_eq(big, "");
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 1);
}

Test(file, writes_through_a_symbolic_link) {
    const char *folder = make_folder();
    tern_ctx *ctx = tern_open(NULL);
    char link[512];
    snprintf(link, sizeof link, "%s/link", folder);
    tern_file_write(ctx, in(folder, "target"), "old", 3);
    cr_assert_eq(symlink("target", link), 0);
    cr_assert_eq(tern_file_write(ctx, link, "new", 3), TERN_OK);
    check_content(path, "new");
    struct stat info;
    lstat(link, &info);
    cr_assert(S_ISLNK(info.st_mode), "the link was replaced");
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 2);
}

Test(file, every_failed_step_keeps_the_old_file_and_leaves_no_other) {
    const char *folder = make_folder();
    static char data[200000]; /* several buffers */
    memset(data, 'x', sizeof data);
    tern_ctx *ctx = tern_open(NULL);
    tern_file_write(ctx, in(folder, "f"), "old", 3);
    tern_fail_write(0);
    int failures = 0;
    for (uint64_t nth = 1;; nth++) {
        tern_fail_write(nth);
        tern_status status = tern_file_write(ctx, path, data, sizeof data);
        uint64_t steps = tern_fail_write(0);
        cr_assert_eq(count_files(folder, false), 1, "step %d left a file", (int)nth);
        if (status == TERN_OK) {
            cr_assert_lt(steps, nth);
            break;
        }
        check_content(path, "old");
        cr_assert_eq(status, TERN_ERR_IO);
        cr_assert_not_null(strstr(tern_error(ctx), "No space left on device"));
        tern_error_clear(ctx);
        failures++;
    }
    cr_assert_eq(failures, 4, "create, write, flush, rename: %d", failures);
    tern_close(ctx);
    count_files(folder, true);
}

Test(file, a_failed_save_of_a_value_keeps_the_old_file) {
    const char *folder = make_folder();
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = tern_dict_new(ctx, false);
    tern_dict_set(v, "x", tern_tensor_value(tern_scalar_tensor(ctx, 1.0, TERN_FLOAT32)));
    static const char *const names[] = {"m.pth", "m.safetensors", "m.npz"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(tern_value_save(ctx, v, in(folder, names[i])), TERN_OK);
        tern_value kept = tern_value_load(ctx, path);
        for (uint64_t nth = 1; nth <= 4; nth++) {
            tern_fail_write(nth);
            cr_assert_eq(tern_value_save(ctx, v, path), TERN_ERR_IO);
            tern_fail_write(0);
            tern_error_clear(ctx);
        }
        tern_value bad = tern_dict_new(ctx, false);
        tern_dict_set(bad, "g", tern_generator_value(tern_default_generator(ctx)));
        cr_assert_eq(tern_value_save(ctx, bad, path), TERN_ERR_ARGUMENT);
        cr_assert_eq(tern_value_save(ctx, v, path), TERN_ERR_ARGUMENT, "a latched context writes");
        tern_error_clear(ctx);
        tern_value again = tern_value_load(ctx, path);
        cr_assert_eq(tern_item(tern_dict_get(again, "x").as.tensor),
                     tern_item(tern_dict_get(kept, "x").as.tensor));
    }
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 3);
}

Test(file, names_what_cannot_be_written) {
    const char *folder = make_folder();
    tern_ctx *ctx = tern_open(NULL);
    static const char *const names[] = {"", "no/such/file", ".", "..", "sub"};
    mkdir(in(folder, "sub"), 0700);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert_neq(tern_file_write(ctx, in(folder, names[i]), "x", 1), TERN_OK, "'%s'",
                      names[i]);
        cr_assert_not_null(strstr(tern_error(ctx), path), "%s", tern_error(ctx));
        check_message(ctx);
        tern_error_clear(ctx);
    }
    char name[6000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    cr_assert_neq(tern_file_write(ctx, name, "x", 1), TERN_OK);
    tern_error_clear(ctx);
    size_t size;
    cr_assert_null(tern_file_read(ctx, in(folder, "absent"), &size));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_NOT_FOUND);
    mkfifo(in(folder, "pipe"), 0600);
    cr_assert_null(tern_file_read(ctx, path, &size));
    cr_assert_not_null(strstr(tern_error(ctx), "is not a regular file"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    cr_assert_neq(tern_file_write(ctx, path, "x", 1), TERN_OK);
    tern_close(ctx);
    rmdir(in(folder, "sub"));
    cr_assert_eq(count_files(folder, true), 1);
}

Test(file, what_is_saved_without_a_flush_is_whole_and_replaces_at_once) {
    char saved[300];
    const char *folder = make_folder();
    snprintf(saved, sizeof saved, "%s/x.pth", folder);
    tern_ctx *ctx = tern_open(NULL);
    tern_save_options o = TERN_SAVE_OPTIONS;
    tern_fail_write(0);
    cr_assert_eq(tern_value_save(ctx, tern_int(7), saved), TERN_OK, "%s", tern_error(ctx));
    uint64_t durable = tern_fail_write(0);
    o.durable = false;
    cr_assert_eq(tern_value_save_with(ctx, tern_int(8), saved, &o), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_fail_write(1), durable - 1, "the flush alone is left out");
    cr_assert_neq(tern_value_save_with(ctx, tern_int(9), saved, &o), TERN_OK);
    tern_fail_write(0);
    tern_error_clear(ctx);
    cr_assert_eq(tern_value_load(ctx, saved).as.i, 8, "%s", tern_error(ctx));
    cr_assert_eq(count_files(folder, true), 1);
    tern_close(ctx);
}
