/* Views, joins, splits and indexing: geometry, gradients, PyTorch's refusals. */
#include <criterion/criterion.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
    ctx = NULL;
}

TestSuite(ops_shape, .init = open_context, .fini = close_context);

static double at(tern_tensor *tensor, int64_t index) {
    return tern_item(tern_select(tern_reshape(tensor, TERN_SHAPE(-1)), 0, index));
}

static bool error_is(const char *text) {
    bool same = strcmp(tern_error(ctx), text) == 0;
    if (same) tern_error_clear(ctx);
    return same;
}

static bool error_has(const char *text) {
    bool has = strstr(tern_error(ctx), text) != NULL;
    if (has) tern_error_clear(ctx);
    return has;
}

/* 0, 1, 2, ... in float64. */
static tern_tensor *counted(tern_shape shape) {
    int64_t n = 1;
    for (int d = 0; d < shape.rank; d++) n *= shape.dim[d];
    return tern_reshape(tern_to_dtype(tern_arange_i64(ctx, n), TERN_FLOAT64), shape);
}

static tern_tensor *longs(const int64_t *values, int64_t n) {
    return tern_from_data(ctx, values, TERN_SHAPE(n), TERN_INT64);
}

static tern_tensor *call(const char *name, const tern_value *args, int n) {
    tern_value result = tern_call(ctx, name, args, n, tern_none());
    return result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(ctx);
}

Test(ops_shape, a_view_shares_storage_and_a_reshape_copies_where_it_must) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3));
    cr_assert(tern_shares_storage(x, tern_view(x, TERN_SHAPE(3, -1))));
    cr_assert(tern_shares_storage(x, tern_reshape(x, TERN_SHAPE(6))));
    tern_tensor *copy = tern_reshape(tern_t(x), TERN_SHAPE(6));
    cr_assert(!tern_shares_storage(x, copy));
    cr_assert_eq(at(copy, 1), 3);
}

Test(ops_shape, views_refuse_what_pytorch_refuses_in_its_words) {
    tern_tensor *x = counted(TERN_SHAPE(2, 3));
    tern_view(x, TERN_SHAPE(4, 2));
    cr_assert(error_is("view: shape '[4, 2]' is invalid for input of size 6"), "%s",
              tern_error(ctx));
    tern_view(tern_t(x), TERN_SHAPE(6));
    cr_assert(error_has("view size is not compatible with input tensor's size and stride"), "%s",
              tern_error(ctx));
    tern_select(x, 0, 2);
    cr_assert(error_is("select: index 2 is out of bounds for dimension 0 with size 2"), "%s",
              tern_error(ctx));
    tern_expand(x, TERN_SHAPE(2, 4));
    cr_assert(error_has("The expanded size of the tensor (4) must match the existing size (3) at "
                        "non-singleton dimension 1"),
              "%s", tern_error(ctx));
    tern_narrow(x, 1, 2, 2);
    cr_assert(error_has("start (2) + length (2) exceeds dimension size (3)."), "%s",
              tern_error(ctx));
    tern_permute(x, TERN_SHAPE(0, 0));
    cr_assert(error_has("duplicate dims"), "%s", tern_error(ctx));
}

Test(ops_shape, slices_clip_and_step_as_pythons) {
    tern_tensor *x = counted(TERN_SHAPE(7));
    tern_tensor *s = tern_slice(x, 0, -5, INT64_MAX, 2);
    cr_assert_eq(tern_numel(s), 3);
    cr_assert_eq(at(s, 2), 6);
    cr_assert_eq(tern_numel(tern_slice(x, 0, 5, 2, 1)), 0);
}

Test(ops_shape, cat_promotes_and_passes_over_the_empty_vector) {
    tern_tensor *parts[] = {tern_zeros(ctx, TERN_SHAPE(0), TERN_FLOAT32),
                            tern_ones(ctx, TERN_SHAPE(1, 2), TERN_INT32),
                            tern_zeros(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32)};
    tern_tensor *all = tern_cat(parts, 3, 0);
    cr_assert_eq(tern_dtype_of(all), TERN_FLOAT32);
    cr_assert_eq(tern_size(all, 0), 3);
    cr_assert_eq(at(all, 1), 1);
    parts[0] = tern_zeros(ctx, TERN_SHAPE(1, 3), TERN_FLOAT32);
    tern_cat(parts, 3, 0);
    cr_assert(
        error_is("cat: Sizes of tensors must match except in dimension 0. Expected size 3 but "
                 "got size 2 for tensor number 1 in the list."),
        "%s", tern_error(ctx));
}

Test(ops_shape, an_index_outside_is_an_error_and_reads_nothing) {
    const int64_t wrong[] = {0, 3};
    tern_tensor *x = counted(TERN_SHAPE(3));
    tern_index_select(x, 0, longs(wrong, 2));
    cr_assert_neq(tern_check(ctx), TERN_OK);
    cr_assert(error_has("index 3 is out of bounds for dimension 0 with size 3"), "%s",
              tern_error(ctx));
}

Test(ops_shape, einsum_multiplies_matrices_and_takes_diagonals) {
    tern_tensor *a = counted(TERN_SHAPE(2, 3)), *b = counted(TERN_SHAPE(3, 2));
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_tensor_value(a));
    tern_list_append(list, tern_tensor_value(b));
    tern_value args[] = {tern_text("ij,jk->ik"), list};
    cr_assert(tern_equal(call("einsum", args, 2), tern_matmul(a, b)));
    tern_value one = tern_list_new(ctx);
    tern_list_append(one, tern_tensor_value(counted(TERN_SHAPE(3, 3))));
    tern_value trace[] = {tern_text("ii"), one};
    cr_assert_eq(tern_item(call("einsum", trace, 2)), 12);
}

Test(ops_shape, einsum_names_a_malformed_equation) {
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_tensor_value(counted(TERN_SHAPE(2))));
    tern_value args[] = {tern_text("i%->i"), list};
    call("einsum", args, 2);
    cr_assert(error_has("malformed in equation 'i%->i'"), "%s", tern_error(ctx));
}

/* ---- gradients, twice ---- */

static tern_tensor *rearranged(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    (void)user;
    tern_tensor *x = tern_permute(in[0], TERN_SHAPE(1, 0)); /* [3, 2] */
    tern_tensor *parts[] = {tern_slice(x, 0, 0, 3, 2), tern_narrow(x, 0, 1, 2)};
    tern_tensor *joined = tern_cat(parts, 2, 0); /* [4, 2] */
    tern_tensor *wide = tern_expand(tern_select(joined, 1, 1), TERN_SHAPE(2, 4));
    return tern_mul(tern_mul(wide, wide), tern_unsqueeze(tern_select(joined, 1, 0), 0));
}

static tern_tensor *indexed(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)n;
    (void)user;
    const int64_t rows[] = {1, 0, 1};
    tern_tensor *index = tern_from_data(c, rows, TERN_SHAPE(3), TERN_INT64);
    tern_tensor *picked = tern_index_select(in[0], 0, index);
    tern_tensor *column = tern_expand(tern_unsqueeze(index, 1), TERN_SHAPE(3, 3));
    tern_tensor *gathered = tern_gather(in[0], 1, tern_narrow(column, 0, 0, 2));
    tern_tensor *added = tern_scatter_add(in[0], 0, tern_narrow(column, 0, 0, 1), picked);
    return tern_add(tern_mul(added, added), tern_mul(gathered, gathered));
}

static void check_twice(tern_grad_fn fn, tern_shape shape) {
    tern_tensor *x = tern_mul_scalar(tern_add_scalar(counted(shape), 0.5), 0.37);
    tern_tensor *in[] = {tern_requires_grad(tern_clone(x), true)};
    tern_status status = tern_gradcheck(ctx, fn, NULL, in, 1, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(status, TERN_OK, "%s", tern_error(ctx));
    status = tern_gradgradcheck(ctx, fn, NULL, in, 1, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(status, TERN_OK, "%s", tern_error(ctx));
}

Test(ops_shape, views_and_joins_have_gradients_of_gradients) {
    check_twice(rearranged, TERN_SHAPE(2, 3));
}

Test(ops_shape, indexing_has_gradients_of_gradients) {
    check_twice(indexed, TERN_SHAPE(2, 3));
}
