/*
 * mapping.h: a file's bytes in memory without reading them: pages come as they are touched, and what
 * is written to them stays in memory.
 */
#ifndef TERN_IO_MAPPING_H
#define TERN_IO_MAPPING_H

#include <stdatomic.h>

#include "tern/context.h"
#include "tern/tensor.h"

/* Counted: one for whoever opened it, one for each tensor over it. */
typedef struct tern_mapping {
    atomic_int references;
    unsigned char *bytes;
    size_t size;
} tern_mapping;

/* Maps a regular file that is not empty; NULL after latching an error. */
tern_mapping *tern_mapping_open(tern_ctx *ctx, const char *path);

/* A tensor over bytes of the mapping, which it keeps; a copy where the device cannot use them. */
tern_tensor *tern_mapping_tensor(tern_ctx *ctx, tern_mapping *mapping, const unsigned char *data,
                                 tern_shape shape, tern_dtype dtype);

/* Lets go of the pages that lie within these bytes, which nobody has written to: they come again from the
 * file when they are touched. NULL has none. */
void tern_mapping_forget(const tern_mapping *mapping, const void *bytes, size_t size);

void tern_mapping_release(void *mapping);

#endif
