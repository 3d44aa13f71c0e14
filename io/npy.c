/* npy.c: arrays from .npy files, and back. */
#include "npy.h"

#include <string.h>

#include "bytes.h"
#include "tern/io.h"
#include "tern/memory.h"
#include "widen.h"

static tern_tensor *read_array(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                               size_t size, tern_mapping *mapping) {
    tern_npy_header h;
    if (tern_npy_parse(ctx, path, bytes, size, &h) != TERN_OK) return tern_nil(ctx);
    const tern_wide *wide = tern_wide_of(h.dtype_name);
    if (h.dtype == TERN_DTYPE_DEFAULT && !wide) {
        tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: its elements are %s, which Tern does not support",
                  path, h.dtype_name);
        return tern_nil(ctx);
    }
    const unsigned char *data = bytes + h.data;
    unsigned char *copy = NULL;
    if (h.swapped && h.unit > 1 && !wide) {
        data = copy = tern_turned(data, size - h.data, h.unit);
        if (!copy) {
            tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for its %zu bytes", path, size);
            return tern_nil(ctx);
        }
    }
    bool columns = h.fortran && h.shape.rank > 1 && h.numel > 0;
    tern_shape flat = {1, {(int64_t)h.numel}}, strides;
    tern_shape shape = columns ? flat : h.shape;
    tern_tensor *tensor = wide ? tern_widened(ctx, path, wide, data, h.swapped, shape)
                          : mapping && !copy && h.numel
                              ? tern_mapping_tensor(ctx, mapping, data, shape, h.dtype)
                              : tern_from_data(ctx, data, shape, h.dtype);
    tern_free(copy);
    if (!columns || tern_is_nil(tensor)) return tensor;
    tern_npy_strides(&h, &strides);
    return tern_view_of_storage(tensor, h.shape, strides, 0);
}

tern_tensor *tern_npy_read(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                           size_t size) {
    return read_array(ctx, path, bytes, size, NULL);
}

tern_tensor *tern_npy_map(tern_ctx *ctx, const char *path, tern_mapping *mapping) {
    return read_array(ctx, path, mapping->bytes, mapping->size, mapping);
}

tern_tensor *tern_npy_load(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_nil(ctx);
    tern_tensor *tensor = tern_npy_read(ctx, path, bytes, size);
    tern_free(bytes);
    return tensor;
}

tern_status tern_npy_write(tern_tensor *tensor, tern_sink *sink) {
    unsigned char header[TERN_NPY_HEADER];
    if (sink->status != TERN_OK) return sink->status;
    if (tern_is_nil(tensor))
        return sink->status = tern_fail(sink->ctx, TERN_ERR_ARGUMENT,
                                        "npy: the tensor is the empty result of an earlier error");
    tern_dtype dtype = tern_dtype_of(tensor);
    tern_shape shape = tern_shape_of(tensor);
    size_t length = tern_npy_format(dtype, &shape, header);
    if (length == 0)
        return sink->status = tern_fail(sink->ctx, TERN_ERR_ARGUMENT,
                                        "npy: numpy has no %s: convert the tensor to float32 first",
                                        tern_dtype_name(dtype));
    size_t bytes = (size_t)tern_numel(tensor) * tern_dtype_size(dtype);
    void *data = tern_alloc(bytes);
    if (!data)
        return sink->status = tern_fail(sink->ctx, TERN_ERR_OUT_OF_MEMORY,
                                        "npy: no memory for %zu bytes", bytes);
    sink->status = tern_to_host(tensor, data, bytes);
    tern_sink_put(sink, header, length);
    tern_sink_put(sink, data, bytes);
    tern_free(data);
    return sink->status;
}

tern_status tern_npy_save(tern_tensor *tensor, const char *path) {
    tern_sink sink;
    if (!tensor) return TERN_ERR_ARGUMENT;
    tern_sink_file(&sink, tern_context_of(tensor), path);
    tern_npy_write(tensor, &sink);
    return tern_sink_end(&sink);
}
