/* safetensors_read.c: checking a file's index, and tensors from it. */
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json.h"
#include "safetensors.h"
#include "tern/describe.h"
#include "tern/memory.h"
#include "utf8.h"
#include "widen.h"

#define MAX_HEADER 100000000u

const tern_st_dtype tern_st_dtypes[] = {
    {"BOOL", 8, TERN_BOOL, "bool"},
    {"F4", 4, TERN_DTYPE_DEFAULT, "float4_e2m1fn_x2"},
    {"F6_E2M3", 6, TERN_DTYPE_DEFAULT, "F6_E2M3"},
    {"F6_E3M2", 6, TERN_DTYPE_DEFAULT, "F6_E3M2"},
    {"U8", 8, TERN_UINT8, "uint8"},
    {"I8", 8, TERN_INT8, "int8"},
    {"F8_E5M2", 8, TERN_DTYPE_DEFAULT, "float8_e5m2"},
    {"F8_E4M3", 8, TERN_DTYPE_DEFAULT, "float8_e4m3fn"},
    {"F8_E8M0", 8, TERN_DTYPE_DEFAULT, "float8_e8m0fnu"},
    {"F8_E4M3FNUZ", 8, TERN_DTYPE_DEFAULT, "float8_e4m3fnuz"},
    {"F8_E5M2FNUZ", 8, TERN_DTYPE_DEFAULT, "float8_e5m2fnuz"},
    {"I16", 16, TERN_INT16, "int16"},
    {"U16", 16, TERN_DTYPE_DEFAULT, "uint16"},
    {"F16", 16, TERN_FLOAT16, "float16"},
    {"BF16", 16, TERN_BFLOAT16, "bfloat16"},
    {"I32", 32, TERN_INT32, "int32"},
    {"U32", 32, TERN_DTYPE_DEFAULT, "uint32"},
    {"F32", 32, TERN_FLOAT32, "float32"},
    {"C64", 64, TERN_COMPLEX64, "complex64"},
    {"F64", 64, TERN_FLOAT64, "float64"},
    {"I64", 64, TERN_INT64, "int64"},
    {"U64", 64, TERN_DTYPE_DEFAULT, "uint64"},
};
const size_t tern_st_n_dtypes = sizeof tern_st_dtypes / sizeof *tern_st_dtypes;

const tern_st_dtype *tern_st_dtype_of(const char *name) {
    for (size_t i = 0; i < tern_st_n_dtypes; i++)
        if (strcmp(tern_st_dtypes[i].name, name) == 0) return &tern_st_dtypes[i];
    return NULL;
}

typedef struct entry {
    const char *name;
    const tern_st_dtype *dtype;
    tern_shape shape;
    uint64_t begin, end;
    size_t order; /* in the header */
} entry;

/* The struct and what it points to live in the scope; the bytes are the seam's. */
#define FILE_KIND "file"

typedef struct st_file {
    tern_ctx *ctx;
    const char *path;
    unsigned char *bytes;
    unsigned char *owned;  /* the same where they are this file's to free; NULL once closed */
    tern_mapping *mapping; /* what they lie in, or NULL */
    const unsigned char *data;
    uint64_t data_size;
    entry *entries; /* by offset */
    size_t count;
    tern_value by_name; /* name -> index */
    tern_value metadata;
} st_file;

/* ---- the header ------------------------------------------------------------------------------ */

static bool bad(const st_file *file, const char *name, const char *what) {
    char shown[TERN_SHOWN];
    tern_fail(file->ctx, TERN_ERR_FORMAT, "%s: %s%s%s%s", file->path, name ? "tensor '" : "",
              name ? tern_shown(name, strlen(name), shown) : "", name ? "' " : "", what);
    return false;
}

static bool read_size(const json_t *json, uint64_t *out) {
    if (!json_is_integer(json) || json_integer_value(json) < 0) return false;
    *out = (uint64_t)json_integer_value(json);
    return true;
}

static bool read_shape(const st_file *file, const json_t *json, entry *e) {
    if (!json_is_array(json)) return bad(file, e->name, "has no shape");
    if (json_array_size(json) > TERN_MAX_RANK) return bad(file, e->name, "has too many dimensions");
    e->shape.rank = (int32_t)json_array_size(json);
    for (size_t i = 0; i < json_array_size(json); i++) {
        uint64_t size;
        if (!read_size(json_array_get(json, i), &size))
            return bad(file, e->name, "has a shape that is not a list of sizes");
        e->shape.dim[i] = (int64_t)size;
    }
    return true;
}

static bool read_dtype(const st_file *file, const json_t *json, entry *e) {
    const char *name = json_string_value(json);
    bool whole = name && strlen(name) == json_string_length(json); /* without a zero inside */
    e->dtype = whole ? tern_st_dtype_of(name) : NULL;
    return e->dtype || bad(file, e->name, "has no known dtype");
}

/* The bytes that shape and dtype take must be those between the offsets. */
static bool check_bytes(const st_file *file, const entry *e) {
    uint64_t bits = (uint64_t)e->dtype->bits;
    for (int i = 0; i < e->shape.rank; i++)
        if (!tern_size_mul(bits, (uint64_t)e->shape.dim[i], &bits))
            return bad(file, e->name, "has a shape that overflows");
    if (bits % 8) return bad(file, e->name, "does not end at a whole byte");
    if (e->begin > e->end || e->end > file->data_size)
        return bad(file, e->name, "is outside the file");
    return e->end - e->begin == bits / 8 ||
           bad(file, e->name, "has a size that does not match its shape and dtype");
}

static bool read_entry(st_file *file, const char *name, json_t *json) {
    entry *e = &file->entries[file->count];
    const json_t *offsets = json_object_get(json, "data_offsets");
    tern_value kept = tern_string(file->ctx, name);
    if (kept.kind != TERN_VALUE_STRING) return false;
    e->name = kept.as.s;
    e->order = file->count++;
    if (!json_is_object(json)) return bad(file, name, "is not described by an object");
    if (!read_dtype(file, json_object_get(json, "dtype"), e) ||
        !read_shape(file, json_object_get(json, "shape"), e))
        return false;
    if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &e->begin) ||
        !read_size(json_array_get(offsets, 1), &e->end))
        return bad(file, name, "has no valid data_offsets");
    return check_bytes(file, e);
}

static bool read_metadata(st_file *file, json_t *json) {
    const char *key;
    json_t *item;
    if (json_is_null(json)) return true;
    if (!json_is_object(json)) return bad(file, NULL, "__metadata__ is not an object");
    file->metadata = tern_dict_new(file->ctx, false);
    json_object_foreach(json, key, item) {
        if (!json_is_string(item))
            return bad(file, NULL, "__metadata__ holds something other than texts");
        tern_value text =
            tern_string_n(file->ctx, json_string_value(item), json_string_length(item));
        if (tern_dict_set(file->metadata, key, text) != TERN_OK) return false;
    }
    return true;
}

static int by_offset(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* One behind the other, from the first byte to the last. */
static bool check_cover(st_file *file) {
    uint64_t at = 0;
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    for (size_t i = 0; i < file->count; i++) {
        const entry *e = &file->entries[i];
        if (e->begin != at)
            return bad(file, e->name, e->begin < at ? "overlaps another" : "has a gap before it");
        at = e->end;
        if (tern_dict_set_value(file->by_name, tern_text(e->name), tern_int((int64_t)i)) != TERN_OK)
            return false;
    }
    return at == file->data_size || bad(file, NULL, "there are bytes that belong to no tensor");
}

static bool read_header(st_file *file, json_t *json) {
    const char *key;
    json_t *item;
    if (!json_is_object(json)) return bad(file, NULL, "its header is not an object");
    file->by_name = tern_dict_new(file->ctx, false);
    file->entries =
        tern_scope_alloc(file->ctx, (json_object_size(json) + 1) * sizeof *file->entries);
    if (!file->entries || file->by_name.kind != TERN_VALUE_DICT) return false;
    json_object_foreach(json, key, item) {
        bool ok = strcmp(key, "__metadata__") == 0 ? read_metadata(file, item)
                                                   : read_entry(file, key, item);
        if (!ok) return false;
    }
    return check_cover(file);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void close_file(void *arg) {
    st_file *file = arg;
    tern_mapping_release(file->mapping);
    tern_free(file->owned);
    file->mapping = NULL;
    file->owned = NULL;
    file->count = 0;
    file->by_name = tern_none();
}

static st_file *file_of(const tern_safetensors *file, const char *function) {
    return tern_handle_object(file, FILE_KIND, function);
}

void tern_safetensors_close(tern_safetensors *handle) {
    st_file *file = file_of(handle, "tern_safetensors_close");
    if (!file) return;
    close_file(file);
    tern_handle_end(handle);
}

bool tern_is_safetensors(const unsigned char *bytes, size_t size) {
    if (size < 9 || tern_read_u64(bytes) >= UINT32_MAX) return false;
    size_t length = (size_t)tern_read_u64(bytes), at = 8;
    if (length > size - 8) length = size - 8; /* cut off, which is told later */
    while (at < 8 + length && strchr(" \t\r\n", bytes[at]) && bytes[at]) at++;
    return at < 8 + length && bytes[at] == '{';
}

/* Where the JSON lies; false and latched where that is nowhere. */
static bool find_header(st_file *file, size_t size, size_t *out_length) {
    if (size < 8) return bad(file, NULL, "too short for a safetensors file: it is truncated");
    uint64_t length = tern_read_u64(file->bytes);
    if (length > MAX_HEADER) return bad(file, NULL, "its header is longer than 100 MB");
    if (length > size - 8) return bad(file, NULL, "its header reaches beyond it: it is truncated");
    if (!tern_is_safetensors(file->bytes, size))
        return bad(file, NULL, "its header is not an object");
    *out_length = (size_t)length;
    file->data = file->bytes + 8 + length;
    file->data_size = size - 8 - length;
    return true;
}

/* An index over bytes: `owned`, which are the seam's, or a mapping's, whose reference it takes over. */
static tern_safetensors *open_over(tern_ctx *ctx, const char *path, unsigned char *bytes,
                                   size_t size, unsigned char *owned, tern_mapping *mapping) {
    st_file *file = tern_scope_alloc(ctx, sizeof *file);
    tern_value kept = tern_string(ctx, path);
    size_t length = 0;
    if (!file || kept.kind != TERN_VALUE_STRING) {
        tern_mapping_release(mapping);
        tern_free(owned);
        return NULL;
    }
    file->mapping = mapping;
    file->ctx = ctx;
    file->path = kept.as.s;
    file->bytes = bytes;
    file->owned = owned;
    if (tern_defer(ctx, close_file, file) != TERN_OK) {
        close_file(file);
        return NULL;
    }
    json_t *json = NULL;
    if (find_header(file, size, &length))
        json = tern_json_decode(ctx, path, (const char *)bytes + 8, length);
    bool ok = json && read_header(file, json);
    json_decref(json);
    if (!ok) close_file(file);
    return ok ? tern_handle_new(ctx, FILE_KIND, file) : NULL;
}

tern_safetensors *tern_safetensors_over(tern_ctx *ctx, const char *path, unsigned char *bytes,
                                        size_t size) {
    return open_over(ctx, path, bytes, size, bytes, NULL);
}

tern_safetensors *tern_safetensors_lent(tern_ctx *ctx, const char *path, unsigned char *bytes,
                                        size_t size) {
    return open_over(ctx, path, bytes, size, NULL, NULL);
}

tern_safetensors *tern_safetensors_map(tern_ctx *ctx, const char *path, tern_mapping *mapping) {
    atomic_fetch_add(&mapping->references, 1);
    return open_over(ctx, path, mapping->bytes, mapping->size, NULL, mapping);
}

tern_safetensors *tern_safetensors_open(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return NULL;
    return tern_safetensors_over(ctx, path, bytes, size);
}

/* ---- entries --------------------------------------------------------------------------------- */

size_t tern_safetensors_count(const tern_safetensors *handle) {
    const st_file *file = file_of(handle, "tern_safetensors_count");
    return file ? file->count : 0;
}

static bool entry_at(const st_file *file, size_t index, tern_safetensors_entry *out_entry) {
    if (!file || !out_entry || index >= file->count) return false;
    const entry *e = &file->entries[index];
    *out_entry =
        (tern_safetensors_entry){e->name,  e->dtype->name,        e->dtype->dtype,
                                 e->shape, file->data + e->begin, (size_t)(e->end - e->begin)};
    return true;
}

bool tern_safetensors_at(const tern_safetensors *file, size_t index,
                         tern_safetensors_entry *out_entry) {
    return entry_at(file_of(file, "tern_safetensors_at"), index, out_entry);
}

static bool find_entry(const st_file *file, const char *name, tern_safetensors_entry *out_entry) {
    if (!file) return false;
    tern_value index = tern_dict_get(file->by_name, name);
    return index.kind == TERN_VALUE_INT && entry_at(file, (size_t)index.as.i, out_entry);
}

bool tern_safetensors_find(const tern_safetensors *file, const char *name,
                           tern_safetensors_entry *out_entry) {
    return find_entry(file_of(file, "tern_safetensors_find"), name, out_entry);
}

tern_value tern_safetensors_metadata(const tern_safetensors *handle) {
    const st_file *file = file_of(handle, "tern_safetensors_metadata");
    return file ? file->metadata : tern_none();
}

static tern_tensor *make_tensor(const st_file *file, const tern_safetensors_entry *e) {
    char shown[TERN_SHOWN];
    const tern_wide *wide = tern_wide_of(tern_st_dtype_of(e->dtype_name)->torch_name);
    if (wide) return tern_widened(file->ctx, file->path, wide, e->data, false, e->shape);
    if (e->dtype == TERN_DTYPE_DEFAULT) {
        tern_fail(file->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: tensor '%s' is %s, which Tern does not support", file->path,
                  tern_shown(e->name, strlen(e->name), shown), e->dtype_name);
        return tern_nil(file->ctx);
    }
    if (file->mapping && e->bytes)
        return tern_mapping_tensor(file->ctx, file->mapping, e->data, e->shape, e->dtype);
    return tern_from_data(file->ctx, e->data, e->shape, e->dtype);
}

tern_tensor *tern_safetensors_tensor(const tern_safetensors *handle, const char *name) {
    const st_file *file = file_of(handle, "tern_safetensors_tensor");
    tern_safetensors_entry e;
    if (!file) return NULL;
    if (!tern_argument_given(file->ctx, file->path, "a tensor's name", name))
        return tern_nil(file->ctx);
    if (!find_entry(file, name, &e)) {
        tern_fail(file->ctx, TERN_ERR_NOT_FOUND, "%s: there is no tensor '%.100s'", file->path,
                  name);
        return tern_nil(file->ctx);
    }
    return make_tensor(file, &e);
}

tern_value tern_safetensors_value(const tern_safetensors *handle) {
    const st_file *file = file_of(handle, "tern_safetensors_value");
    tern_safetensors_entry e;
    if (!file) return tern_none();
    tern_value dict = tern_dict_new(file->ctx, false);
    for (size_t i = 0; entry_at(file, i, &e); i++) {
        tern_tensor *tensor = make_tensor(file, &e);
        if (tern_is_nil(tensor)) return tern_none();
        if (tern_dict_set(dict, e.name, tern_tensor_value(tensor)) != TERN_OK) return tern_none();
    }
    if (file->metadata.kind == TERN_VALUE_DICT) {
        tern_value attributes = tern_dict_new(file->ctx, false);
        tern_dict_set(attributes, "__metadata__", file->metadata);
        tern_dict_set_attributes(dict, attributes);
    }
    return dict;
}
