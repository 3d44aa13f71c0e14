#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/inspect.h"
#include "io/pth.h"
#include "io/zip_writer.h"
#include "tern/memory.h"
#include "tern/ops.h"

/*
 * contents.json lies beside samples of torch.save and was written by PyTorch with them: file ->
 * {"weights_only", "globals", "content"}; a content tells its kind: {"dict": [[key, value], ...]},
 * {"tensor": dtype, "shape", "sha256"}, {"list": [...]}, or is a plain value.
 */
typedef struct comparison {
    const char *file;
    tern_value report;
    size_t tensors, values; /* compared so far */
} comparison;

static tern_value tensor_named(tern_value report, const char *name) {
    tern_value tensors = tern_dict_get(report, "tensors");
    for (size_t i = 0; i < tern_value_count(tensors); i++)
        if (strcmp(tern_dict_get(tern_value_at(tensors, i), "name").as.s, name) == 0)
            return tern_value_at(tensors, i);
    return tern_none();
}

static void compare_tensor(comparison *c, const char *path, tern_value want) {
    tern_value have = tensor_named(c->report, path);
    if (!tern_dict_has(want, "shape")) { /* sparse: there is a warning instead */
        cr_assert_eq(have.kind, TERN_VALUE_NONE);
        cr_assert_eq(tern_value_count(tern_dict_get(c->report, "warnings")), 1);
        return;
    }
    cr_assert_eq(have.kind, TERN_VALUE_DICT, "%s: there is no tensor '%s'", c->file, path);
    cr_assert_str_eq(tern_dict_get(have, "dtype").as.s, tern_dict_get(want, "tensor").as.s);
    cr_assert_str_eq(tern_dict_get(have, "sha256").as.s, tern_dict_get(want, "sha256").as.s,
                     "%s: '%s' has other bytes", c->file, path);
    cr_assert(tern_value_equal(tern_dict_get(have, "shape"), tern_dict_get(want, "shape")),
              "%s: '%s' has another shape", c->file, path);
    c->tensors++;
}

static void compare_leaf(comparison *c, const char *path, tern_value want) {
    tern_value values = tern_dict_get(c->report, "values"), have = tern_dict_get(values, path);
    char text[64];
    cr_assert(tern_dict_has(values, path), "%s: there is no value '%s'", c->file, path);
    if (want.kind == TERN_VALUE_DICT) { /* {"float": "inf"}, {"int": "118..."}, {"dtype": ...} */
        cr_assert(tern_dict_at(want, 0, NULL, &want));
        if (have.kind == TERN_VALUE_FLOAT) {
            tern_format_double(have.as.f, text);
            have = tern_text(text);
        }
    }
    if (want.kind == TERN_VALUE_STRING && have.kind == TERN_VALUE_INT) {
        snprintf(text, sizeof text, "%lld", (long long)have.as.i);
        have = tern_text(text);
    }
    cr_assert(tern_value_equal(have, want), "%s: '%s' is another value", c->file, path);
    c->values++;
}

static void compare(comparison *c, const char *path, tern_value want);

static void compare_item(comparison *c, const char *path, tern_value key, tern_value item) {
    char name[2048], text[32];
    if (key.kind == TERN_VALUE_INT) {
        snprintf(text, sizeof text, "%lld", (long long)key.as.i);
        key = tern_text(text);
    }
    snprintf(name, sizeof name, "%s%s%s", path, *path ? "." : "", key.as.s);
    compare(c, name, item);
}

static void compare(comparison *c, const char *path, tern_value want) {
    static const char *const lists[] = {"list", "tuple", "Size"};
    tern_value items = tern_dict_get(want, "dict");
    if (want.kind == TERN_VALUE_DICT && tern_dict_has(want, "tensor")) {
        compare_tensor(c, path, want);
        return;
    }
    if (items.kind == TERN_VALUE_LIST) {
        for (size_t i = 0; i < tern_value_count(items); i++)
            compare_item(c, path, tern_value_at(tern_value_at(items, i), 0),
                         tern_value_at(tern_value_at(items, i), 1));
        return;
    }
    if (tern_dict_has(want, "set")) { /* in any order */
        c->values += tern_value_count(tern_dict_get(want, "set"));
        return;
    }
    for (size_t k = 0; k < 3; k++) {
        items = tern_dict_get(want, lists[k]);
        if (items.kind != TERN_VALUE_LIST) continue;
        for (size_t i = 0; i < tern_value_count(items); i++)
            compare_item(c, path, tern_int((int64_t)i), tern_value_at(items, i));
        return;
    }
    compare_leaf(c, path, want);
}

/* A file that names code is refused, by the name. */
static void check_refused(tern_ctx *ctx, const char *file, tern_value globals) {
    bool named = false;
    for (size_t i = 0; i < tern_value_count(globals); i++)
        named = named || strstr(tern_error(ctx), tern_value_at(globals, i).as.s);
    cr_assert(named, "%s: %s", file, tern_error(ctx));
    cr_assert_not_null(strstr(tern_error(ctx), "refused"), "%s: %s", file, tern_error(ctx));
    check_message(ctx);
    tern_error_clear(ctx);
}

static void check_file(tern_ctx *ctx, const char *folder, const char *file, tern_value facts) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    tern_scope scope = tern_scope_begin(ctx, 0);
    comparison c = {file, tern_file_inspect(ctx, path), 0, 0};
    /* PyTorch's safe reader takes protocol 2 alone; Tern's also the later ones. */
    bool safe =
        tern_dict_get(facts, "weights_only").as.b || strcmp(file, "model_protocol4.pth") == 0;
    if (safe) {
        cr_assert_eq(c.report.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
        cr_assert_str_eq(tern_dict_get(c.report, "format").as.s, "pth");
        compare(&c, "", tern_dict_get(facts, "content"));
        cr_assert_eq(c.tensors, tern_value_count(tern_dict_get(c.report, "tensors")), "%s", file);
        cr_assert_eq(c.values, tern_value_count(tern_dict_get(c.report, "values")), "%s", file);
    } else {
        cr_assert_eq(c.report.kind, TERN_VALUE_NONE, "%s is told", file);
        check_refused(ctx, file, tern_dict_get(facts, "globals"));
    }
    tern_scope_end(scope);
}

static size_t check_folder(const char *folder) {
    char path[1024];
    tern_ctx *ctx = tern_open(NULL);
    tern_value key, facts;
    snprintf(path, sizeof path, "%s/contents.json", folder);
    tern_value contents = tern_json_load(ctx, path);
    cr_assert_eq(contents.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    size_t count = tern_value_count(contents);
    for (size_t i = 0; tern_dict_at(contents, i, &key, &facts); i++)
        check_file(ctx, folder, key.as.s, facts);
    tern_close(ctx);
    return count;
}

Test(inspect, tells_what_pytorch_put_into_the_samples) {
    cr_assert_geq(check_folder(TERN_TEST_SOURCE "/tests/data/pth"), 15);
}

/* The whole set lies outside of the tree and may be absent. */
#define FURTHER TERN_TEST_SOURCE "/../shared/reference/pth"

Test(inspect, tells_what_pytorch_put_into_the_whole_set) {
    if (access(FURTHER "/torch-2.15/contents.json", R_OK) != 0) return;
    cr_assert_geq(check_folder(FURTHER "/torch-2.15"), 38);
}

Test(inspect, reads_every_file_of_older_versions) {
    static const char *const folders[] = {FURTHER "/torch-1.13", FURTHER "/torch-2.6"};
    tern_ctx *ctx = tern_open(NULL);
    for (int i = 0; i < 2; i++) {
        DIR *dir = opendir(folders[i]);
        if (!dir) continue;
        int count = 0;
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[1024];
            if (!strstr(entry->d_name, ".pt")) continue;
            snprintf(path, sizeof path, "%s/%s", folders[i], entry->d_name);
            cr_assert_neq(tern_value_load(ctx, path).kind, TERN_VALUE_NONE, "%s", tern_error(ctx));
            cr_assert_eq(tern_file_inspect(ctx, path).kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
            count++;
        }
        closedir(dir);
        cr_assert_geq(count, 8);
    }
    tern_close(ctx);
}

/* Longer than what is gathered at once. */
Test(inspect, sums_a_long_turned_tensor_row_by_row) {
    tern_ctx *ctx = tern_open(NULL);
    const char *folder = make_folder();
    char path[300];
    snprintf(path, sizeof path, "%s/turned.pth", folder);
    tern_value sums[2];
    tern_tensor *x = tern_arange(ctx, 0, 32 * 67 * 2000, 1);
    tern_tensor *turned =
        tern_permute(tern_reshape(x, TERN_SHAPE(32, 67, 2000)), TERN_SHAPE(2, 0, 1));
    for (int i = 0; i < 2; i++) {
        tern_value_save(ctx, tern_tensor_value(i ? tern_contiguous(turned) : turned), path);
        sums[i] = tern_dict_get(tensor_named(tern_file_inspect(ctx, path), ""), "sha256");
        cr_assert_eq(sums[i].kind, TERN_VALUE_STRING, "%s", tern_error(ctx));
    }
    cr_assert_str_eq(sums[0].as.s, sums[1].as.s);
    count_files(folder, true);
    tern_close(ctx);
}

/* ---- other formats --------------------------------------------------------------------------- */

Test(inspect, tells_numpys_arrays_whatever_their_order) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value plain = tern_file_inspect(ctx, TERN_TEST_SOURCE "/tests/data/npy/c.npy");
    cr_assert_eq(plain.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    cr_assert_str_eq(tern_dict_get(plain, "format").as.s, "npy");
    static const char *const same[] = {"fortran.npy", "big.npy"};
    tern_value first = tensor_named(plain, "");
    /* sha256 of arange(6) as float32, by hashlib */
    cr_assert_str_eq(tern_dict_get(first, "sha256").as.s,
                     "e2c0a71510b5394df7773b63fb5f54372b84c3564e67811bde7d665be227976d");
    for (int i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s%s", TERN_TEST_SOURCE "/tests/data/npy/", same[i]);
        cr_assert(tern_value_equal(tensor_named(tern_file_inspect(ctx, path), ""), first), "%s",
                  same[i]);
    }
    tern_value rare = tern_file_inspect(ctx, TERN_TEST_SOURCE "/tests/data/npy/uint16.npy");
    cr_assert_str_eq(tern_dict_get(tensor_named(rare, ""), "dtype").as.s, "uint16");
    tern_value two = tern_file_inspect(ctx, TERN_TEST_SOURCE "/tests/data/npy/two.npz");
    cr_assert_str_eq(tern_dict_get(two, "format").as.s, "npz");
    cr_assert_str_eq(tern_dict_get(tensor_named(two, "weights"), "sha256").as.s,
                     tern_dict_get(first, "sha256").as.s);
    cr_assert_str_eq(tern_dict_get(tensor_named(two, "labels"), "dtype").as.s, "bool");
    cr_assert_eq(tern_file_inspect(ctx, TERN_TEST_SOURCE "/tests/data/npy/object.npy").kind,
                 TERN_VALUE_NONE);
    tern_error_clear(ctx);
    cr_assert_eq(tern_file_inspect(ctx, TERN_TEST_SOURCE "/LICENSE").kind, TERN_VALUE_NONE);
    cr_assert_not_null(strstr(tern_error(ctx), "not a file of torch.save"));
    tern_error_clear(ctx);
    cr_assert_eq(tern_file_inspect(ctx, "/absent").kind, TERN_VALUE_NONE);
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_NOT_FOUND);
    tern_close(ctx);
}

Test(inspect, tells_safetensors_with_dtypes_that_tern_lacks) {
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]},"
        "\"b\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[2,4]}}";
    const char *folder = make_folder();
    char path[512], bytes[sizeof header + 11] = {0}, sum[65];
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    bytes[0] = (char)(sizeof header - 1);
    memcpy(bytes + 8, header, sizeof header - 1);
    memcpy(bytes + 8 + sizeof header - 1, "wxyz", 4);
    tern_ctx *ctx = tern_open(NULL);
    cr_assert_eq(tern_file_write(ctx, path, bytes, sizeof header + 11), TERN_OK);
    tern_value report = tern_file_inspect(ctx, path);
    cr_assert_eq(report.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    cr_assert_str_eq(tern_dict_get(tern_dict_get(report, "values"), "__metadata__.format").as.s,
                     "pt");
    cr_assert_str_eq(tern_dict_get(tensor_named(report, "a"), "dtype").as.s, "float8_e4m3fn");
    tern_sha256_hex("yz", 2, sum);
    cr_assert_str_eq(tern_dict_get(tensor_named(report, "b"), "sha256").as.s, sum);
    cr_assert_eq(tern_file_write(ctx, path, bytes, sizeof header + 9), TERN_OK);
    cr_assert_eq(tern_file_inspect(ctx, path).kind, TERN_VALUE_NONE, "a cut file is told");
    count_files(folder, true);
    tern_error_clear(ctx);
    tern_close(ctx);
}

/* ---- odd pickles ----------------------------------------------------------------------------- */

static tern_value inspect_pickle(tern_ctx *ctx, const char *path, const char *pickle, size_t size) {
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_file(&sink, ctx, path);
    tern_zip_writer_init(&zip, ctx, &sink, "r");
    tern_zip_add(&zip, "data.pkl", pickle, size);
    tern_zip_add(&zip, "data/0", "\0\0\x80\x3f\0\0\0\x40", 8);
    tern_zip_add(&zip, "version", "3\n", 2);
    tern_zip_writer_end(&zip);
    cr_assert_eq(tern_sink_end(&sink), TERN_OK, "%s", tern_error(ctx));
    return tern_file_inspect(ctx, path);
}
#define INSPECT(text) inspect_pickle(ctx, path, text, sizeof(text) - 1)

Test(inspect, ends_for_every_pickle) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/x.pth", folder);
    tern_ctx *ctx = tern_open(NULL);

    tern_value v = INSPECT("\x80\x02}(X\1\0\0\0aK\1K\2]X\1\0\0\0bctorch\nuint16\n\x88N"
                           "X\1\0\0\0cC\2\x01\xff"
                           "X\1\0\0\0dctorch\nfloat16\nX\1\0\0\0e\x8a\x09\0\0\0\0\0\0\0\0\xff"
                           "u.");
    cr_assert_eq(v.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    tern_value values = tern_dict_get(v, "values");
    cr_assert_eq(tern_dict_get(values, "a").as.i, 1);
    cr_assert_str_eq(tern_dict_get(values, "b").as.s, "torch.uint16");
    cr_assert(tern_dict_has(values, "True"));
    cr_assert_str_eq(tern_dict_get(values, "c").as.s, "01ff");
    cr_assert_str_eq(tern_dict_get(values, "d").as.s, "torch.float16");
    cr_assert_str_eq(tern_dict_get(values, "e").as.s, "-18446744073709551616");

    v = INSPECT("\x80\x02]q\0h\0a.");
    cr_assert_eq(v.kind, TERN_VALUE_NONE, "a list within itself is told");
    cr_assert_not_null(strstr(tern_error(ctx), "nested deeper"), "%s", tern_error(ctx));
    tern_error_clear(ctx);

    char bomb[256] = "\x80\x02]";
    size_t length = 3;
    for (int i = 0; i < 60; i++) /* [x, x] of the one before: 2^60 lists */
        length += (size_t)snprintf(bomb + length, 8, "2\x86");
    bomb[length++] = '.';
    v = inspect_pickle(ctx, path, bomb, length);
    cr_assert_eq(v.kind, TERN_VALUE_NONE, "2^60 lists are told");
    cr_assert_not_null(strstr(tern_error(ctx), "repeats its parts"), "%s", tern_error(ctx));
    tern_error_clear(ctx);

    /* A view that repeats one element 2^40 times. */
    v = INSPECT("\x80\x02"
                "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storage"
                "ctorch\nFloatStorage\n"
                "X\1\0\0\0"
                "0X\3\0\0\0cpuK\2tQK\0\x8a\6\0\0\0\0\0\1\x85K\0\x85\x89"
                "ccollections\nOrderedDict\n)RtR.");
    cr_assert_eq(v.kind, TERN_VALUE_DICT, "%s", tern_error(ctx));
    cr_assert_eq(tern_dict_get(tensor_named(v, ""), "sha256").kind, TERN_VALUE_NONE);
    cr_assert_eq(tern_value_count(tern_dict_get(v, "warnings")), 1);
    count_files(folder, true);
    tern_close(ctx);
}

/* ---- files of others ------------------------------------------------------------------------- */

Test(inspect, tells_what_older_and_odd_files_hold) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = tern_file_inspect(ctx, SAMPLE("python2.pth"));
    cr_assert_eq(tern_value_count(tern_dict_get(v, "tensors")), 2, "%s", tern_error(ctx));
    v = tern_file_inspect(ctx, SAMPLE("no_checksums.pth"));
    cr_assert_str_eq(tern_value_at(tern_dict_get(v, "warnings"), 0).as.s,
                     "no checksums are stored: damage would not be found");
    v = tern_file_inspect(ctx, SAMPLE("script.pt"));
    cr_assert_eq(tern_value_count(tern_dict_get(v, "tensors")), 11, "%s", tern_error(ctx));
    cr_assert_eq(tensor_named(v, "seq.0.weight").kind, TERN_VALUE_DICT);
    tern_close(ctx);
}

Test(pth, gives_the_weights_of_torchscript) {
    static const char *const files[] = {SAMPLE("script.pt"), SAMPLE("traced.pt")};
    /* list(torch.jit.load(path).state_dict()), sorted */
    static const char *const names[] = {"bn.bias",
                                        "bn.num_batches_tracked",
                                        "bn.running_mean",
                                        "bn.running_var",
                                        "bn.weight",
                                        "buf",
                                        "fc.bias",
                                        "fc.weight",
                                        "l.0",
                                        "seq.0.bias",
                                        "seq.0.weight"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t f = 0; f < 2; f++) {
        tern_value state = tern_value_load(ctx, files[f]);
        cr_assert_eq(tern_value_count(state), 11, "%s", tern_error(ctx));
        for (size_t i = 0; i < 11; i++)
            cr_assert_eq(tern_dict_get(state, names[i]).kind, TERN_VALUE_TENSOR, "%s", names[i]);
        cr_assert_eq(tern_size(tern_dict_get(state, "fc.weight").as.tensor, 1), 3);
    }
    tern_close(ctx);
}

Test(inspect, control_characters_stay_in_no_message) {
    static const char *const headers[] = {"{\"\xc2\x9b"
                                          "31mX\\q\":{}}",
                                          "{\"_\xc2\x9b\n\x1b[2JX\":{}}",
                                          "{\"a\\u009b\\u001b\\nb\":{}}"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < 3; i++) {
        unsigned char bytes[200] = {0};
        size_t length = strlen(headers[i]);
        bytes[0] = (unsigned char)length;
        memcpy(bytes + 8, headers[i], length);
        tern_inspect_over(ctx, "x\x1b.safetensors", bytes, 8 + length, NULL);
        const char *message = tern_error(ctx);
        cr_assert_neq(tern_check(ctx), TERN_OK);
        for (const char *c = message; *c; c++)
            cr_assert((unsigned char)*c >= 0x20 &&
                          !((unsigned char)*c == 0xc2 && (c[1] & 0xe0) == 0x80),
                      "a control character in: %s", message);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}
