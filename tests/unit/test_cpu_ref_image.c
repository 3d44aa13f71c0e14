/* cpu_ref's convolutions, pooling and resizing, through the ABI alone. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernel_driver.h"

static double number(int i) {
    return (i * 37 + 11) % 7 - 3;
}

static void numbers(double *x, int n, int from) {
    for (int i = 0; i < n; i++) x[i] = number(i + from);
}

/* x [2, 4, 5, 6], w [6, 2, 3, 2], groups 2, stride (2, 1), padding (1, 2), dilation (1, 2). */
enum { N = 2, C = 4, H = 5, W = 6, O = 6, G = 2, KH = 3, KW = 2, OH = 3, OW = 8 };

/* One sum over all taps; `visit` gets the three flat indices. Written from the definition. */
typedef void (*tap_fn)(void *user, int out, int x, int w);

static void each_tap(void *user, tap_fn visit) {
    for (int n = 0; n < N; n++)
        for (int o = 0; o < O; o++)
            for (int p = 0; p < OH * OW; p++)
                for (int c = 0; c < C / G; c++)
                    for (int k = 0; k < KH * KW; k++) {
                        int y = p / OW * 2 - 1 + k / KW, x = p % OW - 2 + k % KW * 2;
                        if (y < 0 || y >= H || x < 0 || x >= W) continue;
                        int channel = o / (O / G) * (C / G) + c;
                        visit(user, (n * O + o) * OH * OW + p, ((n * C + channel) * H + y) * W + x,
                              (o * (C / G) + c) * KH * KW + k);
                    }
}

typedef struct arrays {
    double out[N * O * OH * OW], x[N * C * H * W], w[O * C / G * KH * KW];
    double expected[N * O * OH * OW];
} arrays;

static void forward(void *user, int out, int x, int w) {
    arrays *a = user;
    a->expected[out] += a->x[x] * a->w[w];
}

static void to_input(void *user, int out, int x, int w) {
    arrays *a = user;
    a->expected[x] += a->out[out] * a->w[w];
}

static void to_weight(void *user, int out, int x, int w) {
    arrays *a = user;
    a->expected[w] += a->out[out] * a->x[x];
}

static void convolve(driver *d, int dtype, int kernel, tensor first, tensor second, tensor result,
                     tap_fn visit) {
    static arrays a;
    memset(&a, 0, sizeof a);
    numbers(a.out, N * O * OH * OW, 5);
    numbers(a.x, N * C * H * W, 0);
    numbers(a.w, O * C / G * KH * KW, 3);
    each_tap(&a, visit);
    tern_conv_attrs attrs = {2, G, {2, 1, 9}, {1, 2, 9}, {1, 2, 9}};
    driver_run(d, kernel, (tensor[]){first, second}, 2, &result, 1, &attrs, sizeof attrs);
    double tolerance = dtype == TERN_BT_BFLOAT16 ? 0.6 : 0;
    tensor_expect(d, &result, a.expected, tolerance, "convolution");
}

Test(cpu_ref_image, convolutions_and_their_gradients_follow_the_definition) {
    driver d = driver_open("cpu_ref");
    const int dtypes[] = {TERN_BT_FLOAT32, TERN_BT_FLOAT64, TERN_BT_FLOAT16, TERN_BT_BFLOAT16,
                          TERN_BT_INT64};
    double x[N * C * H * W], w[O * C / G * KH * KW], out[N * O * OH * OW];
    numbers(x, N * C * H * W, 0);
    numbers(w, O * C / G * KH * KW, 3);
    numbers(out, N * O * OH * OW, 5);
    for (int i = 0; i < 5; i++) {
        int t = dtypes[i];
        tensor tx =
            tensor_strided(&d, t, SHAPE(N, C, H, W), (int64_t[]){C * H * W, 1, W * C, C}, 0, x);
        tensor tw = tensor_new(&d, t, SHAPE(O, C / G, KH, KW), w);
        tensor tout = tensor_new(&d, t, SHAPE(N, O, OH, OW), out);
        tensor y = tensor_new(&d, t, SHAPE(N, O, OH, OW), NULL);
        tensor gx = tensor_new(&d, t, SHAPE(N, C, H, W), NULL);
        tensor gw = tensor_new(&d, t, SHAPE(O, C / G, KH, KW), NULL);
        convolve(&d, t, TERN_KERNEL_CONV, tx, tw, y, forward);
        convolve(&d, t, TERN_KERNEL_CONV_GRAD_INPUT, tout, tw, gx, to_input);
        convolve(&d, t, TERN_KERNEL_CONV_GRAD_WEIGHT, tout, tx, gw, to_weight);
        tensor *all[] = {&tx, &tw, &tout, &y, &gx, &gw};
        for (int k = 0; k < 6; k++) tensor_free(&d, all[k]);
    }
    driver_close(&d);
}

Test(cpu_ref_image, convolution_works_in_one_and_three_dimensions) {
    driver d = driver_open("cpu_ref");
    tensor x = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 4), (double[]){1, 2, 3, 4});
    tensor w = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 2), (double[]){1, 10});
    tensor out = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 5), NULL);
    tern_conv_attrs one = {1, 1, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
    driver_run(&d, TERN_KERNEL_CONV, (tensor[]){x, w}, 2, &out, 1, &one, sizeof one);
    tensor_expect(&d, &out, (double[]){10, 21, 32, 43, 4}, 0, "conv1d");
    tensor cube =
        tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 2, 2, 2), (double[]){1, 2, 3, 4, 5, 6, 7, 8});
    tensor ones = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 2, 1, 2), (double[]){1, 1, 1, 1});
    tensor sums = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 1, 2, 1), NULL);
    tern_conv_attrs three = {3, 1, {1, 1, 1}, {0, 0, 0}, {1, 1, 1}};
    driver_run(&d, TERN_KERNEL_CONV, (tensor[]){cube, ones}, 2, &sums, 1, &three, sizeof three);
    tensor_expect(&d, &sums, (double[]){14, 22}, 0, "conv3d");
    tensor *all[] = {&x, &w, &out, &cube, &ones, &sums};
    for (int k = 0; k < 6; k++) tensor_free(&d, all[k]);
    driver_close(&d);
}

Test(cpu_ref_image, max_pooling_gives_values_positions_and_gradients) {
    driver d = driver_open("cpu_ref");
    const double x[] = {1, 5, 2, 4, 3, 0, 2, 1, 2, 7, 7, 1}; /* [3, 4] */
    for (int dtype = 0; dtype < TERN_BT_BOOL; dtype++) {
        tensor in = tensor_new(&d, dtype, SHAPE(1, 1, 3, 4), x);
        tensor out[] = {tensor_new(&d, dtype, SHAPE(1, 1, 2, 2), NULL),
                        tensor_new(&d, TERN_BT_INT64, SHAPE(1, 1, 2, 2), NULL)};
        tern_pool_attrs attrs = {2, 0, {2, 3, 0}, {1, 1, 0}, {0, 0, 0}, {1, 1, 0}, 0};
        driver_run(&d, TERN_KERNEL_MAX_POOL, &in, 1, out, 2, &attrs, sizeof attrs);
        tensor_expect(&d, &out[0], (double[]){5, 5, 7, 7}, 0, "values");
        tensor_expect(&d, &out[1], (double[]){1, 1, 9, 9}, 0, "positions");
        tensor grad = tensor_new(&d, dtype, SHAPE(1, 1, 3, 4), NULL);
        driver_run(&d, TERN_KERNEL_MAX_POOL_GRAD, out, 2, &grad, 1, &attrs, sizeof attrs);
        tensor_expect(&d, &grad, (double[]){0, 10, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0}, 0, "gradient");
        tensor_free(&d, &in);
        tensor_free(&d, &out[0]);
        tensor_free(&d, &out[1]);
        tensor_free(&d, &grad);
    }
    driver_close(&d);
}

Test(cpu_ref_image, max_pooling_keeps_nan_and_minds_padding_and_dilation) {
    driver d = driver_open("cpu_ref");
    tensor in =
        tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 6), (double[]){-5, NAN, -3, -4, -1, -2});
    tensor out[] = {tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 4), NULL),
                    tensor_new(&d, TERN_BT_INT64, SHAPE(1, 1, 4), NULL)};
    tern_pool_attrs attrs = {1, 0, {3, 0, 0}, {1, 0, 0}, {1, 0, 0}, {2, 0, 0}, 0};
    driver_run(&d, TERN_KERNEL_MAX_POOL, &in, 1, out, 2, &attrs, sizeof attrs);
    /* taps: (-1, 1, 3), (0, 2, 4), (1, 3, 5), (2, 4, 6) */
    tensor_expect(&d, &out[0], (double[]){NAN, -1, NAN, -1}, 0, "values");
    tensor_expect(&d, &out[1], (double[]){1, 4, 1, 4}, 0, "positions");
    tensor index = tensor_i64(&d, SHAPE(1, 1, 4), (int64_t[]){1, 6, -1, 2});
    tensor grad = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 6), NULL);
    tensor ones = tensor_new(&d, TERN_BT_FLOAT32, SHAPE(1, 1, 4), (double[]){1, 1, 1, 1});
    tern_backend_error err = {""};
    int status = driver_launch(&d, TERN_KERNEL_MAX_POOL_GRAD, (tensor[]){ones, index}, 2, &grad, 1,
                               &attrs, sizeof attrs, &err);
    cr_assert_eq(status, TERN_BACKEND_BAD_INDEX);
    tensor *all[] = {&in, &out[0], &out[1], &index, &grad, &ones};
    for (int k = 0; k < 6; k++) tensor_free(&d, all[k]);
    driver_close(&d);
}

static void average(driver *d, int dtype, int count_pad, int64_t divisor, const double *expected,
                    const double *gradient) {
    tensor in = tensor_new(d, dtype, SHAPE(1, 1, 4), (double[]){2, 4, 6, 8});
    tensor out = tensor_new(d, dtype, SHAPE(1, 1, 3), NULL);
    tern_pool_attrs attrs = {1, count_pad, {2, 0, 0}, {2, 0, 0}, {1, 0, 0}, {0}, divisor};
    driver_run(d, TERN_KERNEL_AVG_POOL, &in, 1, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, expected, 0, "average");
    if (gradient) {
        tensor ones = tensor_new(d, dtype, SHAPE(1, 1, 3), (double[]){1, 1, 1});
        driver_run(d, TERN_KERNEL_AVG_POOL_GRAD, &ones, 1, &in, 1, &attrs, sizeof attrs);
        tensor_expect(d, &in, gradient, 0, "gradient");
        tensor_free(d, &ones);
    }
    tensor_free(d, &in);
    tensor_free(d, &out);
}

Test(cpu_ref_image, average_pooling_divides_as_asked) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        average(&d, dtype, 1, 0, (double[]){1, 5, 4}, (double[]){0.5, 0.5, 0.5, 0.5});
        average(&d, dtype, 0, 0, (double[]){2, 5, 8}, (double[]){1, 0.5, 0.5, 1});
        average(&d, dtype, 0, 4, (double[]){0.5, 2.5, 2}, (double[]){0.25, 0.25, 0.25, 0.25});
    }
    average(&d, TERN_BT_INT64, 0, 4, (double[]){0, 2, 2}, NULL);
    driver_close(&d);
}

static void resize(driver *d, int dtype, int mode, int align, double factor, int n,
                   const double *expected) {
    tensor in = tensor_new(d, dtype, SHAPE(1, 1, 4), (double[]){0, 8, 16, 32});
    tensor out = tensor_new(d, dtype, SHAPE(1, 1, n), NULL);
    tern_resize_attrs attrs = {1, mode, align, 0, {factor, 0, 0}};
    driver_run(d, TERN_KERNEL_RESIZE, &in, 1, &out, 1, &attrs, sizeof attrs);
    tensor_expect(d, &out, expected, 0, "resize");
    tensor_free(d, &in);
    tensor_free(d, &out);
}

Test(cpu_ref_image, resizing_interpolates_as_pytorch) {
    driver d = driver_open("cpu_ref");
    for (int dtype = 0; dtype <= TERN_BT_BFLOAT16; dtype++) {
        resize(&d, dtype, TERN_RESIZE_NEAREST, 0, 0, 8, (double[]){0, 0, 8, 8, 16, 16, 32, 32});
        resize(&d, dtype, TERN_RESIZE_NEAREST, 0, 0, 3, (double[]){0, 8, 16});
        resize(&d, dtype, TERN_RESIZE_NEAREST_EXACT, 0, 0, 2, (double[]){8, 32});
        resize(&d, dtype, TERN_RESIZE_LINEAR, 0, 0, 8, (double[]){0, 2, 6, 10, 14, 20, 28, 32});
        resize(&d, dtype, TERN_RESIZE_LINEAR, 1, 0, 7, (double[]){0, 4, 8, 12, 16, 24, 32});
        resize(&d, dtype, TERN_RESIZE_LINEAR, 0, 2, 2, (double[]){0, 2});
        /* weights of cubic convolution at 1/2: -3/32, 19/32, 19/32, -3/32 */
        resize(&d, dtype, TERN_RESIZE_CUBIC, 0, 0, 2, (double[]){3.25, 24.75});
    }
    driver_close(&d);
}

Test(cpu_ref_image, resizing_gradients_are_the_transpose) {
    driver d = driver_open("cpu_ref");
    const int modes[] = {TERN_RESIZE_NEAREST, TERN_RESIZE_NEAREST_EXACT, TERN_RESIZE_LINEAR,
                         TERN_RESIZE_CUBIC};
    double x[12], g[40], y[40], gx[12];
    numbers(x, 12, 0);
    numbers(g, 40, 4);
    for (int i = 0; i < 4; i++) {
        tensor in = tensor_new(&d, TERN_BT_FLOAT64, SHAPE(1, 1, 3, 4), x);
        tensor out = tensor_new(&d, TERN_BT_FLOAT64, SHAPE(1, 1, 5, 8), NULL);
        tensor grad = tensor_new(&d, TERN_BT_FLOAT64, SHAPE(1, 1, 5, 8), g);
        tern_resize_attrs attrs = {2, modes[i], 0, 0, {0, 0, 0}};
        driver_run(&d, TERN_KERNEL_RESIZE, &in, 1, &out, 1, &attrs, sizeof attrs);
        tensor_read(&d, &out, y);
        driver_run(&d, TERN_KERNEL_RESIZE_GRAD, &grad, 1, &in, 1, &attrs, sizeof attrs);
        tensor_read(&d, &in, gx);
        double left = 0, right = 0;
        for (int k = 0; k < 40; k++) left += y[k] * g[k];
        for (int k = 0; k < 12; k++) right += x[k] * gx[k];
        cr_assert(fabs(left - right) < 1e-9, "mode %d: %g, %g", modes[i], left, right);
        tensor_free(&d, &in);
        tensor_free(&d, &out);
        tensor_free(&d, &grad);
    }
    driver_close(&d);
}
