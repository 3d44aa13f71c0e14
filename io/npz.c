/* npz.c: zip archives of arrays, as numpy.savez and numpy.savez_compressed write them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "tern/io.h"
#include "tern/memory.h"
#include "utf8.h"
#include "zip_reader.h"
#include "zip_writer.h"

enum { SUFFIX = 4, MAX_NAME = 1000 };

/* Arrays of zeros are usual, and Deflate packs them to a thousandth. */
#define RATIO 1040u

static bool ends_in(const char *name, size_t length, const char *suffix) {
    size_t n = strlen(suffix);
    return length >= n && memcmp(name + length - n, suffix, n) == 0;
}

/* The names stand in the local headers; only the first is looked at, because torch.save's first
 * member is data.pkl and numpy's is an array. An archive of nothing is numpy's. */
bool tern_is_npz(const unsigned char *bytes, size_t size) {
    if (size >= 22 && (memcmp(bytes, "PK\5\6", 4) == 0 || memcmp(bytes, "PK\6\6", 4) == 0))
        return true;
    if (size < 30 || memcmp(bytes, "PK\3\4", 4) != 0) return false;
    size_t length = (size_t)(bytes[26] | bytes[27] << 8);
    return length <= size - 30 && ends_in((const char *)bytes + 30, length, ".npy");
}

/* ---- reading --------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
    const tern_zip_member *const *x = a, *const *y = b;
    return ((*x)->header > (*y)->header) - ((*x)->header < (*y)->header);
}

/* "/a", "C:a", "a/../b": names of files elsewhere, wherever the archive is unpacked. */
static bool leaves_folder(const char *name, size_t length) {
    if (name[0] == '/' || name[0] == '\\' || (length > 1 && name[1] == ':')) return true;
    for (size_t at = 0; at < length;) {
        size_t part = at;
        while (part < length && name[part] != '/' && name[part] != '\\') part++;
        if (part - at == 2 && name[at] == '.' && name[at + 1] == '.') return true;
        at = part + 1;
    }
    return false;
}

static tern_status visit_member(tern_zip *zip, tern_zip_member *m, tern_npz_visit visit,
                                void *user) {
    const unsigned char *data;
    char label[1400], shown[TERN_SHOWN];
    if (!ends_in(m->name, m->name_length, ".npy") || m->name_length > MAX_NAME ||
        !tern_is_utf8(m->name, m->name_length))
        return tern_fail(zip->ctx, TERN_ERR_FORMAT, "%s: member '%s' is not an array", zip->path,
                         tern_shown(m->name, m->name_length, shown));
    if (leaves_folder(m->name, m->name_length))
        return tern_fail(zip->ctx, TERN_ERR_FORMAT,
                         "%s: refused: member '%s' has an absolute or climbing name", zip->path,
                         tern_shown(m->name, m->name_length, shown));
    tern_status status = tern_zip_read(zip, m, &data);
    if (status != TERN_OK) return status;
    size_t length = m->name_length - SUFFIX;
    snprintf(label, sizeof label, "%.1200s: array '%s'", zip->path,
             tern_shown(m->name, length, shown));
    return visit(user, label, m->name, length, data, (size_t)m->size);
}

tern_status tern_npz_walk(tern_zip *zip, tern_npz_visit visit, void *user) {
    tern_zip_member **members = tern_alloc_zeroed(zip->count + 1, sizeof *members);
    if (!members)
        return tern_fail(zip->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to read it", zip->path);
    zip->ratio = RATIO;
    zip->no_checksums = false; /* numpy always writes them */
    for (size_t i = 0; i < zip->count; i++) members[i] = &zip->members[i];
    qsort(members, zip->count, sizeof *members, by_place);
    tern_status status = tern_check(zip->ctx);
    for (size_t i = 0; i < zip->count && status == TERN_OK; i++) {
        status = visit_member(zip, members[i], visit, user);
        tern_zip_forget(zip, members[i]);
    }
    tern_free(members);
    return status;
}

typedef struct reading {
    tern_ctx *ctx;
    tern_value dict;
} reading;

static tern_status read_array(void *user, const char *label, const char *name, size_t name_length,
                              const unsigned char *bytes, size_t size) {
    reading *r = user;
    tern_tensor *tensor = tern_npy_read(r->ctx, label, bytes, size);
    tern_value key = tern_string_n(r->ctx, name, name_length);
    if (tern_is_nil(tensor) || key.kind != TERN_VALUE_STRING) return tern_check(r->ctx);
    return tern_dict_set_value(r->dict, key, tern_tensor_value(tensor));
}

tern_value tern_npz_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size) {
    tern_zip zip;
    reading r = {ctx, tern_dict_new(ctx, false)};
    if (tern_zip_open(&zip, ctx, path, bytes, size) == TERN_OK) tern_npz_walk(&zip, read_array, &r);
    tern_zip_close(&zip);
    return tern_check(ctx) == TERN_OK ? r.dict : tern_none();
}

tern_value tern_npz_load(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_none();
    tern_value value = tern_npz_read(ctx, path, bytes, size);
    tern_free(bytes);
    return value;
}

/* ---- writing --------------------------------------------------------------------------------- */

static tern_status add_array(tern_zip_writer *zip, tern_value key, tern_value item) {
    char name[MAX_NAME + SUFFIX + 1];
    char shown[TERN_SHOWN];
    tern_sink member;
    if (key.kind != TERN_VALUE_STRING || key.length == 0 || key.length > MAX_NAME - SUFFIX ||
        memchr(key.as.s, 0, key.length) || !tern_is_utf8(key.as.s, key.length))
        return tern_fail(zip->ctx, TERN_ERR_ARGUMENT,
                         "npz: an array's name is text of 1 to %d bytes", MAX_NAME - SUFFIX);
    if (item.kind != TERN_VALUE_TENSOR)
        return tern_fail(zip->ctx, TERN_ERR_ARGUMENT, "npz: '%s' is %s, not a tensor",
                         tern_shown(key.as.s, key.length, shown), tern_kind_name(item.kind));
    snprintf(name, sizeof name, "%s.npy", key.as.s);
    tern_sink_memory(&member, zip->ctx);
    tern_status status = tern_npy_write(item.as.tensor, &member);
    if (status == TERN_OK) status = tern_zip_add(zip, name, member.bytes, member.used);
    tern_free(member.bytes);
    return status;
}

tern_status tern_npz_write(tern_ctx *ctx, tern_value tensors, tern_sink *sink) {
    tern_zip_writer zip;
    tern_value key, item;
    if (sink->status != TERN_OK) return sink->status;
    if (tensors.kind != TERN_VALUE_DICT)
        return sink->status = tern_fail(ctx, TERN_ERR_ARGUMENT,
                                        "npz: a file holds only a dict of tensors by name");
    tern_zip_writer_init(&zip, ctx, sink, NULL);
    for (size_t i = 0; sink->status == TERN_OK && tern_dict_at(tensors, i, &key, &item); i++)
        sink->status = add_array(&zip, key, item);
    return tern_zip_writer_end(&zip);
}

tern_status tern_npz_save(tern_ctx *ctx, tern_value tensors, const char *path) {
    tern_sink sink;
    tern_sink_file(&sink, ctx, path);
    tern_npz_write(ctx, tensors, &sink);
    return tern_sink_end(&sink);
}
