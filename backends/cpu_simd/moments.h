/*
 * moments.h: mean and variance of elements that come a run at a time.
 */
#ifndef TERN_CPU_SIMD_MOMENTS_H
#define TERN_CPU_SIMD_MOMENTS_H

#include <math.h>
#include <stdbool.h>

#include "across.h"

typedef struct moments {
    double n, mean, squares; /* squares: of the deviations; RMS: of the elements */
} moments;

/* Joins n elements whose deviations from `centre` have the sum `off` and the sum of squares `squares`. What
 * is left of the squares when the centre is off, and is less than their own rounding, are equal elements. */
static inline void join_moments(moments *m, bool single, double n, double centre, double off,
                                double squares) {
    double shift = off / n, left = squares - shift * off;
    if (isfinite(shift)) centre += shift;
    if (left < squares * (single ? 0x1p-22 : 0x1p-50)) {
        left = 0;
        if (single) centre = (double)(float)centre;
    }
    squares = left;
    if (m->n == 0) {
        *m = (moments){n, centre, squares};
        return;
    }
    double all = m->n + n, apart = centre - m->mean;
    m->squares += squares + apart * apart * (m->n * n / all);
    m->mean += isfinite(apart) ? apart * (n / all) : centre; /* infinities stay what they are */
    m->n = all;
}

#endif
