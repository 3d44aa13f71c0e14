/* layout.c: memory order and dense copies of it. */
#include "layout.h"

#include <string.h>

#include "core/memory/block.h"

/* Positive where dimension a must come after b, 0 where strides do not say. */
static int compare_dims(const tern_tensor *t, int a, int b) {
    if (BODY(t)->strides[a] == 0 || BODY(t)->strides[b] == 0) return 0;
    if (BODY(t)->strides[a] != BODY(t)->strides[b])
        return BODY(t)->strides[a] < BODY(t)->strides[b] ? -1 : 1;
    return BODY(t)->shape[a] > BODY(t)->shape[b] ? 1 : 0;
}

void tern_memory_order(const tern_tensor *tensor, int *out_perm) {
    int rank = BODY(tensor)->rank;
    for (int i = 0; i < rank; i++) out_perm[i] = rank - 1 - i;
    /* TensorIterator's own insertion sort: stride 0 is skipped over, not compared. */
    for (int i = 1; i < rank; i++) {
        int moving = i;
        for (int j = i - 1; j >= 0; j--) {
            int order = compare_dims(tensor, out_perm[j], out_perm[moving]);
            if (order < 0) break;
            if (order == 0) continue;
            int swap = out_perm[j];
            out_perm[j] = out_perm[moving];
            out_perm[moving] = swap;
            moving = j;
        }
    }
}

tern_tensor *tern_new_dense_like(tern_lane *lane, const tern_tensor *like, tern_dtype dtype) {
    int perm[TERN_MAX_RANK];
    int64_t strides[TERN_MAX_RANK];
    tern_tensor *out = tern_tensor_new(lane, dtype, BODY(like)->rank, BODY(like)->shape);
    if (lane->ctx->status != TERN_OK || BODY(out)->numel == 0) return out;
    tern_memory_order(like, perm);
    int64_t step = 1;
    for (int i = 0; i < BODY(like)->rank; i++) {
        strides[perm[i]] = step;
        step *= BODY(like)->shape[perm[i]];
    }
    if (!tern_tensor_set_geometry(out, BODY(like)->rank, BODY(like)->shape, strides))
        return lane->ctx->nil;
    return out;
}

tern_tensor *tern_new_from_host(tern_lane *lane, const void *data, tern_dtype dtype,
                                const tern_shape *shape, const tern_tensor *like) {
    tern_tensor *out = like ? tern_new_dense_like(lane, like, dtype)
                            : tern_tensor_new(lane, dtype, shape->rank, shape->dim);
    if (lane->ctx->status != TERN_OK || BODY(out)->numel == 0) return out;
    tern_upload(lane, BODY(out)->storage, 0, data,
                (uint64_t)BODY(out)->numel * tern_dtype_size(dtype));
    return out;
}

void *tern_host_buffer(tern_ctx *ctx, int64_t count, size_t element_size) {
    uint64_t bytes = 0;
    if (!tern_size_mul((uint64_t)count, element_size, &bytes) || bytes > PTRDIFF_MAX) {
        tern_fail_memory(ctx, SIZE_MAX);
        return NULL;
    }
    void *buffer = tern_block_take(ctx, (size_t)bytes);
    if (!buffer) tern_fail_memory(ctx, (size_t)bytes);
    return buffer;
}

void tern_host_give(tern_ctx *ctx, void *buffer) {
    tern_block_give(ctx, buffer);
}

void *tern_host_copy(tern_ctx *ctx, tern_tensor *tensor, tern_dtype dtype) {
    tern_tensor *converted = tern_to_dtype(tensor, dtype);
    if (ctx->status != TERN_OK) return NULL;
    void *buffer = tern_host_buffer(ctx, BODY(converted)->numel, tern_dtype_size(dtype));
    if (!buffer) return NULL;
    size_t bytes = (size_t)BODY(converted)->numel * tern_dtype_size(dtype);
    if (tern_to_host(converted, buffer, bytes) == TERN_OK) return buffer;
    tern_host_give(ctx, buffer);
    return NULL;
}

tern_tensor *tern_set_shape(tern_tensor *tensor, const tern_shape *shape) {
    int64_t strides[TERN_MAX_RANK];
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_contiguous_strides(shape->rank, shape->dim, strides);
    return tern_tensor_set_geometry(tensor, shape->rank, shape->dim, strides) ? tensor : ctx->nil;
}
