/* csv_summary.c: what the cells of a table are: missing, dates, numbers, texts. */
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "tern/describe.h"
#include "tern/memory.h"

/* na_values of pandas.read_csv. */
bool tern_csv_is_missing(const char *text, size_t length) {
    static const char *const marks[] = {
        "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A",      "NA",  "NULL",    "NaN",      "None", "n/a",  "nan",    "null"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strlen(marks[i]) == length && memcmp(marks[i], text, length) == 0) return true;
    return length == 0;
}

static size_t digits(const char *text, const char *end) {
    size_t count = 0;
    while (text + count < end && text[count] >= '0' && text[count] <= '9') count++;
    return count;
}

/* 2024-01-31, 31.1.2024, 1/31/24, perhaps with a time behind a space or a T. */
bool tern_csv_is_date(const char *text, size_t length) {
    const char *end = text + length;
    size_t first = digits(text, end);
    const char *at = text + first;
    if (first == 0 || first == 3 || first > 4 || at == end || !strchr("-/.", *at)) return false;
    char separator = *at++;
    size_t second = digits(at, end);
    at += second;
    if (second == 0 || second > 2 || at == end || *at++ != separator) return false;
    size_t third = digits(at, end);
    at += third;
    bool years = first == 4 ? third <= 2 : third == 2 || third == 4;
    if (third == 0 || !years) return false;
    return at == end || ((*at == ' ' || *at == 'T') && digits(at + 1, end) == 2);
}

static bool fetch(const tern_csv *csv, int64_t row, int column, const char **out_text,
                  size_t *out_length) {
    const char *text = tern_csv_text(csv, row, column);
    if (!text) return false;
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t", text[length - 1])) length--;
    *out_text = text;
    *out_length = length;
    return true;
}

bool tern_csv_missing(const tern_csv *csv, int64_t row, int column) {
    const char *text;
    size_t length;
    return fetch(csv, row, column, &text, &length) && tern_csv_is_missing(text, length);
}

static tern_csv_kind kind_of(const char *text, size_t length) {
    tern_value number;
    if (tern_number_parse(text, length, &number))
        return number.kind == TERN_VALUE_INT ? TERN_CSV_INTEGER : TERN_CSV_NUMBER;
    return tern_csv_is_date(text, length) ? TERN_CSV_DATE : TERN_CSV_TEXT;
}

/* What a column is whose cells so far were `a` and now are `b`. */
static tern_csv_kind together(tern_csv_kind a, tern_csv_kind b) {
    if (a == TERN_CSV_EMPTY || a == b) return b;
    bool numbers = (a == TERN_CSV_INTEGER || a == TERN_CSV_NUMBER) &&
                   (b == TERN_CSV_INTEGER || b == TERN_CSV_NUMBER);
    return numbers ? TERN_CSV_NUMBER : TERN_CSV_TEXT;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tern_csv_summarize(const tern_csv *csv, int column, tern_csv_summary *out_summary) {
    tern_csv_summary s = {TERN_CSV_EMPTY, 0, 0};
    int64_t rows = tern_csv_row_count(csv);
    if (!out_summary || column < 0 || column >= tern_csv_column_count(csv)) return false;
    const char **texts = tern_alloc_zeroed((size_t)rows + 1, sizeof *texts);
    if (!texts) return false;
    size_t count = 0;
    for (int64_t row = 0; row < rows; row++) {
        const char *text;
        size_t length;
        if (!fetch(csv, row, column, &text, &length)) break;
        if (tern_csv_is_missing(text, length)) {
            s.missing++;
            continue;
        }
        s.kind = together(s.kind, kind_of(text, length));
        texts[count++] = text;
    }
    qsort(texts, count, sizeof *texts, by_text);
    for (size_t i = 0; i < count; i++) s.different += i == 0 || strcmp(texts[i - 1], texts[i]) != 0;
    tern_free(texts);
    *out_summary = s;
    return true;
}
