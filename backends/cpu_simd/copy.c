/*
 * COPY: out[...] = in[...] between any strides and dtypes.
 *
 * Dimensions are brought into the order of the output's memory and merged where both tensors allow it;
 * what remains is planes of rows and columns (copy.h), which are cut into blocks. A block is a copy of
 * dense rows, a transposition or a loop over strides; where the dtypes differ it goes through a buffer
 * in the first-level cache, from which whole rows are converted.
 */
#include "copy.h"

#include <string.h>

#include "../cpu_ref/walk.h"
#include "kernels.h"

/* Bytes that one chunk of parallel_for writes, and one block of dense rows. */
#define GRAIN       (INT64_C(1) << 18)
#define BLOCK_BYTES (INT64_C(1) << 16)
/* Elements of a block that goes through a buffer. */
#define BUFFERED 4096
/* Fewer rows or columns are not worth a transposition. */
#define LEAST_SIDE 8
/* Bytes that memory moves at once. */
#define LINE 64
/* Outputs of so many bytes do not stay in a cache until somebody reads them. */
#define STREAM_BYTES (INT64_C(1) << 23)

typedef void (*block_fn)(const copy_block *block);

typedef struct copy_plan {
    int32_t rank; /* of the dimensions outside of the plane */
    int64_t shape[TERN_BACKEND_MAX_RANK];
    int64_t to_step[TERN_BACKEND_MAX_RANK], from_step[TERN_BACKEND_MAX_RANK]; /* bytes */
    copy_block plane;
    int64_t block_rows, block_columns; /* of the blocks that it is cut into */
    int64_t row_blocks, column_blocks;
    block_fn run; /* of equal dtypes, or into the buffer of a conversion */
    int32_t to_dtype, from_dtype;
    bool converts;
} copy_plan;

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t blocks_of(int64_t n, int64_t size) {
    return (n + size - 1) / size;
}

/* ---- dimensions ---- */

/* Dimensions longer than 1, by falling stride of the output, steps in bytes. */
static void order(copy_plan *p, const tern_kit_tensor *in, const tern_kit_tensor *out) {
    int64_t to_size = tern_kit_size(out->dtype), from_size = tern_kit_size(in->dtype);
    p->rank = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        if (out->shape[d] == 1) continue;
        int64_t step = out->strides[d] * to_size;
        int32_t at = p->rank++;
        for (; at > 0 && p->to_step[at - 1] < step; at--) {
            p->shape[at] = p->shape[at - 1];
            p->to_step[at] = p->to_step[at - 1];
            p->from_step[at] = p->from_step[at - 1];
        }
        p->shape[at] = out->shape[d];
        p->to_step[at] = step;
        p->from_step[at] = in->strides[d] * from_size;
    }
}

/* Neighbours that are one dimension in both tensors become one. */
static void merge(copy_plan *p) {
    int32_t last = 0;
    for (int32_t d = 1; d < p->rank; d++) {
        bool one = p->to_step[last] == p->shape[d] * p->to_step[d] &&
                   p->from_step[last] == p->shape[d] * p->from_step[d];
        if (!one) last++;
        p->shape[last] = one ? p->shape[last] * p->shape[d] : p->shape[d];
        p->to_step[last] = p->to_step[d];
        p->from_step[last] = p->from_step[d];
    }
    if (p->rank > 0) p->rank = last + 1;
}

static void take_out(copy_plan *p, int32_t dim, int64_t *length, int64_t *to_step,
                     int64_t *from_step) {
    *length = 1;
    *to_step = *from_step = 0;
    if (p->rank == 0) return;
    *length = p->shape[dim];
    *to_step = p->to_step[dim];
    *from_step = p->from_step[dim];
    p->rank--;
    for (int32_t d = dim; d < p->rank; d++) {
        p->shape[d] = p->shape[d + 1];
        p->to_step[d] = p->to_step[d + 1];
        p->from_step[d] = p->from_step[d + 1];
    }
}

/* Columns are the last dimension; rows that in which the input is dense, else the one before it. */
static void choose_plane(copy_plan *p, const tern_kit_tensor *in, const tern_kit_tensor *out) {
    copy_block *plane = &p->plane;
    int64_t from_size = tern_kit_size(in->dtype);
    *plane = (copy_block){.to = out->data, .from = in->data, .size = tern_kit_size(out->dtype)};
    if (p->rank == 0) { /* one element */
        plane->rows = plane->columns = 1;
        plane->to_step.column = plane->size;
        plane->from_step.column = from_size;
        return;
    }
    take_out(p, p->rank - 1, &plane->columns, &plane->to_step.column, &plane->from_step.column);
    int32_t row = p->rank - 1;
    if (plane->from_step.column != from_size) {
        for (int32_t d = 0; d < p->rank; d++)
            if (p->from_step[d] == from_size) row = d;
    }
    take_out(p, row, &plane->rows, &plane->to_step.row, &plane->from_step.row);
}

/* ---- blocks ---- */

static void cut(copy_plan *p, int64_t rows, int64_t columns) {
    p->block_rows = lesser(p->plane.rows, rows);
    p->block_columns = lesser(p->plane.columns, columns);
    p->row_blocks = blocks_of(p->plane.rows, p->block_rows);
    p->column_blocks = blocks_of(p->plane.columns, p->block_columns);
}

/* As many columns as there are, then rows. */
static void cut_rows(copy_plan *p, int64_t elements) {
    int64_t columns = lesser(p->plane.columns, elements);
    cut(p, elements / columns, columns);
}

/* A block reads COPY_BLOCK_ROW_BYTES of each of some lines of the input. */
static void cut_transposed(copy_plan *p, int64_t elements) {
    int64_t rows = lesser(
        p->plane.rows, lesser(COPY_BLOCK_ROW_BYTES / p->plane.size, elements / COPY_BLOCK_COLUMNS));
    cut(p, rows, elements / rows);
}

static void choose_run(copy_plan *p, bool large) {
    const copy_block *plane = &p->plane;
    int64_t from_size = tern_kit_size(p->from_dtype);
    bool dense_to = plane->to_step.column == plane->size;
    bool dense_from = plane->from_step.column == from_size;
    bool transposed = plane->from_step.row == from_size && !dense_from &&
                      lesser(plane->rows, plane->columns) >= LEAST_SIDE;
    p->run = transposed ? tern_simd_transpose : tern_simd_copy_strided;
    if (dense_to && dense_from) {
        p->run = large ? tern_simd_stream_rows : tern_simd_copy_rows;
        cut_rows(p, BLOCK_BYTES / plane->size);
    } else if (p->converts && transposed) {
        cut_transposed(p, BUFFERED);
    } else if (dense_to && transposed) {
        cut_transposed(p, COPY_BLOCK_BYTES / plane->size);
        if (large && p->block_columns * plane->size >= LINE) p->run = tern_simd_stream_transposed;
    } else {
        p->run = tern_simd_copy_strided;
        cut_rows(p, BUFFERED);
    }
}

/* A row of the buffer, or of the input, into the output's row. */
static void convert_row(const copy_plan *p, char *to, int64_t to_step, const char *from,
                        int64_t n) {
    int64_t size = p->plane.size;
    if (to_step == size) {
        tern_simd_convert(p->to_dtype, to, p->from_dtype, from, n);
        return;
    }
    char row[BUFFERED * 8];
    tern_simd_convert(p->to_dtype, row, p->from_dtype, from, n);
    tern_simd_copy_strided(&(copy_block){to, row, {0, to_step}, {0, size}, 1, n, size});
}

static void convert_block(const copy_plan *p, const copy_block *b) {
    _Alignas(64) char packed[BUFFERED * 8];
    int64_t from_size = tern_kit_size(p->from_dtype);
    const char *from = b->from;
    int64_t from_row = b->from_step.row;
    if (b->from_step.column != from_size) {
        copy_block inside = *b;
        from_row = b->columns * from_size;
        inside.to = packed;
        inside.to_step = (copy_steps){from_row, from_size};
        inside.size = from_size;
        p->run(&inside);
        from = packed;
    }
    for (int64_t r = 0; r < b->rows; r++)
        convert_row(p, b->to + r * b->to_step.row, b->to_step.column, from + r * from_row,
                    b->columns);
}

static void run_block(const copy_plan *p, char *to, const char *from, int64_t row, int64_t column) {
    copy_block b = p->plane;
    b.to = to + row * b.to_step.row + column * b.to_step.column;
    b.from = from + row * b.from_step.row + column * b.from_step.column;
    b.rows = lesser(b.rows - row, p->block_rows);
    b.columns = lesser(b.columns - column, p->block_columns);
    if (p->converts)
        convert_block(p, &b);
    else
        p->run(&b);
}

/* ---- all blocks ---- */

/* Blocks are numbered along the columns, then the rows, then the dimensions outside. */
static void run_blocks(void *arg, int64_t begin, int64_t end) {
    const copy_plan *p = arg;
    int64_t index[TERN_BACKEND_MAX_RANK], rest = begin;
    int64_t column = rest % p->column_blocks, row;
    rest /= p->column_blocks;
    row = rest % p->row_blocks;
    rest /= p->row_blocks;
    char *to = p->plane.to;
    const char *from = p->plane.from;
    for (int32_t d = p->rank - 1; d >= 0; d--) {
        index[d] = rest % p->shape[d];
        rest /= p->shape[d];
        to += index[d] * p->to_step[d];
        from += index[d] * p->from_step[d];
    }
    for (int64_t i = begin; i < end; i++) {
        run_block(p, to, from, row * p->block_rows, column * p->block_columns);
        if (++column < p->column_blocks) continue;
        column = 0;
        if (++row < p->row_blocks) continue;
        row = 0;
        for (int32_t d = p->rank - 1; d >= 0; d--) {
            to += p->to_step[d];
            from += p->from_step[d];
            if (++index[d] < p->shape[d]) break;
            to -= p->shape[d] * p->to_step[d];
            from -= p->shape[d] * p->from_step[d];
            index[d] = 0;
        }
    }
}

int32_t tern_simd_copy(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t count = tern_kit_count(out), bytes = count * tern_kit_size(out->dtype);
    copy_plan p = {
        .to_dtype = out->dtype, .from_dtype = in->dtype, .converts = in->dtype != out->dtype};
    if (bytes <= GRAIN && tern_kit_is_contiguous(in) && tern_kit_is_contiguous(out)) {
        if (p.converts)
            tern_simd_convert(out->dtype, out->data, in->dtype, in->data, count);
        else
            memmove(out->data, in->data, (size_t)bytes);
        return TERN_BACKEND_OK;
    }
    order(&p, in, out);
    merge(&p);
    choose_plane(&p, in, out);
    choose_run(&p, bytes >= STREAM_BYTES);
    int64_t blocks = p.row_blocks * p.column_blocks;
    for (int32_t d = 0; d < p.rank; d++) blocks *= p.shape[d];
    if (bytes <= GRAIN)
        run_blocks(&p, 0, blocks);
    else
        call->host->parallel_for(blocks, GRAIN / (p.block_rows * p.block_columns * p.plane.size),
                                 run_blocks, &p);
    return TERN_BACKEND_OK;
}
