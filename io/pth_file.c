/* pth_file.c: what torch.save wrote, now and before 1.6: from bytes to a tree and storages. */
#include "pth_file.h"

#include <stdio.h>
#include <string.h>

static bool fail(const tern_pth_file *file, tern_status status, const char *what) {
    tern_fail(file->ctx, status, "%s: %s", file->path, what);
    return false;
}

/* ---- archives -------------------------------------------------------------------------------- */

static tern_zip_member *member(tern_zip *zip, const char *root, size_t root_length,
                               const char *name) {
    char full[4400];
    if (root_length > 4300) return NULL;
    int length = snprintf(full, sizeof full, "%.*s%s", (int)root_length, root, name);
    return tern_zip_find(zip, full, (size_t)length);
}

/* TorchScript's archives hold constants.pkl, and the module as an object of a class of their own, whose code
 * lies beside it. The classes are read as dicts of their attributes, the code is not looked at. */
static void expect_classes(tern_pth_file *file, const char *root, size_t root_length) {
    if (!member(&file->zip, root, root_length, "constants.pkl")) return;
    file->pickles.classes = "__torch__";
    file->pickles.class_number = TERN_G_SCRIPT_CLASS;
}

/* Members lie in one folder, whose name is free: that of the member that ends in /data.pkl. */
static tern_zip_member *find_pickle(const tern_zip *zip, size_t *out_root_length) {
    static const char suffix[] = "/data.pkl";
    const size_t n = sizeof suffix - 1;
    for (size_t i = 0; i < zip->count; i++) {
        tern_zip_member *m = &zip->members[i];
        if (m->name_length <= n || memcmp(m->name + m->name_length - n, suffix, n) != 0) continue;
        if (memchr(m->name, '/', m->name_length - n)) continue;
        *out_root_length = m->name_length - n + 1;
        return m;
    }
    return NULL;
}

/* "version" holds a number from 1 to 10; "byteorder", where it is there, must be ours. */
static bool check_archive(tern_pth_file *file, const char *root, size_t root_length) {
    const unsigned char *data = NULL;
    tern_zip *zip = &file->zip;
    tern_zip_member *m = member(zip, root, root_length, "version");
    if (!m) m = member(zip, root, root_length, ".data/version");
    if (!m) return fail(file, TERN_ERR_FORMAT, "it has no version");
    if (tern_zip_read(zip, m, &data) != TERN_OK) return false;
    bool known = m->size >= 1 && m->size <= 3 && data[0] >= '1' && data[0] <= '9' &&
                 (m->size == 1 || data[1] == '\n' || (data[0] == '1' && data[1] == '0'));
    if (!known) return fail(file, TERN_ERR_FORMAT, "its version is not one of 1 to 10");
    m = member(zip, root, root_length, "byteorder");
    if (!m) return true;
    if (tern_zip_read(zip, m, &data) != TERN_OK) return false;
    if (m->size == 6 && memcmp(data, "little", 6) == 0) return true;
    return fail(file, TERN_ERR_UNSUPPORTED, "its byte order is not little endian");
}

static bool read_archive(tern_pth_file *file) {
    size_t root_length, length;
    const unsigned char *data;
    tern_zip_member *pickle = find_pickle(&file->zip, &root_length);
    if (!pickle)
        return fail(file, TERN_ERR_FORMAT,
                    "a zip archive, but not one of torch.save: it has no data.pkl");
    if (!check_archive(file, pickle->name, root_length)) return false;
    if (tern_zip_read(&file->zip, pickle, &data) != TERN_OK) return false;
    expect_classes(file, pickle->name, root_length);
    file->storages.zip = &file->zip;
    file->storages.root = pickle->name;
    file->storages.root_length = root_length;
    file->root = tern_pickle_read(&file->pickles, data, (size_t)pickle->size, &length);
    file->pickle_length = length;
    if (file->root && length != pickle->size)
        return fail(file, TERN_ERR_FORMAT, "there are bytes after its pickle");
    return file->root != NULL;
}

/* ---- old streams --------------------------------------------------------------------------------
 * Pickles one behind the other: a magic number, 1001, facts about the machine, the value, the keys of
 * the storages; then the storages. */

static const unsigned char magic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                      0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

static bool is_big_endian(const tern_pnode *facts) {
    for (size_t i = 0; i + 1 < facts->length; i += 2) {
        const tern_pnode *key = facts->as.items[i], *item = facts->as.items[i + 1];
        if (key->kind == TERN_P_TEXT && key->length == 13 &&
            memcmp(key->as.bytes, "little_endian", 13) == 0 && item->kind == TERN_P_BOOL)
            return !item->as.b;
    }
    return false;
}

static bool read_stream(tern_pth_file *file, const unsigned char *bytes, size_t size) {
    tern_pnode *parts[5];
    size_t at = 0, length;
    for (int i = 0; i < 5; i++) {
        parts[i] = tern_pickle_read(&file->pickles, bytes + at, size - at, &length);
        if (!parts[i]) return false;
        at += length;
        if (i == 3) file->pickle_length = length;
    }
    if (parts[1]->kind != TERN_P_INT || parts[1]->as.i != 1001 || parts[2]->kind != TERN_P_DICT)
        return fail(file, TERN_ERR_FORMAT, "its protocol is not 1001");
    if (is_big_endian(parts[2]))
        return fail(file, TERN_ERR_UNSUPPORTED, "its byte order is not little endian");
    file->root = parts[3];
    return tern_pth_place_storages(&file->storages, &file->pickles, parts[4], bytes + at,
                                   size - at) == TERN_OK;
}

tern_status tern_pth_open(tern_pth_file *file, tern_ctx *ctx, const char *path,
                          const unsigned char *bytes, size_t size, tern_mapping *mapping) {
    *file = (tern_pth_file){
        .ctx = ctx,
        .path = path,
        .storages = {.ctx = ctx, .path = path, .mapping = mapping},
    };
    file->pickles = (tern_pickle_reader){
        .ctx = ctx, .path = path, .globals = tern_pth_globals, .n_globals = tern_pth_n_globals};
    bool ok;
    if (size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0)
        ok = read_stream(file, bytes, size);
    else
        ok = tern_zip_open(&file->zip, ctx, path, bytes, size) == TERN_OK && read_archive(file);
    return ok ? TERN_OK : tern_check(ctx);
}

void tern_pth_close(tern_pth_file *file) {
    tern_pickle_free(&file->pickles);
    tern_pth_storages_free(&file->storages);
    tern_zip_close(&file->zip);
}
