/* zip_writer.c: members, directory and the serialization id of torch.save's archives. */
#include "zip_writer.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "crc32.h"
#include "tern/memory.h"

enum { ALIGNMENT = 64, LOCAL_SIZE = 30, FLAG_DESCRIPTOR = 0x0008, FLAG_UTF8 = 0x0800 };

/* What does not fit 32 bits is written as this and stands in a zip64 field. */
#define WIDE UINT32_MAX

static bool is_wide(uint64_t number) {
    return number >= WIDE;
}

static uint64_t narrow(uint64_t number) {
    return is_wide(number) ? WIDE : number;
}

void tern_zip_writer_init(tern_zip_writer *zip, tern_ctx *ctx, tern_sink *sink, const char *root) {
    memset(zip, 0, sizeof *zip);
    zip->ctx = ctx;
    zip->sink = sink;
    zip->root = root;
    tern_sink_memory(&zip->names, ctx);
}

/* ---- members --------------------------------------------------------------------------------- */

/* The zip64 extra field: both sizes where the size is wide, the offset where that is. In front of the
 * data torch.save does not know the packed size yet and writes 0. */
static unsigned char *put_zip64(unsigned char *p, uint64_t size, uint64_t packed, uint64_t header) {
    int payload = (is_wide(size) ? 16 : 0) + (is_wide(header) ? 8 : 0);
    if (payload == 0) return p;
    p = tern_put_le(p, 1, 2);
    p = tern_put_le(p, (uint64_t)payload, 2);
    if (is_wide(size)) p = tern_put_le(tern_put_le(p, size, 8), packed, 8);
    return is_wide(header) ? tern_put_le(p, header, 8) : p;
}

/*
 * Local header, name, zip64 field, and the field "FB", whose padding of 'Z' moves the data to a
 * multiple of 64.
 */
static void put_local(tern_zip_writer *zip, const tern_zip_record *r, const char *name) {
    unsigned char header[LOCAL_SIZE], extra[28 + 4 + ALIGNMENT];
    unsigned char *end = put_zip64(extra, r->size, 0, r->header);
    uint64_t start = r->header + LOCAL_SIZE + r->name_length + (uint64_t)(end - extra) + 4;
    uint64_t padding = (0 - start) % ALIGNMENT;
    *end++ = 'F';
    *end++ = 'B';
    end = tern_put_le(end, padding, 2);
    memset(end, 'Z', (size_t)padding);
    end += padding;
    unsigned char *p = header;
    p = tern_put_le(p, 0x04034b50, 4);
    p = tern_put_le(p, 0, 2); /* version needed */
    p = tern_put_le(p, FLAG_UTF8 | (r->size ? FLAG_DESCRIPTOR : 0), 2);
    p = tern_put_le(p, 0, 2); /* stored */
    p = tern_put_le(p, 0, 4); /* no time, no date */
    p = tern_put_le(p, 0, 4); /* checksum and sizes follow the data */
    p = tern_put_le(p, 0, 8);
    p = tern_put_le(p, r->name_length, 2);
    tern_put_le(p, (uint64_t)(end - extra), 2);
    tern_sink_put(zip->sink, header, sizeof header);
    tern_sink_put(zip->sink, name, r->name_length);
    tern_sink_put(zip->sink, extra, (size_t)(end - extra));
}

static void put_descriptor(tern_zip_writer *zip, const tern_zip_record *r) {
    unsigned char descriptor[24], *p = descriptor;
    int width = is_wide(r->size) || is_wide(r->header) ? 8 : 4;
    p = tern_put_le(p, 0x08074b50, 4);
    p = tern_put_le(p, r->crc, 4);
    p = tern_put_le(p, r->size, width);
    p = tern_put_le(p, r->size, width);
    tern_sink_put(zip->sink, descriptor, (size_t)(p - descriptor));
}

static tern_zip_record *new_record(tern_zip_writer *zip) {
    if (zip->count == zip->capacity) {
        size_t capacity = zip->capacity ? zip->capacity * 2 : 16;
        tern_zip_record *grown =
            tern_realloc(zip->records, zip->count * sizeof *grown, capacity * sizeof *grown);
        if (!grown) {
            zip->sink->status = tern_fail(zip->ctx, TERN_ERR_OUT_OF_MEMORY,
                                          "no memory for the archive's directory");
            return NULL;
        }
        zip->records = grown;
        zip->capacity = capacity;
    }
    return &zip->records[zip->count];
}

tern_status tern_zip_add(tern_zip_writer *zip, const char *name, const void *data, uint64_t size) {
    char full[4400];
    if (zip->sink->status != TERN_OK) return zip->sink->status;
    tern_zip_record *r = new_record(zip);
    if (!r) return zip->sink->status;
    int length = snprintf(full, sizeof full, "%s%s%s", zip->root ? zip->root : "",
                          zip->root ? "/" : "", name);
    r->name = zip->names.offset;
    r->name_length = (uint32_t)length;
    r->header = zip->sink->offset;
    r->size = size;
    r->crc = tern_crc32(0, data, (size_t)size);
    if (tern_sink_put(&zip->names, full, r->name_length) != TERN_OK)
        return zip->sink->status = zip->names.status;
    put_local(zip, r, full);
    tern_sink_put(zip->sink, data, (size_t)size);
    if (size) put_descriptor(zip, r);
    zip->count++;
    return zip->sink->status;
}

/* ---- the serialization id -------------------------------------------------------------------- */

/* How PyTorch folds hashes into one (c10::hash_combine, the formula of Boost). */
static uint64_t combined(uint64_t seed, uint64_t hash) {
    return seed ^ (hash + 0x9e3779b9u + (seed << 6) + (seed >> 2));
}

static uint64_t mixed(uint64_t v) {
    return v ^ v >> 47;
}

/* libstdc++'s std::hash<std::string>: MurmurHash64A with its own seed. */
static uint64_t hash_of_name(const unsigned char *name, size_t length) {
    const uint64_t mul = 0xc6a4a7935bd1e995u;
    uint64_t hash = 0xc70f6907u ^ (length * mul), tail = 0;
    size_t whole = length & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        hash = (hash ^ (mixed(tern_read_u64(name + i) * mul) * mul)) * mul;
    for (size_t i = length; i-- > whole;) tail = tail << 8 | name[i];
    if (length > whole) hash = (hash ^ tail) * mul;
    return mixed(mixed(hash) * mul);
}

/*
 * PyTorch folds the hashes of the names in the order in which libstdc++'s unordered_set iterates, so
 * that order is made here: one list of all nodes; a node goes in front of its bucket's first one, or
 * to the front of the list where the bucket is empty; a table that is full takes the next of these
 * sizes and is filled again in the list's order by the same rule.
 */
static const uint32_t table_sizes[] = {13,   29,    59,    127,   257,   541,    1109,   2357,
                                       5087, 10273, 20753, 42043, 85229, 172933, 351061, 712697};

#define NOT_THERE SIZE_MAX

typedef struct name_set {
    uint64_t *hashes; /* by record */
    size_t *next;     /* the list */
    size_t *before;   /* by bucket: the node before its first one; count stands for the head */
    size_t head, count, n_buckets;
} name_set;

static size_t *link_after(name_set *set, size_t node, size_t count) {
    return node == count ? &set->head : &set->next[node];
}

static void set_insert(name_set *set, size_t node, size_t count) {
    size_t bucket = (size_t)(set->hashes[node] % set->n_buckets);
    if (set->before[bucket] != NOT_THERE) {
        size_t *link = link_after(set, set->before[bucket], count);
        set->next[node] = *link;
        *link = node;
        return;
    }
    set->next[node] = set->head;
    if (set->head != NOT_THERE) set->before[set->hashes[set->head] % set->n_buckets] = node;
    set->head = node;
    set->before[bucket] = count;
}

static void set_resize(name_set *set, size_t n_buckets, size_t count) {
    size_t node = set->head;
    set->n_buckets = n_buckets;
    set->head = NOT_THERE;
    for (size_t i = 0; i < n_buckets; i++) set->before[i] = NOT_THERE;
    while (node != NOT_THERE) {
        size_t next = set->next[node];
        set_insert(set, node, count);
        node = next;
    }
}

static uint64_t folded_names(tern_zip_writer *zip, name_set *set) {
    size_t skipped = strlen(zip->root) + 1, size = 0;
    set->head = NOT_THERE;
    for (size_t i = 0; i < zip->count; i++) {
        const tern_zip_record *r = &zip->records[i];
        set->hashes[i] =
            hash_of_name(zip->names.bytes + r->name + skipped, r->name_length - skipped);
        if (i == 0)
            set_resize(set, table_sizes[0], zip->count);
        else if (i == set->n_buckets && size + 1 < sizeof table_sizes / sizeof *table_sizes)
            set_resize(set, table_sizes[++size], zip->count);
        set_insert(set, i, zip->count);
    }
    uint64_t folded = 0;
    for (size_t node = set->head; node != NOT_THERE; node = set->next[node])
        folded = combined(folded, set->hashes[node]);
    return folded;
}

/* 40 digits: what the names fold to, and what the checksums do. Any text would do for a reader; the
 * same text is what makes files equal. */
static tern_status add_serialization_id(tern_zip_writer *zip) {
    size_t count = zip->count, most = 0;
    while (table_sizes[most] < count && most + 1 < sizeof table_sizes / sizeof *table_sizes) most++;
    name_set set = {0};
    char id[48];
    uint64_t names = 0, checksums = 0;
    set.hashes = tern_alloc_zeroed(count + 1, sizeof *set.hashes);
    set.next = tern_alloc_zeroed(count + 1, sizeof *set.next);
    set.before = tern_alloc_zeroed(table_sizes[most], sizeof *set.before);
    bool ready = set.hashes && set.next && set.before;
    if (ready) names = folded_names(zip, &set);
    tern_free(set.hashes);
    tern_free(set.next);
    tern_free(set.before);
    if (!ready)
        return zip->sink->status =
                   tern_fail(zip->ctx, TERN_ERR_OUT_OF_MEMORY, "no memory for the archive's id");
    for (size_t i = 0; i < count; i++)
        if (zip->records[i].size) checksums = combined(checksums, zip->records[i].crc);
    snprintf(id, sizeof id, "%020llu%020llu", (unsigned long long)names,
             (unsigned long long)checksums);
    return tern_zip_add(zip, ".data/serialization_id", id, 40);
}

/* ---- the directory --------------------------------------------------------------------------- */

static void put_entry(tern_zip_writer *zip, const tern_zip_record *r) {
    unsigned char entry[46], extra[28], *p = entry;
    size_t extra_size = (size_t)(put_zip64(extra, r->size, r->size, r->header) - extra);
    p = tern_put_le(p, 0x02014b50, 4);
    p = tern_put_le(p, 0, 4); /* versions */
    p = tern_put_le(p, FLAG_UTF8 | (r->size ? FLAG_DESCRIPTOR : 0), 2);
    p = tern_put_le(p, 0, 6); /* stored, no time, no date */
    p = tern_put_le(p, r->crc, 4);
    p = tern_put_le(p, narrow(r->size), 4);
    p = tern_put_le(p, narrow(r->size), 4);
    p = tern_put_le(p, r->name_length, 2);
    p = tern_put_le(p, extra_size, 2);
    p = tern_put_le(p, 0, 8); /* no comment, disk 0, no attributes */
    p = tern_put_le(p, 0, 2);
    tern_put_le(p, narrow(r->header), 4);
    tern_sink_put(zip->sink, entry, sizeof entry);
    tern_sink_put(zip->sink, zip->names.bytes + r->name, r->name_length);
    tern_sink_put(zip->sink, extra, extra_size);
}

static void put_end(tern_zip_writer *zip, uint64_t directory) {
    unsigned char end[56 + 20 + 22], *p = end;
    uint64_t at = zip->sink->offset, size = at - directory, count = zip->count;
    uint64_t few = count < UINT16_MAX ? count : UINT16_MAX;
    p = tern_put_le(p, 0x06064b50, 4);
    p = tern_put_le(p, 44, 8);
    p = tern_put_le(p, 0x031e, 2);
    p = tern_put_le(p, 0x002d, 2);
    p = tern_put_le(p, 0, 8);
    p = tern_put_le(tern_put_le(p, count, 8), count, 8);
    p = tern_put_le(tern_put_le(p, size, 8), directory, 8);
    p = tern_put_le(p, 0x07064b50, 4);
    p = tern_put_le(p, 0, 4);
    p = tern_put_le(p, at, 8);
    p = tern_put_le(p, 1, 4);
    p = tern_put_le(p, 0x06054b50, 4);
    p = tern_put_le(p, 0, 4);
    p = tern_put_le(tern_put_le(p, few, 2), few, 2);
    p = tern_put_le(tern_put_le(p, narrow(size), 4), narrow(directory), 4);
    tern_put_le(p, 0, 2);
    tern_sink_put(zip->sink, end, sizeof end);
}

tern_status tern_zip_writer_end(tern_zip_writer *zip) {
    if (zip->sink->status == TERN_OK && zip->root) add_serialization_id(zip);
    uint64_t directory = zip->sink->offset;
    if (zip->sink->status == TERN_OK) {
        for (size_t i = 0; i < zip->count; i++) put_entry(zip, &zip->records[i]);
        put_end(zip, directory);
    }
    tern_free(zip->records);
    tern_free(zip->names.bytes);
    zip->records = NULL;
    zip->names.bytes = NULL;
    return zip->sink->status;
}
