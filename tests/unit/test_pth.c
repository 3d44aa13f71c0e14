#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/pth.h"
#include "io/widen.h"
#include "io/zip_writer.h"
#include "tern/grad.h"
#include "tern/memory.h"

static tern_value load(tern_ctx *ctx, const char *path) {
    tern_value value = tern_value_load(ctx, path);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return value;
}

/* Writes to memory under a root name. */
static tern_sink written(tern_ctx *ctx, tern_value value, const char *root) {
    tern_sink sink;
    tern_sink_memory(&sink, ctx);
    cr_assert_eq(tern_pth_write(ctx, value, root, &sink), TERN_OK, "%s", tern_error(ctx));
    return sink;
}

/* An archive with this pickle and the storages "0" and "1" of 8 bytes each. */
static tern_value read_pickle(tern_ctx *ctx, const char *pickle, size_t size) {
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, "r");
    tern_zip_add(&zip, "data.pkl", pickle, size);
    tern_zip_add(&zip, "data/0", "\0\0\x80\x3f\0\0\0\x40", 8);
    tern_zip_add(&zip, "data/1", "\1\0\0\0\0\0\0\0", 8);
    tern_zip_add(&zip, "version", "3\n", 2);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    tern_value value = tern_pth_read(ctx, "x.pth", sink.bytes, sink.used);
    tern_free(sink.bytes);
    return value;
}
#define READ(ctx, text) read_pickle(ctx, text, sizeof(text) - 1)

/* ---- files that PyTorch wrote ---------------------------------------------------------------- */

Test(pth, rewrites_pytorchs_files_byte_for_byte) {
    static unsigned char bytes[65536];
    static const char *const names[] = {"01_pytorch_workflow_model_0",
                                        "m1",
                                        "ckpt",
                                        "ckpt_adam",
                                        "small",
                                        "tied",
                                        "list",
                                        "m1_buf"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        bool is_list = strcmp(names[i], "list") == 0, is_buf = strcmp(names[i], "m1_buf") == 0;
        snprintf(path, sizeof path, "%s%s%s", SAMPLE(""), names[i], is_list ? ".pt" : ".pth");
        size_t size = slurp(path, bytes);
        tern_sink sink = written(ctx, load(ctx, path), is_buf ? "archive" : names[i]);
        cr_assert_eq(sink.used, size, "%s has %zu bytes", names[i], sink.used);
        cr_assert_eq(memcmp(sink.bytes, bytes, size), 0, "%s differs", names[i]);
        tern_free(sink.bytes);
    }
    tern_close(ctx);
}

static void check_same(tern_value a, tern_value b) {
    tern_value key, x, y;
    cr_assert_eq(tern_value_count(a), tern_value_count(b));
    for (size_t i = 0; tern_dict_at(a, i, &key, &x); i++) {
        cr_assert(tern_dict_at(b, i, NULL, &y));
        cr_assert(x.kind == TERN_VALUE_TENSOR && y.kind == TERN_VALUE_TENSOR);
        size_t bytes = (size_t)tern_numel(x.as.tensor) * 4;
        unsigned char left[4096], right[4096];
        cr_assert_eq(tern_to_host(x.as.tensor, left, bytes), TERN_OK);
        cr_assert_eq(tern_to_host(y.as.tensor, right, bytes), TERN_OK);
        cr_assert_eq(memcmp(left, right, bytes), 0, "%s differs", key.as.s);
    }
}

Test(pth, reads_every_form_of_the_same_state_dict) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value now = load(ctx, SAMPLE("m1.pth"));
    cr_assert(tern_dict_is_ordered(now));
    cr_assert_eq(tern_value_count(now), 2);
    tern_value metadata = tern_dict_get(tern_dict_attributes(now), "_metadata");
    cr_assert(tern_dict_is_ordered(metadata));
    cr_assert_eq(tern_dict_get(tern_dict_get(metadata, "linear_layer"), "version").as.i, 1);
    check_same(now, load(ctx, SAMPLE("m1_legacy.pth")));
    check_same(now, load(ctx, SAMPLE("m1_buf.pth")));
    check_same(now, load(ctx, SAMPLE("m1_deflated.pth")));
    tern_value old = load(ctx, SAMPLE("m1_1.13.pth")); /* of another version, with other weights */
    cr_assert_eq(tern_value_count(old), 2);
    cr_assert_eq(tern_value_count(load(ctx, SAMPLE("model_protocol4.pth"))), 9);
    tern_close(ctx);
}

Test(pth, reads_values_of_every_kind) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = load(ctx, SAMPLE("misc.pth"));
    tern_tensor *a = tern_dict_get(v, "a").as.tensor, *b = tern_dict_get(v, "b").as.tensor;
    tern_tensor *c = tern_dict_get(v, "c").as.tensor;
    cr_assert(tern_shares_storage(a, b) && tern_shares_storage(a, c));
    cr_assert(tern_stride(b, 0) == 1 && tern_stride(b, 1) == 3);
    cr_assert_eq(tern_storage_offset(c), 3);
    double row[3];
    tern_to_doubles(c, row, 3);
    cr_assert(row[0] == 3 && row[1] == 4 && row[2] == 5);
    cr_assert(tern_has_grad_required(tern_dict_get(v, "p").as.tensor), "a Parameter is none");
    cr_assert_not(tern_has_grad_required(a));
    cr_assert_eq(tern_dtype_of(tern_dict_get(v, "bf").as.tensor), TERN_BFLOAT16);
    cr_assert_eq(tern_rank(tern_dict_get(v, "s").as.tensor), 0);
    cr_assert_eq(tern_item(tern_dict_get(v, "s").as.tensor), 3.5);
    cr_assert_eq(tern_size(tern_dict_get(v, "e").as.tensor, 1), 3);
    tern_value size = tern_dict_get(v, "sz");
    cr_assert(size.kind == TERN_VALUE_TUPLE && tern_value_at(size, 1).as.i == 3);
    cr_assert_str_eq(tern_dict_get(v, "dev").as.s, "cpu");
    cr_assert_eq(tern_dict_get(v, "dt").as.dtype, TERN_FLOAT32);
    v = load(ctx, SAMPLE("ckpt.pth"));
    cr_assert_eq(tern_dict_get(v, "epoch").as.i, 5);
    cr_assert_eq(tern_dict_get(v, "loss").as.f, 0.25);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(pth, names_what_it_refuses) {
    static const struct {
        const char *path, *why;
    } bad[] = {{SAMPLE("code.pth"), "the file wants to call 'posix.getcwd'"},
               {SAMPLE("module_sequential.pth"), "'torch.nn.modules.container.Sequential'"},
               {SAMPLE("module_sequential.pth"), "save model.state_dict() instead"},
               {SAMPLE("bomb.pth"), "has no version"},
               {SAMPLE("absent.pth"), "absent.pth: cannot be opened: No such file or directory"},
               {SAMPLE(""), "is not a regular file"},
               {TERN_TEST_SOURCE "/LICENSE", "not a file of torch.save, safetensors, .npy"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(tern_value_load(ctx, bad[i].path).kind, TERN_VALUE_NONE);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i].why), "%s", tern_error(ctx));
        check_message(ctx);
        cr_assert_neq(tern_error_clear(ctx), TERN_OK);
    }
    tern_close(ctx);
}

/* ---- own files ------------------------------------------------------------------------------- */

Test(pth, keeps_dtypes_shapes_and_every_bit) {
    tern_ctx *ctx = tern_open(NULL);
    static const unsigned char data[64] = {0x01, 0, 0xc0, 0x7f, 1, 0, 0, 0x80, 1, 1, 0, 0x7e};
    tern_value v = tern_dict_new(ctx, false);
    for (int d = 0; d < TERN_DTYPE_COUNT; d++) {
        static const unsigned char bools[6] = {1, 0, 1, 1, 0, 0};
        tern_shape shape = {2, {2, 3}};
        const void *from = d == TERN_BOOL ? bools : data;
        tern_dict_set(v, tern_dtype_name((tern_dtype)d),
                      tern_tensor_value(tern_from_data(ctx, from, shape, (tern_dtype)d)));
    }
    tern_dict_set(v, "scalar", tern_tensor_value(tern_scalar_tensor(ctx, -0.0, TERN_FLOAT64)));
    tern_shape none = {3, {2, 0, 3}};
    tern_dict_set(v, "empty", tern_tensor_value(tern_from_data(ctx, NULL, none, TERN_INT16)));
    tern_sink sink = written(ctx, v, "x");
    tern_value back = tern_pth_read(ctx, "x", sink.bytes, sink.used), key, a, b;
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    for (size_t i = 0; tern_dict_at(v, i, &key, &a); i++) {
        unsigned char left[64] = {0}, right[64] = {0};
        cr_assert(tern_dict_at(back, i, NULL, &b));
        size_t bytes =
            (size_t)tern_numel(a.as.tensor) * tern_dtype_size(tern_dtype_of(a.as.tensor));
        cr_assert_eq(tern_dtype_of(a.as.tensor), tern_dtype_of(b.as.tensor), "%s", key.as.s);
        tern_shape x = tern_shape_of(a.as.tensor), y = tern_shape_of(b.as.tensor);
        cr_assert(x.rank == y.rank && memcmp(x.dim, y.dim, (size_t)x.rank * 8) == 0, "%s",
                  key.as.s);
        tern_to_host(a.as.tensor, left, bytes);
        tern_to_host(b.as.tensor, right, bytes);
        cr_assert_eq(memcmp(left, right, bytes), 0, "%s", key.as.s);
    }
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(pth, keeps_sharing_views_and_gradient_flags) {
    tern_ctx *ctx = tern_open(NULL);
    float data[12];
    for (int i = 0; i < 12; i++) data[i] = (float)i;
    tern_shape shape = {2, {3, 4}}, turned = {2, {4, 3}}, strides = {2, {1, 4}};
    tern_tensor *base = tern_from_data(ctx, data, shape, TERN_FLOAT32);
    tern_tensor *view = tern_view_of_storage(base, turned, strides, 0);
    tern_shape row = {1, {4}}, one = {1, {1}}, still = {1, {0}}, wide = {1, {5}};
    tern_value v = tern_list_new(ctx);
    tern_list_append(v, tern_tensor_value(tern_view_of_storage(base, row, one, 8)));
    tern_list_append(v, tern_tensor_value(view));
    tern_list_append(v, tern_tensor_value(base));
    tern_list_append(v, tern_tensor_value(base));
    tern_list_append(v, tern_tensor_value(tern_view_of_storage(base, wide, still, 7)));
    tern_tensor *leaf = tern_from_data(ctx, data, row, TERN_FLOAT32);
    tern_requires_grad(leaf, true);
    tern_list_append(v, tern_tensor_value(leaf));
    tern_sink sink = written(ctx, v, "x");
    tern_value back = tern_pth_read(ctx, "x", sink.bytes, sink.used);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_tensor *t[6];
    for (size_t i = 0; i < 6; i++) t[i] = tern_value_at(back, i).as.tensor;
    cr_assert_eq(t[2], t[3], "one tensor became two");
    for (int i = 0; i < 5; i++) cr_assert(tern_shares_storage(t[i], t[2]), "tensor %d", i);
    cr_assert_not(tern_shares_storage(t[5], t[2]));
    cr_assert_eq(tern_storage_offset(t[0]), 8);
    cr_assert(tern_stride(t[1], 0) == 1 && tern_stride(t[1], 1) == 4);
    cr_assert_eq(tern_stride(t[4], 0), 0);
    double wide_data[5];
    tern_to_doubles(t[4], wide_data, 5);
    for (int i = 0; i < 5; i++) cr_assert_eq(wide_data[i], 7.0);
    cr_assert(tern_has_grad_required(t[5]));
    cr_assert_not(tern_has_grad_required(t[2]));
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(pth, root_is_the_name_without_its_last_extension) {
    static const char *const cases[][2] = {{"m1.pth", "m1"},
                                           {"/a.b/c/m1.tar.pth", "m1.tar"},
                                           {"a\\b.pt", "b"},
                                           {"plain", "plain"},
                                           {".pth", "archive"},
                                           {"gr\xc3\xb6sse.pth", "archive"},
                                           {"\xc3\xb6/m.pth", "archive"}};
    char root[4096];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_pth_root(cases[i][0], root);
        cr_assert_str_eq(root, cases[i][1], "%s gives %s", cases[i][0], root);
    }
}

/* ---- hostile files --------------------------------------------------------------------------- */

#define TENSOR(offset, sizes, strides)                                                             \
    "\x80\x02"                                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"                                        \
    "ctorch\nFloatStorage\n"                                                                       \
    "X\1\0\0\0"                                                                                    \
    "0X\3\0\0\0cpuK\2tQ" offset sizes strides "\x89"                                               \
    "ccollections\nOrderedDict\n)RtR."

Test(pth, checks_every_bound_of_a_tensor) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = READ(ctx, TENSOR("K\1", "K\1\x85", "K\1\x85"));
    cr_assert_eq(v.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_eq(tern_item(v.as.tensor), 2.0);
#define REFUSED(offset, sizes, strides)                                                            \
    READ(ctx, TENSOR(offset, sizes, strides));                                                     \
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_FORMAT, "%s %s %s is read", #offset, #sizes,      \
                 #strides)
    REFUSED("K\0", "K\3\x85", "K\1\x85");
    REFUSED("K\1", "K\2\x85", "K\1\x85");
    REFUSED("K\2", "K\1\x85", "K\1\x85");
    REFUSED("K\0", "K\2\x85", "K\2\x85");
    REFUSED("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85");
    REFUSED("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85");
    REFUSED("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85");
    REFUSED("K\0", "K\1\x85", "K\1K\1\x86");
    REFUSED("K\0", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\4\x86", "K\0K\0\x86");
    REFUSED("K\0", "K\2\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85");
    REFUSED("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\1\x85", "K\1\x85");
    REFUSED("K\0", "K\1", "K\1");
    REFUSED("N", "K\1\x85", "K\1\x85");
    tern_close(ctx);
}

Test(pth, gives_integers_beyond_64_bits_as_text) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v =
        READ(ctx, "\x80\x02(\x8a\x09\0\0\0\0\0\0\0\0\1"
                  "\x8a\x09\0\0\0\0\0\0\0\x80\xff\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0"
                  "\x8a\x09\1\0\0\0\0\0\0\0\0t.");
    static const char *const texts[] = {"18446744073709551616", "-9223372036854775808",
                                        "18446744073709551615", "1"};
    cr_assert_eq(tern_value_count(v), 4, "%s", tern_error(ctx));
    for (size_t i = 0; i < 4; i++) cr_assert_str_eq(tern_value_at(v, i).as.s, texts[i]);
    tern_close(ctx);
}

Test(pth, refuses_storages_that_contradict_themselves) {
#define STORED(class, key, count)                                                                  \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"                                        \
    "ctorch\n" class "\nX\1\0\0\0" key "X\3\0\0\0cpuK" count "tQK\0K\1\x85K\1\x85\x89"             \
                     "ccollections\nOrderedDict\n)RtR"
    tern_ctx *ctx = tern_open(NULL);
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    static const struct {
        const char *pickle;
        size_t size;
        const char *why;
    } bad[] = {
#define CASE(text, why) {text, sizeof(text) - 1, why}
        CASE("\x80\x02" STORED("FloatStorage", "7", "\2") ".", "storage '7' is missing"),
        CASE("\x80\x02" STORED("FloatStorage", "0", "\3") ".", "has another size"),
        CASE("\x80\x02" STORED("FloatStorage", "0", "\2") STORED("IntStorage", "0", "\2") "\x86.",
             "named twice"),
        CASE("\x80\x02" STORED("QInt8Storage", "0", "\1") ".", "quantized"),
        CASE("\x80\x02(X\7\0\0\0storageNtQ.", "a storage without a tensor"),
        CASE("\x80\x02"
             "ctorch._utils\n_rebuild_tensor_v2\n(NK\0K\1\x85K\1\x85\x89NtR.",
             "has no storage"),
        CASE("\x80\x02"
             "ctorch._utils\n_rebuild_tensor_v2\n)R.",
             "wrong arguments"),
        CASE("\x80\x02"
             "ctorch\nFloatStorage\n.",
             "not a value"),
        CASE("\x80\x02\x8a\x41" ZEROS ZEROS ZEROS ZEROS "\1.", "more than 512 bits"),
        CASE("\x80\x04\x8c\3a\nb\x8c\2c\x1b\x93.", "to call 'a?b.c?'"),
        CASE("\x80\x02X\1\0\0\0\xff.", "not UTF-8"),
        CASE("\x80\x02})Ns.", "a dict's key"),
        CASE("\x80\x02]q\0h\0a.", "contains itself"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(read_pickle(ctx, bad[i].pickle, bad[i].size).kind, TERN_VALUE_NONE);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i].why), "case %zu: %s", i, tern_error(ctx));
        cr_assert_neq(tern_error_clear(ctx), TERN_OK);
    }
    tern_close(ctx);
}

Test(pth, refuses_values_of_astronomic_size_and_depth) {
    tern_ctx *ctx = tern_open(NULL);
    char pickle[4096] = "\x80\x02]";
    size_t at = 3;
    for (int i = 0; i < 60; i++) /* [x, x] of the one before: 2^60 lists */
        at += (size_t)snprintf(pickle + at, 8, "2\x86");
    pickle[at++] = '.';
    read_pickle(ctx, pickle, at);
    cr_assert_not_null(strstr(tern_error(ctx), "repeats its parts too often"), "%s",
                       tern_error(ctx));
    tern_error_clear(ctx);
    memset(pickle + 2, ']', 1000);
    memset(pickle + 1002, 'a', 999);
    memcpy(pickle + 2001, ".", 1);
    read_pickle(ctx, pickle, 2002);
    cr_assert_not_null(strstr(tern_error(ctx), "nested deeper than 256"), "%s", tern_error(ctx));
    tern_close(ctx);
}

/* Reads changed bytes from a block of exactly their size, so that a sanitizer sees its end. */
static tern_status read_changed(tern_ctx *ctx, const unsigned char *bytes, size_t size) {
    unsigned char *copy = tern_alloc(size);
    memcpy(copy, bytes, size);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_pth_read(ctx, "x.pth", copy, size);
    if (tern_check(ctx) != TERN_OK) check_message(ctx);
    tern_scope_end(scope);
    tern_free(copy);
    return tern_error_clear(ctx);
}

Test(pth, survives_truncation_at_every_byte) {
    static unsigned char bytes[65536];
    static const char *const paths[] = {SAMPLE("misc.pth"), SAMPLE("m1_legacy.pth"),
                                        SAMPLE("tied_legacy.pth"), SAMPLE("m1_deflated.pth"),
                                        SAMPLE("model_protocol4.pth")};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t size = slurp(paths[i], bytes);
        for (size_t cut = 0; cut < size; cut++)
            cr_assert_neq(read_changed(ctx, bytes, cut), TERN_OK, "%s cut at %zu is read", paths[i],
                          cut);
        cr_assert_eq(read_changed(ctx, bytes, size), TERN_OK);
    }
    tern_close(ctx);
}

Test(pth, survives_flipped_bits) {
    static unsigned char bytes[65536];
    static const char *const paths[] = {SAMPLE("misc.pth"), SAMPLE("tied_legacy.pth"),
                                        SAMPLE("ckpt_adam.pth"), SAMPLE("m1_deflated.pth"),
                                        SAMPLE("model_protocol4.pth")};
    tern_ctx *ctx = tern_open(NULL);
    uint64_t state = 1;
    int refused = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t size = slurp(paths[i], bytes);
        for (int round = 0; round < 400; round++) {
            size_t at[4];
            unsigned char bit[4];
            int flips = 1 + (int)draw(&state, 4);
            for (int k = 0; k < flips; k++) {
                at[k] = (size_t)draw(&state, size);
                bit[k] = (unsigned char)(1u << draw(&state, 8));
                bytes[at[k]] ^= bit[k];
            }
            refused += read_changed(ctx, bytes, size) != TERN_OK;
            for (int k = flips; k-- > 0;) bytes[at[k]] ^= bit[k];
        }
    }
    cr_assert_gt(refused, 1000, "only %d of 2000 changes were noticed", refused);
    tern_close(ctx);
}

/* The pickle of an archive behind its checksum: here the reader alone has to notice. */
Test(pth, survives_changed_pickles) {
    static const char tensor[] = TENSOR("K\0", "K\2\x85", "K\1\x85");
    tern_ctx *ctx = tern_open(NULL);
    uint64_t state = 7;
    for (int round = 0; round < 3000; round++) {
        char pickle[sizeof tensor];
        memcpy(pickle, tensor, sizeof tensor);
        int changes = 1 + (int)draw(&state, 3);
        for (int k = 0; k < changes; k++)
            pickle[draw(&state, sizeof tensor - 1)] = (char)draw(&state, 256);
        tern_scope scope = tern_scope_begin(ctx, 0);
        read_pickle(ctx, pickle, sizeof tensor - 1);
        if (tern_check(ctx) != TERN_OK) check_message(ctx);
        tern_scope_end(scope);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

Test(pth, every_failed_allocation_ends_in_a_clean_error) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/m.pth", folder);
    uint64_t nth = 0;
    tern_status status = TERN_ERR_OUT_OF_MEMORY;
    for (nth = 1; status != TERN_OK && nth < 2000; nth++) {
        tern_ctx *ctx = tern_open(NULL);
        tern_fail_allocation(nth);
        tern_value value = tern_value_load(ctx, SAMPLE("ckpt_adam.pth"));
        status = tern_value_save(ctx, value, path);
        tern_fail_allocation(0);
        if (status != TERN_OK)
            cr_assert_eq(status, TERN_ERR_OUT_OF_MEMORY, "allocation %d: %s", (int)nth,
                         tern_error(ctx));
        cr_assert_eq(count_files(folder, false), status == TERN_OK ? 1 : 0,
                     "allocation %d left a file", (int)nth);
        tern_close(ctx);
    }
    cr_assert(nth > 20 && nth < 2000, "%d allocations", (int)nth);
    cr_assert_eq(count_files(folder, true), 1);
}

/* ---- all of the reference samples, where they are -------------------------------------------- */

static void check_content(tern_ctx *ctx, tern_value got, tern_value want, const char *file);

static void check_tensor(tern_ctx *ctx, tern_tensor *t, tern_value want, const char *file) {
    char sum[65];
    tern_value shape = tern_dict_get(want, "shape"), stride = tern_dict_get(want, "stride");
    const tern_wide *wide = tern_wide_of(tern_dict_get(want, "tensor").as.s);
    cr_assert_str_eq(tern_dtype_name(tern_dtype_of(t)),
                     wide ? tern_dtype_name(wide->dtype) : tern_dict_get(want, "tensor").as.s);
    cr_assert_eq(tern_value_count(shape), (size_t)tern_rank(t), "%s", file);
    for (int i = 0; i < tern_rank(t); i++) {
        cr_assert_eq(tern_size(t, i), tern_value_at(shape, (size_t)i).as.i, "%s", file);
        cr_assert_eq(tern_stride(t, i), tern_value_at(stride, (size_t)i).as.i, "%s", file);
    }
    cr_assert_eq(tern_storage_offset(t), tern_dict_get(want, "offset").as.i, "%s", file);
    cr_assert_eq(tern_has_grad_required(t), tern_dict_get(want, "requires_grad").as.b, "%s", file);
    if (wide) return; /* other bytes for the same numbers */
    size_t bytes = (size_t)tern_numel(t) * tern_dtype_size(tern_dtype_of(t));
    void *data = tern_scope_alloc(ctx, bytes + 1);
    cr_assert_eq(tern_to_host(t, data, bytes), TERN_OK, "%s", tern_error(ctx));
    tern_sha256_hex(data, bytes, sum);
    cr_assert_str_eq(sum, tern_dict_get(want, "sha256").as.s, "%s", file);
}

static void check_content(tern_ctx *ctx, tern_value got, tern_value want, const char *file) {
    tern_value key, item, pair;
    if (want.kind != TERN_VALUE_DICT) {
        cr_assert(tern_value_equal(got, want), "%s", file);
    } else if (tern_dict_has(want, "tensor")) {
        cr_assert_eq(got.kind, TERN_VALUE_TENSOR, "%s", file);
        check_tensor(ctx, got.as.tensor, want, file);
    } else if (tern_dict_has(want, "dict")) {
        want = tern_dict_get(want, "dict");
        cr_assert_eq(tern_value_count(got), tern_value_count(want), "%s", file);
        for (size_t i = 0; tern_dict_at(got, i, &key, &item); i++) {
            pair = tern_value_at(want, i);
            cr_assert(tern_value_equal(key, tern_value_at(pair, 0)), "%s", file);
            check_content(ctx, item, tern_value_at(pair, 1), file);
        }
    } else if (tern_dict_has(want, "list") || tern_dict_has(want, "tuple")) {
        want = tern_dict_get(want, tern_dict_has(want, "list") ? "list" : "tuple");
        cr_assert_eq(tern_value_count(got), tern_value_count(want), "%s", file);
        for (size_t i = 0; i < tern_value_count(want); i++)
            check_content(ctx, tern_value_at(got, i), tern_value_at(want, i), file);
    } else if (tern_dict_has(want, "float")) {
        char text[32];
        tern_format_double(got.as.f, text);
        cr_assert_str_eq(text, tern_dict_get(want, "float").as.s, "%s", file);
    } else if (tern_dict_has(want, "int")) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)got.as.i);
        cr_assert_str_eq(got.kind == TERN_VALUE_STRING ? got.as.s : text,
                         tern_dict_get(want, "int").as.s, "%s", file);
    }
}

/* TERN_PTH_SAMPLES: another folder of files by torch.save, with contents.json that says what is in
 * them. */
Test(pth, reads_the_reference_samples) {
    const char *named = getenv("TERN_PTH_SAMPLES");
    const char *folder = named ? named : TERN_TEST_SOURCE "/tests/data/pth";
    char path[1024];
    int read = 0, refused = 0;
    tern_ctx *ctx = tern_open(NULL);
    snprintf(path, sizeof path, "%s/contents.json", folder);
    tern_value contents = tern_json_load(ctx, path), name, entry;
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    for (size_t i = 0; tern_dict_at(contents, i, &name, &entry); i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        snprintf(path, sizeof path, "%s/%s", folder, name.as.s);
        tern_value value = tern_value_load(ctx, path);
        if (tern_check(ctx) == TERN_OK) {
            cr_assert(tern_dict_get(entry, "content").kind != TERN_VALUE_NONE, "%s runs code",
                      name.as.s);
            check_content(ctx, value, tern_dict_get(entry, "content"), name.as.s);
            read++;
        } else {
            cr_log_info("%s", tern_error(ctx));
            refused++;
        }
        tern_error_clear(ctx);
        tern_scope_end(scope);
    }
    cr_assert_geq(read, named ? 27 : 15, "%d read, %d refused", read, refused);
    tern_close(ctx);
}
