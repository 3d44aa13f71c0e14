/* tensor_host.c: tensors from host memory, and back. */
#include <math.h>
#include <string.h>

#include "core/call/op.h"
#include "core/call/recorder.h"
#include "core/context/entered.h"
#include "core/ground/error.h"
#include "core/memory/block.h"
#include "core/memory/uploads.h"
#include "core/objects.h"
#include "numerics/dtype_convert.h"

/* ---- making ---------------------------------------------------------------------------------- */

static const char host_data[] =
    "it takes data from the host (tern_from_data, tern_write_host): make them an input";

static bool check_new(tern_ctx *ctx, const char *what, const tern_shape *shape, tern_dtype dtype) {
    if (ctx->status != TERN_OK) return false;
    if (tern_dtype_size(dtype) == 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %d is not a dtype", what, (int)dtype);
        return false;
    }
    if (shape->rank < 0 || shape->rank > TERN_MAX_RANK) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: a shape of %d dimensions; at most %d are supported",
                  what, (int)shape->rank, TERN_MAX_RANK);
        return false;
    }
    return true;
}

tern_tensor *tern_from_data(tern_ctx *ctx, const void *data, tern_shape shape, tern_dtype dtype) {
    return tern_from_data_on(ctx, data, shape, dtype, NULL);
}

tern_tensor *tern_from_data_on(tern_ctx *ctx, const void *data, tern_shape shape, tern_dtype dtype,
                               const char *device) {
    ctx = tern_given(ctx);
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    TERN_ENTER(ctx, "from_data", return ctx->nil);
    if (!check_new(ctx, "from_data", &shape, dtype)) return ctx->nil;
    tern_lane *lane = tern_lane_open(ctx, device);
    if (!lane) return ctx->nil;
    tern_cannot_replay(ctx, host_data);
    tern_tensor *tensor = tern_tensor_new(lane, dtype, shape.rank, shape.dim);
    if (tern_is_nil(tensor) || BODY(tensor)->numel == 0) return tensor;
    if (!data) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "from_data: no data for %lld elements",
                  (long long)BODY(tensor)->numel);
        return ctx->nil;
    }
    uint64_t bytes = (uint64_t)BODY(tensor)->numel * tern_dtype_size(dtype);
    return tern_upload(lane, BODY(tensor)->storage, 0, data, bytes) == TERN_OK ? tensor : ctx->nil;
}

static void keep(void *user) {
    (void)user;
}

tern_tensor *tern_from_data_async(tern_ctx *ctx, const void *data, tern_shape shape,
                                  tern_dtype dtype, const char *device) {
    int64_t numel, strides[TERN_MAX_RANK];
    ctx = tern_given(ctx);
    TERN_ENTER(ctx, "from_data_async", return ctx->nil);
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    if (!check_new(ctx, "from_data_async", &shape, dtype)) return ctx->nil;
    tern_lane *lane = tern_lane_open(ctx, device);
    if (!lane) return ctx->nil;
    tern_cannot_replay(ctx, host_data);
    if (!lane->queue || !data || !tern_shape_numel(shape.rank, shape.dim, &numel) || numel == 0)
        return tern_from_data_on(ctx, data, shape, dtype, device);
    tern_storage *storage =
        tern_uploads_start(lane, data, (uint64_t)numel * tern_dtype_size(dtype));
    if (!storage) return ctx->nil;
    tern_contiguous_strides(shape.rank, shape.dim, strides);
    tern_tensor *tensor = tern_tensor_over(lane, storage, dtype, shape.rank, shape.dim, strides, 0);
    tern_storage_release(storage);
    return tensor;
}

/* The tensor over imported memory; nil where that must be copied. */
static tern_tensor *over_memory(tern_ctx *ctx, char *block, size_t offset, const tern_shape *shape,
                                tern_dtype dtype, void (*release)(void *user), void *user) {
    int64_t numel, strides[TERN_MAX_RANK];
    tern_lane *lane = tern_lane_open(ctx, NULL);
    size_t element = tern_dtype_size(dtype);
    if (!lane || !block || (uintptr_t)(block + offset) % element ||
        !tern_shape_numel(shape->rank, shape->dim, &numel))
        return ctx->nil;
    uint64_t bytes = (uint64_t)numel * element;
    tern_storage *storage = tern_storage_import(lane, block, offset, bytes, release, user);
    if (!storage) return ctx->nil;
    tern_contiguous_strides(shape->rank, shape->dim, strides);
    tern_tensor *tensor =
        tern_tensor_over(lane, storage, dtype, shape->rank, shape->dim, strides, 0);
    if (tern_is_nil(tensor)) storage->release = keep; /* the caller still has it to give back */
    tern_storage_release(storage);
    return tensor;
}

tern_tensor *tern_from_memory_within(tern_ctx *ctx, void *block, size_t offset, tern_shape shape,
                                     tern_dtype dtype, void (*release)(void *user), void *user) {
    ctx = tern_given(ctx);
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    if (check_new(ctx, "from_memory", &shape, dtype)) {
        tern_tensor *tensor = over_memory(ctx, block, offset, &shape, dtype, release, user);
        if (!tern_is_nil(tensor)) return tensor;
    }
    void *memory = block ? (char *)block + offset : NULL;
    tern_tensor *copy = tern_from_data(ctx, memory, shape, dtype);
    if (release) release(user);
    return copy;
}

tern_tensor *tern_from_memory(tern_ctx *ctx, void *memory, tern_shape shape, tern_dtype dtype,
                              void (*release)(void *user), void *user) {
    return tern_from_memory_within(ctx, memory, 0, shape, dtype, release, user);
}

tern_tensor *tern_empty(tern_ctx *ctx, tern_shape shape, tern_dtype dtype) {
    ctx = tern_given(ctx);
    if (dtype == TERN_DTYPE_DEFAULT) dtype = TERN_FLOAT32;
    TERN_ENTER(ctx, "empty", return ctx->nil);
    if (!check_new(ctx, "empty", &shape, dtype)) return ctx->nil;
    tern_lane *lane = tern_lane_open(ctx, NULL);
    return lane ? tern_tensor_new(lane, dtype, shape.rank, shape.dim) : ctx->nil;
}

/* ---- reading one element --------------------------------------------------------------------- */

static bool read_element(const tern_tensor *tensor, void *out_bits) {
    if (!tern_usable(tensor, "item")) return false;
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (BODY(tensor)->numel != 1) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "item: a Tensor with %lld elements cannot be converted to Scalar",
                  (long long)BODY(tensor)->numel);
        return false;
    }
    size_t size = tern_dtype_size(BODY(tensor)->dtype);
    return tern_download(BODY(tensor)->lane, out_bits, BODY(tensor)->storage,
                         (uint64_t)BODY(tensor)->offset * size, size) == TERN_OK;
}

/* The same of a real tensor, whose element is one number. */
static bool read_real(const tern_tensor *tensor, uint64_t *out_bits) {
    if (!tern_usable(tensor, "item")) return false;
    if (!tern_is_complex(BODY(tensor)->dtype)) return read_element(tensor, out_bits);
    tern_fail(BODY(tensor)->ctx, TERN_ERR_ARGUMENT,
              "item: %s is no single number: tern_item_complex gives both parts",
              tern_dtype_name(BODY(tensor)->dtype));
    return false;
}

double tern_item(const tern_tensor *tensor) {
    uint64_t bits;
    return read_real(tensor, &bits) ? tern_num_load_f64((int)BODY(tensor)->dtype, &bits, 0)
                                    : (double)NAN;
}

int64_t tern_item_i64(const tern_tensor *tensor) {
    uint64_t bits;
    return read_real(tensor, &bits) ? tern_num_load_i64((int)BODY(tensor)->dtype, &bits, 0) : 0;
}

tern_status tern_item_complex(const tern_tensor *tensor, double *out_parts) {
    uint64_t bits[2];
    if (!out_parts)
        return tern_fail(tern_context_of(tensor), TERN_ERR_ARGUMENT, "item: out_parts is NULL");
    out_parts[0] = out_parts[1] = (double)NAN;
    if (!read_element(tensor, bits)) return tern_unusable(tensor);
    int dtype = (int)tern_real_dtype(BODY(tensor)->dtype);
    out_parts[0] = tern_num_load_f64(dtype, bits, 0);
    out_parts[1] = tern_is_complex(BODY(tensor)->dtype) ? tern_num_load_f64(dtype, bits, 1) : 0;
    return TERN_OK;
}

/* ---- reading and writing all elements -------------------------------------------------------- */

/* Memory of the program's to copy to or from. */
static tern_status check_memory(const tern_tensor *tensor, const char *what, const void *memory,
                                size_t have, size_t want) {
    if (have == want && !memory && want)
        return tern_fail(BODY(tensor)->ctx, TERN_ERR_ARGUMENT, "%s: the data is NULL", what);
    if (have == want) return TERN_OK;
    return tern_fail(BODY(tensor)->ctx, TERN_ERR_ARGUMENT,
                     "%s: %zu bytes given, but the tensor has %zu", what, have, want);
}

tern_status tern_to_host(const tern_tensor *tensor, void *out_data, size_t bytes) {
    if (!tern_usable(tensor, "to_host")) return tern_unusable(tensor);
    tern_ctx *ctx = BODY(tensor)->ctx;
    size_t size = tern_dtype_size(BODY(tensor)->dtype);
    if (check_memory(tensor, "to_host", out_data, bytes, (size_t)BODY(tensor)->numel * size) !=
        TERN_OK)
        return ctx->status;
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *packed = tern_contiguous_raw((tern_tensor *)tensor);
    if (!tern_is_nil(packed))
        tern_download(BODY(packed)->lane, out_data, BODY(packed)->storage,
                      (uint64_t)BODY(packed)->offset * size, bytes);
    tern_scope_end(scope);
    return ctx->status;
}

tern_status tern_to_doubles(const tern_tensor *tensor, double *out_data, size_t count) {
    if (!tern_usable(tensor, "to_doubles")) return tern_unusable(tensor);
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (count != (size_t)BODY(tensor)->numel)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "to_doubles: room for %zu elements, but the tensor has %lld", count,
                         (long long)BODY(tensor)->numel);
    if (!out_data && count)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "to_doubles: the data is NULL");
    if (tern_is_complex(BODY(tensor)->dtype))
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "to_doubles: %s is no single number: read tern_view_as_real(tensor)",
                         tern_dtype_name(BODY(tensor)->dtype));
    if (BODY(tensor)->dtype == TERN_FLOAT64)
        return tern_to_host(tensor, out_data, count * sizeof *out_data);
    size_t bytes = count * tern_dtype_size(BODY(tensor)->dtype);
    void *data = tern_block_take(ctx, bytes);
    if (!data) return tern_fail_memory(ctx, bytes);
    if (tern_to_host(tensor, data, bytes) == TERN_OK)
        for (size_t i = 0; i < count; i++)
            out_data[i] = tern_num_load_f64((int)BODY(tensor)->dtype, data, (int64_t)i);
    tern_block_give(ctx, data);
    return ctx->status;
}

tern_status tern_write_host(tern_tensor *tensor, const void *data, size_t bytes) {
    if (!tern_usable(tensor, "write_host")) return tern_unusable(tensor);
    tern_ctx *ctx = BODY(tensor)->ctx;
    size_t size = tern_dtype_size(BODY(tensor)->dtype);
    if (check_memory(tensor, "write_host", data, bytes, (size_t)BODY(tensor)->numel * size) !=
        TERN_OK)
        return ctx->status;
    tern_cannot_replay(ctx, host_data);
    if (tern_has_overlap(tensor))
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "write_host: elements of an expanded tensor share memory: write to a clone");
    if (tern_is_contiguous(tensor)) {
        tern_upload(BODY(tensor)->lane, BODY(tensor)->storage,
                    (uint64_t)BODY(tensor)->offset * size, data, bytes);
    } else {
        tern_scope scope = tern_scope_inner(ctx);
        tern_tensor *packed = tern_tensor_new(BODY(tensor)->lane, BODY(tensor)->dtype,
                                              BODY(tensor)->rank, BODY(tensor)->shape);
        if (!tern_is_nil(packed) &&
            tern_upload(BODY(packed)->lane, BODY(packed)->storage, 0, data, bytes) == TERN_OK)
            tern_copy_raw(tensor, packed);
        tern_scope_end(scope);
    }
    if (ctx->status == TERN_OK && !(BODY(tensor)->flags & TERN_T_INFERENCE))
        tern_storage_raise_version(BODY(tensor)->storage);
    return ctx->status;
}

/* ---- storage --------------------------------------------------------------------------------- */

tern_status tern_storage_to_host(const tern_tensor *tensor, void *out_data, size_t bytes) {
    if (!tern_usable(tensor, "storage_to_host")) return tern_unusable(tensor);
    if (check_memory(tensor, "storage_to_host", out_data, bytes, tern_storage_bytes(tensor)) !=
        TERN_OK)
        return BODY(tensor)->ctx->status;
    return tern_download(BODY(tensor)->lane, out_data, BODY(tensor)->storage, 0, bytes);
}

tern_tensor *tern_view_of_storage(const tern_tensor *base, tern_shape size, tern_shape stride,
                                  int64_t storage_offset) {
    /* A handle without history: the view has none either. */
    if (!tern_usable(base, "view_of_storage")) return tern_context_of(base)->nil;
    tern_tensor *plain = tern_detach((tern_tensor *)base);
    return tern_is_nil(plain) ? plain : tern_as_strided(plain, size, stride, storage_offset);
}
