/* torch.masked, with PyTorch's results for a row of which the second and the last element count. */
#include "nn_fixture.h"

TestSuite(ops_masked, .init = open_context, .fini = close_context);

static tern_tensor *input(void) {
    static const float data[6] = {9, 2, 8, 4, 1, 1};
    return floats(TERN_SHAPE(2, 3), data);
}

/* The second element of the first row, and the whole second row but its first. */
static tern_tensor *mask(void) {
    static const bool data[6] = {false, true, false, false, true, true};
    return tern_from_data(ctx, data, TERN_SHAPE(2, 3), TERN_BOOL);
}

static tern_tensor *masked(const char *name, tern_tensor *x, int64_t dim) {
    tern_value args = tern_tensor_value(x), named = tern_dict_new(ctx, false);
    tern_dict_set(named, "dim", tern_int(dim));
    tern_dict_set(named, "mask", tern_tensor_value(mask()));
    return tern_call(ctx, name, &args, 1, named).as.tensor;
}

static void check(const char *name, double first, double second) {
    tern_tensor *out = masked(name, input(), 1);
    CHECK_CLEAN();
    cr_assert_float_eq(at(out, 0), first, 1e-6, "%s: %g", name, at(out, 0));
    cr_assert_float_eq(at(out, 1), second, 1e-6, "%s: %g", name, at(out, 1));
}

Test(ops_masked, reductions_see_what_the_mask_leaves) {
    check("masked.sum", 2, 2);
    check("masked.prod", 2, 1);
    check("masked.mean", 2, 1);
    check("masked.amax", 2, 1);
    check("masked.amin", 2, 1);
    check("masked.median", 2, 1);
    check("masked.argmax", 1, 1);
    check("masked.logsumexp", 2, 1.6931471806);
}

Test(ops_masked, integers_keep_their_limits_and_grow_in_sums) {
    tern_tensor *x = tern_to_dtype(input(), TERN_UINT8);
    cr_assert_eq(at(masked("masked.amin", x, 0), 0), 255);
    cr_assert_eq(tern_dtype_of(masked("masked.sum", x, 1)), TERN_INT64);
    cr_assert_eq(at(masked("masked.amax", tern_to_dtype(x, TERN_INT64), 0), 0), (double)INT64_MIN);
    masked("masked.median", x, 0);
    CHECK_ERROR_HAS("expects no fully masked out rows");
}

Test(ops_masked, gradients_reach_what_the_mask_leaves) {
    tern_tensor *x = tern_requires_grad(input(), true);
    tern_backward(tern_sum(masked("masked.mean", x, 1)));
    CHECK_CLEAN();
    static const double wanted[6] = {0, 1, 0, 0, 0.5, 0.5};
    for (int i = 0; i < 6; i++) cr_assert_float_eq(at(tern_grad_of(x), i), wanted[i], 1e-6);
}
