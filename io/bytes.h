/* bytes.h: numbers in files, little and big endian, at any alignment. */
#ifndef TERN_IO_BYTES_H
#define TERN_IO_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t tern_read_u16(const unsigned char *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t tern_read_u32(const unsigned char *p) {
    return (uint32_t)tern_read_u16(p) | (uint32_t)tern_read_u16(p + 2) << 16;
}

static inline uint64_t tern_read_u64(const unsigned char *p) {
    return (uint64_t)tern_read_u32(p) | (uint64_t)tern_read_u32(p + 4) << 32;
}

/* Writes `bytes` bytes of the number and returns the place behind them. */
static inline unsigned char *tern_put_le(unsigned char *p, uint64_t number, int bytes) {
    for (int i = 0; i < bytes; i++) *p++ = (unsigned char)(number >> (8 * i));
    return p;
}

/* The numbers of `unit` bytes turned round, in a block of the allocation seam; NULL without memory. */
unsigned char *tern_turned(const unsigned char *data, size_t bytes, size_t unit);

/* A block of the seam that grows and is used again; {0} is an empty one. tern_free(buffer.bytes) ends it. */
typedef struct tern_buffer {
    unsigned char *bytes;
    size_t size;
} tern_buffer;

/* Makes the block at least `size` bytes; its content is open. NULL without memory. */
unsigned char *tern_buffer_room(tern_buffer *buffer, size_t size);

#endif
