/* value_file.c: saving and loading values, whatever the format. */
#include <string.h>

#include "format.h"
#include "gguf_read.h"
#include "idx.h"
#include "npy.h"
#include "pth.h"
#include "safetensors.h"
#include "tern/describe.h"
#include "tern/memory.h"

static bool ends_in(const char *path, const char *suffix) {
    size_t length = strlen(path), n = strlen(suffix);
    return length >= n && strcmp(path + length - n, suffix) == 0;
}

static void write_npy(tern_value value, tern_sink *sink) {
    if (value.kind == TERN_VALUE_TENSOR)
        tern_npy_write(value.as.tensor, sink);
    else
        sink->status = tern_fail(sink->ctx, TERN_ERR_ARGUMENT,
                                 "%s: an .npy file holds one tensor, but this is %s", sink->path,
                                 tern_kind_name(value.kind));
}

tern_status tern_value_save_with(tern_ctx *ctx, tern_value value, const char *path,
                                 const tern_save_options *options) {
    tern_sink sink;
    char root[4096];
    tern_save_options o = TERN_SAVE_OPTIONS;
    tern_options_read(ctx, "tern_value_save_with", options, &o);
    if (tern_sink_file(&sink, ctx, path) == TERN_OK) {
        sink.passing = !o.durable;
        if (ends_in(path, ".safetensors")) {
            tern_safetensors_write(ctx, value, &sink);
        } else if (ends_in(path, ".npz")) {
            tern_npz_write(ctx, value, &sink);
        } else if (ends_in(path, ".npy")) {
            write_npy(value, &sink);
        } else {
            tern_pth_root(path, root);
            tern_pth_write(ctx, value, root, &sink);
        }
    }
    return tern_sink_end(&sink);
}

tern_status tern_value_save(tern_ctx *ctx, tern_value value, const char *path) {
    return tern_value_save_with(ctx, value, path, NULL);
}

static tern_value of_tensor(tern_tensor *tensor) {
    return tern_is_nil(tensor) ? tern_none() : tern_tensor_value(tensor);
}

static tern_value of_safetensors(tern_safetensors *file) {
    tern_value value = tern_safetensors_value(file);
    tern_safetensors_close(file);
    return value;
}

tern_value tern_value_load(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_none();
    tern_value value = tern_none();
    switch (tern_format_of(bytes, size)) {
    case TERN_FORMAT_SAFETENSORS: /* it takes the bytes over */
        return of_safetensors(tern_safetensors_over(ctx, path, bytes, size));
    case TERN_FORMAT_NPY: value = of_tensor(tern_npy_read(ctx, path, bytes, size)); break;
    case TERN_FORMAT_NPZ: value = tern_npz_read(ctx, path, bytes, size); break;
    case TERN_FORMAT_GGUF: value = tern_gguf_read(ctx, path, bytes, size, NULL); break;
    case TERN_FORMAT_PTH: value = tern_pth_read(ctx, path, bytes, size); break;
    case TERN_FORMAT_IDX: value = of_tensor(tern_idx_read(ctx, path, bytes, size)); break;
    case TERN_FORMAT_UNKNOWN: tern_format_fail(ctx, path, size); break;
    }
    tern_free(bytes);
    return value;
}

tern_value tern_value_map(tern_ctx *ctx, const char *path) {
    tern_mapping *mapping = tern_mapping_open(ctx, path);
    if (!mapping) return tern_none();
    tern_value value = tern_none();
    switch (tern_format_of(mapping->bytes, mapping->size)) {
    case TERN_FORMAT_SAFETENSORS:
        value = of_safetensors(tern_safetensors_map(ctx, path, mapping));
        break;
    case TERN_FORMAT_NPY: value = of_tensor(tern_npy_map(ctx, path, mapping)); break;
    case TERN_FORMAT_GGUF:
        value = tern_gguf_read(ctx, path, mapping->bytes, mapping->size, mapping);
        break;
    case TERN_FORMAT_PTH: value = tern_pth_map(ctx, path, mapping); break;
    case TERN_FORMAT_NPZ: value = tern_npz_read(ctx, path, mapping->bytes, mapping->size); break;
    case TERN_FORMAT_IDX:
        value = of_tensor(tern_idx_read(ctx, path, mapping->bytes, mapping->size));
        break;
    case TERN_FORMAT_UNKNOWN: tern_format_fail(ctx, path, mapping->size); break;
    }
    tern_mapping_release(mapping);
    return value;
}
