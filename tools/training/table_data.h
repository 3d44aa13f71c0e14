/* table_data.h: tables (CSV) as inputs and targets, by the columns that a recipe names. */
#ifndef TERN_TOOLS_TABLE_DATA_H
#define TERN_TOOLS_TABLE_DATA_H

#include "recipe.h"

#include "tern/tensor.h"
#include "tern/value.h"

/* Whether a path ends as a table's does: .csv, .tsv, packed (.gz) or not. */
bool is_table(const char *path);

typedef struct table_data {
    tern_tensor *inputs;  /* float32 [N, columns] */
    tern_tensor *targets; /* int64 [N] of classes, else float32 [N, 1]; NULL where there are none */
} table_data;

/*
 * Reads a table. `facts` (a dict) tells the columns and the classes where it has them, and is told
 * those that were found where not. Without `needs_targets` the target's column may be missing. False
 * after latching an error.
 */
bool table_read(tern_ctx *ctx, const recipe *r, const char *path, bool needs_targets,
                tern_value facts, table_data *out_table);

/* Puts the columns' mean and deviation into the facts; and takes them off inputs. */
void table_measure(tern_tensor *inputs, tern_value facts);
tern_tensor *table_standardized(tern_tensor *inputs, tern_value facts);

#endif
