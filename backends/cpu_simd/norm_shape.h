/*
 * norm_shape.h: the dimensions of a normalisation, as its two kernels go through them.
 *
 * A statistic belongs to one index of the kept dimensions. What it is over is cut into pieces: each is a
 * run of the innermost dimension of D, and the others count them. Operands, whatever their own shapes, have
 * x's dimensions, with stride 0 where they have but one element.
 *
 *     layer norm      kept [rows]        pieces 1          run [columns]
 *     batch norm      kept [channels]    pieces [n]        run [pixels]
 *     group norm      kept [n, groups]   pieces [c / g]    run [pixels]
 *
 * Where the run's elements lie apart and those of the innermost kept dimension do not (batch norm of a
 * matrix, or of channels that come last), columns are taken side by side instead.
 */
#ifndef TERN_CPU_SIMD_NORM_SHAPE_H
#define TERN_CPU_SIMD_NORM_SHAPE_H

#include "wide_rows.h"

/* Elements that are computed on at a time, and the columns that are. */
#define NORM_CHUNK   1024
#define NORM_COLUMNS 256
/* Rows of columns whose sums are added in the type of the elements. */
#define NORM_BLOCK 64

typedef struct norm_shape {
    int32_t count;
    tern_kit_tensor operands[TERN_KIT_WALK_OPERANDS];
    int64_t strides[TERN_KIT_WALK_OPERANDS][TERN_BACKEND_MAX_RANK];
    tern_kit_walk kept;   /* without the columns, where there are some */
    tern_kit_walk pieces; /* without the run */
    tern_kit_row run;     /* length 1 where there are columns */
    tern_kit_row columns; /* length 1 where there are none */
    int64_t elements;     /* of one statistic */
    bool by_columns;
} norm_shape;

/* Where the pieces of one statistic are. */
typedef struct norm_place {
    int64_t index[TERN_BACKEND_MAX_RANK];
    int64_t offset[TERN_KIT_WALK_OPERANDS];
} norm_place;

/* One more operand; `t` has x's rank, and size 1 where it does not vary. */
void tern_simd_norm_operand(norm_shape *s, const tern_kit_tensor *t, const tern_kit_tensor *x);
/* One that is a number everywhere, a float32 or float64 that outlives the launch. */
void tern_simd_norm_number(norm_shape *s, int32_t dtype, const void *value,
                           const tern_kit_tensor *x);
/* Once all operands are there; the first is the one that is read most. */
void tern_simd_norm_cut(norm_shape *s, uint32_t dims);

static inline void tern_simd_norm_first(const norm_shape *s, const int64_t *offset,
                                        norm_place *place) {
    for (int32_t d = 0; d < s->pieces.rank; d++) place->index[d] = 0;
    for (int32_t k = 0; k < s->count; k++) place->offset[k] = offset[k];
}

/* To the next piece; false after the last. */
static inline bool tern_simd_norm_next(const norm_shape *s, norm_place *place) {
    for (int32_t d = s->pieces.rank - 1; d >= 0; d--) {
        bool wraps = ++place->index[d] == s->pieces.shape[d];
        int64_t steps = wraps ? 1 - s->pieces.shape[d] : 1;
        for (int32_t k = 0; k < s->count; k++) place->offset[k] += s->pieces.stride[k][d] * steps;
        if (!wraps) return true;
        place->index[d] = 0;
    }
    return false;
}

/* The address of an operand's element. */
static inline char *tern_simd_norm_at(const norm_shape *s, int32_t k, int64_t offset) {
    return tern_kit_at(&s->operands[k], offset);
}

#endif
