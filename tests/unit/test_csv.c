#define _GNU_SOURCE
#include <math.h>

#include "io/csv.h"
#include "io_fixture.h"
#include "tern/memory.h"

static tern_csv *read_text(tern_ctx *ctx, const char *text, const tern_csv_options *options) {
    size_t size = strlen(text);
    unsigned char *bytes = tern_alloc(size + 1);
    memcpy(bytes, text, size + 1);
    return tern_csv_over(ctx, "t.csv", bytes, size, options);
}

static void check_cell(tern_csv *csv, int64_t row, int column, const char *wanted) {
    const char *text = tern_csv_text(csv, row, column);
    cr_assert_not_null(text, "no cell %d, %d", (int)row, column);
    cr_assert_str_eq(text, wanted, "cell %d, %d is '%s'", (int)row, column, text);
}

static void check_says(tern_ctx *ctx, const char *wanted) {
    cr_assert_str_eq(tern_error(ctx), wanted, "%s", tern_error(ctx));
    tern_error_clear(ctx);
}

Test(csv, quotes_line_ends_and_empty_lines_are_those_of_the_rfc) {
    tern_ctx *ctx = tern_open(NULL);
    tern_csv *csv = read_text(ctx,
                              "\xef\xbb\xbfname,\"a \"\"b\"\"\",c\r\n"
                              "\r\n"
                              "x,\"1,\n2\",\n"
                              "\"\",y\"z\",\"w\"",
                              NULL);
    cr_assert_not_null(csv, "%s", tern_error(ctx));
    cr_assert(tern_csv_row_count(csv) == 2 && tern_csv_column_count(csv) == 3);
    cr_assert_str_eq(tern_csv_name(csv, 0), "name");
    cr_assert_str_eq(tern_csv_name(csv, 1), "a \"b\"");
    cr_assert(tern_csv_column(csv, "c") == 2 && tern_csv_column(csv, "d") == -1);
    check_cell(csv, 0, 0, "x");
    check_cell(csv, 0, 1, "1,\n2");
    check_cell(csv, 0, 2, "");
    check_cell(csv, 1, 0, "");
    check_cell(csv, 1, 1, "y\"z\"");
    check_cell(csv, 1, 2, "w");
    cr_assert(tern_csv_line(csv, 0) == 3 && tern_csv_line(csv, 1) == 5 && !tern_csv_line(csv, 2));
    cr_assert(!tern_csv_text(csv, 2, 0) && !tern_csv_text(csv, 0, 3) && !tern_csv_name(csv, 3));
    tern_close(ctx);
}

Test(csv, numbers_become_columns_in_the_order_asked_for) {
    static const char *const names[] = {"c", "a"};
    double data[4];
    tern_ctx *ctx = tern_open(NULL);
    tern_csv *csv = read_text(ctx, "a,b,c\n1,x, 2.5\n-3e2,y,4 \n", NULL);
    tern_tensor *numbers = tern_csv_numbers(csv, names, 2);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert(tern_size(numbers, 0) == 2 && tern_size(numbers, 1) == 2);
    tern_to_doubles(numbers, data, 4);
    cr_assert(data[0] == 2.5 && data[1] == 1 && data[2] == 4 && data[3] == -300);
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.header = false;
    o.delimiter = ';';
    o.allow_missing = true;
    numbers = tern_csv_numbers(read_text(ctx, "1;;inf", &o), NULL, 0);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_to_doubles(numbers, data, 3);
    cr_assert(data[0] == 1 && isnan(data[1]) && isinf(data[2]));
    cr_assert_str_eq(tern_csv_name(read_text(ctx, "1;2", &o), 1), "1");
    tern_close(ctx);
}

Test(csv, classes_are_sorted_as_numbers_where_all_are_whole) {
    double codes[4];
    tern_value names;
    tern_ctx *ctx = tern_open(NULL);
    tern_csv *csv = read_text(ctx, "k,n\nb,10\na,9\nb,10\nc,9\n", NULL);
    tern_to_doubles(tern_csv_classes(csv, "k", &names), codes, 4);
    cr_assert(codes[0] == 1 && codes[1] == 0 && codes[2] == 1 && codes[3] == 2);
    cr_assert_eq(tern_value_count(names), 3);
    cr_assert_str_eq(tern_value_at(names, 2).as.s, "c");
    tern_tensor *numbers = tern_csv_classes(csv, "n", &names);
    cr_assert_eq(tern_dtype_of(numbers), TERN_INT64);
    tern_to_doubles(numbers, codes, 4);
    cr_assert(codes[0] == 1 && codes[1] == 0 && codes[2] == 1 && codes[3] == 0);
    cr_assert_str_eq(tern_value_at(names, 0).as.s, "9");
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(csv, columns_are_named_as_in_pandas) {
    static const char *const cases[][4] = {{"a,a,a.1\n1,2,3\n", "a", "a.2", "a.1"},
                                           {"a,a.1,a\n", "a", "a.1", "a.2"},
                                           {"b,b,b\n", "b", "b.1", "b.2"},
                                           {"x,y,z\r1,2,3\r", "x", "y", "z"},
                                           {",,a\n1,2,3\n", "Unnamed: 0", "Unnamed: 1", "a"},
                                           {"Unnamed: 1,,z\n", "Unnamed: 1", "Unnamed: 1.1", "z"},
                                           {"a,b\nr,1,2\nq,3,4\n", "Unnamed: 0", "a", "b"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tern_csv *csv = read_text(ctx, cases[i][0], NULL);
        for (int k = 0; k < 3; k++) cr_assert_str_eq(tern_csv_name(csv, k), cases[i][k + 1]);
    }
    double numbers[2];
    tern_csv *csv = read_text(ctx, "a,b\nr,1,2\nq,3,4\n", NULL);
    tern_to_doubles(tern_csv_numbers(csv, (const char *const[]){"b"}, 1), numbers, 2);
    cr_assert(numbers[0] == 2 && numbers[1] == 4);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

Test(csv, an_error_names_line_and_column) {
    static const char *const bad[][2] = {
        {"a,b\n1,2\n3\n", "t.csv:3: 1 columns, but line 1 has 2"},
        {"a,b\n1,\"x\"y\n", "t.csv:2: column 2: there is text after the closing quote"},
        {"a,b\n\"1,2\n3\n", "t.csv:2: column 1: the quote that begins here is not closed"},
        {"a,b\n1,2,\n", "t.csv:2: 3 columns, but line 1 has 2"},
        {"a,b\n1,2\n3,4,5\n", "t.csv:3: 3 columns, but line 1 has 2"},
        {"", "t.csv: the table is empty"},
        {"\n\r\n", "t.csv: the table is empty"}};
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_null(read_text(ctx, bad[i][0], NULL), "read: %s", bad[i][0]);
        check_says(ctx, bad[i][1]);
    }
    tern_csv *csv = read_text(ctx, "a,price\n1,\"2\n\"\n3,n/a\n4,\n", NULL);
    cr_assert_not_null(csv);
    static const char *const price[] = {"price"}, *const other[] = {"cost"};
    cr_assert(tern_is_nil(tern_csv_numbers(csv, price, 1)));
    check_says(ctx, "t.csv:2: column 'price': '2?' is not a number");
    csv = read_text(ctx, "a,price\n\n3,n/a\n", NULL);
    tern_csv_numbers(csv, price, 1);
    check_says(
        ctx, "t.csv:3: column 'price' is missing ('n/a'): fill it in, or read with allow_missing");
    csv = read_text(ctx, "a,price\n1,2024-01-31\n", NULL);
    tern_csv_numbers(csv, price, 1);
    check_says(
        ctx, "t.csv:2: column 'price': '2024-01-31' is a date: give what matters of it as numbers, "
             "its month or the days since another");
    tern_csv_numbers(read_text(ctx, "price\n\"\"\n", NULL), price, 1);
    check_says(ctx, "t.csv:2: column 'price' is empty: fill it in, or read with allow_missing");
    tern_csv_numbers(csv, other, 1);
    check_says(ctx, "t.csv: no column 'cost'; the first of 2 is 'a'");
    cr_assert(tern_is_nil(tern_csv_classes(csv, "cost", NULL)));
    tern_error_clear(ctx);
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.delimiter = '"';
    cr_assert_null(read_text(ctx, "a", &o));
    check_says(ctx, "t.csv: the delimiter must be one character, not a quote or a line end");
    tern_close(ctx);
}

/* As a signed char the delimiter is -1, as is the end of the text for a careless reader. */
Test(csv, any_byte_may_be_the_delimiter) {
    tern_ctx *ctx = tern_open(NULL);
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.delimiter = (char)0xff;
    tern_csv *csv = read_text(ctx,
                              "a\xff"
                              "b\n1\xff"
                              "2",
                              &o);
    cr_assert_not_null(csv, "%s", tern_error(ctx));
    cr_assert_eq(tern_csv_column_count(csv), 2);
    check_cell(csv, 0, 1, "2");
    tern_close(ctx);
}

Test(csv, a_missing_column_is_one_line_even_where_a_name_has_two) {
    static const char *const names[] = {"x"};
    tern_ctx *ctx = tern_open(NULL);
    tern_csv_numbers(read_text(ctx, "\"a\nb\",c\n1,2\n", NULL), names, 1);
    check_says(ctx, "t.csv: no column 'x'; the first of 2 is 'a?b'");
    tern_close(ctx);
}

Test(csv, a_zero_byte_is_no_text) {
    tern_ctx *ctx = tern_open(NULL);
    unsigned char *bytes = tern_alloc(4);
    memcpy(bytes, "a\0b", 4);
    cr_assert_null(tern_csv_over(ctx, "t.csv", bytes, 3, NULL));
    check_says(ctx, "t.csv: not a text file: byte 1 is zero");
    cr_assert_null(tern_csv_open(ctx, "/nowhere/t.csv", NULL));
    cr_assert_not_null(strstr(tern_error(ctx), "/nowhere/t.csv"), "%s", tern_error(ctx));
    cr_assert(tern_csv_row_count(NULL) == 0 && tern_csv_column_count(NULL) == 0);
    tern_close(ctx);
}

/* Every allocation of reading a table fails once: an error, no leak, no crash. */
Test(csv, every_allocation_may_fail) {
    tern_value names;
    tern_ctx *ctx = tern_open(NULL);
    int failed = 0;
    for (uint64_t nth = 1;; nth++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        unsigned char *bytes = tern_alloc(20);
        memcpy(bytes, "a,b\n1,x\n2,y\n", 13);
        tern_fail_allocation(nth);
        tern_csv *csv = tern_csv_over(ctx, "t.csv", bytes, 12, NULL);
        static const char *const a[] = {"a"};
        tern_csv_numbers(csv, a, 1);
        tern_csv_classes(csv, "b", &names);
        bool reached = tern_fail_allocation(0) >= nth;
        bool latched = tern_check(ctx) != TERN_OK;
        tern_error_clear(ctx);
        tern_scope_end(scope);
        tern_error_clear(ctx);
        if (!reached) break;
        failed += latched;
    }
    cr_assert_geq(failed, 8, "only %d allocations failed", failed);
    tern_close(ctx);
}

Test(csv, missing_cells_are_those_of_pandas_and_zero_keeps_its_sign) {
    static const char *const marks[] = {"",     "NA",   "N/A",  "NaN",  "nan",  "null",
                                        "NULL", "None", "#N/A", "<NA>", " n/a "};
    tern_ctx *ctx = tern_open(NULL);
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.allow_missing = true;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char text[64];
        double numbers[4];
        snprintf(text, sizeof text, "a,b\n-0,%s\n-0.0,2\n", marks[i]);
        tern_csv *csv = read_text(ctx, text, &o);
        cr_assert_eq(tern_to_doubles(tern_csv_numbers(csv, NULL, 0), numbers, 4), TERN_OK, "%s",
                     tern_error(ctx));
        cr_assert(isnan(numbers[1]) && tern_csv_missing(csv, 0, 1) && !tern_csv_missing(csv, 1, 1),
                  "%s", marks[i]);
        cr_assert(signbit(numbers[0]) && signbit(numbers[2]));
    }
    o.allow_missing = false;
    o.missing_advice = "do otherwise";
    tern_csv_numbers(read_text(ctx, "a\nNA\n", &o), NULL, 0);
    check_says(ctx, "t.csv:2: column 'a' is missing ('NA'): fill it in, or do otherwise");
    tern_close(ctx);
}

Test(csv, a_column_is_what_all_its_cells_are) {
    static const char text[] =
        "i,f,d,t,e,m\n1,1,2024-01-31,x,,1\n2,0.5,1/2/24,y,NA,z\nNA,3,31.12.2023 10:00,x,,3\n";
    static const struct {
        tern_csv_kind kind;
        int64_t missing, different;
    } want[] = {{TERN_CSV_INTEGER, 1, 2}, {TERN_CSV_NUMBER, 0, 3}, {TERN_CSV_DATE, 0, 3},
                {TERN_CSV_TEXT, 0, 2},    {TERN_CSV_EMPTY, 3, 0},  {TERN_CSV_TEXT, 0, 3}};
    tern_ctx *ctx = tern_open(NULL);
    tern_csv *csv = read_text(ctx, text, NULL);
    tern_csv_summary s;
    for (int i = 0; i < 6; i++) {
        cr_assert(tern_csv_summarize(csv, i, &s));
        cr_assert(s.kind == want[i].kind && s.missing == want[i].missing &&
                      s.different == want[i].different,
                  "column %d: kind %d, %d missing, %d different", i, (int)s.kind, (int)s.missing,
                  (int)s.different);
    }
    cr_assert(!tern_csv_summarize(csv, 6, &s) && !tern_csv_summarize(NULL, 0, &s));
    static const char *const no_dates[] = {"2024",  "1.5",         "1-2",   "2024-1-", "123-1-1",
                                           "1.2.3", "2024-01-31x", "a-1-1", ""};
    for (size_t i = 0; i < sizeof no_dates / sizeof *no_dates; i++)
        cr_assert(!tern_csv_is_date(no_dates[i], strlen(no_dates[i])), "%s", no_dates[i]);
    tern_close(ctx);
}
