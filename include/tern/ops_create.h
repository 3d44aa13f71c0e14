/*
 * tern/ops_create.h: operations that make tensors: of given values, of random numbers, windows of
 * signals.
 *
 * Sizes are shapes: TERN_SHAPE(2, 3), TERN_SCALAR_SHAPE for a 0-dim tensor. TERN_DTYPE_DEFAULT as dtype means
 * PyTorch's default: float32, or the dtype that the numbers imply. A negative size is an error. Tensors are made
 * on the context's device, those of `_like` and `new_` functions on the input's.
 */
#ifndef TERN_OPS_CREATE_H
#define TERN_OPS_CREATE_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values --------------------------------------------------------------------------------- */

/* torch.zeros(size): all 0. */
TERN_API tern_tensor *tern_zeros(tern_ctx *ctx, tern_shape size, tern_dtype dtype);

/* torch.ones(size): all 1. */
TERN_API tern_tensor *tern_ones(tern_ctx *ctx, tern_shape size, tern_dtype dtype);

/* torch.full(size, value). The default dtype is int64 for a whole number, float32 otherwise. */
TERN_API tern_tensor *tern_full(tern_ctx *ctx, tern_shape size, double value, tern_dtype dtype);

/* torch.zeros_like(input): zeros of the input's shape, dtype and device. */
TERN_API tern_tensor *tern_zeros_like(tern_tensor *input);

/* torch.ones_like(input): ones of the input's shape, dtype and device. */
TERN_API tern_tensor *tern_ones_like(tern_tensor *input);

/* torch.full_like(input, value): `value` in the input's shape, dtype and device. */
TERN_API tern_tensor *tern_full_like(tern_tensor *input, double value);

/* torch.empty_like(input): uninitialised memory of the input's shape, dtype and device. */
TERN_API tern_tensor *tern_empty_like(tern_tensor *input);

/* input.new_zeros(size): zeros of another shape, of the input's dtype and device. */
TERN_API tern_tensor *tern_new_zeros(tern_tensor *input, tern_shape size);

/* input.new_ones(size): ones of another shape, of the input's dtype and device. */
TERN_API tern_tensor *tern_new_ones(tern_tensor *input, tern_shape size);

/* input.new_full(size, fill_value), of the input's dtype and device. */
TERN_API tern_tensor *tern_new_full(tern_tensor *input, tern_shape size, double fill_value);

/* torch.arange(start, end, step): start, start + step, ... below `end` (above it for a negative step), as
 * float32 with PyTorch's rounding. A step of 0, or one that leads away from `end`, is an error. */
TERN_API tern_tensor *tern_arange(tern_ctx *ctx, double start, double end, double step);

/* torch.arange(end) of int64: 0, 1, ..., end - 1. */
TERN_API tern_tensor *tern_arange_i64(tern_ctx *ctx, int64_t end);

/* torch.linspace(start, end, steps): `steps` float32 numbers with equal distances, both ends included. */
TERN_API tern_tensor *tern_linspace(tern_ctx *ctx, double start, double end, int64_t steps);

/* torch.logspace(start, end, steps, base): base to the power of each number of linspace; PyTorch's default
 * base is 10. */
TERN_API tern_tensor *tern_logspace(tern_ctx *ctx, double start, double end, int64_t steps,
                                    double base);

/* torch.eye(n, m): an n by m matrix, 1 on the diagonal and 0 elsewhere. */
TERN_API tern_tensor *tern_eye(tern_ctx *ctx, int64_t n, int64_t m, tern_dtype dtype);

/* torch.tril_indices(row, col, offset): int64 [2, count], the rows and the columns of the elements on and
 * below the diagonal `offset` (0: the main one, 1: the one above it) of a row by col matrix. */
TERN_API tern_tensor *tern_tril_indices(tern_ctx *ctx, int64_t row, int64_t col, int64_t offset);

/* torch.triu_indices(row, col, offset): the same for the elements on and above the diagonal. */
TERN_API tern_tensor *tern_triu_indices(tern_ctx *ctx, int64_t row, int64_t col, int64_t offset);

/* ---- random numbers ---------------------------------------------------------------------------
 * PyTorch's bits for one seed, from `generator` or (NULL) the context's. */

/* torch.rand(size): float32, uniform in [0, 1). */
TERN_API tern_tensor *tern_rand(tern_ctx *ctx, tern_shape size, tern_generator *generator);

/* torch.randn(size): float32, normal with mean 0 and standard deviation 1. */
TERN_API tern_tensor *tern_randn(tern_ctx *ctx, tern_shape size, tern_generator *generator);

/* torch.randint(low, high, size): int64, uniform in [low, high). */
TERN_API tern_tensor *tern_randint(tern_ctx *ctx, int64_t low, int64_t high, tern_shape size,
                                   tern_generator *generator);

/* torch.randperm(n): int64, the numbers 0 to n - 1 in random order. */
TERN_API tern_tensor *tern_randperm(tern_ctx *ctx, int64_t n, tern_generator *generator);

/* torch.rand_like(input): uniform in [0, 1), of the input's shape and floating dtype. */
TERN_API tern_tensor *tern_rand_like(tern_tensor *input);

/* torch.randn_like(input): standard normal, of the input's shape and floating dtype. */
TERN_API tern_tensor *tern_randn_like(tern_tensor *input);

/* torch.randint_like(input, low, high): uniform integers in [low, high), of the input's shape and dtype. */
TERN_API tern_tensor *tern_randint_like(tern_tensor *input, int64_t low, int64_t high);

/* torch.normal(mean, std): each element from a normal distribution of its own mean and standard deviation,
 * which broadcast; std may be NULL (1). std below 0 is an error. */
TERN_API tern_tensor *tern_normal_tensors(tern_tensor *mean, tern_tensor *std,
                                          tern_generator *generator);

/* torch.normal(mean, std, size): float32, normal. */
TERN_API tern_tensor *tern_normal_size(tern_ctx *ctx, double mean, double std, tern_shape size,
                                       tern_generator *generator);

/* torch.bernoulli(input): 1 with the probability that the element is, else 0; of the input's dtype.
 * Probabilities outside of [0, 1] are an error. */
TERN_API tern_tensor *tern_bernoulli(tern_tensor *input, tern_generator *generator);

/* torch.multinomial(input, num_samples, replacement): int64 indices drawn with probabilities in proportion
 * to the weights in the last dimension: [C] gives [num_samples], [N, C] gives [N, num_samples]. Weights are
 * floating and not negative; without replacement no index is drawn twice, and there must be enough weights
 * above 0. */
TERN_API tern_tensor *tern_multinomial(tern_tensor *input, int64_t num_samples, bool replacement,
                                       tern_generator *generator);

/* ---- filling in place -------------------------------------------------------------------------
 * The tensor is overwritten with random numbers and returned. */

/* Tensor.uniform_(from, to): uniform in [from, to). */
TERN_API tern_tensor *tern_uniform_in_place(tern_tensor *input, double from, double to,
                                            tern_generator *generator);

/* Tensor.normal_(mean, std): normal. std below 0 is an error. */
TERN_API tern_tensor *tern_normal_in_place(tern_tensor *input, double mean, double std,
                                           tern_generator *generator);

/* Tensor.random_(): whole numbers from 0 to the largest that the dtype can hold (floats: to 2 to the power
 * of the number of digits). */
TERN_API tern_tensor *tern_random_in_place(tern_tensor *input, tern_generator *generator);

/* Tensor.random_(to): whole numbers in [0, to). */
TERN_API tern_tensor *tern_random_to_in_place(tern_tensor *input, int64_t to,
                                              tern_generator *generator);

/* Tensor.random_(from, to): whole numbers in [from, to). */
TERN_API tern_tensor *tern_random_from_in_place(tern_tensor *input, int64_t from, int64_t to,
                                                tern_generator *generator);

/* Tensor.bernoulli_(p): 1 with probability p, else 0. p outside of [0, 1] is an error. */
TERN_API tern_tensor *tern_bernoulli_p_in_place(tern_tensor *input, double p,
                                                tern_generator *generator);

/* Tensor.exponential_(lambd): density lambd exp(-lambd x). PyTorch's default is 1; lambd must be above 0. */
TERN_API tern_tensor *tern_exponential_in_place(tern_tensor *input, double lambd,
                                                tern_generator *generator);

/* Tensor.geometric_(p): the number of trials up to the first success: 1, 2, ... p must be in (0, 1). */
TERN_API tern_tensor *tern_geometric_in_place(tern_tensor *input, double p,
                                              tern_generator *generator);

/* Tensor.cauchy_(median, sigma): PyTorch's defaults are 0 and 1; sigma must be above 0. */
TERN_API tern_tensor *tern_cauchy_in_place(tern_tensor *input, double median, double sigma,
                                           tern_generator *generator);

/* Tensor.log_normal_(mean, std): exp of a normal number; PyTorch's defaults are 1 and 2; std must be above
 * 0. */
TERN_API tern_tensor *tern_log_normal_in_place(tern_tensor *input, double mean, double std,
                                               tern_generator *generator);

/* ---- windows of signals -----------------------------------------------------------------------
 * Torch.signal.windows: M values; with `sym` symmetric (for filters), without it periodic (for spectra). */

/* exponential(M, tau=tau): exp(-|n - center| / tau) around the middle. PyTorch's default of tau is 1. */
TERN_API tern_tensor *tern_window_exponential(tern_ctx *ctx, int64_t M, double tau, bool sym,
                                              tern_dtype dtype);

/* gaussian(M, std=std): exp(-((n - center) / std)^2 / 2). PyTorch's default of std is 1. */
TERN_API tern_tensor *tern_window_gaussian(tern_ctx *ctx, int64_t M, double std, bool sym,
                                           tern_dtype dtype);

/* kaiser(M, beta=beta): by the Bessel function I0; PyTorch's default of beta is 12. */
TERN_API tern_tensor *tern_window_kaiser(tern_ctx *ctx, int64_t M, double beta, bool sym,
                                         tern_dtype dtype);

/* cosine(M): sin(pi (n + 1/2) / M). */
TERN_API tern_tensor *tern_window_cosine(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

/* bartlett(M): a triangle that begins at 0. */
TERN_API tern_tensor *tern_window_bartlett(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

/* general_cosine(M, a=a): the sum of a[i] (-1)^i cos(2 pi i n / (M - 1)) over `count` weights. */
TERN_API tern_tensor *tern_window_general_cosine(tern_ctx *ctx, int64_t M, const double *a,
                                                 int count, bool sym, tern_dtype dtype);

/* general_hamming(M, alpha=alpha): alpha - (1 - alpha) cos(2 pi n / (M - 1)). PyTorch's default of alpha is
 * 0.54. */
TERN_API tern_tensor *tern_window_general_hamming(tern_ctx *ctx, int64_t M, double alpha, bool sym,
                                                  tern_dtype dtype);

/* hamming(M): general_hamming with alpha 0.54. */
TERN_API tern_tensor *tern_window_hamming(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

/* hann(M): general_hamming with alpha 0.5. */
TERN_API tern_tensor *tern_window_hann(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

/* blackman(M): general_cosine with 0.42, 0.5, 0.08. */
TERN_API tern_tensor *tern_window_blackman(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

/* nuttall(M): general_cosine with 0.3635819, 0.4891775, 0.1365995, 0.0106411. */
TERN_API tern_tensor *tern_window_nuttall(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
