/* cpu_simd's elementary functions where one ulp would show: signs and bounds that hold for the true values. */
#include <criterion/criterion.h>
#include <math.h>

#include "tern/ops.h"
#include "tern/tern.h"

enum { COUNT = 4099 };

/* x - tanh(x) has the sign of x: it is 0 for the smallest numbers, and where it is not, float16 has it as -0. */
Test(cpu_simd_elementary, tanh_is_its_argument_or_below) {
    tern_ctx *ctx = tern_open("cpu_simd");
    if (tern_check(ctx) != TERN_OK) { /* without variants for the machine */
        tern_close(ctx);
        cr_skip_test("cpu_simd has no variant for this machine");
    }
    static float x[COUNT];
    static double y[COUNT];
    for (int i = 0; i < COUNT; i++) /* the smallest of float16, and all magnitudes */
        x[i] = i < 2048 ? (float)i * 0x1p-24F : ldexpf(1 + (float)(i % 97) / 97, i % 160 - 149);
    tern_tensor *all = tern_from_data(ctx, x, TERN_SHAPE(COUNT), TERN_FLOAT32);
    tern_to_doubles(tern_tanh(all), y, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert(y[i] <= (double)x[i] && y[i] <= 1 && (x[i] > 0x1p-13F || y[i] == (double)x[i]),
                  "tanh(%a) is %a", (double)x[i], y[i]);
    tern_to_doubles(tern_tanh(tern_neg(all)), y, COUNT);
    cr_assert(signbit(y[0]), "tanh(-0) is 0");
    for (int i = 0; i < COUNT; i++)
        cr_assert(y[i] >= -(double)x[i] && y[i] >= -1, "tanh(%a) is %a", -(double)x[i], y[i]);
    tern_close(ctx);
}

/* Subnormal results are those of the reference to the last bit but one, and what is behind them is 0 or infinite. */
Test(cpu_simd_elementary, exp_and_sigmoid_fade_out) {
    tern_ctx *fast = tern_open("cpu_simd"), *reference = tern_open("cpu_ref");
    if (tern_check(fast) != TERN_OK) {
        tern_close(fast);
        tern_close(reference);
        cr_skip_test("cpu_simd has no variant for this machine");
    }
    static float x[COUNT];
    static double y[COUNT], expected[COUNT];
    for (int i = 0; i < COUNT; i++) x[i] = -80 - (float)i / 128;
    for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
        tern_ctx *ctx[] = {fast, reference};
        for (int d = 0; d < 2; d++) {
            tern_tensor *t = tern_from_data(ctx[d], x, TERN_SHAPE(COUNT), TERN_FLOAT32);
            tern_to_doubles(sigmoid ? tern_sigmoid(t) : tern_exp(t), d ? expected : y, COUNT);
        }
        for (int i = 0; i < COUNT; i++) {
            double ulp = fmax(expected[i] * 0x1p-23, 0x1p-149);
            cr_assert(fabs(y[i] - expected[i]) <= 2 * ulp, "of %g: %a, not %a", (double)x[i], y[i],
                      expected[i]);
        }
        cr_assert(y[COUNT - 1] == 0);
    }
    for (int i = 0; i < COUNT; i++) x[i] = 88 + (float)i / 256;
    tern_to_doubles(tern_exp(tern_from_data(fast, x, TERN_SHAPE(COUNT), TERN_FLOAT32)), y, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert((y[i] == INFINITY) == (exp((double)x[i]) > 0x1.fffffefffffffp127),
                  "exp(%g) is %g", (double)x[i], y[i]);
    tern_close(fast);
    tern_close(reference);
}
