/* tensor_host.c: elements to and from host memory. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "numerics/dtype_convert.h"
#include "op.h"

/* ---- making ------------------------------------------------------------------------------------- */

tern_tensor *tern_empty(tern_ctx *ctx, tern_shape shape, tern_dtype dtype) {
    if (ctx->status != TERN_OK || ctx->n_lanes == 0) return ctx->nil;
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    return tern_tensor_new(ctx->lanes[0], dtype, shape.rank, shape.dim);
}

tern_tensor *tern_from_data_on(tern_ctx *ctx, const void *data, tern_shape shape, tern_dtype dtype,
                               const char *device) {
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_lane *lane = tern_lane_open(ctx, device);
    if (!lane) return ctx->nil;
    if (shape.rank < 0 || shape.rank > TERN_MAX_RANK || tern_dtype_size(dtype) == 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_from_data: rank %d or dtype %d is none there is",
                  shape.rank, (int)dtype);
        return ctx->nil;
    }
    tern_tensor *tensor = tern_tensor_new(lane, dtype, shape.rank, shape.dim);
    if (tern_is_nil(tensor)) return tensor;
    tern_upload(lane, tensor->storage, 0, data, tensor->storage->bytes);
    return ctx->status == TERN_OK ? tensor : ctx->nil;
}

tern_tensor *tern_from_data(tern_ctx *ctx, const void *data, tern_shape shape, tern_dtype dtype) {
    return tern_from_data_on(ctx, data, shape, dtype, NULL);
}

tern_tensor *tern_view_of_storage(const tern_tensor *base, tern_shape size, tern_shape stride,
                                  int64_t storage_offset) {
    tern_ctx *ctx = base->ctx;
    if (ctx->status != TERN_OK || tern_is_nil(base)) return ctx->nil;
    int64_t numel;
    uint64_t last = 0, step;
    bool legal = size.rank == stride.rank && size.rank <= TERN_MAX_RANK && storage_offset >= 0 &&
                 tern_shape_numel(size.rank, size.dim, &numel);
    for (int d = 0; legal && numel && d < size.rank; d++)
        legal = stride.dim[d] >= 0 &&
                tern_size_mul((uint64_t)(size.dim[d] - 1), (uint64_t)stride.dim[d], &step) &&
                tern_size_add(last, step, &last);
    if (legal && numel)
        legal = tern_size_add(last, (uint64_t)storage_offset, &last) &&
                last < (uint64_t)tern_storage_numel(base);
    if (!legal) {
        char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "a view of size %s, stride %s and offset %lld does not fit a storage of %lld "
                  "elements",
                  tern_shape_text(size.rank, size.dim, a),
                  tern_shape_text(stride.rank, stride.dim, b), (long long)storage_offset,
                  (long long)tern_storage_numel(base));
        return ctx->nil;
    }
    return tern_tensor_over(base->lane, base->storage, base->dtype, size.rank, size.dim, stride.dim,
                            storage_offset);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static tern_status read_all(tern_tensor *tensor, void *out_data, uint64_t bytes) {
    tern_tensor *packed = tern_contiguous_raw(tensor);
    if (!tern_is_nil(packed))
        tern_download(packed->lane, out_data, packed->storage,
                      (uint64_t)packed->offset * tern_dtype_size(packed->dtype), bytes);
    if (packed != tensor) tern_tensor_release(packed);
    return tensor->ctx->status;
}

static bool readable(const tern_tensor *tensor, const char *what) {
    if (tensor->ctx->status != TERN_OK) return false;
    if (!tern_is_nil(tensor)) return true;
    tern_fail(tensor->ctx, TERN_ERR_STATE, "%s: the tensor is nil or was dropped", what);
    return false;
}

tern_status tern_to_host(const tern_tensor *tensor, void *out_data, size_t bytes) {
    tern_ctx *ctx = tensor->ctx;
    if (!readable(tensor, "tern_to_host")) return ctx->status;
    uint64_t need = (uint64_t)tensor->numel * tern_dtype_size(tensor->dtype);
    if (bytes != need)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_to_host: a buffer of %zu bytes for a tensor of %llu", bytes,
                         (unsigned long long)need);
    /* The handle is not changed; a copy that packs it is internal. */
    tern_tensor handle = *tensor;
    handle.alias = NULL;
    return read_all(&handle, out_data, need);
}

tern_status tern_to_doubles(const tern_tensor *tensor, double *out_data, size_t count) {
    tern_ctx *ctx = tensor->ctx;
    if (!readable(tensor, "tern_to_doubles")) return ctx->status;
    if ((int64_t)count != tensor->numel)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_to_doubles: room for %zu elements, the tensor has %lld", count,
                         (long long)tensor->numel);
    size_t bytes = count * tern_dtype_size(tensor->dtype);
    void *raw = tern_alloc(bytes);
    if (!raw) return tern_fail_memory(ctx, bytes);
    if (tern_to_host(tensor, raw, bytes) == TERN_OK)
        for (size_t i = 0; i < count; i++)
            out_data[i] = tern_num_load_f64((int)tensor->dtype, raw, (int64_t)i);
    tern_free(raw);
    return ctx->status;
}

/* The one element of a tensor, in 8 bytes. */
static bool read_one(const tern_tensor *tensor, uint8_t *out_element) {
    if (!readable(tensor, "item")) return false;
    if (tensor->numel != 1) {
        tern_fail(tensor->ctx, TERN_ERR_ARGUMENT,
                  "a Tensor with %lld elements cannot be converted to Scalar",
                  (long long)tensor->numel);
        return false;
    }
    return tern_download(tensor->lane, out_element, tensor->storage,
                         (uint64_t)tensor->offset * tern_dtype_size(tensor->dtype),
                         tern_dtype_size(tensor->dtype)) == TERN_OK;
}

double tern_item(const tern_tensor *tensor) {
    _Alignas(8) uint8_t element[8] = {0};
    if (!read_one(tensor, element)) return (double)NAN;
    return tern_num_load_f64((int)tensor->dtype, element, 0);
}

int64_t tern_item_i64(const tern_tensor *tensor) {
    _Alignas(8) uint8_t element[8] = {0};
    if (!read_one(tensor, element)) return 0;
    if (tern_dtype_is_floating(tensor->dtype))
        return tern_num_f64_to_i64(tern_num_load_f64((int)tensor->dtype, element, 0));
    return tern_num_load_i64((int)tensor->dtype, element, 0);
}

tern_status tern_storage_to_host(const tern_tensor *tensor, void *out_data, size_t bytes) {
    tern_ctx *ctx = tensor->ctx;
    if (!readable(tensor, "tern_storage_to_host")) return ctx->status;
    if (bytes != tensor->storage->bytes)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_storage_to_host: a buffer of %zu bytes for a storage of %llu", bytes,
                         (unsigned long long)tensor->storage->bytes);
    return tern_download(tensor->lane, out_data, tensor->storage, 0, bytes);
}

/* ---- writing ------------------------------------------------------------------------------------- */

tern_status tern_write_host(tern_tensor *tensor, const void *data, size_t bytes) {
    tern_ctx *ctx = tensor->ctx;
    if (!readable(tensor, "tern_write_host")) return ctx->status;
    if (bytes != (uint64_t)tensor->numel * tern_dtype_size(tensor->dtype))
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_write_host: %zu bytes for a tensor of %llu",
                         bytes, (unsigned long long)tensor->numel * tern_dtype_size(tensor->dtype));
    if (tern_is_contiguous(tensor)) {
        tern_upload(tensor->lane, tensor->storage,
                    (uint64_t)tensor->offset * tern_dtype_size(tensor->dtype), data, bytes);
    } else {
        tern_tensor *packed =
            tern_tensor_new(tensor->lane, tensor->dtype, tensor->rank, tensor->shape);
        if (!tern_is_nil(packed)) tern_upload(packed->lane, packed->storage, 0, data, bytes);
        tern_copy_raw(tensor, packed);
        tern_tensor_release(packed);
    }
    if (!(tensor->flags & TERN_T_INFERENCE)) tensor->storage->version++;
    return ctx->status;
}
