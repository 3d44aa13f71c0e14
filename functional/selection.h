/*
 * selection.h: which of several equal elements, or of NaN, PyTorch finds, on the host. Its CPU selects and sorts by the
 * C++ standard library's algorithms, which leave that open; here they are in the form that decides it: quickselect
 * around the median of three (Musser 1997, "Introspective sorting and selection algorithms"), and insertion.
 */
#ifndef TERN_FUNCTIONAL_SELECTION_H
#define TERN_FUNCTIONAL_SELECTION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tern_ranked {
    double value;
    int64_t index; /* in the row that it is from */
} tern_ranked;

/* Below this many elements the standard library's sort is one by insertion. */
#define TERN_INSERTION_MOST 16

/* Sorts by insertion, stably but by `<` alone: nothing passes a NaN, unless it is below the first of all. */
void tern_insertion_sort(tern_ranked *row, int64_t count);

/* Puts the elements of these `count` ranks (from 0 to n - 1, ascending, each once) of row[0, n) in their places, NaN
 * last: the middle one first, then those before and those after it in what it has parted. */
void tern_select_ranks(tern_ranked *row, int64_t n, const int64_t *ranks, int64_t count);

#endif
