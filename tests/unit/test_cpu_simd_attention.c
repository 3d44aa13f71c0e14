/* cpu_simd's attention against cpu_ref's, values and gradients, in sizes beside those of a block of queries
 * and of keys: masks of every kind, causal, heads that share keys, queries that see nothing. */
#include <criterion/criterion.h>
#include <math.h>

#include "tern/grad.h"
#include "tern/ops.h"
#include "tern/tern.h"

enum { FAST, REFERENCE, DEVICES, MOST = 3 * 4 * 130 * 20 };

typedef enum kind { PLAIN, CAUSAL, HIDES, ADDS, HIDES_KEYS } kind;

typedef struct sizes {
    int64_t b, h, shared, l, s, e, f;
    kind mask;
} sizes;

/* Numbers between -1 and 1. */
static tern_tensor *numbers(tern_ctx *ctx, tern_shape shape, int64_t from) {
    static double data[MOST];
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    cr_assert_leq(count, MOST);
    for (int64_t i = 0; i < count; i++) data[i] = sin((double)(i + from) * 12.9898);
    return tern_to_dtype(tern_from_data(ctx, data, shape, TERN_FLOAT64), TERN_FLOAT32);
}

/* One query sees nothing where a bool mask says so for each of them. */
static tern_value mask_of(tern_ctx *ctx, const sizes *z) {
    tern_shape rows = {2, {z->l, z->s}}, keys = {4, {z->b, 1, 1, z->s}};
    if (z->mask == ADDS) return tern_tensor_value(numbers(ctx, rows, 77));
    if (z->mask == HIDES_KEYS)
        return tern_tensor_value(tern_gt_scalar(numbers(ctx, keys, 3), -0.25));
    if (z->mask != HIDES) return tern_none();
    tern_tensor *seen = tern_gt_scalar(numbers(ctx, rows, 5), 0);
    tern_tensor *row = tern_arange(ctx, 0, (double)z->l, 1);
    row = tern_unsqueeze(tern_gt_scalar(tern_abs(tern_sub_scalar(row, 3)), 0.5), 1);
    return tern_tensor_value(tern_mul(seen, row));
}

/* The result and the gradients of q, k and v; the inputs are transposed, so that rows do not follow
 * each other. */
static void attend(tern_ctx *ctx, const sizes *z, tern_tensor **out) {
    const tern_shape shapes[] = {{4, {z->b, z->l, z->h, z->e}},
                                 {4, {z->b, z->s, z->h / z->shared, z->e}},
                                 {4, {z->b, z->s, z->h / z->shared, z->f}}};
    tern_tensor *leaves[3];
    tern_value args[6], named = tern_dict_new(ctx, false);
    for (int i = 0; i < 3; i++) {
        leaves[i] = tern_requires_grad(numbers(ctx, shapes[i], 1000 * i), true);
        args[i] = tern_tensor_value(tern_transpose(leaves[i], 1, 2));
    }
    args[3] = mask_of(ctx, z);
    args[4] = tern_float(0);
    args[5] = tern_bool(z->mask == CAUSAL);
    tern_dict_set(named, "enable_gqa", tern_bool(z->shared > 1));
    out[0] = tern_call(ctx, "nn.functional.scaled_dot_product_attention", args, 6, named).as.tensor;
    tern_backward(tern_sum(tern_mul(out[0], numbers(ctx, tern_shape_of(out[0]), 9))));
    for (int i = 0; i < 3; i++) out[i + 1] = tern_grad_of(leaves[i]);
}

static void expect_close(tern_tensor *const *t, int which, int r) {
    static double values[DEVICES][MOST];
    int64_t count = tern_numel(t[REFERENCE]);
    cr_assert_eq(tern_numel(t[FAST]), count);
    for (int d = 0; d < DEVICES; d++) tern_to_doubles(t[d], values[d], (size_t)count);
    for (int64_t i = 0; i < count; i++)
        cr_assert(fabs(values[FAST][i] - values[REFERENCE][i]) <= 2e-5,
                  "case %d, result %d, element %d: %g, not %g", which, r, (int)i, values[FAST][i],
                  values[REFERENCE][i]);
}

Test(cpu_simd_attention, blocks_of_any_size_give_what_the_reference_gives) {
    static const sizes cases[] = {
        {2, 3, 1, 8, 8, 4, 4, PLAIN},
        {1, 2, 1, 59, 61, 7, 5, PLAIN},
        {1, 2, 1, 61, 257, 8, 20, PLAIN},
        {2, 2, 1, 130, 130, 16, 16, CAUSAL},
        {1, 1, 1, 20, 300, 9, 3, CAUSAL},
        {1, 1, 1, 300, 20, 9, 3, CAUSAL},
        {2, 4, 2, 33, 270, 16, 17, HIDES},
        {1, 2, 1, 61, 65, 16, 8, ADDS},
        {3, 2, 2, 12, 259, 5, 6, HIDES_KEYS},
        {1, 4, 4, 121, 40, 3, 2, CAUSAL},
        /* few queries */
        {1, 1, 1, 7, 9, 4, 4, PLAIN},
        {2, 4, 2, 1, 70, 32, 32, PLAIN},
        {1, 2, 1, 5, 33, 17, 70, CAUSAL},
        {2, 2, 1, 4, 40, 8, 19, HIDES},
        {1, 2, 1, 3, 1100, 6, 9, ADDS},
        {3, 2, 2, 2, 16, 16, 48, HIDES_KEYS},
        {1, 1, 1, 1, 1, 1, 1, CAUSAL},
        {1, 2, 1, 7, 3, 5, 65, CAUSAL},
    };
    tern_ctx *ctx[DEVICES] = {tern_open("cpu_simd"), tern_open("cpu_ref")};
    bool there = tern_check(ctx[FAST]) == TERN_OK; /* false without variants for the machine */
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]) && there; i++) {
        tern_tensor *out[DEVICES][4];
        for (int d = 0; d < DEVICES; d++) {
            attend(ctx[d], &cases[i], out[d]);
            cr_assert_eq(tern_check(ctx[d]), TERN_OK, "case %d: %s", i, tern_error(ctx[d]));
        }
        for (int r = 0; r < 4; r++)
            expect_close((tern_tensor *[]){out[FAST][r], out[REFERENCE][r]}, i, r);
    }
    for (int d = 0; d < DEVICES; d++) tern_close(ctx[d]);
}
