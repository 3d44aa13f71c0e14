/* Uniform, integer and transformed fills; random_normal.c and multinomial.c hold the others. */
#include "numerics/random_fill.h"

#include <math.h>

#include "numerics/elementary.h"
#include "numerics/random_block.h"

static const double PI = 0x1.921fb54442d18p+1;

/* How many words are drawn at once; the most elements that are made of them. */
enum { WORDS = 512 };

static int64_t lesser(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void fill_uniform_f64(tern_mt19937 *g, double *out, int64_t n, double from, double to) {
    double width = to - from;
    for (int64_t i = 0; i < n; i++) {
        double x = fma(tern_num_mt19937_f64(g), width, from);
        out[i] = x == to ? from : x;
    }
}

static void fill_uniform_f32(tern_mt19937 *g, float *out, int64_t n, float from, float to) {
    uint32_t words[WORDS];
    for (int64_t i = 0; i < n; i += WORDS) {
        int64_t some = lesser(n - i, WORDS);
        tern_num_mt19937_words(g, words, some);
        tern_num_block_uniform(words, out + i, some, from, to);
    }
}

/* float16 and bfloat16: drawn in float32; the comparison with `to` is in 16 bits. */
static void fill_uniform_16(tern_mt19937 *g, int dtype, void *out, int64_t n, float from,
                            float to) {
    float width = to - from;
    double top;
    tern_num_store_f64(dtype, out, 0, (double)to);
    top = tern_num_load_f64(dtype, out, 0);
    for (int64_t i = 0; i < n; i++) {
        float x = fmaf(tern_num_mt19937_f32(g), width, from);
        tern_num_store_f64(dtype, out, i, (double)x);
        if (tern_num_load_f64(dtype, out, i) == top)
            tern_num_store_f64(dtype, out, i, (double)from);
    }
}

void tern_num_fill_uniform(tern_mt19937 *g, int dtype, void *out, int64_t n, double from,
                           double to) {
    if (n <= 0) return;
    if (dtype == TERN_NUM_FLOAT64)
        fill_uniform_f64(g, out, n, from, to);
    else if (dtype == TERN_NUM_FLOAT32)
        fill_uniform_f32(g, out, n, (float)from, (float)to);
    else
        fill_uniform_16(g, dtype, out, n, (float)from, (float)to);
}

/* Mantissa digits of a float dtype, the hidden one included; 0 for the others. */
static int float_digits(int dtype) {
    switch (dtype) {
    case TERN_NUM_FLOAT64: return 53;
    case TERN_NUM_FLOAT32: return 24;
    case TERN_NUM_FLOAT16: return 11;
    case TERN_NUM_BFLOAT16: return 8;
    default: return 0;
    }
}

static uint64_t integer_max(int dtype) {
    switch (dtype) {
    case TERN_NUM_INT64: return INT64_MAX;
    case TERN_NUM_INT32: return INT32_MAX;
    case TERN_NUM_INT16: return INT16_MAX;
    case TERN_NUM_INT8: return INT8_MAX;
    case TERN_NUM_UINT8: return UINT8_MAX;
    default: return 1;
    }
}

void tern_num_fill_random(tern_mt19937 *g, int dtype, void *out, int64_t n) {
    int digits = float_digits(dtype);
    uint64_t top = digits > 0 ? UINT64_C(1) << digits : integer_max(dtype);
    bool wide = dtype == TERN_NUM_INT64 || dtype == TERN_NUM_FLOAT64;
    for (int64_t i = 0; i < n; i++) {
        uint64_t u = wide ? tern_num_mt19937_u64(g) : tern_num_mt19937_u32(g);
        tern_num_store_i64(dtype, out, i, tern_num_u64_to_i64(u % (top + 1)));
    }
}

/* Draws of 32 bits from a range below 2^28. */
static void fill_small_range(tern_mt19937 *g, int dtype, void *out, int64_t n, int64_t base,
                             uint32_t range) {
    uint32_t words[WORDS];
    int64_t *to = out;
    for (int64_t i = 0; i < n; i += WORDS) {
        int64_t some = lesser(n - i, WORDS);
        tern_num_mt19937_words(g, words, some);
        for (int64_t k = 0; k < some; k++) {
            int64_t value = tern_num_u64_to_i64((uint64_t)base + words[k] % range);
            if (dtype == TERN_NUM_INT64)
                to[i + k] = value;
            else
                tern_num_store_i64(dtype, out, i + k, value);
        }
    }
}

void tern_num_fill_randint(tern_mt19937 *g, int dtype, void *out, int64_t n, int64_t base,
                           uint64_t range) {
    if (range != 0 && range < UINT64_C(1) << 28) {
        fill_small_range(g, dtype, out, n, base, (uint32_t)range);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint64_t u = tern_num_mt19937_u64(g);
        if (range != 0) u %= range;
        tern_num_store_i64(dtype, out, i, tern_num_u64_to_i64((uint64_t)base + u));
    }
}

/* The distance between neighbours of |v| in a float of so many digits; 0 below 1. */
static int64_t spacing_at(int64_t v, int digits) {
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    int exponent = 0;
    while (magnitude >>= 1) exponent++;
    return exponent >= digits - 1 ? (int64_t)1 << (exponent - digits + 1) : 0;
}

static int64_t round_to_dtype(int dtype, int64_t value) {
    double cell;
    tern_num_store_i64(dtype, &cell, 0, value);
    return tern_num_load_i64(dtype, &cell, 0);
}

bool tern_num_randint_bounds(int dtype, int64_t *from, int64_t *to) {
    int digits = float_digits(dtype);
    if (digits == 0) return false;
    int64_t old_from = *from;
    int64_t old_to = *to;
    if (old_from < INT64_MAX) {
        int64_t rounded = round_to_dtype(dtype, old_from + 1);
        if (rounded < old_from) *from = rounded + spacing_at(old_from + 1, digits);
    }
    if (old_to > INT64_MIN) {
        int64_t rounded = round_to_dtype(dtype, old_to - 1);
        if (rounded >= old_to) *to = rounded - spacing_at(old_to - 1, digits);
    }
    return *from != old_from || *to != old_to;
}

static void fetch(const void *at) {
#if defined(__GNUC__)
    __builtin_prefetch(at, 1);
#else
    (void)at;
#endif
}

static void swap_elements(uint8_t *array, size_t size, int64_t i, int64_t j) {
    uint8_t cell[8];
    uint8_t *a = array + (size_t)i * size;
    uint8_t *b = array + (size_t)j * size;
    memcpy(cell, a, size);
    memmove(a, b, size);
    memcpy(b, cell, size);
}

/* Places to swap with lie anywhere: those of a block of draws are all fetched before the first swap. */
static void shuffle_i64(tern_mt19937 *g, int64_t *out, int64_t n) {
    uint32_t words[WORDS];
    for (int64_t i = 0; i < n - 1; i += WORDS) {
        int64_t some = lesser(n - 1 - i, WORDS);
        tern_num_mt19937_words(g, words, some);
        for (int64_t k = 0; k < some; k++) {
            words[k] %= (uint32_t)(n - i - k);
            fetch(out + i + k + words[k]);
        }
        for (int64_t k = 0; k < some; k++) {
            int64_t *a = out + i + k, *b = a + words[k], value = *a;
            *a = *b;
            *b = value;
        }
    }
}

/* From n = (2^32 - 1) / 20 on PyTorch fills inside out with 64-bit draws; modulo bias is kept. */
void tern_num_fill_randperm(tern_mt19937 *g, int dtype, void *out, int64_t n) {
    size_t size = tern_num_dtype_size(dtype);
    if (n >= UINT32_MAX / 20) {
        for (int64_t i = 0; i < n; i++) {
            int64_t z = (int64_t)(tern_num_mt19937_u64(g) % ((uint64_t)i + 1));
            tern_num_store_i64(dtype, out, i, i);
            swap_elements(out, size, i, z);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) tern_num_store_i64(dtype, out, i, i);
    if (dtype == TERN_NUM_INT64) {
        shuffle_i64(g, out, n);
        return;
    }
    for (int64_t i = 0; i < n - 1; i++) {
        int64_t z = (int64_t)(tern_num_mt19937_u32(g) % (uint64_t)(n - i));
        swap_elements(out, size, i, i + z);
    }
}

/* u < p for u = k * 2^-53 is k < p * 2^53, which is exact, rounded up. */
void tern_num_fill_bernoulli(tern_mt19937 *g, int dtype, void *out, int64_t n, double p) {
    uint32_t words[WORDS];
    uint64_t limit = p > 0.0 ? (uint64_t)ceil(p * 0x1p53) : 0;
    float *to = out;
    for (int64_t i = 0; i < n; i += WORDS / 2) {
        int64_t some = lesser(n - i, WORDS / 2);
        tern_num_mt19937_words(g, words, 2 * some);
        for (int64_t k = 0; k < some; k++) {
            uint64_t u = (uint64_t)(words[2 * k] & 0x1fffffU) << 32 | words[2 * k + 1];
            if (dtype == TERN_NUM_FLOAT32)
                to[i + k] = u < limit ? 1.0f : 0.0f;
            else
                tern_num_store_i64(dtype, out, i + k, u < limit);
        }
    }
}

void tern_num_fill_bernoulli_each(tern_mt19937 *g, int p_dtype, const void *p, int dtype, void *out,
                                  int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double u =
            p_dtype == TERN_NUM_FLOAT64 ? tern_num_mt19937_f64(g) : (double)tern_num_mt19937_f32(g);
        tern_num_store_i64(dtype, out, i, u < tern_num_load_f64(p_dtype, p, i));
    }
}

void tern_num_fill_exponential(tern_mt19937 *g, int dtype, void *out, int64_t n, double lambda) {
    double scale = -1.0 / lambda;
    for (int64_t i = 0; i < n; i++)
        tern_num_store_f64(dtype, out, i, scale * tern_num_log1p(-tern_num_mt19937_f64(g)));
}

void tern_num_fill_geometric(tern_mt19937 *g, int dtype, void *out, int64_t n, double p) {
    double denominator = tern_num_log1p(-p);
    for (int64_t i = 0; i < n; i++) {
        double value = ceil(tern_num_log(tern_num_mt19937_f64(g)) / denominator);
        tern_num_store_f64(dtype, out, i, value);
    }
}

void tern_num_fill_cauchy(tern_mt19937 *g, int dtype, void *out, int64_t n, double median,
                          double sigma) {
    for (int64_t i = 0; i < n; i++) {
        double t = tern_num_tan(PI * (tern_num_mt19937_f64(g) - 0.5));
        tern_num_store_f64(dtype, out, i, fma(sigma, t, median));
    }
}

void tern_num_fill_log_normal(tern_mt19937 *g, int dtype, void *out, int64_t n, double mean,
                              double std) {
    for (int64_t i = 0; i < n; i++) {
        double normal = fma(tern_num_normal_f64(g), std, mean);
        tern_num_store_f64(dtype, out, i, tern_num_exp(normal));
    }
}
