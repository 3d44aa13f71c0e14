/* bytes.c: big-endian numbers in this machine's order. */
#include "bytes.h"

#include "tern/memory.h"

unsigned char *tern_turned(const unsigned char *data, size_t bytes, size_t unit) {
    unsigned char *copy = tern_alloc(bytes);
    for (size_t i = 0; copy && i < bytes; i += unit)
        for (size_t k = 0; k < unit; k++) copy[i + k] = data[i + unit - 1 - k];
    return copy;
}
