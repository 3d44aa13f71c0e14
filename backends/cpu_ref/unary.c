/*
 * UNARY: out[...] = f(in[...]).
 *
 * Floating dtypes compute in double and round once; integers compute in int64 and wrap. A member is
 * one line of the table: which function serves which kind.
 */
#include <math.h>

#include "kernels.h"
#include "numerics/elementary.h"
#include "walk.h"

static double neg(double x) {
    return -x;
}
static double sign(double x) {
    return (double)((x > 0) - (x < 0));
}
static double square(double x) {
    return x * x;
}
static double reciprocal(double x) {
    return 1 / x;
}
static double frac(double x) {
    return x - trunc(x);
}
static double relu(double x) {
    return x < 0 ? 0 : x;
}
static double logical_not(double x) {
    return x == 0;
}
static double is_nan(double x) {
    return isnan(x);
}
static double is_inf(double x) {
    return isinf(x) != 0;
}
static double is_finite(double x) {
    return isfinite(x) != 0;
}
static double sign_bit(double x) {
    return signbit(x) != 0;
}

/* Negation and squares in unsigned arithmetic: they wrap. */
static int64_t neg_i(int64_t x) {
    return (int64_t)(0 - (uint64_t)x);
}
static int64_t abs_i(int64_t x) {
    return x < 0 ? neg_i(x) : x;
}
static int64_t sign_i(int64_t x) {
    return (x > 0) - (x < 0);
}
static int64_t square_i(int64_t x) {
    return (int64_t)((uint64_t)x * (uint64_t)x);
}
static int64_t same_i(int64_t x) {
    return x;
}
static int64_t relu_i(int64_t x) {
    return x < 0 ? 0 : x;
}
static int64_t logical_not_i(int64_t x) {
    return x == 0;
}
static int64_t bitwise_not_i(int64_t x) {
    return ~x;
}
static int64_t sign_bit_i(int64_t x) {
    return x < 0;
}

typedef struct member {
    double (*floating)(double);  /* NULL: no floating dtype */
    int64_t (*integer)(int64_t); /* NULL: no integer dtype and no bool */
} member;

static const member members[] = {
    [TERN_UNARY_NEG] = {neg, neg_i},
    [TERN_UNARY_ABS] = {fabs, abs_i},
    [TERN_UNARY_SIGN] = {sign, sign_i},
    [TERN_UNARY_SQUARE] = {square, square_i},
    [TERN_UNARY_RECIPROCAL] = {reciprocal, NULL},
    [TERN_UNARY_SQRT] = {sqrt, NULL},
    [TERN_UNARY_RSQRT] = {tern_num_rsqrt, NULL},
    [TERN_UNARY_EXP] = {tern_num_exp, NULL},
    [TERN_UNARY_EXP2] = {tern_num_exp2, NULL},
    [TERN_UNARY_EXPM1] = {tern_num_expm1, NULL},
    [TERN_UNARY_LOG] = {tern_num_log, NULL},
    [TERN_UNARY_LOG2] = {tern_num_log2, NULL},
    [TERN_UNARY_LOG10] = {tern_num_log10, NULL},
    [TERN_UNARY_LOG1P] = {tern_num_log1p, NULL},
    [TERN_UNARY_SIN] = {tern_num_sin, NULL},
    [TERN_UNARY_COS] = {tern_num_cos, NULL},
    [TERN_UNARY_TAN] = {tern_num_tan, NULL},
    [TERN_UNARY_ASIN] = {tern_num_asin, NULL},
    [TERN_UNARY_ACOS] = {tern_num_acos, NULL},
    [TERN_UNARY_ATAN] = {tern_num_atan, NULL},
    [TERN_UNARY_SINH] = {tern_num_sinh, NULL},
    [TERN_UNARY_COSH] = {tern_num_cosh, NULL},
    [TERN_UNARY_TANH] = {tern_num_tanh, NULL},
    [TERN_UNARY_ASINH] = {tern_num_asinh, NULL},
    [TERN_UNARY_ACOSH] = {tern_num_acosh, NULL},
    [TERN_UNARY_ATANH] = {tern_num_atanh, NULL},
    [TERN_UNARY_ERF] = {tern_num_erf, NULL},
    [TERN_UNARY_ERFC] = {tern_num_erfc, NULL},
    [TERN_UNARY_ERFINV] = {tern_num_erfinv, NULL},
    [TERN_UNARY_LGAMMA] = {tern_num_lgamma, NULL},
    [TERN_UNARY_DIGAMMA] = {tern_num_digamma, NULL},
    [TERN_UNARY_FLOOR] = {floor, same_i},
    [TERN_UNARY_CEIL] = {ceil, same_i},
    [TERN_UNARY_TRUNC] = {trunc, same_i},
    [TERN_UNARY_ROUND] = {rint, same_i},
    [TERN_UNARY_FRAC] = {frac, NULL},
    [TERN_UNARY_SIGMOID] = {tern_num_sigmoid, NULL},
    [TERN_UNARY_RELU] = {relu, relu_i},
    [TERN_UNARY_LOGICAL_NOT] = {logical_not, logical_not_i},
    [TERN_UNARY_BITWISE_NOT] = {NULL, bitwise_not_i},
    [TERN_UNARY_ISNAN] = {is_nan, NULL},
    [TERN_UNARY_ISINF] = {is_inf, NULL},
    [TERN_UNARY_ISFINITE] = {is_finite, NULL},
    [TERN_UNARY_SIGNBIT] = {sign_bit, sign_bit_i},
    [TERN_UNARY_LOG_SIGMOID] = {tern_num_log_sigmoid, NULL},
    [TERN_UNARY_SINC] = {tern_num_sinc, NULL},
    [TERN_UNARY_TRIGAMMA] = {tern_num_trigamma, NULL},
};

bool tern_ref_unary_has(int32_t fn, int32_t dtype) {
    if (fn < 1 || fn >= (int32_t)(sizeof members / sizeof *members)) return false;
    return tern_kit_is_floating(dtype) ? members[fn].floating != NULL : members[fn].integer != NULL;
}

static inline void apply(double (*f)(double), double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++) a[i] = f(a[i]);
}

/* The commonest of the cheap ones have loops without a call for each number. */
void tern_ref_unary_floating(int32_t fn, double *a, int64_t n) {
    switch (fn) {
    case TERN_UNARY_NEG: apply(neg, a, n); return;
    case TERN_UNARY_ABS: apply(fabs, a, n); return;
    case TERN_UNARY_SIGN: apply(sign, a, n); return;
    case TERN_UNARY_SQUARE: apply(square, a, n); return;
    case TERN_UNARY_RELU: apply(relu, a, n); return;
    default: apply(members[fn].floating, a, n);
    }
}

void tern_ref_unary_integer(int32_t fn, int64_t *a, int64_t n) {
    int64_t (*f)(int64_t) = members[fn].integer;
    for (int64_t i = 0; i < n; i++) a[i] = f(a[i]);
}

static void run_floating(int32_t fn, const tern_kit_tensor *in, const void *from,
                         int64_t from_stride, const tern_kit_tensor *out, void *to,
                         int64_t to_stride, int64_t n) {
    double x[TERN_KIT_CHUNK];
    tern_kit_load_f64(in->dtype, from, from_stride, n, x);
    tern_ref_unary_floating(fn, x, n);
    tern_kit_store_f64(out->dtype, to, to_stride, n, x);
}

static void run_integer(int32_t fn, const tern_kit_tensor *in, const void *from,
                        int64_t from_stride, const tern_kit_tensor *out, void *to,
                        int64_t to_stride, int64_t n) {
    int64_t x[TERN_KIT_CHUNK];
    tern_kit_load_i64(in->dtype, from, from_stride, n, x);
    tern_ref_unary_integer(fn, x, n);
    tern_kit_store_i64(out->dtype, to, to_stride, n, x);
}

int32_t tern_ref_unary(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    int32_t fn = ((const tern_unary_attrs *)call->attrs)->fn;
    /* ~x of a bool is its negation: ~1 is -2, which would be true again */
    if (fn == TERN_UNARY_BITWISE_NOT && in->dtype == TERN_BT_BOOL) fn = TERN_UNARY_LOGICAL_NOT;

    const tern_kit_tensor *operands[] = {out, in};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        for (int64_t i = 0; i < row.length; i += TERN_KIT_CHUNK) {
            int64_t n = row.length - i < TERN_KIT_CHUNK ? row.length - i : TERN_KIT_CHUNK;
            void *to = tern_kit_at(out, walk.offset[0] + i * row.stride[0]);
            const void *from = tern_kit_at(in, walk.offset[1] + i * row.stride[1]);
            if (tern_kit_is_floating(in->dtype)) {
                run_floating(fn, in, from, row.stride[1], out, to, row.stride[0], n);
            } else {
                run_integer(fn, in, from, row.stride[1], out, to, row.stride[0], n);
            }
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
