/*
 * transform.h: discrete Fourier transforms of any length in n log n steps, in double, over arrays: it knows
 * neither tensors nor contexts.
 *
 *     X[k] = sum over t of x[t] e^(-2 pi i t k / n)
 *
 * A complex number is two doubles, the real part first. Lengths whose prime factors are at most 31 are transformed
 * by mixed radices (Cooley, Tukey 1965, in Stockham's order, which needs no reversal of indices), every other
 * length as a convolution with a chirp in a length that is one of those (Bluestein 1970). Roots of unity are
 * computed one by one from angles of at most 45 degrees, so errors grow with the logarithm of n alone. All numbers
 * are the same with every compiler and CPU.
 *
 * The inverse (of the sign alone: nothing is divided by n) is the same with real and imaginary parts exchanged
 * before and after.
 */
#ifndef TERN_FFT_TRANSFORM_H
#define TERN_FFT_TRANSFORM_H

#include <stdint.h>

/* The doubles that a transform of length n needs beside its line: a table, which tern_fft_prepare makes, and
 * space. 0 where n is not from 1 to 2^40. */
int64_t tern_fft_room(int64_t n);

/* Makes the table for length n in `room`, for any number of transforms. */
void tern_fft_prepare(int64_t n, double *room);

/* Transforms the n numbers of a line in place. */
void tern_fft_line(int64_t n, double *room, double *line);

/* The same for a line of n real numbers, which is transformed to n / 2 + 1 complex ones and, without a division, back:
 * the imaginary parts of the first one, and for an even n of the last one, are not looked at. The line has room for 2 n
 * doubles. */
int64_t tern_fft_real_room(int64_t n);
void tern_fft_real_prepare(int64_t n, double *room);
void tern_fft_real_line(int64_t n, double *room, double *line);
void tern_fft_real_back(int64_t n, double *room, double *line);

#endif
