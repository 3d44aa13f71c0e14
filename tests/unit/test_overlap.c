/* Tensors whose elements share memory: which they are, and that nothing is written to them; and memory that
 * two tensors were made from. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/tensor/tensor.h"
#include "tern/grad.h"
#include "tern/ops.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(overlap, .init = open_context, .fini = close_context);

static void expect_error(const char *part) {
    cr_assert(strstr(tern_error(ctx), part), "'%s' lacks '%s'", tern_error(ctx), part);
    tern_error_clear(ctx);
}

/* ---- which they are ---- */

/* By looking at every element. */
static bool shares(const tern_shape *size, const tern_shape *stride) {
    static bool seen[4096];
    memset(seen, 0, sizeof seen);
    int64_t index[4] = {0};
    for (;;) {
        int64_t at = 0;
        for (int d = 0; d < size->rank; d++) at += index[d] * stride->dim[d];
        if (seen[at]) return true;
        seen[at] = true;
        int d = size->rank - 1;
        for (; d >= 0 && ++index[d] == size->dim[d]; d--) index[d] = 0;
        if (d < 0) return false;
    }
}

Test(overlap, is_found_where_there_is_one_and_only_there) {
    tern_tensor *base = tern_zeros(ctx, TERN_SHAPE(4096), TERN_FLOAT32);
    int found = 0, free_of_it = 0;
    srand(1);
    for (int i = 0; i < 4000; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_shape size = {1 + rand() % 4, {0}}, stride = size;
        for (int d = 0; d < size.rank; d++) {
            size.dim[d] = 1 + rand() % 5;
            stride.dim[d] = rand() % 40;
        }
        bool expected = shares(&size, &stride);
        found += expected;
        free_of_it += !expected;
        tern_tensor *view = tern_as_strided(base, size, stride, 0);
        cr_assert_eq(tern_has_overlap(view), expected, "view %d", i);
        tern_scope_end(scope);
    }
    cr_assert(found > 500 && free_of_it > 500, "%d and %d", found, free_of_it);
    tern_shape none = TERN_SHAPE(2, 0), steps = TERN_SHAPE(0, 0);
    cr_assert_not(tern_has_overlap(tern_as_strided(base, none, steps, 0)));
}

/* ---- nothing is written to them ---- */

Test(overlap, refuses_every_kind_of_writing) {
    static const char refusal[] =
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location. Please clone() the tensor before performing the operation.";
    tern_tensor *base = tern_zeros(ctx, TERN_SHAPE(8), TERN_FLOAT32);
    tern_tensor *windows = tern_as_strided(base, TERN_SHAPE(6, 3), TERN_SHAPE(1, 1), 0);
    tern_tensor *woven = tern_as_strided(base, TERN_SHAPE(2, 2, 2), TERN_SHAPE(1, 2, 3), 0);
    tern_tensor *written[] = {windows, woven};
    for (int i = 0; i < 2; i++) {
        tern_fill_in_place(written[i], 1);
        expect_error(refusal);
        tern_add_in_place(written[i], written[i]);
        expect_error(refusal);
        tern_copy_in_place(written[i], tern_zeros_like(written[i]));
        expect_error(refusal);
        float data[18] = {0};
        tern_write_host(written[i], data, (size_t)tern_numel(written[i]) * sizeof *data);
        expect_error("share memory");
    }
    tern_shape size = tern_shape_of(windows), stride = TERN_SHAPE(1, 1);
    tern_value args[] = {tern_tensor_value(base), tern_tensor_value(tern_ones_like(windows)),
                         tern_ints(size.dim, 2), tern_ints(stride.dim, 2)};
    tern_call(ctx, "_as_strided_scatter", args, 4, tern_none());
    expect_error(refusal);
    cr_assert_eq(tern_item(tern_sum(base)), 0, "nothing was written");

    /* The same places in another order are no overlap. */
    tern_tensor *strided = tern_as_strided(base, TERN_SHAPE(2, 2), TERN_SHAPE(2, 3), 0);
    tern_fill_in_place(strided, 1);
    cr_assert_eq(tern_item(tern_sum(base)), 4, "%s", tern_error(ctx));
}

/* ---- one memory, two tensors ---- */

Test(overlap, a_write_through_one_import_makes_what_was_saved_of_the_other_stale) {
    _Alignas(64) static double memory[32];
    const struct {
        int first, length; /* of the second import */
        bool stale;
    } twins[] = {{0, 16, true}, {8, 16, true}, {16, 16, false}};
    for (int i = 0; i < 3; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *a = tern_from_memory(ctx, memory, TERN_SHAPE(16), TERN_FLOAT64, NULL, NULL);
        tern_tensor *b = tern_from_memory(ctx, memory + twins[i].first, TERN_SHAPE(twins[i].length),
                                          TERN_FLOAT64, NULL, NULL);
        cr_assert_not(tern_is_nil(a) || tern_is_nil(b), "%s", tern_error(ctx));
        tern_tensor *w = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(16), TERN_FLOAT64), true);
        tern_tensor *loss = tern_sum(tern_mul(w, a));
        uint64_t version = tern_version(a);
        tern_fill_in_place(b, 2);
        cr_assert_eq(tern_version(a) != version, twins[i].stale);
        tern_backward(loss);
        if (twins[i].stale)
            expect_error("modified by an inplace operation");
        else
            cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
        tern_scope_end(scope);
    }
    /* An import that is gone is nobody's twin. */
    tern_tensor *last = tern_from_memory(ctx, memory, TERN_SHAPE(16), TERN_FLOAT64, NULL, NULL);
    tern_fill_in_place(last, 3);
    cr_assert_eq(memory[0], 3, "%s", tern_error(ctx));
}
