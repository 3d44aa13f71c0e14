/*
 * tile.h: a product of two matrices that are functions of their indices, tile by tile.
 *
 *     out[i, j] = sum over k of left(i, k) right(k, j)        i < m, j < n, k < depth
 *
 * A group makes TILE_M by TILE_N results; slices of SLICE values of k go through the memory that the group
 * shares. Where the device has many lanes, each of them keeps EACH_M by EACH_N results of the tile in registers.
 * Where it has a processor's few (SERIAL), one lane walks over the tile in such blocks, and what it shares with
 * nobody is laid out in the order in which the blocks read it. The sum over k is in order in both, so the results
 * depend neither on timing nor on the tile.
 *
 * A family defines `struct operands`, which begins with `right` and the functions declared here, and writes
 * TILE_BODY as its kernel's body. What of an address depends on one index alone is computed once for each row,
 * column and k (a spot), and the pair adds two of them.
 */
#ifndef WINDOWED
#define WINDOWED 0 /* whether right is an image under a window, some of which lies outside */
#endif
#if defined(WIDE) && WIDE
typedef i64 coordinate;
#else
typedef i32 coordinate;
#endif

/* `phase` is what a position leaves when it is divided by the window's stride: only equal ones meet. */
typedef struct spot {
    i64 at;
#if WINDOWED
    coordinate z, y, x, phase;
#endif
} spot;

/* The other inputs of the program that results go through, which run_epilogue.c writes before this file. */
#ifdef EPILOGUE
typedef struct extras {
    GLOBAL const u8 *q0, *q1, *q2;
    const gpu_epilogue_launch *launch;
} extras;

#define EXTRA(dtype, base, at) ((dtype) < 0 ? 0 : load(dtype, base, at))
FUNCTION num through_epilogue(const extras *e, num sum, const i64 *at) {
    return epilogue(sum, EXTRA(EXTRA0, e->q0, at[0]), EXTRA(EXTRA1, e->q1, at[1]),
                    EXTRA(EXTRA2, e->q2, at[2]), e->launch->c);
}
#else
#define EPILOGUE 0
#endif

#undef KERNEL_LANES
#define KERNEL_LANES TILE_LANES
#define SERIAL       (TILE_LANES == 1)
#if SERIAL
#define PAD 0
#else
#define PAD 4 /* so that neighbours in k lie in other banks, and four numbers are still aligned */
#endif

typedef struct tile_memory {
    num left[SLICE * (TILE_M + PAD)], right[SLICE * (TILE_N + PAD)];
    i64 row_at[TILE_M], left_k_at[SLICE];
    spot right_k_at[SLICE], column_at[TILE_N];
#if SERIAL
    num sum[TILE_M * TILE_N];
    i64 out_at[TILE_N];
#endif
} tile_memory;

typedef struct operands operands;
/* Whether neighbours in k, not in the other index, lie side by side. */
FUNCTION i32 left_by_k(const operands *o);
FUNCTION i32 right_by_k(const operands *o);
FUNCTION i64 left_row(const operands *o, i64 i);
FUNCTION i64 left_k(const operands *o, i64 k);
FUNCTION num left_at(const operands *o, i64 row, i64 k);
FUNCTION spot right_k(const operands *o, i64 k);
FUNCTION spot right_column(const operands *o, i64 j);
FUNCTION i32 right_inside(const operands *o, spot k, spot column);
FUNCTION num right_at(const operands *o, spot k, spot column);
/* Where a result lies: the sum of both. */
FUNCTION i64 out_row(const operands *o, i64 i);
FUNCTION i64 out_column(const operands *o, i64 j);
FUNCTION void put_out(const operands *o, i64 i, i64 j, i64 at, num sum);

FUNCTION void tile_run(const operands *o, SHARED tile_memory *memory, i64 m, i64 n, i64 depth);

#define TILE_BODY(m, n, depth)                                                                     \
    LOCAL tile_memory memory;                                                                      \
    tile_run(&o, &memory, m, n, depth);

#if FLOATING
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((num)((u64)(a) * (u64)(b) + (u64)(c)))
#endif
