#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "tern/context.h"
#include "tern/value.h"

static const char *repr(tern_value value) {
    static char text[4096];
    size_t length = tern_value_repr(value, text, sizeof text);
    cr_assert_eq(length, strlen(text), "the length of %s is given as %zu", text, length);
    return text;
}

static const char *number(double value) {
    static char text[32];
    tern_format_double(value, text);
    return text;
}

Test(value, floats_print_as_pythons_repr) {
    cr_assert_str_eq(number(0.1), "0.1");
    cr_assert_str_eq(number(1e-5), "1e-05");
    cr_assert_str_eq(number(0.0001), "0.0001");
    cr_assert_str_eq(number(1e16), "1e+16");
    cr_assert_str_eq(number(1e15), "1000000000000000.0");
    cr_assert_str_eq(number(123456789012345678.0), "1.2345678901234568e+17");
    cr_assert_str_eq(number(0.31288138031959534), "0.31288138031959534");
    cr_assert_str_eq(number(-0.0), "-0.0");
    cr_assert_str_eq(number(3.0), "3.0");
    cr_assert_str_eq(number(5e-324), "5e-324");
    cr_assert_str_eq(number(2.2250738585072014e-308), "2.2250738585072014e-308");
    cr_assert_str_eq(number(1.7976931348623157e308), "1.7976931348623157e+308");
    cr_assert_str_eq(number(-INFINITY), "-inf");
    cr_assert_str_eq(number(NAN), "nan");
    /* A power of two whose nearest 16 digits do not read back, but whose next do. */
    cr_assert_str_eq(number(0x1p-1017), "7.120236347223045e-307");
}

Test(value, numbers_read_back_what_was_printed) {
    static const double values[] = {0.1, 1e-5, 1e22, 5e-324, 0x1p-1017, 1.0 / 3.0, -2.5e300, 0.0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        tern_value v;
        const char *text = number(values[i]);
        cr_assert(tern_number_parse(text, strlen(text), &v), "%s does not parse", text);
        cr_assert_eq(v.kind, TERN_VALUE_FLOAT);
        cr_assert_eq(v.as.f, values[i], "%s reads back otherwise", text);
    }
    tern_value v;
    cr_assert(tern_number_parse("-9223372036854775808", 20, &v));
    cr_assert_eq(v.as.i, INT64_MIN);
    cr_assert_not(tern_number_parse("9223372036854775808", 19, &v), "beyond 64 bits");
    cr_assert(tern_number_parse("-inf", 4, &v) && v.as.f == -INFINITY);
    cr_assert_not(tern_number_parse("0x10", 4, &v));
    cr_assert_not(tern_number_parse("1 ", 2, &v));
    cr_assert_not(tern_number_parse("", 0, &v));
    cr_assert_not(tern_number_parse("e", 1, &v));
}

Test(value, prints_containers_as_python) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value list = tern_list_new(ctx), one = tern_tuple_new(ctx),
               dict = tern_dict_new(ctx, false);
    tern_list_append(list, tern_int(-1));
    tern_list_append(list, tern_bool(true));
    tern_list_append(list, tern_none());
    tern_list_append(one, tern_float(0.5));
    tern_dict_set(dict, "it's", list);
    tern_dict_set_value(dict, tern_int(3), one);
    cr_assert_str_eq(repr(dict), "{\"it's\": [-1, True, None], 3: (0.5,)}");
    tern_value ordered = tern_dict_new(ctx, true);
    cr_assert_str_eq(repr(ordered), "OrderedDict()");
    tern_dict_set(ordered, "a", tern_dtype_value(TERN_BFLOAT16));
    cr_assert_str_eq(repr(ordered), "OrderedDict({'a': torch.bfloat16})");
    const int64_t shape[] = {2, 3};
    cr_assert_str_eq(repr(tern_ints(shape, 2)), "[2, 3]");
    cr_assert_str_eq(repr(tern_tuple_new(ctx)), "()");
    cr_assert_str_eq(repr(tern_text("a\n\\\x01\xc3\xa9\xc2\xa0")), "'a\\n\\\\\\x01\xc3\xa9\\xa0'");
    tern_close(ctx);
}

Test(value, cuts_text_at_the_buffer_and_tells_the_full_length) {
    char text[4] = "zzz";
    cr_assert_eq(tern_value_repr(tern_int(123456), text, sizeof text), 6);
    cr_assert_str_eq(text, "123");
    cr_assert_eq(tern_value_repr(tern_int(123456), NULL, 0), 6);
}

Test(value, dict_keeps_order_and_finds_keys_beyond_the_small_size) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value dict = tern_dict_new(ctx, false), key, item;
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "layer.%d.weight", i);
        cr_assert_eq(tern_dict_set(dict, name, tern_int(i)), TERN_OK);
        cr_assert_eq(tern_dict_set_value(dict, tern_int(i), tern_int(-i)), TERN_OK);
    }
    cr_assert_eq(tern_value_count(dict), 10000);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "layer.%d.weight", i);
        cr_assert_eq(tern_dict_get(dict, name).as.i, i, "%s", name);
        cr_assert_eq(tern_dict_get_value(dict, tern_int(i)).as.i, -i);
        cr_assert(tern_dict_at(dict, (size_t)(2 * i), &key, &item));
        cr_assert_str_eq(key.as.s, name, "the order is lost");
    }
    cr_assert_not(tern_dict_has(dict, "layer.5000.weight"));
    cr_assert_not(tern_dict_at(dict, 10000, &key, &item));
    tern_dict_set(dict, "layer.7.weight", tern_none());
    cr_assert_eq(tern_value_count(dict), 10000, "a replaced entry was added");
    cr_assert(tern_dict_has(dict, "layer.7.weight"));
    cr_assert_eq(tern_dict_get(dict, "layer.7.weight").kind, TERN_VALUE_NONE);
    tern_close(ctx);
}

Test(value, keys_compare_as_in_python) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value dict = tern_dict_new(ctx, false);
    tern_dict_set_value(dict, tern_int(1), tern_text("int"));
    tern_dict_set_value(dict, tern_float(1.0), tern_text("float"));
    tern_dict_set_value(dict, tern_bool(true), tern_text("bool"));
    cr_assert_eq(tern_value_count(dict), 1);
    cr_assert_str_eq(repr(dict), "{1: 'bool'}");
    tern_dict_set_value(dict, tern_text("1"), tern_none());
    tern_dict_set_value(dict, tern_none(), tern_none());
    tern_dict_set_value(dict, tern_float(0.5), tern_none());
    cr_assert_eq(tern_value_count(dict), 4);
    tern_value zeros = tern_string_n(ctx, "a\0b", 3);
    tern_dict_set_value(dict, zeros, tern_int(9));
    cr_assert_not(tern_dict_has(dict, "a"), "a string is cut at its zero byte");
    cr_assert_eq(tern_dict_get_value(dict, tern_string_n(ctx, "a\0b", 3)).as.i, 9);
    cr_assert_eq(tern_error_clear(ctx), TERN_OK);
    cr_assert_eq(tern_dict_set_value(dict, dict, tern_none()), TERN_ERR_ARGUMENT);
    cr_assert_str_eq(tern_error(ctx), "a dict's key must be a scalar, not dict");
    tern_close(ctx);
}

Test(value, grows_in_the_scope_it_was_made_in) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value list = tern_list_new(ctx), dict = tern_dict_new(ctx, false);
    char name[16];
    for (int i = 0; i < 100; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        snprintf(name, sizeof name, "%d", i);
        tern_list_append(list, tern_int(i));
        tern_dict_set(dict, name, tern_int(i));
        tern_scope_end(scope);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%d", i);
        cr_assert_eq(tern_value_at(list, (size_t)i).as.i, i);
        cr_assert_eq(tern_dict_get(dict, name).as.i, i);
    }
    tern_close(ctx);
}

Test(value, equality_is_by_content) {
    tern_ctx *ctx = tern_open(NULL);
    tern_value a = tern_dict_new(ctx, false), b = tern_dict_new(ctx, false);
    tern_dict_set(a, "x", tern_float(NAN));
    tern_dict_set(a, "y", tern_int(1));
    tern_dict_set(b, "y", tern_int(1));
    tern_dict_set(b, "x", tern_float(NAN));
    cr_assert(tern_value_equal(a, b));
    tern_dict_set(b, "y", tern_float(1));
    cr_assert_not(tern_value_equal(a, b), "int and float are of one kind");
    tern_value list = tern_list_new(ctx), tuple = tern_tuple_new(ctx);
    cr_assert_not(tern_value_equal(list, tuple));
    tern_list_append(list, list);
    tern_value other = tern_list_new(ctx);
    tern_list_append(other, other);
    cr_assert_not(tern_value_equal(list, other), "cyclic lists do not end");
    char text[64];
    cr_assert_gt(tern_value_repr(list, text, sizeof text), 500);
    tern_close(ctx);
}

Test(value, conversions_saturate) {
    cr_assert_eq(tern_value_as_int(tern_float(1e300)), INT64_MAX);
    cr_assert_eq(tern_value_as_int(tern_float(-1e300)), INT64_MIN);
    cr_assert_eq(tern_value_as_int(tern_float(NAN)), 0);
    cr_assert_eq(tern_value_as_int(tern_float(-2.9)), -2);
    cr_assert_eq(tern_value_as_double(tern_bool(true)), 1.0);
    cr_assert_not(tern_value_is_number(tern_none()));
}

Test(value, a_failed_allocation_latches_and_leaves_the_dict_whole) {
    for (uint64_t nth = 1; nth < 12; nth++) {
        tern_ctx *ctx = tern_open(NULL);
        tern_error_clear(ctx);
        tern_value dict = tern_dict_new(ctx, false);
        size_t done = 0;
        char name[8192];
        memset(name, 'n', sizeof name);
        tern_fail_allocation(nth);
        for (int i = 0; i < 40; i++) {
            snprintf(name + sizeof name - 8, 8, "%d", i);
            if (tern_dict_set(dict, name, tern_int(i)) != TERN_OK) break;
            done++;
        }
        tern_fail_allocation(0);
        cr_assert_eq(tern_value_count(dict), done);
        if (done < 40) cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
        for (size_t i = 0; i < done; i++) {
            snprintf(name + sizeof name - 8, 8, "%zu", i);
            cr_assert_eq(tern_dict_get(dict, name).as.i, (int64_t)i);
        }
        tern_close(ctx);
    }
}

Test(dtype, names_sizes_and_parsing_agree) {
    tern_dtype dtype;
    for (int i = 0; i < TERN_DTYPE_COUNT; i++) {
        cr_assert(tern_dtype_parse(tern_dtype_name((tern_dtype)i), &dtype));
        cr_assert_eq((int)dtype, i);
        cr_assert_gt(tern_dtype_size((tern_dtype)i), 0);
    }
    cr_assert(tern_dtype_parse("torch.bfloat16", &dtype) && dtype == TERN_BFLOAT16);
    cr_assert(tern_dtype_parse("long", &dtype) && dtype == TERN_INT64);
    cr_assert(tern_dtype_parse("torch.complex64", &dtype) && dtype == TERN_COMPLEX64);
    cr_assert(tern_dtype_parse("cdouble", &dtype) && dtype == TERN_COMPLEX128);
    cr_assert_eq(tern_dtype_size(TERN_COMPLEX128), 16);
    cr_assert_not(tern_dtype_parse("complex32", &dtype));
    cr_assert_eq(tern_dtype_size(TERN_DTYPE_DEFAULT), 0);
    cr_assert_str_eq(tern_dtype_name(TERN_DTYPE_DEFAULT), "?");
}

Test(dtype, promotes_as_pytorch) {
    cr_assert_eq(tern_promote_types(TERN_UINT8, TERN_INT8), TERN_INT16);
    cr_assert_eq(tern_promote_types(TERN_UINT8, TERN_INT32), TERN_INT32);
    cr_assert_eq(tern_promote_types(TERN_INT64, TERN_FLOAT16), TERN_FLOAT16);
    cr_assert_eq(tern_promote_types(TERN_FLOAT16, TERN_BFLOAT16), TERN_FLOAT32);
    cr_assert_eq(tern_promote_types(TERN_BFLOAT16, TERN_FLOAT64), TERN_FLOAT64);
    cr_assert_eq(tern_promote_types(TERN_BOOL, TERN_UINT8), TERN_UINT8);
    cr_assert_eq(tern_promote_types(TERN_BOOL, TERN_BOOL), TERN_BOOL);
    for (int a = 0; a < TERN_DTYPE_COUNT; a++)
        for (int b = 0; b < TERN_DTYPE_COUNT; b++)
            cr_assert_eq(tern_promote_types((tern_dtype)a, (tern_dtype)b),
                         tern_promote_types((tern_dtype)b, (tern_dtype)a));
}
