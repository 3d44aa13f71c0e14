/* raw.c: filling and copying without recording. */
#include "raw.h"

#include <math.h>

#include "copy_between.h"
#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/memory/block.h"
#include "core/memory/storage.h"
#include "core/tensor/pairs.h"
#include "core/tensor/tensor.h"
#include "launch.h"
#include "numerics/dtype_convert.h"
#include "operand.h"

/* ---- complex tensors, which kernels see as pairs of real numbers ---- */

static void fill_part(tern_tensor *tensor, int part, double f) {
    tern_tensor *of = tern_part_over(tensor, part);
    tern_fill_raw(of, f, 0);
    tern_tensor_release(of);
}

/* f + 0i everywhere */
static void fill_complex(tern_tensor *tensor, double f) {
    if (f == 0 && !signbit(f) && BODY(tensor)->rank < TERN_MAX_RANK) {
        tern_tensor *pairs = tern_pairs_over(tensor);
        tern_fill_raw(pairs, 0, 0);
        tern_tensor_release(pairs);
        return;
    }
    fill_part(tensor, 0, f);
    fill_part(tensor, 1, 0);
}

/* What is not 0 is true. */
static void copy_truth(tern_tensor *dst, tern_tensor *src) {
    tern_tensor *parts[2] = {tern_part_over(src, 0), tern_part_over(src, 1)};
    tern_tensor *other =
        tern_tensor_new(BODY(dst)->lane, TERN_BOOL, BODY(dst)->rank, BODY(dst)->shape);
    tern_binary_attrs attrs = {TERN_BINARY_LOGICAL_OR, 0, 1, 1};
    tern_copy_raw(dst, parts[0]);
    tern_copy_raw(other, parts[1]);
    if (BODY(dst)->ctx->status == TERN_OK)
        tern_launch(BODY(dst)->lane, TERN_KERNEL_BINARY, attrs.fn, (tern_tensor *[]){dst, other}, 2,
                    &dst, 1, &attrs, sizeof attrs);
    tern_tensor_release(other);
    for (int k = 0; k < 2; k++) tern_tensor_release(parts[k]);
}

/* One of both or both are complex. A real number has the imaginary part 0; a complex one loses it. */
static void copy_complex(tern_tensor *dst, tern_tensor *src) {
    bool from = tern_is_complex(BODY(src)->dtype), to = tern_is_complex(BODY(dst)->dtype);
    if (!to && BODY(dst)->dtype == TERN_BOOL) {
        copy_truth(dst, src);
        return;
    }
    bool paired = from && to && BODY(dst)->rank < TERN_MAX_RANK;
    for (int k = 0; k < (to && !paired ? 2 : 1); k++) {
        tern_tensor *into = paired ? tern_pairs_over(dst) : to ? tern_part_over(dst, k) : dst;
        tern_tensor *of = paired ? tern_pairs_over(src) : from ? tern_part_over(src, k) : src;
        if (k == 1 && !from)
            tern_fill_raw(into, 0, 0);
        else
            tern_copy_raw(into, of);
        if (into != dst) tern_tensor_release(into);
        if (of != src) tern_tensor_release(of);
    }
}

/* ---- filling, copying ---- */

void tern_fill_raw(tern_tensor *tensor, double f, int64_t i) {
    if (tern_is_nil(tensor)) return;
    tern_tensor_body *body = BODY(tensor);
    if (body->ctx->status != TERN_OK) return;
    if (tern_is_complex(body->dtype)) {
        fill_complex(tensor, f);
        return;
    }
    if (tern_is_whole(body) &&
        !body->storage->release) { /* the program may look at its own memory */
        tern_storage_set_uniform(body->storage, body->dtype, f, i);
        return;
    }
    tern_fill_attrs attrs = {f, i};
    tern_launch(body->lane, TERN_KERNEL_FILL, 0, NULL, 0, &tensor, 1, &attrs, sizeof attrs);
}

/* The bytes of a contiguous tensor into storage of another lane. */
static tern_status copy_bytes(tern_storage *dst, uint64_t dst_offset, const tern_tensor_body *src) {
    tern_lane *lane = dst->lane;
    size_t size = tern_dtype_size(src->dtype);
    uint64_t bytes = (uint64_t)src->numel * size, offset = (uint64_t)src->offset * size;
    if (tern_copy_between(dst, dst_offset, src->storage, offset, bytes)) return lane->ctx->status;
    void *host = tern_block_take(lane->ctx, (size_t)bytes);
    if (!host) return tern_fail_memory(lane->ctx, (size_t)bytes);
    if (tern_download(src->lane, host, src->storage, offset, bytes) == TERN_OK)
        tern_upload(lane, dst, dst_offset, host, bytes);
    tern_block_give(lane->ctx, host);
    return lane->ctx->status;
}

/* Straight into `dst` where its bytes are those of a packed source, else by way of a tensor there. */
static tern_status copy_across(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = BODY(dst)->ctx;
    tern_tensor *packed = tern_contiguous_raw(src), *landed = dst;
    if (tern_is_nil(packed)) return ctx->status;
    if (BODY(dst)->dtype != BODY(src)->dtype || !tern_is_contiguous(dst))
        landed =
            tern_tensor_new(BODY(dst)->lane, BODY(src)->dtype, BODY(src)->rank, BODY(src)->shape);
    if (!tern_is_nil(landed)) {
        uint64_t offset = (uint64_t)BODY(landed)->offset * tern_dtype_size(BODY(landed)->dtype);
        copy_bytes(BODY(landed)->storage, offset, BODY(packed));
    }
    if (landed != dst) {
        if (ctx->status == TERN_OK) tern_copy_raw(dst, landed);
        tern_tensor_release(landed);
    }
    if (packed != src) tern_tensor_release(packed);
    return ctx->status;
}

/* True where both are floating and all of `src` is one number that no kernel has written yet. */
static bool copies_number(const tern_tensor_body *dst, const tern_tensor_body *src) {
    return src->storage->traits & TERN_STORAGE_UNIFORM &&
           src->storage->uniform_dtype == src->dtype && tern_is_float(src->dtype) &&
           tern_is_float(dst->dtype);
}

tern_status tern_copy_raw(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = BODY(dst)->ctx;
    if (tern_is_nil(dst) || tern_is_nil(src) || ctx->status != TERN_OK) return ctx->status;
    tern_shape shape = tern_shape_of(dst);
    tern_tensor *from = tern_broadcast_view(src, &shape);
    if (tern_is_nil(from) || BODY(dst)->numel == 0) return ctx->status;
    if (tern_is_complex(BODY(dst)->dtype) || tern_is_complex(BODY(from)->dtype))
        copy_complex(dst, from);
    else if (copies_number(BODY(dst), BODY(from)))
        tern_fill_raw(dst, tern_num_as_f64((int)BODY(dst)->dtype, BODY(from)->storage->uniform_f),
                      0);
    else if (BODY(from)->lane != BODY(dst)->lane)
        copy_across(dst, from);
    else
        tern_launch(BODY(dst)->lane, TERN_KERNEL_COPY, 0, &from, 1, &dst, 1, NULL, 0);
    if (from != src) tern_tensor_release(from);
    return ctx->status;
}

tern_tensor *tern_contiguous_raw(tern_tensor *tensor) {
    if (tern_is_nil(tensor) || tern_is_contiguous(tensor)) return tensor;
    tern_tensor *packed = tern_tensor_new(BODY(tensor)->lane, BODY(tensor)->dtype,
                                          BODY(tensor)->rank, BODY(tensor)->shape);
    if (!tern_is_nil(packed)) tern_copy_raw(packed, tensor);
    return packed;
}
