/*
 * Conversions between element types, defined for every value.
 *
 * Narrowing to a float type rounds to nearest, ties to even, overflow to infinity, subnormals kept;
 * NaN becomes a quiet NaN of the same sign. Where C leaves a conversion from floating point to an
 * integer undefined it saturates, and NaN becomes 0. Integer to narrower integer wraps, as in
 * PyTorch.
 */
#ifndef TERN_NUMERICS_DTYPE_CONVERT_H
#define TERN_NUMERICS_DTYPE_CONVERT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Element types, in the order of tern_dtype. A bool is one byte, 0 or 1. */
typedef enum tern_num_dtype {
    TERN_NUM_FLOAT32 = 0,
    TERN_NUM_FLOAT64 = 1,
    TERN_NUM_FLOAT16 = 2,
    TERN_NUM_BFLOAT16 = 3,
    TERN_NUM_INT64 = 4,
    TERN_NUM_INT32 = 5,
    TERN_NUM_INT16 = 6,
    TERN_NUM_INT8 = 7,
    TERN_NUM_UINT8 = 8,
    TERN_NUM_BOOL = 9
} tern_num_dtype;

/* Bytes of an element; 0 for a dtype that is none of the above. */
size_t tern_num_dtype_size(int dtype);

static inline uint32_t tern_num_float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tern_num_float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE binary16: 1 sign, 5 exponent (bias 15), 10 mantissa bits. */
uint16_t tern_num_f32_to_f16(float value);
float tern_num_f16_to_f32(uint16_t bits);

/* bfloat16: the upper half of a float32. */
static inline float tern_num_bf16_to_f32(uint16_t bits) {
    return tern_num_float_from_bits((uint32_t)bits << 16);
}
uint16_t tern_num_f32_to_bf16(float value);

/*
 * double to 16 bits rounds twice, to float32 and then to 16 bits: PyTorch constructs its half types
 * from float, so this is what it computes.
 */
uint16_t tern_num_f64_to_f16(double value);
uint16_t tern_num_f64_to_bf16(double value);

/* Truncation towards zero, saturated; NaN gives 0. */
int64_t tern_num_f64_to_i64(double value);
int32_t tern_num_f64_to_i32(double value);
int16_t tern_num_f64_to_i16(double value);
int8_t tern_num_f64_to_i8(double value);
uint8_t tern_num_f64_to_u8(double value);

/* The low bits of an integer as a narrower two's complement number. */
int32_t tern_num_wrap_i32(int64_t value);
int16_t tern_num_wrap_i16(int64_t value);
int8_t tern_num_wrap_i8(int64_t value);

/* The two's complement reading of 64 bits. */
int64_t tern_num_u64_to_i64(uint64_t bits);

/*
 * Element `index` of an array of `dtype`. As a double an int64 beyond 2^53 is rounded; as an int64
 * a floating-point value is truncated and saturated. A bool reads as 0 or 1.
 */
double tern_num_load_f64(int dtype, const void *array, int64_t index);
int64_t tern_num_load_i64(int dtype, const void *array, int64_t index);

/*
 * Stores with the conversions above. A bool stores whether the value is not 0 (NaN is true). An
 * int64 goes to the 16-bit types through float32, as in PyTorch.
 */
void tern_num_store_f64(int dtype, void *array, int64_t index, double value);
void tern_num_store_i64(int dtype, void *array, int64_t index, int64_t value);

/* What a number reads as once it was stored: a value of the dtype. */
double tern_num_as_f64(int dtype, double value);
int64_t tern_num_as_i64(int dtype, int64_t value);

#endif
