/* normal_: the serial and the block forms. */
#include <math.h>

#include "numerics/elementary.h"
#include "numerics/random_fill.h"

enum { BLOCK = 16, HALF_BLOCK = 8 };

static const double TWO_PI = 0x1.921fb54442d18p+2;
static const float TWO_PI_F = 0x1.921fb6p+2f;

double tern_num_normal_f64(tern_mt19937 *g) {
    if (g->has_next_normal) {
        double cached = g->next_normal;
        g->has_next_normal = false;
        g->next_normal = 0.0;
        return cached;
    }
    double u1 = tern_num_mt19937_f64(g);
    double u2 = tern_num_mt19937_f64(g);
    double r = sqrt(-2.0 * tern_num_log1p(-u2));
    double sine;
    double cosine;
    tern_num_sincos(TWO_PI * u1, &sine, &cosine);
    g->next_normal = r * sine;
    g->has_next_normal = true;
    return r * cosine;
}

/*
 * Logarithm of the block fill: the float32 polynomial of Cephes' logf as avx_mathfun (J. Pommier,
 * G. Garberoglio) evaluates it, with the multiply-adds that PyTorch's AVX2 build fuses. 0 < x <= 1.
 */
static float block_log(float x) {
    static const float c[] = {-1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f,
                              1.4249322787e-1f,  -1.6668057665e-1f, 2.0000714765e-1f,
                              -2.4999993993e-1f, 3.3333331174e-1f};
    if (x < 0x1p-126f) x = 0x1p-126f;
    uint32_t bits = tern_num_float_bits(x);
    float e = (float)((int32_t)(bits >> 23) - 127) + 1.0f;
    float m = tern_num_float_from_bits((bits & 0x7fffffU) | 0x3f000000U);
    float t = 0.0f;
    if (m < 0.707106781186547524f) {
        t = m;
        e = e - 1.0f;
    }
    m = (m - 1.0f) + t;
    float z = m * m;
    float y = 7.0376836292e-2f;
    for (int i = 0; i < 8; i++) y = fmaf(y, m, c[i]);
    y = y * m;
    y = fmaf(y, z, e * -2.12194440e-4f);
    y = y - 0.5f * z;
    m = m + y;
    return fmaf(e, 0.693359375f, m);
}

/* Sine and cosine of the block fill, from the same source. 0 <= x <= 2 pi. */
static void block_sincos(float x, float *out_sin, float *out_cos) {
    int j = ((int)(x * 1.27323954473516f) + 1) & ~1;
    float y = (float)j;
    bool negate_sin = (j & 4) != 0;
    bool negate_cos = (~(j - 2) & 4) != 0;
    x = fmaf(y, -0.78515625f, x);
    x = fmaf(y, -2.4187564849853515625e-4f, x);
    x = fmaf(y, -3.77489497744594108e-8f, x);
    float z = x * x;
    float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = c * z;
    c = fmaf(c, z, -(0.5f * z));
    c = c + 1.0f;
    float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = s * z;
    s = fmaf(s, x, x);
    bool swapped = (j & 2) != 0;
    float sine = swapped ? c : s;
    float cosine = swapped ? s : c;
    *out_sin = negate_sin ? -sine : sine;
    *out_cos = negate_cos ? -cosine : cosine;
}

/* 16 uniforms to 16 normals, in place: 8 radii, then 8 angles. */
static void transform_f32(float *d, float mean, float std) {
    for (int j = 0; j < HALF_BLOCK; j++) {
        float radius = sqrtf(-2.0f * block_log(1.0f - d[j]));
        float sine;
        float cosine;
        block_sincos(TWO_PI_F * d[j + HALF_BLOCK], &sine, &cosine);
        d[j] = fmaf(radius * cosine, std, mean);
        d[j + HALF_BLOCK] = fmaf(radius * sine, std, mean);
    }
}

static void transform_f64(double *d, double mean, double std) {
    for (int j = 0; j < HALF_BLOCK; j++) {
        double radius = sqrt(-2.0 * tern_num_log(1.0 - d[j]));
        double sine;
        double cosine;
        tern_num_sincos(TWO_PI * d[j + HALF_BLOCK], &sine, &cosine);
        d[j] = fma(radius * cosine, std, mean);
        d[j + HALF_BLOCK] = fma(radius * sine, std, mean);
    }
}

static void draw_f32(tern_mt19937 *g, float *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = tern_num_mt19937_f32(g);
}

static void draw_f64(tern_mt19937 *g, double *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = tern_num_mt19937_f64(g);
}

/* All n uniforms are drawn before the first block, the last block's again after them. */
static void fill_f32(tern_mt19937 *g, float *out, int64_t n, float mean, float std) {
    draw_f32(g, out, n);
    for (int64_t i = 0; i + BLOCK <= n; i += BLOCK) transform_f32(out + i, mean, std);
    if (n % BLOCK == 0) return;
    float *last = out + (n - BLOCK);
    draw_f32(g, last, BLOCK);
    transform_f32(last, mean, std);
}

static void fill_f64(tern_mt19937 *g, double *out, int64_t n, double mean, double std) {
    draw_f64(g, out, n);
    for (int64_t i = 0; i + BLOCK <= n; i += BLOCK) transform_f64(out + i, mean, std);
    if (n % BLOCK == 0) return;
    double *last = out + (n - BLOCK);
    draw_f64(g, last, BLOCK);
    transform_f64(last, mean, std);
}

/* float16 and bfloat16: a block's uniforms are drawn just before it, into a float32 buffer. */
static void fill_16(tern_mt19937 *g, int dtype, void *out, int64_t n, float mean, float std) {
    float block[BLOCK];
    int64_t full = n / BLOCK;
    int64_t blocks = full + (n % BLOCK != 0 ? 1 : 0);
    for (int64_t b = 0; b < blocks; b++) {
        int64_t start = b < full ? b * BLOCK : n - BLOCK;
        draw_f32(g, block, BLOCK);
        transform_f32(block, mean, std);
        for (int i = 0; i < BLOCK; i++) tern_num_store_f64(dtype, out, start + i, (double)block[i]);
    }
}

void tern_num_fill_normal(tern_mt19937 *g, int dtype, void *out, int64_t n, double mean, double std,
                          bool contiguous) {
    if (!contiguous || n < BLOCK) {
        for (int64_t i = 0; i < n; i++)
            tern_num_store_f64(dtype, out, i, fma(tern_num_normal_f64(g), std, mean));
    } else if (dtype == TERN_NUM_FLOAT64) {
        fill_f64(g, out, n, mean, std);
    } else if (dtype == TERN_NUM_FLOAT32) {
        fill_f32(g, out, n, (float)mean, (float)std);
    } else {
        fill_16(g, dtype, out, n, (float)mean, (float)std);
    }
}
