/* bytes.c: big-endian numbers in this machine's order; blocks that are used again. */
#include "bytes.h"

#include "tern/memory.h"

unsigned char *tern_turned(const unsigned char *data, size_t bytes, size_t unit) {
    unsigned char *copy = tern_alloc(bytes);
    for (size_t i = 0; copy && i < bytes; i += unit)
        for (size_t k = 0; k < unit; k++) copy[i + k] = data[i + unit - 1 - k];
    return copy;
}

unsigned char *tern_buffer_room(tern_buffer *buffer, size_t size) {
    if (buffer->bytes && buffer->size >= size) return buffer->bytes;
    tern_free(buffer->bytes);
    buffer->bytes = tern_alloc(size);
    buffer->size = buffer->bytes ? size : 0;
    return buffer->bytes;
}
