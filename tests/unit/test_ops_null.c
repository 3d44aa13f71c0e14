/* NULL in the place of a tensor or of a text, as what a failed call or a forgotten line leaves. */
#include <criterion/criterion.h>
#include <string.h>

#include "tern/ops.h"

#define T(t) tern_tensor_value(t)

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(ops_null, .init = open_context, .fini = close_context);

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

Test(ops_null, in_the_place_of_a_tensor_is_named_by_the_operation) {
    tern_tensor *a = tern_ones(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
    cr_assert(tern_is_nil(tern_where(NULL, a, a)));
    expect_error("where: argument 'condition' is NULL");
    tern_where(tern_gt_scalar(a, 0), NULL, a);
    expect_error("where: argument 'input' is NULL");
    tern_matmul(a, NULL);
    expect_error("matmul: argument 'other' is NULL");
    tern_mse_loss(NULL, a, TERN_MEAN);
    expect_error("mse_loss: argument 'input' is NULL");
    tern_add(a, NULL);
    expect_error("add: argument 'other' is NULL");
    cr_assert_not(tern_equal(a, NULL));
    expect_error("equal: argument 'other' is NULL");
    tern_copy_in_place(a, NULL);
    expect_error("copy: argument 'src' is NULL");
    tern_copy_in_place(NULL, a);
    expect_error("copy: ");
    tern_tensor *list[] = {a, NULL};
    tern_cat(list, 2, 0);
    expect_error("cat: element 1 of the list of tensors is None, not a tensor");
    tern_conv2d(NULL, a, NULL, 1, 0);
    expect_error("argument 'input' is NULL");
    cr_assert(tern_is_nil(tern_add(NULL, NULL)));
    cr_assert_eq(tern_check(ctx), TERN_OK, "no context is to blame");
}

Test(ops_null, stays_what_an_argument_that_may_be_left_out_takes) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 1, 3, 3), TERN_FLOAT32);
    cr_assert_eq(tern_numel(tern_conv2d(x, x, NULL, 1, 0)), 1, "%s", tern_error(ctx));
    cr_assert_eq(tern_numel(tern_layer_norm(x, TERN_SHAPE(3), NULL, NULL, 1e-5)), 9, "%s",
                 tern_error(ctx));
    cr_assert_eq(tern_numel(tern_clamp(x, 0, 1)), 9, "%s", tern_error(ctx));
}

Test(ops_null, in_the_place_of_a_text_is_an_error_or_no_name) {
    tern_call(ctx, NULL, NULL, 0, tern_none());
    expect_error("tern_call: the operation's name is NULL");
    tern_call(ctx, "relu", NULL, 1, tern_none());
    expect_error("tern_call: the arguments are NULL");
    cr_assert_eq(tern_call(NULL, "relu", NULL, 0, tern_none()).kind, TERN_VALUE_NONE);
    cr_assert_not(tern_op_exists(NULL));
    tern_dtype dtype = TERN_INT8;
    cr_assert_not(tern_dtype_parse(NULL, &dtype));
    cr_assert_eq(dtype, TERN_INT8);
}
