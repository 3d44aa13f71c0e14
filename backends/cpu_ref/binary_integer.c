/*
 * BINARY on integers and bool, in int64. Sums and products are made in unsigned arithmetic, where
 * overflow wraps; the store keeps the low bits, which is the wrapped result of a narrower type.
 */
#include "binary.h"
#include "walk.h"

static int64_t wrap(uint64_t bits) {
    return (int64_t)bits;
}
static int64_t neg(int64_t a) {
    return wrap(0 - (uint64_t)a);
}
static int64_t mul(int64_t a, int64_t b) {
    return wrap((uint64_t)a * (uint64_t)b);
}

/* The caller keeps b = 0 away; INT64_MIN / -1, which C leaves undefined, wraps. */
static int64_t div_trunc(int64_t a, int64_t b) {
    return b == -1 ? neg(a) : a / b;
}
static int64_t fmod_of(int64_t a, int64_t b) {
    return b == -1 ? 0 : a % b;
}

static int64_t remainder_of(int64_t a, int64_t b) {
    int64_t mod = fmod_of(a, b);
    return mod != 0 && (mod < 0) != (b < 0) ? mod + b : mod;
}

static int64_t div_floor(int64_t a, int64_t b) {
    int64_t mod = fmod_of(a, b);
    return div_trunc(a, b) - (mod != 0 && (mod < 0) != (b < 0));
}

/* A negative exponent gives 0 but for the bases 1 and -1, as in PyTorch. */
static int64_t power(int64_t a, int64_t b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    uint64_t result = 1, factor = (uint64_t)a;
    for (; b > 0; b >>= 1) {
        if (b & 1) result *= factor;
        factor *= factor;
    }
    return wrap(result);
}

static int64_t maximum(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t minimum(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t eq(int64_t a, int64_t b) {
    return a == b;
}
static int64_t ne(int64_t a, int64_t b) {
    return a != b;
}
static int64_t lt(int64_t a, int64_t b) {
    return a < b;
}
static int64_t le(int64_t a, int64_t b) {
    return a <= b;
}
static int64_t gt(int64_t a, int64_t b) {
    return a > b;
}
static int64_t ge(int64_t a, int64_t b) {
    return a >= b;
}
static int64_t logical_and(int64_t a, int64_t b) {
    return a && b;
}
static int64_t logical_or(int64_t a, int64_t b) {
    return a || b;
}
static int64_t logical_xor(int64_t a, int64_t b) {
    return !a != !b;
}
static int64_t bitwise_and(int64_t a, int64_t b) {
    return a & b;
}
static int64_t bitwise_or(int64_t a, int64_t b) {
    return a | b;
}
static int64_t bitwise_xor(int64_t a, int64_t b) {
    return a ^ b;
}
static int64_t heaviside(int64_t a, int64_t b) {
    return a == 0 ? b : a > 0;
}

static int64_t gcd(int64_t a, int64_t b) {
    uint64_t x = (uint64_t)(a < 0 ? neg(a) : a), y = (uint64_t)(b < 0 ? neg(b) : b);
    while (y) {
        uint64_t rest = x % y;
        x = y;
        y = rest;
    }
    return wrap(x);
}

static int64_t lcm(int64_t a, int64_t b) {
    int64_t divisor = gcd(a, b);
    if (divisor == 0) return 0;
    int64_t product = mul(div_trunc(a, divisor), b);
    return product < 0 ? neg(product) : product;
}

typedef int64_t (*pair_fn)(int64_t a, int64_t b);

static const pair_fn functions[] = {
    [TERN_BINARY_MUL] = mul,
    [TERN_BINARY_DIV_FLOOR] = div_floor,
    [TERN_BINARY_DIV_TRUNC] = div_trunc,
    [TERN_BINARY_REMAINDER] = remainder_of,
    [TERN_BINARY_FMOD] = fmod_of,
    [TERN_BINARY_POW] = power,
    [TERN_BINARY_MAXIMUM] = maximum,
    [TERN_BINARY_MINIMUM] = minimum,
    [TERN_BINARY_FMAX] = maximum,
    [TERN_BINARY_FMIN] = minimum,
    [TERN_BINARY_EQ] = eq,
    [TERN_BINARY_NE] = ne,
    [TERN_BINARY_LT] = lt,
    [TERN_BINARY_LE] = le,
    [TERN_BINARY_GT] = gt,
    [TERN_BINARY_GE] = ge,
    [TERN_BINARY_LOGICAL_AND] = logical_and,
    [TERN_BINARY_LOGICAL_OR] = logical_or,
    [TERN_BINARY_LOGICAL_XOR] = logical_xor,
    [TERN_BINARY_BITWISE_AND] = bitwise_and,
    [TERN_BINARY_BITWISE_OR] = bitwise_or,
    [TERN_BINARY_BITWISE_XOR] = bitwise_xor,
    [TERN_BINARY_GCD] = gcd,
    [TERN_BINARY_LCM] = lcm,
    [TERN_BINARY_HEAVISIDE] = heaviside,
};

static bool is_special(int32_t fn) {
    return fn == TERN_BINARY_ADD || fn == TERN_BINARY_SUB || fn == TERN_BINARY_SHIFT_LEFT ||
           fn == TERN_BINARY_SHIFT_RIGHT;
}

bool tern_ref_binary_has_integer(int32_t fn) {
    if (is_special(fn)) return true;
    return fn >= 1 && fn < (int32_t)(sizeof functions / sizeof *functions) && functions[fn];
}

/*
 * Shifts depend on the width: a count that is negative or too large gives 0, to the right the sign.
 * A right shift of a negative number is written without C's implementation-defined >>.
 */
static int64_t shift_left(int64_t a, int64_t count, int64_t bits) {
    return count < 0 || count >= bits ? 0 : wrap((uint64_t)a << count);
}

static int64_t shift_right(int64_t a, int64_t count, int64_t bits) {
    if (count < 0 || count >= bits) return a < 0 ? -1 : 0;
    return a < 0 ? ~(~a >> count) : a >> count;
}

static void run_special(const tern_binary_attrs *attrs, int32_t dtype, int64_t *a, const int64_t *b,
                        int64_t n) {
    uint64_t alpha = (uint64_t)attrs->alpha_i;
    int64_t bits = 8 * tern_kit_size(dtype);
    switch (attrs->fn) {
    case TERN_BINARY_ADD:
        for (int64_t i = 0; i < n; i++) a[i] = wrap((uint64_t)a[i] + alpha * (uint64_t)b[i]);
        return;
    case TERN_BINARY_SUB:
        for (int64_t i = 0; i < n; i++) a[i] = wrap((uint64_t)a[i] - alpha * (uint64_t)b[i]);
        return;
    case TERN_BINARY_SHIFT_LEFT:
        for (int64_t i = 0; i < n; i++) a[i] = shift_left(a[i], b[i], bits);
        return;
    default:
        for (int64_t i = 0; i < n; i++) a[i] = shift_right(a[i], b[i], bits);
        return;
    }
}

static bool divides(int32_t fn) {
    return fn == TERN_BINARY_DIV_FLOOR || fn == TERN_BINARY_DIV_TRUNC ||
           fn == TERN_BINARY_REMAINDER || fn == TERN_BINARY_FMOD;
}

void tern_ref_binary_integer(const tern_kit_call *call, const tern_binary_attrs *attrs,
                             int32_t dtype, int64_t *a, const int64_t *b, int64_t n) {
    if (is_special(attrs->fn)) {
        run_special(attrs, dtype, a, b, n);
        return;
    }
    pair_fn f = functions[attrs->fn];
    bool division = divides(attrs->fn);
    for (int64_t i = 0; i < n; i++) {
        if (division && b[i] == 0) {
            tern_kit_zero_division(call);
            a[i] = 0;
            continue;
        }
        a[i] = f(a[i], b[i]);
    }
}
