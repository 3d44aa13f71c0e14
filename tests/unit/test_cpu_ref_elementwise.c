/* cpu_ref's fill, copy, unary, binary and ternary kernels, through the ABI alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel_driver.h"

#define N(array) (sizeof(array) / sizeof *(array))

static bool floating(int dtype) {
    return dtype <= TERN_BT_BFLOAT16;
}

static void binary(driver *d, int fn, int dtype, int out_dtype, int n, const double *a,
                   const double *b, const double *expected, double alpha) {
    tensor in[] = {tensor_new(d, dtype, SHAPE(n), a), tensor_new(d, dtype, SHAPE(n), b)};
    tensor out = tensor_new(d, out_dtype, SHAPE(n), NULL);
    tern_binary_attrs attrs = {fn, 0, alpha, (int64_t)alpha};
    driver_run(d, TERN_KERNEL_BINARY, in, 2, &out, 1, &attrs, sizeof attrs);
    char what[64];
    snprintf(what, sizeof what, "binary %d, dtype %d", fn, dtype);
    tensor_expect(d, &out, expected, 0, what);
    tensor_free(d, &in[0]);
    tensor_free(d, &in[1]);
    tensor_free(d, &out);
}

static void unary(driver *d, int fn, int dtype, int out_dtype, int n, const double *a,
                  const double *expected, double tolerance) {
    tensor in = tensor_new(d, dtype, SHAPE(n), a), out = tensor_new(d, out_dtype, SHAPE(n), NULL);
    tern_unary_attrs attrs = {fn, 0};
    driver_run(d, TERN_KERNEL_UNARY, &in, 1, &out, 1, &attrs, sizeof attrs);
    char what[64];
    snprintf(what, sizeof what, "unary %d, dtype %d", fn, dtype);
    tensor_expect(d, &out, expected, tolerance, what);
    tensor_free(d, &in);
    tensor_free(d, &out);
}

Test(cpu_ref_elementwise, fill_reaches_every_dtype_and_leaves_gaps_alone) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_COUNT; dtype++) {
        double value = dtype == TERN_BT_BOOL ? 1 : 3;
        tensor whole = tensor_new(&d, dtype, SHAPE(8), (double[]){0, 0, 0, 0, 0, 0, 0, 0});
        tensor part = whole; /* elements 1, 3, 5 */
        part.shape[0] = 3;
        part.strides[0] = 2;
        part.operand.at.byte_offset = whole.bytes / 8;
        tern_fill_attrs attrs = {value, (int64_t)value};
        driver_run(&d, TERN_KERNEL_FILL, NULL, 0, &part, 1, &attrs, sizeof attrs);
        tensor_expect(&d, &whole, (double[]){0, value, 0, value, 0, value, 0, 0}, 0, "fill");
        tensor_free(&d, &whole);
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, copy_converts_between_all_pairs_of_dtypes) {
    driver d = driver_open("cpu_ref");
    for (int from = 0; from < TERN_BT_COUNT; from++) {
        for (int to = 0; to < TERN_BT_COUNT; to++) {
            double values[] = {0, 1, 2, 100}, as_bool[] = {0, 1, 1, 1};
            bool narrowed = from == TERN_BT_BOOL || to == TERN_BT_BOOL;
            tensor in = tensor_new(&d, from, SHAPE(4), values);
            tensor out = tensor_new(&d, to, SHAPE(4), NULL);
            driver_run(&d, TERN_KERNEL_COPY, &in, 1, &out, 1, NULL, 0);
            tensor_expect(&d, &out, narrowed ? as_bool : values, 0, "copy");
            tensor_free(&d, &in);
            tensor_free(&d, &out);
        }
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, copy_defines_what_c_leaves_undefined) {
    driver d = driver_open("cpu_ref");
    tensor in = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(4), (double[]){NAN, 1e30, -INFINITY, -1.9});
    tensor out = tensor_new(&d, TERN_BT_INT8, SHAPE(4), NULL);
    driver_run(&d, TERN_KERNEL_COPY, &in, 1, &out, 1, NULL, 0);
    tensor_expect(&d, &out, (double[]){0, 127, -128, -1}, 0, "float32 to int8");
    tensor wide = tensor_new(&d, TERN_BT_INT64, SHAPE(2), (double[]){300, -1});
    tensor narrow = tensor_new(&d, TERN_BT_UINT8, SHAPE(2), NULL);
    driver_run(&d, TERN_KERNEL_COPY, &wide, 1, &narrow, 1, NULL, 0);
    tensor_expect(&d, &narrow, (double[]){44, 255}, 0, "int64 to uint8 wraps");
    tensor_free(&d, &in);
    tensor_free(&d, &out);
    tensor_free(&d, &wide);
    tensor_free(&d, &narrow);
    driver_close(&d);
}

Test(cpu_ref_elementwise, copy_transposes_between_strides_and_offsets) {
    driver d = driver_open("cpu_ref");
    double values[] = {1, 2, 3, 4, 5, 6};
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor in = tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){1, 2}, 3, values);
        tensor out = tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){7, 2}, 1, NULL);
        driver_run(&d, TERN_KERNEL_COPY, &in, 1, &out, 1, NULL, 0);
        tensor_expect(&d, &out, values, 0, "transposed copy");
        tensor_free(&d, &in);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, ranks_0_and_16_work) {
    driver d = driver_open("cpu_ref");
    tern_unary_attrs neg = {TERN_UNARY_NEG, 0};
    tensor scalar = tensor_new(&d, TERN_BT_FLOAT32, SCALAR, (double[]){2.5});
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SCALAR, NULL);
    driver_run(&d, TERN_KERNEL_UNARY, &scalar, 1, &out, 1, &neg, sizeof neg);
    tensor_expect(&d, &out, (double[]){-2.5}, 0, "rank 0");

    int64_t shape[16], strides[16];
    double values[256], negated[256];
    for (int i = 0; i < 16; i++) {
        shape[i] = i % 2 ? 2 : 1;
        strides[i] = shape[i] == 1 ? 999 : (int64_t)1 << (i / 2); /* reversed order */
    }
    for (int i = 0; i < 256; i++) negated[i] = -(values[i] = i);
    tensor deep = tensor_strided(&d, TERN_BT_INT32, 16, shape, strides, 5, values);
    tensor result = tensor_new(&d, TERN_BT_INT32, 16, shape, NULL);
    driver_run(&d, TERN_KERNEL_UNARY, &deep, 1, &result, 1, &neg, sizeof neg);
    tensor_expect(&d, &result, negated, 0, "rank 16");
    tensor_free(&d, &scalar);
    tensor_free(&d, &out);
    tensor_free(&d, &deep);
    tensor_free(&d, &result);
    driver_close(&d);
}

Test(cpu_ref_elementwise, add_broadcasts_by_stride_0_in_every_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor in[] = {tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){0, 1}, 0,
                                      (double[]){1, 2, 3, 1, 2, 3}),
                       tensor_strided(&d, dtype, SHAPE(2, 3), (int64_t[]){1, 0}, 0,
                                      (double[]){10, 10, 10, 20, 20, 20})};
        tensor out = tensor_new(&d, dtype, SHAPE(2, 3), NULL);
        tern_binary_attrs attrs = {TERN_BINARY_ADD, 0, 2, 2};
        driver_run(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &attrs, sizeof attrs);
        tensor_expect(&d, &out, (double[]){21, 22, 23, 41, 42, 43}, 0, "broadcast add");
        tensor_free(&d, &in[0]);
        tensor_free(&d, &in[1]);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, rows_longer_than_a_chunk_are_computed_to_their_end) {
    driver d = driver_open("cpu_ref");
    double a[1000], b[1000], sum[1000];
    for (int i = 0; i < 1000; i++) sum[i] = (a[i] = i) + (b[i] = 3 * i);
    binary(&d, TERN_BINARY_ADD, TERN_BT_INT32, TERN_BT_INT32, 1000, a, b, sum, 1);
    binary(&d, TERN_BINARY_ADD, TERN_BT_FLOAT64, TERN_BT_FLOAT64, 1000, a, b, sum, 1);
    driver_close(&d);
}

Test(cpu_ref_elementwise, add_with_alpha_is_fused_in_one_rounding) {
    driver d = driver_open("cpu_ref");
    /* 1 + 2^-24 * (1 + 2^-23): the product rounds away unless it is fused */
    double a = 1, b = 1 + ldexp(1, -23), alpha = ldexp(1, -24);
    double expected = (double)fmaf((float)alpha, (float)b, 1.0f);
    cr_assert(expected != 1);
    binary(&d, TERN_BINARY_ADD, TERN_BT_FLOAT32, TERN_BT_FLOAT32, 1, &a, &b, &expected, alpha);
    double c = -0.1, unfused = (double)((float)1 - (float)0.3 * (float)-0.1);
    double fused = (double)fmaf(-0.3f, -0.1f, 1.0f);
    (void)unfused;
    binary(&d, TERN_BINARY_SUB, TERN_BT_FLOAT32, TERN_BT_FLOAT32, 1, &a, &c, &fused, 0.3);
    driver_close(&d);
}

typedef struct pair_case {
    int fn;
    double a, b, expected;
} pair_case;

static const pair_case float_cases[] = {
    {TERN_BINARY_MUL, 3, -2, -6},
    {TERN_BINARY_DIV, 1, 4, 0.25},
    {TERN_BINARY_DIV, 1, 0, INFINITY},
    {TERN_BINARY_DIV_FLOOR, -7, 2, -4},
    {TERN_BINARY_DIV_FLOOR, 1, 0, INFINITY},
    {TERN_BINARY_DIV_TRUNC, -7, 2, -3},
    {TERN_BINARY_REMAINDER, -7, 3, 2},
    {TERN_BINARY_REMAINDER, 7, -3, -2},
    {TERN_BINARY_FMOD, -7, 3, -1},
    {TERN_BINARY_POW, 2, 3, 8},
    {TERN_BINARY_POW, NAN, 0, 1},
    {TERN_BINARY_MAXIMUM, 1, NAN, NAN},
    {TERN_BINARY_MAXIMUM, NAN, 1, NAN},
    {TERN_BINARY_MAXIMUM, 1, 2, 2},
    {TERN_BINARY_MINIMUM, 1, NAN, NAN},
    {TERN_BINARY_MINIMUM, 1, 2, 1},
    {TERN_BINARY_FMAX, 1, NAN, 1},
    {TERN_BINARY_FMIN, NAN, 1, 1},
    {TERN_BINARY_FMIN, NAN, NAN, NAN},
    {TERN_BINARY_ATAN2, 0, 1, 0},
    {TERN_BINARY_HYPOT, 3, 4, 5},
    {TERN_BINARY_COPYSIGN, 3, -0.0, -3},
    {TERN_BINARY_XLOGY, 0, 0, 0},
    {TERN_BINARY_XLOGY, 0, NAN, NAN},
    {TERN_BINARY_LOGADDEXP, INFINITY, INFINITY, INFINITY},
    {TERN_BINARY_LOGADDEXP2, 3, 3, 4},
    {TERN_BINARY_HEAVISIDE, 0, 0.5, 0.5},
    {TERN_BINARY_HEAVISIDE, -1, 0.5, 0},
};

Test(cpu_ref_elementwise, floating_pairs_follow_pytorch) {
    driver d = driver_open("cpu_ref");
    for (size_t i = 0; i < N(float_cases); i++) {
        const pair_case *c = &float_cases[i];
        for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
            binary(&d, c->fn, dtype, dtype, 1, &c->a, &c->b, &c->expected, 1);
        }
    }
    driver_close(&d);
}

static const pair_case signed_cases[] = {
    {TERN_BINARY_SUB, 3, 5, -2},           {TERN_BINARY_MUL, -3, 5, -15},
    {TERN_BINARY_DIV_FLOOR, -7, 2, -4},    {TERN_BINARY_DIV_FLOOR, 7, -2, -4},
    {TERN_BINARY_DIV_TRUNC, -7, 2, -3},    {TERN_BINARY_REMAINDER, -7, 3, 2},
    {TERN_BINARY_REMAINDER, 7, -3, -2},    {TERN_BINARY_FMOD, -7, 3, -1},
    {TERN_BINARY_POW, 3, 4, 81},           {TERN_BINARY_POW, 2, -1, 0},
    {TERN_BINARY_POW, -1, -3, -1},         {TERN_BINARY_MAXIMUM, -3, 2, 2},
    {TERN_BINARY_MINIMUM, -3, 2, -3},      {TERN_BINARY_BITWISE_AND, -2, 7, 6},
    {TERN_BINARY_BITWISE_XOR, -1, 5, -6},  {TERN_BINARY_SHIFT_LEFT, 3, 2, 12},
    {TERN_BINARY_SHIFT_LEFT, 3, 64, 0},    {TERN_BINARY_SHIFT_RIGHT, -8, 1, -4},
    {TERN_BINARY_SHIFT_RIGHT, -8, -1, -1}, {TERN_BINARY_GCD, -12, 18, 6},
    {TERN_BINARY_LCM, 4, -6, 12},          {TERN_BINARY_HEAVISIDE, 0, 7, 7},
};

Test(cpu_ref_elementwise, signed_integer_pairs_follow_pytorch) {
    driver d = driver_open("cpu_ref");
    for (size_t i = 0; i < N(signed_cases); i++) {
        const pair_case *c = &signed_cases[i];
        for (int dtype = TERN_BT_INT64; dtype <= TERN_BT_INT8; dtype++) {
            binary(&d, c->fn, dtype, dtype, 1, &c->a, &c->b, &c->expected, 1);
        }
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, integers_wrap) {
    driver d = driver_open("cpu_ref");
    binary(&d, TERN_BINARY_ADD, TERN_BT_UINT8, TERN_BT_UINT8, 1, (double[]){200}, (double[]){100},
           (double[]){44}, 1);
    binary(&d, TERN_BINARY_MUL, TERN_BT_INT8, TERN_BT_INT8, 1, (double[]){100}, (double[]){3},
           (double[]){44}, 1);
    int64_t most = INT64_MAX, least = INT64_MIN, one = 1, minus = -1, got;
    tensor in[] = {tensor_i64(&d, SHAPE(1), &most), tensor_i64(&d, SHAPE(1), &one)};
    tensor out = tensor_i64(&d, SHAPE(1), &one);
    tern_binary_attrs attrs = {TERN_BINARY_ADD, 0, 1, 1};
    driver_run(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &attrs, sizeof attrs);
    tensor_read_i64(&d, &out, &got);
    cr_assert_eq(got, INT64_MIN);
    tensor extreme[] = {tensor_i64(&d, SHAPE(1), &least), tensor_i64(&d, SHAPE(1), &minus)};
    attrs.fn = TERN_BINARY_DIV_FLOOR;
    driver_run(&d, TERN_KERNEL_BINARY, extreme, 2, &out, 1, &attrs, sizeof attrs);
    tensor_read_i64(&d, &out, &got);
    cr_assert_eq(got, INT64_MIN);
    for (int i = 0; i < 2; i++) {
        tensor_free(&d, &in[i]);
        tensor_free(&d, &extreme[i]);
    }
    tensor_free(&d, &out);
    driver_close(&d);
}

Test(cpu_ref_elementwise, int64_keeps_all_its_bits) {
    driver d = driver_open("cpu_ref");
    int64_t big = (int64_t)1 << 53, next = big + 1;
    tensor in[] = {tensor_i64(&d, SHAPE(1), &next), tensor_i64(&d, SHAPE(1), &big)};
    tensor out = tensor_new(&d, TERN_BT_BOOL, SHAPE(1), NULL);
    tern_binary_attrs attrs = {TERN_BINARY_EQ, 0, 1, 1};
    driver_run(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &attrs, sizeof attrs);
    tensor_expect(&d, &out, (double[]){0}, 0, "2^53 + 1 == 2^53");
    tensor_free(&d, &in[0]);
    tensor_free(&d, &in[1]);
    tensor_free(&d, &out);
    driver_close(&d);
}

Test(cpu_ref_elementwise, comparisons_and_logic_write_bool_for_every_dtype) {
    driver d = driver_open("cpu_ref");
    static const struct {
        int fn;
        double expected[3];
    } cases[] = {
        {TERN_BINARY_EQ, {0, 1, 0}},          {TERN_BINARY_NE, {1, 0, 1}},
        {TERN_BINARY_LT, {1, 0, 0}},          {TERN_BINARY_LE, {1, 1, 0}},
        {TERN_BINARY_GT, {0, 0, 1}},          {TERN_BINARY_GE, {0, 1, 1}},
        {TERN_BINARY_LOGICAL_AND, {0, 1, 0}}, {TERN_BINARY_LOGICAL_OR, {1, 1, 1}},
        {TERN_BINARY_LOGICAL_XOR, {1, 0, 1}},
    };
    double a[] = {0, 1, 1}, b[] = {1, 1, 0};
    for (size_t i = 0; i < N(cases); i++) {
        for (int dtype = 0; dtype < TERN_BT_COUNT; dtype++) {
            binary(&d, cases[i].fn, dtype, TERN_BT_BOOL, 3, a, b, cases[i].expected, 1);
        }
    }
    double nan = NAN;
    binary(&d, TERN_BINARY_EQ, TERN_BT_FLOAT32, TERN_BT_BOOL, 1, &nan, &nan, (double[]){0}, 1);
    binary(&d, TERN_BINARY_NE, TERN_BT_FLOAT32, TERN_BT_BOOL, 1, &nan, &nan, (double[]){1}, 1);
    driver_close(&d);
}

Test(cpu_ref_elementwise, integer_division_by_zero_is_an_error_once) {
    driver d = driver_open("cpu_ref");
    const int fns[] = {TERN_BINARY_DIV_FLOOR, TERN_BINARY_DIV_TRUNC, TERN_BINARY_REMAINDER,
                       TERN_BINARY_FMOD};
    for (size_t i = 0; i < N(fns); i++) {
        tensor in[] = {tensor_new(&d, TERN_BT_INT32, SHAPE(2), (double[]){4, 9}),
                       tensor_new(&d, TERN_BT_INT32, SHAPE(2), (double[]){0, 3})};
        tensor out = tensor_new(&d, TERN_BT_INT32, SHAPE(2), NULL);
        tern_binary_attrs attrs = {fns[i], 0, 1, 1};
        tern_backend_error err = {""};
        int status =
            driver_launch(&d, TERN_KERNEL_BINARY, in, 2, &out, 1, &attrs, sizeof attrs, &err);
        cr_assert_eq(status, TERN_BACKEND_BAD_INDEX);
        cr_assert_str_eq(err.message, "ZeroDivisionError");
        driver_run(&d, TERN_KERNEL_BINARY, (tensor[]){in[1], in[0]}, 2, &out, 1, &attrs,
                   sizeof attrs);
        tensor_free(&d, &in[0]);
        tensor_free(&d, &in[1]);
        tensor_free(&d, &out);
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, nextafter_steps_by_the_dtypes_own_ulp) {
    driver d = driver_open("cpu_ref");
    const double steps[] = {ldexp(1, -23), ldexp(1, -52), ldexp(1, -10), ldexp(1, -7)};
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        double up = 1 + steps[dtype];
        binary(&d, TERN_BINARY_NEXTAFTER, dtype, dtype, 2, (double[]){1, up}, (double[]){2, 0},
               (double[]){up, 1}, 1);
        binary(&d, TERN_BINARY_NEXTAFTER, dtype, dtype, 2, (double[]){-1, 5}, (double[]){-2, 5},
               (double[]){-up, 5}, 1);
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, unary_functions_give_known_values) {
    driver d = driver_open("cpu_ref");
    static const struct {
        int fn;
        double x, y;
    } cases[] = {
        {TERN_UNARY_NEG, 2, -2},
        {TERN_UNARY_ABS, -2, 2},
        {TERN_UNARY_SIGN, NAN, 0},
        {TERN_UNARY_SQUARE, 3, 9},
        {TERN_UNARY_RECIPROCAL, 4, 0.25},
        {TERN_UNARY_SQRT, 9, 3},
        {TERN_UNARY_RSQRT, 4, 0.5},
        {TERN_UNARY_EXP, 0, 1},
        {TERN_UNARY_EXP2, 3, 8},
        {TERN_UNARY_EXPM1, 0, 0},
        {TERN_UNARY_LOG, 1, 0},
        {TERN_UNARY_LOG2, 8, 3},
        {TERN_UNARY_LOG10, 1000, 3},
        {TERN_UNARY_LOG1P, 0, 0},
        {TERN_UNARY_SIN, 0, 0},
        {TERN_UNARY_COS, 0, 1},
        {TERN_UNARY_TAN, 0, 0},
        {TERN_UNARY_ASIN, 1, 1.5707963267948966},
        {TERN_UNARY_ACOS, 1, 0},
        {TERN_UNARY_ATAN, 1, 0.78539816339744831},
        {TERN_UNARY_SINH, 1, 1.1752011936438014},
        {TERN_UNARY_COSH, 0, 1},
        {TERN_UNARY_TANH, 1, 0.76159415595576489},
        {TERN_UNARY_ASINH, 1, 0.88137358701954303},
        {TERN_UNARY_ACOSH, 1, 0},
        {TERN_UNARY_ATANH, 0.5, 0.54930614433405485},
        {TERN_UNARY_ERF, 1, 0.84270079294971487},
        {TERN_UNARY_ERFC, 1, 0.15729920705028513},
        {TERN_UNARY_ERFINV, 0.5, 0.47693627620446987},
        {TERN_UNARY_LGAMMA, 4, 1.791759469228055},
        {TERN_UNARY_DIGAMMA, 1, -0.57721566490153286},
        {TERN_UNARY_FLOOR, -1.5, -2},
        {TERN_UNARY_CEIL, -1.5, -1},
        {TERN_UNARY_TRUNC, -1.5, -1},
        {TERN_UNARY_ROUND, 2.5, 2},
        {TERN_UNARY_FRAC, -1.25, -0.25},
        {TERN_UNARY_SIGMOID, 0, 0.5},
        {TERN_UNARY_RELU, -1, 0},
        {TERN_UNARY_RELU, NAN, NAN},
        {TERN_UNARY_LOG_SIGMOID, 0, -0.69314718055994531},
        {TERN_UNARY_SINC, 0.5, 0.63661977236758134},
        {TERN_UNARY_TRIGAMMA, 1, 1.6449340668482264},
        {TERN_UNARY_TRIGAMMA, 0.25, 17.197329154507109},
        {TERN_UNARY_TRIGAMMA, -0.5, 8.9348022005446793},
    };
    const double ulps[] = {6e-8, 3e-16, 5e-4, 4e-3};
    for (size_t i = 0; i < N(cases); i++) {
        for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
            double tolerance = ulps[dtype] * (fabs(cases[i].y) + 1);
            unary(&d, cases[i].fn, dtype, dtype, 1, &cases[i].x, &cases[i].y, tolerance);
        }
    }
    driver_close(&d);
}

Test(cpu_ref_elementwise, unary_predicates_write_bool) {
    driver d = driver_open("cpu_ref");
    double x[] = {NAN, INFINITY, -0.0, 2};
    unary(&d, TERN_UNARY_ISNAN, TERN_BT_FLOAT16, TERN_BT_BOOL, 4, x, (double[]){1, 0, 0, 0}, 0);
    unary(&d, TERN_UNARY_ISINF, TERN_BT_FLOAT32, TERN_BT_BOOL, 4, x, (double[]){0, 1, 0, 0}, 0);
    unary(&d, TERN_UNARY_ISFINITE, TERN_BT_FLOAT64, TERN_BT_BOOL, 4, x, (double[]){0, 0, 1, 1}, 0);
    unary(&d, TERN_UNARY_SIGNBIT, TERN_BT_BFLOAT16, TERN_BT_BOOL, 3, x + 1, (double[]){0, 1, 0}, 0);
    unary(&d, TERN_UNARY_LOGICAL_NOT, TERN_BT_FLOAT32, TERN_BT_BOOL, 4, x, (double[]){0, 0, 1, 0},
          0);
    driver_close(&d);
}

Test(cpu_ref_elementwise, integer_unary_functions_wrap_and_keep_their_dtype) {
    driver d = driver_open("cpu_ref");
    for (int dtype = TERN_BT_INT64; dtype <= TERN_BT_INT8; dtype++) {
        double x[] = {-3, 0, 5};
        unary(&d, TERN_UNARY_NEG, dtype, dtype, 3, x, (double[]){3, 0, -5}, 0);
        unary(&d, TERN_UNARY_ABS, dtype, dtype, 3, x, (double[]){3, 0, 5}, 0);
        unary(&d, TERN_UNARY_SIGN, dtype, dtype, 3, x, (double[]){-1, 0, 1}, 0);
        unary(&d, TERN_UNARY_SQUARE, dtype, dtype, 3, x, (double[]){9, 0, 25}, 0);
        unary(&d, TERN_UNARY_RELU, dtype, dtype, 3, x, (double[]){0, 0, 5}, 0);
        unary(&d, TERN_UNARY_BITWISE_NOT, dtype, dtype, 3, x, (double[]){2, -1, -6}, 0);
        unary(&d, TERN_UNARY_ROUND, dtype, dtype, 3, x, x, 0);
        unary(&d, TERN_UNARY_SIGNBIT, dtype, TERN_BT_BOOL, 3, x, (double[]){1, 0, 0}, 0);
    }
    unary(&d, TERN_UNARY_NEG, TERN_BT_UINT8, TERN_BT_UINT8, 1, (double[]){1}, (double[]){255}, 0);
    unary(&d, TERN_UNARY_ABS, TERN_BT_INT8, TERN_BT_INT8, 1, (double[]){-128}, (double[]){-128}, 0);
    unary(&d, TERN_UNARY_BITWISE_NOT, TERN_BT_BOOL, TERN_BT_BOOL, 2, (double[]){0, 1},
          (double[]){1, 0}, 0);
    driver_close(&d);
}

static void ternary(driver *d, int fn, int dtype, double a, double b, double c, double value,
                    double expected) {
    int first = fn == TERN_TERNARY_WHERE ? TERN_BT_BOOL : dtype;
    tensor in[] = {tensor_new(d, first, SHAPE(1), &a), tensor_new(d, dtype, SHAPE(1), &b),
                   tensor_new(d, dtype, SHAPE(1), &c)};
    tensor out = tensor_new(d, dtype, SHAPE(1), NULL);
    tern_ternary_attrs attrs = {fn, 0, value, (int64_t)value};
    driver_run(d, TERN_KERNEL_TERNARY, in, 3, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, &expected, 0, "ternary");
    for (int i = 0; i < 3; i++) tensor_free(d, &in[i]);
    tensor_free(d, &out);
}

Test(cpu_ref_elementwise, ternary_functions_follow_pytorch) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        ternary(&d, TERN_TERNARY_WHERE, dtype, 1, 5, 6, 0, 5);
        ternary(&d, TERN_TERNARY_WHERE, dtype, 0, 5, 6, 0, 6);
        ternary(&d, TERN_TERNARY_CLAMP, dtype, 9, 1, 4, 0, 4);
        ternary(&d, TERN_TERNARY_CLAMP, dtype, 0, 1, 4, 0, 1);
        ternary(&d, TERN_TERNARY_CLAMP, dtype, 2, 4, 1, 0, 1); /* an empty interval: the maximum */
        ternary(&d, TERN_TERNARY_ADDCMUL, dtype, 1, 2, 3, 2, 13);
        if (!floating(dtype)) continue;
        ternary(&d, TERN_TERNARY_CLAMP, dtype, NAN, 1, 4, 0, NAN);
        ternary(&d, TERN_TERNARY_CLAMP, dtype, 2, NAN, 4, 0, NAN);
        ternary(&d, TERN_TERNARY_CLAMP, dtype, 2, 1, NAN, 0, NAN);
        ternary(&d, TERN_TERNARY_ADDCDIV, dtype, 1, 3, 4, 2, 2.5);
        ternary(&d, TERN_TERNARY_LERP, dtype, 2, 6, 0.25, 0, 3);
        ternary(&d, TERN_TERNARY_LERP, dtype, 2, 6, 0.75, 0, 5);
    }
    float a = 0.1f, b = 0.3f, c = 0.7f, v = 1.1f;
    ternary(&d, TERN_TERNARY_ADDCMUL, TERN_BT_FLOAT32, (double)a, (double)b, (double)c, (double)v,
            (double)fmaf(v * b, c, a));
    ternary(&d, TERN_TERNARY_ADDCDIV, TERN_BT_FLOAT32, (double)a, (double)b, (double)c, (double)v,
            (double)(a + v * b / c));
    ternary(&d, TERN_TERNARY_LERP, TERN_BT_FLOAT32, (double)a, (double)b, (double)c, 0,
            (double)fmaf(c - 1, b - a, b));
    driver_close(&d);
}
