#define _GNU_SOURCE
#include <sys/stat.h>

#include "io_fixture.h"
#include "tern/data.h"
#include "tern/ops.h"

static char root[256];

static void in_root(const char *name, char *out, size_t size) {
    snprintf(out, size, "%s/%s", root, name);
}

static void make_class(const char *name) {
    char path[400];
    in_root(name, path, sizeof path);
    cr_assert_eq(mkdir(path, 0777), 0);
}

/* [2, 3] of first, first + 1, ... */
static void save(tern_ctx *ctx, const char *name, double first) {
    char path[400];
    in_root(name, path, sizeof path);
    tern_tensor *t = tern_reshape(tern_arange(ctx, first, first + 6, 1), TERN_SHAPE(2, 3));
    cr_assert_eq(tern_npy_save(t, path), TERN_OK, "%s", tern_error(ctx));
}

static void copy_sample(const char *from, const char *to) {
    static unsigned char bytes[65536];
    char path[400];
    size_t size = slurp(from, bytes);
    in_root(to, path, sizeof path);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    fwrite(bytes, 1, size, file);
    fclose(file);
}

static void clear_root(void) {
    static const char *const classes[] = {"cat", "dog", "empty", ".cache"};
    char path[400];
    for (int i = 0; i < 4; i++) {
        in_root(classes[i], path, sizeof path);
        DIR *dir = opendir(path);
        if (dir) {
            closedir(dir);
            count_files(path, true);
        }
    }
    count_files(root, true);
}

static void check_sample(tern_dataset *data, int64_t index, double first, int64_t label) {
    tern_tensor *sample[2];
    double numbers[6];
    cr_assert_eq(tern_dataset_get(data, index, sample), TERN_OK);
    cr_assert(tern_size(sample[0], 0) == 2 && tern_size(sample[0], 1) == 3);
    tern_to_doubles(sample[0], numbers, 6);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(numbers[i], first + i, "sample %d, element %d is %g", (int)index, i,
                     numbers[i]);
    if (label >= 0) cr_assert_eq(tern_item_i64(sample[1]), label);
}

Test(npy_folder, folders_are_classes_in_the_order_of_their_names) {
    tern_value classes;
    tern_ctx *ctx = tern_open(NULL);
    snprintf(root, sizeof root, "%s", make_folder());
    make_class("dog");
    make_class("cat");
    make_class(".cache");
    save(ctx, "dog/b.npy", 30);
    save(ctx, "dog/a.npy", 20);
    save(ctx, "cat/1.npy", 10);
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/fortran.npy", "cat/2.npy");
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/big.npy", "cat/3.npy");
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/big.npy", "cat/readme.txt");
    tern_dataset *data = tern_npy_folder_new(ctx, root, &classes);
    cr_assert_not_null(data, "%s", tern_error(ctx));
    cr_assert(tern_dataset_length(data) == 5 && tern_value_count(classes) == 2);
    cr_assert_str_eq(tern_value_at(classes, 0).as.s, "cat");
    check_sample(data, 0, 10, 0);
    check_sample(data, 1, 0, 0);
    check_sample(data, 2, 0, 0);
    check_sample(data, 3, 20, 1);
    check_sample(data, 4, 30, 1);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
    clear_root();
}

Test(npy_folder, files_alone_are_arrays_without_labels_and_workers_read_them) {
    tern_tensor *batch;
    tern_ctx *ctx = tern_open(NULL);
    snprintf(root, sizeof root, "%s", make_folder());
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.npy", i);
        save(ctx, name, 6 * i);
    }
    tern_dataset *data = tern_npy_folder_new(ctx, root, NULL);
    cr_assert_eq(tern_dataset_field_count(data), 1, "%s", tern_error(ctx));
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 2;
    o.num_workers = 3;
    tern_loader *loader = tern_loader_new(data, &o);
    tern_loader_begin(loader);
    double next = 0;
    while (tern_loader_next(loader, &batch)) {
        double numbers[12];
        size_t count = (size_t)tern_numel(batch);
        tern_to_doubles(batch, numbers, count);
        for (size_t i = 0; i < count; i++) cr_assert_eq(numbers[i], next++);
    }
    cr_assert_eq(next, 54);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
    clear_root();
}

static void check_refused(tern_ctx *ctx, const char *wanted) {
    cr_assert_null(tern_npy_folder_new(ctx, root, NULL), "made, not: %s", wanted);
    cr_assert_not_null(strstr(tern_error(ctx), wanted), "%s", tern_error(ctx));
    check_message(ctx);
    tern_error_clear(ctx);
}

Test(npy_folder, what_does_not_fit_is_named) {
    tern_ctx *ctx = tern_open(NULL);
    snprintf(root, sizeof root, "%s", make_folder());
    check_refused(ctx, "holds no .npy file");
    make_class("cat");
    save(ctx, "cat/a.npy", 0);
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/vector.npy", "cat/b.npy");
    check_refused(ctx, "cat/b.npy: its shape or dtype differs from that of");
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/uint16.npy", "cat/b.npy");
    check_refused(ctx, "cat/b.npy: its elements are uint16, which Tern does not support");
    copy_sample(TERN_TEST_SOURCE "/tests/data/npy/two.npz", "cat/b.npy");
    check_refused(ctx, "cat/b.npy: damaged .npy file");
    save(ctx, "cat/b.npy", 0);
    make_class("empty");
    check_refused(ctx, "empty: holds no .npy file");
    clear_root();
    check_refused(ctx, "cannot be opened as a folder");
    tern_close(ctx);
}

Test(npy_folder, a_file_that_goes_away_is_an_error_of_its_sample) {
    char path[400];
    tern_tensor *sample;
    tern_ctx *ctx = tern_open(NULL);
    snprintf(root, sizeof root, "%s", make_folder());
    save(ctx, "a.npy", 0);
    tern_dataset *data = tern_npy_folder_new(ctx, root, NULL);
    in_root("a.npy", path, sizeof path);
    unlink(path);
    cr_assert_neq(tern_dataset_get(data, 0, &sample), TERN_OK);
    cr_assert_str_eq(tern_error(ctx), "Dataset: sample 0 cannot be read");
    tern_close(ctx);
    clear_root();
}
