/* csv.h: the reader of CSV over bytes in memory, for the file's and for tests. */
#ifndef TERN_IO_CSV_H
#define TERN_IO_CSV_H

#include "file.h"
#include "tern/io.h"

/* tern_csv_open over a file's bytes, which it takes over (they are the seam's, with a zero byte
 * behind them). */
tern_csv *tern_csv_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size,
                        const tern_csv_options *options);

/*
 * Names the columns as pandas does: those without a name "Unnamed: 0" by their place, those called as one before
 * them "a.1", "a.2"; without a header all are "0", "1", ... Names that the header does not hold are put into `made`,
 * of two places for each column, which the caller frees. False without memory.
 */
bool tern_csv_name_columns(const char **names, int columns, bool header, char **made);

/* Whether a cell's text stands for nothing, and whether it is a date. */
bool tern_csv_is_missing(const char *text, size_t length);
bool tern_csv_is_date(const char *text, size_t length);

#endif
