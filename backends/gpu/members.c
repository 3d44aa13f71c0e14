/* The members of UNARY, BINARY and TERNARY as functions of kernels/functions.h. */
#include "members.h"

#include "../cpu_ref/walk.h"

enum { F = 1, I = 2, FI = 3 };

static const gpu_member unary[] = {
    [TERN_UNARY_NEG] = {"u_neg", FI},
    [TERN_UNARY_ABS] = {"u_abs", FI},
    [TERN_UNARY_SIGN] = {"u_sign", FI},
    [TERN_UNARY_SQUARE] = {"u_square", FI},
    [TERN_UNARY_RECIPROCAL] = {"u_reciprocal", F},
    [TERN_UNARY_SQRT] = {"u_sqrt", F},
    [TERN_UNARY_RSQRT] = {"u_rsqrt", F},
    [TERN_UNARY_EXP] = {"u_exp", F},
    [TERN_UNARY_EXP2] = {"u_exp2", F},
    [TERN_UNARY_EXPM1] = {"u_expm1", F},
    [TERN_UNARY_LOG] = {"u_log", F},
    [TERN_UNARY_LOG2] = {"u_log2", F},
    [TERN_UNARY_LOG10] = {"u_log10", F},
    [TERN_UNARY_LOG1P] = {"u_log1p", F},
    [TERN_UNARY_SIN] = {"u_sin", F},
    [TERN_UNARY_COS] = {"u_cos", F},
    [TERN_UNARY_TAN] = {"u_tan", F},
    [TERN_UNARY_ASIN] = {"u_asin", F},
    [TERN_UNARY_ACOS] = {"u_acos", F},
    [TERN_UNARY_ATAN] = {"u_atan", F},
    [TERN_UNARY_SINH] = {"u_sinh", F},
    [TERN_UNARY_COSH] = {"u_cosh", F},
    [TERN_UNARY_TANH] = {"u_tanh", F},
    [TERN_UNARY_ASINH] = {"u_asinh", F},
    [TERN_UNARY_ACOSH] = {"u_acosh", F},
    [TERN_UNARY_ATANH] = {"u_atanh", F},
    [TERN_UNARY_ERF] = {"u_erf", F},
    [TERN_UNARY_ERFC] = {"u_erfc", F},
    [TERN_UNARY_ERFINV] = {"u_erfinv", F},
    [TERN_UNARY_LGAMMA] = {"u_lgamma", F},
    [TERN_UNARY_DIGAMMA] = {"u_digamma", F},
    [TERN_UNARY_FLOOR] = {"u_floor", FI},
    [TERN_UNARY_CEIL] = {"u_ceil", FI},
    [TERN_UNARY_TRUNC] = {"u_trunc", FI},
    [TERN_UNARY_ROUND] = {"u_round", FI},
    [TERN_UNARY_FRAC] = {"u_frac", F},
    [TERN_UNARY_SIGMOID] = {"u_sigmoid", F},
    [TERN_UNARY_RELU] = {"u_relu", FI},
    [TERN_UNARY_LOGICAL_NOT] = {"u_logical_not", FI},
    [TERN_UNARY_BITWISE_NOT] = {"u_bitwise_not", I},
    [TERN_UNARY_ISNAN] = {"u_isnan", F},
    [TERN_UNARY_ISINF] = {"u_isinf", F},
    [TERN_UNARY_ISFINITE] = {"u_isfinite", F},
    [TERN_UNARY_SIGNBIT] = {"u_signbit", FI},
    [TERN_UNARY_LOG_SIGMOID] = {"u_log_sigmoid", F},
    [TERN_UNARY_SINC] = {"u_sinc", F},
    [TERN_UNARY_TRIGAMMA] = {"u_trigamma", F},
};

static const gpu_member binary[] = {
    [TERN_BINARY_ADD] = {"b_add", FI},
    [TERN_BINARY_SUB] = {"b_sub", FI},
    [TERN_BINARY_MUL] = {"b_mul", FI},
    [TERN_BINARY_DIV] = {"b_div", F},
    [TERN_BINARY_DIV_FLOOR] = {"b_div_floor", FI},
    [TERN_BINARY_DIV_TRUNC] = {"b_div_trunc", FI},
    [TERN_BINARY_REMAINDER] = {"b_remainder", FI},
    [TERN_BINARY_FMOD] = {"b_fmod", FI},
    [TERN_BINARY_POW] = {"b_pow", FI},
    [TERN_BINARY_MAXIMUM] = {"b_maximum", FI},
    [TERN_BINARY_MINIMUM] = {"b_minimum", FI},
    [TERN_BINARY_FMAX] = {"b_fmax", FI},
    [TERN_BINARY_FMIN] = {"b_fmin", FI},
    [TERN_BINARY_ATAN2] = {"b_atan2", F},
    [TERN_BINARY_HYPOT] = {"b_hypot", F},
    [TERN_BINARY_COPYSIGN] = {"b_copysign", F},
    [TERN_BINARY_NEXTAFTER] = {"b_nextafter", F},
    [TERN_BINARY_EQ] = {"b_eq", FI},
    [TERN_BINARY_NE] = {"b_ne", FI},
    [TERN_BINARY_LT] = {"b_lt", FI},
    [TERN_BINARY_LE] = {"b_le", FI},
    [TERN_BINARY_GT] = {"b_gt", FI},
    [TERN_BINARY_GE] = {"b_ge", FI},
    [TERN_BINARY_LOGICAL_AND] = {"b_logical_and", FI},
    [TERN_BINARY_LOGICAL_OR] = {"b_logical_or", FI},
    [TERN_BINARY_LOGICAL_XOR] = {"b_logical_xor", FI},
    [TERN_BINARY_BITWISE_AND] = {"b_bitwise_and", I},
    [TERN_BINARY_BITWISE_OR] = {"b_bitwise_or", I},
    [TERN_BINARY_BITWISE_XOR] = {"b_bitwise_xor", I},
    [TERN_BINARY_SHIFT_LEFT] = {"b_shift_left", I},
    [TERN_BINARY_SHIFT_RIGHT] = {"b_shift_right", I},
    [TERN_BINARY_GCD] = {"b_gcd", I},
    [TERN_BINARY_LCM] = {"b_lcm", I},
    [TERN_BINARY_XLOGY] = {"b_xlogy", F},
    [TERN_BINARY_LOGADDEXP] = {"b_logaddexp", F},
    [TERN_BINARY_LOGADDEXP2] = {"b_logaddexp2", F},
    [TERN_BINARY_HEAVISIDE] = {"b_heaviside", FI},
};

static const gpu_member ternary[] = {
    [TERN_TERNARY_WHERE] = {"t_where", FI},     [TERN_TERNARY_CLAMP] = {"t_clamp", FI},
    [TERN_TERNARY_ADDCMUL] = {"t_addcmul", FI}, [TERN_TERNARY_ADDCDIV] = {"t_addcdiv", F},
    [TERN_TERNARY_LERP] = {"t_lerp", F},
};

#define COUNT(table) ((int32_t)(sizeof(table) / sizeof *(table)))

const gpu_member *gpu_member_of(int32_t family, int32_t fn) {
    const gpu_member *table = family == TERN_KERNEL_UNARY    ? unary
                              : family == TERN_KERNEL_BINARY ? binary
                                                             : ternary;
    int32_t count = family == TERN_KERNEL_UNARY    ? COUNT(unary)
                    : family == TERN_KERNEL_BINARY ? COUNT(binary)
                                                   : COUNT(ternary);
    return fn > 0 && fn < count && table[fn].name ? &table[fn] : NULL;
}

static bool has(int32_t family, int32_t fn, int32_t dtype) {
    const gpu_member *member = gpu_member_of(family, fn);
    return member && member->kinds & (tern_kit_is_floating(dtype) ? F : I);
}

bool gpu_unary_has(int32_t fn, int32_t dtype) {
    return has(TERN_KERNEL_UNARY, fn, dtype);
}
bool gpu_binary_has(int32_t fn, int32_t dtype) {
    return has(TERN_KERNEL_BINARY, fn, dtype);
}
bool gpu_ternary_has(int32_t fn, int32_t dtype) {
    return has(TERN_KERNEL_TERNARY, fn, dtype);
}
