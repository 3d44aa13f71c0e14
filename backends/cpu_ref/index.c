/*
 * The kernels that follow an index along one dimension. For dim 0 of two:
 *
 *     GATHER        out[i][j] = in[index[i][j]][j]
 *     SCATTER       out[index[i][j]][j] = reduce(out[index[i][j]][j], src[i][j])
 *     INDEX_SELECT  out[i][j] = in[index[i]][j]
 *     INDEX_ADD     out[index[i]][j] += alpha * src[i][j]
 *
 * Positions are visited in row-major order, so of several writes the last one stays. A bad index
 * sets the flag and is passed over: nothing is read or written for it.
 */
#include "index.h"

#include <math.h>
#include <string.h>

#include "kernels.h"

bool tern_ref_index_valid(const tern_kit_call *call, int64_t index, const tern_kit_tensor *tensor,
                          int32_t dim) {
    if (index >= 0 && index < tensor->shape[dim]) return true;
    tern_kit_bad_index(call, index, dim, tensor->shape[dim]);
    return false;
}

void tern_ref_move(const tern_kit_tensor *from, int64_t from_offset, const tern_kit_tensor *to,
                   int64_t to_offset) {
    memmove(tern_kit_at(to, to_offset), tern_kit_at(from, from_offset),
            (size_t)tern_kit_size(to->dtype));
}

static double combine_f64(int32_t reduce, double a, double b) {
    switch (reduce) {
    case TERN_SCATTER_ADD: return a + b;
    case TERN_SCATTER_MUL: return a * b;
    case TERN_SCATTER_MAX: return isnan(a) || a > b ? a : b;
    default: return isnan(a) || a < b ? a : b;
    }
}

static int64_t combine_i64(int32_t reduce, int64_t a, int64_t b) {
    switch (reduce) {
    case TERN_SCATTER_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
    case TERN_SCATTER_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case TERN_SCATTER_MAX: return a > b ? a : b;
    default: return a < b ? a : b;
    }
}

void tern_ref_combine(int32_t reduce, const tern_index_attrs *alpha, const tern_kit_tensor *from,
                      int64_t from_offset, const tern_kit_tensor *to, int64_t to_offset) {
    void *target = tern_kit_at(to, to_offset);
    const void *source = tern_kit_at(from, from_offset);
    if (reduce == TERN_SCATTER_SET) {
        tern_ref_move(from, from_offset, to, to_offset);
    } else if (tern_kit_is_floating(to->dtype)) {
        double a, b;
        tern_kit_load_f64(to->dtype, target, 1, 1, &a);
        tern_kit_load_f64(from->dtype, source, 1, 1, &b);
        a = combine_f64(reduce, a, alpha ? alpha->alpha * b : b);
        tern_kit_store_f64(to->dtype, target, 1, 1, &a);
    } else {
        int64_t a, b;
        tern_kit_load_i64(to->dtype, target, 1, 1, &a);
        tern_kit_load_i64(from->dtype, source, 1, 1, &b);
        if (alpha) b = (int64_t)((uint64_t)alpha->alpha_i * (uint64_t)b);
        a = combine_i64(reduce, a, b);
        tern_kit_store_i64(to->dtype, target, 1, 1, &a);
    }
}

/* The tensor as seen with one dimension standing still: its offset then comes from the index. */
static tern_kit_tensor without_stride(const tern_kit_tensor *tensor, int32_t dim,
                                      int64_t *strides) {
    tern_kit_tensor still = *tensor;
    for (int32_t d = 0; d < tensor->rank; d++) strides[d] = d == dim ? 0 : tensor->strides[d];
    still.strides = strides;
    return still;
}

int32_t tern_ref_gather(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *index = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    if (out->rank == 0) {
        if (tern_ref_index_at(index, 0) == 0)
            tern_ref_move(in, 0, out, 0);
        else
            tern_kit_bad_index(call, tern_ref_index_at(index, 0), 0, 1);
        return TERN_BACKEND_OK;
    }
    int32_t dim = ((const tern_index_attrs *)call->attrs)->dim;
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_kit_tensor slices = without_stride(in, dim, strides);
    const tern_kit_tensor *operands[] = {out, index, &slices};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 3, 0);
    do {
        int64_t i = tern_ref_index_at(index, walk.offset[1]);
        if (!tern_ref_index_valid(call, i, in, dim)) continue;
        tern_ref_move(in, walk.offset[2] + i * in->strides[dim], out, walk.offset[0]);
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}

int32_t tern_ref_scatter(const tern_kit_call *call) {
    const tern_kit_tensor *index = &call->inputs[0], *src = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_index_attrs *attrs = call->attrs;
    if (out->rank == 0) {
        if (tern_ref_index_at(index, 0) == 0)
            tern_ref_combine(attrs->reduce, NULL, src, 0, out, 0);
        else
            tern_kit_bad_index(call, tern_ref_index_at(index, 0), 0, 1);
        return TERN_BACKEND_OK;
    }
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_kit_tensor slices = without_stride(out, attrs->dim, strides);
    const tern_kit_tensor *operands[] = {index, src, &slices};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 3, 0);
    do {
        int64_t i = tern_ref_index_at(index, walk.offset[0]);
        if (!tern_ref_index_valid(call, i, out, attrs->dim)) continue;
        tern_ref_combine(attrs->reduce, NULL, src, walk.offset[1], out,
                         walk.offset[2] + i * out->strides[attrs->dim]);
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}

/* Slice `a` of dimension dim of one tensor, slice `b` of the other. A 0-dim tensor is one slice. */
typedef struct slice_pair {
    const tern_kit_tensor *from, *to;
    int32_t dim;
    int64_t from_slice, to_slice;
} slice_pair;

static void each_element(const slice_pair *pair, const tern_index_attrs *add) {
    const tern_kit_tensor *operands[] = {pair->to, pair->from};
    bool scalar = pair->to->rank == 0;
    int64_t from_base = scalar ? 0 : pair->from_slice * pair->from->strides[pair->dim];
    int64_t to_base = scalar ? 0 : pair->to_slice * pair->to->strides[pair->dim];
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, scalar ? 0 : 1u << pair->dim);
    do {
        int64_t from = from_base + walk.offset[1], to = to_base + walk.offset[0];
        if (add)
            tern_ref_combine(TERN_SCATTER_ADD, add, pair->from, from, pair->to, to);
        else
            tern_ref_move(pair->from, from, pair->to, to);
    } while (tern_kit_walk_next(&walk));
}

/* Of an index tensor of one dimension, or of none. */
static int64_t index_stride(const tern_kit_tensor *index) {
    return index->rank ? index->strides[0] : 0;
}

int32_t tern_ref_index_select(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *index = &call->inputs[1];
    slice_pair pair = {in, &call->outputs[0], ((const tern_index_attrs *)call->attrs)->dim, 0, 0};
    int64_t size = in->rank ? in->shape[pair.dim] : 1;
    for (int64_t i = 0; i < tern_kit_count(index); i++) {
        pair.from_slice = tern_ref_index_at(index, i * index_stride(index));
        pair.to_slice = i;
        if (pair.from_slice >= 0 && pair.from_slice < size)
            each_element(&pair, NULL);
        else
            tern_kit_bad_slice(call, pair.from_slice, pair.dim, size);
    }
    return TERN_BACKEND_OK;
}

int32_t tern_ref_index_add(const tern_kit_call *call) {
    const tern_kit_tensor *index = &call->inputs[0], *src = &call->inputs[1];
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_index_attrs *attrs = call->attrs;
    slice_pair pair = {src, out, attrs->dim, 0, 0};
    int64_t size = out->rank ? out->shape[pair.dim] : 1;
    for (int64_t i = 0; i < tern_kit_count(index); i++) {
        pair.from_slice = i;
        pair.to_slice = tern_ref_index_at(index, i * index_stride(index));
        if (pair.to_slice >= 0 && pair.to_slice < size)
            each_element(&pair, attrs);
        else
            tern_kit_bad_slice(call, pair.to_slice, pair.dim, size);
    }
    return TERN_BACKEND_OK;
}
