/*
 * csv.c: tables of text (RFC 4180). The file stays in memory; each cell is a text in it, ended by a
 * zero byte in the place of what stood behind it, its quotes taken out where it lies.
 */
#include "csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gzip.h"
#include "tern/describe.h"
#include "tern/memory.h"
#include "utf8.h"

#define TABLE "table"

enum { FIRST_ROOM = 256 };

typedef struct csv_table {
    tern_ctx *ctx;
    char *path;
    tern_csv_options options;
    unsigned char *bytes;
    size_t size;
    size_t *cells; /* offsets into the bytes, row by row */
    size_t n_cells, cell_room;
    int64_t *lines; /* where each row begins */
    size_t n_lines, line_room;
    int64_t rows;
    int columns;
    const char **names;
    char **made; /* names that the header does not hold: two for each column, most of them NULL */
} csv_table;

/* ---- memory ---- */

static void end_csv(void *arg) {
    csv_table *csv = arg;
    tern_free(csv->bytes);
    tern_free(csv->cells);
    tern_free(csv->lines);
    tern_free(csv->names);
    for (size_t i = 0; csv->made && i < 2 * (size_t)csv->columns; i++) tern_free(csv->made[i]);
    tern_free(csv->made);
    tern_free(csv->path);
    tern_free(csv);
}

static bool no_memory(const csv_table *csv) {
    tern_fail(csv->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for the table",
              csv->path ? csv->path : "CSV");
    return false;
}

/* Room for one more item of 8 bytes in an array that doubles. */
static bool grow(void **array, size_t count, size_t *room, size_t item) {
    if (count < *room) return true;
    size_t wider = *room ? *room * 2 : FIRST_ROOM;
    void *moved = tern_realloc(*array, *room * item, wider * item);
    if (!moved) return false;
    *array = moved;
    *room = wider;
    return true;
}

static bool add_cell(csv_table *csv, size_t offset) {
    void *array = csv->cells;
    if (!grow(&array, csv->n_cells, &csv->cell_room, sizeof *csv->cells)) return no_memory(csv);
    csv->cells = array;
    csv->cells[csv->n_cells++] = offset;
    return true;
}

static bool add_line(csv_table *csv, int64_t line) {
    void *array = csv->lines;
    if (!grow(&array, csv->n_lines, &csv->line_room, sizeof *csv->lines)) return no_memory(csv);
    csv->lines = array;
    csv->lines[csv->n_lines++] = line;
    return true;
}

/* ---- reading ---- */

typedef struct cursor {
    csv_table *csv;
    size_t at;
    int64_t line;
} cursor;

static bool bad_cell(const cursor *c, int64_t line, size_t column, const char *what) {
    tern_fail(c->csv->ctx, TERN_ERR_FORMAT, "%s:%lld: column %zu: %s", c->csv->path,
              (long long)line, column + 1, what);
    return false;
}

static int byte_at(const cursor *c) {
    return c->at < c->csv->size ? c->csv->bytes[c->at] : -1;
}

/* A char may be signed, and then no byte nor the text's end equals it as it is. */
static bool at_delimiter(const cursor *c) {
    return byte_at(c) == (unsigned char)c->csv->options.delimiter;
}

/* The length of a line's end here, "\n", "\r\n" or, of old Macs, "\r"; 0 where there is none. */
static size_t line_end(const cursor *c) {
    const unsigned char *bytes = c->csv->bytes + c->at;
    size_t left = c->csv->size - c->at;
    if (left == 0 || (*bytes != '\n' && *bytes != '\r')) return 0;
    return *bytes == '\r' && left > 1 && bytes[1] == '\n' ? 2 : 1;
}

static bool at_cell_end(const cursor *c) {
    return c->at >= c->csv->size || at_delimiter(c) || line_end(c) > 0;
}

/* "text", where two quotes are one; moved to the left over what is taken out. */
static bool read_quoted(cursor *c, size_t column, size_t *out_end) {
    unsigned char *bytes = c->csv->bytes;
    int64_t begun = c->line;
    size_t to = c->at++;
    for (; c->at < c->csv->size; c->at++) {
        if (bytes[c->at] == '"' && (++c->at >= c->csv->size || bytes[c->at] != '"')) {
            *out_end = to;
            return at_cell_end(c) ||
                   bad_cell(c, c->line, column, "there is text after the closing quote");
        }
        c->line += bytes[c->at] == '\n';
        bytes[to++] = bytes[c->at];
    }
    return bad_cell(c, begun, column, "the quote that begins here is not closed");
}

static bool read_cell(cursor *c, size_t column, size_t *out_end) {
    if (!add_cell(c->csv, c->at)) return false;
    if (byte_at(c) == '"') return read_quoted(c, column, out_end);
    while (!at_cell_end(c)) c->at++;
    *out_end = c->at;
    return true;
}

/* Whether the second row is one longer than the header: R writes the rows' names without one for their column. It
 * gets an empty one. A delimiter that ends every row but the header makes rows longer too, by an empty cell. */
static bool has_row_names(csv_table *csv, size_t count) {
    size_t columns = (size_t)csv->columns;
    if (!csv->options.header || csv->n_lines != 2 || count != columns + 1 || count > INT32_MAX)
        return false;
    if (!csv->bytes[csv->cells[csv->n_cells - 1]] || !add_cell(csv, 0)) return false;
    memmove(csv->cells + 1, csv->cells, (csv->n_cells - 1) * sizeof *csv->cells);
    csv->cells[0] = csv->size; /* the zero byte behind the text */
    csv->columns = (int)count;
    return true;
}

/* One row; its end is passed. A cell is ended only when what stands behind it has been looked at. */
static bool read_row(cursor *c) {
    csv_table *csv = c->csv;
    int64_t line = c->line;
    size_t count = 0, end = 0;
    if (!add_line(csv, line)) return false;
    for (bool more = true; more; count++) {
        if (!read_cell(c, count, &end)) return false;
        more = at_delimiter(c);
        size_t behind = more ? 1 : line_end(c);
        c->at += behind;
        csv->bytes[end] = 0;
    }
    c->line++;
    if (csv->columns == 0) csv->columns = count < INT32_MAX ? (int)count : INT32_MAX;
    if (count == (size_t)csv->columns || has_row_names(csv, count)) return true;
    tern_fail(csv->ctx, TERN_ERR_FORMAT, "%s:%lld: %zu columns, but line %lld has %d", csv->path,
              (long long)line, count, (long long)csv->lines[0], csv->columns);
    return false;
}

static bool read_rows(csv_table *csv) {
    cursor c = {csv, 0, 1};
    const unsigned char *zero = memchr(csv->bytes, 0, csv->size);
    if (zero) {
        tern_fail(csv->ctx, TERN_ERR_FORMAT, "%s: not a text file: byte %zu is zero", csv->path,
                  (size_t)(zero - csv->bytes));
        return false;
    }
    if (csv->size >= 3 && memcmp(csv->bytes, "\xef\xbb\xbf", 3) == 0) c.at = 3;
    while (c.at < csv->size) {
        size_t empty = line_end(&c);
        c.at += empty;
        c.line += empty > 0;
        if (!empty && !read_row(&c)) return false;
    }
    if (csv->n_lines > 0) return true;
    tern_fail(csv->ctx, TERN_ERR_FORMAT, "%s: the table is empty", csv->path);
    return false;
}

/* ---- the names of the columns ---- */

static int column_of(const csv_table *csv, const char *name) {
    for (int i = 0; csv && name && i < csv->columns && csv->names[i]; i++)
        if (strcmp(csv->names[i], name) == 0) return i;
    return -1;
}

static const char *shown(const char *text, char out_text[TERN_SHOWN]) {
    return tern_shown(text, strlen(text), out_text);
}

static bool name_columns(csv_table *csv) {
    size_t columns = (size_t)csv->columns; /* of as many cells in memory */
    csv->names = tern_alloc_zeroed(columns, sizeof *csv->names);
    csv->made = tern_alloc_zeroed(columns * 2, sizeof *csv->made);
    if (!csv->names || !csv->made) return no_memory(csv);
    csv->rows = (int64_t)csv->n_lines - csv->options.header;
    for (size_t i = 0; csv->options.header && i < columns; i++)
        csv->names[i] = (const char *)csv->bytes + csv->cells[i];
    return tern_csv_name_columns(csv->names, csv->columns, csv->options.header, csv->made) ||
           no_memory(csv);
}

/* ---- opening ---- */

static bool options_valid(const csv_table *csv) {
    char delimiter = csv->options.delimiter;
    if (delimiter && delimiter != '"' && delimiter != '\n' && delimiter != '\r') return true;
    tern_fail(csv->ctx, TERN_ERR_ARGUMENT,
              "%s: the delimiter must be one character, not a quote or a line end", csv->path);
    return false;
}

static bool unpack(csv_table *csv) {
    unsigned char *text;
    size_t size;
    if (!tern_is_gzip(csv->bytes, csv->size)) return true;
    if (tern_gunzip(csv->ctx, csv->path, csv->bytes, csv->size, SIZE_MAX, &text, &size) != TERN_OK)
        return false;
    tern_free(csv->bytes);
    csv->bytes = text;
    csv->size = size;
    return true;
}

tern_csv *tern_csv_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size,
                        const tern_csv_options *options) {
    csv_table *csv = tern_alloc_zeroed(1, sizeof *csv);
    if (!csv) {
        tern_free(bytes);
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for the table", path);
        return NULL;
    }
    csv->ctx = ctx;
    csv->bytes = bytes;
    csv->size = size;
    csv->options = (tern_csv_options)TERN_CSV_OPTIONS;
    csv->path = tern_strdup(path);
    bool good = csv->path || no_memory(csv);
    good = good && tern_options_read(ctx, "tern_csv_open", options, &csv->options) &&
           options_valid(csv) && unpack(csv) && read_rows(csv) && name_columns(csv);
    if (good && tern_defer(ctx, end_csv, csv) == TERN_OK) return tern_handle_new(ctx, TABLE, csv);
    end_csv(csv);
    return NULL;
}

tern_csv *tern_csv_open(tern_ctx *ctx, const char *path, const tern_csv_options *options) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return NULL;
    return tern_csv_over(ctx, path, bytes, size, options);
}

/* ---- looking ---- */

static const csv_table *table_of(const tern_csv *csv, const char *function) {
    return tern_handle_object(csv, TABLE, function);
}

int64_t tern_csv_row_count(const tern_csv *handle) {
    const csv_table *csv = table_of(handle, "tern_csv_row_count");
    return csv ? csv->rows : 0;
}

int tern_csv_column_count(const tern_csv *handle) {
    const csv_table *csv = table_of(handle, "tern_csv_column_count");
    return csv ? csv->columns : 0;
}

const char *tern_csv_name(const tern_csv *handle, int column) {
    const csv_table *csv = table_of(handle, "tern_csv_name");
    return csv && column >= 0 && column < csv->columns ? csv->names[column] : NULL;
}

int tern_csv_column(const tern_csv *csv, const char *name) {
    return column_of(table_of(csv, "tern_csv_column"), name);
}

static const char *cell(const csv_table *csv, int64_t row, int column) {
    size_t index = (size_t)(row + csv->options.header) * (size_t)csv->columns + (size_t)column;
    return (const char *)csv->bytes + csv->cells[index];
}

const char *tern_csv_text(const tern_csv *handle, int64_t row, int column) {
    const csv_table *csv = table_of(handle, "tern_csv_text");
    if (!csv || row < 0 || row >= csv->rows || column < 0 || column >= csv->columns) return NULL;
    return cell(csv, row, column);
}

static int64_t line_of(const csv_table *csv, int64_t row) {
    return row >= 0 && row < csv->rows ? csv->lines[row + csv->options.header] : 0;
}

int64_t tern_csv_line(const tern_csv *handle, int64_t row) {
    const csv_table *csv = table_of(handle, "tern_csv_line");
    return csv ? line_of(csv, row) : 0;
}

/* ---- columns as tensors ---- */

static bool find_column(const csv_table *csv, const char *name, int *out_column) {
    char word[TERN_SHOWN], first[TERN_SHOWN];
    *out_column = -1;
    if (!tern_argument_given(csv->ctx, csv->path, "a column's name", name)) return false;
    *out_column = column_of(csv, name);
    if (*out_column >= 0) return true;
    tern_fail(csv->ctx, TERN_ERR_NOT_FOUND, "%s: no column '%s'; the first of %d is '%s'",
              csv->path, shown(name, word), csv->columns, shown(csv->names[0], first));
    return false;
}

static bool bad_number(const csv_table *csv, int64_t row, int column, const char *text,
                       size_t length) {
    char name[TERN_SHOWN], word[TERN_SHOWN];
    const char *advice = csv->options.missing_advice;
    long long line = line_of(csv, row);
    shown(csv->names[column], name);
    tern_shown(text, length, word);
    if (tern_csv_is_missing(text, length))
        tern_fail(csv->ctx, TERN_ERR_FORMAT, "%s:%lld: column '%s' is %s%s%s: fill it in, or %s",
                  csv->path, line, name, length ? "missing ('" : "empty", word, length ? "')" : "",
                  advice ? advice : "read with allow_missing");
    else if (tern_csv_is_date(text, length))
        tern_fail(csv->ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%s': '%s' is a date: give what matters of it as numbers, its "
                  "month or "
                  "the days since another",
                  csv->path, line, name, word);
    else
        tern_fail(csv->ctx, TERN_ERR_FORMAT, "%s:%lld: column '%s': '%s' is not a number",
                  csv->path, line, name, word);
    return false;
}

static bool number_of(const csv_table *csv, int64_t row, int column, double *out_number) {
    tern_value number;
    const char *text = cell(csv, row, column);
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t", text[length - 1])) length--;
    if (tern_csv_is_missing(text, length)) {
        *out_number = (double)NAN;
        return csv->options.allow_missing || bad_number(csv, row, column, text, length);
    }
    if (!tern_number_parse(text, length, &number))
        return bad_number(csv, row, column, text, length);
    *out_number = tern_value_as_double(number);
    if (*out_number == 0 && *text == '-') *out_number = -0.0; /* as a whole number it has no sign */
    return true;
}

static bool read_numbers(const csv_table *csv, const char *const *names, int count, double *out) {
    for (int k = 0; k < count; k++) {
        int column = k;
        if (names && !find_column(csv, names[k], &column)) return false;
        for (int64_t row = 0; row < csv->rows; row++)
            if (!number_of(csv, row, column, &out[row * count + k])) return false;
    }
    return true;
}

tern_tensor *tern_csv_numbers(tern_csv *handle, const char *const *names, int count) {
    const csv_table *csv = table_of(handle, "tern_csv_numbers");
    if (!csv) return NULL;
    if (!names) count = csv->columns;
    tern_tensor *tensor = tern_nil(csv->ctx);
    uint64_t cells = 0;
    bool fits = count >= 0 && tern_size_mul((uint64_t)csv->rows, (uint64_t)count, &cells) &&
                cells < SIZE_MAX / sizeof(double);
    double *numbers = fits ? tern_alloc_zeroed((size_t)cells + 1, sizeof *numbers) : NULL;
    float *narrow = numbers ? tern_alloc_zeroed((size_t)cells + 1, sizeof *narrow) : NULL;
    if (!narrow) {
        no_memory(csv);
    } else if (read_numbers(csv, names, count, numbers)) {
        for (size_t i = 0; i < cells; i++) narrow[i] = (float)numbers[i];
        tensor = tern_from_data(csv->ctx, narrow, TERN_SHAPE(csv->rows, count), TERN_FLOAT32);
    }
    tern_free(numbers);
    tern_free(narrow);
    return tensor;
}

/* ---- columns of classes ---- */

/* A cell among others: by number where every cell of the column is a whole number, else by text. */
typedef struct label {
    const char *text;
    int64_t number, row;
} label;

static int by_text(const void *a, const void *b) {
    return strcmp(((const label *)a)->text, ((const label *)b)->text);
}

static int by_number(const void *a, const void *b) {
    int64_t x = ((const label *)a)->number, y = ((const label *)b)->number;
    return (x > y) - (x < y);
}

typedef int (*label_order)(const void *a, const void *b);

/* Fills in the rows' labels in the order of their classes, and tells that order. */
static label_order sort_labels(const csv_table *csv, int column, label *labels) {
    bool whole = true;
    for (int64_t row = 0; row < csv->rows; row++) {
        const char *text = cell(csv, row, column);
        tern_value number;
        bool is_int =
            tern_number_parse(text, strlen(text), &number) && number.kind == TERN_VALUE_INT;
        labels[row] = (label){text, is_int ? number.as.i : 0, row};
        whole = whole && is_int;
    }
    qsort(labels, (size_t)csv->rows, sizeof *labels, whole ? by_number : by_text);
    return whole ? by_number : by_text;
}

static bool number_labels(const csv_table *csv, int column, label *labels, int64_t *out_classes,
                          tern_value names) {
    label_order order = sort_labels(csv, column, labels);
    int64_t class_index = -1;
    for (int64_t i = 0; i < csv->rows; i++) {
        bool is_new = i == 0 || order(&labels[i - 1], &labels[i]) != 0;
        class_index += is_new;
        out_classes[labels[i].row] = class_index;
        if (is_new && names.kind == TERN_VALUE_LIST)
            tern_list_append(names, tern_string(csv->ctx, labels[i].text));
    }
    return tern_check(csv->ctx) == TERN_OK;
}

tern_tensor *tern_csv_classes(tern_csv *handle, const char *name, tern_value *out_names) {
    const csv_table *csv = table_of(handle, "tern_csv_classes");
    int column;
    if (out_names) *out_names = tern_none();
    if (!csv) return NULL;
    tern_ctx *ctx = csv->ctx;
    tern_tensor *tensor = tern_nil(ctx);
    if (!find_column(csv, name, &column)) return tensor;
    tern_value names = out_names ? tern_list_new(ctx) : tern_none();
    size_t rows = (size_t)csv->rows + 1;
    label *labels = tern_alloc_zeroed(rows, sizeof *labels);
    int64_t *classes = tern_alloc_zeroed(rows, sizeof *classes);
    if (!labels || !classes) {
        no_memory(csv);
    } else if (number_labels(csv, column, labels, classes, names)) {
        tensor = tern_from_data(ctx, classes, TERN_SHAPE(csv->rows), TERN_INT64);
        if (out_names) *out_names = names;
    }
    tern_free(labels);
    tern_free(classes);
    return tensor;
}
