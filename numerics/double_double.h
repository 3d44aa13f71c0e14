/*
 * Double-double arithmetic: a number as the unevaluated sum hi + lo, |lo| <= ulp(hi) / 2.
 *
 * The elementary functions carry their last steps in it, so that a result is rounded once.
 * Sources: Dekker, Numer. Math. 18 (1971); Knuth, TAOCP 2, 4.2.2; Hida, Li and Bailey, ARITH-15
 * (2001). Relative errors are a few 2^-106 unless a product underflows (below about 2^-969).
 *
 * Only exactly rounded operations appear (+ - * / fma sqrt), so with contraction off the bits are
 * the same on every compiler and CPU.
 */
#ifndef TERN_NUMERICS_DOUBLE_DOUBLE_H
#define TERN_NUMERICS_DOUBLE_DOUBLE_H

#include <math.h>

typedef struct tern_dd {
    double hi;
    double lo;
} tern_dd;

/* a + b exactly, where |a| >= |b| or a is 0. */
static inline tern_dd tern_dd_fast_two_sum(double a, double b) {
    double s = a + b;
    return (tern_dd){s, b - (s - a)};
}

/* a + b exactly. */
static inline tern_dd tern_dd_two_sum(double a, double b) {
    double s = a + b;
    double t = s - a;
    return (tern_dd){s, (a - (s - t)) + (b - t)};
}

/* a * b exactly. */
static inline tern_dd tern_dd_two_prod(double a, double b) {
    double p = a * b;
    return (tern_dd){p, fma(a, b, -p)};
}

static inline tern_dd tern_dd_neg(tern_dd a) {
    return (tern_dd){-a.hi, -a.lo};
}

/* Exact where factor is a power of two and nothing underflows. */
static inline tern_dd tern_dd_scale(tern_dd a, double factor) {
    return (tern_dd){a.hi * factor, a.lo * factor};
}

static inline tern_dd tern_dd_add(tern_dd a, tern_dd b) {
    tern_dd s = tern_dd_two_sum(a.hi, b.hi);
    tern_dd t = tern_dd_two_sum(a.lo, b.lo);
    s = tern_dd_fast_two_sum(s.hi, s.lo + t.hi);
    return tern_dd_fast_two_sum(s.hi, s.lo + t.lo);
}

static inline tern_dd tern_dd_sub(tern_dd a, tern_dd b) {
    return tern_dd_add(a, tern_dd_neg(b));
}

static inline tern_dd tern_dd_add_d(tern_dd a, double b) {
    tern_dd s = tern_dd_two_sum(a.hi, b);
    return tern_dd_fast_two_sum(s.hi, s.lo + a.lo);
}

static inline tern_dd tern_dd_mul(tern_dd a, tern_dd b) {
    tern_dd p = tern_dd_two_prod(a.hi, b.hi);
    return tern_dd_fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

static inline tern_dd tern_dd_mul_d(tern_dd a, double b) {
    tern_dd p = tern_dd_two_prod(a.hi, b);
    return tern_dd_fast_two_sum(p.hi, p.lo + a.lo * b);
}

static inline tern_dd tern_dd_div(tern_dd a, tern_dd b) {
    double q = a.hi / b.hi;
    tern_dd r = tern_dd_sub(a, tern_dd_mul_d(b, q));
    return tern_dd_fast_two_sum(q, (r.hi + r.lo) / b.hi);
}

/* sqrt(a), a >= 0: one Newton step from the double's square root (Karp and Markstein, 1997). */
static inline tern_dd tern_dd_sqrt(tern_dd a) {
    if (a.hi <= 0.0) return (tern_dd){0.0, 0.0};
    double s = sqrt(a.hi);
    double residual = fma(-s, s, a.hi) + a.lo;
    return tern_dd_fast_two_sum(s, residual / (2.0 * s));
}

/*
 * head[0] + z (head[1] + z (... + z (tail[0] + z (tail[1] + ...)))): the tail in double arithmetic,
 * the head in double-double.
 */
static inline tern_dd tern_dd_poly(tern_dd z, const tern_dd *head, int heads, const double *tail,
                                   int tails) {
    double t = tail[tails - 1];
    for (int i = tails - 2; i >= 0; i--) t = t * z.hi + tail[i];
    tern_dd sum = tern_dd_add(head[heads - 1], tern_dd_mul_d(z, t));
    for (int i = heads - 2; i >= 0; i--) sum = tern_dd_add(head[i], tern_dd_mul(z, sum));
    return sum;
}

/* tern_dd_poly over the arrays NAME_head and NAME_tail. */
#define TERN_DD_POLY(z, name)                                                                      \
    tern_dd_poly((z), name##_head, (int)(sizeof name##_head / sizeof name##_head[0]), name##_tail, \
                 (int)(sizeof name##_tail / sizeof name##_tail[0]))

#endif
