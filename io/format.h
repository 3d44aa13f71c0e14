/* format.h: which format a file has, told by its content. */
#ifndef TERN_IO_FORMAT_H
#define TERN_IO_FORMAT_H

#include "file.h"

typedef enum tern_format {
    TERN_FORMAT_UNKNOWN,
    TERN_FORMAT_PTH,
    TERN_FORMAT_SAFETENSORS,
    TERN_FORMAT_GGUF,
    TERN_FORMAT_NPY,
    TERN_FORMAT_NPZ,
    TERN_FORMAT_IDX /* packed by gzip or not */
} tern_format;

/* From the first bytes; whether the rest keeps that promise is the reader's to find. */
tern_format tern_format_of(const unsigned char *bytes, size_t size);

/* Latches that a file has none of them. */
tern_status tern_format_fail(tern_ctx *ctx, const char *path, size_t size);

#endif
