/*
 * INDEX_GET, INDEX_PUT, NONZERO_COUNT and NONZERO: indexing by tensors.
 *
 *     INDEX_GET  out[.., I.., ..] = in[.., i0[I], i1[I], .., ..]
 *     INDEX_PUT  out[.., i0[I], i1[I], .., ..] = or += src[.., I.., ..]
 *     NONZERO    the positions of the elements that are not 0, in row-major order
 *
 * The long tensor (in of GET, out of PUT) has the indexed dimensions first .. first+count-1; in the
 * short one (out of GET, src of PUT) the index tensors' dimensions I stand in their place.
 */

#include "index.h"
#include "kernels.h"

typedef struct multi_index {
    const tern_kit_call *call;
    const tern_multi_index_attrs *attrs;
    const tern_kit_tensor *large, *small, *indices;
    int32_t index_rank;
} multi_index;

/* The offset in the large tensor that the indices at one position of I name; false for a bad one. */
static bool resolve(const multi_index *m, const int64_t *position, int64_t *out_offset) {
    *out_offset = 0;
    for (int32_t k = 0; k < m->attrs->count; k++) {
        const tern_kit_tensor *index = &m->indices[k];
        int64_t at = 0;
        for (int32_t d = 0; d < m->index_rank; d++) at += position[d] * index->strides[d];
        int32_t dim = m->attrs->first + k;
        int64_t size = m->large->shape[dim], i = tern_ref_index_at(index, at);
        if (i < -size || i >= size) {
            tern_kit_bad_index(m->call, i, dim, size);
            return false;
        }
        *out_offset += (i < 0 ? i + size : i) * m->large->strides[dim];
    }
    return true;
}

/*
 * The large tensor with the small one's shape: the dimensions of I get stride 0, because their
 * part of the offset comes from the indices.
 */
static tern_kit_tensor view_large(const multi_index *m, int64_t *strides) {
    tern_kit_tensor view = tern_kit_tensor_over(m->large->data, m->large->dtype, m->small->rank,
                                                m->small->shape, strides);
    for (int32_t d = 0; d < m->small->rank; d++) {
        int32_t behind = d - m->attrs->first - m->index_rank;
        if (d < m->attrs->first)
            strides[d] = m->large->strides[d];
        else if (behind < 0)
            strides[d] = 0;
        else
            strides[d] = m->large->strides[m->attrs->first + m->attrs->count + behind];
    }
    return view;
}

/* Adds one element or moves it, from the small tensor to the large one or back. */
static void transfer(const multi_index *m, bool put, int64_t small, int64_t large) {
    if (put)
        tern_ref_combine(m->attrs->reduce, NULL, m->small, small, m->large, large);
    else
        tern_ref_move(m->large, large, m->small, small);
}

/* For one position of I: all elements of the other dimensions. */
static void each_slice_element(const multi_index *m, bool put, const tern_kit_tensor *view,
                               const int64_t *position, int64_t large_base) {
    int64_t small_base = 0;
    uint32_t indexed = 0;
    for (int32_t d = 0; d < m->index_rank; d++) {
        small_base += position[d] * m->small->strides[m->attrs->first + d];
        indexed |= 1u << (m->attrs->first + d);
    }
    const tern_kit_tensor *operands[] = {m->small, view};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, indexed);
    do {
        transfer(m, put, small_base + walk.offset[0], large_base + walk.offset[1]);
    } while (tern_kit_walk_next(&walk));
}

/* To the next position of a shape, in row-major order; false after the last. */
static bool next_position(int64_t *position, const int64_t *shape, int32_t rank) {
    for (int32_t d = rank - 1; d >= 0; d--) {
        if (++position[d] < shape[d]) return true;
        position[d] = 0;
    }
    return false;
}

static int32_t run(const multi_index *m, bool put) {
    int64_t strides[TERN_BACKEND_MAX_RANK], position[TERN_BACKEND_MAX_RANK] = {0}, base;
    tern_kit_tensor view = view_large(m, strides);
    do {
        if (resolve(m, position, &base)) each_slice_element(m, put, &view, position, base);
    } while (next_position(position, m->indices[0].shape, m->index_rank));
    return TERN_BACKEND_OK;
}

int32_t tern_ref_index_get(const tern_kit_call *call) {
    multi_index m = {call,
                     call->attrs,
                     &call->inputs[0],
                     &call->outputs[0],
                     &call->inputs[1],
                     call->inputs[1].rank};
    return run(&m, false);
}

int32_t tern_ref_index_put(const tern_kit_call *call) {
    multi_index m = {call,
                     call->attrs,
                     &call->outputs[0],
                     &call->inputs[0],
                     &call->inputs[1],
                     call->inputs[1].rank};
    return run(&m, true);
}

/* ---- nonzero ---- */

static bool is_nonzero(const tern_kit_tensor *tensor, int64_t offset) {
    const void *at = tern_kit_at(tensor, offset);
    if (tern_kit_is_floating(tensor->dtype)) {
        double x;
        tern_kit_load_f64(tensor->dtype, at, 1, 1, &x);
        return x != 0;
    }
    int64_t x;
    tern_kit_load_i64(tensor->dtype, at, 1, 1, &x);
    return x != 0;
}

int32_t tern_ref_nonzero_count(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t count = 0;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &in, 1, 0);
    do {
        count += is_nonzero(in, walk.offset[0]);
    } while (tern_kit_walk_next(&walk));
    tern_kit_store_i64(out->dtype, out->data, 1, 1, &count);
    return TERN_BACKEND_OK;
}

/* out [count, rank]. An input that has more nonzero elements than were counted is the core's error:
 * no more than `count` rows are written. */
int32_t tern_ref_nonzero(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t position[TERN_BACKEND_MAX_RANK] = {0}, row = 0;
    do {
        int64_t offset = 0;
        for (int32_t d = 0; d < in->rank; d++) offset += position[d] * in->strides[d];
        if (!is_nonzero(in, offset)) continue;
        for (int32_t d = 0; d < in->rank; d++) {
            tern_kit_store_i64(out->dtype,
                               tern_kit_at(out, row * out->strides[0] + d * out->strides[1]), 1, 1,
                               &position[d]);
        }
        if (++row == out->shape[0]) break;
    } while (next_position(position, in->shape, in->rank));
    return TERN_BACKEND_OK;
}
