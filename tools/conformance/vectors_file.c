#include "vectors_file.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <string.h>

struct vectors_file {
    tern_ctx *ctx;
    tern_safetensors *file;
    const char *path;
    const char *name;
    tern_value cases;
};

static const char *metadata_text(vectors_file *f, const char *key) {
    tern_value text = tern_dict_get(tern_safetensors_metadata(f->file), key);
    if (text.kind == TERN_VALUE_STRING) return text.as.s;
    tern_fail(f->ctx, TERN_ERR_FORMAT, "%s: the metadata has no '%s'", f->path, key);
    return NULL;
}

static bool read_metadata(vectors_file *f) {
    const char *format = metadata_text(f, "format");
    const char *cases = metadata_text(f, "cases");
    f->name = metadata_text(f, "name");
    if (!format || !cases || !f->name) return false;
    if (strcmp(format, "tern-vectors 1") != 0) {
        tern_fail(f->ctx, TERN_ERR_FORMAT, "%s: format '%s', but 'tern-vectors 1' is what is read",
                  f->path, format);
        return false;
    }
    f->cases = tern_json_parse(f->ctx, cases, strlen(cases));
    if (f->cases.kind == TERN_VALUE_LIST) return true;
    tern_fail(f->ctx, TERN_ERR_FORMAT, "%s: 'cases' is a %s, not a list", f->path,
              tern_kind_name(f->cases.kind));
    return false;
}

vectors_file *vectors_open(tern_ctx *ctx, const char *path) {
    vectors_file *f = tern_scope_alloc(ctx, sizeof *f);
    if (!f) return NULL;
    f->ctx = ctx;
    f->path = path;
    f->file = tern_safetensors_open(ctx, path);
    return f->file && read_metadata(f) ? f : NULL;
}

const char *vectors_name(const vectors_file *file) {
    return file->name;
}

tern_value vectors_cases(const vectors_file *file) {
    return file->cases;
}

bool vectors_tensor(const vectors_file *file, const char *reference, stored_tensor *out_tensor) {
    tern_safetensors_entry entry;
    const char *name = reference[0] == '@' ? reference + 1 : reference;
    if (!tern_safetensors_find(file->file, name, &entry)) {
        tern_fail(file->ctx, TERN_ERR_NOT_FOUND, "%s: no tensor '%s'", file->path, name);
        return false;
    }
    /* A hash is 64 bits, which Tern has as int64. */
    if (strcmp(entry.dtype_name, "U64") == 0) entry.dtype = TERN_INT64;
    if (entry.dtype == TERN_DTYPE_DEFAULT) {
        tern_fail(file->ctx, TERN_ERR_UNSUPPORTED, "%s: '%s' has the dtype %s, which Tern has not",
                  file->path, name, entry.dtype_name);
        return false;
    }
    *out_tensor = (stored_tensor){entry.dtype, entry.shape, entry.data, entry.bytes};
    return true;
}

/* ---- layouts --------------------------------------------------------------------------------- */

/* Bytes that no kernel should read: NaN for floats, large numbers for integers, true for bool. */
static void fill_gaps(uint8_t *data, size_t bytes, tern_dtype dtype) {
    memset(data,
           dtype == TERN_BOOL                          ? 1
           : dtype == TERN_INT8 || dtype == TERN_UINT8 ? 0x55
                                                       : 0x7f,
           bytes);
    if (dtype != TERN_FLOAT32 && dtype != TERN_FLOAT64) return;
    memset(data, 0xff, bytes);
}

/* Elements that a storage with these strides needs; false where they make no sense. */
static bool storage_extent(const tern_shape *shape, const tern_shape *strides, int64_t offset,
                           int64_t *out_extent) {
    uint64_t extent = 1 + (uint64_t)offset, reach;
    for (int32_t d = 0; d < shape->rank; d++) {
        if (strides->dim[d] < 0 || shape->dim[d] < 1) return false;
        if (!tern_size_mul((uint64_t)shape->dim[d] - 1, (uint64_t)strides->dim[d], &reach) ||
            !tern_size_add(extent, reach, &extent))
            return false;
    }
    *out_extent = (int64_t)extent;
    return extent < INT64_MAX / 8;
}

/* Puts row-major elements where the strides say. */
static void scatter(uint8_t *out, const stored_tensor *s, const tern_shape *strides, size_t size) {
    tern_shape position = {s->shape.rank, {0}};
    const uint8_t *element = s->data;
    for (size_t left = s->bytes / size; left > 0; left--, element += size) {
        int64_t offset = 0;
        for (int32_t d = 0; d < position.rank; d++) offset += position.dim[d] * strides->dim[d];
        memcpy(out + (size_t)offset * size, element, size);
        for (int32_t d = position.rank - 1; d >= 0; d--) {
            if (++position.dim[d] < s->shape.dim[d]) break;
            position.dim[d] = 0;
        }
    }
}

tern_tensor *stored_upload(tern_ctx *ctx, const stored_tensor *s, const tern_shape *strides,
                           int64_t offset) {
    int64_t extent;
    size_t size = tern_dtype_size(s->dtype);
    if (strides->rank != s->shape.rank || offset < 0 ||
        !storage_extent(&s->shape, strides, offset, &extent)) {
        tern_fail(ctx, TERN_ERR_FORMAT, "a layout does not fit its tensor");
        return tern_nil(ctx);
    }
    uint8_t *data = tern_scope_alloc(ctx, (size_t)extent * size);
    if (!data) return tern_nil(ctx);
    fill_gaps(data, (size_t)extent * size, s->dtype);
    scatter(data + (size_t)offset * size, s, strides, size);
    tern_shape flat = {1, {extent}};
    tern_tensor *base = tern_from_data(ctx, data, flat, s->dtype);
    return tern_view_of_storage(base, s->shape, *strides, offset);
}

tern_tensor *vectors_upload(const vectors_file *file, const char *reference, tern_value layout) {
    stored_tensor s;
    tern_shape strides = {0, {0}};
    size_t count = tern_value_count(layout);
    if (!vectors_tensor(file, reference, &s)) return tern_nil(file->ctx);
    if (layout.kind != TERN_VALUE_LIST || count > TERN_MAX_RANK || s.bytes == 0)
        return tern_from_data(file->ctx, s.data, s.shape, s.dtype);
    strides.rank = (int32_t)count;
    for (size_t i = 0; i < count; i++) strides.dim[i] = tern_value_as_int(tern_value_at(layout, i));
    return stored_upload(file->ctx, &s, &strides, 0);
}
