/*
 * INDEX_SELECT, INDEX_ADD, INDEX_GET and INDEX_PUT: whole slices at places that an index names.
 *
 * All four are one loop, over the positions p of the index and the other dimensions:
 *
 *     small[p, ...] = large[place[p], ...]     or the other way round, set or added
 *
 * where the slices have dense rows, row by row, and else element by element along p.
 */
#include "../cpu_ref/kernels.h"
#include "copy_row.h"
#include "index.h"
#include "kernels.h"
#include "lines.h"

enum { GET, SET, ADD };

/* Places are index[p * index_step] * scale, in elements of the large tensor. */
typedef struct picks {
    const int64_t *index;
    int64_t index_step, scale, count, small_step;
    tern_kit_walk walk; /* the other dimensions: small, large; without the row */
    tern_kit_row row;
    bool by_rows;
    char *small, *large;
    int32_t dtype, direction;
    const tern_index_attrs *alpha;
} picks;

/* Dense rows move as they are, and are taken out of the walk. */
static void take_row(picks *x) {
    tern_kit_walk walk = x->walk;
    x->row = tern_kit_walk_row(&walk);
    x->by_rows = x->row.stride[0] == 1 && x->row.stride[1] == 1 && x->row.length > 1;
    if (x->by_rows)
        x->walk = walk;
    else
        x->row.length = 1;
}

static void move_rows(const picks *x, char *small, char *large, int64_t begin, int64_t end) {
    int64_t size = tern_kit_size(x->dtype), bytes = x->row.length * size;
    int64_t small_step = x->small_step * size, scale = x->scale * size;
    for (int64_t p = begin; p < end; p++) {
        char *near = small + p * small_step, *far = large + x->index[p * x->index_step] * scale;
        switch (x->direction) {
        case GET: copy_row(near, far, bytes); break;
        case SET: copy_row(far, near, bytes); break;
        default: tern_simd_add_row(far, near, x->row.length, x->dtype, x->alpha); break;
        }
    }
}

/* Single elements along p; indices were checked, so none is bad. */
static void move_elements(const picks *x, char *small, char *large, int64_t begin, int64_t end) {
    int64_t size = tern_kit_size(x->dtype);
    index_row row = {.index = x->index + begin * x->index_step,
                     .index_step = x->index_step,
                     .scale = x->scale,
                     .n = end - begin,
                     .size = INT64_MAX};
    small += begin * x->small_step * size;
    if (x->direction == GET) {
        row.to = small;
        row.to_step = x->small_step;
        row.from = large;
        tern_simd_gather_row(&row, size);
        return;
    }
    row.from = small;
    row.from_step = x->small_step;
    row.to = large;
    tern_simd_scatter_row(&row, x->direction == SET ? TERN_SCATTER_SET : TERN_SCATTER_ADD,
                          x->dtype);
}

/* Positions [begin, end) of p, all others outside of it. */
static void run_positions(void *arg, int64_t begin, int64_t end) {
    const picks *x = arg;
    int64_t size = tern_kit_size(x->dtype);
    tern_kit_walk walk = x->walk;
    do {
        char *small = x->small + walk.offset[0] * size, *large = x->large + walk.offset[1] * size;
        if (x->by_rows)
            move_rows(x, small, large, begin, end);
        else
            move_elements(x, small, large, begin, end);
    } while (tern_kit_walk_next(&walk));
}

/* Positions [begin, end) of the others, all of p at each. */
static void run_others(void *arg, int64_t begin, int64_t end) {
    const picks *x = arg;
    int64_t size = tern_kit_size(x->dtype);
    tern_kit_walk walk = x->walk;
    tern_kit_walk_seek(&walk, begin);
    for (int64_t i = begin; i < end; i++) {
        char *small = x->small + walk.offset[0] * size, *large = x->large + walk.offset[1] * size;
        if (x->by_rows)
            move_rows(x, small, large, 0, x->count);
        else
            move_elements(x, small, large, 0, x->count);
        tern_kit_walk_next(&walk);
    }
}

static void run(const tern_kit_call *call, picks *x) {
    int64_t others = tern_kit_walk_count(&x->walk), slice = others * x->row.length;
    if (slice * x->count <= INDEX_GRAIN)
        run_positions(x, 0, x->count);
    else if (others > 1)
        call->host->parallel_for(others, INDEX_GRAIN / (x->count * x->row.length) + 1, run_others,
                                 x);
    else if (x->direction == GET)
        call->host->parallel_for(x->count, INDEX_GRAIN / slice + 1, run_positions, x);
    else
        run_positions(x, 0, x->count);
}

/* ---- one index of one dimension ---- */

static bool scales(const picks *x) {
    return tern_kit_is_floating(x->dtype) ? x->alpha->alpha != 1 : x->alpha->alpha_i != 1;
}

/* False where cpu_ref's kernel must do it. */
static bool pick_slices(const tern_kit_call *call, picks *x, const tern_kit_tensor *small,
                        const tern_kit_tensor *large, const tern_kit_tensor *index, int32_t dim) {
    if (small->rank == 0 || large->rank == 0 || index->rank != 1 ||
        !tern_simd_indices_fit(index, 0, large->shape[dim]))
        return false;
    const tern_kit_tensor *operands[] = {small, large};
    tern_kit_walk_begin(&x->walk, operands, 2, 1u << dim);
    take_row(x);
    x->index = (const int64_t *)(const void *)index->data;
    x->index_step = index->strides[0];
    x->count = index->shape[0];
    x->scale = large->strides[dim];
    x->small_step = small->strides[dim];
    x->small = small->data;
    x->large = large->data;
    x->dtype = large->dtype;
    if (x->direction == ADD && scales(x) && !x->by_rows) return false;
    run(call, x);
    return true;
}

int32_t tern_simd_index_select(const tern_kit_call *call) {
    int32_t dim = ((const tern_index_attrs *)call->attrs)->dim;
    picks x = {.direction = GET};
    if (!pick_slices(call, &x, &call->outputs[0], &call->inputs[0], &call->inputs[1], dim))
        return tern_ref_index_select(call);
    return TERN_BACKEND_OK;
}

int32_t tern_simd_index_add(const tern_kit_call *call) {
    const tern_index_attrs *attrs = call->attrs;
    const tern_kit_tensor *out = &call->outputs[0];
    picks x = {.direction = ADD, .alpha = attrs};
    if (!tern_simd_can_scatter(TERN_SCATTER_ADD, out->dtype) ||
        !pick_slices(call, &x, &call->inputs[1], out, &call->inputs[0], attrs->dim))
        return tern_ref_index_add(call);
    return TERN_BACKEND_OK;
}

/* ---- indices of several dimensions ---- */

/* What INDEX_PUT adds, it adds as it is. */
static const tern_index_attrs once = {.alpha = 1, .alpha_i = 1};

/* places[p] += the part of one index tensor; p in row-major order. */
static void add_places(const tern_kit_tensor *index, int64_t size, int64_t stride,
                       int64_t *places) {
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &index, 1, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        const int64_t *at = (const int64_t *)(const void *)index->data + walk.offset[0];
        for (int64_t i = 0; i < row.length; i++) {
            int64_t place = at[i * row.stride[0]];
            places[i] += (place < 0 ? place + size : place) * stride;
        }
        places += row.length;
    } while (tern_kit_walk_next(&walk));
}

/* The step of p in the small tensor, whose dimensions of the index must be one; false where not. */
static bool one_step(const tern_kit_tensor *small, int32_t first, int32_t rank, int64_t *out_step) {
    int64_t next = -1;
    *out_step = 0;
    for (int32_t d = first + rank - 1; d >= first; d--) {
        if (small->shape[d] == 1) continue;
        if (next < 0)
            *out_step = small->strides[d];
        else if (small->strides[d] != next)
            return false;
        next = small->strides[d] * small->shape[d];
    }
    return true;
}

/* The dimensions that are not indexed, of both tensors, in front of a walk. */
static void walk_others(picks *x, const tern_kit_tensor *small, const tern_kit_tensor *large,
                        const tern_multi_index_attrs *attrs, int32_t index_rank) {
    int64_t shape[TERN_BACKEND_MAX_RANK], near[TERN_BACKEND_MAX_RANK], far[TERN_BACKEND_MAX_RANK];
    int32_t rank = 0;
    for (int32_t d = 0; d < large->rank; d++) {
        if (d >= attrs->first && d < attrs->first + attrs->count) continue;
        shape[rank] = large->shape[d];
        far[rank] = large->strides[d];
        near[rank++] = small->strides[d < attrs->first ? d : d - attrs->count + index_rank];
    }
    tern_kit_tensor a = tern_kit_tensor_over(NULL, small->dtype, rank, shape, near);
    tern_kit_tensor b = tern_kit_tensor_over(NULL, large->dtype, rank, shape, far);
    const tern_kit_tensor *operands[] = {&a, &b};
    tern_kit_walk_begin(&x->walk, operands, 2, 0);
    take_row(x);
}

/* False where cpu_ref's kernel must do it. */
static bool pick_places(const tern_kit_call *call, const tern_kit_tensor *small,
                        const tern_kit_tensor *large, int32_t direction) {
    const tern_multi_index_attrs *attrs = call->attrs;
    const tern_kit_tensor *indices = &call->inputs[1];
    picks x = {.direction = direction,
               .small = small->data,
               .large = large->data,
               .dtype = large->dtype,
               .alpha = &once,
               .index_step = 1,
               .scale = 1};
    if (!one_step(small, attrs->first, indices[0].rank, &x.small_step)) return false;
    for (int32_t k = 0; k < attrs->count; k++) {
        int64_t size = large->shape[attrs->first + k];
        if (!tern_simd_indices_fit(&indices[k], -size, size)) return false;
    }
    x.count = tern_kit_count(&indices[0]);
    int64_t *places = tern_kit_take(call, x.count, sizeof *places);
    if (!places) return false;
    memset(places, 0, (size_t)x.count * sizeof *places);
    for (int32_t k = 0; k < attrs->count; k++)
        add_places(&indices[k], large->shape[attrs->first + k], large->strides[attrs->first + k],
                   places);
    x.index = places;
    walk_others(&x, small, large, attrs, indices[0].rank);
    run(call, &x);
    tern_kit_give(call, places);
    return true;
}

int32_t tern_simd_index_get(const tern_kit_call *call) {
    if (pick_places(call, &call->outputs[0], &call->inputs[0], GET)) return TERN_BACKEND_OK;
    return tern_ref_index_get(call);
}

int32_t tern_simd_index_put(const tern_kit_call *call) {
    const tern_multi_index_attrs *attrs = call->attrs;
    const tern_kit_tensor *out = &call->outputs[0];
    int32_t direction = attrs->reduce == TERN_SCATTER_SET ? SET : ADD;
    if (tern_simd_can_scatter(attrs->reduce, out->dtype) &&
        pick_places(call, &call->inputs[0], out, direction))
        return TERN_BACKEND_OK;
    return tern_ref_index_put(call);
}
