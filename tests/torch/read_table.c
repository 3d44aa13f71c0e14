/* read_table FILE DELIMITER HEADER OUT.pth: a table's columns as check_packages.py wants them: numbers as float32,
 * texts and dates as classes beside the list of their names. Columns of nothing are NaN. */
#include "tern/tern.h"

#include <stdio.h>
#include <stdlib.h>

static void put_column(tern_ctx *ctx, tern_csv *csv, int column, tern_value out) {
    tern_csv_summary summary;
    const char *name = tern_csv_name(csv, column);
    tern_value key = tern_string(ctx, name), names;
    if (!tern_csv_summarize(csv, column, &summary)) return;
    if (summary.kind == TERN_CSV_DATE || summary.kind == TERN_CSV_TEXT) {
        tern_value pair = tern_list_new(ctx);
        tern_list_append(pair, tern_tensor_value(tern_csv_classes(csv, name, &names)));
        tern_list_append(pair, names);
        tern_dict_set_value(out, key, pair);
    } else {
        tern_dict_set_value(out, key, tern_tensor_value(tern_csv_numbers(csv, &name, 1)));
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    tern_ctx *ctx = tern_open(NULL);
    tern_csv_options o = TERN_CSV_OPTIONS;
    o.delimiter = *argv[2];
    o.header = atoi(argv[3]) != 0;
    o.allow_missing = true;
    tern_csv *csv = tern_csv_open(ctx, argv[1], &o);
    tern_value out = tern_dict_new(ctx, false);
    for (int i = 0; i < tern_csv_column_count(csv); i++) put_column(ctx, csv, i, out);
    tern_value_save(ctx, out, argv[4]);
    if (tern_check(ctx)) fprintf(stderr, "read_table: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
