/* table_data.h: tables (CSV) as inputs and targets, by the columns that a recipe names. */
#ifndef TERN_TOOLS_TABLE_DATA_H
#define TERN_TOOLS_TABLE_DATA_H

#include "recipe.h"

#include "tern/tensor.h"
#include "tern/value.h"

/* Whether a path ends as a table's does: .csv, .tsv, .csv.gz, .tsv.gz. */
bool is_table(const char *path);

typedef struct table_data {
    tern_tensor *inputs;  /* float32 [N, columns] */
    tern_tensor *targets; /* int64 [N] of classes, else float32 [N, 1]; NULL where there are none */
} table_data;

/*
 * Reads a table by the columns and classes of `facts` (a dict); those that are not there yet are found
 * and added. Without `needs_targets` the target's column may be missing. False after latching an error.
 */
bool table_read(tern_ctx *ctx, const recipe *r, const char *path, bool needs_targets,
                tern_value facts, table_data *out_table);

/* Puts the mean and deviation of the training rows' inputs into the facts, and of a regression's
 * targets. */
void table_measure(const recipe *r, const table_data *train, tern_value facts);

/* Inputs and targets less that mean, divided by that deviation, each where the facts have them. */
table_data table_standardized(const table_data *table, tern_value facts);

#endif
