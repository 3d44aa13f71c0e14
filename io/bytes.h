/* bytes.h: little-endian numbers in files, at any alignment. */
#ifndef TERN_IO_BYTES_H
#define TERN_IO_BYTES_H

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

#endif
