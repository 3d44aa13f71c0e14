/*
 * orthogonal.c: QR by Householder's reflectors, singular values by one-sided and eigenvalues by two-sided
 * Jacobi rotations (Demmel and Veselic, SIAM J. Matrix Anal. 13, 1992), which find small ones to full
 * relative accuracy.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "plain.h"

#define SWEEPS 60

/* ---- QR ---- */

/* The length of the column x[0], x[stride] ..: the squares are of x over the largest so far, so that they neither
 * overflow nor vanish. One infinity is infinite, two are inf / inf, NaN. */
static double column_length(const double *x, int64_t count, int64_t stride) {
    double scale = 0.0, squares = 1.0;
    for (int64_t i = 0; i < count; i++) {
        double size = fabs(x[i * stride]);
        if (size == 0.0) continue;
        double ratio = scale < size ? scale / size : size / scale;
        squares = scale < size ? 1.0 + squares * ratio * ratio : squares + ratio * ratio;
        if (scale < size || scale == 0.0) scale = size;
    }
    return scale == 0.0 ? 0.0 : scale * sqrt(squares);
}

/* sqrt(head^2 + length^2), where a head of NaN counts as the length, as in LAPACK's lapy2 */
static double hypotenuse(double head, double length) {
    double larger = head > length ? head : length, smaller = head < length ? head : length;
    return smaller == 0.0 ? larger : larger * sqrt(1.0 + smaller / larger * (smaller / larger));
}

/* H = I - tau v v^T with H x = (beta, 0 ..), for the column x[0], x[stride] ..: beta replaces x[0], and v, but for
 * its leading one, what follows. Returns tau: 0 where only zeros follow. As LAPACK's larfg; -0 counts as positive. */
static double make_reflector(double *x, int64_t count, int64_t stride) {
    double head = x[0], length = column_length(x + stride, count - 1, stride);
    if (length == 0.0) return 0.0;
    double beta = hypotenuse(fabs(head), length);
    if (head >= 0.0) beta = -beta;
    for (int64_t i = 1; i < count; i++) x[i * stride] /= head - beta;
    x[0] = beta;
    return (beta - head) / beta;
}

void tern_plain_qr(double *a, double *tau, int64_t m, int64_t n) {
    int64_t steps = m < n ? m : n;
    for (int64_t k = 0; k < steps; k++) {
        tau[k] = make_reflector(a + k * n + k, m - k, n);
        for (int64_t j = k + 1; j < n; j++) {
            double sum = a[k * n + j];
            for (int64_t i = k + 1; i < m; i++) sum += a[i * n + k] * a[i * n + j];
            sum *= tau[k];
            a[k * n + j] -= sum;
            for (int64_t i = k + 1; i < m; i++) a[i * n + j] -= a[i * n + k] * sum;
        }
    }
}

/* x -= tau v (v^T x), where v is x's first row's 1 and then v[stride], v[2 stride] .. */
static void reflect(const double *v, int64_t stride, double tau, double *x, int64_t rows, int64_t n,
                    bool right) {
    for (int64_t j = 0; j < n; j++) {
        double sum = x[j];
        for (int64_t i = 1; i < rows; i++) sum += v[i * stride] * x[i * n + j];
        x[j] -= tau * sum;
        for (int64_t i = 1; i < rows; i++)
            if (!right || v[i * stride] != 0.0) x[i * n + j] -= tau * sum * v[i * stride];
    }
}

void tern_plain_reflect(const double *v, const double *tau, double *x, int64_t m, int64_t columns,
                        int64_t k, int64_t n, bool transpose, bool right) {
    for (int64_t step = 0; step < k; step++) {
        int64_t i = transpose ? step : k - 1 - step;
        if (tau[i] != 0.0)
            reflect(v + i * columns + i, columns, tau[i], x + i * n, m - i, n, right);
    }
}

void tern_plain_q(const double *a, const double *tau, double *q, int64_t m, int64_t n,
                  int64_t count, int64_t columns) {
    memset(q, 0, (size_t)(m * columns) * sizeof *q);
    for (int64_t i = 0; i < m && i < columns; i++) q[i * columns + i] = 1.0;
    for (int64_t k = count - 1; k >= 0; k--)
        for (int64_t j = 0; j < columns; j++) {
            double sum = q[k * columns + j];
            for (int64_t i = k + 1; i < m; i++) sum += a[i * n + k] * q[i * columns + j];
            sum *= tau[k];
            q[k * columns + j] -= sum;
            for (int64_t i = k + 1; i < m; i++) q[i * columns + j] -= a[i * n + k] * sum;
        }
}

/* ---- singular values: vectors are rows here ---- */

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void rotate(double *a, double *b, int64_t n, double c, double s) {
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i];
        a[i] = c * x - s * y;
        b[i] = s * x + c * y;
    }
}

/* The tangent of the angle that makes two vectors orthogonal, or a 2 x 2 block diagonal. */
static double jacobi_tangent(double aa, double bb, double ab) {
    double zeta = (bb - aa) / (2.0 * ab);
    return (zeta < 0.0 ? -1.0 : 1.0) / (fabs(zeta) + sqrt(1.0 + zeta * zeta));
}

/* One sweep over all pairs of the `n` vectors of length m, and of the rotations so far; false when all
 * were orthogonal already. */
static bool sweep(double *vectors, double *rotations, int64_t n, int64_t m) {
    bool moved = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            double *a = vectors + p * m, *b = vectors + q * m;
            double aa = dot(a, a, m), bb = dot(b, b, m), ab = dot(a, b, m);
            if (!(fabs(ab) > 1e-15 * sqrt(aa * bb))) continue;
            double t = jacobi_tangent(aa, bb, ab), c = 1.0 / sqrt(1.0 + t * t);
            rotate(a, b, m, c, c * t);
            rotate(rotations + p * n, rotations + q * n, n, c, c * t);
            moved = true;
        }
    return moved;
}

static void swap_vectors(double *a, int64_t n, int64_t i, int64_t j) {
    for (int64_t k = 0; i != j && k < n; k++) {
        double value = a[i * n + k];
        a[i * n + k] = a[j * n + k];
        a[j * n + k] = value;
    }
}

/* Unit vectors [from, to) of length m, orthogonal to those before them and to each other. */
static void complete_basis(double *vectors, int64_t from, int64_t to, int64_t m) {
    int64_t candidate = 0;
    for (int64_t k = from; k < to; k++) {
        double *v = vectors + k * m, square = 0.0;
        /* Some unit vector keeps at least this share; rounding takes a part of it. */
        double share = 0.5 * (double)(m - k) / (double)m;
        for (int64_t tried = 0; tried < m && !(square > share); tried++) {
            memset(v, 0, (size_t)m * sizeof *v);
            v[candidate] = 1.0;
            candidate = (candidate + 1) % m;
            for (int round = 0; round < 2; round++)
                for (int64_t i = 0; i < k; i++) {
                    double along = dot(vectors + i * m, v, m);
                    for (int64_t j = 0; j < m; j++) v[j] -= along * vectors[i * m + j];
                }
            square = dot(v, v, m);
        }
        for (int64_t j = 0; j < m; j++) v[j] /= sqrt(square);
    }
}

/* Of n <= m rows of length m, scaled by a power of two: their lengths are the singular values, they
 * themselves the left vectors, the rotations the right ones. Descending. */
static void svd_of_rows(double *rows, double *rotations, double *s, int64_t n, int64_t m) {
    memset(rotations, 0, (size_t)(n * n) * sizeof *rotations);
    for (int64_t i = 0; i < n; i++) rotations[i * n + i] = 1.0;
    for (int i = 0; i < SWEEPS && sweep(rows, rotations, n, m); i++) continue;
    for (int64_t i = 0; i < n; i++) s[i] = sqrt(dot(rows + i * m, rows + i * m, m));
    for (int64_t i = 0; i < n; i++) {
        int64_t largest = i;
        for (int64_t j = i + 1; j < n; j++)
            if (s[j] > s[largest]) largest = j;
        double value = s[i];
        s[i] = s[largest];
        s[largest] = value;
        swap_vectors(rows, m, i, largest);
        swap_vectors(rotations, n, i, largest);
    }
    int64_t rank = 0;
    /* What is below is the rounding error of the largest: its direction means nothing. */
    while (rank < n && s[rank] > s[0] * DBL_EPSILON * (double)m) rank++;
    for (int64_t i = 0; i < rank; i++)
        for (int64_t j = 0; j < m; j++) rows[i * m + j] /= s[i];
    complete_basis(rows, rank, n, m);
}

static void transpose(const double *a, double *b, int64_t m, int64_t n) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) b[j * m + i] = a[i * n + j];
}

static void fill(double *a, int64_t n, double value) {
    for (int64_t i = 0; i < n; i++) a[i] = value;
}

/* The power of two that brings the largest element near 1; NaN for what is not finite. */
static double scale_of(const double *a, int64_t n) {
    double largest = 0.0;
    int exponent;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(a[i])) return NAN;
        largest = fmax(largest, fabs(a[i]));
    }
    if (largest == 0.0) return 1.0;
    frexp(largest, &exponent);
    return ldexp(1.0, exponent < -1000 ? -1000 : exponent > 1000 ? 1000 : exponent);
}

void tern_plain_svd(double *a, double *u, double *s, double *vt, double *rows, double *rotations,
                    int64_t m, int64_t n, int64_t left, int64_t right) {
    bool tall = m >= n;
    int64_t k = tall ? n : m, length = tall ? m : n;
    double scale = scale_of(a, m * n);
    if (isnan(scale)) {
        fill(u, m * left, NAN);
        fill(s, k, NAN);
        fill(vt, right * n, NAN);
        return;
    }
    for (int64_t i = 0; i < m * n; i++) a[i] /= scale;
    if (tall)
        transpose(a, rows, m, n);
    else
        memcpy(rows, a, (size_t)(m * n) * sizeof *rows);
    svd_of_rows(rows, rotations, s, k, length);
    complete_basis(rows, k, tall ? left : right, length);
    for (int64_t i = 0; i < k; i++) s[i] *= scale;
    if (tall) {
        transpose(rows, u, left, m);
        if (right) memcpy(vt, rotations, (size_t)(n * n) * sizeof *vt);
    } else {
        transpose(rotations, u, left, m);
        if (right) memcpy(vt, rows, (size_t)(right * n) * sizeof *vt);
    }
}

/* ---- eigenvalues ---- */

static void rotate_both(double *a, int64_t n, int64_t p, int64_t q, double c, double s) {
    rotate(a + p * n, a + q * n, n, c, s);
    for (int64_t i = 0; i < n; i++) {
        double x = a[i * n + p], y = a[i * n + q];
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
    }
}

static bool sweep_symmetric(double *a, double *rotations, int64_t n, double norm) {
    bool moved = false;
    for (int64_t p = 0; p < n; p++)
        for (int64_t q = p + 1; q < n; q++) {
            double off = a[p * n + q], pp = a[p * n + p], qq = a[q * n + q];
            double small = fmax(norm * 1e-18, 1e-16 * sqrt(fabs(pp * qq)));
            if (!(fabs(off) > small)) continue;
            double t = jacobi_tangent(pp, qq, off), c = 1.0 / sqrt(1.0 + t * t);
            rotate_both(a, n, p, q, c, c * t);
            rotate(rotations + p * n, rotations + q * n, n, c, c * t);
            moved = true;
        }
    return moved;
}

void tern_plain_eigh(double *a, double *values, double *work, int64_t n) {
    double scale = scale_of(a, n * n);
    if (isnan(scale)) {
        fill(values, n, NAN);
        fill(a, n * n, NAN);
        return;
    }
    for (int64_t i = 0; i < n * n; i++) a[i] /= scale;
    double norm = sqrt(dot(a, a, n * n));
    memset(work, 0, (size_t)(n * n) * sizeof *work);
    for (int64_t i = 0; i < n; i++) work[i * n + i] = 1.0;
    for (int i = 0; i < SWEEPS && sweep_symmetric(a, work, n, norm); i++) continue;
    for (int64_t i = 0; i < n; i++) values[i] = a[i * n + i] * scale;
    for (int64_t i = 0; i < n; i++) {
        int64_t smallest = i;
        for (int64_t j = i + 1; j < n; j++)
            if (values[j] < values[smallest]) smallest = j;
        double value = values[i];
        values[i] = values[smallest];
        values[smallest] = value;
        swap_vectors(work, n, i, smallest);
    }
    transpose(work, a, n, n);
}
