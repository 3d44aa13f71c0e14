/* Convolutions and products with a bias: how many launches, and the same bits where a device adds none. */
#include <criterion/criterion.h>
#include <string.h>

#include "patched_device.h"
#include "tern/grad.h"

enum { SPATIAL = 3, MOST = 512 };

typedef struct setting {
    int spatial;
    bool transposed;
} setting;

static tern_tensor *numbers(tern_ctx *ctx, tern_shape shape, double step, tern_dtype dtype) {
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    tern_tensor *x = tern_sin(tern_linspace(ctx, step, step * (double)count, count));
    return tern_requires_grad(tern_detach(tern_to_dtype(tern_reshape(x, shape), dtype)), true);
}

/* Input [2, 4, 5..], weight of 2 groups, bias. */
static void operands(tern_ctx *ctx, const setting *s, tern_dtype dtype, tern_tensor **out) {
    tern_shape x = {2, {2, 4}}, w = {2, {4, 2}};
    for (int d = 0; d < s->spatial; d++) {
        x.dim[x.rank++] = 4;
        w.dim[w.rank++] = 3;
    }
    out[0] = numbers(ctx, x, 0.7, dtype);
    out[1] = numbers(ctx, w, 0.4, dtype);
    out[2] = numbers(ctx, TERN_SHAPE(4), 1.1, dtype);
}

static tern_tensor *convolve(tern_ctx *ctx, tern_tensor *const *in, int count, void *user) {
    (void)count;
    const setting *s = user;
    tern_value named = tern_dict_new(ctx, false);
    tern_value args[] = {tern_tensor_value(in[0]), tern_tensor_value(in[1]),
                         tern_tensor_value(in[2])};
    char name[64] = "nn.functional.conv1d", transposed[64] = "nn.functional.conv_transpose1d";
    char *chosen = s->transposed ? transposed : name;
    chosen[strlen(chosen) - 2] = (char)('0' + s->spatial);
    tern_dict_set(named, "groups", tern_int(2));
    tern_dict_set(named, "padding", tern_int(1));
    return tern_call(ctx, chosen, args, 3, named).as.tensor;
}

static uint64_t launches(tern_ctx *ctx) {
    return tern_stats_of(ctx).launches;
}

/* All gradients of the result, under a gradient without a pattern. */
static void backward(tern_ctx *ctx, tern_tensor *out, tern_tensor *const *in, int count,
                     tern_tensor **grads) {
    tern_tensor *seed = tern_detach(numbers(ctx, tern_shape_of(out), 0.3, tern_dtype_of(out)));
    uint64_t before = launches(ctx);
    tern_grad(&out, 1, in, count, &seed, 0, grads);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_leq(launches(ctx) - before, (uint64_t)count, "%d launches",
                  (int)(launches(ctx) - before));
}

Test(convolution, with_a_bias_is_one_launch_and_its_gradients_three) {
    tern_ctx *ctx = tern_open("cpu_ref");
    for (int i = 0; i < 2 * SPATIAL; i++) {
        setting s = {i / 2 + 1, i % 2};
        tern_tensor *in[3], *grads[3];
        operands(ctx, &s, TERN_FLOAT32, in);
        uint64_t before = launches(ctx);
        tern_tensor *out = convolve(ctx, in, 3, &s);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(launches(ctx) - before, 1, "%dD, transposed %d: %d launches", s.spatial,
                     s.transposed, (int)(launches(ctx) - before));
        backward(ctx, out, in, 3, grads);
    }
    cr_assert_eq(tern_close(ctx), TERN_OK);
}

Test(convolution, linear_with_a_bias_is_one_launch_and_its_gradients_three) {
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_tensor *in[3] = {numbers(ctx, TERN_SHAPE(2, 3, 5), 0.7, TERN_FLOAT32),
                          numbers(ctx, TERN_SHAPE(4, 5), 0.2, TERN_FLOAT32),
                          numbers(ctx, TERN_SHAPE(4), 0.9, TERN_FLOAT32)};
    tern_tensor *grads[3];
    uint64_t before = launches(ctx);
    tern_tensor *out = tern_linear(in[0], in[1], in[2]);
    cr_assert_eq(launches(ctx) - before, 1);
    backward(ctx, out, in, 3, grads);
    tern_tensor *sum = tern_sum(tern_linear(in[0], in[1], in[2]));
    before = launches(ctx);
    tern_grad(&sum, 1, in, 3, NULL, 0, grads); /* of one number, which is filled in, spread */
    cr_assert_leq(launches(ctx) - before, 4, "%d launches", (int)(launches(ctx) - before));
    cr_assert_eq(tern_close(ctx), TERN_OK);
}

Test(convolution, derivatives_and_their_own_are_right) {
    tern_ctx *ctx = tern_open("cpu_ref");
    for (int i = 0; i < 2 * (SPATIAL - 1); i++) {
        setting s = {i / 2 + 1, i % 2};
        tern_tensor *in[3];
        operands(ctx, &s, TERN_FLOAT64, in);
        tern_gradcheck(ctx, convolve, &s, in, 3, 1e-6, 1e-5, 1e-3);
        if (s.spatial == 1) tern_gradgradcheck(ctx, convolve, &s, in, 3, 1e-6, 1e-5, 1e-3);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%dD: %s", s.spatial, tern_error(ctx));
    }
    cr_assert_eq(tern_close(ctx), TERN_OK);
}

/* ---- a device that adds no bias ---- */

static bool refuses_bias(tern_bdevice *device, const tern_kernel_query *query,
                         const char **out_reason) {
    bool convolves =
        query->kernel == TERN_KERNEL_CONV || query->kernel == TERN_KERNEL_CONV_GRAD_INPUT;
    if (!convolves || query->n_inputs < 3) return real.supports(device, query, out_reason);
    *out_reason = "no bias here";
    return false;
}

static size_t values_of(tern_ctx *ctx, const setting *s, tern_dtype dtype, double *out) {
    tern_tensor *in[3];
    operands(ctx, s, dtype, in);
    tern_tensor *y = convolve(ctx, in, 3, (void *)(uintptr_t)s);
    size_t count = (size_t)tern_numel(y);
    cr_assert(count > 0 && count <= MOST);
    tern_to_doubles(y, out, count);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return count;
}

Test(convolution, a_device_that_adds_no_bias_gives_the_same_bits) {
    static const tern_dtype dtypes[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16, TERN_BFLOAT16};
    static double own[MOST], composed[MOST];
    patch_device("cpu_ref");
    tern_ctx *ctx = open_patched();
    for (int i = 0; i < 16; i++) {
        setting s = {i % 4 / 2 + 1, i % 2};
        table->supports = real.supports;
        size_t count = values_of(keeper, &s, dtypes[i / 4], own);
        table->supports = refuses_bias;
        uint64_t before = launches(ctx);
        values_of(ctx, &s, dtypes[i / 4], composed);
        cr_assert_gt(launches(ctx) - before, 4, "it was composed");
        cr_assert_arr_eq(own, composed, count * sizeof *own, "%s, %dD, transposed %d",
                         tern_dtype_name(dtypes[i / 4]), s.spatial, s.transposed);
    }
    tern_close(ctx);
    unpatch_device();
}
