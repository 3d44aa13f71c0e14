/*
 * windows.c: torch.signal.windows, computed on the host in float64. A periodic window (sym=False) is a
 * symmetric one of a point more, without its last. Kaiser's: F. J. Harris, "On the use of windows for
 * harmonic analysis with the discrete Fourier transform", Proc. IEEE 66(1), 1978.
 */
#include <math.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "numerics/dtype_convert.h"
#include "numerics/elementary.h"

#define PI 3.14159265358979323846

enum { MOST_TERMS = 64 };

/* Points of a window: k of `span`, which a symmetric window's last point reaches; 0 for one point. */
typedef struct window {
    int64_t length;
    double span;
    double number;   /* std, tau, beta */
    double center;   /* of the exponential */
    const double *a; /* coefficients of cosines */
    size_t terms;
} window;

typedef double (*window_at)(const window *w, double k);

static double exponential(const window *w, double k) {
    return tern_num_exp(-fabs(k - w->center) / w->number);
}

static double gaussian(const window *w, double k) {
    double z = (k - w->span / 2) / (w->number * 1.4142135623730951);
    return tern_num_exp(-z * z);
}

/* A half wave over the points and half a step on both sides. */
static double half_wave(const window *w, double k) {
    return tern_num_sin(PI * (k + 0.5) / (w->span + 1));
}

static double bartlett(const window *w, double k) {
    return w->span > 0 ? 1 - fabs(-1 + 2 * k / w->span) : 1;
}

/* The modified Bessel function of order 0 by its power series: all terms are positive. */
static double bessel_i0(double x) {
    double term = 1, sum = 1;
    for (int i = 1; i < 1000 && term > sum * 1e-17; i++) {
        term *= x * x / 4 / ((double)i * (double)i);
        sum += term;
    }
    return sum;
}

static double kaiser(const window *w, double k) {
    if (!(w->span > 0)) return 1;
    double beta = w->number, x = fmin(beta, -beta + 2 * beta * k / w->span);
    return bessel_i0(sqrt(beta * beta - x * x)) / bessel_i0(beta);
}

/* a0 - a1 cos(k) + a2 cos(2k) - ... */
static double cosines(const window *w, double k) {
    if (!(w->span > 0)) return 1;
    double sum = 0, angle = 2 * PI * k / w->span;
    for (size_t i = 0; i < w->terms; i++)
        sum += (i % 2 ? -w->a[i] : w->a[i]) * tern_num_cos((double)i * angle);
    return sum;
}

/* ---- operations ---- */

/* Arguments M, then (at `sym`) sym and dtype. */
static bool begin(tern_opcall *call, int sym, window *out) {
    *out = (window){.length = tern_arg_int(call, 0, 0)};
    bool symmetric = tern_arg_bool(call, sym, true);
    out->span = (double)out->length - (symmetric || out->length == 1 ? 1.0 : 0.0);
    if (out->length >= 0 && tern_dtype_is_floating(tern_arg_dtype(call, sym + 1, TERN_FLOAT32)))
        return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "requires a non-negative window length and a floating dtype, got M=%lld and %s",
                   (long long)out->length,
                   tern_dtype_name(tern_arg_dtype(call, sym + 1, TERN_FLOAT32)));
    return false;
}

static tern_value make(tern_opcall *call, int sym, const window *w, window_at at) {
    tern_dtype dtype = tern_arg_dtype(call, sym + 1, TERN_FLOAT32);
    char *buffer = tern_host_buffer(call->ctx, w->length, tern_dtype_size(dtype));
    if (!buffer) return tern_none();
    for (int64_t i = 0; i < w->length; i++)
        tern_num_store_f64((int)dtype, buffer, i, at(w, (double)i));
    tern_shape shape = {1, {w->length}};
    tern_tensor *out = tern_new_from_host(call->lane, buffer, dtype, &shape, NULL);
    tern_host_give(call->ctx, buffer);
    return tern_result(call, out);
}

static tern_value cosine_sum(tern_opcall *call, int sym, const double *a, size_t terms) {
    window w;
    if (!begin(call, sym, &w)) return tern_none();
    w.a = a;
    w.terms = terms;
    return make(call, sym, &w, cosines);
}

tern_value tern_op_window_exponential(tern_opcall *call) {
    window w;
    if (!begin(call, 3, &w)) return tern_none();
    w.center = tern_arg_double(call, 1, w.span / 2);
    w.number = tern_arg_double(call, 2, 1);
    if (!(w.number > 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Tau must be positive, got: %g instead.",
                              w.number);
    if (tern_arg_given(call, 1) && tern_arg_bool(call, 3, true))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "Center must be None for symmetric windows");
    return make(call, 3, &w, exponential);
}

tern_value tern_op_window_gaussian(tern_opcall *call) {
    window w;
    if (!begin(call, 2, &w)) return tern_none();
    w.number = tern_arg_double(call, 1, 1);
    if (!(w.number > 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Standard deviation must be positive, got: %g instead.", w.number);
    return make(call, 2, &w, gaussian);
}

tern_value tern_op_window_kaiser(tern_opcall *call) {
    window w;
    if (!begin(call, 2, &w)) return tern_none();
    w.number = tern_arg_double(call, 1, 12);
    if (!(w.number >= 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "beta must be non-negative, got: %g instead.", w.number);
    return make(call, 2, &w, kaiser);
}

tern_value tern_op_window_cosine(tern_opcall *call) {
    window w;
    return begin(call, 1, &w) ? make(call, 1, &w, half_wave) : tern_none();
}

tern_value tern_op_window_bartlett(tern_opcall *call) {
    window w;
    return begin(call, 1, &w) ? make(call, 1, &w, bartlett) : tern_none();
}

tern_value tern_op_window_general_cosine(tern_opcall *call) {
    double a[MOST_TERMS];
    tern_value list = tern_arg(call, 1);
    size_t terms = tern_value_count(list);
    if (terms == 0 || terms > MOST_TERMS)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "takes 1 to %d coefficients, got %zu",
                              MOST_TERMS, terms);
    for (size_t i = 0; i < terms; i++) a[i] = tern_value_as_double(tern_value_at(list, i));
    return cosine_sum(call, 2, a, terms);
}

tern_value tern_op_window_general_hamming(tern_opcall *call) {
    double alpha = tern_arg_double(call, 1, 0.54), a[] = {alpha, 1 - alpha};
    return cosine_sum(call, 2, a, 2);
}

tern_value tern_op_window_hamming(tern_opcall *call) {
    static const double a[] = {0.54, 0.46};
    return cosine_sum(call, 1, a, 2);
}

tern_value tern_op_window_hann(tern_opcall *call) {
    static const double a[] = {0.5, 0.5};
    return cosine_sum(call, 1, a, 2);
}

tern_value tern_op_window_blackman(tern_opcall *call) {
    static const double a[] = {0.42, 0.5, 0.08};
    return cosine_sum(call, 1, a, 3);
}

tern_value tern_op_window_nuttall(tern_opcall *call) {
    static const double a[] = {0.3635819, 0.4891775, 0.1365995, 0.0106411};
    return cosine_sum(call, 1, a, 4);
}
