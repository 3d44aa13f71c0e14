/*
 * simd_zip.h: interleaving of two vectors, within each 16 bytes of them, and stores past the caches.
 *
 *     a  a0 a1 a2 a3     zip_low   a0 b0 a1 b1
 *     b  b0 b1 b2 b3     zip_high  a2 b2 a3 b3
 *
 * The number behind the name is the size of an element in bytes.
 */
#ifndef TERN_CPU_SIMD_SIMD_ZIP_H
#define TERN_CPU_SIMD_SIMD_ZIP_H

#include "simd.h"

#if SIMD_BYTES == 64
typedef __m512i zip_bits;
#define ZIP_LOW(bits)  _mm512_unpacklo_epi##bits
#define ZIP_HIGH(bits) _mm512_unpackhi_epi##bits
#elif SIMD_BYTES == 32
typedef __m256i zip_bits;
#define ZIP_LOW(bits)  _mm256_unpacklo_epi##bits
#define ZIP_HIGH(bits) _mm256_unpackhi_epi##bits
#elif defined(__x86_64__)
typedef __m128i zip_bits;
#define ZIP_LOW(bits)  _mm_unpacklo_epi##bits
#define ZIP_HIGH(bits) _mm_unpackhi_epi##bits
#elif defined(__aarch64__)
typedef i32v zip_bits;
SIMD_INLINE i32v neon_zip_low_8(i32v a, i32v b) {
    return (i32v)vzip1q_u8((uint8x16_t)a, (uint8x16_t)b);
}
SIMD_INLINE i32v neon_zip_high_8(i32v a, i32v b) {
    return (i32v)vzip2q_u8((uint8x16_t)a, (uint8x16_t)b);
}
SIMD_INLINE i32v neon_zip_low_16(i32v a, i32v b) {
    return (i32v)vzip1q_u16((uint16x8_t)a, (uint16x8_t)b);
}
SIMD_INLINE i32v neon_zip_high_16(i32v a, i32v b) {
    return (i32v)vzip2q_u16((uint16x8_t)a, (uint16x8_t)b);
}
SIMD_INLINE i32v neon_zip_low_32(i32v a, i32v b) {
    return (i32v)vzip1q_u32((uint32x4_t)a, (uint32x4_t)b);
}
SIMD_INLINE i32v neon_zip_high_32(i32v a, i32v b) {
    return (i32v)vzip2q_u32((uint32x4_t)a, (uint32x4_t)b);
}
SIMD_INLINE i32v neon_zip_low_64(i32v a, i32v b) {
    return (i32v)vzip1q_u64((uint64x2_t)a, (uint64x2_t)b);
}
SIMD_INLINE i32v neon_zip_high_64(i32v a, i32v b) {
    return (i32v)vzip2q_u64((uint64x2_t)a, (uint64x2_t)b);
}
#define ZIP_LOW(bits)  neon_zip_low_##bits
#define ZIP_HIGH(bits) neon_zip_high_##bits
#endif

SIMD_INLINE i32v zip_low_1(i32v a, i32v b) {
    return (i32v)ZIP_LOW(8)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_high_1(i32v a, i32v b) {
    return (i32v)ZIP_HIGH(8)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_low_2(i32v a, i32v b) {
    return (i32v)ZIP_LOW(16)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_high_2(i32v a, i32v b) {
    return (i32v)ZIP_HIGH(16)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_low_4(i32v a, i32v b) {
    return (i32v)ZIP_LOW(32)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_high_4(i32v a, i32v b) {
    return (i32v)ZIP_HIGH(32)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_low_8(i32v a, i32v b) {
    return (i32v)ZIP_LOW(64)((zip_bits)a, (zip_bits)b);
}
SIMD_INLINE i32v zip_high_8(i32v a, i32v b) {
    return (i32v)ZIP_HIGH(64)((zip_bits)a, (zip_bits)b);
}

/* 16 bytes each of SIMD_BYTES / 16 places that lie `step` bytes apart. */
SIMD_INLINE i32v simd_load_pieces(const char *from, int64_t step) {
#if SIMD_BYTES == 64
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const void *)from));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const void *)(from + step)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const void *)(from + 2 * step)), 2);
    return (i32v)_mm512_inserti32x4(x, _mm_loadu_si128((const void *)(from + 3 * step)), 3);
#elif SIMD_BYTES == 32
    __m256i x = _mm256_castsi128_si256(_mm_loadu_si128((const void *)from));
    return (i32v)_mm256_inserti128_si256(x, _mm_loadu_si128((const void *)(from + step)), 1);
#else
    (void)step;
    return i32_load(from);
#endif
}

/* The reverse: each 16 bytes of a vector to a place of their own. */
SIMD_INLINE void simd_store_pieces(char *to, int64_t step, i32v x) {
#if SIMD_BYTES == 64
    _mm_storeu_si128((void *)to, _mm512_castsi512_si128((__m512i)x));
    _mm_storeu_si128((void *)(to + step), _mm512_extracti32x4_epi32((__m512i)x, 1));
    _mm_storeu_si128((void *)(to + 2 * step), _mm512_extracti32x4_epi32((__m512i)x, 2));
    _mm_storeu_si128((void *)(to + 3 * step), _mm512_extracti32x4_epi32((__m512i)x, 3));
#elif SIMD_BYTES == 32
    _mm_storeu_si128((void *)to, _mm256_castsi256_si128((__m256i)x));
    _mm_storeu_si128((void *)(to + step), _mm256_extracti128_si256((__m256i)x, 1));
#else
    (void)step;
    i32_store(to, x);
#endif
}
/* Each 8 bytes: the second half of a piece `half` bytes behind the first one, pieces `step` bytes apart. */
SIMD_INLINE void simd_store_halves(char *to, int64_t half, int64_t step, i32v x) {
    for (int q = 0; q < SIMD_BYTES / 16; q++) {
        int64_t low = ((i64v)x)[2 * q], high = ((i64v)x)[2 * q + 1];
        memcpy(to + q * step, &low, sizeof low);
        memcpy(to + q * step + half, &high, sizeof high);
    }
}

/* A store to an address that is a multiple of SIMD_BYTES, which need not stay in a cache; simd_settle
 * comes behind the last of them. */
SIMD_INLINE void simd_stream(void *to, i32v x) {
#if SIMD_BYTES == 64
    _mm512_stream_si512(to, (__m512i)x);
#elif SIMD_BYTES == 32
    _mm256_stream_si256(to, (__m256i)x);
#elif defined(__x86_64__)
    _mm_stream_si128(to, (__m128i)x);
#else
    i32_store(to, x);
#endif
}
SIMD_INLINE void simd_settle(void) {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

#endif
