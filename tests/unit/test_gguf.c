/* GGUF: the sample of tests/torch/check_gguf.py, and files made here that are damaged in one place. */
#define _GNU_SOURCE
#include "io/bytes.h"
#include "io/gguf_read.h"
#include "io_fixture.h"

#define GGUF TERN_TEST_SOURCE "/tests/data/gguf/sample.gguf"

enum { TEXT = 8, ARRAY = 9 }; /* types of metadata */

/* "NAME as" holds what ggml's package decodes from the tensor "NAME". */
Test(gguf, quantised_tensors_are_decoded_bit_by_bit_as_by_ggml) {
    static float have[512], want[512];
    tern_ctx *ctx = tern_open(NULL);
    for (int mapped = 0; mapped < 2; mapped++) {
        tern_value file = (mapped ? tern_value_map : tern_value_load)(ctx, GGUF), name, item;
        int decoded = 0;
        for (size_t i = 0; tern_dict_at(file, i, &name, &item); i++) {
            char as[64];
            snprintf(as, sizeof as, "%s as", name.as.s);
            tern_value other = tern_dict_get(file, as);
            if (other.kind != TERN_VALUE_TENSOR) continue;
            tern_tensor *t = item.as.tensor;
            size_t bytes = (size_t)tern_numel(t) * sizeof(float);
            cr_assert(tern_dtype_of(t) == TERN_FLOAT32 && bytes <= sizeof have, "%s", as);
            cr_assert_eq(tern_size(t, 1), tern_size(other.as.tensor, 1), "%s", as);
            tern_to_host(t, have, bytes);
            tern_to_host(other.as.tensor, want, bytes);
            cr_assert_eq(memcmp(have, want, bytes), 0, "%s has other numbers", as);
            decoded++;
        }
        cr_assert_eq(decoded, 10, "%s", tern_error(ctx));
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(gguf, plain_tensors_keep_their_dtype_and_metadata_is_an_attribute) {
    static const char *const names[] = {"float32", "float16", "float64", "bfloat16",
                                        "int8",    "int16",   "int32",   "int64"};
    tern_ctx *ctx = tern_open(NULL);
    for (int mapped = 0; mapped < 2; mapped++) {
        tern_value file = (mapped ? tern_value_map : tern_value_load)(ctx, GGUF);
        for (int i = 0; i < 8; i++) {
            double data[6];
            tern_tensor *t = tern_dict_get(file, names[i]).as.tensor;
            cr_assert_str_eq(tern_dtype_name(tern_dtype_of(t)), names[i]);
            cr_assert(tern_size(t, 0) == 2 && tern_size(t, 1) == 3, "%s", names[i]);
            tern_to_doubles(t, data, 6);
            for (int k = 0; k < 6; k++) cr_assert_eq(data[k], k, "%s", names[i]);
        }
        tern_value metadata = tern_dict_get(tern_dict_attributes(file), "gguf");
        const char *text = tern_json_text(ctx, metadata, 0);
        cr_assert_str_eq(
            text,
            "{\"general.architecture\": \"sample\", \"u8\": 255, \"i8\": -128, \"u16\": 65535, "
            "\"i16\": -32768, \"u32\": 4294967295, \"i32\": -2147483648, "
            "\"u64\": 9223372036854775807, \"u64 beyond\": \"18446744073709551615\", "
            "\"i64\": -9223372036854775808, \"f32\": 0.5, \"f64\": 0.1, \"bool\": true, "
            "\"text\": \"zw\303\266lf \342\234\223\", \"texts\": [\"a\", \"\", \"\303\251\"], "
            "\"numbers\": [1, -2, 3], \"floats\": [0.5, -1.5], \"general.alignment\": 64}");
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(gguf, what_is_in_a_file_is_told_with_what_it_is_read_as) {
    tern_ctx *ctx = tern_open(NULL);
    const char *text = tern_json_text(ctx, tern_file_inspect(ctx, GGUF), 0);
    cr_assert_not_null(text, "%s", tern_error(ctx));
    cr_assert_not_null(strstr(text, "{\"format\": \"gguf\""));
    cr_assert_not_null(strstr(text, "\"name\": \"Q4_K\", \"dtype\": \"Q4_K\", \"shape\": [1, 256], "
                                    "\"loads_as\": \"float32\""));
    cr_assert_not_null(strstr(text,
                              "\"name\": \"int8\", \"dtype\": \"int8\", \"shape\": [2, 3], "
                              "\"sha256\": \"17e88db187afd62c16e5debf3e6527cd006bc012bc90b5"));
    cr_assert_not_null(strstr(text, "\"general.architecture\": \"sample\""));
    tern_close(ctx);
}

Test(gguf, every_truncation_is_refused_in_one_line) {
    static unsigned char bytes[65536];
    size_t size = slurp(GGUF, bytes);
    tern_ctx *ctx = tern_open(NULL);
    tern_gguf file;
    cr_assert(tern_gguf_parse(ctx, GGUF, bytes, size, &file), "%s", tern_error(ctx));
    const tern_gguf_entry *last = &file.entries[file.count - 1];
    size_t end = (size_t)(last->data + last->bytes - bytes); /* the rest is padding */
    for (size_t length = 0; length < end; length++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        unsigned char *copy = malloc(length + 1); /* a sanitizer sees its end */
        memcpy(copy, bytes, length);
        cr_assert_not(tern_gguf_parse(ctx, "a.gguf", copy, length, &file), "%zu", length);
        check_message(ctx);
        free(copy);
        tern_scope_end(scope);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

/* ---- files that are damaged in one place ----------------------------------------------------- */

typedef struct draft {
    unsigned char bytes[1024];
    size_t size;
} draft;

static void put(draft *f, uint64_t number, int bytes) {
    f->size = (size_t)(tern_put_le(f->bytes + f->size, number, bytes) - f->bytes);
}

static void put_text(draft *f, const char *text) {
    put(f, strlen(text), 8);
    for (; *text; text++) put(f, (unsigned char)*text, 1);
}

static void begin(draft *f, uint32_t version, uint64_t tensors, uint64_t entries) {
    memset(f, 0, sizeof *f);
    memcpy(f->bytes, "GGUF", 4);
    f->size = 4;
    put(f, version, 4);
    put(f, tensors, 8);
    put(f, entries, 8);
}

/* A key with a type and as many bytes of a value. */
static void put_entry(draft *f, const char *key, uint32_t type, uint64_t number, int bytes) {
    put_text(f, key);
    put(f, type, 4);
    put(f, number, bytes);
}

static void put_tensor(draft *f, const char *name, uint64_t elements, uint32_t type,
                       uint64_t offset) {
    put_text(f, name);
    put(f, 1, 4);
    put(f, elements, 8);
    put(f, type, 4);
    put(f, offset, 8);
}

static void refused(tern_ctx *ctx, const draft *f, size_t data, const char *wanted) {
    size_t size = data ? (f->size + 31) / 32 * 32 + data : f->size;
    tern_value value = tern_gguf_read(ctx, "a.gguf", f->bytes, size, NULL);
    cr_assert_eq(value.kind, TERN_VALUE_NONE, "read, not: %s", wanted);
    cr_assert_not_null(strstr(tern_error(ctx), wanted), "%s, not: %s", tern_error(ctx), wanted);
    cr_assert_not_null(strstr(tern_error(ctx), "a.gguf: "), "%s", tern_error(ctx));
    check_message(ctx);
    tern_error_clear(ctx);
}

Test(gguf, what_is_wrong_with_the_head_is_named) {
    draft f;
    tern_ctx *ctx = tern_open(NULL);
    begin(&f, 1, 0, 0);
    refused(ctx, &f, 0, "of version 1: only versions 2 and 3 are read");
    begin(&f, 3u << 24, 0, 0);
    refused(ctx, &f, 0, "a big-endian GGUF file");
    begin(&f, 3, UINT64_MAX, 0);
    refused(ctx, &f, 0, "more tensors than bytes to describe them");
    begin(&f, 3, 0, UINT64_MAX);
    refused(ctx, &f, 0, "more metadata than bytes to hold it");
    f.bytes[0] = 'X';
    refused(ctx, &f, 0, "it does not begin with GGUF");
    tern_close(ctx);
}

Test(gguf, what_is_wrong_with_metadata_is_named) {
    static const struct {
        const char *key;
        uint32_t type;
        uint64_t number;
        int bytes;
        const char *wanted;
    } cases[] = {
        {"a", 13, 0, 4, "metadata 'a' has type 13, which GGUF does not have"},
        {"a", 7, 2, 1, "metadata 'a' is a bool that is neither 0 nor 1"},
        {"a", 4, 0, 3, "metadata 'a' reaches beyond the end"},
        {"a", TEXT, UINT64_MAX, 8, "metadata 'a' reaches beyond the end"},
        {"\377", 4, 0, 4, "holds a text that is not UTF-8"},
        {"general.alignment", 4, 3, 4, "its general.alignment is no power of 2"},
        {"general.alignment", 4, 0, 4, "its general.alignment is no power of 2"},
        {"general.alignment", 7, 1, 1, "its general.alignment is no power of 2"},
    };
    draft f;
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&f, 3, 0, 1);
        put_entry(&f, cases[i].key, cases[i].type, cases[i].number, cases[i].bytes);
        refused(ctx, &f, 0, cases[i].wanted);
    }
    begin(&f, 3, 0, 2);
    put_entry(&f, "a", 4, 1, 4);
    put_entry(&f, "a", 4, 1, 4);
    refused(ctx, &f, 0, "metadata 'a' is there twice");
    begin(&f, 3, 0, 1);
    put_entry(&f, "a", ARRAY, 4, 4);
    put(&f, UINT64_MAX / 4, 8);
    refused(ctx, &f, 0, "metadata 'a' has an array that reaches beyond the end");
    begin(&f, 3, 0, 1);
    put_entry(&f, "a", ARRAY, 0, 0);
    for (int depth = 0; depth < 20; depth++) {
        put(&f, ARRAY, 4);
        put(&f, 1, 8);
    }
    refused(ctx, &f, 0, "metadata 'a' has arrays within arrays too deep");
    tern_close(ctx);
}

Test(gguf, what_is_wrong_with_a_tensor_is_named) {
    static const struct {
        uint64_t elements;
        uint32_t type;
        uint64_t offset;
        size_t data;
        const char *wanted;
    } cases[] = {
        {32, 4, 0, 32, "tensor 'x' has type 4, which Tern does not know"},
        {33, 2, 0, 64, "tensor 'x' has a last dimension that is no multiple of the 32 of Q4_0"},
        {8, 0, 0, 31, "tensor 'x' reaches beyond the end"},
        {8, 0, 1u << 20, 64, "tensor 'x' reaches beyond the end"},
        {8, 0, UINT64_MAX - 31, 64, "tensor 'x' reaches beyond the end"},
        {8, 0, 4, 64, "tensor 'x' has an offset that is no multiple of the alignment"},
        {UINT64_MAX, 0, 0, 64, "tensor 'x' has a shape that overflows"},
        {INT64_MAX, 0, 0, 64, "tensor 'x' has a shape that overflows"},
        {32, 20, 0, 18, "tensor 'x' is IQ4_NL, which Tern does not support"},
    };
    draft f;
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(&f, 2, 1, 0);
        put_tensor(&f, "x", cases[i].elements, cases[i].type, cases[i].offset);
        refused(ctx, &f, cases[i].data, cases[i].wanted);
    }
    begin(&f, 3, 2, 0);
    put_tensor(&f, "x", 16, 0, 0);
    put_tensor(&f, "y", 8, 0, 32);
    refused(ctx, &f, 64, "tensor 'y' overlaps another");
    begin(&f, 3, 2, 0);
    put_tensor(&f, "x", 8, 0, 0);
    put_tensor(&f, "x", 8, 0, 32);
    refused(ctx, &f, 64, "tensor 'x' is there twice");
    begin(&f, 3, 1, 0);
    put_text(&f, "x");
    put(&f, 17, 4);
    for (int d = 0; d < 20; d++) put(&f, 1, 8);
    refused(ctx, &f, 0, "tensor 'x' has more than 16 dimensions");
    tern_close(ctx);
}

Test(gguf, empty_tensors_and_files_without_tensors_are_read) {
    draft f;
    tern_ctx *ctx = tern_open(NULL);
    begin(&f, 3, 0, 0);
    cr_assert_eq(tern_gguf_read(ctx, "a", f.bytes, f.size, NULL).kind, TERN_VALUE_DICT);
    begin(&f, 3, 2, 0);
    put_tensor(&f, "x", 0, 2, 0);
    put_tensor(&f, "y", 0, 0, 32);
    tern_value value = tern_gguf_read(ctx, "a", f.bytes, f.size, NULL);
    cr_assert_eq(tern_value_count(value), 2, "%s", tern_error(ctx));
    cr_assert_eq(tern_numel(tern_dict_get(value, "x").as.tensor), 0);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}
