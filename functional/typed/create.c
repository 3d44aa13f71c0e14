/* create.c: the C functions of tern/ops_create.h that do not stand beside their operation. */
#include "typed.h"

/* ---- values --------------------------------------------------------------------------------- */
tern_tensor *tern_new_zeros(tern_tensor *input, tern_shape size) {
    return TERN_CALL(new_zeros, ARG_TENSOR(input), ARG_SHAPE(size));
}
tern_tensor *tern_new_ones(tern_tensor *input, tern_shape size) {
    return TERN_CALL(new_ones, ARG_TENSOR(input), ARG_SHAPE(size));
}
tern_tensor *tern_new_full(tern_tensor *input, tern_shape size, double fill_value) {
    return TERN_CALL(new_full, ARG_TENSOR(input), ARG_SHAPE(size), tern_number(fill_value));
}
tern_tensor *tern_logspace(tern_ctx *ctx, double start, double end, int64_t steps, double base) {
    return TERN_CALL_CTX(ctx, logspace, tern_number(start), tern_number(end), ARG_INT(steps),
                         ARG_FLOAT(base));
}
tern_tensor *tern_eye(tern_ctx *ctx, int64_t n, int64_t m, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, eye, ARG_INT(n), ARG_INT(m), ARG_DTYPE(dtype));
}
tern_tensor *tern_tril_indices(tern_ctx *ctx, int64_t row, int64_t col, int64_t offset) {
    return TERN_CALL_CTX(ctx, tril_indices, ARG_INT(row), ARG_INT(col), ARG_INT(offset));
}
tern_tensor *tern_triu_indices(tern_ctx *ctx, int64_t row, int64_t col, int64_t offset) {
    return TERN_CALL_CTX(ctx, triu_indices, ARG_INT(row), ARG_INT(col), ARG_INT(offset));
}

/* ---- random numbers ------------------------------------------------------------------------- */
tern_tensor *tern_normal_tensors(tern_tensor *mean, tern_tensor *std, tern_generator *generator) {
    return TERN_CALL(normal_tensors, ARG_TENSOR(mean), ARG_TENSOR(std),
                     tern_generator_value(generator));
}
tern_tensor *tern_normal_size(tern_ctx *ctx, double mean, double std, tern_shape size,
                              tern_generator *generator) {
    return TERN_CALL_CTX(ctx, normal_size, ARG_FLOAT(mean), ARG_FLOAT(std), ARG_SHAPE(size),
                         tern_generator_value(generator));
}
tern_tensor *tern_bernoulli(tern_tensor *input, tern_generator *generator) {
    return TERN_CALL(bernoulli, ARG_TENSOR(input), tern_generator_value(generator));
}
tern_tensor *tern_multinomial(tern_tensor *input, int64_t num_samples, bool replacement,
                              tern_generator *generator) {
    return TERN_CALL(multinomial, ARG_TENSOR(input), ARG_INT(num_samples), ARG_BOOL(replacement),
                     tern_generator_value(generator));
}

/* ---- filling in place ----------------------------------------------------------------------- */
tern_tensor *tern_random_in_place(tern_tensor *input, tern_generator *generator) {
    return TERN_CALL_IN_PLACE(random, ARG_TENSOR(input), tern_generator_value(generator));
}
tern_tensor *tern_random_to_in_place(tern_tensor *input, int64_t to, tern_generator *generator) {
    return TERN_CALL_IN_PLACE(random_to, ARG_TENSOR(input), ARG_INT(to),
                              tern_generator_value(generator));
}
tern_tensor *tern_random_from_in_place(tern_tensor *input, int64_t from, int64_t to,
                                       tern_generator *generator) {
    return TERN_CALL_IN_PLACE(random_from, ARG_TENSOR(input), ARG_INT(from), ARG_INT(to),
                              tern_generator_value(generator));
}
tern_tensor *tern_bernoulli_p_in_place(tern_tensor *input, double p, tern_generator *generator) {
    return TERN_CALL_IN_PLACE(bernoulli_p, ARG_TENSOR(input), ARG_FLOAT(p),
                              tern_generator_value(generator));
}
tern_tensor *tern_exponential_in_place(tern_tensor *input, double lambd,
                                       tern_generator *generator) {
    return TERN_CALL_IN_PLACE(exponential, ARG_TENSOR(input), ARG_FLOAT(lambd),
                              tern_generator_value(generator));
}
tern_tensor *tern_geometric_in_place(tern_tensor *input, double p, tern_generator *generator) {
    return TERN_CALL_IN_PLACE(geometric, ARG_TENSOR(input), ARG_FLOAT(p),
                              tern_generator_value(generator));
}
tern_tensor *tern_cauchy_in_place(tern_tensor *input, double median, double sigma,
                                  tern_generator *generator) {
    return TERN_CALL_IN_PLACE(cauchy, ARG_TENSOR(input), ARG_FLOAT(median), ARG_FLOAT(sigma),
                              tern_generator_value(generator));
}
tern_tensor *tern_log_normal_in_place(tern_tensor *input, double mean, double std,
                                      tern_generator *generator) {
    return TERN_CALL_IN_PLACE(log_normal, ARG_TENSOR(input), ARG_FLOAT(mean), ARG_FLOAT(std),
                              tern_generator_value(generator));
}

/* ---- windows of signals --------------------------------------------------------------------- */
tern_tensor *tern_window_exponential(tern_ctx *ctx, int64_t M, double tau, bool sym,
                                     tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_exponential, ARG_INT(M), tern_none(), ARG_FLOAT(tau),
                         ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_gaussian(tern_ctx *ctx, int64_t M, double std, bool sym,
                                  tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_gaussian, ARG_INT(M), ARG_FLOAT(std), ARG_BOOL(sym),
                         ARG_DTYPE(dtype));
}
tern_tensor *tern_window_kaiser(tern_ctx *ctx, int64_t M, double beta, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_kaiser, ARG_INT(M), ARG_FLOAT(beta), ARG_BOOL(sym),
                         ARG_DTYPE(dtype));
}
tern_tensor *tern_window_cosine(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_cosine, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_bartlett(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_bartlett, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_general_cosine(tern_ctx *ctx, int64_t M, const double *a, int count,
                                        bool sym, tern_dtype dtype) {
    tern_value weights = tern_floats_argument(ctx, a, count);
    return TERN_CALL_CTX(ctx, window_general_cosine, ARG_INT(M), weights, ARG_BOOL(sym),
                         ARG_DTYPE(dtype));
}
tern_tensor *tern_window_general_hamming(tern_ctx *ctx, int64_t M, double alpha, bool sym,
                                         tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_general_hamming, ARG_INT(M), ARG_FLOAT(alpha), ARG_BOOL(sym),
                         ARG_DTYPE(dtype));
}
tern_tensor *tern_window_hamming(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_hamming, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_hann(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_hann, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_blackman(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_blackman, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
tern_tensor *tern_window_nuttall(tern_ctx *ctx, int64_t M, bool sym, tern_dtype dtype) {
    return TERN_CALL_CTX(ctx, window_nuttall, ARG_INT(M), ARG_BOOL(sym), ARG_DTYPE(dtype));
}
