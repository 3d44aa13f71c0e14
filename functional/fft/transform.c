/* transform.c: discrete Fourier transforms of any length, in host memory. */
#include "transform.h"

#include <stdbool.h>
#include <string.h>

#include "numerics/elementary.h"

#define LARGEST_RADIX 31

/* ---- lengths --------------------------------------------------------------------------------- */

/* The radix of the next pass over a length; 1 for 1, 0 where a prime factor is too large. */
static int next_radix(int64_t n) {
    if (n == 1) return 1;
    if (n % 4 == 0) return 4;
    for (int radix = 2; radix <= LARGEST_RADIX; radix++)
        if (n % radix == 0) return radix;
    return 0;
}

static bool is_smooth(int64_t n) {
    int radix = next_radix(n);
    while (radix > 1) {
        n /= radix;
        radix = next_radix(n);
    }
    return radix == 1;
}

/* The length of the convolution: at least 2 n - 1, a power of 2 or 3 times one. */
static int64_t padded(int64_t n) {
    int64_t power = 1;
    while (power < 2 * n - 1) power *= 2;
    return power >= 4 && power / 4 * 3 >= 2 * n - 1 ? power / 4 * 3 : power;
}

/*
 * A smooth length: roots [2 n], space [2 n]. Another: chirp [2 n], its transform [2 m], then what the length m
 * needs and a line of it.
 */
int64_t tern_fft_room(int64_t n) {
    if (n < 1 || n > INT64_C(1) << 40) return 0;
    if (is_smooth(n)) return 4 * n;
    return 2 * n + 8 * padded(n);
}

/* ---- roots of unity -------------------------------------------------------------------------- */

/* e^(-2 pi i t / n), 0 <= t < n, from an angle of x / (4 n) pi in the first half quadrant */
static void root(int64_t t, int64_t n, double *out) {
    int64_t x = 8 * t;
    bool lower = x > 4 * n, left, steep;
    double sine, cosine;
    if (lower) x = 8 * n - x;
    left = x > 2 * n;
    if (left) x = 4 * n - x;
    steep = x > n;
    if (steep) x = 2 * n - x;
    tern_num_sincos(0x1.921fb54442d18p-1 * ((double)x / (double)n), &sine, &cosine);
    double re = steep ? sine : cosine, im = steep ? cosine : sine;
    out[0] = left ? -re : re;
    out[1] = lower ? im : -im;
}

/* All n roots. Those of the first eighth, quarter or half circle, as n is divisible, give the others by symmetry, with the
 * same bits: `root` reduces its angle in the same way. */
static void fill_roots(int64_t n, double *out) {
    int64_t quarter = n / 4, half = n / 2;
    int64_t computed = n % 4 == 0 ? n / 8 : n % 2 == 0 ? quarter : half;
    for (int64_t t = 0; t <= computed; t++) root(t, n, out + 2 * t);
    if (n % 4 == 0) {
        for (int64_t t = computed + 1; t <= quarter; t++) {
            const double *other = out + 2 * (quarter - t);
            out[2 * t] = -other[1];
            out[2 * t + 1] = -other[0];
        }
    }
    if (n % 2 == 0) {
        for (int64_t t = quarter + 1; t <= half; t++) {
            out[2 * t] = -out[2 * (half - t)];
            out[2 * t + 1] = out[2 * (half - t) + 1];
        }
    }
    for (int64_t t = half + 1; t < n; t++) {
        out[2 * t] = out[2 * (n - t)];
        out[2 * t + 1] = -out[2 * (n - t) + 1];
    }
}

/* ---- passes ----------------------------------------------------------------------------------
 *
 * A pass of radix r over `parts` interleaved transforms of length r m:
 *
 *     y[q + parts (r p + k)] = w^(p k) sum over j of x[q + parts (p + m j)] e^(-2 pi i j k / r)
 *
 * with 0 <= q < parts, 0 <= p < m, and w = e^(-2 pi i / (r m)), whose powers are each parts-th root of n.
 */
typedef struct pass {
    int64_t m, parts;
    const double *x;
    double *y;
    const double *roots; /* all n of them */
    int64_t n;
} pass;

typedef struct number {
    double re, im;
} number;

static number load(const double *at) {
    return (number){at[0], at[1]};
}
static void store(double *at, number v) {
    at[0] = v.re;
    at[1] = v.im;
}
static number plus(number a, number b) {
    return (number){a.re + b.re, a.im + b.im};
}
static number minus(number a, number b) {
    return (number){a.re - b.re, a.im - b.im};
}
static number times(number a, number b) {
    return (number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
/* a + x b */
static number plus_times(number a, double x, number b) {
    return (number){a.re + x * b.re, a.im + x * b.im};
}
/* -i x a */
static number turned(double x, number a) {
    return (number){x * a.im, -x * a.re};
}

/* Sums over j in place. */
typedef void (*butterfly)(number *a);

static void of_2(number *a) {
    number first = a[0];
    a[0] = plus(first, a[1]);
    a[1] = minus(first, a[1]);
}

static void of_3(number *a) {
    const double sine = 0x1.bb67ae8584caap-1; /* of 120 degrees */
    number sum = plus(a[1], a[2]), turn = turned(sine, minus(a[1], a[2]));
    number middle = plus_times(a[0], -0.5, sum);
    a[0] = plus(a[0], sum);
    a[1] = plus(middle, turn);
    a[2] = minus(middle, turn);
}

static void of_4(number *a) {
    number even = plus(a[0], a[2]), even_less = minus(a[0], a[2]);
    number odd = plus(a[1], a[3]), odd_less = turned(1, minus(a[1], a[3]));
    a[0] = plus(even, odd);
    a[1] = plus(even_less, odd_less);
    a[2] = minus(even, odd);
    a[3] = minus(even_less, odd_less);
}

static void of_5(number *a) {
    const double cosine_1 = 0x1.3c6ef372fe95p-2, sine_1 = 0x1.e6f0e134454ffp-1; /* of 72 degrees */
    const double cosine_2 = -0x1.9e3779b97f4a8p-1, sine_2 = 0x1.2cf2304755a5ep-1; /* of 144 */
    number near = plus(a[1], a[4]), near_less = minus(a[1], a[4]);
    number far = plus(a[2], a[3]), far_less = minus(a[2], a[3]);
    number first = plus_times(plus_times(a[0], cosine_1, near), cosine_2, far);
    number second = plus_times(plus_times(a[0], cosine_2, near), cosine_1, far);
    number first_turn = plus(turned(sine_1, near_less), turned(sine_2, far_less));
    number second_turn = minus(turned(sine_2, near_less), turned(sine_1, far_less));
    a[0] = plus(a[0], plus(near, far));
    a[1] = plus(first, first_turn);
    a[2] = plus(second, second_turn);
    a[3] = minus(second, second_turn);
    a[4] = minus(first, first_turn);
}

/* One radix with its sums written out; inlined for each of them. */
static inline void pass_of(const pass *s, int radix, butterfly sums) {
    for (int64_t p = 0; p < s->m; p++) {
        for (int64_t q = 0; q < s->parts; q++) {
            number a[5];
            for (int j = 0; j < radix; j++) a[j] = load(s->x + 2 * (q + s->parts * (p + s->m * j)));
            sums(a);
            double *y = s->y + 2 * (q + s->parts * radix * p);
            store(y, a[0]);
            for (int k = 1; k < radix; k++) {
                number w = load(s->roots + 2 * (p * k * s->parts));
                store(y + 2 * s->parts * k, p ? times(a[k], w) : a[k]);
            }
        }
    }
}

/* An odd prime: terms j and r - j have conjugate factors. */
static void pass_of_prime(const pass *s, int radix) {
    number a[LARGEST_RADIX], sum[LARGEST_RADIX / 2 + 1], less[LARGEST_RADIX / 2 + 1];
    int half = radix / 2;
    int64_t step = s->n / radix;
    for (int64_t p = 0; p < s->m; p++) {
        for (int64_t q = 0; q < s->parts; q++) {
            const double *x = s->x + 2 * (q + s->parts * p);
            for (int j = 0; j < radix; j++) a[j] = load(x + 2 * s->parts * s->m * j);
            number total = a[0];
            for (int j = 1; j <= half; j++) {
                sum[j] = plus(a[j], a[radix - j]);
                less[j] = minus(a[j], a[radix - j]);
                total = plus(total, sum[j]);
            }
            double *y = s->y + 2 * (q + s->parts * radix * p);
            store(y, total);
            for (int k = 1; k <= half; k++) {
                number even = a[0], odd = {0, 0};
                for (int j = 1; j <= half; j++) {
                    number w = load(s->roots + 2 * (step * (j * k % radix)));
                    even = plus_times(even, w.re, sum[j]);
                    odd = plus(odd, turned(-w.im, less[j]));
                }
                number ahead = load(s->roots + 2 * (p * k * s->parts));
                number behind = load(s->roots + 2 * (p * (radix - k) * s->parts));
                store(y + 2 * s->parts * k, times(plus(even, odd), ahead));
                store(y + 2 * s->parts * (radix - k), times(minus(even, odd), behind));
            }
        }
    }
}

static void run_pass(const pass *s, int radix) {
    switch (radix) {
    case 2: pass_of(s, 2, of_2); break;
    case 3: pass_of(s, 3, of_3); break;
    case 4: pass_of(s, 4, of_4); break;
    case 5: pass_of(s, 5, of_5); break;
    default: pass_of_prime(s, radix);
    }
}

static void transform_smooth(int64_t n, double *room, double *line) {
    double *space = room + 2 * n;
    pass s = {.parts = 1, .x = line, .y = space, .roots = room, .n = n};
    for (int64_t left = n; left > 1;) {
        int radix = next_radix(left);
        s.m = left / radix;
        run_pass(&s, radix);
        s.parts *= radix;
        left = s.m;
        double *written = s.y;
        s.y = written == space ? line : space;
        s.x = written;
    }
    if (s.x == space) memcpy(line, space, (size_t)n * 2 * sizeof *line);
}

/* ---- Bluestein ------------------------------------------------------------------------------- */

/* c[t] = e^(-pi i t^2 / n), with t^2 modulo 2 n kept in integers; c[n - t] is c[t], for an odd n with the other sign */
static void fill_chirp(int64_t n, double *chirp) {
    int64_t square = 0;
    double sign = n % 2 ? -1 : 1;
    for (int64_t t = 0; t <= n / 2; t++) {
        root(square, 2 * n, chirp + 2 * t);
        square = (square + 2 * t + 1) % (2 * n);
    }
    for (int64_t t = n / 2 + 1; t < n; t++) {
        chirp[2 * t] = sign * chirp[2 * (n - t)];
        chirp[2 * t + 1] = sign * chirp[2 * (n - t) + 1];
    }
}

static void exchange_parts(int64_t n, double *line) {
    for (int64_t i = 0; i < n; i++) {
        double re = line[2 * i];
        line[2 * i] = line[2 * i + 1];
        line[2 * i + 1] = re;
    }
}

void tern_fft_prepare(int64_t n, double *room) {
    if (is_smooth(n)) {
        fill_roots(n, room);
        return;
    }
    int64_t m = padded(n);
    double *chirp = room, *kernel = chirp + 2 * n, *inner = kernel + 2 * m;
    fill_chirp(n, chirp);
    fill_roots(m, inner);
    memset(kernel, 0, (size_t)m * 2 * sizeof *kernel);
    for (int64_t t = 0; t < n; t++) {
        number conjugate = {chirp[2 * t] / (double)m, -chirp[2 * t + 1] / (double)m};
        store(kernel + 2 * t, conjugate);
        if (t) store(kernel + 2 * (m - t), conjugate);
    }
    transform_smooth(m, inner, kernel);
}

/* X[k] = c[k] sum over t of (x[t] c[t]) conj(c[k - t]), since 2 t k = t^2 + k^2 - (k - t)^2 */
void tern_fft_line(int64_t n, double *room, double *line) {
    if (is_smooth(n)) {
        transform_smooth(n, room, line);
        return;
    }
    int64_t m = padded(n);
    const double *chirp = room, *kernel = chirp + 2 * n;
    double *inner = room + 2 * n + 2 * m, *work = inner + 4 * m;
    memset(work, 0, (size_t)m * 2 * sizeof *work);
    for (int64_t t = 0; t < n; t++)
        store(work + 2 * t, times(load(line + 2 * t), load(chirp + 2 * t)));
    transform_smooth(m, inner, work);
    for (int64_t k = 0; k < m; k++)
        store(work + 2 * k, times(load(work + 2 * k), load(kernel + 2 * k)));
    exchange_parts(m, work);
    transform_smooth(m, inner, work);
    exchange_parts(m, work);
    for (int64_t k = 0; k < n; k++)
        store(line + 2 * k, times(load(work + 2 * k), load(chirp + 2 * k)));
}

/* ---- real lines ------------------------------------------------------------------------------
 *
 * An even n: the m = n / 2 pairs of neighbours are complex numbers, z[t] = x[2 t] + i x[2 t + 1]. With
 * Z their transform and w = e^(-2 pi i / n),
 *
 *     X[k] = E[k] + w^k O[k],  E[k] = (Z[k] + conj Z[m - k]) / 2,  i O[k] = (Z[k] - conj Z[m - k]) / 2
 *
 * and E and O of m - k are the conjugates of those of k. `room` has the roots of n, then what m needs.
 */

int64_t tern_fft_real_room(int64_t n) {
    int64_t half = n % 2 == 0 ? tern_fft_room(n / 2) : 0;
    return half ? 2 * n + half : tern_fft_room(n);
}

void tern_fft_real_prepare(int64_t n, double *room) {
    double *inner = room + 2 * n;
    if (n % 2) {
        tern_fft_prepare(n, room);
        return;
    }
    fill_roots(n, room);
    if (!is_smooth(n / 2)) {
        tern_fft_prepare(n / 2, inner);
        return;
    }
    for (int64_t t = 0; t < n / 2; t++) store(inner + 2 * t, load(room + 4 * t));
}

static number conjugate(number a) {
    return (number){a.re, -a.im};
}

static void real_line_of_pairs(int64_t n, double *room, double *line) {
    int64_t m = n / 2;
    tern_fft_line(m, room + 2 * n, line);
    number first = load(line);
    for (int64_t k = 1; k <= m - k; k++) {
        number a = load(line + 2 * k), b = conjugate(load(line + 2 * (m - k)));
        number even = plus(a, b), odd = times(turned(1, minus(a, b)), load(room + 2 * k));
        number sum = plus(even, odd), less = conjugate(minus(even, odd));
        store(line + 2 * k, (number){0.5 * sum.re, 0.5 * sum.im});
        store(line + 2 * (m - k), (number){0.5 * less.re, 0.5 * less.im});
    }
    store(line, (number){first.re + first.im, 0});
    store(line + 2 * m, (number){first.re - first.im, 0});
}

void tern_fft_real_line(int64_t n, double *room, double *line) {
    if (n % 2 == 0) {
        real_line_of_pairs(n, room, line);
        return;
    }
    for (int64_t t = n - 1; t >= 0; t--) store(line + 2 * t, (number){line[t], 0});
    tern_fft_line(n, room, line);
}

/* Back with the parts exchanged, before and after. */
static void real_back_to_pairs(int64_t n, double *room, double *line) {
    int64_t m = n / 2;
    double first = line[0], last = line[2 * m];
    store(line, (number){first - last, first + last});
    for (int64_t k = 1; k <= m - k; k++) {
        number a = load(line + 2 * k), b = conjugate(load(line + 2 * (m - k)));
        number even = plus(a, b), odd = times(minus(a, b), conjugate(load(room + 2 * k)));
        number ahead = minus(even, turned(1, odd)), behind = conjugate(plus(even, turned(1, odd)));
        store(line + 2 * k, (number){ahead.im, ahead.re});
        store(line + 2 * (m - k), (number){behind.im, behind.re});
    }
    tern_fft_line(m, room + 2 * n, line);
    exchange_parts(m, line);
}

void tern_fft_real_back(int64_t n, double *room, double *line) {
    if (n % 2 == 0) {
        real_back_to_pairs(n, room, line);
        return;
    }
    line[1] = 0;
    for (int64_t k = 1; k <= n / 2; k++) store(line + 2 * (n - k), conjugate(load(line + 2 * k)));
    exchange_parts(n, line);
    tern_fft_line(n, room, line);
    for (int64_t t = 0; t < n; t++) line[t] = line[2 * t + 1];
}
