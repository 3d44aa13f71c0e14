/* Fourier transforms: every length agrees with the sum that defines it, transforms and their inverses undo each
 * other in every norm, gradients hold against finite differences, and bad lengths are one clear line. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(fft, .init = open_context, .fini = close_context);

static tern_tensor *drawn(tern_shape shape) {
    tern_manual_seed(ctx, 3);
    tern_tensor *re = tern_randn(ctx, shape, NULL), *im = tern_randn(ctx, shape, NULL);
    return tern_to_dtype(tern_complex(re, im), TERN_COMPLEX128);
}

static double distance(tern_tensor *a, tern_tensor *b) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return tern_numel(a) ? tern_item(tern_max(tern_abs(tern_sub(a, b)))) : 0;
}

/* The matrix e^(-2 pi i j k / n), its angles reduced in integers. */
static tern_tensor *definition(int64_t n) {
    tern_tensor *angles = tern_zeros(ctx, TERN_SHAPE(n, n), TERN_FLOAT64);
    double *values = tern_scope_alloc(ctx, (size_t)(n * n) * sizeof *values);
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < n; k++)
            values[j * n + k] = -2 * 3.14159265358979323846 * (double)(j * k % n) / (double)n;
    tern_write_host(angles, values, (size_t)(n * n) * sizeof *values);
    return tern_complex_polar(tern_ones_like(angles), angles);
}

/* Powers of 2, products of small primes, squares, primes beyond the largest radix, products of both. */
Test(fft, every_length_is_the_sum_that_defines_it) {
    static const int64_t lengths[] = {1,  2,  3,  4,  5,   6,   7,   8,   9,   10,  11,  12, 13,
                                      16, 17, 23, 25, 27,  29,  30,  31,  32,  37,  41,  49, 60,
                                      64, 74, 81, 97, 121, 125, 127, 128, 143, 210, 211, 256};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        int64_t n = lengths[i];
        tern_tensor *x = drawn(TERN_SHAPE(n, 2));
        tern_tensor *want = tern_matmul(definition(n), x);
        double gap = distance(tern_fft(x, 0, 0, NULL), want);
        cr_assert(gap < 1e-13 * (double)n, "length %d: off by %g", (int)n, gap);
        gap = distance(tern_ifft(want, 0, 0, NULL), x);
        cr_assert(gap < 1e-13 * (double)n, "back from length %d: off by %g", (int)n, gap);
        tern_tensor *re = tern_real(x);
        want = tern_narrow(tern_fft(re, 0, 0, NULL), 0, 0, n / 2 + 1);
        gap = distance(tern_rfft(re, 0, 0, NULL), want);
        cr_assert(gap < 1e-13 * (double)n, "rfft of length %d: off by %g", (int)n, gap);
        gap = distance(tern_irfft(want, n, 0, NULL), re);
        cr_assert(gap < 1e-13 * (double)n, "irfft of length %d: off by %g", (int)n, gap);
        tern_scope_end(scope);
    }
}

Test(fft, inverses_undo_in_every_norm) {
    static const char *const norms[] = {NULL, "backward", "ortho", "forward"};
    tern_tensor *x = drawn(TERN_SHAPE(3, 5, 8)), *re = tern_real(x);
    tern_shape none = TERN_SCALAR_SHAPE, s = TERN_SHAPE(3, 5, 8);
    for (int k = 0; k < 4; k++) {
        const char *n = norms[k];
        cr_assert(distance(tern_ifftn(tern_fftn(x, none, none, n), none, none, n), x) < 1e-13);
        cr_assert(distance(tern_ifft2(tern_fft2(x, none, none, n), none, none, n), x) < 1e-13);
        cr_assert(distance(tern_irfftn(tern_rfftn(re, none, none, n), s, none, n), re) < 1e-13);
        cr_assert(distance(tern_hfftn(tern_ihfftn(re, none, none, n), s, none, n), re) < 1e-13);
        cr_assert(distance(tern_hfft(tern_ihfft(re, 0, 1, n), 5, 1, n), re) < 1e-13);
    }
}

Test(fft, a_complex64_result_is_rounded_once) {
    tern_tensor *x = drawn(TERN_SHAPE(1021));
    tern_tensor *narrow = tern_to_dtype(x, TERN_COMPLEX64);
    tern_tensor *want = tern_to_dtype(tern_fft(tern_to_dtype(narrow, TERN_COMPLEX128), 0, -1, NULL),
                                      TERN_COMPLEX64);
    cr_assert(tern_equal(tern_fft(narrow, 0, -1, NULL), want));
}

Test(fft, a_long_prime_takes_no_square_time) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(100003), TERN_FLOAT64);
    tern_tensor *out = tern_rfft(x, 0, -1, NULL);
    double parts[2];
    cr_assert_eq(tern_item_complex(tern_select(out, 0, 0), parts), TERN_OK, "%s", tern_error(ctx));
    cr_assert(fabs(parts[0] - 100003) < 1e-6 && fabs(parts[1]) < 1e-6);
    tern_tensor *rest = tern_narrow(out, 0, 1, tern_numel(out) - 1);
    cr_assert(tern_item(tern_max(tern_abs(rest))) < 1e-6);
}

/* ---- gradients ---- */

typedef tern_tensor *(*transform)(tern_tensor *x, int64_t n, int dim, const char *norm);

static tern_tensor *in_pairs(tern_tensor *z) {
    return tern_dtype_is_complex(tern_dtype_of(z)) ? tern_view_as_real(z) : z;
}

static tern_tensor *of_complex(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    return tern_square(in_pairs((*(transform *)user)(tern_view_as_complex(in[0]), 7, 0, "ortho")));
}
static tern_tensor *of_real(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    return tern_square(in_pairs((*(transform *)user)(in[0], 6, 0, NULL)));
}
/* Of the derivative along x itself, so that second derivatives are checked. */
static tern_tensor *slope_of_real(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    tern_tensor *out = tern_sum(of_real(c, in, n, user)), *slope = NULL, *x = in[0];
    tern_grad(&out, 1, &x, 1, NULL, TERN_CREATE_GRAPH, &slope);
    return tern_mul(slope, x);
}
static tern_tensor *there_and_back(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    (void)user;
    tern_tensor *frames = tern_stft(in[0], 8, 2, in[1]);
    return tern_istft(tern_mul(frames, tern_abs(frames)), 8, 2, in[1]);
}

static tern_tensor *leaf(tern_tensor *x) {
    return tern_requires_grad(tern_clone(tern_detach(x)), true);
}

Test(fft, gradients_agree_with_finite_differences) {
    static transform of_complexes[] = {tern_fft, tern_ifft, tern_irfft, tern_hfft};
    static transform of_reals[] = {tern_rfft, tern_ihfft, tern_fft};
    tern_tensor *pairs = leaf(tern_view_as_real(drawn(TERN_SHAPE(5, 2))));
    tern_tensor *x = leaf(tern_real(drawn(TERN_SHAPE(5, 2))));
    for (size_t i = 0; i < sizeof of_complexes / sizeof *of_complexes; i++)
        cr_assert_eq(tern_gradcheck(ctx, of_complex, &of_complexes[i], &pairs, 1, 1e-6, 1e-5, 1e-4),
                     TERN_OK, "%zu: %s", i, tern_error(ctx));
    for (size_t i = 0; i < sizeof of_reals / sizeof *of_reals; i++) {
        cr_assert_eq(tern_gradcheck(ctx, of_real, &of_reals[i], &x, 1, 1e-6, 1e-5, 1e-4), TERN_OK,
                     "%zu: %s", i, tern_error(ctx));
        cr_assert_eq(tern_gradcheck(ctx, slope_of_real, &of_reals[i], &x, 1, 1e-6, 1e-5, 1e-4),
                     TERN_OK, "second %zu: %s", i, tern_error(ctx));
    }
    tern_tensor *signal[] = {leaf(tern_real(drawn(TERN_SHAPE(24)))),
                             leaf(tern_add_scalar(tern_abs(drawn(TERN_SHAPE(8))), 0.5))};
    cr_assert_eq(tern_gradcheck(ctx, there_and_back, NULL, signal, 2, 1e-6, 1e-5, 1e-4), TERN_OK,
                 "%s", tern_error(ctx));
}

Test(fft, a_signal_comes_back_from_its_stretches) {
    tern_tensor *x = tern_real(drawn(TERN_SHAPE(2, 60)));
    tern_tensor *window = tern_add_scalar(tern_abs(tern_real(drawn(TERN_SHAPE(12)))), 0.5);
    tern_tensor *frames = tern_stft(x, 12, 4, window);
    cr_assert_eq(tern_size(frames, 1), 7);
    cr_assert_eq(tern_size(frames, 2), 16);
    cr_assert(distance(tern_istft(frames, 12, 4, window), x) < 1e-13);
    cr_assert(distance(tern_istft(tern_stft(x, 12, 4, NULL), 12, 4, NULL), x) < 1e-13);
}

/* ---- what is refused ---- */

static void expect_refused(const char *part) {
    cr_assert_neq(tern_check(ctx), TERN_OK, "not refused: %s", part);
    cr_assert(strstr(tern_error(ctx), part), "%s", tern_error(ctx));
    cr_assert_null(strchr(tern_error(ctx), '\n'));
    tern_error_clear(ctx);
}

Test(fft, bad_arguments_are_one_clear_line) {
    tern_tensor *x = drawn(TERN_SHAPE(3, 4)), *re = tern_real(x);
    tern_shape none = TERN_SCALAR_SHAPE;
    tern_fft(x, -2, -1, NULL);
    expect_refused("fft.fft: Invalid number of data points (-2)");
    tern_call(ctx, "fft.fft", (tern_value[]){tern_tensor_value(x), tern_int(0)}, 2, tern_none());
    expect_refused("Invalid number of data points (0)");
    tern_fft(x, 0, 2, NULL);
    expect_refused("Dimension out of range");
    tern_fft(x, 0, -1, "loud");
    expect_refused("Invalid normalization mode: 'loud'");
    tern_fft(tern_zeros(ctx, TERN_SHAPE(3, 0), TERN_FLOAT32), 0, -1, NULL);
    expect_refused("Invalid number of data points (0)");
    tern_fft(tern_zeros(ctx, none, TERN_FLOAT32), 0, -1, NULL);
    expect_refused("tensor has no dimensions");
    tern_fft(x, INT64_MAX, -1, NULL);
    expect_refused("too many");
    tern_fft(x, INT64_C(1) << 58, -1, NULL);
    cr_assert_neq(tern_error_clear(ctx), TERN_OK);
    tern_irfft(x, 1, -1, NULL);
    cr_assert_eq(tern_check(ctx), TERN_OK);
    tern_irfft(tern_narrow(x, 1, 0, 1), 0, 1, NULL);
    expect_refused("Invalid number of data points (0)");
    tern_rfft(x, 0, -1, NULL);
    expect_refused("fft.rfft: expects a real input tensor, but got complex128");
    tern_fft(tern_to_dtype(re, TERN_FLOAT16), 0, -1, NULL);
    expect_refused("Unsupported dtype float16");
    tern_fftn(x, none, TERN_SHAPE(1, -1), NULL);
    expect_refused("FFT dims must be unique");
    tern_fftn(x, TERN_SHAPE(2, 2, 2), none, NULL);
    expect_refused("Got shape with 3 values");
    tern_fftn(x, TERN_SHAPE(2), TERN_SHAPE(0, 1), NULL);
    expect_refused("must have the same length");
    tern_stft(re, 9, 0, NULL);
    expect_refused("hop_length > 0");
    tern_stft(re, 0, 1, NULL);
    expect_refused("n_fft above 0");
    tern_stft(re, 12, 4, NULL);
    expect_refused("too large for its size 4");
    tern_istft(re, 4, 1, NULL);
    expect_refused("requires a complex-valued input");
    tern_istft(x, 4, 4, tern_zeros(ctx, TERN_SHAPE(4), TERN_FLOAT64));
    expect_refused("window overlap add min");
}

/* ---- convolutions ---- */

/* "full" by the sum that defines it, of which the other modes are parts. */
Test(fft, convolutions_are_their_sums) {
    double x[] = {1, -2, 3, 0.5, 4}, y[] = {2, 0, -1}, want[7] = {0}, got[7];
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) want[i + k] += x[i] * y[k];
    tern_tensor *a = tern_from_data(ctx, x, TERN_SHAPE(5), TERN_FLOAT64);
    tern_tensor *b = tern_from_data(ctx, y, TERN_SHAPE(3), TERN_FLOAT64);
    const struct {
        const char *mode;
        bool turned;
        int start, length;
    } parts[] = {{"full", false, 0, 7}, {"full", true, 0, 7}, {NULL, false, 0, 7},
                 {"same", false, 1, 5}, {"same", true, 2, 3}, {"valid", true, 2, 3},
                 {"valid", false, 2, 3}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        tern_tensor *out =
            tern_fftconvolve(parts[i].turned ? b : a, parts[i].turned ? a : b, parts[i].mode);
        cr_assert_eq(tern_to_doubles(out, got, (size_t)parts[i].length), TERN_OK, "%s",
                     tern_error(ctx));
        for (int k = 0; k < parts[i].length; k++)
            cr_assert_float_eq(got[k], want[parts[i].start + k], 1e-14, "%zu: element %d", i, k);
    }
    const struct {
        tern_tensor *x, *y;
        const char *mode, *part;
    } wrong[] = {
        {a, b, "middle", "Unrecognized mode value 'middle'"},
        {a, tern_unsqueeze(b, 0), "full", "got [5] and [1, 3]"},
        {a, tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT64), "full", "elements in the last one"},
        {tern_sum(a), tern_sum(b), "full", "expects x and y"},
        {tern_to_dtype(a, TERN_FLOAT16), tern_to_dtype(b, TERN_FLOAT16), "full", "float16"},
        {tern_to_dtype(a, TERN_COMPLEX64), b, "full", "complex"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tern_fftconvolve(wrong[i].x, wrong[i].y, wrong[i].mode);
        cr_assert(strstr(tern_error(ctx), wrong[i].part), "'%s' lacks '%s'", tern_error(ctx),
                  wrong[i].part);
        tern_error_clear(ctx);
    }
}
