/*
 * BINARY on float32, float64, float16 and bfloat16.
 *
 * Computed in double and rounded once by the store. For the narrower types + - * / come out as if
 * computed in float32: a double has more than twice the bits of a float, so rounding twice is
 * harmless (Figueroa, "When is double rounding innocuous?", 1995). Where PyTorch rounds to float32
 * on the way and it shows, so does the function here.
 */
#include <math.h>
#include <string.h>

#include "binary.h"
#include "numerics/division.h"
#include "numerics/dtype_convert.h"
#include "numerics/elementary.h"

static double mul(double a, double b) {
    return a * b;
}
static double divide(double a, double b) {
    return a / b;
}

static double div_trunc(double a, double b) {
    return trunc(a / b);
}
static double div_trunc_f32(double a, double b) {
    return (double)truncf((float)(a / b));
}

static double maximum(double a, double b) {
    return isnan(a) || a > b ? a : b;
}
static double minimum(double a, double b) {
    return isnan(a) || a < b ? a : b;
}
static double fmax_of(double a, double b) {
    return isnan(b) || a > b ? a : b;
}
static double fmin_of(double a, double b) {
    return isnan(b) || a < b ? a : b;
}

static double eq(double a, double b) {
    return a == b;
}
static double ne(double a, double b) {
    return a != b;
}
static double lt(double a, double b) {
    return a < b;
}
static double le(double a, double b) {
    return a <= b;
}
static double gt(double a, double b) {
    return a > b;
}
static double ge(double a, double b) {
    return a >= b;
}
static double logical_and(double a, double b) {
    return a != 0 && b != 0;
}
static double logical_or(double a, double b) {
    return a != 0 || b != 0;
}
static double logical_xor(double a, double b) {
    return (a != 0) != (b != 0);
}

static double heaviside(double a, double b) {
    return a == 0 ? b : (double)(a > 0);
}

typedef double (*pair_fn)(double a, double b);

static const pair_fn functions[] = {
    [TERN_BINARY_MUL] = mul,
    [TERN_BINARY_DIV] = divide,
    [TERN_BINARY_DIV_FLOOR] = tern_num_div_floor,
    [TERN_BINARY_DIV_TRUNC] = div_trunc,
    [TERN_BINARY_REMAINDER] = tern_num_remainder,
    [TERN_BINARY_FMOD] = fmod,
    [TERN_BINARY_POW] = tern_num_pow,
    [TERN_BINARY_MAXIMUM] = maximum,
    [TERN_BINARY_MINIMUM] = minimum,
    [TERN_BINARY_FMAX] = fmax_of,
    [TERN_BINARY_FMIN] = fmin_of,
    [TERN_BINARY_ATAN2] = tern_num_atan2,
    [TERN_BINARY_HYPOT] = tern_num_hypot,
    [TERN_BINARY_COPYSIGN] = copysign,
    [TERN_BINARY_NEXTAFTER] = nextafter,
    [TERN_BINARY_EQ] = eq,
    [TERN_BINARY_NE] = ne,
    [TERN_BINARY_LT] = lt,
    [TERN_BINARY_LE] = le,
    [TERN_BINARY_GT] = gt,
    [TERN_BINARY_GE] = ge,
    [TERN_BINARY_LOGICAL_AND] = logical_and,
    [TERN_BINARY_LOGICAL_OR] = logical_or,
    [TERN_BINARY_LOGICAL_XOR] = logical_xor,
    [TERN_BINARY_XLOGY] = tern_num_xlogy,
    [TERN_BINARY_LOGADDEXP] = tern_num_logaddexp,
    [TERN_BINARY_LOGADDEXP2] = tern_num_logaddexp2,
    [TERN_BINARY_HEAVISIDE] = heaviside,
};

bool tern_ref_binary_has_floating(int32_t fn) {
    if (fn == TERN_BINARY_ADD || fn == TERN_BINARY_SUB) return true;
    return fn >= 1 && fn < (int32_t)(sizeof functions / sizeof *functions) && functions[fn];
}

/* a + alpha * b in one rounding (PyTorch's vector kernels fuse): of float64, or of float32 for it
 * and the narrower types. */
static void add_scaled(double alpha, int32_t dtype, double *a, const double *b, int64_t n) {
    if (alpha == 1) {
        for (int64_t i = 0; i < n; i++) a[i] += b[i];
    } else if (alpha == -1) {
        for (int64_t i = 0; i < n; i++) a[i] -= b[i];
    } else if (dtype == TERN_BT_FLOAT64) {
        for (int64_t i = 0; i < n; i++) a[i] = fma(alpha, b[i], a[i]);
    } else {
        float factor = (float)alpha;
        for (int64_t i = 0; i < n; i++) a[i] = (double)fmaf(factor, (float)b[i], (float)a[i]);
    }
}

/*
 * The neighbour of a 16-bit float in the direction of b. Bits of one sign are ordered as their
 * values are, so the neighbour is one more or one less.
 */
static double next_16(int32_t dtype, double a, double b) {
    if (isnan(a) || isnan(b)) return a + b;
    if (a == b) return b;
    bool half = dtype == TERN_BT_FLOAT16;
    uint16_t bits = half ? tern_num_f64_to_f16(a) : tern_num_f64_to_bf16(a);
    if (a == 0)
        bits = (uint16_t)(b < 0 ? 0x8001 : 0x0001);
    else if ((a < b) == (a > 0))
        bits++;
    else
        bits--;
    return (double)(half ? tern_num_f16_to_f32(bits) : tern_num_bf16_to_f32(bits));
}

static void next_after(int32_t dtype, double *a, const double *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (dtype == TERN_BT_FLOAT64)
            a[i] = nextafter(a[i], b[i]);
        else if (dtype == TERN_BT_FLOAT32)
            a[i] = (double)nextafterf((float)a[i], (float)b[i]);
        else
            a[i] = next_16(dtype, a[i], b[i]);
    }
}

void tern_ref_binary_floating(const tern_binary_attrs *attrs, int32_t dtype, double *a,
                              const double *b, int64_t n) {
    switch (attrs->fn) {
    case TERN_BINARY_ADD: add_scaled(attrs->alpha, dtype, a, b, n); return;
    case TERN_BINARY_SUB: add_scaled(-attrs->alpha, dtype, a, b, n); return;
    case TERN_BINARY_NEXTAFTER: next_after(dtype, a, b, n); return;
    default: break;
    }
    pair_fn f = functions[attrs->fn];
    if (f == div_trunc && dtype != TERN_BT_FLOAT64) f = div_trunc_f32;
    if (f == mul) /* the commonest, without a call for each number */
        for (int64_t i = 0; i < n; i++) a[i] *= b[i];
    else
        for (int64_t i = 0; i < n; i++) a[i] = f(a[i], b[i]);
}
