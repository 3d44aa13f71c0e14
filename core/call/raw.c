/* raw.c: filling and copying without recording. */
#include "raw.h"

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/tensor/tensor.h"
#include "launch.h"

void tern_fill_raw(tern_tensor *tensor, double f, int64_t i) {
    if (tern_is_nil(tensor)) return;
    tern_fill_attrs attrs = {f, i};
    tern_launch(tensor->lane, TERN_KERNEL_FILL, 0, NULL, 0, &tensor, 1, &attrs, sizeof attrs);
}

static tern_status copy_across(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = dst->ctx;
    uint64_t bytes = (uint64_t)src->numel * tern_dtype_size(src->dtype);
    tern_tensor *packed = tern_contiguous_raw(src);
    if (tern_is_nil(packed)) return ctx->status;
    void *host = tern_alloc((size_t)bytes);
    if (!host) return tern_fail_memory(ctx, (size_t)bytes);
    uint64_t offset = (uint64_t)packed->offset * tern_dtype_size(src->dtype);
    tern_download(packed->lane, host, packed->storage, offset, bytes);
    tern_tensor *landed = tern_tensor_new(dst->lane, src->dtype, src->rank, src->shape);
    if (!tern_is_nil(landed)) tern_upload(dst->lane, landed->storage, 0, host, bytes);
    tern_free(host);
    if (!tern_is_nil(landed)) tern_copy_raw(dst, landed);
    tern_tensor_release(landed);
    if (packed != src) tern_tensor_release(packed);
    return ctx->status;
}

tern_status tern_copy_raw(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = dst->ctx;
    if (tern_is_nil(dst) || tern_is_nil(src) || ctx->status != TERN_OK) return ctx->status;
    tern_shape shape = tern_shape_of(dst);
    tern_tensor *from = tern_broadcast_view(src, &shape);
    if (tern_is_nil(from) || dst->numel == 0) return ctx->status;
    if (from->lane != dst->lane)
        copy_across(dst, from);
    else
        tern_launch(dst->lane, TERN_KERNEL_COPY, 0, &from, 1, &dst, 1, NULL, 0);
    if (from != src) tern_tensor_release(from);
    return ctx->status;
}

tern_tensor *tern_contiguous_raw(tern_tensor *tensor) {
    if (tern_is_nil(tensor) || tern_is_contiguous(tensor)) return tensor;
    tern_tensor *packed = tern_tensor_new(tensor->lane, tensor->dtype, tensor->rank, tensor->shape);
    if (!tern_is_nil(packed)) tern_copy_raw(packed, tensor);
    return packed;
}
