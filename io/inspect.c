/* inspect.c: tern_file_inspect: tensors, values and warnings of any format that is read. */
#include "inspect.h"

#include <string.h>

#include "format.h"
#include "idx.h"
#include "npy.h"
#include "safetensors.h"
#include "tern/io.h"
#include "tern/memory.h"

/* The start lets any small file be told whole, repeated parts included. */
#define BUDGET_START    ((uint64_t)64 << 20)
#define BUDGET_PER_BYTE 64u

/* ---- numpy ----------------------------------------------------------------------------------- */

static bool inspect_npy(tern_inspection *in, const char *path, const unsigned char *bytes,
                        size_t size) {
    tern_npy_header h;
    tern_inspected a;
    if (tern_npy_parse(in->ctx, path, bytes, size, &h) != TERN_OK) return false;
    a = (tern_inspected){h.dtype_name, h.shape, {0, {0}}, bytes + h.data,
                         h.element,    h.unit,  h.swapped};
    tern_npy_strides(&h, &a.strides);
    return tern_inspect_tensor(in, &a);
}

static tern_status inspect_array(void *user, const char *label, const char *name,
                                 size_t name_length, const unsigned char *bytes, size_t size) {
    tern_inspection *in = user;
    size_t before = tern_inspect_enter(in, name, name_length);
    bool ok = inspect_npy(in, label, bytes, size);
    tern_inspect_leave(in, before);
    return ok ? TERN_OK : tern_check(in->ctx);
}

/* ---- IDX ------------------------------------------------------------------------------------- */

static bool inspect_idx(tern_inspection *in, const char *path, unsigned char **bytes, size_t size) {
    tern_idx_header h;
    if (tern_idx_unpack(in->ctx, path, bytes, &size) != TERN_OK ||
        tern_idx_parse(in->ctx, path, *bytes, size, &h) != TERN_OK)
        return false;
    tern_inspected a = {.dtype_name = tern_dtype_name(h.dtype),
                        .shape = h.shape,
                        .strides = {h.shape.rank, {0}},
                        .data = *bytes + h.data,
                        .element = h.element,
                        .unit = h.element,
                        .swapped = true};
    int64_t step = 1;
    for (int d = h.shape.rank; d-- > 0;) {
        a.strides.dim[d] = step;
        if (h.bytes) step *= h.shape.dim[d];
    }
    in->budget += h.bytes; /* unpacked, it is longer than the file that set the budget */
    return tern_inspect_tensor(in, &a);
}

/* ---- safetensors ----------------------------------------------------------------------------- */

static bool inspect_safetensors(tern_inspection *in, const tern_safetensors *file) {
    tern_safetensors_entry e;
    tern_value key, text, metadata = tern_safetensors_metadata(file);
    bool ok = file != NULL;
    for (size_t i = 0; ok && tern_safetensors_at(file, i, &e); i++) {
        size_t before = tern_inspect_enter(in, e.name, strlen(e.name));
        ok = tern_inspect_bytes(in, tern_st_dtype_of(e.dtype_name)->torch_name, &e.shape, e.data,
                                e.bytes);
        tern_inspect_leave(in, before);
    }
    size_t outer = tern_inspect_enter(in, "__metadata__", 12);
    for (size_t i = 0; ok && tern_dict_at(metadata, i, &key, &text); i++) {
        size_t before = tern_inspect_enter(in, key.as.s, key.length);
        ok = tern_inspect_leaf(in, text);
        tern_inspect_leave(in, before);
    }
    tern_inspect_leave(in, outer);
    return ok;
}

/* ---- files ----------------------------------------------------------------------------------- */

static tern_value report(tern_inspection *in, const char *format) {
    tern_value all = tern_dict_new(in->ctx, false);
    tern_dict_set(all, "format", tern_text(format));
    tern_dict_set(all, "tensors", in->tensors);
    tern_dict_set(all, "values", in->values);
    if (tern_value_count(in->warnings)) tern_dict_set(all, "warnings", in->warnings);
    return tern_check(in->ctx) == TERN_OK ? all : tern_none();
}

/* The name of the format, or NULL after latching; safetensors take the bytes over. */
static const char *inspect_bytes(tern_inspection *in, const char *path, unsigned char **bytes,
                                 size_t size) {
    switch (tern_format_of(*bytes, size)) {
    case TERN_FORMAT_PTH: return tern_pth_inspect(in, path, *bytes, size) ? "pth" : NULL;
    case TERN_FORMAT_NPY: return inspect_npy(in, path, *bytes, size) ? "npy" : NULL;
    case TERN_FORMAT_NPZ:
        return tern_npz_walk(in->ctx, path, *bytes, size, inspect_array, in) == TERN_OK ? "npz"
                                                                                        : NULL;
    case TERN_FORMAT_IDX: return inspect_idx(in, path, bytes, size) ? "idx" : NULL;
    case TERN_FORMAT_SAFETENSORS: {
        tern_safetensors *file = tern_safetensors_over(in->ctx, path, *bytes, size);
        *bytes = NULL;
        bool ok = inspect_safetensors(in, file);
        tern_safetensors_close(file);
        return ok ? "safetensors" : NULL;
    }
    case TERN_FORMAT_UNKNOWN: break;
    }
    tern_format_fail(in->ctx, path, size);
    return NULL;
}

tern_value tern_inspect_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size) {
    tern_inspection in = {.ctx = ctx};
    in.tensors = tern_list_new(ctx);
    in.values = tern_dict_new(ctx, false);
    in.warnings = tern_list_new(ctx);
    in.budget = BUDGET_START + (uint64_t)size * BUDGET_PER_BYTE;
    tern_sink_memory(&in.name, ctx);
    const char *format = inspect_bytes(&in, path, &bytes, size);
    tern_free(in.name.bytes);
    tern_free(bytes);
    return format ? report(&in, format) : tern_none();
}

tern_value tern_file_inspect(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_none();
    return tern_inspect_over(ctx, path, bytes, size);
}
