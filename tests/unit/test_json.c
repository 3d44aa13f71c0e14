#define _GNU_SOURCE
#include "io_fixture.h"

#include <math.h>

static tern_value parse(tern_ctx *ctx, const char *text) {
    return tern_json_parse(ctx, text, strlen(text));
}

Test(json, reads_and_writes_every_kind) {
    static const char text[] = "{\"a\": [1, -2.5, 1e+300, true, false, null], \"b\": {\"c\": "
                               "\"x\\n\\u0001\\\"\xc3\xa9\"}, \"e\": [], \"f\": {}, "
                               "\"big\": -9223372036854775808}";
    tern_ctx *ctx = tern_open(NULL);
    tern_value v = parse(ctx, text);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_value a = tern_dict_get(v, "a");
    cr_assert_eq(tern_value_at(a, 0).kind, TERN_VALUE_INT);
    cr_assert_eq(tern_value_at(a, 1).as.f, -2.5);
    cr_assert_eq(tern_dict_get(v, "big").as.i, INT64_MIN);
    cr_assert_str_eq(tern_json_text(ctx, v, 0), text);
    cr_assert_str_eq(tern_json_text(ctx, tern_dict_get(v, "e"), 2), "[]");
    tern_value one = tern_dict_new(ctx, false);
    tern_dict_set(one, "k", tern_list_new(ctx));
    tern_list_append(tern_dict_get(one, "k"), tern_float(INFINITY));
    tern_dict_set_value(one, tern_int(3), tern_dtype_value(TERN_INT8));
    cr_assert_str_eq(tern_json_text(ctx, one, 2),
                     "{\n  \"k\": [\n    \"inf\"\n  ],\n  \"3\": \"torch.int8\"\n}");
    cr_assert_eq(parse(ctx, "3").as.i, 3);
    cr_assert_eq(tern_check(ctx), TERN_OK);
    tern_close(ctx);
}

Test(json, floats_read_back_equal) {
    static const double values[] = {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 1e16, -0.0, 3};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        tern_value v = parse(ctx, tern_json_text(ctx, tern_float(values[i]), 0));
        cr_assert_eq(v.kind, TERN_VALUE_FLOAT);
        cr_assert_eq(memcmp(&v.as.f, &values[i], 8), 0, "%g", values[i]);
    }
    tern_close(ctx);
}

Test(json, errors_tell_line_and_column) {
    static const char *const bad[] = {"",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,\"a\":2}",
                                      "1 2",
                                      "nan",
                                      "9223372036854775808",
                                      "\"\xff\"",
                                      "1e999",
                                      "{\"a\\u0000\":1}"};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(parse(ctx, bad[i]).kind, TERN_VALUE_NONE, "%s is read", bad[i]);
        cr_assert_not_null(strstr(tern_error(ctx), "JSON: line 1, column "), "%s", tern_error(ctx));
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_FORMAT);
    }
    char deep[1400];
    memset(deep, '[', 700);
    memset(deep + 700, ']', 700);
    tern_json_parse(ctx, deep, 1400);
    cr_assert_str_eq(tern_error(ctx), "JSON: nested deeper than 256");
    tern_error_clear(ctx);
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, list);
    cr_assert_null(tern_json_text(ctx, list, 0));
    cr_assert_str_eq(tern_error(ctx), "JSON: values are nested deeper than 256");
    tern_error_clear(ctx);
    cr_assert_null(tern_json_text(ctx, tern_generator_value(tern_default_generator(ctx)), 0));
    cr_assert_eq(tern_error_clear(ctx), TERN_ERR_ARGUMENT);
    tern_close(ctx);
}

/* The examples of FIPS 180-4, and the lengths at which padding takes another block. */
Test(sha256, gives_the_standards_own_sums) {
    static const struct {
        const char *text, *sum;
    } known[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                 {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                 {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                 {"0123456789012345678901234567890123456789012345678901234",
                  "f34d5a0f80c0cbf84c8c0b90218c22637abd199965249da736a20143c8c9c9d9"},
                 {"0123456789012345678901234567890123456789012345678901234567890123",
                  "9674d9e078535b7cec43284387a6ee39956188e735a85452b0050b55341cda56"}};
    char sum[65];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        tern_sha256_hex(known[i].text, strlen(known[i].text), sum);
        cr_assert_str_eq(sum, known[i].sum);
    }
}
