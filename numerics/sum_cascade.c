#include "numerics/sum_cascade.h"

#include <math.h>

/*
 * The same text serves both types: sum_cascade.inc is read once with float and 8 lanes, once with
 * double and 4, the 32 bytes of PyTorch's AVX2 vectors.
 */
#define REAL         float
#define LANES        8
#define NAME(family) family##_f32
#include "numerics/sum_cascade.inc"
#undef REAL
#undef LANES
#undef NAME

#define REAL         double
#define LANES        4
#define NAME(family) family##_f64
#include "numerics/sum_cascade.inc"
#undef REAL
#undef LANES
#undef NAME

int64_t tern_num_arange_size(double start, double end, double step) {
    double size = ceil((end - start) / step);
    if (!(size > 0.0)) return 0;
    return size < 0x1p63 ? (int64_t)size : INT64_MAX;
}

void tern_num_arange_f32(float *out, int64_t n, double start, double step) {
    int64_t grouped = n - n % 16;
    for (int64_t i = 0; i < grouped; i++) {
        int64_t lane = i % 8;
        float base = (float)fma(step, (double)(i - lane), start);
        out[i] = (float)fma((double)lane, step, (double)base);
    }
    for (int64_t i = grouped; i < n; i++) out[i] = (float)fma(step, (double)i, start);
}

void tern_num_arange_f64(double *out, int64_t n, double start, double step) {
    int64_t grouped = n - n % 8;
    for (int64_t i = 0; i < grouped; i++) {
        int64_t lane = i % 4;
        out[i] = fma((double)lane, step, fma(step, (double)(i - lane), start));
    }
    for (int64_t i = grouped; i < n; i++) out[i] = fma(step, (double)i, start);
}

void tern_num_linspace_f32(float *out, int64_t n, float start, float end) {
    if (n == 1) out[0] = start;
    if (n <= 1) return;
    float step = (end - start) / (float)(n - 1);
    for (int64_t i = 0; i < n; i++)
        out[i] = i < n / 2 ? fmaf(step, (float)i, start) : fmaf(-step, (float)(n - 1 - i), end);
}

void tern_num_linspace_f64(double *out, int64_t n, double start, double end) {
    if (n == 1) out[0] = start;
    if (n <= 1) return;
    double step = (end - start) / (double)(n - 1);
    for (int64_t i = 0; i < n; i++)
        out[i] = i < n / 2 ? fma(step, (double)i, start) : fma(-step, (double)(n - 1 - i), end);
}
