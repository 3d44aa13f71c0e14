#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/npy.h"
#include "io/zip_writer.h"
#include "tern/memory.h"
#include "tern/ops.h"

/* Files that numpy 2.4 wrote. */
#define NPY(name) TERN_TEST_SOURCE "/tests/data/npy/" name

static void check_counting(tern_tensor *tensor, tern_dtype dtype) {
    double data[6];
    cr_assert_not(tern_is_nil(tensor), "%s", tern_error(tern_context_of(tensor)));
    cr_assert_eq(tern_dtype_of(tensor), dtype);
    cr_assert(tern_rank(tensor) == 2 && tern_size(tensor, 0) == 2 && tern_size(tensor, 1) == 3);
    tern_to_doubles(tensor, data, 6);
    for (int i = 0; i < 6; i++) cr_assert_eq(data[i], i, "element %d is %g", i, data[i]);
}

Test(npy, reads_what_numpy_writes) {
    tern_ctx *ctx = tern_open(NULL);
    check_counting(tern_npy_load(ctx, NPY("c.npy")), TERN_FLOAT32);
    check_counting(tern_npy_load(ctx, NPY("big.npy")), TERN_FLOAT32);
    check_counting(tern_npy_load(ctx, NPY("version3.npy")), TERN_FLOAT16);
    tern_tensor *columns = tern_npy_load(ctx, NPY("fortran.npy"));
    check_counting(columns, TERN_FLOAT32);
    cr_assert(tern_stride(columns, 0) == 1 && tern_stride(columns, 1) == 2);
    tern_tensor *scalar = tern_npy_load(ctx, NPY("scalar.npy"));
    cr_assert(tern_rank(scalar) == 0 && tern_item(scalar) == 2.5);
    tern_tensor *empty = tern_npy_load(ctx, NPY("empty.npy"));
    cr_assert(tern_numel(empty) == 0 && tern_size(empty, 1) == 3);
    cr_assert_eq(tern_dtype_of(empty), TERN_INT64);
    tern_tensor *vector = tern_npy_load(ctx, NPY("vector.npy"));
    cr_assert_eq(tern_item_i64(tern_select(vector, 0, 2)), 1002);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(npy, refuses_by_name_what_tern_does_not_have) {
    static const char *const bad[][2] = {
        {NPY("object.npy"), "its dtype '|O' means Python objects, which are refused"},
        {NPY("record.npy"), "its elements are records"},
        {NPY("none.npy"), "none.npy: cannot be opened"},
        {NPY("two.npz"), "damaged .npy file: it does not begin like one"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert(tern_is_nil(tern_npy_load(ctx, bad[i][0])), "%s is read", bad[i][0]);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i][1]), "%s", tern_error(ctx));
        check_message(ctx);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

/* A file of this header in version 1, and `data` zero bytes. */
static size_t make_npy(const char *header, size_t data, unsigned char *out) {
    size_t length = strlen(header);
    memcpy(out, "\x93NUMPY\1\0", 8);
    out[8] = (unsigned char)(length & 255);
    out[9] = (unsigned char)(length >> 8);
    memcpy(out + 10, header, length);
    memset(out + 10 + length, 0, data);
    return 10 + length + data;
}

Test(npy, header_is_read_strictly) {
#define D "{'descr': '<f4', 'fortran_order': False, 'shape': "
    static const struct {
        const char *header, *why;
        size_t data;
    } cases[] = {
        {D "(2,), }\n", NULL, 8},
        {"{\"shape\":(2L,),'fortran_order':True,'descr':'=f4'}   \n", NULL, 8},
        {D "()}\n", NULL, 4},
        {D "(0, 4294967296)}\n", NULL, 0},
        {D "(2,), }", "does not end in a newline", 8},
        {D "(2,), \n", "is not a dict", 8},
        {D "(2,), } x\n", "text after its header", 8},
        {D "(2,), 'more': 1}\n", "a key besides", 8},
        {D "(2,), 'shape': (2,)}\n", "a duplicate key", 8},
        {"{'descr': '<f4', 'shape': (2,)}\n", "lacks", 8},
        {D "(2)}\n", "a number, not a tuple", 8},
        {D "2}\n", "is not a tuple", 8},
        {D "(-2,)}\n", "not a tuple of sizes", 8},
        {D "(2 3)}\n", "not a tuple of sizes", 8},
        {D "(2,,)}\n", "not a tuple of sizes", 8},
        {D "(99999999999999999999,)}\n", "not a tuple of sizes", 8},
        {D "(4611686018427387904,)}\n", "overflows", 8},
        {D "(4294967296, 4294967296)}\n", "overflows", 8},
        {D "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}\n", "more than 16 dimensions", 4},
        {D "(3,), }\n", "data is truncated", 8},
        {D "(1,), }\n", "bytes after its data", 8},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}\n", "neither True nor False", 8},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}\n", "dtype '<f3'", 8},
        {"{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}\n", "dtype 'f4'", 8},
        {"{'descr': '\t', 'fortran_order': False, 'shape': (2,)}\n", "its dtype '?'", 8},
        {"{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (2,)}\n", "is not a dict", 8},
        {"{'descr', }\n", "is not a dict", 8},
        {"[]\n", "is not a dict", 8},
        {"\n", "is not a dict", 8},
        {"", "newline", 8},
    };
    tern_ctx *ctx = tern_open(NULL);
    unsigned char bytes[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = make_npy(cases[i].header, cases[i].data, bytes);
        tern_tensor *tensor = tern_npy_read(ctx, "x.npy", bytes, size);
        if (!cases[i].why) {
            cr_assert_not(tern_is_nil(tensor), "case %zu: %s", i, tern_error(ctx));
            continue;
        }
        cr_assert(tern_is_nil(tensor), "case %zu is read", i);
        cr_assert_not_null(strstr(tern_error(ctx), cases[i].why), "case %zu: %s", i,
                           tern_error(ctx));
        check_message(ctx);
        tern_error_clear(ctx);
    }
    size_t size = make_npy(D "(2,), }\n", 8, bytes);
    static const unsigned char wrong[][2] = {{0, 0}, {4, 0}, {1, 1}};
    for (int i = 0; i < 3; i++) {
        memcpy(bytes + 6, wrong[i], 2);
        cr_assert(tern_is_nil(tern_npy_read(ctx, "x.npy", bytes, size)));
        cr_assert_not_null(strstr(tern_error(ctx), "version"), "%s", tern_error(ctx));
        tern_error_clear(ctx);
    }
    memcpy(bytes + 6, "\2\0\xff\xff\xff\xff", 6);
    cr_assert(tern_is_nil(tern_npy_read(ctx, "x.npy", bytes, size)));
    cr_assert_not_null(strstr(tern_error(ctx), "longer than 10000"), "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(npy, survives_truncation_at_every_byte) {
    static unsigned char bytes[65536];
    tern_ctx *ctx = tern_open(NULL);
    static const char *const names[] = {NPY("c.npy"), NPY("version3.npy"), NPY("scalar.npy")};
    for (size_t n = 0; n < 3; n++) {
        size_t size = slurp(names[n], bytes);
        for (size_t cut = 0; cut < size; cut++) {
            unsigned char *part = tern_alloc(cut); /* of the exact size: a sanitizer sees its end */
            memcpy(part, bytes, cut);
            cr_assert(tern_is_nil(tern_npy_read(ctx, "x", part, cut)), "%zu bytes are read", cut);
            cr_assert_eq(tern_error_clear(ctx), TERN_ERR_FORMAT);
            tern_free(part);
        }
    }
    size_t size = slurp(NPY("packed.npz"), bytes);
    for (size_t cut = 0; cut < size; cut++) {
        unsigned char *part = tern_alloc(cut);
        memcpy(part, bytes, cut);
        cr_assert_eq(tern_npz_read(ctx, "x", part, cut).kind, TERN_VALUE_NONE);
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_FORMAT);
        tern_free(part);
    }
    tern_close(ctx);
}

Test(npy, writes_what_numpy_writes_byte_for_byte) {
    static unsigned char theirs[65536];
    static const char *const names[] = {"c", "scalar", "empty", "vector"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < 4; i++) {
        char path[512];
        tern_sink sink;
        snprintf(path, sizeof path, "%s%s.npy", NPY(""), names[i]);
        size_t size = slurp(path, theirs);
        tern_sink_memory(&sink, ctx);
        cr_assert_eq(tern_npy_write(tern_npy_load(ctx, path), &sink), TERN_OK, "%s",
                     tern_error(ctx));
        cr_assert_eq(sink.used, size, "%s: %zu bytes", names[i], sink.used);
        cr_assert_eq(memcmp(sink.bytes, theirs, size), 0, "%s differs", names[i]);
        tern_free(sink.bytes);
    }
    tern_close(ctx);
}

Test(npy, keeps_every_dtype_and_makes_views_row_major) {
    const char *folder = make_folder();
    char path[512];
    tern_ctx *ctx = tern_open(NULL);
    tern_tensor *base = tern_reshape(tern_arange(ctx, 0, 6, 1), TERN_SHAPE(2, 3));
    for (int d = 0; d < TERN_DTYPE_COUNT; d++) {
        tern_tensor *tensor = tern_to_dtype(base, (tern_dtype)d);
        snprintf(path, sizeof path, "%s/%d.npy", folder, d);
        if (d == TERN_BFLOAT16) {
            cr_assert_eq(tern_npy_save(tensor, path), TERN_ERR_ARGUMENT);
            cr_assert_not_null(strstr(tern_error(ctx), "numpy has no bfloat16"));
            tern_error_clear(ctx);
            continue;
        }
        cr_assert_eq(tern_npy_save(tensor, path), TERN_OK, "%s", tern_error(ctx));
        tern_tensor *back = tern_npy_load(ctx, path);
        cr_assert_eq(tern_dtype_of(back), d);
        cr_assert(tern_equal(back, tensor), "dtype %d differs", d);
    }
    snprintf(path, sizeof path, "%s/t.npy", folder);
    cr_assert_eq(tern_npy_save(tern_transpose(base, 0, 1), path), TERN_OK);
    tern_value back = tern_value_load(ctx, path);
    cr_assert_eq(back.kind, TERN_VALUE_TENSOR);
    cr_assert(tern_is_contiguous(back.as.tensor));
    cr_assert(tern_equal(back.as.tensor, tern_transpose(base, 0, 1)));
    cr_assert_eq(tern_npy_save(NULL, path), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_value_save(ctx, tern_int(3), path), TERN_ERR_ARGUMENT);
    cr_assert_not_null(strstr(tern_error(ctx), "holds one tensor, but this is int"));
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(tern_npy_load(ctx, folder)));
    cr_assert_neq(tern_npy_save(tern_nil(ctx), path), TERN_OK);
    tern_error_clear(ctx);
    cr_assert_eq(tern_npy_save(tern_nil(ctx), path), TERN_ERR_ARGUMENT);
    cr_assert_eq(count_files(folder, true), TERN_DTYPE_COUNT, "a failed save left a file");
    tern_close(ctx);
}

Test(npz, reads_what_numpy_writes) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value two = tern_npz_load(ctx, NPY("two.npz")), key;
    cr_assert_eq(tern_value_count(two), 2, "%s", tern_error(ctx));
    cr_assert(tern_dict_at(two, 0, &key, NULL));
    cr_assert_str_eq(key.as.s, "weights");
    check_counting(tern_dict_get(two, "weights").as.tensor, TERN_FLOAT32);
    cr_assert_eq(tern_dtype_of(tern_dict_get(two, "labels").as.tensor), TERN_BOOL);
    tern_value packed = tern_value_load(ctx, NPY("packed.npz"));
    cr_assert_eq(tern_numel(tern_dict_get(packed, "zeros").as.tensor), 4000);
    check_counting(tern_dict_get(packed, "x").as.tensor, TERN_FLOAT32);
    tern_close(ctx);
}

Test(npz, keeps_names_order_and_arrays) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/x.npz", folder);
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = tern_dict_new(ctx, false), key;
    cr_assert_eq(tern_npz_save(ctx, v, path), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_value_load(ctx, path).kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    tern_dict_set(v, "z", tern_tensor_value(tern_arange(ctx, 0, 3, 1)));
    tern_dict_set(v,
                  "gr\xc3\xb6\xc3\x9f"
                  "e/w",
                  tern_tensor_value(tern_scalar_tensor(ctx, 2, TERN_INT8)));
    tern_dict_set(v, "a", tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(0, 2), TERN_BOOL)));
    cr_assert_eq(tern_npz_save(ctx, v, path), TERN_OK, "%s", tern_error(ctx));
    tern_value back = tern_npz_load(ctx, path), item, again;
    cr_assert_eq(tern_value_count(back), 3, "%s", tern_error(ctx));
    for (size_t i = 0; tern_dict_at(v, i, &key, &item); i++) {
        tern_value name;
        cr_assert(tern_dict_at(back, i, &name, &again));
        cr_assert_str_eq(name.as.s, key.as.s);
        cr_assert(tern_equal(item.as.tensor, again.as.tensor));
    }
    tern_value list = tern_list_new(ctx);
    cr_assert_eq(tern_value_save(ctx, list, path), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    tern_dict_set(v, "n", tern_int(1));
    cr_assert_eq(tern_npz_save(ctx, v, path), TERN_ERR_ARGUMENT);
    cr_assert_not_null(strstr(tern_error(ctx), "'n' is int, not a tensor"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_value bad = tern_dict_new(ctx, false);
    tern_dict_set_value(bad, tern_int(1), tern_tensor_value(tern_scalar_tensor(ctx, 2, TERN_INT8)));
    cr_assert_eq(tern_npz_save(ctx, bad, path), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    cr_assert_eq(tern_value_count(tern_npz_load(ctx, path)), 3, "a failed save changed the file");
    cr_assert_eq(count_files(folder, true), 1);
    tern_close(ctx);
}

Test(npz, names_the_array_that_is_bad) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, NULL);
    tern_zip_add(&zip, "w.npy", "abc", 3);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    cr_assert(tern_is_npz(sink.bytes, sink.used));
    cr_assert_eq(tern_npz_read(ctx, "x.npz", sink.bytes, sink.used).kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_error(ctx),
                     "x.npz: array 'w': damaged .npy file: it does not begin like one");
    tern_error_clear(ctx);
    tern_free(sink.bytes);
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, NULL);
    tern_zip_add(&zip, "readme.txt", "abc", 3);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    cr_assert_not(tern_is_npz(sink.bytes, sink.used));
    cr_assert_eq(tern_npz_read(ctx, "x.npz", sink.bytes, sink.used).kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_error(ctx), "x.npz: member 'readme.txt' is not an array");
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(npz, refuses_names_of_files_elsewhere) {
    static const char *const names[] = {"/a.npy",  "../a.npy", "a/../../b.npy",
                                        "C:a.npy", "\\a.npy",  "a\\..\\b.npy"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tern_sink sink, member;
        tern_zip_writer zip;
        tern_sink_memory(&member, ctx);
        tern_npy_write(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), &member);
        tern_sink_memory(&sink, ctx);
        tern_zip_writer_init(&zip, ctx, &sink, NULL);
        tern_zip_add(&zip, names[i], member.bytes, member.used);
        cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
        cr_assert_eq(tern_npz_read(ctx, "x", sink.bytes, sink.used).kind, TERN_VALUE_NONE);
        cr_assert_not_null(strstr(tern_error(ctx), "absolute or climbing name"), "%s",
                           tern_error(ctx));
        tern_error_clear(ctx);
        tern_free(member.bytes);
        tern_free(sink.bytes);
    }
    tern_close(ctx);
}
