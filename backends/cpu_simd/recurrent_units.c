/* recurrent_units.c: the units of a row, forward and back, a vector at a time. */
#include "recurrent.h"
#include "vmath.h"

/* The lanes from j on that a row has. */
#define EACH(j, n, h)                                                                              \
    for (int64_t j = 0, n; j < (h) && (n = (h)-j < F32_LANES ? (h)-j : F32_LANES, true);           \
         j += F32_LANES)

SIMD_INLINE f32v get(const float *row, int64_t n) {
    return n == F32_LANES ? f32_load(row) : f32_load_some(row, n);
}
SIMD_INLINE void put(float *row, int64_t n, f32v x) {
    if (n == F32_LANES)
        f32_store(row, x);
    else
        f32_store_some(row, x, n);
}

/* The gates' functions, whose errors are far below those of the sums that they are taken of. */
SIMD_INLINE f32v sigmoid(f32v x) {
    return SIMD_HAS_FMA ? fused_gate_sigmoid(x) : f32_sigmoid(x);
}
SIMD_INLINE f32v tangent(f32v x) {
    return SIMD_HAS_FMA ? fused_gate_tanh(x) : f32_tanh(x);
}

/* ---- forward --------------------------------------------------------------------------------- */

void tern_simd_lstm(int64_t h, float *kept, const float *before, float *c, float *y) {
    EACH(j, n, h) {
        float *at = kept + j;
        f32v i = sigmoid(get(at, n)), f = sigmoid(get(at + h, n));
        f32v g = tangent(get(at + 2 * h, n)), o = sigmoid(get(at + 3 * h, n));
        f32v cell = f * get(before + j, n) + i * g;
        put(at, n, i);
        put(at + h, n, f);
        put(at + 2 * h, n, g);
        put(at + 3 * h, n, o);
        put(c + j, n, cell);
        put(y + j, n, o * tangent(cell));
    }
}

void tern_simd_gru(int64_t h, float *kept, const float *before, float *y) {
    EACH(j, n, h) {
        float *at = kept + j;
        f32v r = sigmoid(get(at, n)), z = sigmoid(get(at + h, n));
        f32v q = tangent(get(at + 2 * h, n) + r * get(at + 3 * h, n));
        put(at, n, r);
        put(at + h, n, z);
        put(at + 2 * h, n, q);
        put(y + j, n, (get(before + j, n) - q) * z + q);
    }
}

void tern_simd_rnn(int32_t fn, int64_t h, float *y) {
    EACH(j, n, h) {
        f32v x = get(y + j, n);
        bool relu = fn == TERN_RECURRENT_RELU;
        put(y + j, n, relu ? f32_select(x < 0, f32_set(0), x) : tangent(x));
    }
}

/* ---- back ------------------------------------------------------------------------------------ */

/* The slopes of sigmoid and of tanh where they gave x. */
SIMD_INLINE f32v sigmoid_slope(f32v x) {
    return x * (1 - x);
}
SIMD_INLINE f32v tangent_slope(f32v x) {
    return 1 - x * x;
}

void tern_simd_lstm_back(int64_t h, const tern_simd_back *b) {
    EACH(j, n, h) {
        const float *at = b->kept + j;
        float *da = b->da + j;
        f32v i = get(at, n), f = get(at + h, n), g = get(at + 2 * h, n), o = get(at + 3 * h, n);
        f32v e = get(b->dh + j, n) + get(b->dy + j, n), t = tangent(get(b->cells + j, n));
        f32v dc = get(b->dc + j, n) + e * o * tangent_slope(t);
        put(da, n, dc * g * sigmoid_slope(i));
        put(da + h, n, dc * get(b->before + j, n) * sigmoid_slope(f));
        put(da + 2 * h, n, dc * i * tangent_slope(g));
        put(da + 3 * h, n, e * t * sigmoid_slope(o));
        put(b->dc + j, n, dc * f);
    }
}

void tern_simd_gru_back(int64_t h, const tern_simd_back *b) {
    EACH(j, n, h) {
        const float *at = b->kept + j;
        float *da = b->da + j, *dm = b->dm + j;
        f32v r = get(at, n), z = get(at + h, n), q = get(at + 2 * h, n), m = get(at + 3 * h, n);
        f32v e = get(b->dh + j, n) + get(b->dy + j, n);
        f32v d2 = e * (1 - z) * tangent_slope(q), d0 = d2 * m * sigmoid_slope(r);
        f32v d1 = e * (get(b->before + j, n) - q) * sigmoid_slope(z);
        put(da, n, d0);
        put(da + h, n, d1);
        put(da + 2 * h, n, d2);
        put(dm, n, d0);
        put(dm + h, n, d1);
        put(dm + 2 * h, n, d2 * r);
        put(b->carried + j, n, e * z);
    }
}

void tern_simd_rnn_back(int32_t fn, int64_t h, const tern_simd_back *b) {
    EACH(j, n, h) {
        f32v e = get(b->dh + j, n) + get(b->dy + j, n), y = get(b->y + j, n);
        bool relu = fn == TERN_RECURRENT_RELU;
        put(b->da + j, n, relu ? f32_select(y > 0, e, f32_set(0)) : e * tangent_slope(y));
    }
}
