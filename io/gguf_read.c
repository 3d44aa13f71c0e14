/* gguf_read.c: metadata and tensors of GGUF files. */
#include "gguf_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "tern/memory.h"
#include "utf8.h"

/* What an entry of metadata and a tensor take at least; with these a count is checked before memory is taken. */
enum { LEAST_ENTRY = 8 + 4 + 1, LEAST_TENSOR = 8 + 4 + 4 + 8, MOST_DEPTH = 8 };

typedef struct reader {
    tern_ctx *ctx;
    const char *path;
    const unsigned char *bytes;
    size_t size, at;
    const char *part; /* what is being read, for messages: "tensor", "metadata" */
    tern_value name;  /* which of them, or none */
} reader;

static bool bad(const reader *r, const char *what) {
    char shown[TERN_SHOWN];
    bool named = r->name.kind == TERN_VALUE_STRING;
    tern_fail(r->ctx, TERN_ERR_FORMAT, "%s: damaged GGUF file: %s%s%s%s%s", r->path,
              named ? r->part : "", named ? " '" : "",
              named ? tern_shown(r->name.as.s, r->name.length, shown) : "", named ? "' " : "",
              what);
    return false;
}

/* ---- numbers and texts ----------------------------------------------------------------------- */

/* The next bytes, or NULL after latching that there are not so many. */
static const unsigned char *take(reader *r, uint64_t count) {
    if (count > r->size - r->at) {
        bad(r, "reaches beyond the end: it is truncated");
        return NULL;
    }
    const unsigned char *bytes = r->bytes + r->at;
    r->at += (size_t)count;
    return bytes;
}

static bool take_u32(reader *r, uint32_t *out) {
    const unsigned char *p = take(r, 4);
    if (p) *out = tern_read_u32(p);
    return p != NULL;
}

static bool take_u64(reader *r, uint64_t *out) {
    const unsigned char *p = take(r, 8);
    if (p) *out = tern_read_u64(p);
    return p != NULL;
}

static bool take_text(reader *r, tern_value *out) {
    uint64_t length;
    if (!take_u64(r, &length)) return false;
    const unsigned char *p = take(r, length);
    if (!p) return false;
    if (length >= UINT32_MAX) return bad(r, "holds a text of more than 4 GB");
    if (!tern_is_utf8((const char *)p, (size_t)length))
        return bad(r, "holds a text that is not UTF-8");
    *out = tern_string_n(r->ctx, (const char *)p, (size_t)length);
    return out->kind == TERN_VALUE_STRING;
}

/* ---- metadata -------------------------------------------------------------------------------- */

typedef enum kind { U8, I8, U16, I16, U32, I32, F32, BOOL, TEXT, ARRAY, U64, I64, F64, KINDS } kind;

/* Bytes that a value takes at least. */
static const unsigned char least[KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

static tern_value number_of(kind k, const unsigned char *p) {
    uint64_t bits = 0;
    float single;
    double twice;
    for (int i = least[k]; i-- > 0;) bits = bits << 8 | p[i];
    switch (k) {
    case I8: return tern_int((int8_t)bits);
    case I16: return tern_int((int16_t)bits);
    case I32: return tern_int((int32_t)bits);
    case F32: {
        uint32_t word = (uint32_t)bits;
        memcpy(&single, &word, sizeof single);
        return tern_float(single);
    }
    case F64: memcpy(&twice, &bits, sizeof twice); return tern_float(twice);
    case BOOL: return tern_bool(bits != 0);
    default: return tern_int((int64_t)bits);
    }
}

static bool take_number(reader *r, kind k, tern_value *out) {
    const unsigned char *p = take(r, least[k]);
    if (!p) return false;
    if (k == BOOL && *p > 1) return bad(r, "is a bool that is neither 0 nor 1");
    *out = number_of(k, p);
    if (k != U64 || out->as.i >= 0) return true;
    char digits[24]; /* beyond int64: the text of its digits, as in a pickle */
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)tern_read_u64(p));
    *out = tern_string(r->ctx, digits);
    return out->kind == TERN_VALUE_STRING;
}

static bool take_kind(reader *r, kind *out) {
    uint32_t number;
    char what[80];
    if (!take_u32(r, &number)) return false;
    *out = (kind)number;
    if (number < KINDS) return true;
    snprintf(what, sizeof what, "has type %u, which GGUF does not have", (unsigned)number);
    return bad(r, what);
}

static bool take_value(reader *r, kind k, int depth, tern_value *out);

static bool take_array(reader *r, int depth, tern_value *out) {
    kind k;
    uint64_t count;
    if (depth == MOST_DEPTH) return bad(r, "has arrays within arrays too deep");
    if (!take_kind(r, &k) || !take_u64(r, &count)) return false;
    if (count > (r->size - r->at) / least[k])
        return bad(r, "has an array that reaches beyond the end: it is truncated");
    *out = tern_list_new(r->ctx);
    for (uint64_t i = 0; i < count; i++) {
        tern_value item;
        if (!take_value(r, k, depth + 1, &item) || tern_list_append(*out, item) != TERN_OK)
            return false;
    }
    return out->kind == TERN_VALUE_LIST;
}

static bool take_value(reader *r, kind k, int depth, tern_value *out) {
    if (k == TEXT) return take_text(r, out);
    return k == ARRAY ? take_array(r, depth, out) : take_number(r, k, out);
}

/* A text that is no key of the dict yet. */
static bool take_name(reader *r, const char *part, tern_value names, tern_value *out) {
    r->part = part;
    r->name = tern_none();
    if (!take_text(r, out)) return false;
    r->name = *out;
    if (tern_dict_get_value(names, *out).kind != TERN_VALUE_NONE) return bad(r, "is there twice");
    return true;
}

static bool take_metadata(reader *r, uint64_t count, tern_gguf *file) {
    file->metadata = tern_dict_new(r->ctx, false);
    for (uint64_t i = 0; i < count; i++) {
        tern_value key, item;
        kind k;
        if (!take_name(r, "metadata", file->metadata, &key) || !take_kind(r, &k) ||
            !take_value(r, k, 0, &item) ||
            tern_dict_set_value(file->metadata, key, item) != TERN_OK)
            return false;
    }
    r->name = tern_none();
    return file->metadata.kind == TERN_VALUE_DICT;
}

static bool alignment_of(const reader *r, const tern_gguf *file, uint64_t *out) {
    tern_value given = tern_dict_get(file->metadata, "general.alignment");
    *out = given.kind == TERN_VALUE_NONE ? 32 : (uint64_t)given.as.i;
    bool number = given.kind == TERN_VALUE_NONE || given.kind == TERN_VALUE_INT;
    if (number && *out > 0 && *out <= UINT32_MAX && (*out & (*out - 1)) == 0) return true;
    return bad(r, "its general.alignment is no power of 2");
}

/* ---- tensors --------------------------------------------------------------------------------- */

static bool take_shape(reader *r, tern_shape *out) {
    uint32_t rank;
    char what[80];
    if (!take_u32(r, &rank)) return false;
    if (rank > TERN_MAX_RANK) {
        snprintf(what, sizeof what, "has more than %d dimensions", TERN_MAX_RANK);
        return bad(r, what);
    }
    out->rank = (int32_t)rank;
    for (int d = out->rank; d-- > 0;) {
        uint64_t size;
        if (!take_u64(r, &size)) return false;
        if (size > INT64_MAX) return bad(r, "has a shape that overflows");
        out->dim[d] = (int64_t)size;
    }
    return true;
}

static bool take_type(reader *r, const tern_gguf_type **out) {
    uint32_t id;
    char what[100];
    if (!take_u32(r, &id)) return false;
    *out = tern_gguf_type_of(id);
    if (*out) return true;
    snprintf(what, sizeof what, "has type %u, which Tern does not know", (unsigned)id);
    return bad(r, what);
}

/* Blocks lie along the last dimension. */
static bool size_entry(const reader *r, tern_gguf_entry *e) {
    uint64_t last = e->shape.rank ? (uint64_t)e->shape.dim[e->shape.rank - 1] : 1, blocks = 1;
    char what[100];
    if (last % e->type->elements) {
        snprintf(what, sizeof what, "has a last dimension that is no multiple of the %u of %s",
                 (unsigned)e->type->elements, e->type->name);
        return bad(r, what);
    }
    for (int d = 0; d < e->shape.rank; d++)
        if (!tern_size_mul(blocks, (uint64_t)e->shape.dim[d], &blocks))
            return bad(r, "has a shape that overflows");
    return tern_size_mul(blocks / e->type->elements, e->type->bytes, &e->bytes) ||
           bad(r, "has a shape that overflows");
}

static bool take_tensors(reader *r, uint64_t count, tern_gguf *file) {
    tern_value names = tern_dict_new(r->ctx, false);
    uint64_t room;
    if (count > (r->size - r->at) / LEAST_TENSOR ||
        !tern_size_mul(count + 1, sizeof *file->entries, &room) || room > SIZE_MAX)
        return bad(r, "it has more tensors than bytes to describe them: it is truncated");
    file->entries = tern_scope_alloc(r->ctx, (size_t)room);
    if (!file->entries) return false;
    for (; file->count < count; file->count++) {
        tern_gguf_entry *e = &file->entries[file->count];
        e->order = file->count;
        if (!take_name(r, "tensor", names, &e->name) || !take_shape(r, &e->shape) ||
            !take_type(r, &e->type) || !take_u64(r, &e->offset) || !size_entry(r, e) ||
            tern_dict_set_value(names, e->name, tern_bool(true)) != TERN_OK)
            return false;
    }
    r->name = tern_none();
    return names.kind == TERN_VALUE_DICT;
}

static int by_offset(const void *a, const void *b) {
    const tern_gguf_entry *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Where the data are: within the file, aligned, and each byte at most one tensor's. */
static bool place_tensors(reader *r, tern_gguf *file) {
    uint64_t alignment, end = 0;
    if (!alignment_of(r, file, &alignment)) return false;
    uint64_t padding = (alignment - r->at % alignment) % alignment, left = r->size - r->at;
    left = left < padding ? 0 : left - padding;
    const unsigned char *data = r->bytes + (r->size - (size_t)left);
    qsort(file->entries, file->count, sizeof *file->entries, by_offset);
    r->part = "tensor";
    for (size_t i = 0; i < file->count; i++) {
        tern_gguf_entry *e = &file->entries[i];
        r->name = e->name;
        if (e->bytes && e->offset % alignment)
            return bad(r, "has an offset that is no multiple of the alignment");
        if (e->offset > left || e->bytes > left - e->offset) {
            if (e->bytes) return bad(r, "reaches beyond the end: it is truncated");
            e->offset = left; /* an empty one may lie behind padding that is left out */
        }
        if (e->bytes && e->offset < end) return bad(r, "overlaps another");
        if (e->bytes) end = e->offset + e->bytes;
        e->data = data + e->offset;
    }
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

bool tern_is_gguf(const unsigned char *bytes, size_t size) {
    return size >= 4 && memcmp(bytes, "GGUF", 4) == 0;
}

static bool take_version(reader *r) {
    uint32_t version;
    if (!take(r, 4) || !take_u32(r, &version)) return false;
    if (version == 2 || version == 3) return true;
    if (version && version % 65536 == 0)
        tern_fail(r->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: a big-endian GGUF file: only little-endian ones are read", r->path);
    else
        tern_fail(r->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: a GGUF file of version %u: only versions 2 and 3 are read", r->path,
                  (unsigned)version);
    return false;
}

bool tern_gguf_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                     tern_gguf *out_file) {
    reader r = {.ctx = ctx, .path = path, .bytes = bytes, .size = size, .name = tern_none()};
    uint64_t tensors, entries;
    memset(out_file, 0, sizeof *out_file);
    if (!tern_is_gguf(bytes, size)) return bad(&r, "it does not begin with GGUF");
    if (!take_version(&r) || !take_u64(&r, &tensors) || !take_u64(&r, &entries)) return false;
    if (entries > (size - r.at) / LEAST_ENTRY)
        return bad(&r, "it has more metadata than bytes to hold it: it is truncated");
    return take_metadata(&r, entries, out_file) && take_tensors(&r, tensors, out_file) &&
           place_tensors(&r, out_file);
}

/* ---- values ---------------------------------------------------------------------------------- */

static tern_tensor *decoded(tern_ctx *ctx, const char *path, const tern_gguf_entry *e) {
    uint64_t blocks = e->bytes / e->type->bytes, block = e->type->elements * sizeof(float), room;
    bool fits = tern_size_mul(blocks, block, &room) && room <= SIZE_MAX;
    float *out = fits ? tern_alloc((size_t)room) : NULL;
    tern_tensor *tensor = tern_nil(ctx);
    if (!out) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for a tensor of %s", path,
                  e->type->name);
        return tensor;
    }
    for (uint64_t i = 0; i < blocks; i++)
        e->type->decode(e->data + i * e->type->bytes, out + i * e->type->elements);
    tensor = tern_from_data(ctx, out, e->shape, TERN_FLOAT32);
    tern_free(out);
    return tensor;
}

static tern_tensor *make_tensor(tern_ctx *ctx, const char *path, const tern_gguf_entry *e,
                                tern_mapping *mapping) {
    char shown[TERN_SHOWN];
    if (e->type->dtype == TERN_DTYPE_DEFAULT) {
        tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: tensor '%s' is %s, which Tern does not support",
                  path, tern_shown(e->name.as.s, e->name.length, shown), e->type->name);
        return tern_nil(ctx);
    }
    if (e->type->decode) return decoded(ctx, path, e);
    if (mapping && e->bytes)
        return tern_mapping_tensor(ctx, mapping, e->data, e->shape, e->type->dtype);
    return tern_from_data(ctx, e->data, e->shape, e->type->dtype);
}

tern_value tern_gguf_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                          tern_mapping *mapping) {
    tern_gguf file;
    if (!tern_gguf_parse(ctx, path, bytes, size, &file)) return tern_none();
    tern_value dict = tern_dict_new(ctx, false), attributes = tern_dict_new(ctx, false);
    for (size_t i = 0; i < file.count; i++) {
        tern_tensor *tensor = make_tensor(ctx, path, &file.entries[i], mapping);
        if (tern_is_nil(tensor) ||
            tern_dict_set_value(dict, file.entries[i].name, tern_tensor_value(tensor)) != TERN_OK)
            return tern_none();
    }
    tern_dict_set(attributes, "gguf", file.metadata);
    tern_dict_set_attributes(dict, attributes);
    return tern_check(ctx) == TERN_OK ? dict : tern_none();
}
