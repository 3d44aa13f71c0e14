/* inspect.c: tern_file_inspect: tensors, values and warnings of any format that is read. */
#include "inspect.h"

#include <stdio.h>
#include <string.h>

#include "format.h"
#include "idx.h"
#include "npy.h"
#include "safetensors.h"
#include "tern/io.h"
#include "tern/memory.h"
#include "utf8.h"

/* Costs: a node costs a little, a leaf its path, a tensor its bytes. The start lets any small file
 * be told whole, repeated parts included. */
#define BUDGET_START    ((uint64_t)64 << 20)
#define BUDGET_PER_BYTE 64u
enum { NODE_COST = 64 };

/* ---- paths ----------------------------------------------------------------------------------- */

size_t tern_inspect_enter(tern_inspection *in, const char *key, size_t length) {
    size_t before = in->name.used;
    if (in->depth++) tern_sink_put(&in->name, ".", 1);
    tern_sink_put(&in->name, key, length);
    return before;
}

void tern_inspect_leave(tern_inspection *in, size_t before) {
    in->depth--;
    in->name.used = before;
}

static tern_value path_value(tern_inspection *in) {
    if (in->name.status != TERN_OK) return tern_none();
    return tern_string_n(in->ctx, in->name.used ? (const char *)in->name.bytes : "", in->name.used);
}

bool tern_inspect_spend(tern_inspection *in, uint64_t cost) {
    if (tern_check(in->ctx) != TERN_OK) return false;
    if (in->budget >= cost) {
        in->budget -= cost;
        return true;
    }
    tern_fail(in->ctx, TERN_ERR_FORMAT,
              "inspect: refused: the file repeats its parts so often that no list would end");
    return false;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

static void copy_element(unsigned char *out, const unsigned char *from, const tern_inspected *a) {
    if (!a->swapped) {
        memcpy(out, from, a->element);
        return;
    }
    for (uint32_t i = 0; i < a->element; i += a->unit)
        for (uint32_t k = 0; k < a->unit; k++) out[i + k] = from[i + a->unit - 1 - k];
}

/* Row-major, little endian. */
static void gather(const tern_inspected *a, uint64_t numel, unsigned char *out) {
    int64_t index[TERN_MAX_RANK] = {0}, at = 0;
    for (uint64_t i = 0; i < numel; i++, out += a->element) {
        copy_element(out, a->data + (uint64_t)at * a->element, a);
        for (int d = a->shape.rank; d-- > 0;) {
            at += a->strides.dim[d];
            if (++index[d] < a->shape.dim[d]) break;
            at -= index[d] * a->strides.dim[d];
            index[d] = 0;
        }
    }
}

bool tern_inspect_warn(tern_inspection *in, const char *what) {
    char text[400], shown[TERN_SHOWN];
    snprintf(text, sizeof text, "'%s': %.200s",
             tern_shown((const char *)in->name.bytes, in->name.used, shown), what);
    return tern_list_append(in->warnings, tern_string(in->ctx, text)) == TERN_OK;
}

static bool describe(tern_inspection *in, const char *dtype_name, const tern_shape *shape,
                     tern_value sum) {
    tern_value entry = tern_dict_new(in->ctx, false), sizes = tern_list_new(in->ctx);
    for (int d = 0; d < shape->rank; d++) tern_list_append(sizes, tern_int(shape->dim[d]));
    tern_dict_set(entry, "name", path_value(in));
    tern_dict_set(entry, "dtype", tern_string(in->ctx, dtype_name));
    tern_dict_set(entry, "shape", sizes);
    tern_dict_set(entry, "sha256", sum);
    return tern_check(in->ctx) == TERN_OK && tern_list_append(in->tensors, entry) == TERN_OK;
}

bool tern_inspect_bytes(tern_inspection *in, const char *dtype_name, const tern_shape *shape,
                        const void *data, size_t bytes) {
    char text[65];
    if (!tern_inspect_spend(in, NODE_COST + in->name.used)) return false;
    tern_sha256_hex(data, bytes, text);
    return describe(in, dtype_name, shape, tern_string(in->ctx, text));
}

bool tern_inspect_tensor(tern_inspection *in, const tern_inspected *a) {
    uint64_t bytes = a->element;
    bool fits = true, empty = false;
    for (int d = 0; d < a->shape.rank; d++) empty = empty || a->shape.dim[d] == 0;
    for (int d = 0; d < a->shape.rank && !empty && fits; d++)
        fits = tern_size_mul(bytes, (uint64_t)a->shape.dim[d], &bytes);
    if (empty) bytes = 0;
    if (!fits || bytes > in->budget)
        return tern_inspect_warn(in,
                                 "its checksum is left out: it repeats its storage too often") &&
               describe(in, a->dtype_name, &a->shape, tern_none());
    in->budget -= bytes;
    unsigned char *data = tern_alloc((size_t)bytes);
    if (!data) {
        tern_fail(in->ctx, TERN_ERR_OUT_OF_MEMORY, "inspect: no memory for a tensor of %llu bytes",
                  (unsigned long long)bytes);
        return false;
    }
    gather(a, bytes / a->element, data);
    bool ok = tern_inspect_bytes(in, a->dtype_name, &a->shape, data, (size_t)bytes);
    tern_free(data);
    return ok;
}

bool tern_inspect_leaf(tern_inspection *in, tern_value value) {
    if (!tern_inspect_spend(in, NODE_COST + in->name.used)) return false;
    return tern_dict_set_value(in->values, path_value(in), value) == TERN_OK;
}

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
