/*
 * idx.h: IDX, the files of MNIST (yann.lecun.com/exdb/mnist): one array, big endian.
 *
 *     0 0 | dtype | rank | u32 size of each dimension | data, row-major
 */
#ifndef TERN_IO_IDX_H
#define TERN_IO_IDX_H

#include "file.h"
#include "tern/tensor.h"

typedef struct tern_idx_header {
    tern_dtype dtype;
    uint32_t element; /* bytes */
    tern_shape shape;
    uint64_t bytes; /* of the data */
    size_t data;    /* where it begins */
} tern_idx_header;

/* Whether the bytes begin as an IDX file does, or as a gzip file, which is taken for a packed one. */
bool tern_is_idx(const unsigned char *bytes, size_t size);

/* What a gzip file holds, in a block of the seam: at most what its header says, and a byte more. Refused
 * where that is more than `most`. */
tern_status tern_idx_unpack(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                            size_t size, uint64_t most, unsigned char **out_bytes,
                            size_t *out_size);

/* Parses and checks a whole unpacked file; `path` is for messages. */
tern_status tern_idx_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                           tern_idx_header *out_header);

/* The array of a file's bytes, packed or not. Nil after latching an error. */
tern_tensor *tern_idx_read(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                           size_t size);

#endif
