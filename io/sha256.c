/* sha256.c: SHA-256 as FIPS 180-4 describes it. */
#include "sha256.h"

#include <string.h>

#include "tern/io.h"

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (4.2.2). */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t x, int by) {
    return x >> by | x << (32 - by);
}

/* 6.2.2: one block of 64 bytes. */
static void absorb(uint32_t state[8], const unsigned char *block) {
    uint32_t w[64], s[8];
    for (int t = 0; t < 16; t++, block += 4)
        w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 |
               block[3];
    for (int t = 16; t < 64; t++)
        w[t] = (rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
               (rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
    memcpy(s, state, sizeof s);
    for (int t = 0; t < 64; t++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t t1 = s[7] + (rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)) + choice +
                      constants[t] + w[t];
        uint32_t t2 = (rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void tern_sha256_begin(tern_sha256 *sum) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sum->state, start, sizeof start);
    sum->used = 0;
    sum->bytes = 0;
}

void tern_sha256_add(tern_sha256 *sum, const void *data, size_t bytes) {
    const unsigned char *at = data;
    sum->bytes += bytes;
    while (bytes > 0) {
        if (sum->used == 0 && bytes >= 64) {
            for (; bytes >= 64; bytes -= 64, at += 64) absorb(sum->state, at);
            continue;
        }
        size_t part = 64 - sum->used < bytes ? 64 - sum->used : bytes;
        memcpy(sum->block + sum->used, at, part);
        at += part;
        bytes -= part;
        sum->used = (sum->used + part) % 64;
        if (sum->used == 0) absorb(sum->state, sum->block);
    }
}

/* 5.1.1: a one bit, zeros, and the length in bits. */
void tern_sha256_end(tern_sha256 *sum, char *out_text) {
    unsigned char tail[72] = {0x80};
    uint64_t bits = sum->bytes * 8;
    size_t zeros = (sum->used < 56 ? 56 : 120) - sum->used;
    for (int i = 0; i < 8; i++) tail[zeros + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
    tern_sha256_add(sum, tail, zeros + 8);
    for (int i = 0; i < 64; i++)
        out_text[i] = "0123456789abcdef"[sum->state[i / 8] >> (28 - 4 * (i % 8)) & 15];
    out_text[64] = 0;
}

void tern_sha256_hex(const void *data, size_t bytes, char *out_text) {
    tern_sha256 sum;
    if (!out_text) return;
    tern_sha256_begin(&sum);
    if (data) tern_sha256_add(&sum, data, bytes);
    tern_sha256_end(&sum, out_text);
}
