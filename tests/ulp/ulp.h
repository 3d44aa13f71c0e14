/*
 * ulp.h: how far a device's functions are from the true values, in units of the last place.
 *
 * A function is measured through Tern's public operations, on any device. The truth is MPFR's, or a
 * series over MPFR numbers where it has no such function. One ulp is the distance of neighbouring
 * numbers of the dtype at the true value (of subnormals: the smallest number), so that a correctly rounded
 * result is off by at most half of one.
 */
#ifndef TERN_TESTS_ULP_H
#define TERN_TESTS_ULP_H

#include <mpfr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tern/base.h"
#include "tern/context.h"

/* ---- formats (format.c) ---------------------------------------------------------------------- */

typedef struct ulp_format {
    const char *name;
    tern_dtype dtype;
    int bits;      /* of the whole number */
    int precision; /* of its significand, the hidden bit included */
    int largest;   /* exponent: numbers are below 2^largest */
} ulp_format;

enum { ULP_FLOAT32, ULP_FLOAT16, ULP_BFLOAT16, ULP_FLOAT64, ULP_FORMATS };
extern const ulp_format ulp_formats[ULP_FORMATS];

double ulp_from_bits(const ulp_format *format, uint64_t bits);

/* The number rounded to the format, as bits. */
uint64_t ulp_to_bits(const ulp_format *format, double x);

/* The distance of `got` from `exact` in ulp; infinite where one of them alone is NaN or infinite (but an
 * overflow counts as the number after the largest). */
double ulp_error(const ulp_format *format, double got, const mpfr_t exact);

/* The same for a truth that is good to a thousandth of an ulp. */
double ulp_error_quick(const ulp_format *format, double got, long double exact);

/* Working precision of a truth. */
int ulp_working_precision(const ulp_format *format);

/* ---- functions (functions.c) ----------------------------------------------------------------- */

typedef void (*ulp_truth)(mpfr_t out, const mpfr_t x, const mpfr_t y);

/* The truth in long double, for inputs of float32 or narrower; false where it may not be good to a
 * thousandth of an ulp: ask MPFR. */
typedef bool (*ulp_quick_truth)(long double x, long double *out);

typedef struct ulp_function {
    const char *name; /* the member of tern/backend.h, in lower case */
    const char *op;   /* the operation that reaches it; NULL: it has no floating dtype */
    int arity;
    ulp_truth truth;
    ulp_quick_truth quick; /* NULL: the truth is always MPFR's */
    double cancels; /* terms of float64 cancel below this: an ulp there is one of this number */
} ulp_function;

/* All members of UNARY, in their order, then those of BINARY that round. */
extern const ulp_function ulp_functions[];
extern const int ulp_function_count;

const ulp_function *ulp_function_named(const char *name);

/* What MPFR lacks, at the precision of `out` (series.c). */
void ulp_trigamma(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_erfinv(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_sinc(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_log_sigmoid(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_sigmoid(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_xlogy(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_logaddexp(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_logaddexp2(mpfr_t out, const mpfr_t x, const mpfr_t y);
void ulp_remainder(mpfr_t out, const mpfr_t x, const mpfr_t y);

/* The same in long double (quick.c). */
bool ulp_quick_erfinv(long double x, long double *out);
bool ulp_quick_lgamma(long double x, long double *out);
bool ulp_quick_digamma(long double x, long double *out);
bool ulp_quick_trigamma(long double x, long double *out);
bool ulp_quick_sinc(long double x, long double *out);
bool ulp_quick_log_sigmoid(long double x, long double *out);

/* ---- measuring (measure.c) ------------------------------------------------------------------- */

/* Inputs as doubles that the format holds exactly. */
typedef struct ulp_samples {
    double *x, *y;
    size_t count, room;
} ulp_samples;

void ulp_sample(ulp_samples *samples, double x, double y);
void ulp_samples_free(ulp_samples *samples);

/* Every exponent, the neighbourhoods of poles, zeros, kinks and limits (samples.c). */
ulp_samples ulp_samples_unary(const ulp_format *format);
ulp_samples ulp_samples_binary(const ulp_format *format);
ulp_samples ulp_samples_every(const ulp_format *format); /* of a 16-bit format */

typedef struct ulp_worst {
    double error; /* ulp */
    double x, y, got;
    uint64_t measured, confirmed; /* how many inputs, and how many by MPFR */
} ulp_worst;

/*
 * Which inputs MPFR confirms where there is a quick truth: all, or every 64th and those whose error is within
 * 0.01 ulp of a rounding limit (or beyond it).
 */
typedef enum ulp_trust { ULP_CONFIRM_ALL, ULP_CONFIRM_SOME } ulp_trust;

/* Runs the function over the samples and updates `worst`. False after an error, which it prints. */
bool ulp_measure(tern_ctx *ctx, const ulp_function *function, const ulp_format *format,
                 const ulp_samples *samples, ulp_trust trust, ulp_worst *worst);

/* ---- all inputs of float32 (every.c) --------------------------------------------------------- */

/* Measures a function over all 2^32 inputs, from where `state` says, on two threads. */
int ulp_run_every(const char *device, const ulp_function *function, const char *state);

/* ---- truths in float64 (truths.c) ------------------------------------------------------------ */

/* A function that the C library has in float64, or has all parts of; singly, and for n numbers. */
typedef struct ulp_row {
    const char *name;
    double (*truth)(double);
    void (*truths)(const double *x, size_t n, double *out);
    double most; /* inputs beyond give what float32 cannot tell from it; special cases take long */
} ulp_row;

extern const ulp_row ulp_rows[];
extern const int ulp_row_count;

/* out[i] = the row's function of x[i]. */
void ulp_truths(const ulp_row *row, const float *x, size_t n, double *out);

/* Compiled for the vectors of AVX2 too, and chosen when the program starts. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ULP_VECTORS __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define ULP_VECTORS
#endif

/* ---- functions one after the other (sweep.c) ------------------------------------------------- */

/* Measures the functions that the C library has in float64, or `only` one, at every step-th of the inputs of
 * float32; 0 where none is off by more than `limit`. */
int ulp_run_sweep(const char *device, const char *only, int64_t step, double limit);

/* ---- the table (table.c) --------------------------------------------------------------------- */

typedef struct ulp_table {
    double error[64][ULP_FORMATS]; /* by the index of a function; below 0 where there is none */
} ulp_table;

bool ulp_table_read(const char *path, ulp_table *out_table);
bool ulp_table_write(const char *path, const ulp_table *table);

#endif
