/* triangular.c: Cholesky, LU and LDL factorisations of one matrix, and what they solve. */
#include <math.h>

#include "plain.h"

void tern_plain_product(const double *a, const double *b, double *c, int64_t m, int64_t k,
                        int64_t n) {
    for (int64_t i = 0; i < m; i++) {
        double *row = c + i * n;
        for (int64_t j = 0; j < n; j++) row[j] = 0.0;
        for (int64_t l = 0; l < k; l++)
            for (int64_t j = 0; j < n; j++) row[j] += a[i * k + l] * b[l * n + j];
    }
}

int32_t tern_plain_cholesky(double *a, int64_t n) {
    int32_t info = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) a[i * n + j] = 0.0;
    for (int64_t j = 0; j < n && info == 0; j++) {
        double *row = a + j * n, rest = row[j];
        for (int64_t k = 0; k < j; k++) rest -= row[k] * row[k];
        if (!(rest > 0.0)) {
            info = (int32_t)(j + 1);
            break;
        }
        row[j] = sqrt(rest);
        for (int64_t i = j + 1; i < n; i++) {
            double *below = a + i * n, sum = below[j];
            for (int64_t k = 0; k < j; k++) sum -= below[k] * row[k];
            below[j] = sum / row[j];
        }
    }
    return info;
}

/* Below column j of L^-1 is -M l / L_jj, where M is the inverse of what is below and right of j. */
static void invert_lower(const double *l, double *inverse, int64_t n) {
    for (int64_t j = n - 1; j >= 0; j--) {
        inverse[j * n + j] = 1.0 / l[j * n + j];
        for (int64_t i = j + 1; i < n; i++) {
            double sum = 0.0;
            for (int64_t k = j + 1; k <= i; k++) sum += inverse[i * n + k] * l[k * n + j];
            inverse[i * n + j] = -sum * inverse[j * n + j];
        }
    }
}

void tern_plain_cholesky_inverse(double *l, double *inverse, int64_t n) {
    invert_lower(l, inverse, n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int64_t k = i; k < n; k++) sum += inverse[k * n + i] * inverse[k * n + j];
            l[i * n + j] = l[j * n + i] = sum;
        }
}

void tern_plain_solve_triangular(const double *a, double *b, int64_t n, int64_t m, bool upper,
                                 bool unit) {
    for (int64_t step = 0; step < n; step++) {
        int64_t i = upper ? n - 1 - step : step;
        const double *row = a + i * n;
        int64_t from = upper ? i + 1 : 0, to = upper ? n : i;
        for (int64_t k = from; k < to; k++)
            for (int64_t j = 0; j < m; j++) b[i * m + j] -= row[k] * b[k * m + j];
        for (int64_t j = 0; !unit && j < m; j++) b[i * m + j] /= row[i];
    }
}

static void swap_rows(double *a, int64_t n, int64_t i, int64_t j) {
    for (int64_t k = 0; i != j && k < n; k++) {
        double value = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = value;
    }
}

int32_t tern_plain_lu(double *a, int32_t *pivots, int64_t m, int64_t n) {
    int32_t info = 0;
    int64_t steps = m < n ? m : n;
    for (int64_t k = 0; k < steps; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < m; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
        pivots[k] = (int32_t)(pivot + 1);
        if (a[pivot * n + k] == 0.0) {
            if (info == 0) info = (int32_t)(k + 1);
            continue;
        }
        swap_rows(a, n, k, pivot);
        for (int64_t i = k + 1; i < m; i++) {
            double factor = a[i * n + k] /= a[k * n + k];
            for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return info;
}

/* ---- LDL^T ---- */

static void swap(double *a, double *b) {
    double value = *a;
    *a = *b;
    *b = value;
}

/* Which row to bring to the place k, and whether for a block of two (Bunch, Kaufman 1977, algorithm A). */
static int64_t choose_pivot(const double *a, int64_t n, int64_t k, int *out_size) {
    const double alpha = 0.64038820320220756873; /* (1 + sqrt(17)) / 8 */
    double diagonal = fabs(a[k * n + k]), largest = 0.0, others = 0.0;
    int64_t row = k;
    *out_size = 1;
    for (int64_t i = k + 1; i < n; i++)
        if (fabs(a[i * n + k]) > largest) {
            largest = fabs(a[i * n + k]);
            row = i;
        }
    if (row == k || diagonal >= alpha * largest) return k;
    for (int64_t j = k; j < row; j++) others = fmax(others, fabs(a[row * n + j]));
    for (int64_t i = row + 1; i < n; i++) others = fmax(others, fabs(a[i * n + row]));
    if (diagonal >= alpha * largest * (largest / others)) return k;
    if (fabs(a[row * n + row]) >= alpha * others) return row;
    *out_size = 2;
    return row;
}

/* Exchanges rows and columns `at` and `with` > at of the lower triangle, from column k on. */
static void exchange(double *a, int64_t n, int64_t k, int64_t at, int64_t with) {
    for (int64_t i = with + 1; i < n; i++) swap(&a[i * n + at], &a[i * n + with]);
    for (int64_t j = at + 1; j < with; j++) swap(&a[j * n + at], &a[with * n + j]);
    swap(&a[at * n + at], &a[with * n + with]);
    if (at > k) swap(&a[at * n + k], &a[with * n + k]);
}

static void eliminate_one(double *a, int64_t n, int64_t k) {
    double inverse = 1.0 / a[k * n + k];
    for (int64_t j = k + 1; j < n; j++) {
        double factor = inverse * a[j * n + k];
        for (int64_t i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * factor;
    }
    for (int64_t i = k + 1; i < n; i++) a[i * n + k] *= inverse;
}

static void eliminate_two(double *a, int64_t n, int64_t k) {
    if (k + 2 >= n) return;
    double off = a[(k + 1) * n + k], first = a[(k + 1) * n + k + 1] / off,
           second = a[k * n + k] / off;
    double scale = 1.0 / (first * second - 1.0) / off;
    for (int64_t j = k + 2; j < n; j++) {
        double x = a[j * n + k], y = a[j * n + k + 1];
        double w0 = scale * (first * x - y), w1 = scale * (second * y - x);
        for (int64_t i = j; i < n; i++) a[i * n + j] -= a[i * n + k] * w0 + a[i * n + k + 1] * w1;
        a[j * n + k] = w0;
        a[j * n + k + 1] = w1;
    }
}

int32_t tern_plain_ldl(double *a, int32_t *pivots, int64_t n) {
    int32_t info = 0;
    for (int64_t k = 0; k < n;) {
        int size;
        int64_t pivot = choose_pivot(a, n, k, &size), at = k + size - 1;
        bool zero = size == 1 && pivot == k && a[k * n + k] == 0.0;
        for (int64_t i = k + 1; zero && i < n; i++) zero = a[i * n + k] == 0.0;
        if (zero && info == 0) info = (int32_t)(k + 1);
        if (pivot != at) exchange(a, n, k, at, pivot);
        if (!zero && size == 1) eliminate_one(a, n, k);
        if (!zero && size == 2) eliminate_two(a, n, k);
        for (int i = 0; i < size; i++)
            pivots[k + i] = size == 1 ? (int32_t)(pivot + 1) : -(int32_t)(pivot + 1);
        k += size;
    }
    return info;
}

/* b[row] -= factor b[from] */
static void subtract_row(double *b, int64_t m, int64_t row, int64_t from, double factor) {
    for (int64_t j = 0; j < m; j++) b[row * m + j] -= factor * b[from * m + j];
}

/* Rows k and k + 1 of b by the inverse of their block of D. */
static void divide_block(const double *ld, double *b, int64_t n, int64_t m, int64_t k) {
    double off = ld[(k + 1) * n + k], first = ld[k * n + k] / off;
    double second = ld[(k + 1) * n + k + 1] / off, scale = first * second - 1.0;
    for (int64_t j = 0; j < m; j++) {
        double x = b[k * m + j] / off, y = b[(k + 1) * m + j] / off;
        b[k * m + j] = (second * x - y) / scale;
        b[(k + 1) * m + j] = (first * y - x) / scale;
    }
}

static int64_t row_of(int32_t pivot) {
    return (pivot > 0 ? pivot : -(int64_t)pivot) - 1;
}

void tern_plain_ldl_solve(const double *ld, const int32_t *pivots, double *b, int64_t n,
                          int64_t m) {
    int64_t k = 0;
    while (k < n) {
        int64_t size = pivots[k] > 0 || k + 1 == n ? 1 : 2;
        swap_rows(b, m, k + size - 1, row_of(pivots[k]));
        for (int64_t c = k; c < k + size; c++)
            for (int64_t i = k + size; i < n; i++) subtract_row(b, m, i, c, ld[i * n + c]);
        if (size == 2)
            divide_block(ld, b, n, m, k);
        else
            for (int64_t j = 0; j < m; j++) b[k * m + j] /= ld[k * n + k];
        k += size;
    }
    for (k = n - 1; k >= 0;) {
        int64_t size = pivots[k] > 0 || k == 0 ? 1 : 2;
        for (int64_t c = k - size + 1; c <= k; c++)
            for (int64_t i = k + 1; i < n; i++) subtract_row(b, m, c, i, ld[i * n + c]);
        swap_rows(b, m, k, row_of(pivots[k]));
        k -= size;
    }
}
