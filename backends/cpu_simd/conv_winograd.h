/*
 * conv_winograd.h: convolutions of 3 x 3 kernels over many channels by Winograd's minimal filtering
 * F(2 x 2, 3 x 3) (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, section 4.1), in float32.
 *
 * A tile of 2 x 2 results needs 4 x 4 numbers d of a channel of the source, and 16 products instead of 36:
 *
 *     Y = A' [ (G g G') * (B' d B) ] A          ' transposes, * multiplies element by element
 *
 *          1  0 -1  0             1    0    0
 *     B' = 0  1  1  0       G =  1/2  1/2  1/2       A' = 1  1  1  0
 *          0 -1  1  0            1/2 -1/2  1/2            0  1 -1 -1
 *          0  1  0 -1             0    0    1
 *
 * Over all channels the middle is a product of matrices for each of the 16 places. The gradient by weight is the
 * transposed of that, G' [ (A dY A') * (B' d B) ] G, summed over tiles. A result is made of what its kernel lies
 * on alone, as otherwise; its error is about that of a sum in order (docs/differences.md).
 *
 * Numbers lie as [position, channels], in panels of channels, so that a vector is of channels and images of any
 * width fill it.
 */
#ifndef TERN_CPU_SIMD_CONV_WINOGRAD_H
#define TERN_CPU_SIMD_CONV_WINOGRAD_H

#include "conv.h"

#define WINOGRAD_PLACES 16
#define WINOGRAD_PANEL  TERN_SIMD_PANEL_F32

/* A launch's sizes. Two numbers are of rows and columns. */
typedef struct tern_simd_winograd {
    int64_t n, groups;
    int64_t sources, results; /* channels of a group */
    int64_t in[2], out[2];    /* of the source's planes and the result's */
    int64_t first[2];         /* which of the source the first tile begins with: 0 or less */
    int64_t tiles[2];
    int64_t strips, strip; /* of a plane: rows of tiles that are computed at once; of the largest */
    int64_t block;         /* the most tiles whose products are made together */
    int64_t columns;       /* of a strip that was read */
    int64_t source_row;    /* numbers of a tile at one place: channels, rounded up to vectors */
    int64_t source_place;  /* from one place of a block to the next */
    int64_t turned, changed; /* numbers of a strip as it is read, and of a block at all places */
} tern_simd_winograd;

/* Whether a launch is one of these, and of so many `channels` that it is worth it. */
bool tern_simd_winograd_plan(tern_simd_winograd *w, const tern_simd_conv_call *c,
                             const tern_conv_attrs *attrs, bool by_input, int64_t channels,
                             int64_t block);

/* A tile of a strip. */
typedef struct tern_simd_winograd_tile {
    int64_t y, x;
} tern_simd_winograd_tile;

SIMD_INLINE tern_simd_winograd_tile tern_simd_winograd_first(const tern_simd_winograd *w,
                                                             int64_t tile) {
    return (tern_simd_winograd_tile){tile / w->tiles[1], tile % w->tiles[1]};
}

SIMD_INLINE void tern_simd_winograd_next(const tern_simd_winograd *w,
                                         tern_simd_winograd_tile *tile) {
    if (++tile->x < w->tiles[1]) return;
    tile->x = 0;
    tile->y++;
}

/* Where it begins in a panel with rows of so many numbers. */
SIMD_INLINE int64_t tern_simd_winograd_at(tern_simd_winograd_tile tile, int64_t row) {
    return 2 * (tile.y * row + tile.x * WINOGRAD_PANEL);
}

/* `change`s `count` tiles of a strip of `rows` rows from tile `first` on, whose numbers become [place, tile, channel]:
 * `channels` of a tile, a vector at a time; change(from, numbers of a row, to, place). */
SIMD_INLINE void
tern_simd_winograd_change(const tern_simd_winograd *w, int64_t rows, int64_t row, int64_t channels,
                          int64_t first, int64_t count, const float *turned, float *to,
                          int64_t place, void (*change)(const float *, int64_t, float *, int64_t)) {
    for (int64_t c = 0; c < channels; c += F32_LANES) {
        const float *from = turned + c / WINOGRAD_PANEL * rows * row + c % WINOGRAD_PANEL;
        tern_simd_winograd_tile tile = tern_simd_winograd_first(w, first);
        for (int64_t t = 0; t < count; t++, tern_simd_winograd_next(w, &tile))
            change(from + tern_simd_winograd_at(tile, row), row, to + t * channels + c, place);
    }
}

/* The first row of tiles of strip `index`; that of the one behind the last is how many there are. */
int64_t tern_simd_winograd_start(const tern_simd_winograd *w, int64_t index);

/* Rows and columns from (row, column) on of `channels` planes, `from` the first one's first element, as
 * [panel, rows * columns, PANEL]; zeros outside of planes of `size`. */
void tern_simd_winograd_turn(const tern_simd_planes *planes, const char *from, int64_t channels,
                             const int64_t *size, const int64_t *first, const int64_t *count,
                             float *to);

/* B' d B of `count` tiles of a strip from tile `first` on: [place, tile, channel]. */
void tern_simd_winograd_sources(const tern_simd_winograd *w, const float *turned, int64_t first,
                                int64_t count, float *to);

/* These return DECLINED where the launch has another shape, or a result was not finite: sums of differences
 * have no infinities. */
int32_t tern_simd_conv_winograd(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                                bool by_input);
int32_t tern_simd_conv_winograd_weight(const tern_simd_conv_call *c, const tern_conv_attrs *attrs);

#endif
