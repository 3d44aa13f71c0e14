#define _GNU_SOURCE
#include "io_fixture.h"

#include <zlib.h>

#include "io/bytes.h"
#include "io/crc32.h"
#include "io/zip_reader.h"
#include "io/zip_writer.h"
#include "tern/memory.h"

static tern_zip_member *find(tern_zip *zip, const char *name) {
    return tern_zip_find(zip, name, strlen(name));
}

/* A small archive of the writer's; `used` bytes of the sink. */
static tern_sink small_archive(tern_ctx *ctx) {
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&zip, ctx, &sink, "root");
    tern_zip_add(&zip, "data.pkl", "abc", 3);
    tern_zip_add(&zip, "data/0", NULL, 0);
    tern_zip_add(&zip, "data/1", "0123456789", 10);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    return sink;
}

Test(zip, reads_back_what_it_writes_with_data_aligned_to_64) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = small_archive(ctx);
    tern_zip zip;
    const unsigned char *data;
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", sink.bytes, sink.used), TERN_OK, "%s",
                 tern_error(ctx));
    cr_assert_eq(zip.count, 4);
    tern_zip_member *m = find(&zip, "root/data/1");
    cr_assert_not_null(m);
    cr_assert_eq(m->data % 64, 0);
    cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_OK);
    cr_assert_eq(memcmp(data, "0123456789", 10), 0);
    m = find(&zip, "root/data/0");
    cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_OK);
    cr_assert_eq(m->size, 0);
    cr_assert_null(find(&zip, "root/data/2"));
    cr_assert_null(find(&zip, "root/data/"));
    tern_zip_close(&zip);
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(zip, unpacks_deflated_members_and_refuses_bombs) {
    static unsigned char bytes[65536];
    tern_ctx *ctx = tern_open(NULL);
    tern_zip zip;
    const unsigned char *data;
    size_t size = slurp(SAMPLE("m1_deflated.pth"), bytes);
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", bytes, size), TERN_OK, "%s", tern_error(ctx));
    tern_zip_member *m = find(&zip, "m1/version");
    cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_OK);
    cr_assert(m->method == 8 && m->size == 2 && data[0] == '3');
    const unsigned char *again;
    tern_zip_read(&zip, m, &again);
    cr_assert_eq(again, data, "a member is unpacked twice");
    tern_zip_close(&zip);

    size = slurp(SAMPLE("bomb.pth"), bytes);
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", bytes, size), TERN_OK, "%s", tern_error(ctx));
    m = find(&zip, "bomb/data.pkl");
    cr_assert_eq(m->size, 3000000);
    tern_fail_allocation(0);
    cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_ERR_FORMAT);
    cr_assert_eq(tern_fail_allocation(0), 0, "memory was taken for a bomb");
    cr_assert_str_eq(tern_error(ctx),
                     "x: damaged zip archive: member 'bomb/data.pkl' unpacks to far "
                     "more than the archive holds: refused");
    tern_zip_close(&zip);
    tern_close(ctx);
}

/* Where the directory of the writer's archive lies. */
static size_t directory_of(const tern_sink *sink) {
    return (size_t)tern_read_u64(sink->bytes + sink->used - 22 - 20 - 56 + 48);
}

static void refused(tern_ctx *ctx, const tern_sink *sink, const char *why) {
    tern_zip zip;
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", sink->bytes, sink->used), TERN_ERR_FORMAT,
                 "not refused: %s", why);
    cr_assert_not_null(strstr(tern_error(ctx), why), "another reason than %s: %s", why,
                       tern_error(ctx));
    tern_error_clear(ctx);
    tern_zip_close(&zip);
}

Test(zip, refuses_what_disagrees_overlaps_or_repeats) {
    tern_ctx *ctx = tern_open(NULL);
    static const struct {
        size_t entry, at; /* of the directory's entries, counted in 46 + 13 bytes */
        unsigned char byte;
        const char *why;
    } changes[] = {{0, 20, 9, "stored, but with two sizes"},
                   {0, 10, 1, "other than 0 (stored)"},
                   {0, 8, 1, "encrypted"},
                   {0, 42, 1, "a header that differs"},
                   {0, 45, 0x7f, "outside the file"},
                   {0, 0, 'X', "an entry of its directory is broken"},
                   {0, 46, 'R', "a header that differs"},
                   {0, 28, 200, "has no valid name"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        tern_sink sink = small_archive(ctx);
        sink.bytes[directory_of(&sink) + changes[i].at] = changes[i].byte;
        refused(ctx, &sink, changes[i].why);
        tern_free(sink.bytes);
    }
    /* Both sizes of the first member reach into the next one, in the directory alone. */
    tern_sink sink = small_archive(ctx);
    size_t directory = directory_of(&sink);
    sink.bytes[directory + 20] = sink.bytes[directory + 24] = 100;
    refused(ctx, &sink, "overlaps another");
    tern_free(sink.bytes);
    /* The second member points at the third one's header and has its name. */
    sink = small_archive(ctx);
    directory = directory_of(&sink);
    unsigned char *second = sink.bytes + directory + 46 + 13, *third = second + 46 + 11;
    memcpy(second, third, 46 + 11);
    refused(ctx, &sink, "overlaps another");
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(zip, notices_every_changed_byte_of_a_member) {
    tern_ctx *ctx = tern_open(NULL);
    for (size_t i = 0; i < 10; i++) {
        tern_sink sink = small_archive(ctx);
        tern_zip zip;
        const unsigned char *data;
        tern_zip_open(&zip, ctx, "x", sink.bytes, sink.used);
        tern_zip_member *m = find(&zip, "root/data/1");
        sink.bytes[m->data + i] ^= 1;
        cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_ERR_FORMAT);
        cr_assert_not_null(strstr(tern_error(ctx), "wrong checksum"));
        tern_error_clear(ctx);
        tern_zip_close(&zip);
        tern_free(sink.bytes);
    }
    tern_close(ctx);
}

Test(zip, survives_truncation_at_every_byte) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = small_archive(ctx);
    for (size_t size = 0; size < sink.used; size++) {
        unsigned char *cut = tern_alloc(size); /* so that a sanitizer sees its end */
        memcpy(cut, sink.bytes, size);
        tern_zip zip;
        cr_assert_eq(tern_zip_open(&zip, ctx, "x", cut, size), TERN_ERR_FORMAT, "cut at %zu", size);
        check_message(ctx);
        tern_error_clear(ctx);
        tern_zip_close(&zip);
        tern_free(cut);
    }
    tern_free(sink.bytes);
    tern_close(ctx);
}

/* A file of 32 members, so that the table of names has grown twice; the id is PyTorch's own. */
Test(zip, serialization_id_folds_names_as_pytorch_does) {
    static unsigned char bytes[65536];
    tern_ctx *ctx = tern_open(NULL);
    tern_zip zip;
    const unsigned char *data;
    size_t size = slurp(SAMPLE("ckpt_adam.pth"), bytes); /* 32 members */
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", bytes, size), TERN_OK);
    cr_assert_gt(zip.count, 29);
    tern_zip_member *id = find(&zip, "ckpt_adam/.data/serialization_id");
    cr_assert_eq(tern_zip_read(&zip, id, &data), TERN_OK);
    tern_sink sink;
    tern_zip_writer writer;
    tern_sink_memory(&sink, ctx);
    tern_zip_writer_init(&writer, ctx, &sink, "ckpt_adam");
    const unsigned char *member;
    static const char *const first[] = {"data.pkl", ".format_version", ".storage_alignment",
                                        "byteorder"};
    for (int i = 0; i < 64; i++) {
        char name[64], full[128];
        if (i < 4)
            snprintf(name, sizeof name, "%s", first[i]);
        else if (i == 63)
            snprintf(name, sizeof name, "version");
        else
            snprintf(name, sizeof name, "data/%d", i - 4);
        snprintf(full, sizeof full, "ckpt_adam/%s", name);
        tern_zip_member *m = find(&zip, full);
        if (!m) continue;
        tern_zip_read(&zip, m, &member);
        tern_zip_add(&writer, name, member, m->size);
    }
    cr_assert_eq(tern_zip_writer_end(&writer), TERN_OK);
    cr_assert_eq(sink.used, size);
    cr_assert_eq(memcmp(sink.bytes, bytes, size), 0);
    tern_free(sink.bytes);
    tern_zip_close(&zip);
    tern_close(ctx);
}

/* ---- 64 bits --------------------------------------------------------------------------------- */

/*
 * An archive of one stored member "a" with "hello", whose directory gives sizes and offset in the
 * 64-bit field, with `fields` of the three in it, and whose end is in the 64-bit form.
 */
static size_t wide_archive(unsigned char *out, int fields) {
    static const unsigned char local[] =
        "PK\3\4\0\0\0\0\0\0\0\0\0\0\x86\xa6\x10\x36\5\0\0\0\5\0\0\0"
        "\1\0\0\0ahello";
    unsigned char *p = out;
    memcpy(p, local, 36);
    p += 36;
    unsigned char *directory = p;
    p = tern_put_le(p, 0x02014b50, 4);
    p = tern_put_le(tern_put_le(p, 0, 8), 0, 4);
    p = tern_put_le(p, 0x3610a686, 4); /* crc32 of "hello" */
    p = tern_put_le(p, UINT32_MAX, 4);
    p = tern_put_le(p, UINT32_MAX, 4);
    p = tern_put_le(p, 1, 2);
    p = tern_put_le(p, (uint64_t)(8 + 8 * fields),
                    2); /* an unknown field of no bytes comes first */
    p = tern_put_le(tern_put_le(p, 0, 8), 0, 2);
    p = tern_put_le(p, UINT32_MAX, 4);
    *p++ = 'a';
    p = tern_put_le(p, 0x7777, 4);
    p = tern_put_le(tern_put_le(p, 1, 2), (uint64_t)(8 * fields), 2);
    for (int i = 0; i < fields; i++) p = tern_put_le(p, i == 2 ? 0 : 5, 8);
    uint64_t at = (uint64_t)(p - out), size = (uint64_t)(p - directory);
    p = tern_put_le(tern_put_le(p, 0x06064b50, 4), 44, 8);
    p = tern_put_le(p, 0, 4);
    p = tern_put_le(p, 0, 8);
    p = tern_put_le(tern_put_le(p, 1, 8), 1, 8);
    p = tern_put_le(tern_put_le(p, size, 8), (uint64_t)(directory - out), 8);
    p = tern_put_le(tern_put_le(p, 0x07064b50, 4), 0, 4);
    p = tern_put_le(tern_put_le(p, at, 8), 1, 4);
    p = tern_put_le(tern_put_le(p, 0x06054b50, 4), 0, 4);
    p = tern_put_le(tern_put_le(p, UINT16_MAX, 2), UINT16_MAX, 2);
    p = tern_put_le(tern_put_le(p, UINT32_MAX, 4), UINT32_MAX, 4);
    return (size_t)(tern_put_le(p, 0, 2) - out);
}

Test(zip, reads_sizes_and_offsets_in_64_bits) {
    unsigned char bytes[512];
    const unsigned char *data;
    tern_ctx *ctx = tern_open(NULL);
    tern_zip zip;
    size_t size = wide_archive(bytes, 3);
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", bytes, size), TERN_OK, "%s", tern_error(ctx));
    tern_zip_member *m = find(&zip, "a");
    cr_assert(m && m->size == 5 && m->header == 0);
    cr_assert_eq(tern_zip_read(&zip, m, &data), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(memcmp(data, "hello", 5), 0);
    tern_zip_close(&zip);
    for (int fields = 0; fields < 3; fields++) {
        tern_sink sink = {.bytes = bytes, .used = wide_archive(bytes, fields)};
        refused(ctx, &sink, "broken extra field");
    }
    /* The 64-bit end: its place, its mark, its length, and that it agrees with the other. */
    static const struct {
        size_t from_end;
        unsigned char byte;
        const char *why;
    } changes[] = {
        {98, 'X', "zip64 end record is missing"}, {94, 45, "zip64 end record is missing"},
        {82, 1, "spans several disks"},           {78, 1, "spans several disks"},
        {74, 2, "spans several disks"},           {66, 9, "counts more members"},
        {58, 9, "its directory is not where"},    {50, 9, "its directory is not where"},
        {38, 1, "spans several disks"},           {27, 1, "is outside"},
        {14, 0, "two end records disagree"},      {18, 1, "spans several disks"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        tern_sink sink = {.bytes = bytes, .used = wide_archive(bytes, 3)};
        bytes[sink.used - changes[i].from_end] = changes[i].byte;
        if (changes[i].from_end == 66) bytes[sink.used - 74] = 9; /* both counts */
        if (changes[i].from_end == 14) bytes[sink.used - 12] = 0;
        refused(ctx, &sink, changes[i].why);
    }
    tern_close(ctx);
}

/* What the format's description says of a member that begins behind 4 GB. */
Test(zip, writes_offsets_beyond_4_gigabytes_in_64_bits) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink;
    tern_zip_writer zip;
    tern_sink_memory(&sink, ctx);
    const uint64_t far = UINT64_C(0x123456780);
    sink.offset = far;
    tern_zip_writer_init(&zip, ctx, &sink, NULL);
    cr_assert_eq(tern_zip_add(&zip, "a", "hello", 5), TERN_OK);
    const unsigned char *extra = sink.bytes + 30 + 1;
    cr_assert_eq(memcmp(extra, "\1\0\x08\0\x80\x67\x45\x23\1\0\0\0FB", 14), 0);
    size_t data = 30 + 1 + tern_read_u16(sink.bytes + 28);
    cr_assert_eq((far + data) % 64, 0, "the data is not aligned");
    cr_assert_eq(memcmp(sink.bytes + data, "helloPK\7\x08\x86\xa6\x10\x36\5\0\0\0\0\0\0\0\5", 22),
                 0, "no descriptor of 24 bytes");
    size_t directory = sink.used;
    cr_assert_eq(directory, data + 5 + 24);
    cr_assert_eq(tern_zip_writer_end(&zip), TERN_OK);
    const unsigned char *entry = sink.bytes + directory;
    cr_assert_eq(tern_read_u32(entry + 42), UINT32_MAX);
    cr_assert_eq(tern_read_u16(entry + 30), 12);
    cr_assert_eq(tern_read_u64(entry + 46 + 1 + 4), far);
    const unsigned char *end = sink.bytes + sink.used - 22;
    cr_assert_eq(tern_read_u32(end + 16), UINT32_MAX);
    cr_assert_eq(tern_read_u64(end - 20 - 56 + 48), far + directory);
    tern_free(sink.bytes);
    tern_close(ctx);
}

/* ---- what other writers leave out ------------------------------------------------------------ */

Test(zip, passes_over_bytes_behind_the_end) {
    tern_ctx *ctx = tern_open(NULL);
    tern_sink sink = small_archive(ctx);
    size_t size = sink.used;
    tern_zip zip;
    for (size_t behind = 0; behind <= 65536; behind = behind * 2 + 1) {
        for (size_t i = sink.used; i < size + behind; i++) tern_sink_put(&sink, "", 1);
        bool good = tern_zip_open(&zip, ctx, "x", sink.bytes, sink.used) == TERN_OK;
        cr_assert_eq(good, behind <= 65535, "%zu bytes: %s", behind, tern_error(ctx));
        cr_assert_eq(zip.behind, good ? behind : 0);
        tern_zip_close(&zip);
    }
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(zip, reads_an_archive_without_checksums_and_no_other_without_verifying) {
    static unsigned char bytes[65536];
    tern_ctx *ctx = tern_open(NULL);
    tern_zip zip;
    const unsigned char *data;
    size_t size = slurp(SAMPLE("no_checksums.pth"), bytes);
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", bytes, size), TERN_OK, "%s", tern_error(ctx));
    cr_assert(zip.no_checksums);
    for (size_t i = 0; i < zip.count; i++)
        cr_assert_eq(tern_zip_read(&zip, &zip.members[i], &data), TERN_OK);
    tern_zip_close(&zip);

    tern_sink sink = small_archive(ctx);
    memset(sink.bytes + directory_of(&sink) + 16, 0, 4); /* one of them gone */
    cr_assert_eq(tern_zip_open(&zip, ctx, "x", sink.bytes, sink.used), TERN_OK);
    cr_assert(!zip.no_checksums);
    cr_assert_eq(tern_zip_read(&zip, find(&zip, "root/data.pkl"), &data), TERN_ERR_FORMAT);
    tern_zip_close(&zip);
    tern_free(sink.bytes);
    tern_close(ctx);
}

Test(zip, checksums_are_zlibs_at_every_length_and_place) {
    static unsigned char bytes[4096];
    uint64_t state = 7;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)draw(&state, 256);
    for (size_t at = 0; at < 17; at++)
        for (size_t length = 0; length < 1100; length += length < 320 ? 1 : 61) {
            uint32_t start = (uint32_t)draw(&state, UINT32_MAX);
            uint32_t want = (uint32_t)crc32_z(start, bytes + at, length);
            cr_assert_eq(tern_crc32(start, bytes + at, length), want, "%zu bytes at %zu", length,
                         at);
        }
    uint32_t parts = tern_crc32(tern_crc32(0, bytes, 1000), bytes + 1000, 3096);
    cr_assert_eq(parts, tern_crc32(0, bytes, 4096));
    cr_assert_eq(tern_crc32(0, NULL, 0), 0);
}
