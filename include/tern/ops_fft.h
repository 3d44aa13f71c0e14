/*
 * tern/ops_fft.h: Fourier transforms (torch.fft), of signals in stretches too.
 *
 * Transforms run in host memory on every device, in float64 whatever the dtype, and take n log n steps for any
 * length n. Real input is float32, float64 or integers (computed as float32), complex input complex64 or complex128.
 * A dimension longer than asked for is cut, a shorter one is extended by zeros. `norm` says where the factor 1 / n
 * is, n being all numbers of a transform:
 *
 *     "backward", which NULL stands for      in the inverse (ifft, irfft, ihfft)
 *     "forward"                              in the other direction
 *     "ortho"                                1 / sqrt(n) in both
 *
 * All are differentiable, any number of times.
 */
#ifndef TERN_OPS_FFT_H
#define TERN_OPS_FFT_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- over one dimension -----------------------------------------------------------------------
 * n is the length to transform (for irfft and hfft that of the result), 0 for all that there is; dim is -1 in
 * PyTorch's default. */

/* torch.fft.fft(input, n, dim, norm): X[k] = sum over t of x[t] e^(-2 pi i t k / n), complex. */
TERN_API tern_tensor *tern_fft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* torch.fft.ifft(input, n, dim, norm): x[t] = sum over k of X[k] e^(2 pi i t k / n) / n, complex. */
TERN_API tern_tensor *tern_ifft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* torch.fft.rfft(input, n, dim, norm): the first n / 2 + 1 of fft of a real input, whose others are their
 * conjugates. A complex input is an error. */
TERN_API tern_tensor *tern_rfft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* torch.fft.irfft(input, n, dim, norm): the n real numbers whose rfft the input is; n is 2 (size - 1) if 0. */
TERN_API tern_tensor *tern_irfft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* torch.fft.hfft(input, n, dim, norm): fft of what has n / 2 + 1 numbers and continues with their conjugates: real.
 * n is 2 (size - 1) if 0. */
TERN_API tern_tensor *tern_hfft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* torch.fft.ihfft(input, n, dim, norm): the inverse of hfft: the first n / 2 + 1 of ifft of a real input. A complex
 * input is an error. */
TERN_API tern_tensor *tern_ihfft(tern_tensor *input, int64_t n, int dim, const char *norm);

/* ---- over several dimensions ------------------------------------------------------------------
 * s are the lengths, one for each dimension of dim, -1 for all that there is; of rank 0 (TERN_SCALAR_SHAPE) for all
 * of them. The real functions halve the last dimension of dim. */

/* torch.fft.fft2(input, s, dim, norm): tern_fftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_fft2(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm);

/* torch.fft.ifft2(input, s, dim, norm): tern_ifftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_ifft2(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.rfft2(input, s, dim, norm): tern_rfftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_rfft2(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.irfft2(input, s, dim, norm): tern_irfftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_irfft2(tern_tensor *input, tern_shape s, tern_shape dim,
                                  const char *norm);

/* torch.fft.hfft2(input, s, dim, norm): tern_hfftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_hfft2(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.ihfft2(input, s, dim, norm): tern_ihfftn over two dimensions; of rank 0, dim is the last two. */
TERN_API tern_tensor *tern_ihfft2(tern_tensor *input, tern_shape s, tern_shape dim,
                                  const char *norm);

/* torch.fft.fftn(input, s, dim, norm): tern_fft over each dimension. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_fftn(tern_tensor *input, tern_shape s, tern_shape dim, const char *norm);

/* torch.fft.ifftn(input, s, dim, norm): tern_ifft over each dimension. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_ifftn(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.rfftn(input, s, dim, norm): tern_rfft over the last dimension of dim, then tern_fft over the others. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_rfftn(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.irfftn(input, s, dim, norm): tern_ifft over all dimensions of dim but the last,
 * then tern_irfft over that. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_irfftn(tern_tensor *input, tern_shape s, tern_shape dim,
                                  const char *norm);

/* torch.fft.hfftn(input, s, dim, norm): tern_fft over all dimensions of dim but the last, then
 * tern_hfft over that. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_hfftn(tern_tensor *input, tern_shape s, tern_shape dim,
                                 const char *norm);

/* torch.fft.ihfftn(input, s, dim, norm): tern_ihfft over the last dimension of dim, then tern_ifft
 * over the others. Of rank 0, dim is all
 * dimensions, or the last ones of as many lengths. */
TERN_API tern_tensor *tern_ihfftn(tern_tensor *input, tern_shape s, tern_shape dim,
                                  const char *norm);

/* ---- frequencies ----------------------------------------------------------------------------- */

/* torch.fft.fftfreq(n, d): the frequency of each of the n numbers of fft for samples at a distance of d:
 * 0, 1, ..., then -n / 2, ..., -1, each divided by n d. float32. PyTorch's default for d: 1. */
TERN_API tern_tensor *tern_fftfreq(tern_ctx *ctx, int64_t n, double d);

/* torch.fft.rfftfreq(n, d): the n / 2 + 1 frequencies of rfft: 0, 1, ... divided by n d. */
TERN_API tern_tensor *tern_rfftfreq(tern_ctx *ctx, int64_t n, double d);

/* fft.fftshift over all dimensions: the zero frequency goes to the middle. */
TERN_API tern_tensor *tern_fftshift(tern_tensor *input);

/* fft.ifftshift over all dimensions: the way back. */
TERN_API tern_tensor *tern_ifftshift(tern_tensor *input);

/* ---- convolutions ---------------------------------------------------------------------------- */

/* torchaudio.functional.fftconvolve(x, y, mode): the convolution of lines of x with those of y (a kernel is not turned
 * around, as conv1d has it), along the last dimension; the others are equal or 1. "full" (torchaudio's default) has
 * n + m - 1 numbers, "same" as many of its middle as x, "valid" those where the shorter one lies within the longer one.
 * float32 and float64, integers as float32. In host memory, by transforms: against tern_conv1d on one core of cpu_simd it
 * pays from some 8192 numbers of the kernel on. */
TERN_API tern_tensor *tern_fftconvolve(tern_tensor *x, tern_tensor *y, const char *mode);

/* ---- signals in stretches -------------------------------------------------------------------- */

/* torch.stft(input, n_fft, hop_length, window=window, return_complex=True): of [time] or [batch, time] the
 * transforms of n_fft numbers at every hop_length-th time, centred there (the signal is reflected at its ends), each
 * multiplied by the window of n_fft (NULL: 1): [batch, frequency, frame], the n_fft / 2 + 1 frequencies of a real
 * signal. PyTorch's default for hop_length: n_fft / 4. Other arguments by name. */
TERN_API tern_tensor *tern_stft(tern_tensor *input, int64_t n_fft, int64_t hop_length,
                                tern_tensor *window);

/* torch.istft(input, n_fft, hop_length, window=window): the real signal whose tern_stft the input is: overlapping
 * frames are added and divided by the sum of the squares of their windows, which must not be 0 anywhere. */
TERN_API tern_tensor *tern_istft(tern_tensor *input, int64_t n_fft, int64_t hop_length,
                                 tern_tensor *window);

#ifdef __cplusplus
}
#endif

#endif
