/* zip_reader.c: the directory, the members, and what is wrong with them. */
#include "zip_reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32.h"
#include "tern/memory.h"
#include "utf8.h"
#include "zlib_memory.h"

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    ENTRY_SIZE = 46,
    LOCAL_SIZE = 30,
    MAX_COMMENT = 65535,
    STORED = 0,
    DEFLATED = 8,
    STRETCH = 1 << 24, /* of a checksum, after which pages are let go */
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 8
};

/* A deflated member may unpack to this many times its size and a little more. Deflate itself reaches
 * 1032; real members stay far below, except for zeros: a reader whose files hold those asks for more. */
#define MAX_RATIO 256u
#define MAX_SLACK 65536u

static tern_status bad(const tern_zip *zip, const char *what) {
    return tern_fail(zip->ctx, TERN_ERR_FORMAT, "%s: damaged zip archive: %s", zip->path, what);
}

static tern_status bad_member(const tern_zip *zip, const tern_zip_member *m, const char *what) {
    char shown[TERN_SHOWN];
    return tern_fail(zip->ctx, TERN_ERR_FORMAT, "%s: damaged zip archive: member '%s' %s",
                     zip->path, tern_shown(m->name, m->name_length, shown), what);
}

/* ---- the end records ------------------------------------------------------------------------- */

typedef struct directory {
    uint64_t offset, size, count, end; /* `end`: where the end records begin */
} directory;

/* The end record is the last one whose comment does not reach beyond the file. */
static const unsigned char *find_end(tern_zip *zip) {
    if (zip->size < END_SIZE) return NULL;
    size_t furthest = zip->size - END_SIZE,
           lowest = furthest > MAX_COMMENT ? furthest - MAX_COMMENT : 0;
    for (size_t at = furthest + 1; at-- > lowest;) {
        const unsigned char *end = zip->bytes + at;
        if (memcmp(end, "PK\5\6", 4) != 0 || tern_read_u16(end + 20) > furthest - at) continue;
        zip->behind = furthest - at - tern_read_u16(end + 20);
        return end;
    }
    return NULL;
}

/* The 64-bit form, where a locator stands before the end record. */
static tern_status read_end64(const tern_zip *zip, const unsigned char *locator, directory *dir) {
    uint64_t at = tern_read_u64(locator + 8), limit = (uint64_t)(locator - zip->bytes);
    if (tern_read_u32(locator + 4) != 0 || tern_read_u32(locator + 16) > 1)
        return bad(zip, "it spans several disks");
    if (at > limit || limit - at < END64_SIZE) return bad(zip, "the zip64 end record is outside");
    const unsigned char *end = zip->bytes + at;
    if (memcmp(end, "PK\6\6", 4) != 0 || tern_read_u64(end + 4) != limit - at - 12)
        return bad(zip, "the zip64 end record is missing");
    if (tern_read_u32(end + 16) || tern_read_u32(end + 20) ||
        tern_read_u64(end + 24) != tern_read_u64(end + 32))
        return bad(zip, "it spans several disks");
    dir->count = tern_read_u64(end + 32);
    dir->size = tern_read_u64(end + 40);
    dir->offset = tern_read_u64(end + 48);
    dir->end = at;
    return TERN_OK;
}

static tern_status read_end(tern_zip *zip, directory *dir) {
    const unsigned char *end = find_end(zip);
    if (!end) return bad(zip, "its end is missing: the file is truncated");
    if (tern_read_u16(end + 4) || tern_read_u16(end + 6) ||
        tern_read_u16(end + 8) != tern_read_u16(end + 10))
        return bad(zip, "it spans several disks");
    dir->count = tern_read_u16(end + 10);
    dir->size = tern_read_u32(end + 12);
    dir->offset = tern_read_u32(end + 16);
    dir->end = (uint64_t)(end - zip->bytes);
    directory narrow = *dir;
    if (dir->end >= LOCATOR_SIZE && memcmp(end - LOCATOR_SIZE, "PK\6\7", 4) == 0) {
        if (read_end64(zip, end - LOCATOR_SIZE, dir) != TERN_OK) return TERN_ERR_FORMAT;
        if ((narrow.count != UINT16_MAX && narrow.count != dir->count) ||
            (narrow.size != UINT32_MAX && narrow.size != dir->size) ||
            (narrow.offset != UINT32_MAX && narrow.offset != dir->offset))
            return bad(zip, "its two end records disagree");
    }
    if (dir->offset > dir->end || dir->size != dir->end - dir->offset)
        return bad(zip, "its directory is not where the end record says");
    if (dir->count > dir->size / ENTRY_SIZE) return bad(zip, "it counts more members than it has");
    return TERN_OK;
}

/* ---- the directory --------------------------------------------------------------------------- */

/* Sizes that do not fit 32 bits stand in the extra field 1, in this order. */
static bool widen(const unsigned char *extra, size_t length, uint64_t *const fields[3]) {
    while (length >= 4) {
        size_t size = tern_read_u16(extra + 2);
        const unsigned char *data = extra + 4;
        if (size > length - 4) return false;
        if (tern_read_u16(extra) == 1) {
            size_t left = size;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != UINT32_MAX) continue;
                if (left < 8) return false;
                *fields[i] = tern_read_u64(data);
                data += 8;
                left -= 8;
            }
            return true;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return length == 0 && *fields[0] != UINT32_MAX && *fields[1] != UINT32_MAX &&
           *fields[2] != UINT32_MAX;
}

/* One entry of the directory; moves *at behind it. */
static tern_status read_entry(tern_zip *zip, uint64_t *at, uint64_t end, tern_zip_member *m) {
    const unsigned char *entry = zip->bytes + *at;
    if (end - *at < ENTRY_SIZE || memcmp(entry, "PK\1\2", 4) != 0)
        return bad(zip, "an entry of its directory is broken");
    size_t name = tern_read_u16(entry + 28), extra = tern_read_u16(entry + 30);
    size_t comment = tern_read_u16(entry + 32);
    if (end - *at - ENTRY_SIZE < name + extra + comment)
        return bad(zip, "an entry of its directory is broken");
    m->flags = tern_read_u16(entry + 8);
    m->method = tern_read_u16(entry + 10);
    m->crc = tern_read_u32(entry + 16);
    m->packed = tern_read_u32(entry + 20);
    m->size = tern_read_u32(entry + 24);
    m->header = tern_read_u32(entry + 42);
    m->name = (const char *)entry + ENTRY_SIZE;
    m->name_length = name;
    uint64_t *const fields[3] = {&m->size, &m->packed, &m->header};
    if (!widen(entry + ENTRY_SIZE + name, extra, fields))
        return bad_member(zip, m, "has a broken extra field");
    if (name == 0 || memchr(m->name, 0, name)) return bad_member(zip, m, "has no valid name");
    if (m->flags & FLAG_ENCRYPTED) return bad_member(zip, m, "is encrypted");
    if (m->method != STORED && m->method != DEFLATED)
        return bad_member(zip, m,
                          "is compressed by a method other than 0 (stored) and 8 (deflated)");
    if (m->method == STORED && m->packed != m->size)
        return bad_member(zip, m, "is stored, but with two sizes");
    *at += ENTRY_SIZE + name + extra + comment;
    return TERN_OK;
}

/* The local header must tell the same; it says where the data begins. */
static tern_status check_local(tern_zip *zip, tern_zip_member *m, uint64_t end) {
    if (m->header > end || end - m->header < LOCAL_SIZE)
        return bad_member(zip, m, "is outside the file");
    const unsigned char *local = zip->bytes + m->header;
    uint64_t room = end - m->header - LOCAL_SIZE;
    size_t name = tern_read_u16(local + 26), extra = tern_read_u16(local + 28);
    if (memcmp(local, "PK\3\4", 4) != 0 || name != m->name_length || room < name + extra ||
        memcmp(local + LOCAL_SIZE, m->name, name) != 0 || tern_read_u16(local + 8) != m->method)
        return bad_member(zip, m, "has a header that differs from the directory");
    m->data = m->header + LOCAL_SIZE + name + extra;
    if (m->packed > end - m->data) return bad_member(zip, m, "reaches beyond the members' end");
    uint32_t packed = tern_read_u32(local + 18), size = tern_read_u32(local + 22);
    if (!(tern_read_u16(local + 6) & FLAG_DESCRIPTOR) &&
        ((packed != UINT32_MAX && packed != m->packed) || (size != UINT32_MAX && size != m->size)))
        return bad_member(zip, m, "has a header that differs from the directory");
    return TERN_OK;
}

static bool has_no_checksums(const tern_zip *zip) {
    for (size_t i = 0; i < zip->count; i++)
        if (zip->members[i].crc != 0) return false;
    return true;
}

static int by_offset(const void *a, const void *b) {
    const tern_zip_member *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b) {
    const tern_zip_member *x = a, *y = b;
    return compare_names(x->name, x->name_length, y->name, y->name_length);
}

/* Overlapping members are how a small archive unpacks to a huge one. */
static tern_status check_members(tern_zip *zip) {
    qsort(zip->members, zip->count, sizeof *zip->members, by_offset);
    for (size_t i = 1; i < zip->count; i++)
        if (zip->members[i - 1].data + zip->members[i - 1].packed > zip->members[i].header)
            return bad_member(zip, &zip->members[i], "overlaps another");
    qsort(zip->members, zip->count, sizeof *zip->members, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&zip->members[i - 1], &zip->members[i]) == 0)
            return bad_member(zip, &zip->members[i], "appears twice");
    return TERN_OK;
}

tern_status tern_zip_open(tern_zip *zip, tern_ctx *ctx, const char *path,
                          const unsigned char *bytes, size_t size) {
    directory dir = {0, 0, 0, 0};
    memset(zip, 0, sizeof *zip);
    zip->ctx = ctx;
    zip->path = path;
    zip->bytes = bytes;
    zip->size = size;
    zip->ratio = MAX_RATIO;
    zip->most = UINT64_MAX;
    tern_status status = read_end(zip, &dir);
    if (status != TERN_OK) return status;
    zip->members = tern_alloc_zeroed((size_t)dir.count + 1, sizeof *zip->members);
    if (!zip->members)
        return tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for its directory", path);
    uint64_t at = dir.offset;
    for (uint64_t i = 0; i < dir.count && status == TERN_OK; i++) {
        tern_zip_member *m = &zip->members[zip->count];
        status = read_entry(zip, &at, dir.end, m);
        if (status == TERN_OK) status = check_local(zip, m, dir.offset);
        if (status == TERN_OK) zip->count++;
    }
    if (status == TERN_OK && at != dir.end)
        status = bad(zip, "its directory is longer than its members");
    if (status != TERN_OK) return status;
    zip->no_checksums = has_no_checksums(zip);
    return check_members(zip);
}

void tern_zip_close(tern_zip *zip) {
    for (size_t i = 0; i < zip->count; i++) tern_free(zip->members[i].unpacked);
    tern_free(zip->members);
    zip->members = NULL;
    zip->count = 0;
}

tern_zip_member *tern_zip_find(tern_zip *zip, const char *name, size_t length) {
    size_t low = 0, high = zip->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        tern_zip_member *m = &zip->members[middle];
        int order = compare_names(name, length, m->name, m->name_length);
        if (order == 0) return m;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- members --------------------------------------------------------------------------------- */

/* zlib counts in 32 bits: feeds and drains in pieces. Z_OK where the member unpacks to exactly its
 * size, Z_MEM_ERROR without memory, Z_DATA_ERROR for all else. */
static int inflate_all(z_stream *z, const unsigned char *in, uint64_t packed, unsigned char *out,
                       uint64_t size) {
    uint64_t fed = 0, drained = 0;
    int result = Z_OK;
    while (result == Z_OK) {
        uInt in_piece = (uInt)(packed - fed < INT_MAX ? packed - fed : INT_MAX);
        uInt out_piece = (uInt)(size - drained < INT_MAX ? size - drained : INT_MAX);
        z->next_in = (z_const Bytef *)(in + fed);
        z->avail_in = in_piece;
        z->next_out = out + drained;
        z->avail_out = out_piece;
        result = inflate(z, Z_NO_FLUSH);
        fed += in_piece - z->avail_in;
        drained += out_piece - z->avail_out;
    }
    if (result == Z_MEM_ERROR) return result;
    return result == Z_STREAM_END && fed == packed && drained == size ? Z_OK : Z_DATA_ERROR;
}

static tern_status fail_memory(const tern_zip *zip, const tern_zip_member *m) {
    return tern_fail(zip->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to unpack %llu bytes",
                     zip->path, (unsigned long long)m->size);
}

static tern_status unpack(tern_zip *zip, tern_zip_member *m) {
    uint64_t limit = (uint64_t)zip->size * zip->ratio + MAX_SLACK;
    if (m->size / zip->ratio > m->packed + MAX_SLACK / zip->ratio ||
        zip->unpacked > limit - m->size)
        return bad_member(zip, m, "unpacks to far more than the archive holds: refused");
    if (m->size > zip->most || zip->unpacked > zip->most - m->size)
        return bad_member(zip, m, "unpacks to more than is held at once: unpack the archive first");
    z_stream z = {.zalloc = tern_zlib_alloc, .zfree = tern_zlib_free};
    unsigned char *out = tern_alloc((size_t)m->size);
    if (!out || inflateInit2(&z, -MAX_WBITS) != Z_OK) {
        tern_free(out);
        return fail_memory(zip, m);
    }
    int result = inflate_all(&z, zip->bytes + m->data, m->packed, out, m->size);
    inflateEnd(&z);
    if (result != Z_OK) {
        tern_free(out);
        return result == Z_MEM_ERROR
                   ? fail_memory(zip, m)
                   : bad_member(zip, m, "does not unpack to the size it should have");
    }
    m->unpacked = out;
    zip->unpacked += m->size;
    return TERN_OK;
}

void tern_zip_forget(tern_zip *zip, tern_zip_member *m) {
    if (!m->unpacked) return;
    tern_free(m->unpacked);
    m->unpacked = NULL;
    zip->unpacked -= m->size;
}

static uint32_t checksum(const tern_mapping *forgets, const unsigned char *data, uint64_t size) {
    uint32_t crc = 0;
    for (uint64_t done = 0, part; done < size; done += part) {
        part = size - done < STRETCH ? size - done : STRETCH;
        crc = tern_crc32(crc, data + done, (size_t)part);
        tern_mapping_forget(forgets, data + done, (size_t)part);
    }
    return crc;
}

tern_status tern_zip_place(tern_zip *zip, tern_zip_member *m, const unsigned char **out_data) {
    if (m->method == DEFLATED) return tern_zip_read(zip, m, out_data);
    *out_data = zip->bytes + m->data;
    return TERN_OK;
}

tern_status tern_zip_read(tern_zip *zip, tern_zip_member *m, const unsigned char **out_data) {
    *out_data = NULL;
    if (m->method == DEFLATED && !m->unpacked) {
        tern_status status = unpack(zip, m);
        if (status != TERN_OK) return status;
    }
    const unsigned char *data = m->unpacked ? m->unpacked : zip->bytes + m->data;
    if (!zip->no_checksums && !m->verified &&
        checksum(m->unpacked ? NULL : zip->forgets, data, m->size) != m->crc)
        return bad_member(zip, m, "has a wrong checksum: its bytes have changed");
    m->verified = true;
    *out_data = data;
    return TERN_OK;
}
