/* multinomial: exponential races without replacement, a binary search with it. */
#include <math.h>

#include "numerics/elementary.h"
#include "numerics/random_fill.h"

/* A category in the race: its key p / q, NaN counting as the largest, as in topk. */
typedef struct runner {
    double key;
    int64_t category;
} runner;

size_t tern_num_multinomial_scratch(int64_t categories) {
    return (size_t)categories * sizeof(runner);
}

/* One sum in the dtype's accumulation type; keeps PyTorch's order. */
static double add_rounded(int dtype, double sum, double value) {
    return dtype == TERN_NUM_FLOAT64 ? sum + value : (double)((float)sum + (float)value);
}

static bool rows_valid(int dtype, const void *p, int64_t rows, int64_t categories) {
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < categories; j++) {
            double value = tern_num_load_f64(dtype, p, i * categories + j);
            if (!(value >= 0.0) || value == HUGE_VAL) return false;
            sum += value;
        }
        if (!(sum > 0.0)) return false;
    }
    return true;
}

/* Whether a finishes before b: larger key first, lower category among equals. */
static bool before(runner a, runner b) {
    bool a_nan = a.key != a.key;
    bool b_nan = b.key != b.key;
    if (a_nan != b_nan) return a_nan;
    if (a_nan || a.key == b.key) return a.category < b.category;
    return a.key > b.key;
}

/* Restores the heap below `i`: the first to finish at the top. */
static void sift_down(runner *heap, int64_t n, int64_t i) {
    runner moving = heap[i];
    for (int64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], moving)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = moving;
}

/* q and p / q are rounded to the dtype, as the tensors are that hold them in PyTorch. */
static void race(tern_mt19937 *g, int dtype, const void *p, int64_t row, int64_t n, int64_t samples,
                 runner *heap, int64_t *out) {
    for (int64_t j = 0; j < n; j++) {
        double cell;
        tern_num_store_f64(dtype, &cell, 0, -tern_num_log1p(-tern_num_mt19937_f64(g)));
        double q = tern_num_load_f64(dtype, &cell, 0);
        double value = tern_num_load_f64(dtype, p, row * n + j);
        if (dtype == TERN_NUM_FLOAT64)
            heap[j].key = value / q;
        else {
            float quotient = (float)value / (float)q;
            tern_num_store_f64(dtype, &cell, 0, (double)quotient);
            heap[j].key = tern_num_load_f64(dtype, &cell, 0);
        }
        heap[j].category = j;
    }
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(heap, n, i);
    for (int64_t k = 0; k < samples && k < n; k++) {
        out[k] = heap[0].category;
        heap[0] = heap[n - 1 - k];
        sift_down(heap, n - 1 - k, 0);
    }
}

static double divide_rounded(int dtype, double a, double b) {
    return dtype == TERN_NUM_FLOAT64 ? a / b : (double)((float)a / (float)b);
}

static void draw_with_replacement(tern_mt19937 *g, int dtype, const void *p, int64_t row, int64_t n,
                                  int64_t samples, double *cumulative, int64_t *out) {
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++) {
        sum = add_rounded(dtype, sum, tern_num_load_f64(dtype, p, row * n + j));
        cumulative[j] = sum;
    }
    for (int64_t j = 0; j < n; j++) cumulative[j] = divide_rounded(dtype, cumulative[j], sum);
    cumulative[n - 1] = 1.0;
    for (int64_t k = 0; k < samples; k++) {
        double u = tern_num_mt19937_f64(g);
        int64_t low = 0;
        int64_t high = n;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (cumulative[middle] < u)
                low = middle + 1;
            else
                high = middle;
        }
        out[k] = low;
    }
}

bool tern_num_multinomial(tern_mt19937 *g, int dtype, const void *p, int64_t rows,
                          int64_t categories, int64_t samples, bool replacement, void *scratch,
                          int64_t *out) {
    if (!rows_valid(dtype, p, rows, categories)) return false;
    for (int64_t i = 0; i < rows; i++) {
        if (replacement && samples > 1)
            draw_with_replacement(g, dtype, p, i, categories, samples, scratch, out + i * samples);
        else
            race(g, dtype, p, i, categories, samples, scratch, out + i * samples);
    }
    return true;
}
