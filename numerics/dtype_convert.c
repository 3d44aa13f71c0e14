#include "numerics/dtype_convert.h"

size_t tern_num_dtype_size(int dtype) {
    switch (dtype) {
    case TERN_NUM_FLOAT64:
    case TERN_NUM_INT64: return 8;
    case TERN_NUM_FLOAT32:
    case TERN_NUM_INT32: return 4;
    case TERN_NUM_FLOAT16:
    case TERN_NUM_BFLOAT16:
    case TERN_NUM_INT16: return 2;
    case TERN_NUM_INT8:
    case TERN_NUM_UINT8:
    case TERN_NUM_BOOL: return 1;
    default: return 0;
    }
}

/* value >> shift, rounded to nearest, ties to even. 1 <= shift <= 31. */
static uint32_t shift_round_even(uint32_t value, int shift) {
    uint32_t half = 1U << (shift - 1);
    uint32_t odd = (value >> shift) & 1U;
    return (value + half - 1U + odd) >> shift;
}

uint16_t tern_num_f32_to_f16(float value) {
    uint32_t bits = tern_num_float_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000U;
    uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > 0x7f800000U) return (uint16_t)(sign | 0x7e00U | ((magnitude >> 13) & 0x1ffU));
    /* 65520 and above round to infinity. */
    if (magnitude >= 0x477ff000U) return (uint16_t)(sign | 0x7c00U);
    /* From 2^-14 on the exponent is rebiased by 112; a carry out of the mantissa is right there. */
    if (magnitude >= 0x38800000U)
        return (uint16_t)(sign | (shift_round_even(magnitude, 13) - (112U << 10)));
    /* Subnormal: a multiple of 2^-24; at or below 2^-25 (a tie with 0) the result is 0. */
    if (magnitude <= 0x33000000U) return (uint16_t)sign;
    uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
    int shift = 126 - (int)(magnitude >> 23);
    return (uint16_t)(sign | shift_round_even(mantissa, shift));
}

float tern_num_f16_to_f32(uint16_t half) {
    uint32_t sign = ((uint32_t)half & 0x8000U) << 16;
    uint32_t exponent = ((uint32_t)half >> 10) & 0x1fU;
    uint32_t mantissa = (uint32_t)half & 0x3ffU;
    if (exponent == 31U) {
        uint32_t quiet = mantissa != 0U ? 0x400000U : 0U;
        return tern_num_float_from_bits(sign | 0x7f800000U | quiet | mantissa << 13);
    }
    if (exponent == 0U) {
        float magnitude = (float)mantissa * 0x1p-24f;
        return tern_num_float_from_bits(sign | tern_num_float_bits(magnitude));
    }
    return tern_num_float_from_bits(sign | (exponent + 112U) << 23 | mantissa << 13);
}

uint16_t tern_num_f32_to_bf16(float value) {
    uint32_t bits = tern_num_float_bits(value);
    if ((bits & 0x7fffffffU) > 0x7f800000U) return (uint16_t)(bits >> 16 | 0x40U);
    uint32_t odd = (bits >> 16) & 1U;
    return (uint16_t)((bits + 0x7fffU + odd) >> 16);
}

uint16_t tern_num_f64_to_f16(double value) {
    return tern_num_f32_to_f16((float)value);
}

uint16_t tern_num_f64_to_bf16(double value) {
    return tern_num_f32_to_bf16((float)value);
}

int64_t tern_num_f64_to_i64(double value) {
    if (value != value) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value <= -0x1p63) return INT64_MIN;
    return (int64_t)value;
}

static int64_t clamp_i64(int64_t value, int64_t low, int64_t high) {
    return value < low ? low : value > high ? high : value;
}

int32_t tern_num_f64_to_i32(double value) {
    return (int32_t)clamp_i64(tern_num_f64_to_i64(value), INT32_MIN, INT32_MAX);
}

int16_t tern_num_f64_to_i16(double value) {
    return (int16_t)clamp_i64(tern_num_f64_to_i64(value), INT16_MIN, INT16_MAX);
}

int8_t tern_num_f64_to_i8(double value) {
    return (int8_t)clamp_i64(tern_num_f64_to_i64(value), INT8_MIN, INT8_MAX);
}

uint8_t tern_num_f64_to_u8(double value) {
    return (uint8_t)clamp_i64(tern_num_f64_to_i64(value), 0, UINT8_MAX);
}

/* C leaves the conversion of a value out of range to the implementation; memcpy does not. */
int64_t tern_num_u64_to_i64(uint64_t bits) {
    int64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int32_t tern_num_wrap_i32(int64_t value) {
    uint32_t bits = (uint32_t)((uint64_t)value & UINT32_MAX);
    int32_t result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

int16_t tern_num_wrap_i16(int64_t value) {
    uint16_t bits = (uint16_t)((uint64_t)value & UINT16_MAX);
    int16_t result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

int8_t tern_num_wrap_i8(int64_t value) {
    uint8_t bits = (uint8_t)((uint64_t)value & UINT8_MAX);
    int8_t result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

double tern_num_load_f64(int dtype, const void *array, int64_t index) {
    switch (dtype) {
    case TERN_NUM_FLOAT32: return (double)((const float *)array)[index];
    case TERN_NUM_FLOAT64: return ((const double *)array)[index];
    case TERN_NUM_FLOAT16: return (double)tern_num_f16_to_f32(((const uint16_t *)array)[index]);
    case TERN_NUM_BFLOAT16: return (double)tern_num_bf16_to_f32(((const uint16_t *)array)[index]);
    default: return (double)tern_num_load_i64(dtype, array, index);
    }
}

int64_t tern_num_load_i64(int dtype, const void *array, int64_t index) {
    switch (dtype) {
    case TERN_NUM_INT64: return ((const int64_t *)array)[index];
    case TERN_NUM_INT32: return ((const int32_t *)array)[index];
    case TERN_NUM_INT16: return ((const int16_t *)array)[index];
    case TERN_NUM_INT8: return ((const int8_t *)array)[index];
    case TERN_NUM_UINT8: return ((const uint8_t *)array)[index];
    case TERN_NUM_BOOL: return ((const uint8_t *)array)[index] != 0;
    case TERN_NUM_FLOAT32:
    case TERN_NUM_FLOAT64:
    case TERN_NUM_FLOAT16:
    case TERN_NUM_BFLOAT16: return tern_num_f64_to_i64(tern_num_load_f64(dtype, array, index));
    default: return 0;
    }
}

void tern_num_store_f64(int dtype, void *array, int64_t index, double value) {
    switch (dtype) {
    case TERN_NUM_FLOAT32: ((float *)array)[index] = (float)value; break;
    case TERN_NUM_FLOAT64: ((double *)array)[index] = value; break;
    case TERN_NUM_FLOAT16: ((uint16_t *)array)[index] = tern_num_f64_to_f16(value); break;
    case TERN_NUM_BFLOAT16: ((uint16_t *)array)[index] = tern_num_f64_to_bf16(value); break;
    case TERN_NUM_INT64: ((int64_t *)array)[index] = tern_num_f64_to_i64(value); break;
    case TERN_NUM_INT32: ((int32_t *)array)[index] = tern_num_f64_to_i32(value); break;
    case TERN_NUM_INT16: ((int16_t *)array)[index] = tern_num_f64_to_i16(value); break;
    case TERN_NUM_INT8: ((int8_t *)array)[index] = tern_num_f64_to_i8(value); break;
    case TERN_NUM_UINT8: ((uint8_t *)array)[index] = tern_num_f64_to_u8(value); break;
    case TERN_NUM_BOOL: ((uint8_t *)array)[index] = value != 0.0; break;
    default: break;
    }
}

void tern_num_store_i64(int dtype, void *array, int64_t index, int64_t value) {
    switch (dtype) {
    case TERN_NUM_FLOAT32: ((float *)array)[index] = (float)value; break;
    case TERN_NUM_FLOAT64: ((double *)array)[index] = (double)value; break;
    case TERN_NUM_FLOAT16: ((uint16_t *)array)[index] = tern_num_f32_to_f16((float)value); break;
    case TERN_NUM_BFLOAT16: ((uint16_t *)array)[index] = tern_num_f32_to_bf16((float)value); break;
    case TERN_NUM_INT64: ((int64_t *)array)[index] = value; break;
    case TERN_NUM_INT32: ((int32_t *)array)[index] = tern_num_wrap_i32(value); break;
    case TERN_NUM_INT16: ((int16_t *)array)[index] = tern_num_wrap_i16(value); break;
    case TERN_NUM_INT8: ((int8_t *)array)[index] = tern_num_wrap_i8(value); break;
    case TERN_NUM_UINT8: ((uint8_t *)array)[index] = (uint8_t)((uint64_t)value & UINT8_MAX); break;
    case TERN_NUM_BOOL: ((uint8_t *)array)[index] = value != 0; break;
    default: break;
    }
}

double tern_num_as_f64(int dtype, double value) {
    uint64_t element;
    tern_num_store_f64(dtype, &element, 0, value);
    return tern_num_load_f64(dtype, &element, 0);
}

int64_t tern_num_as_i64(int dtype, int64_t value) {
    uint64_t element;
    tern_num_store_i64(dtype, &element, 0, value);
    return tern_num_load_i64(dtype, &element, 0);
}
