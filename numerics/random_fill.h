/*
 * Random fills with PyTorch's draws: the same seed gives the same bits as PyTorch 2.15 on an x86-64
 * CPU with AVX2 or better, and leaves the generator where PyTorch leaves it.
 *
 * Every function takes the dtype of the elements (tern_num_dtype) and writes `n` of them in memory
 * order; a tensor that is dense but not row-major is filled in memory order too, so its caller
 * passes the storage. n = 0 draws nothing. Arguments are the caller's to check (from < to, std >=
 * 0, 0 <= p <= 1, lambda > 0): here they only decide the numbers.
 *
 * PyTorch's float64 results come straight from libm, so those of normal, exponential, cauchy,
 * log_normal may differ from it in the last place; the other dtypes agree bit for bit.
 *
 * Draws, in 32-bit words: uniform 1 (float64: 2); normal see below; random and randint 1 or 2;
 * randperm n - 1; bernoulli 2 (with probabilities that are not float64: 1); exponential, geometric,
 * cauchy 2; log_normal 4 a pair.
 */
#ifndef TERN_NUMERICS_RANDOM_FILL_H
#define TERN_NUMERICS_RANDOM_FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "numerics/dtype_convert.h"
#include "numerics/mt19937.h"

/*
 * uniform_(from, to), [from, to) for the four float dtypes: fma(u, to - from, from) in float32
 * (float64 for float64), from and to cast first. A result that equals `to` in the dtype is replaced
 * by `from`. rand is uniform_(0, 1).
 */
void tern_num_fill_uniform(tern_mt19937 *g, int dtype, void *out, int64_t n, double from,
                           double to);

/*
 * One standard normal in double (Box and Muller): the cached one if there is one, else a new pair
 * from 4 draws, the angle drawn first, whose sine half is cached. The cache is shared by all
 * dtypes.
 */
double tern_num_normal_f64(tern_mt19937 *g);

/*
 * normal_(mean, std) for the four float dtypes. `contiguous` is what is_contiguous() says of the
 * tensor. With contiguous and n >= 16 values come in blocks of 16 (PyTorch's normal_fill), which
 * neither use nor fill the cache: float32 and the 16-bit types by the float32 polynomials of
 * avx_mathfun, float64 by this library's functions. Where n is not a multiple of 16 the last 16
 * elements are drawn afresh. Otherwise one by one: fma(tern_num_normal_f64, std, mean), rounded.
 */
void tern_num_fill_normal(tern_mt19937 *g, int dtype, void *out, int64_t n, double mean, double std,
                          bool contiguous);

/* random_() without bounds: integers 0 .. max of the dtype; floats 0 .. 2^digits, both included. */
void tern_num_fill_random(tern_mt19937 *g, int dtype, void *out, int64_t n);

/*
 * base + draw mod range, cast to the dtype: random_(from, to) and randint with base = from and
 * range = to - from. range 0 stands for 2^64 (random_(INT64_MIN, None)). From a range of 2^28 on an
 * element takes two draws. Any dtype.
 */
void tern_num_fill_randint(tern_mt19937 *g, int dtype, void *out, int64_t n, int64_t base,
                           uint64_t range);

/*
 * PyTorch moves a bound that the float dtype cannot represent: where from + 1 rounds below `from`,
 * from goes up to the next value; where to - 1 rounds to `to` or more, to goes down. Returns
 * whether either changed (PyTorch warns then). Integer dtypes change nothing. The caller calls this
 * before tern_num_fill_randint.
 */
bool tern_num_randint_bounds(int dtype, int64_t *from, int64_t *to);

/* randperm(n): a permutation of 0 .. n-1 as elements of the dtype. */
void tern_num_fill_randperm(tern_mt19937 *g, int dtype, void *out, int64_t n);

/* bernoulli_(p): 1 with probability p, from a double each. Any dtype. */
void tern_num_fill_bernoulli(tern_mt19937 *g, int dtype, void *out, int64_t n, double p);

/*
 * bernoulli(p) and bernoulli_(p) with a tensor p of n probabilities in memory order. A float64 p
 * compares a double with two draws, the other float dtypes a float with one.
 */
void tern_num_fill_bernoulli_each(tern_mt19937 *g, int p_dtype, const void *p, int dtype, void *out,
                                  int64_t n);

/* exponential_(lambda): -1 / lambda * log1p(-u). Float dtypes. */
void tern_num_fill_exponential(tern_mt19937 *g, int dtype, void *out, int64_t n, double lambda);

/* geometric_(p), 0 < p < 1: ceil(log(u) / log1p(-p)). Any dtype but bool. */
void tern_num_fill_geometric(tern_mt19937 *g, int dtype, void *out, int64_t n, double p);

/* cauchy_(median, sigma): median + sigma tan(pi (u - 1/2)). Float dtypes. */
void tern_num_fill_cauchy(tern_mt19937 *g, int dtype, void *out, int64_t n, double median,
                          double sigma);

/* log_normal_(mean, std): exp of a serial normal. Float dtypes. */
void tern_num_fill_log_normal(tern_mt19937 *g, int dtype, void *out, int64_t n, double mean,
                              double std);

/* Bytes of scratch, aligned as for double, that tern_num_multinomial needs for so many categories.
 */
size_t tern_num_multinomial_scratch(int64_t categories);

/*
 * multinomial(p, samples, replacement): `p` is a row-major matrix rows x categories of the float
 * dtype, `out` takes rows x samples indices.
 *
 * Without replacement, and for one sample always, each category gets p / q with q exponential and
 * the largest win, in descending order; samples <= categories. With
 * replacement each sample is the first category whose cumulative probability reaches a uniform
 * double; the sums are in the dtype, in float32 for the 16-bit types.
 *
 * Returns false, having drawn nothing, where a probability is negative, infinite or NaN, or a row
 * sums to 0.
 */
bool tern_num_multinomial(tern_mt19937 *g, int dtype, const void *p, int64_t rows,
                          int64_t categories, int64_t samples, bool replacement, void *scratch,
                          int64_t *out);

#endif
