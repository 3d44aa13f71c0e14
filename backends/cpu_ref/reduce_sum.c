/*
 * REDUCE SUM and MEAN of floating dtypes, in PyTorch's order, so that sums and means equal PyTorch's bit for
 * bit (one CPU thread).
 *
 * PyTorch sorts and merges the dimensions before it sums, and its sum kernel gets two of them at a
 * time: numerics/sum_cascade.h has that kernel, this file the sorting (TensorIterator in PyTorch):
 *
 *   1. Dimensions are sorted from the closest to the farthest: reduced ones first, then by the
 *      output's strides, then by the input's, then by size.
 *   2. Neighbours that are one contiguous run in both operands are merged.
 *   3. The two closest form columns; each index of the others adds one more piece to the output.
 */
#include "reduce_sum.h"

#include <string.h>

#include "kernels.h"
#include "numerics/sum_cascade.h"
#include "walk.h"

/* Positive where x belongs farther out than y, negative where closer, 0 where that is open. */
static int compare(const tern_ref_sum_dim *x, const tern_ref_sum_dim *y) {
    if ((x->out == 0) != (y->out == 0)) return y->out == 0 ? 1 : -1;
    if (x->out != y->out) return x->out < y->out ? -1 : 1;
    if (x->out != 0 && x->size > y->size) return 1;
    if (x->in == 0 || y->in == 0) return 0;
    if (x->in != y->in) return x->in < y->in ? -1 : 1;
    return x->size > y->size;
}

/* An insertion sort in which an open comparison neither moves nor stops. */
static void sort_dimensions(tern_ref_sum_dim *dims, int32_t count) {
    for (int32_t i = 1; i < count; i++) {
        int32_t moving = i;
        for (int32_t j = i - 1; j >= 0; j--) {
            int order = compare(&dims[j], &dims[moving]);
            if (order < 0) break;
            if (order == 0) continue;
            tern_ref_sum_dim swap = dims[j];
            dims[j] = dims[moving];
            dims[moving] = swap;
            moving = j;
        }
    }
}

static int32_t merge_dimensions(tern_ref_sum_dim *dims, int32_t count) {
    int32_t kept = 0;
    for (int32_t i = 1; i < count; i++) {
        tern_ref_sum_dim *inner = &dims[kept], *outer = &dims[i];
        bool contiguous =
            inner->size * inner->in == outer->in && inner->size * inner->out == outer->out;
        if (inner->size == 1) {
            *inner = *outer;
        } else if (outer->size == 1 || contiguous) {
            inner->size *= outer->size;
        } else {
            dims[++kept] = *outer;
        }
    }
    return count ? kept + 1 : 0;
}

int32_t tern_ref_sum_plan(const tern_kit_tensor *in, const tern_kit_tensor *out, uint32_t reduced,
                          tern_ref_sum_dim *dims) {
    int32_t count = 0;
    for (int32_t d = in->rank - 1; d >= 0; d--) {
        int64_t to = (reduced >> d & 1u) ? 0 : out->strides[d];
        dims[count++] = (tern_ref_sum_dim){in->shape[d], in->strides[d], to};
    }
    sort_dimensions(dims, count);
    count = merge_dimensions(dims, count);
    while (count < 2) dims[count++] = (tern_ref_sum_dim){1, 0, 0};
    return count;
}

/* out += in where nothing is reduced, else columns: the reduced dimension of the two is the sum's.
 */
static void piece(int32_t dtype, const void *x, void *y, tern_ref_sum_dim a, tern_ref_sum_dim b) {
    if (a.out != 0 && b.out == 0) {
        tern_ref_sum_dim swap = a;
        a = b;
        b = swap;
    }
    if (a.out == 0) {
        if (dtype == TERN_BT_FLOAT64)
            tern_num_sum_columns_f64(x, a.size, a.in, b.size, b.in, y, b.out);
        else
            tern_num_sum_columns_f32(x, a.size, a.in, b.size, b.in, y, b.out);
        return;
    }
    for (int64_t j = 0; j < b.size; j++) {
        for (int64_t i = 0; i < a.size; i++) {
            int64_t from = i * a.in + j * b.in, to = i * a.out + j * b.out;
            if (dtype == TERN_BT_FLOAT64)
                ((double *)y)[to] += ((const double *)x)[from];
            else
                ((float *)y)[to] += ((const float *)x)[from];
        }
    }
}

/* float32 or float64, out filled with 0 before. */
static void sum(const tern_kit_tensor *in, const tern_kit_tensor *out, uint32_t reduced) {
    tern_ref_sum_dim dims[TERN_REF_SUM_DIMS];
    int32_t count = tern_ref_sum_plan(in, out, reduced, dims);
    int64_t index[TERN_REF_SUM_DIMS] = {0};
    int64_t from = 0, to = 0;
    for (;;) {
        piece(in->dtype, tern_kit_at(in, from), tern_kit_at(out, to), dims[0], dims[1]);
        int32_t d = 2;
        for (; d < count; d++) {
            from += dims[d].in;
            to += dims[d].out;
            if (++index[d] < dims[d].size) break;
            from -= dims[d].in * dims[d].size;
            to -= dims[d].out * dims[d].size;
            index[d] = 0;
        }
        if (d >= count) return;
    }
}

static int32_t run_copy(const tern_kit_call *call, const tern_kit_tensor *from,
                        const tern_kit_tensor *to) {
    tern_kit_call copy = *call;
    copy.inputs = from;
    copy.outputs = to;
    return tern_ref_copy(&copy);
}

static void clear(const tern_kit_call *call, const tern_kit_tensor *out) {
    if (tern_kit_is_contiguous(out)) { /* zero is no bit set */
        memset(out->data, 0, (size_t)(tern_kit_count(out) * tern_kit_size(out->dtype)));
        return;
    }
    tern_fill_attrs zero = {0, 0};
    tern_kit_call fill = *call;
    fill.outputs = out;
    fill.attrs = &zero;
    tern_ref_fill(&fill);
}

/* A row-major tensor of the given one's shape; its memory is `memory`. */
static tern_kit_tensor wide_like(const tern_kit_tensor *tensor, int32_t dtype, int64_t *strides,
                                 void *memory) {
    tern_kit_row_major(tensor, strides);
    return tern_kit_tensor_over(memory, dtype, tensor->rank, tensor->shape, strides);
}

/* MEAN: sums of float32 or float64 divided by how many elements are in each, a number of that dtype. */
static void divide(const tern_kit_call *call, const tern_kit_tensor *sums) {
    const tern_reduce_attrs *attrs = call->attrs;
    if (attrs->fn != TERN_REDUCE_MEAN) return;
    int64_t elements = tern_kit_count(&call->inputs[0]) / tern_kit_count(sums);
    double count = (double)elements;
    if (sums->dtype == TERN_BT_FLOAT32) count = (double)(float)count;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &sums, 1, 0);
    do {
        double mean;
        void *at = tern_kit_at(sums, walk.offset[0]);
        tern_kit_load_f64(sums->dtype, at, 1, 1, &mean);
        mean /= count;
        tern_kit_store_f64(sums->dtype, at, 1, 1, &mean);
    } while (tern_kit_walk_next(&walk));
}

/* The whole sum in the dtype `wide`, rounded to the output's at the end. */
static int32_t sum_in(int32_t wide, const tern_kit_call *call, uint32_t reduced) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int64_t in_strides[TERN_BACKEND_MAX_RANK], out_strides[TERN_BACKEND_MAX_RANK];
    int64_t size = tern_kit_size(wide), in_count = tern_kit_count(in);
    char *memory = tern_kit_take(call, in_count + tern_kit_count(out), (size_t)size);
    if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    tern_kit_tensor wide_in = wide_like(in, wide, in_strides, memory);
    tern_kit_tensor wide_out = wide_like(out, wide, out_strides, memory + in_count * size);
    run_copy(call, in, &wide_in);
    clear(call, &wide_out);
    sum(&wide_in, &wide_out, reduced);
    divide(call, &wide_out);
    run_copy(call, &wide_out, out);
    tern_kit_give(call, memory);
    return TERN_BACKEND_OK;
}

int32_t tern_ref_sum_floating(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    uint32_t reduced = ((const tern_reduce_attrs *)call->attrs)->dims;
    if (in->dtype == TERN_BT_FLOAT16 || in->dtype == TERN_BT_BFLOAT16) {
        return sum_in(TERN_BT_FLOAT32, call, reduced);
    }
    if (in->dtype != out->dtype) return sum_in(out->dtype, call, reduced);
    clear(call, out);
    sum(in, out, reduced);
    divide(call, out);
    return TERN_BACKEND_OK;
}
