/* Running a function on a device, and looking how far it is from the truth. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tern/ops.h"
#include "tern/tensor.h"
#include "ulp.h"

enum { CONFIRM_EVERY = 64 };
#define NEAR_LIMIT 0.01

/* ---- on the device --------------------------------------------------------------------------- */

/* Numbers as elements of the format, packed. */
static void pack(const ulp_format *f, const double *from, size_t n, void *to) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = ulp_to_bits(f, from[i]);
        if (f->bits == 16) ((uint16_t *)to)[i] = (uint16_t)bits;
        if (f->bits == 32) ((uint32_t *)to)[i] = (uint32_t)bits;
        if (f->bits == 64) ((uint64_t *)to)[i] = bits;
    }
}

static void unpack(const ulp_format *f, const void *from, size_t n, double *to) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = f->bits == 16   ? ((const uint16_t *)from)[i]
                        : f->bits == 32 ? ((const uint32_t *)from)[i]
                                        : ((const uint64_t *)from)[i];
        to[i] = ulp_from_bits(f, bits);
    }
}

static bool run(tern_ctx *ctx, const ulp_function *function, const ulp_format *f,
                const ulp_samples *s, double *got) {
    size_t width = (size_t)f->bits / 8;
    void *memory = malloc(s->count * width);
    if (!memory) abort();
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_shape shape = TERN_SHAPE((int64_t)s->count);
    tern_value args[2];
    pack(f, s->x, s->count, memory);
    args[0] = tern_tensor_value(tern_from_data(ctx, memory, shape, f->dtype));
    if (function->arity == 2) {
        pack(f, s->y, s->count, memory);
        args[1] = tern_tensor_value(tern_from_data(ctx, memory, shape, f->dtype));
    }
    tern_value result = tern_call(ctx, function->op, args, function->arity, tern_none());
    tern_tensor *out = result.kind == TERN_VALUE_TENSOR ? result.as.tensor : NULL;
    tern_tensor *numbers = out ? tern_to_dtype(out, f->dtype) : NULL; /* of bool: 0 and 1 */
    bool ok =
        tern_to_host(numbers, memory, s->count * width) == TERN_OK && tern_check(ctx) == TERN_OK;
    if (ok)
        unpack(f, memory, s->count, got);
    else
        fprintf(stderr, "ulp: %s of %s: %s\n", function->op, f->name, tern_error(ctx));
    tern_error_clear(ctx);
    tern_scope_end(scope);
    free(memory);
    return ok;
}

/* ---- the distance ---------------------------------------------------------------------------- */

typedef struct truths {
    mpfr_t x, y, exact;
} truths;

static double confirmed_error(truths *t, const ulp_function *function, const ulp_format *f,
                              double x, double y, double got) {
    mpfr_set_d(t->x, x, MPFR_RNDN);
    mpfr_set_d(t->y, y, MPFR_RNDN);
    function->truth(t->exact, t->x, t->y);
    double error = ulp_error(f, got, t->exact);
    if (f->bits == 64 && mpfr_regular_p(t->exact) &&
        fabs(mpfr_get_d(t->exact, MPFR_RNDN)) < function->cancels)
        error = ldexp(error, (int)mpfr_get_exp(t->exact) - ilogb(function->cancels) - 1);
    return error;
}

/* A result that is off by nearly half an ulp, or by more. */
static bool is_near_limit(double error) {
    return !(error < 0.5 - NEAR_LIMIT);
}

/* True where the quick truth is enough; a quick truth that MPFR does not confirm is an error of ours. */
static bool quick_is_enough(const ulp_function *function, const ulp_format *f, size_t i, double x,
                            double got, ulp_trust trust, double *out_error) {
    long double exact;
    if (trust == ULP_CONFIRM_ALL || !function->quick || i % CONFIRM_EVERY == 0) return false;
    if (!function->quick((long double)x, &exact)) return false;
    *out_error = ulp_error_quick(f, got, exact);
    return !is_near_limit(*out_error);
}

static bool agrees(const ulp_function *function, const ulp_format *f, double x, double got,
                   double error) {
    long double exact;
    if (f->bits == 64 || !function->quick || !function->quick((long double)x, &exact)) return true;
    double quick = ulp_error_quick(f, got, exact);
    if (quick == error || fabs(quick - error) < 1e-3 || (quick > 1e3 && error > 1e3)) return true;
    fprintf(stderr, "ulp: %s(%a): MPFR's truth is %.6f ulp away, the quick one %.6f\n",
            function->name, x, error, quick);
    return false;
}

bool ulp_measure(tern_ctx *ctx, const ulp_function *function, const ulp_format *f,
                 const ulp_samples *s, ulp_trust trust, ulp_worst *worst) {
    double *got = malloc(s->count * sizeof *got);
    if (!got) abort();
    bool ok = run(ctx, function, f, s, got);
    truths t;
    mpfr_inits2(ulp_working_precision(f), t.x, t.y, t.exact, (mpfr_ptr)0);
    for (size_t i = 0; ok && i < s->count; i++) {
        double error;
        if (!quick_is_enough(function, f, i, s->x[i], got[i], trust, &error)) {
            error = confirmed_error(&t, function, f, s->x[i], s->y[i], got[i]);
            ok = function->arity == 2 || agrees(function, f, s->x[i], got[i], error);
            worst->confirmed++;
        }
        worst->measured++;
        if (error > worst->error) {
            worst->error = error;
            worst->x = s->x[i];
            worst->y = s->y[i];
            worst->got = got[i];
        }
    }
    mpfr_clears(t.x, t.y, t.exact, (mpfr_ptr)0);
    free(got);
    return ok;
}
