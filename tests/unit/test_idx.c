#define _GNU_SOURCE
#include <zlib.h>

#include "io/idx.h"
#include "io_fixture.h"
#include "tern/memory.h"

/* 2 x 3 numbers 0 to 5 of the dtype's code, big endian. */
static size_t make_idx(unsigned char code, const unsigned char numbers[6][8], size_t element,
                       unsigned char *out) {
    static const unsigned char sizes[] = {2, 0, 0, 0, 2, 0, 0, 0, 3};
    out[0] = out[1] = 0;
    out[2] = code;
    memcpy(out + 3, sizes, sizeof sizes);
    for (size_t i = 0; i < 6; i++) memcpy(out + 12 + i * element, numbers[i], element);
    return 12 + 6 * element;
}

static size_t counting_bytes(unsigned char *out) {
    static const unsigned char numbers[6][8] = {{0}, {1}, {2}, {3}, {4}, {5}};
    return make_idx(8, numbers, 1, out);
}

static size_t packed(const unsigned char *bytes, size_t size, unsigned char *out, size_t room) {
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (z_const Bytef *)bytes;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void check_counting(tern_ctx *ctx, const unsigned char *bytes, size_t size,
                           tern_dtype dtype) {
    double data[6];
    tern_tensor *tensor = tern_idx_read(ctx, "a.idx", bytes, size);
    cr_assert_not(tern_is_nil(tensor), "%s", tern_error(ctx));
    cr_assert_eq(tern_dtype_of(tensor), dtype);
    cr_assert(tern_rank(tensor) == 2 && tern_size(tensor, 0) == 2 && tern_size(tensor, 1) == 3);
    tern_to_doubles(tensor, data, 6);
    for (int i = 0; i < 6; i++) cr_assert_eq(data[i], i, "element %d is %g", i, data[i]);
}

Test(idx, every_dtype_is_read_big_endian) {
    static const unsigned char wide[6][8] = {{0, 0, 0, 0}, {0, 0, 0, 1}, {0, 0, 0, 2},
                                             {0, 0, 0, 3}, {0, 0, 0, 4}, {0, 0, 0, 5}};
    static const unsigned char narrow[6][8] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}};
    static const unsigned char single[6][8] = {{0},          {0x3f, 0x80}, {0x40},
                                               {0x40, 0x40}, {0x40, 0x80}, {0x40, 0xa0}};
    static const unsigned char twice[6][8] = {{0},          {0x3f, 0xf0}, {0x40},
                                              {0x40, 0x08}, {0x40, 0x10}, {0x40, 0x14}};
    unsigned char bytes[64];
    tern_ctx *ctx = tern_open(NULL);
    check_counting(ctx, bytes, counting_bytes(bytes), TERN_UINT8);
    bytes[2] = 9;
    check_counting(ctx, bytes, 18, TERN_INT8);
    check_counting(ctx, bytes, make_idx(0x0b, narrow, 2, bytes), TERN_INT16);
    check_counting(ctx, bytes, make_idx(0x0c, wide, 4, bytes), TERN_INT32);
    check_counting(ctx, bytes, make_idx(0x0d, single, 4, bytes), TERN_FLOAT32);
    check_counting(ctx, bytes, make_idx(0x0e, twice, 8, bytes), TERN_FLOAT64);
    tern_close(ctx);
}

Test(idx, a_packed_file_is_read_and_its_members_follow_one_another) {
    unsigned char bytes[64], zipped[256];
    tern_ctx *ctx = tern_open(NULL);
    size_t size = counting_bytes(bytes);
    check_counting(ctx, zipped, packed(bytes, size, zipped, sizeof zipped), TERN_UINT8);
    size_t first = packed(bytes, 7, zipped, sizeof zipped);
    size_t rest = packed(bytes + 7, size - 7, zipped + first, sizeof zipped - first);
    check_counting(ctx, zipped, first + rest, TERN_UINT8);
    tern_close(ctx);
}

static void check_refused(tern_ctx *ctx, const unsigned char *bytes, size_t size,
                          const char *wanted) {
    cr_assert(tern_is_nil(tern_idx_read(ctx, "a.idx", bytes, size)), "read, not: %s", wanted);
    cr_assert_not_null(strstr(tern_error(ctx), wanted), "%s", tern_error(ctx));
    check_message(ctx);
    tern_error_clear(ctx);
}

Test(idx, what_is_wrong_is_named) {
    unsigned char bytes[64], zipped[256];
    tern_ctx *ctx = tern_open(NULL);
    size_t size = counting_bytes(bytes);
    check_refused(ctx, bytes, 17, "a.idx: damaged IDX file: its data is truncated");
    check_refused(ctx, bytes, 9, "its header is truncated");
    check_refused(ctx, bytes, 0, "not an IDX file");
    bytes[size] = 1;
    check_refused(ctx, bytes, size + 1, "there are bytes after its data");
    size_t length = packed(bytes, size + 1, zipped, sizeof zipped);
    check_refused(ctx, zipped, length, "there are bytes after its data");
    check_refused(ctx, zipped, length - 9, "damaged gzip file: it is truncated");
    zipped[length - 8] ^= 1;
    check_refused(ctx, zipped, length, "damaged gzip file: incorrect data check");
    bytes[3] = 17;
    check_refused(ctx, bytes, size, "more than 16 dimensions");
    bytes[2] = 7;
    check_refused(ctx, bytes, size, "not an IDX file");
    memset(bytes, 0xff, sizeof bytes);
    bytes[0] = bytes[1] = 0;
    bytes[2] = 0x0e;
    bytes[3] = 4;
    check_refused(ctx, bytes, sizeof bytes, "its shape overflows");
    cr_assert(tern_is_nil(tern_idx_load(ctx, "/nowhere/a.idx")));
    cr_assert_not_null(strstr(tern_error(ctx), "/nowhere/a.idx: "), "%s", tern_error(ctx));
    tern_close(ctx);
}

/* A packed file may say that it is huge: nothing is unpacked beyond what it says, nor before. */
Test(idx, a_packed_file_of_zeros_takes_no_more_than_it_says) {
    static unsigned char zeros[1 << 20], zipped[1 << 14];
    static const unsigned char header[] = {0, 0, 8, 1, 0, 0, 0, 5};
    tern_ctx *ctx = tern_open(NULL);
    memcpy(zeros, header, sizeof header);
    size_t length = packed(zeros, sizeof zeros, zipped, sizeof zipped);
    check_refused(ctx, zipped, length, "there are bytes after its data");
    tern_close(ctx);
}

Test(idx, a_file_is_loaded_told_and_mapped_by_its_content) {
    unsigned char bytes[64], zipped[256];
    char path[300];
    const char *folder = make_folder();
    tern_ctx *ctx = tern_open(NULL);
    size_t size = counting_bytes(bytes);
    snprintf(path, sizeof path, "%s/a.gz", folder);
    cr_assert_eq(tern_file_write(ctx, path, zipped, packed(bytes, size, zipped, sizeof zipped)),
                 TERN_OK);
    cr_assert_eq(tern_numel(tern_idx_load(ctx, path)), 6);
    cr_assert_eq(tern_numel(tern_value_load(ctx, path).as.tensor), 6);
    cr_assert_eq(tern_numel(tern_value_map(ctx, path).as.tensor), 6);
    tern_value report = tern_file_inspect(ctx, path);
    const char *text = tern_json_text(ctx, report, 0);
    cr_assert_not_null(text, "%s", tern_error(ctx));
    cr_assert_not_null(strstr(text, "\"format\": \"idx\""), "%s", text);
    /* printf '\0\1\2\3\4\5' | sha256sum */
    cr_assert_not_null(
        strstr(text, "17e88db187afd62c16e5debf3e6527cd006bc012bc90b51a810cd80c2d511f43"), "%s",
        text);
    tern_close(ctx);
    count_files(folder, true);
}
