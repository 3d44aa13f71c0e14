/*
 * functions.h: the members of UNARY, BINARY and TERNARY as functions of numbers, u_NAME, b_NAME, t_NAME.
 *
 * A floating one rounds to the number's type as often as backends/cpu_ref does. What the language's
 * library lacks (digamma, trigamma, the inverse of erf) follows from the usual series.
 */
#if FLOATING
#define PI    ((num)3.14159265358979323846)
#define LN10R ((num)0.43429448190325182765)
#if CLASS == 1
#define LEAST_LOG (-708.39641853226408)
#define EPSILON   0x1p-54
#else
#define LEAST_LOG (-87.3365478515625f) /* the log of the least normal number */
#define EPSILON   0x1p-25f             /* 1 and so much is 1 */
#endif

FUNCTION num u_neg(num x) {
    return -x;
}
FUNCTION num u_abs(num x) {
    return fabs(x);
}
FUNCTION num u_sign(num x) {
    return (num)((x > 0) - (x < 0));
}
FUNCTION num u_square(num x) {
    return x * x;
}
FUNCTION num u_reciprocal(num x) {
    return 1 / x;
}
FUNCTION num u_sqrt(num x) {
    return sqrt(x);
}
FUNCTION num u_rsqrt(num x) {
    return 1 / sqrt(x);
}
/* A device's exp may be wrong by its last place, which is much of a number below the normal ones: there it is the
 * square of a normal one. */
FUNCTION num u_exp(num x) {
    num e = exp(x < LEAST_LOG ? x * (num)0.5 : x);
    return x < LEAST_LOG ? e * e : e;
}
FUNCTION num u_exp2(num x) {
    return exp2(x);
}
FUNCTION num u_expm1(num x) {
    return expm1(x);
}
FUNCTION num u_log(num x) {
    return log(x);
}
FUNCTION num u_log2(num x) {
    return log2(x);
}
FUNCTION num u_log10(num x) {
    return log10(x);
}
/* Devices flush what is below the normal numbers. */
FUNCTION num u_log1p(num x) {
    return fabs(x) < (num)EPSILON ? x : log1p(x);
}
FUNCTION num u_sin(num x) {
    return sin(x);
}
FUNCTION num u_cos(num x) {
    return cos(x);
}
FUNCTION num u_tan(num x) {
    return tan(x);
}
FUNCTION num u_asin(num x) {
    return asin(x);
}
FUNCTION num u_acos(num x) {
    return acos(x);
}
FUNCTION num u_atan(num x) {
    return atan(x);
}
FUNCTION num u_sinh(num x) {
    return sinh(x);
}
FUNCTION num u_cosh(num x) {
    return cosh(x);
}
/* A device's tanh may be an ulp below 1 where 1 is the nearest number, and 1 - tanh(x)^2 is then not 0. */
FUNCTION num u_tanh(num x) {
    num a = fabs(x);
    return a > 1 ? copysign(1 - 2 / (exp(2 * a) + 1), x) : tanh(x);
}
FUNCTION num u_asinh(num x) {
    return asinh(x);
}
FUNCTION num u_acosh(num x) {
    return acosh(x);
}
FUNCTION num u_atanh(num x) {
    return atanh(x);
}
FUNCTION num u_erf(num x) {
    return erf(x);
}
FUNCTION num u_erfc(num x) {
    return erfc(x);
}
FUNCTION num u_floor(num x) {
    return floor(x);
}
FUNCTION num u_ceil(num x) {
    return ceil(x);
}
FUNCTION num u_trunc(num x) {
    return trunc(x);
}
FUNCTION num u_round(num x) {
    return rint(x);
}
FUNCTION num u_frac(num x) {
    return x - trunc(x);
}
FUNCTION num u_relu(num x) {
    return x < 0 ? 0 : x;
}
FUNCTION num u_logical_not(num x) {
    return (num)(x == 0);
}
FUNCTION num u_isnan(num x) {
    return (num)(x != x);
}
FUNCTION num u_isinf(num x) {
    return (num)(x == x && x - x != x - x);
}
FUNCTION num u_isfinite(num x) {
    return (num)(x - x == x - x);
}
FUNCTION num u_signbit(num x) {
    return (num)(signbit(x) != 0);
}
/* Below 0 there are zeros between the poles, near which it is a difference of two large numbers. */
FUNCTION num u_lgamma(num x) {
    if (x - x != x - x && x == x) return fabs(x);
#if CLASS == 0 && defined(GPU_F64)
    if (x < 0) return (num)lgamma((double)x);
#endif
    return lgamma(x);
}

/* 1 less what it lacks is the nearest number where 1 / (1 + e) may not be, and the gradient takes it from 1 again. */
FUNCTION num u_sigmoid(num x) {
    num e = u_exp(-fabs(x)), rest = e / (1 + e);
    return x != x ? x : x < 0 ? rest : 1 - rest;
}

FUNCTION num u_log_sigmoid(num x) {
    return (x < 0 || x != x ? x : -(num)0) - log1p(exp(-fabs(x)));
}

/* Even, so 0 at integers has no sign; pi is not a number, so whole turns are taken off before it. */
FUNCTION num u_sinc(num x) {
    num turn = x - 2 * rint(x * (num)0.5);
    if (x == 0) return 1;
    return turn == rint(turn) ? 0 : sin(PI * turn) / (PI * x);
}

/*
 * Winitzki's closed form is within 1/500; the steps of Halley's method for erf(y) = x, or where x is near 1
 * for erfc(y) = 1 - x, make it exact. Where 1 - x itself is not known better than that, nor is y.
 */
FUNCTION num u_erfinv(num x) {
    num a = fabs(x);
    if (!(a <= 1)) return (num)NAN;
    if (a == 1) return x < 0 ? -(num)INFINITY : (num)INFINITY;
    if (a == 0) return x;
    num l = log1p(-a * a), t = (num)4.33074675 + l / 2;
    num y = sqrt(-l / (num)0.147 / (sqrt(t * t - l / (num)0.147) + t));
    for (int i = 0; i < 3; i++) {
        num off = a < (num)0.5 ? erf(y) - a : (1 - a) - erfc(y);
        num step = off / ((num)1.12837916709551257390 * exp(-y * y));
        y -= step / (1 + y * step);
    }
    return x < 0 ? -y : y;
}

/* psi(1 - x) - pi / tan(pi x) for x < 0; psi(x + 1) - 1 / x up to 8; then the asymptotic series. */
FUNCTION num u_digamma(num x) {
    if (x == 0) return signbit(x) ? (num)INFINITY : -(num)INFINITY;
    num extra = 0;
    if (x < 0) {
        num r = x - rint(x);
        if (r == 0) return (num)NAN;
        extra = -PI / tan(PI * r);
        x = 1 - x;
    }
    while (x < 8) {
        extra -= 1 / x;
        x += 1;
    }
    if (x - x != x - x) return x + extra;
    num s = 1 / (x * x);
    num series =
        s *
        ((num)(1.0 / 12) -
         s * ((num)(1.0 / 120) -
              s * ((num)(1.0 / 252) -
                   s * ((num)(1.0 / 240) - s * ((num)(1.0 / 132) - s * (num)(691.0 / 32760))))));
    return log(x) - (num)0.5 / x - series + extra;
}

FUNCTION num u_trigamma(num x) {
    num sign = 1, extra = 0;
    if (x < (num)0.5) {
        num r = x - rint(x), s = sin(PI * r);
        extra = -(PI * PI) / (s * s);
        sign = -1;
        x = 1 - x;
    }
    num sum = 0;
    while (x < 8) {
        sum += 1 / (x * x);
        x += 1;
    }
    num s = 1 / (x * x);
    num series = (1 + (num)0.5 / x +
                  s * ((num)(1.0 / 6) -
                       s * ((num)(1.0 / 30) -
                            s * ((num)(1.0 / 42) - s * ((num)(1.0 / 30) - s * (num)(5.0 / 66)))))) /
                 x;
    return sign * (sum + series + extra);
}

FUNCTION num b_mul(num a, num b) {
    return a * b;
}
FUNCTION num b_div(num a, num b) {
    return a / b;
}
FUNCTION num b_div_trunc(num a, num b) {
    return trunc(a / b);
}
FUNCTION num b_fmod(num a, num b) {
    return fmod(a, b);
}
FUNCTION num b_maximum(num a, num b) {
    return a != a || a > b ? a : b;
}
FUNCTION num b_minimum(num a, num b) {
    return a != a || a < b ? a : b;
}
FUNCTION num b_fmax(num a, num b) {
    return b != b || a > b ? a : b;
}
FUNCTION num b_fmin(num a, num b) {
    return b != b || a < b ? a : b;
}
FUNCTION num b_atan2(num a, num b) {
    return atan2(a, b);
}
FUNCTION num b_hypot(num a, num b) {
    return hypot(a, b);
}
FUNCTION num b_copysign(num a, num b) {
    return copysign(a, b);
}
FUNCTION num b_nextafter(num a, num b) {
    return nextafter(a, b);
}
FUNCTION num b_eq(num a, num b) {
    return (num)(a == b);
}
FUNCTION num b_ne(num a, num b) {
    return (num)(a != b);
}
FUNCTION num b_lt(num a, num b) {
    return (num)(a < b);
}
FUNCTION num b_le(num a, num b) {
    return (num)(a <= b);
}
FUNCTION num b_gt(num a, num b) {
    return (num)(a > b);
}
FUNCTION num b_ge(num a, num b) {
    return (num)(a >= b);
}
FUNCTION num b_logical_and(num a, num b) {
    return (num)(a != 0 && b != 0);
}
FUNCTION num b_logical_or(num a, num b) {
    return (num)(a != 0 || b != 0);
}
FUNCTION num b_logical_xor(num a, num b) {
    return (num)((a != 0) != (b != 0));
}
FUNCTION num b_heaviside(num a, num b) {
    return a == 0 ? b : (num)(a > 0);
}

/* Integer powers of negative numbers, and the cases of 1, by the library's; it is exact there. */
FUNCTION num b_pow(num a, num b) {
    return pow(a, b);
}

FUNCTION num b_div_floor(num a, num b) {
    if (b == 0) return a / b;
    num mod = fmod(a, b), quotient = (a - mod) / b;
    if (mod != 0 && (b < 0) != (mod < 0)) quotient -= 1;
    if (quotient == 0) return copysign((num)0, a / b);
    num floored = floor(quotient);
    return quotient - floored > (num)0.5 ? floored + 1 : floored;
}

FUNCTION num b_remainder(num a, num b) {
    num mod = fmod(a, b);
    return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}

/* log(1) is 0 here, not -0. */
FUNCTION num b_xlogy(num a, num b) {
    if (b != b) return b;
    return a == 0 ? 0 : a * (log(b) + 0);
}

FUNCTION num b_logaddexp(num a, num b) {
    num high = a > b || a != a ? a : b, low = a > b || a != a ? b : a;
    if (high == low && high - high != high - high) return high;
    return high + log1p(exp(low - high));
}

FUNCTION num b_logaddexp2(num a, num b) {
    num high = a > b || a != a ? a : b, low = a > b || a != a ? b : a;
    if (high == low && high - high != high - high) return high;
    return high + log1p(exp2(low - high)) * (num)1.44269504088896340736;
}

FUNCTION num b_add(num a, num b) {
    return a + b;
}
FUNCTION num b_sub(num a, num b) {
    return a - b;
}
FUNCTION num b_add_scaled(num a, num b, num factor) {
    return fma(factor, b, a);
}
FUNCTION num b_sub_scaled(num a, num b, num factor) {
    return fma(-factor, b, a);
}

FUNCTION num t_where(num a, num b, num c) {
    return a != 0 ? b : c;
}
FUNCTION num t_clamp(num x, num low, num high) {
    if (x != x) return x;
    if (low != low || high != high) return (num)NAN;
    num raised = x < low ? low : x;
    return raised > high ? high : raised;
}
FUNCTION num t_addcmul(num a, num b, num c) {
    return fma(b, c, a);
}
FUNCTION num t_addcdiv(num a, num b, num c) {
    return a + b / c;
}
FUNCTION num t_addcmul_scaled(num a, num b, num c, num v) {
    return fma(v * b, c, a);
}
FUNCTION num t_addcdiv_scaled(num a, num b, num c, num v) {
    return a + v * b / c;
}
FUNCTION num t_lerp(num from, num to, num w) {
    num step = to - from;
    return fabs(w) < (num)0.5 ? fma(w, step, from) : fma(w - 1, step, to);
}

/* The neighbour of a 16-bit float: bits of one sign are ordered as their values are. */
FUNCTION num b_nextafter_16(i32 dtype, num a, num b) {
    if (a != a || b != b) return a + b;
    if (a == b) return b;
    u16 bits = dtype == F16 ? f32_to_f16((float)a) : f32_to_bf16((float)a);
    if (a == 0)
        bits = (u16)(b < 0 ? 0x8001u : 0x0001u);
    else if ((a < b) == (a > 0))
        bits = (u16)(bits + 1u);
    else
        bits = (u16)(bits - 1u);
    return (num)(dtype == F16 ? f16_to_f32(bits) : bf16_to_f32(bits));
}

#else /* integers: sums and products in unsigned arithmetic, where they wrap */

FUNCTION num u_neg(num x) {
    return (num)(0 - (u64)x);
}
FUNCTION num u_abs(num x) {
    return x < 0 ? u_neg(x) : x;
}
FUNCTION num u_sign(num x) {
    return (x > 0) - (x < 0);
}
FUNCTION num u_square(num x) {
    return (num)((u64)x * (u64)x);
}
FUNCTION num u_floor(num x) {
    return x;
}
FUNCTION num u_ceil(num x) {
    return x;
}
FUNCTION num u_trunc(num x) {
    return x;
}
FUNCTION num u_round(num x) {
    return x;
}
FUNCTION num u_relu(num x) {
    return x < 0 ? 0 : x;
}
FUNCTION num u_logical_not(num x) {
    return x == 0;
}
FUNCTION num u_bitwise_not(num x) {
    return ~x;
}
FUNCTION num u_signbit(num x) {
    return x < 0;
}

FUNCTION num b_add(num a, num b) {
    return (num)((u64)a + (u64)b);
}
FUNCTION num b_sub(num a, num b) {
    return (num)((u64)a - (u64)b);
}
FUNCTION num b_add_scaled(num a, num b, num f) {
    return (num)((u64)a + (u64)f * (u64)b);
}
FUNCTION num b_sub_scaled(num a, num b, num f) {
    return (num)((u64)a - (u64)f * (u64)b);
}
FUNCTION num b_mul(num a, num b) {
    return (num)((u64)a * (u64)b);
}
FUNCTION num b_maximum(num a, num b) {
    return a > b ? a : b;
}
FUNCTION num b_minimum(num a, num b) {
    return a < b ? a : b;
}
FUNCTION num b_fmax(num a, num b) {
    return a > b ? a : b;
}
FUNCTION num b_fmin(num a, num b) {
    return a < b ? a : b;
}
FUNCTION num b_eq(num a, num b) {
    return a == b;
}
FUNCTION num b_ne(num a, num b) {
    return a != b;
}
FUNCTION num b_lt(num a, num b) {
    return a < b;
}
FUNCTION num b_le(num a, num b) {
    return a <= b;
}
FUNCTION num b_gt(num a, num b) {
    return a > b;
}
FUNCTION num b_ge(num a, num b) {
    return a >= b;
}
FUNCTION num b_logical_and(num a, num b) {
    return a != 0 && b != 0;
}
FUNCTION num b_logical_or(num a, num b) {
    return a != 0 || b != 0;
}
FUNCTION num b_logical_xor(num a, num b) {
    return (a != 0) != (b != 0);
}
FUNCTION num b_bitwise_and(num a, num b) {
    return a & b;
}
FUNCTION num b_bitwise_or(num a, num b) {
    return a | b;
}
FUNCTION num b_bitwise_xor(num a, num b) {
    return a ^ b;
}
FUNCTION num b_heaviside(num a, num b) {
    return a == 0 ? b : a > 0;
}

/* A divisor of 0 sets the flag; -1 is apart because the smallest number has no opposite. */
FUNCTION i32 divides(GLOBAL gpu_flag *flag, num b) {
    if (b == 0) raise_flag(flag, GPU_ZERO_DIVISION, 0, 0, 0);
    return b != 0;
}
FUNCTION num quotient_of(num a, num b) {
    return b == -1 ? u_neg(a) : a / b;
}
FUNCTION num rest_of(num a, num b) {
    return b == -1 ? 0 : a % b;
}
FUNCTION num b_div_trunc(GLOBAL gpu_flag *flag, num a, num b) {
    return divides(flag, b) ? quotient_of(a, b) : 0;
}
FUNCTION num b_fmod(GLOBAL gpu_flag *flag, num a, num b) {
    return divides(flag, b) ? rest_of(a, b) : 0;
}
FUNCTION num b_remainder(GLOBAL gpu_flag *flag, num a, num b) {
    if (!divides(flag, b)) return 0;
    num mod = rest_of(a, b);
    return mod != 0 && (mod < 0) != (b < 0) ? mod + b : mod;
}
FUNCTION num b_div_floor(GLOBAL gpu_flag *flag, num a, num b) {
    if (!divides(flag, b)) return 0;
    num mod = rest_of(a, b);
    return quotient_of(a, b) - (mod != 0 && (mod < 0) != (b < 0));
}

/* A negative exponent gives 0 but for the bases 1 and -1. */
FUNCTION num b_pow(num a, num b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
    u64 result = 1, factor = (u64)a;
    for (; b > 0; b >>= 1) {
        if (b & 1) result *= factor;
        factor *= factor;
    }
    return (num)result;
}

FUNCTION num b_gcd(num a, num b) {
    u64 x = (u64)(a < 0 ? u_neg(a) : a), y = (u64)(b < 0 ? u_neg(b) : b);
    while (y) {
        u64 rest = x % y;
        x = y;
        y = rest;
    }
    return (num)x;
}

FUNCTION num b_lcm(num a, num b) {
    num divisor = b_gcd(a, b);
    if (divisor == 0) return 0;
    num product = b_mul(quotient_of(a, divisor), b);
    return product < 0 ? u_neg(product) : product;
}

/* A count that is negative or too large gives 0, to the right the sign. */
FUNCTION num b_shift_left(i32 bits, num a, num count) {
    return count < 0 || count >= bits ? 0 : (num)((u64)a << count);
}
FUNCTION num b_shift_right(i32 bits, num a, num count) {
    if (count < 0 || count >= bits) return a < 0 ? -1 : 0;
    return a < 0 ? ~(~a >> count) : a >> count;
}

FUNCTION num t_where(num a, num b, num c) {
    return a != 0 ? b : c;
}
FUNCTION num t_clamp(num a, num b, num c) {
    num raised = a < b ? b : a;
    return raised > c ? c : raised;
}
FUNCTION num t_addcmul(num a, num b, num c) {
    return (num)((u64)a + (u64)b * (u64)c);
}
FUNCTION num t_addcmul_scaled(num a, num b, num c, num v) {
    return (num)((u64)a + (u64)v * (u64)b * (u64)c);
}
#endif
