/* sha256.h: SHA-256 over bytes that come in parts. */
#ifndef TERN_IO_SHA256_H
#define TERN_IO_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct tern_sha256 {
    uint32_t state[8];
    unsigned char block[64]; /* the bytes that do not fill one yet */
    size_t used;
    uint64_t bytes;
} tern_sha256;

void tern_sha256_begin(tern_sha256 *sum);
void tern_sha256_add(tern_sha256 *sum, const void *data, size_t bytes);

/* 64 lower-case hexadecimal digits and a zero byte. */
void tern_sha256_end(tern_sha256 *sum, char *out_text);

#endif
