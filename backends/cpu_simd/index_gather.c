/*
 * GATHER and SCATTER. Along the innermost dimension runs a typed loop, whether it is the indexed one or
 * another; a launch is cut along a dimension into parts that share nothing.
 */
#include <stdatomic.h>

#include "../cpu_ref/kernels.h"
#include "index.h"
#include "kernels.h"

/* Where the slices of a dimension lie further apart than this, columns are done some at a time, so
 * that what they reach stays in a cache. */
#define NEAR_BYTES (INT64_C(1) << 17)
#define SOME       64

/* The indexed tensor has stride 0 along dim; `scale` is its stride there. */
typedef struct indexing {
    const tern_kit_call *call;
    tern_kit_tensor table, index, dense; /* dense is out of GATHER, src of SCATTER */
    int64_t table_strides[TERN_BACKEND_MAX_RANK];
    const int64_t *shape; /* of the positions */
    int32_t rank, cut;    /* cut: the dimension that parts divide */
    int64_t scale, size;
    int32_t reduce; /* below 0: a gather */
    atomic_bool good;
} indexing;

/* The positions whose coordinate in the dimension of the cut is in [begin, end). */
static void run_part(void *arg, int64_t begin, int64_t end) {
    indexing *x = arg;
    int64_t shape[TERN_BACKEND_MAX_RANK];
    for (int32_t d = 0; d < x->rank; d++) shape[d] = d == x->cut ? end - begin : x->shape[d];
    tern_kit_tensor table = x->table, index = x->index, dense = x->dense;
    table.data = tern_kit_at(&table, begin * table.strides[x->cut]);
    index.data = tern_kit_at(&index, begin * index.strides[x->cut]);
    dense.data = tern_kit_at(&dense, begin * dense.strides[x->cut]);
    table.shape = index.shape = dense.shape = shape;
    const tern_kit_tensor *operands[] = {&dense, &index, &table};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 3, 0);
    tern_kit_row along = tern_kit_walk_row(&walk);
    index_row row = {
        .index_step = along.stride[1], .scale = x->scale, .n = along.length, .size = x->size};
    bool gathers = x->reduce < 0, good = true;
    row.to_step = along.stride[gathers ? 0 : 2];
    row.from_step = along.stride[gathers ? 2 : 0];
    do {
        void *dense_at = tern_kit_at(&dense, walk.offset[0]);
        void *table_at = tern_kit_at(&table, walk.offset[2]);
        row.to = gathers ? dense_at : table_at;
        row.from = gathers ? table_at : dense_at;
        row.index = tern_kit_at(&index, walk.offset[1]);
        if (gathers)
            good = tern_simd_gather_row(&row, tern_kit_size(dense.dtype)) && good;
        else
            tern_simd_scatter_row(&row, x->reduce, dense.dtype);
    } while (tern_kit_walk_next(&walk));
    if (!good) atomic_store(&x->good, false);
}

static void begin(indexing *x, const tern_kit_call *call, const tern_kit_tensor *table,
                  const tern_kit_tensor *index, const tern_kit_tensor *dense, int32_t dim) {
    x->call = call;
    x->table = *table;
    x->index = *index;
    x->dense = *dense;
    atomic_init(&x->good, true);
    for (int32_t d = 0; d < index->rank; d++)
        x->table_strides[d] = d == dim ? 0 : table->strides[d];
    x->rank = index->rank;
    x->shape = index->shape;
    x->scale = table->strides[dim];
    x->size = table->shape[dim];
    x->table.strides = x->table_strides;
}

/* The longest dimension, of a scatter that is not indexed, or the last where columns go some at a time. */
static void run(indexing *x, int32_t dim) {
    int64_t count = tern_kit_count(&x->index), grain;
    int32_t last = x->rank - 1;
    bool ordered = x->reduce >= 0;
    bool far = dim != last && x->size * x->scale * tern_kit_size(x->table.dtype) > NEAR_BYTES &&
               x->shape[last] > SOME;
    x->cut = far ? last : 0;
    for (int32_t d = 0; d < x->rank && !far; d++)
        if (!(d == dim && ordered) &&
            ((x->cut == dim && ordered) || x->shape[d] > x->shape[x->cut]))
            x->cut = d;
    if (x->cut == dim && ordered) { /* one line: what it adds has an order */
        run_part(x, 0, x->shape[dim]);
        return;
    }
    grain = far ? SOME : INDEX_GRAIN / (count / x->shape[x->cut]) + 1;
    if (x->shape[x->cut] <= grain)
        run_part(x, 0, x->shape[x->cut]);
    else
        x->call->host->parallel_for(x->shape[x->cut], grain, run_part, x);
}

int32_t tern_simd_gather(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *index = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    if (out->rank == 0) return tern_ref_gather(call);
    int32_t dim = ((const tern_index_attrs *)call->attrs)->dim;
    indexing x;
    begin(&x, call, in, index, out, dim);
    x.reduce = -1;
    run(&x, dim);
    return atomic_load(&x.good) ? TERN_BACKEND_OK : tern_ref_gather(call);
}

int32_t tern_simd_scatter(const tern_kit_call *call) {
    const tern_kit_tensor *index = &call->inputs[0], *src = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_index_attrs *attrs = call->attrs;
    if (out->rank == 0 || !tern_simd_can_scatter(attrs->reduce, out->dtype) ||
        !tern_simd_indices_fit(index, 0, out->shape[attrs->dim]))
        return tern_ref_scatter(call);
    indexing x;
    begin(&x, call, out, index, src, attrs->dim);
    x.reduce = attrs->reduce;
    run(&x, attrs->dim);
    return TERN_BACKEND_OK;
}
