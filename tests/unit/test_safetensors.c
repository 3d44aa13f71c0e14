#define _GNU_SOURCE
#include "io_fixture.h"

#include "io/bytes.h"
#include "io/safetensors.h"
#include "tern/memory.h"
#include "tern/ops.h"

/* A file of this header and `data_size` bytes of data (0, 1, 2 ...), in a block of its own. */
static unsigned char *make_file(const char *header, size_t data_size, size_t *out_size) {
    size_t length = strlen(header);
    *out_size = 8 + length + data_size;
    unsigned char *bytes = tern_alloc(*out_size);
    tern_put_le(bytes, length, 8);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data_size; i++) bytes[8 + length + i] = (unsigned char)i;
    return bytes;
}

static tern_safetensors *open_text(tern_ctx *ctx, const char *header, size_t data_size) {
    size_t size;
    unsigned char *bytes = make_file(header, data_size, &size);
    return tern_safetensors_over(ctx, "x.safetensors", bytes, size);
}

Test(safetensors, gives_entries_in_the_order_of_the_data) {
    tern_ctx *ctx = tern_open(NULL);
    tern_safetensors *file =
        open_text(ctx,
                  "{\"__metadata__\":{\"format\":\"pt\"},"
                  "\"b\":{\"dtype\":\"I16\",\"shape\":[2],\"data_offsets\":[8,12]},"
                  "\"empty\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[8,8]},"
                  "\"a\":{\"dtype\":\"F4\",\"shape\":[16],\"data_offsets\":[0,8],\"more\":1},"
                  "\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]}}   ",
                  13);
    cr_assert_not_null(file, "%s", tern_error(ctx));
    static const char *const names[] = {"a", "empty", "b", "scalar"};
    tern_safetensors_entry e;
    cr_assert_eq(tern_safetensors_count(file), 4);
    for (size_t i = 0; i < 4; i++) {
        cr_assert(tern_safetensors_at(file, i, &e));
        cr_assert_str_eq(e.name, names[i]);
    }
    cr_assert_not(tern_safetensors_at(file, 4, &e));
    cr_assert(tern_safetensors_find(file, "b", &e));
    cr_assert(e.dtype == TERN_INT16 && e.shape.rank == 1 && e.shape.dim[0] == 2 && e.bytes == 4);
    cr_assert_eq(((const unsigned char *)e.data)[0], 8);
    cr_assert_not(tern_safetensors_find(file, "c", &e));
    cr_assert(tern_safetensors_find(file, "a", &e) && e.dtype == TERN_DTYPE_DEFAULT);
    cr_assert_str_eq(e.dtype_name, "F4");
    cr_assert_str_eq(tern_dict_get(tern_safetensors_metadata(file), "format").as.s, "pt");
    cr_assert_eq(tern_item_i64(tern_safetensors_tensor(file, "scalar")), 12);
    cr_assert(tern_is_nil(tern_safetensors_tensor(file, "a")));
    cr_assert_str_eq(tern_error(ctx),
                     "x.safetensors: tensor 'a' is F4, which Tern does not support");
    tern_error_clear(ctx);
    cr_assert(tern_is_nil(tern_safetensors_tensor(file, "c")));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_NOT_FOUND);
    tern_safetensors_close(file);
    cr_assert_not(tern_safetensors_find(file, "b", &e), "a closed file has entries");
    tern_close(ctx);
}

Test(safetensors, reads_what_the_format_allows) {
    static const char entry[] = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
    static const char *const forms[] = {"{%s}", " \n\t{%s}", "{%s}\r\n ",
                                        "{\"__metadata__\":null,%s}"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char header[200];
        snprintf(header, sizeof header, forms[i], entry);
        tern_safetensors *file = open_text(ctx, header, 4);
        cr_assert_not_null(file, "case %zu: %s", i, tern_error(ctx));
        cr_assert_eq(tern_safetensors_count(file), 1);
        cr_assert_eq(tern_safetensors_metadata(file).kind, TERN_VALUE_NONE);
    }
    tern_close(ctx);
}

Test(safetensors, refuses_what_the_format_forbids) {
#define A(more) "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}" more
    static const struct {
        const char *header;
        const char *why;
    } bad[] = {
        {"", "its header is not an object"},
        {"[]", "its header is not an object"},
        {" [" A("}"), "its header is not an object"},
        {"\xef\xbb\xbf{" A("}"), "its header is not an object"},
        {"{\"b\":{\"dtype\":\"U8\\u0000x\",\"shape\":[4],\"data_offsets\":[0,4]}}",
         "no known dtype"},
        {"{" A(""), "line 1"},
        {"{" A("}x"), "line 1"},
        {"{" A("," A("}")), "duplicate"},
        {"{" A(",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}"), "overlaps"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]}}", "gap"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", "belong to no tensor"},
        {"{}", "belong to no tensor"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}", "outside"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,0]}}", "outside"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,4]}}",
         "does not match its shape"},
        {"{\"b\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,4]}}", "whole byte"},
        {"{\"b\":{\"dtype\":\"U9\",\"shape\":[4],\"data_offsets\":[0,4]}}", "no known dtype"},
        {"{\"b\":{\"shape\":[4],\"data_offsets\":[0,4]}}", "no known dtype"},
        {"{\"b\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", "no shape"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}}", "not a list of sizes"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4.0],\"data_offsets\":[0,4]}}",
         "not a list of sizes"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4]}}", "data_offsets"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0]}}", "data_offsets"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,\"4\"]}}", "data_offsets"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,99999999999999999999]}}",
         "line 1"},
        {"{\"b\":{\"dtype\":\"F64\",\"shape\":[4611686018427387904,8],\"data_offsets\":[0,4]}}",
         "overflows"},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],"
         "\"data_offsets\":[0,4]}}",
         "too many dimensions"},
        {"{\"b\":7}", "not described by an object"},
        {"{" A(",\"__metadata__\":{\"x\":1}}"), "other than texts"},
        {"{" A(",\"__metadata__\":[]}"), "is not an object"},
    };
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_null(open_text(ctx, bad[i].header, 4), "case %zu is read", i);
        cr_assert_not_null(strstr(tern_error(ctx), bad[i].why), "case %zu: %s", i, tern_error(ctx));
        check_message(ctx);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

Test(safetensors, writes_wide_dtypes_first_then_by_name) {
    tern_ctx *ctx = tern_open(NULL);
    static const float f[] = {1.5f, -2.0f};
    static const int64_t i[] = {7};
    static const uint8_t u[] = {1, 2, 3};
    tern_shape two = {1, {2}}, three = {2, {3, 1}}, none = {0, {0}};
    tern_value v = tern_dict_new(ctx, false);
    tern_dict_set(v, "z\"", tern_tensor_value(tern_from_data(ctx, f, two, TERN_FLOAT32)));
    tern_dict_set(v, "u", tern_tensor_value(tern_from_data(ctx, u, three, TERN_UINT8)));
    tern_dict_set(v, "a", tern_tensor_value(tern_from_data(ctx, f, two, TERN_FLOAT32)));
    tern_dict_set(v, "i", tern_tensor_value(tern_from_data(ctx, i, none, TERN_INT64)));
    tern_sink sink;
    tern_sink_memory(&sink, ctx);
    cr_assert_eq(tern_safetensors_write(ctx, v, &sink), TERN_OK, "%s", tern_error(ctx));
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"i\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
        "\"z\\\"\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]},"
        "\"u\":{\"dtype\":\"U8\",\"shape\":[3,1],\"data_offsets\":[24,27]}}";
    size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    cr_assert_eq(tern_read_u64(sink.bytes), padded);
    cr_assert_eq(memcmp(sink.bytes + 8, header, sizeof header - 1), 0);
    for (size_t k = sizeof header - 1; k < padded; k++) cr_assert_eq(sink.bytes[8 + k], ' ');
    cr_assert_eq(sink.used, 8 + padded + 27);
    cr_assert_eq(memcmp(sink.bytes + 8 + padded + 16, f, 8), 0);
    tern_safetensors *file = tern_safetensors_over(ctx, "x", sink.bytes, sink.used);
    tern_value back = tern_safetensors_value(file);
    cr_assert_eq(tern_value_count(back), 4, "%s", tern_error(ctx));
    double first[2];
    tern_to_doubles(tern_dict_get(back, "z\"").as.tensor, first, 2);
    cr_assert(first[0] == 1.5 && first[1] == -2.0);
    tern_close(ctx);
}

Test(safetensors, save_and_load_keep_metadata_and_make_views_contiguous) {
    const char *folder = make_folder();
    char path[512];
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    tern_ctx *ctx = tern_open(NULL);
    static const float f[] = {1, 2, 3, 4};
    tern_shape square = {2, {2, 2}}, turned = {2, {1, 2}};
    tern_tensor *t = tern_from_data(ctx, f, square, TERN_FLOAT32);
    tern_value v = tern_dict_new(ctx, false), attributes = tern_dict_new(ctx, false);
    tern_value metadata = tern_dict_new(ctx, false);
    tern_dict_set(v, "t", tern_tensor_value(tern_view_of_storage(t, square, turned, 0)));
    tern_dict_set(metadata, "k", tern_text("\xc3\xa9\n"));
    tern_dict_set(attributes, "__metadata__", metadata);
    tern_dict_set_attributes(v, attributes);
    cr_assert_eq(tern_value_save(ctx, v, path), TERN_OK, "%s", tern_error(ctx));
    tern_value back = tern_value_load(ctx, path);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert(
        tern_value_equal(tern_dict_get(tern_dict_attributes(back), "__metadata__"), metadata));
    double got[4];
    tern_to_doubles(tern_dict_get(back, "t").as.tensor, got, 4);
    cr_assert(got[0] == 1 && got[1] == 3 && got[2] == 2 && got[3] == 4);
    tern_dict_set(v, "n", tern_int(1));
    cr_assert_eq(tern_value_save(ctx, v, path), TERN_ERR_ARGUMENT);
    cr_assert_str_eq(tern_error(ctx), "safetensors: 'n' is not a tensor");
    tern_close(ctx);
    cr_assert_eq(count_files(folder, true), 1);
}

Test(safetensors, survives_truncation_and_flipped_bits) {
    static const char header[] =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]}}";
    tern_ctx *ctx = tern_open(NULL);
    size_t size, whole;
    tern_free(make_file(header, 9, &whole));
    uint64_t state = 3;
    for (size_t round = 0; round < whole + 3000; round++) {
        unsigned char *bytes = make_file(header, 9, &size);
        bool cut = round < whole;
        if (cut) {
            unsigned char *shorter = tern_alloc(round);
            memcpy(shorter, bytes, round);
            tern_free(bytes);
            bytes = shorter;
            size = round;
        } else {
            for (uint64_t k = 0; k <= draw(&state, 3); k++)
                bytes[draw(&state, size)] ^= (unsigned char)(1u << draw(&state, 8));
        }
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_safetensors *file = tern_safetensors_over(ctx, "x", bytes, size);
        cr_assert(!cut || !file, "cut at %zu is read", round);
        tern_safetensors_value(file);
        if (tern_check(ctx) != TERN_OK) check_message(ctx);
        tern_scope_end(scope);
        tern_error_clear(ctx);
    }
    tern_close(ctx);
}

/* TERN_VECTORS: a folder of conformance vectors (ops/ in it). */
Test(safetensors, opens_every_vector_file) {
    const char *folder = getenv("TERN_VECTORS");
    if (!folder || !*folder) cr_skip_test("TERN_VECTORS is not set");
    char path[1024];
    snprintf(path, sizeof path, "%s/ops", folder);
    DIR *dir = opendir(path);
    cr_assert_not_null(dir, "%s cannot be opened", path);
    tern_ctx *ctx = tern_open(NULL);
    size_t files = 0, tensors = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".safetensors")) continue;
        tern_scope scope = tern_scope_begin(ctx, 0);
        snprintf(path, sizeof path, "%s/ops/%s", folder, entry->d_name);
        tern_safetensors *file = tern_safetensors_open(ctx, path);
        cr_assert_not_null(file, "%s", tern_error(ctx));
        tern_value cases = tern_dict_get(tern_safetensors_metadata(file), "cases");
        cases = tern_json_parse(ctx, cases.as.s, cases.length);
        cr_assert_gt(tern_value_count(cases), 0, "%s: %s", path, tern_error(ctx));
        files++;
        tensors += tern_safetensors_count(file);
        tern_scope_end(scope);
    }
    closedir(dir);
    cr_log_info("%zu files, %zu tensors", files, tensors);
    cr_assert_gt(files, 0);
    tern_close(ctx);
}

/* tests/torch/save_wide.py wrote these: "NAME as" holds the numbers of "NAME" in the dtype that reads them. */
Test(wide, float8_and_unsigned_integers_are_read_as_what_holds_them) {
    static const char *const files[] = {SAMPLE("wide.pth"),
                                        TERN_TEST_SOURCE "/tests/data/wide.safetensors"};
    tern_ctx *ctx = tern_open(NULL);
    for (int k = 0; k < 4; k++) {
        tern_value state = (k % 2 ? tern_value_map : tern_value_load)(ctx, files[k / 2]), name,
                   item;
        cr_assert_geq(tern_value_count(state), 10, "%s", tern_error(ctx));
        for (size_t i = 0; tern_dict_at(state, i, &name, &item); i++) {
            unsigned char have[2048], want[2048];
            char as[64];
            snprintf(as, sizeof as, "%s as", name.as.s);
            tern_value other = tern_dict_get(state, as);
            if (other.kind != TERN_VALUE_TENSOR) continue;
            cr_assert_eq(tern_dtype_of(item.as.tensor), tern_dtype_of(other.as.tensor), "%s", as);
            size_t bytes =
                (size_t)tern_numel(item.as.tensor) * tern_dtype_size(tern_dtype_of(item.as.tensor));
            tern_to_host(tern_isnan(item.as.tensor), have,
                         bytes / tern_dtype_size(tern_dtype_of(item.as.tensor)));
            tern_to_host(tern_isnan(other.as.tensor), want,
                         bytes / tern_dtype_size(tern_dtype_of(item.as.tensor)));
            cr_assert_eq(memcmp(have, want, bytes / tern_dtype_size(tern_dtype_of(item.as.tensor))),
                         0, "NaN of %s", as);
            tern_tensor *zero = tern_full_like(item.as.tensor, 0);
            tern_to_host(tern_where(tern_isnan(item.as.tensor), zero, item.as.tensor), have, bytes);
            tern_to_host(tern_where(tern_isnan(item.as.tensor), zero, other.as.tensor), want,
                         bytes);
            cr_assert_eq(memcmp(have, want, bytes), 0, "%s has other numbers", as);
        }
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    }
    tern_value report = tern_file_inspect(ctx, files[0]);
    cr_assert_str_eq(
        tern_dict_get(tern_value_at(tern_dict_get(report, "tensors"), 0), "loads_as").as.s,
        "float32");
    tern_close(ctx);
}
