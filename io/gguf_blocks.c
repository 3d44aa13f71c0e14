/* gguf_blocks.c: blocks of quantised numbers, decoded to float32. */
#include "gguf_blocks.h"

#include "../numerics/dtype_convert.h"
#include "bytes.h"

/* Elements of a block of the K types. */
enum { SUPER = 256 };

static float half(const unsigned char *p) {
    return tern_num_f16_to_f32(tern_read_u16(p));
}

/* ---- blocks of 32: the lower halves of 16 bytes, then the upper ------------------------------ */

static int nibble(const unsigned char *q, int i) {
    return i < 16 ? q[i] & 15 : q[i - 16] >> 4;
}

static void q4_0(const unsigned char *b, float *out) {
    float d = half(b);
    for (int i = 0; i < 32; i++) out[i] = d * (float)(nibble(b + 2, i) - 8);
}

static void q4_1(const unsigned char *b, float *out) {
    float d = half(b), m = half(b + 2);
    for (int i = 0; i < 32; i++) out[i] = d * (float)nibble(b + 4, i) + m;
}

static int five_bits(const unsigned char *fifth, const unsigned char *q, int i) {
    return nibble(q, i) | (int)(tern_read_u32(fifth) >> i & 1) << 4;
}

static void q5_0(const unsigned char *b, float *out) {
    float d = half(b);
    for (int i = 0; i < 32; i++) out[i] = d * (float)(five_bits(b + 2, b + 6, i) - 16);
}

static void q5_1(const unsigned char *b, float *out) {
    float d = half(b), m = half(b + 2);
    for (int i = 0; i < 32; i++) out[i] = d * (float)five_bits(b + 4, b + 8, i) + m;
}

static void q8_0(const unsigned char *b, float *out) {
    float d = half(b);
    for (int i = 0; i < 32; i++) out[i] = d * (float)(int8_t)b[2 + i];
}

/* ---- blocks of 256: groups of 16 or 32 with scales of their own ------------------------------ */

/* 128 elements lie in 32 bytes: the lowest two bits of each, then the next two. */
static int two_bits(const unsigned char *q, int i) {
    return q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

/* 64 elements lie in 32 bytes: the lower halves, then the upper. */
static int four_bits(const unsigned char *q, int i) {
    return q[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
}

static void q2_k(const unsigned char *b, float *out) {
    const unsigned char *scales = b, *q = b + 16;
    float d = half(b + 80), dmin = half(b + 82);
    for (int i = 0; i < SUPER; i++) {
        int scale = scales[i / 16];
        out[i] = d * (float)(scale & 15) * (float)two_bits(q, i) - dmin * (float)(scale >> 4);
    }
}

/* 16 numbers of 6 bits in 12 bytes: the lower four in 8 bytes, as nibbles, the upper two in 4. */
static int scale_of_16(const unsigned char *s, int k) {
    int low = k < 8 ? s[k] & 15 : s[k - 8] >> 4;
    return low | (s[8 + k % 4] >> (k / 4 * 2) & 3) << 4;
}

static void q3_k(const unsigned char *b, float *out) {
    const unsigned char *third = b, *q = b + 32, *scales = b + 96;
    float d = half(b + 108);
    for (int i = 0; i < SUPER; i++) {
        int set = third[i % 32] >> (i / 32) & 1; /* a bit that is not set takes 4 away */
        float scale = d * (float)(scale_of_16(scales, i / 16) - 32);
        out[i] = scale * (float)(two_bits(q, i) - (set ? 0 : 4));
    }
}

/* 8 scales and 8 minima of 6 bits in 12 bytes: four of each whole; the others' lower bits in the last four
 * bytes, their upper two on top of the first. */
static void scale_of_8(const unsigned char *s, int k, float *out_scale, float *out_least) {
    int scale = s[k % 4], least = s[k % 4 + 4], low = s[k % 4 + 8];
    *out_scale = (float)(k < 4 ? scale & 63 : (low & 15) | scale >> 6 << 4);
    *out_least = (float)(k < 4 ? least & 63 : low >> 4 | least >> 6 << 4);
}

/* Of four bits, or of five where `fifth` is given. */
static void q45_k(const unsigned char *b, const unsigned char *fifth, const unsigned char *q,
                  float *out) {
    float d = half(b), dmin = half(b + 2), scale, least;
    for (int i = 0; i < SUPER; i++) {
        scale_of_8(b + 4, i / 32, &scale, &least);
        int number = four_bits(q, i) | (fifth ? (fifth[i % 32] >> (i / 32) & 1) << 4 : 0);
        out[i] = d * scale * (float)number - dmin * least;
    }
}

static void q4_k(const unsigned char *b, float *out) {
    q45_k(b, NULL, b + 16, out);
}

static void q5_k(const unsigned char *b, float *out) {
    q45_k(b, b + 16, b + 48, out);
}

static void q6_k(const unsigned char *b, float *out) {
    const unsigned char *low = b, *high = b + 128, *scales = b + 192;
    float d = half(b + 208);
    for (int i = 0; i < SUPER; i++) {
        int at = i / 128 * 64 + i % 64; /* 128 elements lie in 64 bytes: the lower halves first */
        int number = (low[at] >> (i % 128 / 64 * 4) & 15) | two_bits(high, i) << 4;
        out[i] = d * (float)(int8_t)scales[i / 16] * (float)(number - 32);
    }
}

/* ---- the types ------------------------------------------------------------------------------- */

#define PLAIN(id, name, dtype, bytes)                                                              \
    { id, name, 1, bytes, dtype, NULL }
#define BLOCKS(id, name, elements, bytes, decode)                                                  \
    { id, name, elements, bytes, TERN_FLOAT32, decode }
#define NOT_READ(id, name, elements, bytes)                                                        \
    { id, name, elements, bytes, TERN_DTYPE_DEFAULT, NULL }

static const tern_gguf_type types[] = {
    PLAIN(0, "float32", TERN_FLOAT32, 4),    PLAIN(1, "float16", TERN_FLOAT16, 2),
    BLOCKS(2, "Q4_0", 32, 18, q4_0),         BLOCKS(3, "Q4_1", 32, 20, q4_1),
    BLOCKS(6, "Q5_0", 32, 22, q5_0),         BLOCKS(7, "Q5_1", 32, 24, q5_1),
    BLOCKS(8, "Q8_0", 32, 34, q8_0),         NOT_READ(9, "Q8_1", 32, 36),
    BLOCKS(10, "Q2_K", SUPER, 84, q2_k),     BLOCKS(11, "Q3_K", SUPER, 110, q3_k),
    BLOCKS(12, "Q4_K", SUPER, 144, q4_k),    BLOCKS(13, "Q5_K", SUPER, 176, q5_k),
    BLOCKS(14, "Q6_K", SUPER, 210, q6_k),    NOT_READ(15, "Q8_K", SUPER, 292),
    NOT_READ(16, "IQ2_XXS", SUPER, 66),      NOT_READ(17, "IQ2_XS", SUPER, 74),
    NOT_READ(18, "IQ3_XXS", SUPER, 98),      NOT_READ(19, "IQ1_S", SUPER, 50),
    NOT_READ(20, "IQ4_NL", 32, 18),          NOT_READ(21, "IQ3_S", SUPER, 110),
    NOT_READ(22, "IQ2_S", SUPER, 82),        NOT_READ(23, "IQ4_XS", SUPER, 136),
    PLAIN(24, "int8", TERN_INT8, 1),         PLAIN(25, "int16", TERN_INT16, 2),
    PLAIN(26, "int32", TERN_INT32, 4),       PLAIN(27, "int64", TERN_INT64, 8),
    PLAIN(28, "float64", TERN_FLOAT64, 8),   NOT_READ(29, "IQ1_M", SUPER, 56),
    PLAIN(30, "bfloat16", TERN_BFLOAT16, 2), NOT_READ(34, "TQ1_0", SUPER, 54),
    NOT_READ(35, "TQ2_0", SUPER, 66),        NOT_READ(39, "MXFP4", 32, 17),
};

const tern_gguf_type *tern_gguf_type_of(uint32_t id) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].id == id) return &types[i];
    return NULL;
}
