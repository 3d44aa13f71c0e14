/* Elementary functions, conversions between element types, and sums in PyTorch's order. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "numerics/dtype_convert.h"
#include "numerics/elementary.h"
#include "numerics/random_fill.h"
#include "numerics/sum_cascade.h"

typedef struct golden {
    double x;
    double y;
    double expected;
} golden;

#include "numerics_golden.h"

/* Doubles in their order as integers, so that neighbours differ by 1. */
static int64_t ordered(double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static int64_t ulps_apart(double a, double b) {
    if (a != a || b != b) return a != a && b != b ? 0 : INT64_MAX;
    int64_t x = ordered(a);
    int64_t y = ordered(b);
    return x > y ? x - y : y - x;
}

typedef double (*unary)(double);
typedef double (*binary)(double, double);

/* Within an ulp of the correctly rounded value everywhere, and equal to it nearly everywhere. */
static void check(const char *name, unary f, binary f2, const golden *table, size_t count) {
    size_t off = 0;
    for (size_t i = 0; i < count; i++) {
        golden g = table[i];
        double got = f != NULL ? f(g.x) : f2(g.x, g.y);
        int64_t apart = ulps_apart(got, g.expected);
        cr_assert(apart <= 1, "%s(%a, %a) = %a, not %a", name, g.x, g.y, got, g.expected);
        off += apart != 0;
    }
    cr_assert(off <= 1, "%s: %zu of %zu are not correctly rounded", name, off, count);
}

#define COUNT(a)  (sizeof(a) / sizeof(a)[0])
#define UNARY(f)  check(#f, tern_num_##f, NULL, f##_golden, COUNT(f##_golden))
#define BINARY(f) check(#f, NULL, tern_num_##f, f##_golden, COUNT(f##_golden))

Test(elementary, exponentials_and_logarithms_are_correctly_rounded) {
    UNARY(exp);
    UNARY(exp2);
    UNARY(expm1);
    UNARY(log);
    UNARY(log2);
    UNARY(log10);
    UNARY(log1p);
    UNARY(sigmoid);
    UNARY(log_sigmoid);
    UNARY(rsqrt);
    BINARY(pow);
    BINARY(xlogy);
    BINARY(logaddexp);
    BINARY(logaddexp2);
}

Test(elementary, trigonometric_functions_are_correctly_rounded_at_any_size) {
    UNARY(sin);
    UNARY(cos);
    UNARY(tan);
    UNARY(asin);
    UNARY(acos);
    UNARY(atan);
    UNARY(sinc);
    BINARY(atan2);
    BINARY(hypot);
}

Test(elementary, hyperbolic_functions_are_correctly_rounded) {
    UNARY(sinh);
    UNARY(cosh);
    UNARY(tanh);
    UNARY(asinh);
    UNARY(acosh);
    UNARY(atanh);
}

Test(elementary, error_and_gamma_functions_are_correctly_rounded) {
    UNARY(erf);
    UNARY(erfc);
    UNARY(erfinv);
    UNARY(lgamma);
    UNARY(digamma);
    UNARY(trigamma);
}

Test(elementary, sincos_gives_the_bits_of_sin_and_cos) {
    for (size_t i = 0; i < COUNT(sin_golden); i++) {
        double s;
        double c;
        tern_num_sincos(sin_golden[i].x, &s, &c);
        cr_assert_eq(ulps_apart(s, tern_num_sin(sin_golden[i].x)), 0);
        cr_assert_eq(ulps_apart(c, tern_num_cos(sin_golden[i].x)), 0);
    }
}

Test(elementary, nan_gives_nan) {
    const unary all[] = {
        tern_num_exp,      tern_num_exp2,  tern_num_expm1,  tern_num_log,        tern_num_log2,
        tern_num_log10,    tern_num_log1p, tern_num_sin,    tern_num_cos,        tern_num_tan,
        tern_num_asin,     tern_num_acos,  tern_num_atan,   tern_num_sinh,       tern_num_cosh,
        tern_num_tanh,     tern_num_asinh, tern_num_acosh,  tern_num_atanh,      tern_num_sigmoid,
        tern_num_erf,      tern_num_erfc,  tern_num_erfinv, tern_num_lgamma,     tern_num_digamma,
        tern_num_trigamma, tern_num_sinc,  tern_num_rsqrt,  tern_num_log_sigmoid};
    for (size_t i = 0; i < COUNT(all); i++) cr_assert(isnan(all[i](NAN)), "function %zu", i);
    cr_assert(isnan(tern_num_atan2(NAN, 1.0)));
    cr_assert(isnan(tern_num_pow(NAN, 1.0)));
    cr_assert(isnan(tern_num_hypot(NAN, 1.0)));
    cr_assert_eq(tern_num_hypot(NAN, -INFINITY), INFINITY);
}

Test(elementary, odd_functions_keep_the_sign_of_zero) {
    const unary odd[] = {tern_num_sin,  tern_num_tan,    tern_num_asin,  tern_num_atan,
                         tern_num_sinh, tern_num_tanh,   tern_num_asinh, tern_num_atanh,
                         tern_num_erf,  tern_num_erfinv, tern_num_expm1, tern_num_log1p};
    for (size_t i = 0; i < COUNT(odd); i++) {
        double negative = odd[i](-0.0);
        double positive = odd[i](0.0);
        cr_assert(negative == 0.0 && signbit(negative), "function %zu", i);
        cr_assert(positive == 0.0 && !signbit(positive), "function %zu", i);
    }
}

Test(elementary, infinities_and_poles) {
    cr_assert_eq(tern_num_exp(INFINITY), INFINITY);
    cr_assert_eq(tern_num_exp(-INFINITY), 0.0);
    cr_assert_eq(tern_num_exp(709.79), INFINITY);
    cr_assert_eq(tern_num_exp(-745.14), 0.0);
    cr_assert_eq(tern_num_exp2(1024.0), INFINITY);
    cr_assert_eq(tern_num_expm1(-INFINITY), -1.0);
    cr_assert_eq(tern_num_log(0.0), -INFINITY);
    cr_assert(isnan(tern_num_log(-1.0)));
    cr_assert_eq(tern_num_log(INFINITY), INFINITY);
    cr_assert_eq(tern_num_log1p(-1.0), -INFINITY);
    cr_assert(isnan(tern_num_log1p(-1.5)));
    cr_assert(isnan(tern_num_sin(INFINITY)) && isnan(tern_num_cos(-INFINITY)));
    cr_assert(isnan(tern_num_asin(1.5)) && isnan(tern_num_acos(-1.5)));
    cr_assert_eq(tern_num_atan(-INFINITY), -0x1.921fb54442d18p+0);
    cr_assert_eq(tern_num_cosh(-INFINITY), INFINITY);
    cr_assert_eq(tern_num_tanh(-INFINITY), -1.0);
    cr_assert_eq(tern_num_atanh(1.0), INFINITY);
    cr_assert(isnan(tern_num_acosh(0.5)) && isnan(tern_num_atanh(2.0)));
    cr_assert_eq(tern_num_sigmoid(-INFINITY), 0.0);
    cr_assert_eq(tern_num_erf(-INFINITY), -1.0);
    cr_assert_eq(tern_num_erfc(INFINITY), 0.0);
    cr_assert_eq(tern_num_erfinv(-1.0), -INFINITY);
    cr_assert(isnan(tern_num_erfinv(1.5)));
    cr_assert_eq(tern_num_lgamma(-3.0), INFINITY);
    cr_assert_eq(tern_num_lgamma(1.0), 0.0);
    cr_assert_eq(tern_num_lgamma(2.0), 0.0);
    cr_assert_eq(tern_num_digamma(0.0), -INFINITY);
    cr_assert_eq(tern_num_digamma(-0.0), INFINITY);
    cr_assert(isnan(tern_num_digamma(-2.0)));
    cr_assert_eq(tern_num_trigamma(-2.0), INFINITY);
    cr_assert_eq(tern_num_trigamma(-0.0), INFINITY);
    cr_assert_eq(tern_num_trigamma(1e-160), INFINITY);
    cr_assert_eq(tern_num_trigamma(INFINITY), 0.0);
    cr_assert(isnan(tern_num_trigamma(-INFINITY)));
    cr_assert_eq(tern_num_sinc(-7.0), 0.0);
    cr_assert_eq(tern_num_sinc(1e300), 0.0);
    cr_assert(isnan(tern_num_sinc(INFINITY)));
    cr_assert_eq(tern_num_rsqrt(-0.0), -INFINITY);
    cr_assert_eq(tern_num_rsqrt(INFINITY), 0.0);
    cr_assert(isnan(tern_num_rsqrt(-1.0)));
    cr_assert_eq(tern_num_log_sigmoid(-INFINITY), -INFINITY);
    cr_assert_eq(tern_num_log_sigmoid(INFINITY), 0.0);
    cr_assert_eq(tern_num_xlogy(0.0, -1.0), 0.0);
    cr_assert_eq(tern_num_logaddexp(-INFINITY, -INFINITY), -INFINITY);
    cr_assert_eq(tern_num_logaddexp(INFINITY, -INFINITY), INFINITY);
    cr_assert_eq(tern_num_logaddexp(-1e308, 1.5e308), 1.5e308);
    cr_assert(isnan(tern_num_logaddexp2(INFINITY, NAN)));
    cr_assert(isnan(tern_num_xlogy(0.0, NAN)));
    cr_assert_eq(tern_num_xlogy(-2.0, 0.0), INFINITY);
    cr_assert_eq(tern_num_xlogy(1e-300, INFINITY), INFINITY);
    cr_assert(tern_num_xlogy(-3.0, 1.0) == 0.0 && signbit(tern_num_xlogy(-3.0, 1.0)));
    cr_assert(tern_num_xlogy(3.0, 1.0) == 0.0 && !signbit(tern_num_xlogy(3.0, 1.0)));
    cr_assert(!signbit(tern_num_xlogy(-0.0, 1.0)) && isnan(tern_num_xlogy(INFINITY, 1.0)));
}

/* Bits, so that the sign of a zero counts. */
static void check_pow(double x, double y, double expected) {
    double got = tern_num_pow(x, y);
    int same =
        ulps_apart(got, expected) == 0 && (got != got || !signbit(got) == !signbit(expected));
    cr_assert(same, "pow(%a, %a) = %a", x, y, got);
}

Test(elementary, pow_follows_annex_f) {
    check_pow(NAN, 0.0, 1.0);
    check_pow(1.0, NAN, 1.0);
    check_pow(-0.0, -3.0, -INFINITY);
    check_pow(-0.0, -2.0, INFINITY);
    check_pow(0.0, -INFINITY, INFINITY);
    check_pow(-0.0, 3.0, -0.0);
    check_pow(-0.0, 2.5, 0.0);
    check_pow(-1.0, INFINITY, 1.0);
    check_pow(-1.0, -INFINITY, 1.0);
    check_pow(-2.0, 0.5, NAN);
    check_pow(0.5, -INFINITY, INFINITY);
    check_pow(2.0, -INFINITY, 0.0);
    check_pow(-INFINITY, -3.0, -0.0);
    check_pow(-INFINITY, 3.0, -INFINITY);
    check_pow(-INFINITY, 2.0, INFINITY);
    check_pow(INFINITY, -1.0, 0.0);
    check_pow(-2.0, 3.0, -8.0);
    check_pow(-2.0, -1075.0, -0.0);
    check_pow(-1.0, 0x1p60, 1.0);
    check_pow(2.0, 1e308, INFINITY);
    check_pow(0.9999999999999999, 1e308, 0.0);
}

static void check_atan2(double y, double x, double expected) {
    double got = tern_num_atan2(y, x);
    int same = got == expected && !signbit(got) == !signbit(expected);
    cr_assert(same, "atan2(%a, %a) = %a", y, x, got);
}

Test(elementary, atan2_follows_annex_f) {
    const double pi = 0x1.921fb54442d18p+1;
    check_atan2(0.0, 1.0, 0.0);
    check_atan2(-0.0, 1.0, -0.0);
    check_atan2(0.0, -0.0, pi);
    check_atan2(-0.0, -1.0, -pi);
    check_atan2(-0.0, 0.0, -0.0);
    check_atan2(2.0, 0.0, pi / 2);
    check_atan2(-2.0, -0.0, -pi / 2);
    check_atan2(INFINITY, INFINITY, pi / 4);
    check_atan2(-INFINITY, -INFINITY, -0x1.2d97c7f3321d2p+1);
    check_atan2(1.0, INFINITY, 0.0);
    check_atan2(-1.0, -INFINITY, -pi);
    check_atan2(INFINITY, -3.0, pi / 2);
}

Test(convert, every_half_survives_the_way_through_float) {
    for (uint32_t bits = 0; bits <= 0xffff; bits++) {
        uint16_t half = (uint16_t)bits;
        bool half_nan = (half & 0x7fffU) > 0x7c00U;
        bool brain_nan = (half & 0x7fffU) > 0x7f80U;
        uint16_t back = tern_num_f32_to_f16(tern_num_f16_to_f32(half));
        cr_assert_eq(back, half_nan ? (half | 0x200U) : half);
        back = tern_num_f32_to_bf16(tern_num_bf16_to_f32(half));
        cr_assert_eq(back, brain_nan ? (half | 0x40U) : half);
    }
}

Test(convert, halves_round_to_nearest_even) {
    cr_assert_eq(tern_num_f32_to_f16(1.0f), 0x3c00);
    cr_assert_eq(tern_num_f32_to_f16(0x1.002p+0f), 0x3c00);
    cr_assert_eq(tern_num_f32_to_f16(0x1.006p+0f), 0x3c02);
    cr_assert_eq(tern_num_f32_to_f16(0x1.002002p+0f), 0x3c01);
    cr_assert_eq(tern_num_f32_to_f16(65504.0f), 0x7bff);
    cr_assert_eq(tern_num_f32_to_f16(65519.996f), 0x7bff);
    cr_assert_eq(tern_num_f32_to_f16(-65520.0f), 0xfc00);
    cr_assert_eq(tern_num_f32_to_f16(0x1p-24f), 0x0001);
    cr_assert_eq(tern_num_f32_to_f16(0x1p-25f), 0x0000);
    cr_assert_eq(tern_num_f32_to_f16(-0x1.000002p-25f), 0x8001);
    cr_assert_eq(tern_num_f32_to_f16(0x1.ffcp-15f), 0x0400);
    cr_assert_eq(tern_num_f32_to_bf16(0x1.01p+0f), 0x3f80);
    cr_assert_eq(tern_num_f32_to_bf16(0x1.03p+0f), 0x3f82);
    cr_assert_eq(tern_num_f32_to_bf16(0x1.fffffep+127f), 0x7f80);
    cr_assert_eq(tern_num_f32_to_bf16(0x1p-149f), 0x0000);
    cr_assert_eq(tern_num_f64_to_bf16(1e300), 0x7f80);
}

Test(convert, floats_saturate_and_integers_wrap) {
    cr_assert_eq(tern_num_f64_to_i64(NAN), 0);
    cr_assert_eq(tern_num_f64_to_i64(1e30), INT64_MAX);
    cr_assert_eq(tern_num_f64_to_i64(-INFINITY), INT64_MIN);
    cr_assert_eq(tern_num_f64_to_i32(-2.9), -2);
    cr_assert_eq(tern_num_f64_to_i32(3e9), INT32_MAX);
    cr_assert_eq(tern_num_f64_to_i16(-1e6), INT16_MIN);
    cr_assert_eq(tern_num_f64_to_i8(200.0), 127);
    cr_assert_eq(tern_num_f64_to_u8(-1.0), 0);
    cr_assert_eq(tern_num_f64_to_u8(255.9), 255);
    cr_assert_eq(tern_num_wrap_i8(200), -56);
    cr_assert_eq(tern_num_wrap_i16(-32769), 32767);
    cr_assert_eq(tern_num_wrap_i32(INT64_C(4294967297)), 1);
    cr_assert_eq(tern_num_u64_to_i64(UINT64_MAX), -1);
}

Test(convert, every_dtype_stores_and_loads) {
    for (int dtype = TERN_NUM_FLOAT32; dtype <= TERN_NUM_BOOL; dtype++) {
        double cells[2] = {0.0, 0.0};
        tern_num_store_i64(dtype, cells, 1, 1);
        cr_assert_eq(tern_num_load_i64(dtype, cells, 1), 1, "dtype %d", dtype);
        cr_assert_eq(tern_num_load_f64(dtype, cells, 0), 0.0, "dtype %d", dtype);
        tern_num_store_f64(dtype, cells, 0, 2.5);
        double expected = dtype <= TERN_NUM_BFLOAT16 ? 2.5 : dtype == TERN_NUM_BOOL ? 1.0 : 2.0;
        cr_assert_eq(tern_num_load_f64(dtype, cells, 0), expected, "dtype %d", dtype);
    }
    cr_assert_eq(tern_num_dtype_size(10), 0);
}

/* 2^24 + 1 + 1 + ...: in order every 1 is lost; the cascade's lanes keep those of the other lanes.
 */
Test(sums, eight_lanes_sum_apart) {
    float x[16] = {0x1p24f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    cr_assert_eq(tern_num_sum_f32(x, 16), 0x1p24f + 14.0f);
    cr_assert_eq(tern_num_sum_f32(x, 0), 0.0f);
    /* Below 8 elements, four interleaved scalars: in order this would be 0. */
    float few[7] = {1.0f, 0x1p24f, 0.0f, 0.0f, 1.0f, -0x1p24f, 0.0f};
    cr_assert_eq(tern_num_sum_f32(few, 7), 2.0f);
}

Test(sums, columns_agree_with_exact_integers) {
    enum { ROWS = 100, COLUMNS = 45 };
    static float x[ROWS * COLUMNS];
    float by_column[COLUMNS] = {0};
    float by_row[ROWS] = {0};
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)(i % 97);
    tern_num_sum_columns_f32(x, ROWS, COLUMNS, COLUMNS, 1, by_column, 1);
    tern_num_sum_columns_f32(x, COLUMNS, 1, ROWS, COLUMNS, by_row, 1);
    for (int j = 0; j < COLUMNS; j++) {
        int sum = 0;
        for (int i = 0; i < ROWS; i++) sum += (i * COLUMNS + j) % 97;
        cr_assert_eq(by_column[j], (float)sum);
    }
    for (int i = 0; i < ROWS; i++) {
        int sum = 0;
        for (int j = 0; j < COLUMNS; j++) sum += (i * COLUMNS + j) % 97;
        cr_assert_eq(by_row[i], (float)sum);
    }
}

typedef struct line {
    float w;
    float b;
} line;

static float absolute_error(line m, const float *x, const float *y, int n) {
    float error[64];
    for (int i = 0; i < n; i++) error[i] = fabsf(m.w * x[i] + m.b - y[i]);
    return tern_num_sum_f32(error, n) / (float)n;
}

/*
 * The straight line of a well-known PyTorch tutorial, 100 steps of SGD on the L1 loss: arange, the
 * generator, the order of the sums all have to be PyTorch's for the last digits of these losses.
 */
Test(sums, a_fitted_line_prints_the_losses_that_pytorch_prints) {
    const double train_loss[] = {0.31288138031959534,  0.1976713240146637,  0.08908725529909134,
                                 0.053148526698350906, 0.04543796554207802, 0.04167863354086876,
                                 0.03818932920694351,  0.03476089984178543, 0.03132382780313492,
                                 0.02788739837706089};
    float x[50];
    float y[50];
    tern_num_arange_f32(x, 50, 0.0, 0.02);
    for (int i = 0; i < 50; i++) y[i] = x[i] * 0.7f + 0.3f;
    tern_mt19937 g;
    tern_num_mt19937_seed(&g, 42);
    line m;
    tern_num_fill_normal(&g, TERN_NUM_FLOAT32, &m.w, 1, 0.0, 1.0, true);
    tern_num_fill_normal(&g, TERN_NUM_FLOAT32, &m.b, 1, 0.0, 1.0, true);
    for (int epoch = 0; epoch < 100; epoch++) {
        float loss = absolute_error(m, x, y, 40);
        if (epoch % 10 == 0) cr_assert_eq((double)loss, train_loss[epoch / 10], "epoch %d", epoch);
        float grad_w[40];
        float grad_b[40];
        for (int i = 0; i < 40; i++) {
            float d = m.w * x[i] + m.b - y[i];
            grad_b[i] = (d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : 0.0f) * (1.0f / 40.0f);
            grad_w[i] = grad_b[i] * x[i];
        }
        m.w = fmaf(tern_num_sum_f32(grad_w, 40), -0.01f, m.w);
        m.b = fmaf(tern_num_sum_f32(grad_b, 40), -0.01f, m.b);
    }
    cr_assert_eq((double)m.w, 0.5784404277801514);
    cr_assert_eq((double)m.b, 0.3513098657131195);
}

Test(sums, arange_and_linspace_reach_their_ends) {
    cr_assert_eq(tern_num_arange_size(0.0, 1.0, 0.02), 50);
    cr_assert_eq(tern_num_arange_size(5.0, 1.0, 1.0), 0);
    cr_assert_eq(tern_num_arange_size(5.0, 1.0, -1.0), 4);
    float x[5];
    tern_num_linspace_f32(x, 5, -1.0f, 1.0f);
    cr_assert(x[0] == -1.0f && x[2] == 0.0f && x[4] == 1.0f);
    tern_num_linspace_f32(x, 1, 7.0f, 9.0f);
    cr_assert_eq(x[0], 7.0f);
}
