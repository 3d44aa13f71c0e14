/* normal_: the serial and the block forms. */
#include <math.h>

#include "numerics/elementary.h"
#include "numerics/random_block.h"
#include "numerics/random_fill.h"

enum { BLOCK = 16, HALF_BLOCK = 8 };

static const double TWO_PI = 0x1.921fb54442d18p+2;

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

/* The words of whole blocks, drawn into the place of the numbers that they become. */
static void draw(tern_mt19937 *g, float *out, int64_t n, float mean, float std) {
    tern_num_mt19937_words(g, (uint32_t *)(void *)out, n);
    tern_num_block_normal(out, n / BLOCK, mean, std);
}

static void draw_f64(tern_mt19937 *g, double *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = tern_num_mt19937_f64(g);
}

/* All n uniforms are drawn before the first block, the last block's again after them. */
static void fill_f32(tern_mt19937 *g, float *out, int64_t n, float mean, float std) {
    enum { SOME = 64 * BLOCK }; /* what stays in the first-level cache between the two steps */
    for (int64_t i = 0; i < n; i += SOME) {
        int64_t some = n - i < SOME ? n - i : SOME;
        draw(g, out + i, some, mean, std);
    }
    if (n % BLOCK != 0) draw(g, out + (n - BLOCK), BLOCK, mean, std);
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
        draw(g, block, BLOCK, mean, std);
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
