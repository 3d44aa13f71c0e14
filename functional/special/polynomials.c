/*
 * polynomials.c: orthogonal polynomials by their recurrences in the degree (DLMF 18.9), and by
 * trigonometric functions where those are better conditioned. A negative degree gives 0.
 */
#include <math.h>

#include "elements.h"
#include "numerics/elementary.h"

/* A recurrence takes as many steps as the degree: one that no use could have meant gives NaN. */
#define MAX_DEGREE 1e7

/* The degree as a whole number; -1 for a negative one, and for what is no 64-bit number, as in PyTorch. */
static double degree_of(double n) {
    return n > -1.0 && n < 0x1p63 ? fabs(trunc(n)) : -1.0;
}
static bool is_even(double n) {
    return fmod(n, 2.0) == 0.0;
}

/* p(k+1) = (a(k) x + b(k)) p(k) - c(k) p(k-1), from p(0) = 1 and p(1) */
typedef struct recurrence {
    double a, b, c;
} recurrence;
typedef recurrence (*recurrence_of)(double k);

static double recur(double first, double x, double n, recurrence_of of) {
    if (n < 0.0) return 0.0;
    if (n > MAX_DEGREE) return NAN;
    double before = 1.0, now = first;
    if (n == 0.0) return 1.0;
    for (double k = 1.0; k < n && !isnan(now); k += 1.0) {
        recurrence r = of(k);
        double next = (r.a * x + r.b) * now - r.c * before;
        before = now;
        now = next;
    }
    return now;
}

/* ---- Chebyshev's ---- */

static recurrence of_chebyshev(double k) {
    (void)k;
    return (recurrence){2.0, 0.0, 1.0};
}

static double chebyshev_t(double x, double degree) {
    double n = degree_of(degree);
    if (n < 0.0) return 0.0;
    if (fabs(x) == 1.0) return x > 0.0 || is_even(n) ? 1.0 : -1.0;
    if (n > 6.0 && fabs(x) < 1.0) return tern_num_cos(n * tern_num_acos(x));
    return recur(x, x, n, of_chebyshev);
}

static double chebyshev_u(double x, double degree) {
    double n = degree_of(degree);
    if (n < 0.0) return 0.0;
    if (fabs(x) == 1.0) return x > 0.0 || is_even(n) ? n + 1.0 : -(n + 1.0);
    if (n > 8.0 && fabs(x) < 1.0) {
        double angle = tern_num_acos(x);
        return tern_num_sin((n + 1.0) * angle) / tern_num_sin(angle);
    }
    return recur(2.0 * x, x, n, of_chebyshev);
}

static double chebyshev_v(double x, double degree) {
    double n = degree_of(degree), many = 2.0 * n + 1.0;
    if (n < 0.0) return 0.0;
    if (fabs(x) == 1.0) return x > 0.0 ? 1.0 : is_even(n) ? many : -many;
    if (n > 8.0 && fabs(x) < 1.0) {
        double angle = tern_num_acos(x);
        return tern_num_cos((n + 0.5) * angle) / tern_num_cos(0.5 * angle);
    }
    return recur(2.0 * x - 1.0, x, n, of_chebyshev);
}

static double chebyshev_w(double x, double degree) {
    double n = degree_of(degree);
    if (n < 0.0) return 0.0;
    if (fabs(x) == 1.0) return x > 0.0 ? 2.0 * n + 1.0 : is_even(n) ? 1.0 : -1.0;
    if (n > 8.0 && fabs(x) < 1.0) {
        double angle = tern_num_acos(x);
        return tern_num_sin((n + 0.5) * angle) / tern_num_sin(0.5 * angle);
    }
    return recur(2.0 * x + 1.0, x, n, of_chebyshev);
}

/* The shifted ones run over [0, 1]. */
static double shifted_t(double x, double n) {
    return chebyshev_t(2.0 * x - 1.0, n);
}
static double shifted_u(double x, double n) {
    return chebyshev_u(2.0 * x - 1.0, n);
}
static double shifted_v(double x, double n) {
    return chebyshev_v(2.0 * x - 1.0, n);
}
static double shifted_w(double x, double n) {
    return chebyshev_w(2.0 * x - 1.0, n);
}

/* ---- Hermite's, Laguerre's, Legendre's ---- */

static recurrence of_hermite_h(double k) {
    return (recurrence){2.0, 0.0, 2.0 * k};
}
static recurrence of_hermite_he(double k) {
    return (recurrence){1.0, 0.0, k};
}
static recurrence of_laguerre(double k) {
    return (recurrence){-1.0 / (k + 1.0), (2.0 * k + 1.0) / (k + 1.0), k / (k + 1.0)};
}
static recurrence of_legendre(double k) {
    return (recurrence){(2.0 * k + 1.0) / (k + 1.0), 0.0, k / (k + 1.0)};
}

static double hermite_h(double x, double n) {
    return recur(2.0 * x, x, degree_of(n), of_hermite_h);
}
static double hermite_he(double x, double n) {
    return recur(x, x, degree_of(n), of_hermite_he);
}
static double laguerre(double x, double n) {
    return x == 0.0 && degree_of(n) >= 0.0 ? 1.0 : recur(1.0 - x, x, degree_of(n), of_laguerre);
}
static double legendre(double x, double degree) {
    double n = degree_of(degree);
    if (fabs(x) == 1.0 && n >= 0.0) return x > 0.0 || is_even(n) ? 1.0 : -1.0;
    return recur(x, x, n, of_legendre);
}

/* ---- the operations ---- */

#define OPERATION(id, function)                                                                    \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        return tern_map_pairs(call, function);                                                     \
    }

OPERATION(chebyshev_polynomial_t, chebyshev_t)
OPERATION(chebyshev_polynomial_u, chebyshev_u)
OPERATION(chebyshev_polynomial_v, chebyshev_v)
OPERATION(chebyshev_polynomial_w, chebyshev_w)
OPERATION(shifted_chebyshev_polynomial_t, shifted_t)
OPERATION(shifted_chebyshev_polynomial_u, shifted_u)
OPERATION(shifted_chebyshev_polynomial_v, shifted_v)
OPERATION(shifted_chebyshev_polynomial_w, shifted_w)
OPERATION(hermite_polynomial_h, hermite_h)
OPERATION(hermite_polynomial_he, hermite_he)
OPERATION(laguerre_polynomial_l, laguerre)
OPERATION(legendre_polynomial_p, legendre)
