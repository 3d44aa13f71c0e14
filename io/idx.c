/* idx.c: arrays from IDX files. */
#include "idx.h"

#include <string.h>

#include "bytes.h"
#include "gzip.h"
#include "tern/io.h"
#include "tern/memory.h"

enum { MOST_HEADER = 4 + 4 * TERN_MAX_RANK };

static const struct {
    unsigned char code;
    tern_dtype dtype;
} dtypes[] = {{0x08, TERN_UINT8}, {0x09, TERN_INT8},    {0x0b, TERN_INT16},
              {0x0c, TERN_INT32}, {0x0d, TERN_FLOAT32}, {0x0e, TERN_FLOAT64}};

static tern_dtype dtype_of(unsigned char code) {
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (dtypes[i].code == code) return dtypes[i].dtype;
    return TERN_DTYPE_DEFAULT;
}

static bool begins_as_idx(const unsigned char *bytes, size_t size) {
    return size >= 4 && bytes[0] == 0 && bytes[1] == 0 &&
           dtype_of(bytes[2]) != TERN_DTYPE_DEFAULT && bytes[3] >= 1;
}

bool tern_is_idx(const unsigned char *bytes, size_t size) {
    return begins_as_idx(bytes, size) || tern_is_gzip(bytes, size);
}

static tern_status damaged(tern_ctx *ctx, const char *path, const char *what) {
    return tern_fail(ctx, TERN_ERR_FORMAT, "%s: damaged IDX file: %s", path, what);
}

/* Shape and size of the data, from the beginning of a file. */
static tern_status parse_header(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                                size_t size, tern_idx_header *h) {
    memset(h, 0, sizeof *h);
    if (!begins_as_idx(bytes, size))
        return tern_fail(ctx, TERN_ERR_FORMAT,
                         "%s: not an IDX file: it does not begin with 0 0, a dtype and a rank",
                         path);
    if (bytes[3] > TERN_MAX_RANK)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED,
                         "%s: an array of more than %d dimensions, which Tern does not support",
                         path, TERN_MAX_RANK);
    h->dtype = dtype_of(bytes[2]);
    h->element = (uint32_t)tern_dtype_size(h->dtype);
    h->shape.rank = bytes[3];
    h->data = 4 + 4 * (size_t)bytes[3];
    if (size < h->data) return damaged(ctx, path, "its header is truncated");
    h->bytes = h->element;
    for (int d = 0; d < h->shape.rank; d++) {
        const unsigned char *at = bytes + 4 + 4 * d;
        h->shape.dim[d] = (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
        if (!tern_size_mul(h->bytes, (uint64_t)h->shape.dim[d], &h->bytes) ||
            h->bytes > INT64_MAX / 16)
            return damaged(ctx, path, "its shape overflows");
    }
    return TERN_OK;
}

tern_status tern_idx_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                           tern_idx_header *out_header) {
    if (parse_header(ctx, path, bytes, size, out_header) != TERN_OK) return tern_check(ctx);
    if (size - out_header->data < out_header->bytes)
        return damaged(ctx, path, "its data is truncated");
    if (size - out_header->data > out_header->bytes)
        return damaged(ctx, path, "there are bytes after its data");
    return TERN_OK;
}

/* The header is unpacked first, for it says how much may follow. */
tern_status tern_idx_unpack(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                            size_t size, uint64_t most, unsigned char **out_bytes,
                            size_t *out_size) {
    tern_idx_header h;
    tern_status status = tern_gunzip(ctx, path, bytes, size, MOST_HEADER, out_bytes, out_size);
    if (status != TERN_OK) return status;
    status = parse_header(ctx, path, *out_bytes, *out_size, &h);
    tern_free(*out_bytes);
    *out_bytes = NULL;
    if (status != TERN_OK) return status;
    if (h.bytes > most)
        return tern_fail(ctx, TERN_ERR_FORMAT,
                         "%s: unpacks to %llu bytes, more than is held at once: unpack it first",
                         path, (unsigned long long)h.bytes);
    return tern_gunzip(ctx, path, bytes, size, h.data + (size_t)h.bytes + 1, out_bytes, out_size);
}

/* The numbers of a big-endian array in the order of this machine. */
static tern_tensor *make_tensor(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                                const tern_idx_header *h) {
    const unsigned char *data = bytes + h->data;
    if (h->element == 1) return tern_from_data(ctx, data, h->shape, h->dtype);
    unsigned char *turned = tern_turned(data, (size_t)h->bytes, h->element);
    if (!turned) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for %llu bytes", path,
                  (unsigned long long)h->bytes);
        return tern_nil(ctx);
    }
    tern_tensor *tensor = tern_from_data(ctx, turned, h->shape, h->dtype);
    tern_free(turned);
    return tensor;
}

tern_tensor *tern_idx_read(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                           size_t size) {
    tern_idx_header h;
    unsigned char *unpacked = NULL;
    tern_tensor *tensor = tern_nil(ctx);
    if (tern_is_gzip(bytes, size)) {
        if (tern_idx_unpack(ctx, path, bytes, size, UINT64_MAX, &unpacked, &size) != TERN_OK)
            return tensor;
        bytes = unpacked;
    }
    if (tern_idx_parse(ctx, path, bytes, size, &h) == TERN_OK)
        tensor = make_tensor(ctx, path, bytes, &h);
    tern_free(unpacked);
    return tensor;
}

tern_tensor *tern_idx_load(tern_ctx *ctx, const char *path) {
    unsigned char *bytes;
    size_t size;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return tern_nil(ctx);
    tern_tensor *tensor = tern_idx_read(ctx, path, bytes, size);
    tern_free(bytes);
    return tensor;
}
