#include "slab.h"

#include <math.h>

#include "numerics/elementary.h"
#include "numerics/sum_cascade.h"
#include "walk.h"

static int64_t product(const tern_kit_tensor *tensor, int32_t from, int32_t to) {
    int64_t count = 1;
    for (int32_t d = from; d < to; d++) count *= tensor->shape[d];
    return count;
}

bool tern_ref_slab_take(const tern_kit_call *call, const tern_kit_tensor *like, int32_t dim,
                        int32_t dtype, tern_ref_slab *out_slab) {
    tern_ref_slab slab = {.count = product(like, 0, dim),
                          .length = like->shape[dim],
                          .width = product(like, dim + 1, like->rank),
                          .single = dtype != TERN_BT_FLOAT64};
    int64_t size = slab.length * slab.width;
    slab.x = tern_kit_take(call, 3 * size + 3 * slab.width, sizeof *slab.x);
    if (!slab.x) return false;
    slab.e = slab.x + size;
    slab.max = slab.e + size;
    slab.sum = slab.max + slab.width;
    slab.room = (float *)(slab.sum + slab.width);
    *out_slab = slab;
    return true;
}

static int64_t offset_of(const tern_kit_tensor *tensor, int32_t dim, int64_t index) {
    int64_t offset = 0;
    for (int32_t d = dim - 1; d >= 0; d--) {
        offset += index % tensor->shape[d] * tensor->strides[d];
        index /= tensor->shape[d];
    }
    return offset;
}

/* Moves the elements one way: into `out` where there is one, else from `values`. */
static void move(const tern_kit_tensor *tensor, int32_t dim, int64_t index, double *out,
                 const double *values) {
    int64_t base = offset_of(tensor, dim, index), at = 0;
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &tensor, 1, (1u << dim) - 1);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        void *element = tern_kit_at(tensor, base + walk.offset[0]);
        if (out)
            tern_kit_load_f64(tensor->dtype, element, row.stride[0], row.length, out + at);
        else
            tern_kit_store_f64(tensor->dtype, element, row.stride[0], row.length, values + at);
        at += row.length;
    } while (tern_kit_walk_next(&walk));
}

void tern_ref_slab_load(const tern_kit_tensor *tensor, int32_t dim, int64_t index, double *out) {
    move(tensor, dim, index, out, NULL);
}

void tern_ref_slab_store(const tern_kit_tensor *tensor, int32_t dim, int64_t index,
                         const double *values) {
    move(tensor, dim, index, NULL, values);
}

void tern_ref_slab_sum(const tern_ref_slab *slab, const double *x, double *out) {
    int64_t size = slab->length * slab->width, width = slab->width;
    if (!slab->single) {
        for (int64_t j = 0; j < width; j++) out[j] = 0;
        tern_num_sum_columns_f64(x, slab->length, width, width, 1, out, 1);
        return;
    }
    float *sums = slab->room + size;
    for (int64_t i = 0; i < size; i++) slab->room[i] = (float)x[i];
    for (int64_t j = 0; j < width; j++) sums[j] = 0;
    tern_num_sum_columns_f32(slab->room, slab->length, width, width, 1, sums, 1);
    for (int64_t j = 0; j < width; j++) out[j] = (double)sums[j];
}

/* NaN is beyond every number, and the first one stays. */
static void find_max(tern_ref_slab *slab) {
    for (int64_t j = 0; j < slab->width; j++) {
        double max = -(double)INFINITY;
        for (int64_t i = 0; i < slab->length && !isnan(max); i++) {
            double x = slab->x[i * slab->width + j];
            if (isnan(x) || x > max) max = x;
        }
        slab->max[j] = max;
    }
}

void tern_ref_slab_shift(tern_ref_slab *slab) {
    find_max(slab);
    for (int64_t i = 0; i < slab->length; i++)
        for (int64_t j = 0; j < slab->width; j++) {
            int64_t at = i * slab->width + j;
            slab->x[at] = tern_ref_slab_round(slab, slab->x[at] - slab->max[j]);
            slab->e[at] = tern_ref_slab_round(slab, tern_num_exp(slab->x[at]));
        }
    tern_ref_slab_sum(slab, slab->e, slab->sum);
}
