/*
 * Sums in PyTorch's order, and arange and linspace in PyTorch's rounding: the same bits as PyTorch
 * 2.15 on an x86-64 CPU on one thread.
 *
 * PyTorch sums in a cascade: four levels of partial sums, each flushed into the next after 2^p
 * additions, so that the error grows with the logarithm of n rather than with n. Vectors have 8
 * lanes of float32 and 4 of float64. Strides are in elements and may be anything, negative and 0
 * included.
 */
#ifndef TERN_NUMERICS_SUM_CASCADE_H
#define TERN_NUMERICS_SUM_CASCADE_H

#include <stdint.h>

/* The sum of n contiguous elements (torch.sum of a whole contiguous tensor); 0 for none. */
float tern_num_sum_f32(const float *x, int64_t n);
double tern_num_sum_f64(const double *x, int64_t n);

/*
 * One two-dimensional piece of a reduction, as PyTorch's iterator hands it to its sum kernel: for
 * each column j < columns,
 *
 *     out[j * out_stride] += sum over i < n of x[i * stride + j * column_stride].
 *
 * The caller sets `out` to 0 first, and calls once for each index of any further dimensions. The
 * order depends on the strides: contiguous runs (stride 1, n >= lanes) go by lanes; contiguous
 * columns (column_stride 1, columns >= lanes) by 4 vectors of columns at a time with a plain
 * cascade, the vectors and single columns left over with four interleaved ones; the rest by
 * scalars, 4 columns together where columns are the closer dimension.
 */
void tern_num_sum_columns_f32(const float *x, int64_t n, int64_t stride, int64_t columns,
                              int64_t column_stride, float *out, int64_t out_stride);
void tern_num_sum_columns_f64(const double *x, int64_t n, int64_t stride, int64_t columns,
                              int64_t column_stride, double *out, int64_t out_stride);

/* The number of elements of arange: ceil((end - start) / step) in double; 0 where that is negative.
 */
int64_t tern_num_arange_size(double start, double end, double step);

/*
 * torch.arange. Within the leading multiple of two vectors an element is the vector's first value,
 * rounded to the dtype, plus its lane times step; the rest are start + step i. Sums are fused, in
 * double.
 */
void tern_num_arange_f32(float *out, int64_t n, double start, double step);
void tern_num_arange_f64(double *out, int64_t n, double start, double step);

/* torch.linspace: fma from the nearer end with the step rounded to the dtype; n = 1 gives start. */
void tern_num_linspace_f32(float *out, int64_t n, float start, float end);
void tern_num_linspace_f64(double *out, int64_t n, double start, double end);

#endif
