/*
 * numbers.h: elements as numbers. CLASS says what a kernel computes in: 0 float32, 1 float64, 2 int64.
 *
 * Conversions are those of numerics/dtype_convert.h: narrowing rounds to nearest, ties to even; float to
 * integer truncates and saturates, NaN gives 0; integers wrap; a bool is whether a number is not 0.
 */
#define F32  0
#define F64  1
#define F16  2
#define BF16 3
#define I64  4
#define I32  5
#define I16  6
#define I8   7
#define U8   8
#define BOOL 9

#if CLASS != 2
#define IS_NAN(x) ((x) != (x))
#else
#define IS_NAN(x) 0
#endif

#if CLASS == 0
typedef float num;
#define FLOATING 1
#elif CLASS == 1
typedef double num;
#define FLOATING 1
#else
typedef i64 num;
#define FLOATING 0
#endif

FUNCTION num number_of(i64 bits) {
#if CLASS == 0
    return FLOAT_OF((u32)bits);
#elif CLASS == 1
    return DOUBLE_OF(bits);
#else
    return bits;
#endif
}

FUNCTION float f16_to_f32(u16 h) {
    u32 sign = (u32)(h & 0x8000u) << 16, exponent = h >> 10 & 31u, mantissa = h & 0x3ffu;
    if (exponent == 31u) return FLOAT_OF(sign | 0x7f800000u | mantissa << 13);
    if (exponent) return FLOAT_OF(sign | (exponent + 112u) << 23 | mantissa << 13);
    float tiny = (float)mantissa * 5.9604644775390625e-8f; /* 2^-24 */
    return FLOAT_OF(sign | BITS_OF(tiny));
}

FUNCTION u16 f32_to_f16(float x) {
    u32 bits = BITS_OF(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) return (u16)(sign | 0x7e00u);
    if (rest >= 0x477ff000u) return (u16)(sign | 0x7c00u); /* 65520 and more round to infinity */
    if (rest < 0x38800000u) {                              /* subnormal: multiples of 2^-24 */
        if (rest < 0x33000000u) return (u16)sign;          /* below 2^-25 */
        u32 shift = 126u - (rest >> 23), mantissa = (rest & 0x7fffffu) | 0x800000u;
        u32 low = mantissa & ((1u << shift) - 1u), middle_bit = 1u << (shift - 1u),
            q = mantissa >> shift;
        return (u16)(sign | (q + (low > middle_bit || (low == middle_bit && (q & 1u)) ? 1u : 0u)));
    }
    u32 q = (rest - 0x38000000u) >> 13, low = rest & 0x1fffu;
    return (u16)(sign | (q + (low > 0x1000u || (low == 0x1000u && (q & 1u)) ? 1u : 0u)));
}

FUNCTION float bf16_to_f32(u16 b) {
    return FLOAT_OF((u32)b << 16);
}

FUNCTION u16 f32_to_bf16(float x) {
    u32 bits = BITS_OF(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)((bits >> 16 & 0x8000u) | 0x7fc0u);
    return (u16)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* Element `at`. */
FUNCTION num load(i32 dtype, GLOBAL const u8 *base, i64 at) {
    switch (dtype) {
    case F32: return (num)((GLOBAL const float *)base)[at];
#ifdef GPU_F64
    case F64: return (num)((GLOBAL const double *)base)[at];
#endif
    case F16: return (num)f16_to_f32(((GLOBAL const u16 *)base)[at]);
    case BF16: return (num)bf16_to_f32(((GLOBAL const u16 *)base)[at]);
    case I64: return (num)((GLOBAL const i64 *)base)[at];
    case I32: return (num)((GLOBAL const i32 *)base)[at];
    case I16: return (num)((GLOBAL const i16 *)base)[at];
    case I8: return (num)((GLOBAL const i8 *)base)[at];
    default: return (num)base[at];
    }
}

/* Between two bounds that are exact as numbers or lie one above the last that is. */
FUNCTION i64 truncated(num x, i64 low, i64 high) {
#if FLOATING
    if (IS_NAN(x)) return 0;
    if (x <= (num)low) return low;
    if (x >= (num)high) return high;
#endif
    return (i64)x;
}

FUNCTION void store(i32 dtype, GLOBAL u8 *base, i64 at, num x) {
    switch (dtype) {
    case F32: ((GLOBAL float *)base)[at] = (float)x; return;
#ifdef GPU_F64
    case F64: ((GLOBAL double *)base)[at] = (double)x; return;
#endif
    case F16: ((GLOBAL u16 *)base)[at] = f32_to_f16((float)x); return;
    case BF16: ((GLOBAL u16 *)base)[at] = f32_to_bf16((float)x); return;
    case I64:
        ((GLOBAL i64 *)base)[at] = truncated(x, -0x7fffffffffffffffL - 1, 0x7fffffffffffffffL);
        return;
#if FLOATING
    case I32: ((GLOBAL i32 *)base)[at] = (i32)truncated(x, -2147483648L, 2147483647L); return;
    case I16: ((GLOBAL i16 *)base)[at] = (i16)truncated(x, -32768, 32767); return;
    case I8: ((GLOBAL i8 *)base)[at] = (i8)truncated(x, -128, 127); return;
    case U8: base[at] = (u8)truncated(x, 0, 255); return;
#else
    case I32: ((GLOBAL i32 *)base)[at] = (i32)(u32)(u64)x; return;
    case I16: ((GLOBAL i16 *)base)[at] = (i16)(u16)(u64)x; return;
    case I8: ((GLOBAL i8 *)base)[at] = (i8)(u8)(u64)x; return;
    case U8: base[at] = (u8)(u64)x; return;
#endif
    default: base[at] = (u8)(x != 0); return;
    }
}

/* To another dtype, which rounds, and back. */
FUNCTION num rounded_to(i32 dtype, num x) {
    switch (dtype) {
    case F32: return (num)(float)x;
    case F16: return (num)f16_to_f32(f32_to_f16((float)x));
    case BF16: return (num)bf16_to_f32(f32_to_bf16((float)x));
#if FLOATING
    case I64: return (num)truncated(x, -0x7fffffffffffffffL - 1, 0x7fffffffffffffffL);
    case I32: return (num)truncated(x, -2147483648L, 2147483647L);
    case I16: return (num)truncated(x, -32768, 32767);
    case I8: return (num)truncated(x, -128, 127);
    case U8: return (num)truncated(x, 0, 255);
    case BOOL: return (num)(x != 0);
#else
    case I32: return (num)(i32)(u32)(u64)x;
    case I16: return (num)(i16)(u16)(u64)x;
    case I8: return (num)(i8)(u8)(u64)x;
    case U8: return (num)(u8)(u64)x;
    case BOOL: return (num)(x != 0);
#endif
    default: return x;
    }
}

FUNCTION void raise_flag(GLOBAL gpu_flag *flag, i32 kind, i64 index, i64 dim, i64 size) {
    if (!TAKE(&flag->state)) return;
    flag->kind = kind;
    flag->index = index;
    flag->dim = dim;
    flag->size = size;
}
