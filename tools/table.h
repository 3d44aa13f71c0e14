/* table.h: text in columns that are as wide as their widest cell. */
#ifndef TERN_TOOLS_TABLE_H
#define TERN_TOOLS_TABLE_H

#include "tern/base.h"

/* Prints `rows` rows of `columns` cells (row-major, NULL is empty) on standard output; the last column
 * is not padded. */
void table_print(const char *const *cells, size_t rows, size_t columns);

#endif
