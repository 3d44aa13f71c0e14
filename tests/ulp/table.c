/* docs/ulp.md: the text around the table is its author's, the rows are made here. */
#define _POSIX_C_SOURCE 200809L /* strtok_r */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ulp.h"

static const char BEGIN[] = "| function | float32 | float16 | bfloat16 | float64 |";

/* Reads "| name | 0.5000 | ... |" where the line is a row of a function. */
static void read_row(char *line, ulp_table *table) {
    char *rest = NULL;
    const char *name = strtok_r(line, "| `\n", &rest);
    const ulp_function *function = name ? ulp_function_named(name) : NULL;
    if (!function) return;
    for (int f = 0; f < ULP_FORMATS; f++) {
        const char *cell = strtok_r(NULL, "| \n", &rest);
        if (cell && cell[0] >= '0' && cell[0] <= '9')
            table->error[function - ulp_functions][f] = strtod(cell, NULL);
    }
}

static void forget(ulp_table *table) {
    for (int i = 0; i < ulp_function_count; i++)
        for (int f = 0; f < ULP_FORMATS; f++) table->error[i][f] = -1;
}

bool ulp_table_read(const char *path, ulp_table *out_table) {
    FILE *file = fopen(path, "r");
    forget(out_table);
    if (!file) {
        fprintf(stderr, "ulp: %s cannot be read\n", path);
        return false;
    }
    char line[1024];
    bool inside = false;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, BEGIN, strlen(BEGIN)) == 0) inside = true;
        if (line[0] != '|') inside = false;
        if (inside) read_row(line, out_table);
    }
    fclose(file);
    return true;
}

static void write_rows(FILE *file, const ulp_table *table) {
    fprintf(file, "%s\n|---|---|---|---|---|\n", BEGIN);
    for (int i = 0; i < ulp_function_count; i++) {
        if (!ulp_functions[i].op) continue;
        fprintf(file, "| `%s` |", ulp_functions[i].name);
        for (int f = 0; f < ULP_FORMATS; f++) /* rounded up, so that what is written is a bound */
            fprintf(file, " %.4f |", ceil(table->error[i][f] * 1e4) / 1e4);
        fputc('\n', file);
    }
}

bool ulp_table_write(const char *path, const ulp_table *table) {
    char new_path[4096], line[1024];
    snprintf(new_path, sizeof new_path, "%s.new", path);
    FILE *from = fopen(path, "r");
    FILE *to = fopen(new_path, "w");
    bool inside = false, written = false;
    while (from && to && fgets(line, sizeof line, from)) {
        if (strncmp(line, BEGIN, strlen(BEGIN)) == 0) {
            inside = written = true;
            write_rows(to, table);
        }
        if (line[0] != '|') inside = false;
        if (!inside) fputs(line, to);
    }
    if (from) fclose(from);
    bool ok = to && fclose(to) == 0 && written && rename(new_path, path) == 0;
    if (!ok) fprintf(stderr, "ulp: %s cannot be written, or has no table yet\n", path);
    return ok;
}
