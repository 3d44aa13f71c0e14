#include "table_data.h"

#include "plain_text.h"
#include "table_inputs.h"
#include "task.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

static bool ends_in(const char *path, const char *ending) {
    size_t length = strlen(path), n = strlen(ending);
    return length > n && strcmp(path + length - n, ending) == 0;
}

bool is_table(const char *path) {
    return ends_in(path, ".csv") || ends_in(path, ".csv.gz") || ends_in(path, ".tsv") ||
           ends_in(path, ".tsv.gz");
}

/* ---- columns --------------------------------------------------------------------------------- */

/* The names between the commas of a text. */
static tern_value split_names(tern_ctx *ctx, const char *text) {
    tern_value list = tern_list_new(ctx);
    while (*text) {
        size_t length = strcspn(text, ","), before = strspn(text, " "), end = length;
        while (end > before && text[end - 1] == ' ') end--;
        if (end > before) tern_list_append(list, tern_string_n(ctx, text + before, end - before));
        text += length + (text[length] == ',');
    }
    return list;
}

static const char *target_name(const recipe *r, const tern_csv *csv) {
    return *r->target ? r->target : tern_csv_name(csv, tern_csv_column_count(csv) - 1);
}

/* The facts' columns, or else the recipe's, or else all but the target. */
static tern_value input_names(tern_ctx *ctx, const recipe *r, const tern_csv *csv,
                              tern_value facts) {
    tern_value names = tern_dict_get(facts, "inputs");
    if (names.kind == TERN_VALUE_LIST) return names;
    const char *target = target_name(r, csv);
    if (*r->inputs) {
        names = split_names(ctx, r->inputs);
    } else {
        names = tern_list_new(ctx);
        for (int i = 0; i < tern_csv_column_count(csv); i++)
            if (strcmp(tern_csv_name(csv, i), target) != 0)
                tern_list_append(names, tern_string(ctx, tern_csv_name(csv, i)));
    }
    tern_dict_set(facts, "inputs", names);
    tern_dict_set(facts, "target", tern_string(ctx, target));
    return names;
}

/* ---- targets --------------------------------------------------------------------------------- */

static int64_t place_in(tern_value names, const char *name) {
    for (size_t i = 0; i < tern_value_count(names); i++)
        if (strcmp(tern_value_at(names, i).as.s, name) == 0) return (int64_t)i;
    return -1;
}

/* The column as places in a list of classes that is known. */
static tern_tensor *known_classes(tern_ctx *ctx, const char *path, const tern_csv *csv,
                                  const char *target, tern_value names) {
    int column = tern_csv_column(csv, target);
    int64_t rows = tern_csv_row_count(csv), *classes;
    if (column < 0) {
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "%s: there is no target column '%.60s'", path,
                  plain_text(ctx, target));
        return NULL;
    }
    classes = tern_scope_alloc(ctx, ((size_t)rows + 1) * sizeof *classes);
    for (int64_t row = 0; classes && row < rows; row++) {
        const char *name = tern_csv_text(csv, row, column);
        classes[row] = place_in(names, name);
        if (classes[row] >= 0) continue;
        tern_fail(ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%.60s': the training data has no class '%.60s'", path,
                  (long long)tern_csv_line(csv, row), plain_text(ctx, target),
                  plain_text(ctx, name));
        return NULL;
    }
    return classes ? tern_from_data(ctx, classes, TERN_SHAPE(rows), TERN_INT64) : NULL;
}

/* Probabilities, nearly always 0 and 1. */
static tern_tensor *binary_targets(tern_ctx *ctx, const recipe *r, const char *path, tern_csv *csv,
                                   const char *target) {
    tern_tensor *numbers = tern_csv_numbers(csv, &target, 1);
    int64_t rows = tern_csv_row_count(csv);
    double *values = numbers ? tern_scope_alloc(ctx, ((size_t)rows + 1) * sizeof *values) : NULL;
    if (!values || tern_to_doubles(numbers, values, (size_t)rows) != TERN_OK) return NULL;
    for (int64_t row = 0; row < rows; row++) {
        if (values[row] >= 0 && values[row] <= 1) continue;
        tern_fail(ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%.60s' is %g, but %s takes targets from 0 to 1; for classes "
                  "use CrossEntropyLoss(), for a regression MSELoss()",
                  path, (long long)tern_csv_line(csv, row), plain_text(ctx, target), values[row],
                  r->loss);
        return NULL;
    }
    return numbers;
}

/* What is to be learned cannot be made up. */
static bool targets_given(tern_ctx *ctx, const char *path, const tern_csv *csv,
                          const char *target) {
    int column = tern_csv_column(csv, target);
    for (int64_t row = 0; column >= 0 && row < tern_csv_row_count(csv); row++) {
        if (!tern_csv_missing(csv, row, column)) continue;
        tern_fail(ctx, TERN_ERR_FORMAT,
                  "%s:%lld: column '%.60s', the target, is missing: take the row out", path,
                  (long long)tern_csv_line(csv, row), plain_text(ctx, target));
        return false;
    }
    return true;
}

static tern_tensor *read_targets(tern_ctx *ctx, const recipe *r, const char *path, tern_csv *csv,
                                 tern_value facts) {
    const char *target = tern_dict_get(facts, "target").as.s;
    tern_value names = tern_dict_get(facts, "classes");
    if (!targets_given(ctx, path, csv, target)) return NULL;
    if (task_kind_of(r) == TASK_BINARY) return binary_targets(ctx, r, path, csv, target);
    if (task_kind_of(r) != TASK_CLASSES) return tern_csv_numbers(csv, &target, 1);
    if (names.kind == TERN_VALUE_LIST) return known_classes(ctx, path, csv, target, names);
    tern_tensor *classes = tern_csv_classes(csv, target, &names);
    if (names.kind == TERN_VALUE_LIST) tern_dict_set(facts, "classes", names);
    return classes;
}

bool table_read(tern_ctx *ctx, const recipe *r, const char *path, bool needs_targets,
                tern_value facts, table_data *out_table) {
    tern_csv_options o = TERN_CSV_OPTIONS;
    *out_table = (table_data){NULL, NULL};
    if (strstr(path, ".tsv")) o.delimiter = '\t';
    o.header = r->header != 0;
    o.allow_missing = strcmp(r->missing, "mean") == 0;
    o.missing_advice = "set `missing = mean` in the recipe";
    tern_csv *csv = tern_csv_open(ctx, path, &o);
    if (!csv) return false;
    tern_value names = input_names(ctx, r, csv, facts);
    if (tern_check(ctx) != TERN_OK) return false;
    out_table->inputs = table_inputs(ctx, r, path, csv, names, facts);
    const char *target = tern_dict_get(facts, "target").as.s;
    if (needs_targets || tern_csv_column(csv, target) >= 0)
        out_table->targets = read_targets(ctx, r, path, csv, facts);
    if (tern_check(ctx) != TERN_OK) return false;
    if (tern_csv_row_count(csv) > 0) return true;
    tern_fail(ctx, TERN_ERR_FORMAT, "%s: the table has no rows below its names", path);
    return false;
}

/* ---- standardizing --------------------------------------------------------------------------- */

static tern_value numbers_of(tern_tensor *row) {
    tern_ctx *ctx = tern_context_of(row);
    size_t count = (size_t)tern_numel(row);
    tern_value list = tern_list_new(ctx);
    double *numbers = tern_scope_alloc(ctx, (count + 1) * sizeof *numbers);
    if (!numbers || tern_to_doubles(row, numbers, count) != TERN_OK) return tern_none();
    for (size_t i = 0; i < count; i++) tern_list_append(list, tern_float(numbers[i]));
    return list;
}

/* Mean and deviation of each column. */
static void measure(tern_tensor *rows, tern_value *out_mean, tern_value *out_deviation) {
    tern_tensor *mean = tern_mean_dims(rows, TERN_SHAPE(0), true);
    tern_tensor *square = tern_square(tern_sub(rows, mean));
    *out_mean = numbers_of(mean);
    *out_deviation = numbers_of(tern_sqrt(tern_mean_dims(square, TERN_SHAPE(0), true)));
}

void table_measure(const recipe *r, const table_data *train, tern_value facts) {
    tern_value mean, deviation;
    measure(train->inputs, &mean, &deviation);
    tern_dict_set(facts, "mean", mean);
    tern_dict_set(facts, "deviation", deviation);
    if (task_kind_of(r) != TASK_REGRESSION) return;
    measure(train->targets, &mean, &deviation);
    if (mean.kind != TERN_VALUE_LIST || deviation.kind != TERN_VALUE_LIST) return;
    double divisor = tern_value_as_double(tern_value_at(deviation, 0));
    tern_dict_set(facts, "target_mean", tern_value_at(mean, 0));
    tern_dict_set(facts, "target_deviation", tern_float(divisor > 0 ? divisor : 1));
}

/* A row of float32 from the facts; a deviation of zero, a column that never changes, divides by 1. */
static tern_tensor *row_of(tern_ctx *ctx, tern_value list, bool divisor) {
    size_t count = tern_value_count(list);
    float *numbers = tern_scope_alloc(ctx, (count + 1) * sizeof *numbers);
    if (!numbers) return NULL;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (float)tern_value_as_double(tern_value_at(list, i));
        if (divisor && !(numbers[i] > 0)) numbers[i] = 1;
    }
    return tern_from_data(ctx, numbers, TERN_SHAPE(1, (int64_t)count), TERN_FLOAT32);
}

static tern_tensor *inputs_standardized(tern_tensor *inputs, tern_value facts) {
    tern_ctx *ctx = tern_context_of(inputs);
    tern_value mean = tern_dict_get(facts, "mean"), deviation = tern_dict_get(facts, "deviation");
    size_t columns = (size_t)tern_size(inputs, 1);
    if (tern_value_count(mean) != columns || tern_value_count(deviation) != columns) return inputs;
    return tern_div(tern_sub(inputs, row_of(ctx, mean, false)), row_of(ctx, deviation, true));
}

table_data table_standardized(const table_data *table, tern_value facts) {
    table_data out = {inputs_standardized(table->inputs, facts), table->targets};
    if (!out.targets || !tern_dict_has(facts, "target_mean")) return out;
    double mean = tern_value_as_double(tern_dict_get(facts, "target_mean"));
    double deviation = tern_value_as_double(tern_dict_get(facts, "target_deviation"));
    out.targets = tern_div_scalar(tern_sub_scalar(out.targets, mean), deviation);
    return out;
}
