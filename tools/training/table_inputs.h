/* table_inputs.h: columns of a table as the numbers that a model takes: texts as classes, missing cells filled. */
#ifndef TERN_TOOLS_TABLE_INPUTS_H
#define TERN_TOOLS_TABLE_INPUTS_H

#include "recipe.h"

#include "tern/io.h"

/*
 * float32 [rows, width] of the columns `names`, in their order. A column of texts becomes, as the recipe's `text`
 * says, one number for each row or a column for each of its classes; missing cells become the means, where its
 * `missing` says so. Classes and means are those of `facts`, or else those of this table, which the facts are told.
 * NULL or nil after latching an error.
 */
tern_tensor *table_inputs(tern_ctx *ctx, const recipe *r, const char *path, tern_csv *csv,
                          tern_value names, tern_value facts);

/* Whether the facts hold classes and means as table_inputs leaves them. */
bool table_inputs_facts_valid(tern_value facts);

#endif
