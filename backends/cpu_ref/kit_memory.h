/*
 * kit_memory.h: what a buffer of the kit's own host memory is.
 */
#ifndef TERN_KIT_MEMORY_H
#define TERN_KIT_MEMORY_H

#include "kit.h"

/* What a tern_bbuffer of tern_kit_host_memory points to. */
typedef struct tern_kit_host_buffer {
    void *memory;
    bool imported; /* the program's memory: never freed here */
} tern_kit_host_buffer;

static inline void *tern_kit_host_address(const tern_bbuffer *buffer) {
    return ((const tern_kit_host_buffer *)(const void *)buffer)->memory;
}

#endif
