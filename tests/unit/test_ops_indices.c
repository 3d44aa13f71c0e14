/* Values of index arguments: one outside its dimension is an error of every operation that takes indices,
 * and nothing is read or written for it. */
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

TestSuite(ops_indices, .init = open_context, .fini = close_context);

static tern_tensor *floats(tern_shape shape) {
    return tern_ones(ctx, shape, TERN_FLOAT32);
}

static tern_value list_of(tern_tensor *t) {
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, T(t));
    return list;
}

/* Every row has an input of 3 (rows of 2, or classes), and one index of the given value. */
static tern_value run(const char *name, tern_tensor *index) {
    tern_tensor *x = floats(TERN_SHAPE(3)), *rows = floats(TERN_SHAPE(3, 2));
    tern_tensor *one = floats(TERN_SHAPE(1)), *row = floats(TERN_SHAPE(1, 2));
    tern_value dim = tern_int(0);
    const struct {
        const char *name;
        int count;
        tern_value args[6];
    } rows_of[] = {
        {"gather", 3, {T(x), dim, T(index)}},
        {"scatter", 4, {T(x), dim, T(index), T(one)}},
        {"scatter_add", 4, {T(x), dim, T(index), T(one)}},
        {"scatter_reduce", 5, {T(x), dim, T(index), T(one), tern_text("amax")}},
        {"index_select", 3, {T(rows), dim, T(index)}},
        {"index_add", 4, {T(rows), dim, T(index), T(row)}},
        {"index_copy", 4, {T(rows), dim, T(index), T(row)}},
        {"index_fill", 4, {T(rows), dim, T(index), tern_float(1)}},
        {"index_reduce", 5, {T(rows), dim, T(index), T(row), tern_text("prod")}},
        {"index_put", 3, {T(rows), list_of(index), T(row)}},
        {"take", 2, {T(x), T(index)}},
        {"put", 3, {T(x), T(index), T(one)}},
        {"take_along_dim", 3, {T(x), T(index), dim}},
        {"nn.functional.embedding", 2, {T(index), T(rows)}},
        {"nn.functional.nll_loss", 2, {T(floats(TERN_SHAPE(1, 3))), T(index)}},
        {"nn.functional.cross_entropy", 2, {T(floats(TERN_SHAPE(1, 3))), T(index)}},
        {"nn.functional.multi_margin_loss", 2, {T(floats(TERN_SHAPE(1, 3))), T(index)}},
        {"nn.functional.max_unpool1d",
         3,
         {T(floats(TERN_SHAPE(1, 1))), T(tern_reshape(index, TERN_SHAPE(1, 1))), tern_int(3)}},
    };
    for (size_t i = 0; i < sizeof rows_of / sizeof *rows_of; i++)
        if (strcmp(rows_of[i].name, name) == 0)
            return tern_call(ctx, name, rows_of[i].args, rows_of[i].count, tern_none());
    cr_assert_fail("no row for %s", name);
    return tern_none();
}

static const char *const names[] = {"gather",
                                    "scatter",
                                    "scatter_add",
                                    "scatter_reduce",
                                    "index_select",
                                    "index_add",
                                    "index_copy",
                                    "index_fill",
                                    "index_reduce",
                                    "index_put",
                                    "take",
                                    "put",
                                    "take_along_dim",
                                    "nn.functional.embedding",
                                    "nn.functional.nll_loss",
                                    "nn.functional.cross_entropy",
                                    "nn.functional.multi_margin_loss",
                                    "nn.functional.max_unpool1d"};

Test(ops_indices, one_outside_its_dimension_is_an_error_everywhere) {
    static const int64_t bad[] = {3, -4, INT64_MAX, INT64_MIN, INT64_C(1) << 40};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        tern_tensor *good = tern_from_data(ctx, (int64_t[]){2}, TERN_SHAPE(1), TERN_INT64);
        tern_value result = run(names[n], good);
        cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", names[n], tern_error(ctx));
        cr_assert_eq(result.kind, TERN_VALUE_TENSOR);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            run(names[n], tern_from_data(ctx, &bad[i], TERN_SHAPE(1), TERN_INT64));
            cr_assert_neq(tern_check(ctx), TERN_OK, "%s takes %lld of 3", names[n],
                          (long long)bad[i]);
            tern_error_clear(ctx);
        }
    }
}

Test(ops_indices, none_lies_in_a_dimension_without_elements) {
    tern_tensor *index = tern_zeros(ctx, TERN_SHAPE(1), TERN_INT64);
    tern_tensor *empty = floats(TERN_SHAPE(0)), *one = floats(TERN_SHAPE(1));
    tern_value dim = tern_int(0);
    const struct {
        const char *name;
        tern_value args[5];
    } rows[] = {{"gather", {T(empty), dim, T(index)}},
                {"scatter", {T(empty), dim, T(index), T(one)}},
                {"scatter_add", {T(empty), dim, T(index), T(one)}},
                {"scatter_reduce", {T(empty), dim, T(index), T(one), tern_text("sum")}},
                {"index_select", {T(empty), dim, T(index)}},
                {"index_add", {T(empty), dim, T(index), T(one)}},
                {"index_copy", {T(empty), dim, T(index), T(one)}},
                {"index_put", {T(empty), list_of(index), T(one)}},
                {"take", {T(empty), T(index)}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int count = 0;
        while (count < 5 && rows[i].args[count].kind != TERN_VALUE_NONE) count++;
        tern_call(ctx, rows[i].name, rows[i].args, count, tern_none());
        cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX, "%s: %s", rows[i].name, tern_error(ctx));
        tern_error_clear(ctx);
    }
}

Test(ops_indices, a_sorter_names_places_of_the_sequence) {
    static const int64_t bad[] = {4, -1, INT64_MAX, 1 << 28};
    tern_tensor *edges = floats(TERN_SHAPE(4)), *values = floats(TERN_SHAPE(2));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t order[] = {0, 1, bad[i], 2};
        tern_value named = tern_dict_new(ctx, false);
        tern_dict_set(named, "sorter", T(tern_from_data(ctx, order, TERN_SHAPE(4), TERN_INT64)));
        tern_call(ctx, "searchsorted", (tern_value[]){T(edges), T(values)}, 2, named);
        cr_assert(strstr(tern_error(ctx), "sorter index out of range"), "%s", tern_error(ctx));
        tern_error_clear(ctx);
    }
    tern_value named = tern_dict_new(ctx, false);
    tern_dict_set(named, "sorter", T(floats(TERN_SHAPE(4))));
    tern_call(ctx, "searchsorted", (tern_value[]){T(edges), T(values)}, 2, named);
    cr_assert(strstr(tern_error(ctx), "must be a tensor of long dtype"), "%s", tern_error(ctx));
}

Test(ops_indices, winners_of_a_pool_are_indices_too) {
    tern_tensor *x = floats(TERN_SHAPE(1, 2, 2)), *grad = floats(TERN_SHAPE(1, 1, 1));
    tern_value two = tern_int(2), one = tern_int(1), zero = tern_int(0);
    for (int64_t bad = -1; bad <= 4; bad += 5) {
        tern_tensor *at = tern_from_data(ctx, &bad, TERN_SHAPE(1, 1, 1), TERN_INT64);
        tern_call(ctx, "max_pool2d_with_indices_backward",
                  (tern_value[]){T(grad), T(x), two, two, zero, one, tern_bool(false), T(at)}, 8,
                  tern_none());
        cr_assert_eq(tern_check(ctx), TERN_ERR_INDEX, "%s", tern_error(ctx));
        tern_error_clear(ctx);
    }
}
