/*
 * resize_filter.c: interpolation by filters: with antialias=True, and of uint8 images.
 *
 * Each dimension is one product with a matrix of filter weights [out, in], computed on the host in
 * double. uint8 follows PyTorch's fixed-point path: weights become 16-bit integers of a common
 * precision, and every dimension rounds to uint8 on its own.
 */
#include "functional.h"
#include "resize.h"

#include <math.h>

#include "core/ops/compose.h"

/* The triangle, and Keys' cubic kernel (IEEE ASSP 29, 1981) with a = -1/2, or -3/4 without
 * antialiasing. */
static double filter_at(bool cubic, double a, double x) {
    x = fabs(x);
    if (!cubic) return x < 1.0 ? 1.0 - x : 0.0;
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

/* Row `i` of the matrix: the weights of the inputs around its centre, summing to 1. Beyond the edges
 * antialiasing has no inputs; otherwise the outermost ones repeat. */
static void fill_row(double *row, int64_t i, const tern_filter *f) {
    bool stretched = f->antialias && f->scale >= 1.0;
    double reach = (f->cubic ? 2.0 : 1.0) * (stretched ? f->scale : 1.0);
    double inverse = stretched ? 1.0 / f->scale : 1.0, a = f->antialias ? -0.5 : -0.75;
    double delta = f->antialias || !f->align_corners ? 0.0 : 0.5;
    double centre = f->scale * ((double)i + 0.5 - delta), total = 0.0;
    int64_t start = (int64_t)floor(centre - reach + 0.5 + delta);
    int64_t end = (int64_t)floor(centre + reach + 0.5 + delta);
    for (int64_t j = 0; j < f->in; j++) row[j] = 0.0;
    for (int64_t j = start; j < end; j++) {
        int64_t at = j < 0 ? 0 : j >= f->in ? f->in - 1 : j;
        if (at != j && f->antialias) continue;
        double weight = filter_at(f->cubic, a, ((double)j - centre + 0.5 - delta) * inverse);
        row[at] += weight;
        total += weight;
    }
    for (int64_t j = 0; total != 0.0 && j < f->in; j++) row[j] /= total;
}

/* The largest precision at which every weight fits 16 bits. */
static int integer_precision(const double *weights, int64_t count) {
    double most = 0.0;
    int precision = 0;
    for (int64_t i = 0; i < count; i++) most = weights[i] > most ? weights[i] : most;
    while (precision < 22 &&
           (int64_t)(0.5 + most * (double)(INT64_C(1) << (precision + 1))) < (INT64_C(1) << 15))
        precision++;
    return precision;
}

/* The matrix as a tensor: of int64 for uint8 (with its precision), else of `dtype`. */
static tern_tensor *weight_matrix(tern_opcall *call, const tern_filter *f, tern_dtype dtype,
                                  int *out_precision) {
    bool fits = true;
    int64_t count = tern_dim_mul(f->out, f->in, &fits);
    if (!fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "an output size of %lld is too large for %lld inputs", (long long)f->out,
                       (long long)f->in);
    double *weights = fits ? tern_host_buffer(call->ctx, count, sizeof *weights) : NULL;
    if (!weights) return call->ctx->nil;
    for (int64_t i = 0; i < f->out; i++) fill_row(weights + i * f->in, i, f);
    *out_precision = dtype == TERN_UINT8 ? integer_precision(weights, count) : 0;
    double unit = (double)(INT64_C(1) << *out_precision);
    for (int64_t i = 0; *out_precision > 0 && i < count; i++)
        weights[i] = trunc(weights[i] * unit + (weights[i] < 0.0 ? -0.5 : 0.5));
    tern_shape shape = {2, {f->out, f->in}};
    tern_tensor *matrix = tern_new_from_host(call->lane, weights, TERN_FLOAT64, &shape, NULL);
    tern_host_give(call->ctx, weights);
    return tern_to_dtype(matrix, dtype == TERN_UINT8 ? TERN_INT64 : dtype);
}

tern_tensor *tern_filter_along(tern_opcall *call, tern_tensor *x, int dim, const tern_filter *f) {
    int precision = 0;
    tern_dtype dtype = BODY(x)->dtype;
    tern_tensor *matrix = weight_matrix(call, f, dtype, &precision);
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    if (dtype == TERN_UINT8) x = tern_to_dtype(x, TERN_INT64);
    x = tern_matmul(tern_transpose(x, dim, -1), tern_t(matrix));
    if (dtype == TERN_UINT8) {
        x = TERN_CALL(add, ARG_TENSOR(x), ARG_INT(INT64_C(1) << precision >> 1));
        x = TERN_CALL(clamp,
                      ARG_TENSOR(TERN_CALL(bitwise_right_shift, ARG_TENSOR(x), ARG_INT(precision))),
                      ARG_INT(0), ARG_INT(255));
        x = tern_to_dtype(x, TERN_UINT8);
    }
    return tern_transpose(x, dim, -1);
}
