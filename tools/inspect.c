/* tern inspect: what is in a file of any format that Tern reads. */
#include "plain_text.h"
#include "table.h"
#include "verbs.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 4, SHAPE_SIZE = 400, VALUE_SIZE = 200 };

typedef struct inspect_options {
    common_options common;
} inspect_options;

static const char *text_of(tern_value entry, const char *key) {
    tern_value value = tern_dict_get(entry, key);
    return value.kind == TERN_VALUE_STRING ? value.as.s : "";
}

/* "float8_e5m2 (as float32)" */
static const char *dtype_text(tern_ctx *ctx, tern_value entry) {
    char text[80];
    const char *wider = text_of(entry, "loads_as");
    if (!*wider) return text_of(entry, "dtype");
    snprintf(text, sizeof text, "%s (as %s)", text_of(entry, "dtype"), wider);
    tern_value kept = tern_string(ctx, text);
    return kept.kind == TERN_VALUE_STRING ? kept.as.s : "";
}

static int print_tensors(const verb *v, tern_ctx *ctx, tern_value tensors) {
    size_t count = tern_value_count(tensors);
    const char **cells = tern_alloc_zeroed((count + 1) * COLUMNS, sizeof *cells);
    if (!cells) return work_failed(v, "out of memory");
    static const char *const titles[COLUMNS] = {"tensor", "dtype", "shape", "sha256"};
    for (size_t c = 0; c < COLUMNS; c++) cells[c] = titles[c];
    for (size_t i = 0; i < count; i++) {
        tern_value entry = tern_value_at(tensors, i);
        char shape[SHAPE_SIZE];
        tern_value_repr(tern_dict_get(entry, "shape"), shape, sizeof shape);
        tern_value kept = tern_string(ctx, shape);
        const char **row = cells + (i + 1) * COLUMNS;
        row[0] = plain_text(ctx, text_of(entry, "name"));
        row[1] = dtype_text(ctx, entry);
        row[2] = kept.kind == TERN_VALUE_STRING ? kept.as.s : "";
        row[3] = text_of(entry, "sha256");
    }
    table_print(cells, count + 1, COLUMNS);
    tern_free(cells);
    return EXIT_OK;
}

/* "name  kind  missing  different", a line for each column of a table. */
static int print_columns(const verb *v, tern_ctx *ctx, tern_value columns) {
    static const char *const keys[COLUMNS] = {"name", "kind", "missing", "different"};
    size_t count = tern_value_count(columns);
    const char **cells = tern_alloc_zeroed((count + 1) * COLUMNS, sizeof *cells);
    if (!cells) return work_failed(v, "out of memory");
    for (size_t c = 0; c < COLUMNS; c++) cells[c] = keys[c];
    for (size_t i = 0; i < count * COLUMNS; i++) {
        tern_value item = tern_dict_get(tern_value_at(columns, i / COLUMNS), keys[i % COLUMNS]);
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)item.as.i);
        cells[COLUMNS + i] = plain_text(ctx, item.kind == TERN_VALUE_STRING ? item.as.s : text);
    }
    cells[0] = "column";
    table_print(cells, count + 1, COLUMNS);
    tern_free(cells);
    return EXIT_OK;
}

static int print_report(const verb *v, tern_ctx *ctx, const char *path, tern_value report) {
    char text[VALUE_SIZE];
    tern_value key, item, tensors = tern_dict_get(report, "tensors");
    printf("%s: %s\n", plain_text(ctx, path), text_of(report, "format"));
    tern_value columns = tern_dict_get(report, "columns");
    if (columns.kind == TERN_VALUE_LIST) {
        printf("%lld rows\n", (long long)tern_dict_get(report, "rows").as.i);
        return print_columns(v, ctx, columns);
    }
    int status = tern_value_count(tensors) ? print_tensors(v, ctx, tensors) : EXIT_OK;
    tern_value values = tern_dict_get(report, "values");
    for (size_t i = 0; tern_dict_at(values, i, &key, &item); i++) {
        size_t length = tern_value_repr(item, text, sizeof text);
        printf("%s = %s%s\n", plain_text(ctx, key.as.s), text, length >= sizeof text ? "..." : "");
    }
    tern_value warnings = tern_dict_get(report, "warnings");
    for (size_t i = 0; i < tern_value_count(warnings); i++)
        printf("warning: %s\n", tern_value_at(warnings, i).as.s);
    return status;
}

static int run(const verb *v, void *options) {
    const inspect_options *o = options;
    const char *path = o->common.positional[0];
    tern_ctx *ctx = tern_open(o->common.device);
    tern_value report = tern_file_inspect(ctx, path);
    const char *json = o->common.json ? tern_json_text(ctx, report, 0) : NULL;
    int status = EXIT_OK;
    if (tern_check(ctx) != TERN_OK)
        status = work_failed(v, "%s", tern_error(ctx));
    else if (o->common.json)
        printf("%s\n", json);
    else
        status = print_report(v, ctx, path, report);
    tern_close(ctx);
    return status;
}

const verb verb_inspect = {
    .name = "inspect",
    .arguments = "FILE",
    .summary = "tells what is in a .pth, .safetensors, .npy, .npz, GGUF, IDX or CSV file, or a "
               "plugin's manifest",
    .details = "A name is the path of keys and indices, joined by dots. The checksum is over the "
               "row-major\nlittle-endian bytes. A .pth file that would run code is refused; the "
               "error names\nthe code. Of a plugin's manifest (.tern) it tells whether the plugin "
               "could be used here,\n"
               "without loading it; `tern doctor` opens plugins.",
    .seed = "0",
    .least_positional = 1,
    .most_positional = 1,
    .options_size = sizeof(inspect_options),
    .run = run,
};
