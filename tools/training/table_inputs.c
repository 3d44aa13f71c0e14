#include "table_inputs.h"

#include "plain_text.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <math.h>
#include <string.h>

enum { MOST_COLUMNS = 4096 };

/* ---- missing cells --------------------------------------------------------------------------- */

/* The mean of each column's numbers, without those that are missing. */
static tern_value means_of(tern_ctx *ctx, const double *numbers, size_t rows, size_t columns) {
    tern_value list = tern_list_new(ctx);
    for (size_t c = 0; c < columns; c++) {
        double sum = 0;
        size_t count = 0;
        for (size_t r = 0; r < rows; r++) {
            double number = numbers[r * columns + c];
            if (isnan(number)) continue;
            sum += number;
            count++;
        }
        tern_list_append(list, tern_float(count ? sum / (double)count : 0));
    }
    return list;
}

/* Puts the column's mean where a number is missing. */
static tern_tensor *filled(tern_tensor *inputs, tern_value facts) {
    if (tern_is_nil(inputs)) return inputs;
    tern_ctx *ctx = tern_context_of(inputs);
    size_t rows = (size_t)tern_size(inputs, 0), columns = (size_t)tern_size(inputs, 1);
    size_t count = rows * columns; /* a tensor holds as many */
    double *numbers = tern_scope_alloc(ctx, (count + 1) * sizeof *numbers);
    float *narrow = tern_scope_alloc(ctx, (count + 1) * sizeof *narrow);
    if (!numbers || !narrow || tern_to_doubles(inputs, numbers, count) != TERN_OK) return NULL;
    tern_value means = tern_dict_get(facts, "fill");
    if (means.kind != TERN_VALUE_LIST) {
        means = means_of(ctx, numbers, rows, columns);
        tern_dict_set(facts, "fill", means);
    }
    for (size_t i = 0; i < count; i++)
        narrow[i] =
            (float)(isnan(numbers[i]) ? tern_value_as_double(tern_value_at(means, i % columns))
                                      : numbers[i]);
    return tern_from_data(ctx, narrow, TERN_SHAPE((int64_t)rows, (int64_t)columns), TERN_FLOAT32);
}

/* ---- columns of texts ------------------------------------------------------------------------ */

typedef struct text_column {
    tern_ctx *ctx;
    const recipe *recipe;
    const char *path, *name;
    tern_csv *csv;
    int column;
    tern_value classes; /* its texts, sorted */
} text_column;

/* The first row whose cell is neither a number nor missing; -1 where there is none. */
static int64_t first_text(const tern_csv *csv, int column) {
    for (int64_t row = 0; row < tern_csv_row_count(csv); row++) {
        const char *text = tern_csv_text(csv, row, column);
        tern_value number;
        text += strspn(text, " \t");
        size_t length = strlen(text);
        while (length > 0 && strchr(" \t", text[length - 1])) length--;
        if (!tern_number_parse(text, length, &number) && !tern_csv_missing(csv, row, column))
            return row;
    }
    return -1;
}

/* A column of dates is none of texts: tern_csv_numbers says what to do. */
static bool is_text(const tern_csv *csv, int column) {
    tern_csv_summary summary;
    return first_text(csv, column) >= 0 && tern_csv_summarize(csv, column, &summary) &&
           summary.kind == TERN_CSV_TEXT;
}

static void refuse_text(const text_column *t) {
    int64_t row = first_text(t->csv, t->column);
    tern_fail(t->ctx, TERN_ERR_FORMAT,
              "%s:%lld: column '%.60s': '%.60s' is not a number: set `text = one_hot` or `text = "
              "classes` in the recipe, or leave the column out of its `inputs`",
              t->path, (long long)tern_csv_line(t->csv, row), plain_text(t->ctx, t->name),
              plain_text(t->ctx, tern_csv_text(t->csv, row, t->column)));
}

/* The column's texts without the marks of missing cells. */
static tern_value find_classes(const text_column *t) {
    tern_value all = tern_none(), kept = tern_list_new(t->ctx);
    tern_tensor *codes = tern_csv_classes(t->csv, t->name, &all);
    size_t rows = (size_t)tern_csv_row_count(t->csv), count = tern_value_count(all);
    double *places = tern_scope_alloc(t->ctx, (rows + 1) * sizeof *places);
    bool *missing = tern_scope_alloc(t->ctx, count + 1);
    if (!places || !missing || tern_to_doubles(codes, places, rows) != TERN_OK) return tern_none();
    for (size_t row = 0; row < rows; row++)
        missing[(size_t)places[row]] = tern_csv_missing(t->csv, (int64_t)row, t->column);
    for (size_t i = 0; i < count; i++)
        if (!missing[i]) tern_list_append(kept, tern_value_at(all, i));
    return kept;
}

/* A text's place in a sorted list, or -1. */
static int64_t place_of(tern_value classes, const char *text) {
    size_t first = 0, end = tern_value_count(classes);
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        int order = strcmp(text, tern_value_at(classes, middle).as.s);
        if (order == 0) return (int64_t)middle;
        if (order < 0)
            end = middle;
        else
            first = middle + 1;
    }
    return -1;
}

/* Writes a row's numbers: its class, or 1 in the place of its class; NaN where the cell is missing. */
static bool write_row(const text_column *t, int64_t row, size_t width, float *out) {
    const char *text = tern_csv_text(t->csv, row, t->column);
    bool missing = tern_csv_missing(t->csv, row, t->column);
    int64_t place = missing ? 0 : place_of(t->classes, text);
    long long line = tern_csv_line(t->csv, row);
    bool one_hot = strcmp(t->recipe->text, "one_hot") == 0;
    if (missing && strcmp(t->recipe->missing, "mean") != 0)
        tern_fail(t->ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%.60s' is missing: fill it in, or set `missing = mean` in the "
                  "recipe",
                  t->path, line, plain_text(t->ctx, t->name));
    if (place < 0)
        tern_fail(t->ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%.60s': the training data has no '%.60s' there", t->path, line,
                  plain_text(t->ctx, t->name), plain_text(t->ctx, text));
    for (size_t i = 0; i < width; i++)
        out[i] = missing ? NAN : one_hot ? (float)((int64_t)i == place) : (float)place;
    return place >= 0 && tern_check(t->ctx) == TERN_OK;
}

static tern_tensor *read_text(const text_column *t) {
    bool one_hot = strcmp(t->recipe->text, "one_hot") == 0;
    size_t rows = (size_t)tern_csv_row_count(t->csv), count = tern_value_count(t->classes);
    size_t width = one_hot ? count : 1;
    uint64_t bytes = 0;
    if (width > MOST_COLUMNS) {
        tern_fail(t->ctx, TERN_ERR_FORMAT,
                  "%s: column '%.60s' holds %zu different texts, one_hot takes %d: set `text = "
                  "classes` or leave the column out of `inputs`",
                  t->path, plain_text(t->ctx, t->name), count, MOST_COLUMNS);
        return NULL;
    }
    bool fits = tern_size_mul(rows, width * sizeof(float), &bytes) && bytes < SIZE_MAX;
    float *numbers = fits ? tern_scope_alloc(t->ctx, (size_t)bytes + 1) : NULL;
    if (!numbers) {
        tern_fail(t->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for the table", t->path);
        return NULL;
    }
    for (size_t row = 0; row < rows; row++)
        if (!write_row(t, (int64_t)row, width, numbers + row * width)) return NULL;
    return tern_from_data(t->ctx, numbers, TERN_SHAPE((int64_t)rows, (int64_t)width), TERN_FLOAT32);
}

/* ---- all columns ----------------------------------------------------------------------------- */

/* A column, by what the training table held in it. */
static tern_tensor *read_column(text_column *t, tern_value texts, bool fresh) {
    t->column = tern_csv_column(t->csv, t->name);
    if (t->column >= 0 && fresh && is_text(t->csv, t->column)) {
        if (strcmp(t->recipe->text, "refuse") == 0) {
            refuse_text(t);
            return NULL;
        }
        tern_dict_set(texts, t->name, find_classes(t));
    }
    t->classes = tern_dict_get(texts, t->name);
    if (t->column >= 0 && t->classes.kind == TERN_VALUE_LIST) return read_text(t);
    return tern_csv_numbers(t->csv, &t->name, 1);
}

static bool texts_of(tern_ctx *ctx, tern_value facts, tern_value *out_texts) {
    *out_texts = tern_dict_get(facts, "texts");
    if (out_texts->kind == TERN_VALUE_DICT) return false;
    *out_texts = tern_dict_new(ctx, false);
    return true;
}

tern_tensor *table_inputs(tern_ctx *ctx, const recipe *r, const char *path, tern_csv *csv,
                          tern_value names, tern_value facts) {
    tern_tensor *columns[MOST_COLUMNS];
    text_column t = {.ctx = ctx, .recipe = r, .path = path, .csv = csv};
    size_t count = tern_value_count(names);
    if (count == 0 || count > MOST_COLUMNS) {
        tern_fail(ctx, TERN_ERR_FORMAT, "%s: %zu input columns, but there must be 1 to %d", path,
                  count, MOST_COLUMNS);
        return NULL;
    }
    tern_value texts;
    bool fresh = texts_of(ctx, facts, &texts);
    for (size_t i = 0; i < count; i++) {
        t.name = tern_value_at(names, i).as.s;
        columns[i] = read_column(&t, texts, fresh);
        if (tern_check(ctx) != TERN_OK) return NULL;
    }
    if (tern_value_count(texts)) tern_dict_set(facts, "texts", texts);
    tern_tensor *inputs = tern_cat(columns, (int)count, 1);
    return strcmp(r->missing, "mean") == 0 ? filled(inputs, facts) : inputs;
}

/* ---- facts of a file ------------------------------------------------------------------------- */

static bool is_list_of_texts(tern_value list) {
    bool good = list.kind == TERN_VALUE_LIST;
    for (size_t i = 0; good && i < tern_value_count(list); i++)
        good = tern_value_at(list, i).kind == TERN_VALUE_STRING;
    return good;
}

bool table_inputs_facts_valid(tern_value facts) {
    tern_value fill = tern_dict_get(facts, "fill"), texts = tern_dict_get(facts, "texts");
    tern_value key, list;
    bool good = fill.kind == TERN_VALUE_NONE || fill.kind == TERN_VALUE_LIST;
    for (size_t i = 0; good && fill.kind == TERN_VALUE_LIST && i < tern_value_count(fill); i++)
        good = tern_value_is_number(tern_value_at(fill, i));
    good = good && (texts.kind == TERN_VALUE_NONE || texts.kind == TERN_VALUE_DICT);
    for (size_t i = 0; good && tern_dict_at(texts, i, &key, &list); i++)
        good = is_list_of_texts(list);
    return good;
}
