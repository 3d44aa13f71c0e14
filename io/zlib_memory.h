/* zlib_memory.h: zlib's memory, from the allocation seam. */
#ifndef TERN_IO_ZLIB_MEMORY_H
#define TERN_IO_ZLIB_MEMORY_H

#include <zlib.h>

#include "tern/memory.h"

static inline voidpf tern_zlib_alloc(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    return tern_alloc_zeroed(items, size);
}

static inline void tern_zlib_free(voidpf opaque, voidpf memory) {
    (void)opaque;
    tern_free(memory);
}

#endif
