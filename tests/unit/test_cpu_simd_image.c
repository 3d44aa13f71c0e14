/*
 * cpu_simd's convolutions and pooling against cpu_ref, forward and backward, in sizes beside those of a
 * vector, a tile, a strip and a chunk of the batch. The values are small integers, whose sums are exact:
 * the bits are the same.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/plugin/pool.h"
#include "tern/tern.h"

enum { FAST, REFERENCE, DEVICES };

typedef struct geometry {
    int64_t n, in, out, groups; /* channels in all */
    int64_t size[2], kernel[2]; /* a height of 0: one dimension */
    int64_t stride, padding, dilation;
} geometry;

static tern_tensor *whole_numbers(tern_ctx *ctx, tern_shape shape, uint64_t seed) {
    int64_t n = 1;
    for (int32_t d = 0; d < shape.rank; d++) n *= shape.dim[d];
    float *values = malloc((size_t)n * sizeof *values);
    cr_assert_not_null(values);
    for (int64_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        values[i] = (float)(int64_t)((seed >> 40) % 7) - 3;
    }
    tern_tensor *tensor = tern_from_data(ctx, values, shape, TERN_FLOAT32);
    free(values);
    return tensor;
}

/* The same with fractions, so that sums round. */
static tern_tensor *fractions(tern_ctx *ctx, tern_shape shape, uint64_t seed) {
    return tern_mul_scalar(whole_numbers(ctx, shape, seed), 0.1);
}

static tern_shape shape_of(int64_t n, int64_t c, const int64_t *size) {
    return size[0] > 0 ? TERN_SHAPE(n, c, size[0], size[1]) : TERN_SHAPE(n, c, size[1]);
}

static void expect_equal(tern_tensor *const *both, const char *what, int index) {
    size_t size = (size_t)tern_numel(both[REFERENCE]) * sizeof(float);
    void *bytes[DEVICES] = {malloc(size), malloc(size)};
    for (int d = 0; d < DEVICES; d++)
        cr_assert(bytes[d] && tern_to_host(both[d], bytes[d], size) == TERN_OK, "%s %d", what,
                  index);
    cr_assert_eq(memcmp(bytes[FAST], bytes[REFERENCE], size), 0, "%s of case %d", what, index);
    for (int d = 0; d < DEVICES; d++) free(bytes[d]);
}

/* The result and the gradients of input, weight and bias. */
static void convolve_with(tern_ctx *ctx, const geometry *g, tern_tensor **out,
                          tern_tensor *(*numbers)(tern_ctx *, tern_shape, uint64_t)) {
    tern_tensor *x = numbers(ctx, shape_of(g->n, g->in, g->size), 1);
    tern_tensor *w = numbers(ctx, shape_of(g->out, g->in / g->groups, g->kernel), 2);
    tern_tensor *b = numbers(ctx, TERN_SHAPE(g->out), 3);
    tern_tensor *leaves[] = {x, w, b};
    for (int i = 0; i < 3; i++) tern_requires_grad(leaves[i], true);
    const char *name = g->size[0] > 0 ? "nn.functional.conv2d" : "nn.functional.conv1d";
    tern_value arguments[] = {tern_tensor_value(x), tern_tensor_value(w), tern_tensor_value(b),
                              tern_int(g->stride),  tern_int(g->padding), tern_int(g->dilation),
                              tern_int(g->groups)};
    out[0] = tern_call(ctx, name, arguments, 7, tern_none()).as.tensor;
    tern_backward(tern_sum(tern_mul(out[0], numbers(ctx, tern_shape_of(out[0]), 4))));
    for (int i = 0; i < 3; i++) out[i + 1] = tern_grad_of(leaves[i]);
}

static void convolve(tern_ctx *ctx, const geometry *g, tern_tensor **out) {
    convolve_with(ctx, g, out, whole_numbers);
}

static void pool(tern_ctx *ctx, const geometry *g, tern_tensor **out) {
    tern_tensor *x = whole_numbers(ctx, shape_of(g->n, g->in, g->size), 1);
    tern_requires_grad(x, true);
    tern_value arguments[] = {tern_tensor_value(x), tern_int(g->kernel[1]), tern_int(g->stride),
                              tern_int(g->padding), tern_int(g->dilation)};
    const char *name = g->size[0] > 0 ? "nn.functional.max_pool2d" : "nn.functional.max_pool1d";
    out[0] = tern_call(ctx, name, arguments, 5, tern_none()).as.tensor;
    name = g->size[0] > 0 ? "nn.functional.avg_pool2d" : "nn.functional.avg_pool1d";
    out[1] = tern_call(ctx, name, arguments, 4, tern_none()).as.tensor;
    tern_backward(tern_sum(tern_mul(out[0], whole_numbers(ctx, tern_shape_of(out[0]), 4))));
    out[2] = tern_grad_of(x);
}

static void compare(const geometry *cases, int count, int results, const char *what,
                    void (*compute)(tern_ctx *, const geometry *, tern_tensor **)) {
    tern_ctx *ctx[DEVICES] = {tern_open("cpu_simd"), tern_open("cpu_ref")};
    bool there = tern_check(ctx[FAST]) == TERN_OK; /* false without variants for the machine */
    for (int i = 0; i < count && there; i++) {
        tern_tensor *out[DEVICES][4];
        for (int d = 0; d < DEVICES; d++) {
            compute(ctx[d], &cases[i], out[d]);
            cr_assert_eq(tern_check(ctx[d]), TERN_OK, "%s %d: %s", what, i, tern_error(ctx[d]));
        }
        for (int r = 0; r < results; r++)
            expect_equal((tern_tensor *[]){out[FAST][r], out[REFERENCE][r]}, what, i);
    }
    for (int d = 0; d < DEVICES; d++) tern_close(ctx[d]);
}

#define COUNT(cases) (int)(sizeof(cases) / sizeof((cases)[0]))

Test(cpu_simd_image, convolutions_of_every_kind_have_the_bits_of_the_reference) {
    static const geometry cases[] = {
        {2, 3, 10, 1, {28, 28}, {3, 3}, 1, 1, 1},   /* few channels */
        {1, 1, 7, 1, {1, 24}, {1, 1}, 1, 0, 1},     /* one tap, a line as long as a tile */
        {2, 33, 19, 1, {7, 7}, {1, 1}, 1, 0, 1},    /* one tap, a line shorter than some */
        {3, 17, 9, 1, {15, 15}, {1, 1}, 1, 0, 1},   /* one tap, two strips */
        {3, 35, 70, 1, {9, 7}, {1, 1}, 1, 0, 1},    /* one tap, panels of the source itself */
        {17, 18, 16, 1, {5, 11}, {1, 1}, 1, 0, 1},  /* one tap, many images */
        {1, 96, 900, 1, {3, 5}, {1, 1}, 1, 0, 1},   /* panels, weights in blocks of rows */
        {2, 48, 50, 1, {14, 14}, {3, 4}, 1, 1, 1},  /* panels, k in blocks, vectors in two rows */
        {5, 27, 49, 1, {4, 3}, {3, 3}, 1, 1, 1},    /* panels, vectors in many rows, small images */
        {4, 48, 50, 1, {7, 7}, {3, 3}, 1, 1, 1},    /* panels over images, k in blocks */
        {5, 70, 50, 1, {3, 7}, {1, 1}, 1, 0, 1},    /* the same of the source itself */
        {5, 27, 30, 1, {5, 5}, {3, 3}, 2, 1, 1},    /* and into strided results */
        {2, 60, 96, 2, {11, 13}, {3, 3}, 2, 1, 1},  /* panels, phases and groups */
        {1, 40, 50, 1, {19, 9}, {5, 3}, 3, 2, 2},   /* panels, classes with other taps */
        {2, 5, 6, 1, {9, 9}, {1, 1}, 1, 2, 1},      /* one tap with padding */
        {2, 6, 5, 1, {17, 23}, {3, 3}, 2, 1, 1},    /* phases */
        {1, 3, 4, 1, {31, 31}, {7, 7}, 3, 3, 1},    /* phases and classes with other taps */
        {2, 4, 4, 1, {9, 9}, {2, 2}, 5, 0, 1},      /* a stride beyond the kernel */
        {2, 4, 6, 2, {13, 13}, {3, 3}, 1, 2, 2},    /* groups and dilation */
        {2, 19, 19, 19, {40, 40}, {3, 3}, 1, 1, 1}, /* depthwise, rows of whole vectors */
        {2, 3, 3, 3, {9, 21}, {3, 3}, 1, 2, 1},     /* rows of parts of vectors, two zeros */
        {1, 2, 2, 2, {2, 1030}, {3, 3}, 1, 1, 1},   /* strips of columns, nothing but edge rows */
        {3, 4, 4, 4, {7, 5}, {3, 3}, 1, 0, 1},      /* rows shorter than a vector */
        {2, 19, 38, 19, {11, 11}, {3, 3}, 2, 1, 1}, /* two results a group */
        {1, 40, 33, 1, {40, 41}, {5, 3}, 1, 1, 1},  /* strips, k in blocks */
        {1, 40, 33, 1, {40, 41}, {3, 3}, 1, 1, 1},  /* tiles of 2 x 2 results, in strips */
        {3, 24, 31, 1, {13, 17}, {3, 3}, 1, 2, 1},  /* whose last ones are not whole */
        {2, 50, 96, 2, {15, 14}, {3, 3}, 1, 0, 1},  /* in groups */
        {9, 2, 3, 1, {5, 5}, {3, 3}, 1, 5, 1},      /* padding beyond the kernel, small images */
        {2, 3, 5, 1, {0, 3001}, {0, 5}, 1, 2, 1},   /* one dimension */
        {2, 3, 5, 1, {0, 501}, {0, 9}, 4, 2, 3},
    };
    compare(cases, COUNT(cases), 4, "convolution", convolve);
}

Test(cpu_simd_image, pooling_of_every_kind_has_the_bits_of_the_reference) {
    static const geometry cases[] = {
        {3, 5, 0, 0, {28, 28}, {2, 2}, 2, 0, 1},  {3, 5, 0, 0, {15, 17}, {2, 2}, 2, 0, 1},
        {2, 3, 0, 0, {33, 31}, {4, 4}, 2, 1, 1},  {2, 3, 0, 0, {9, 8}, {2, 2}, 1, 1, 1},
        {2, 70, 0, 0, {8, 8}, {8, 8}, 8, 0, 1},   {1, 2, 0, 0, {65, 5}, {4, 4}, 3, 2, 1},
        {2, 3, 0, 0, {0, 1025}, {0, 4}, 3, 2, 1}, {2, 3, 0, 0, {0, 70}, {0, 2}, 5, 0, 1},
        {2, 3, 0, 0, {0, 41}, {0, 2}, 2, 0, 1},   {2, 3, 0, 0, {6, 38}, {2, 2}, 2, 0, 1},
        {2, 3, 0, 0, {4, 2}, {2, 2}, 2, 0, 1},    {2, 3, 0, 0, {9, 10}, {2, 2}, 2, 1, 1},
    };
    compare(cases, COUNT(cases), 3, "pooling", pool);
}

/* How many images are computed together follows from the threads, too. */
Test(cpu_simd_image, the_bits_of_convolutions_are_the_same_for_any_number_of_threads) {
    static const geometry cases[] = {
        {9, 48, 50, 1, {7, 7}, {3, 3}, 1, 1, 1},   /* panels over images */
        {5, 70, 50, 1, {3, 7}, {1, 1}, 1, 0, 1},   /* the same of the source itself */
        {2, 40, 33, 1, {40, 41}, {3, 3}, 2, 1, 1}, /* strips */
        {3, 40, 33, 1, {40, 41}, {3, 3}, 1, 1, 1}, /* tiles of 2 x 2 results */
        {9, 10, 10, 1, {28, 28}, {3, 3}, 1, 1, 1}, /* few channels */
    };
    tern_ctx *ctx = tern_open("cpu_simd");
    bool there = tern_check(ctx) == TERN_OK; /* false without variants for the machine */
    for (int i = 0; i < COUNT(cases) && there; i++) {
        tern_tensor *one[4], *many[4];
        tern_pool_resize(1);
        convolve_with(ctx, &cases[i], one, fractions);
        for (int threads = 2; threads <= 5; threads++) {
            tern_pool_resize(threads);
            convolve_with(ctx, &cases[i], many, fractions);
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
            for (int r = 0; r < 4; r++)
                expect_equal((tern_tensor *[]){many[r], one[r]}, "threads, convolution", i);
        }
    }
    tern_pool_resize(1);
    tern_close(ctx);
}

/* Sums of differences have no infinities: where one is among the numbers, sums are made in order. */
Test(cpu_simd_image, an_infinity_reaches_the_results_of_its_kernels_alone) {
    const geometry g = {1, 24, 24, 1, {14, 14}, {3, 3}, 1, 1, 1};
    tern_ctx *ctx[DEVICES] = {tern_open("cpu_simd"), tern_open("cpu_ref")};
    bool there = tern_check(ctx[FAST]) == TERN_OK; /* false without variants for the machine */
    tern_tensor *out[DEVICES][2];
    for (int d = 0; d < DEVICES && there; d++) {
        tern_tensor *x = whole_numbers(ctx[d], shape_of(g.n, g.in, g.size), 1);
        tern_tensor *w = whole_numbers(ctx[d], shape_of(g.out, g.in, g.kernel), 2);
        tern_fill_in_place(tern_select(tern_select(tern_select(x, 1, 3), 1, 5), 1, 6), INFINITY);
        tern_requires_grad(w, true);
        out[d][0] = tern_conv2d(x, w, NULL, 1, 1);
        tern_backward(tern_sum(out[d][0]));
        out[d][1] = tern_grad_of(w);
        cr_assert_eq(tern_check(ctx[d]), TERN_OK, "%s", tern_error(ctx[d]));
    }
    for (int r = 0; r < 2 && there; r++)
        expect_equal((tern_tensor *[]){out[FAST][r], out[REFERENCE][r]}, "infinity, result", r);
    for (int d = 0; d < DEVICES; d++) tern_close(ctx[d]);
}
