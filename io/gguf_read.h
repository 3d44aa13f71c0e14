/*
 * gguf_read.h: GGUF, the files of ggml and llama.cpp: metadata and tensors, quantised or not.
 *
 *     "GGUF" | u32 version | u64 tensors | u64 entries of metadata
 *     entry:  key | u32 type | value                      a text is u64 length | bytes
 *     tensor: name | u32 rank | u64 size of each dimension, the fastest first | u32 type | u64 offset
 *     padding to a multiple of general.alignment, which is 32 where it is absent | data
 *
 * Versions 2 and 3 are read, little endian. Offsets count from the data's begin and are multiples of the
 * alignment; no two tensors share bytes, so that what a file unpacks to is bounded by its size.
 */
#ifndef TERN_IO_GGUF_READ_H
#define TERN_IO_GGUF_READ_H

#include "gguf_blocks.h"
#include "mapping.h"
#include "tern/value.h"

typedef struct tern_gguf_entry {
    tern_value name;
    const tern_gguf_type *type;
    tern_shape shape; /* the slowest first, as Tern has it */
    uint64_t offset, bytes;
    size_t order; /* in the file's list */
    const unsigned char *data;
} tern_gguf_entry;

/* What it points to lives in the scope; `data` in the bytes that were parsed. */
typedef struct tern_gguf {
    tern_gguf_entry *entries; /* in the order of the data */
    size_t count;
    tern_value metadata; /* a dict */
} tern_gguf;

bool tern_is_gguf(const unsigned char *bytes, size_t size);

/* Reads and checks everything but the data; `path` is for messages. False after latching an error. */
bool tern_gguf_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                     tern_gguf *out_file);

/* A dict of tensors with the metadata as attribute "gguf". Tensors that need no decoding are made over the
 * mapping's pages, unless that is NULL. None after latching an error. */
tern_value tern_gguf_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                          tern_mapping *mapping);

#endif
