#include "numbers.h"

#include <math.h>
#include <string.h>

static float from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static uint32_t to_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float from_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    int exponent = h >> 10 & 31, fraction = h & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexpf((float)(fraction + 1024), exponent - 25)
                                : ldexpf((float)fraction, -24);
    return from_bits(sign | to_bits(size));
}

static uint16_t to_half(float f) {
    uint16_t sign = (uint16_t)(to_bits(f) >> 16 & 0x8000);
    float size = fabsf(f);
    int exponent;
    if (isnan(f)) return sign | 0x7e00;
    if (size >= 65520) return sign | 0x7c00;
    if (size < 0x1p-14f) return (uint16_t)(sign | (uint16_t)rintf(size * 0x1p24f));
    frexpf(size, &exponent); /* a fraction that rounds up to 2048 goes on in the exponent */
    return (uint16_t)(sign |
                      ((uint16_t)rintf(ldexpf(size, 11 - exponent)) + (exponent + 13) * 1024));
}

/* Rounds to the nearest whose low bits are zero. */
float standin_cut(float f, int bits) {
    uint32_t all = to_bits(f), half = (1u << (bits - 1)) - 1;
    if (!isfinite(f)) return f;
    return from_bits((all + half + (all >> bits & 1)) >> bits << bits);
}

double standin_load(const char *at, int64_t i, int type) {
    switch (type) {
    case NUMBER_F64: return ((const double *)(const void *)at)[i];
    case NUMBER_F32: return ((const float *)(const void *)at)[i];
    case NUMBER_F16: return from_half(((const uint16_t *)(const void *)at)[i]);
    default: return from_bits((uint32_t)((const uint16_t *)(const void *)at)[i] << 16);
    }
}

void standin_store(char *at, int64_t i, int type, double value) {
    switch (type) {
    case NUMBER_F64: ((double *)(void *)at)[i] = value; return;
    case NUMBER_F32: ((float *)(void *)at)[i] = (float)value; return;
    case NUMBER_F16: ((uint16_t *)(void *)at)[i] = to_half((float)value); return;
    default:
        ((uint16_t *)(void *)at)[i] =
            isnan(value) ? 0x7fc0 : (uint16_t)(to_bits(standin_cut((float)value, 16)) >> 16);
    }
}
