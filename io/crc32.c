/*
 * crc32.c: a checksum at the memory's speed.
 *
 * The bytes are a polynomial over GF(2), the checksum is its rest by the divisor P. Carry-less products
 * fold 64 bytes at a time into 64 that have the same rest: a block of 128 bits that stands n bits before
 * another is worth (its halves times x^(n+32) and x^(n-32) mod P), reflected as the checksum is (Gopal et
 * al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", Intel 2009). What the folding
 * leaves, 16 bytes, goes through zlib like the bytes behind it: a checksum of 0 and then those 16 bytes
 * has, by construction, the same rest.
 */
#include "crc32.h"

#include <zlib.h>

static uint32_t by_zlib(uint32_t crc, const void *data, size_t bytes) {
    return (uint32_t)crc32_z(crc, bytes ? data : (const void *)"", (z_size_t)bytes);
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

enum { FOLDED = 64, WORTH_IT = 256 };

/* x^(n+32) mod P in the low half and x^(n-32) mod P in the high one, reflected, for n bits. */
#define BY_512 _mm_set_epi64x(0x00000001c6e41596, 0x0000000154442bd4)
#define BY_128 _mm_set_epi64x(0x00000000ccaa009e, 0x00000001751997d0)

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i block, __m128i by,
                                                                    __m128i next) {
    __m128i low = _mm_clmulepi64_si128(block, by, 0x00),
            high = _mm_clmulepi64_si128(block, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

static inline __m128i at(const unsigned char *p) {
    return _mm_loadu_si128((const __m128i *)p);
}

/* `bytes` is at least FOLDED. Leaves *out_done bytes summed. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t
by_products(uint32_t crc, const unsigned char *p, size_t bytes, size_t *out_done) {
    __m128i a = _mm_xor_si128(at(p), _mm_cvtsi32_si128((int)~crc)), b = at(p + 16), c = at(p + 32),
            d = at(p + 48);
    unsigned char left[16];
    size_t done = FOLDED;
    for (; bytes - done >= FOLDED; done += FOLDED) {
        a = fold(a, BY_512, at(p + done));
        b = fold(b, BY_512, at(p + done + 16));
        c = fold(c, BY_512, at(p + done + 32));
        d = fold(d, BY_512, at(p + done + 48));
    }
    b = fold(a, BY_128, b);
    c = fold(b, BY_128, c);
    d = fold(c, BY_128, d);
    _mm_storeu_si128((__m128i *)left, d);
    *out_done = done;
    return by_zlib(UINT32_MAX, left,
                   sizeof left); /* its own first inversion is undone by this start */
}

uint32_t tern_crc32(uint32_t crc, const void *data, size_t bytes) {
    size_t done = 0;
    if (bytes >= WORTH_IT && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
        crc = by_products(crc, data, bytes, &done);
    return by_zlib(crc, (const unsigned char *)data + done, bytes - done);
}

#else

uint32_t tern_crc32(uint32_t crc, const void *data, size_t bytes) {
    return by_zlib(crc, data, bytes);
}

#endif
