/* test_face.c: views that lie with the function that launches. */
#include <criterion/criterion.h>
#include <string.h>

#include "core/autograd/graph.h"
#include "core/call/launch.h"
#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open(NULL);
}

static void close_context(void) {
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
}

TestSuite(face, .init = open_context, .fini = close_context);

/* What a face says of itself is what the view by an operation says. */
static void assert_same_geometry(const tern_tensor *face, const tern_tensor *view) {
    cr_assert_eq(BODY(face)->rank, BODY(view)->rank);
    cr_assert_eq(BODY(face)->numel, BODY(view)->numel);
    cr_assert_eq(BODY(face)->offset, BODY(view)->offset);
    cr_assert_eq(BODY(face)->flags & TERN_T_CONTIGUOUS, BODY(view)->flags & TERN_T_CONTIGUOUS);
    for (int d = 0; d < BODY(view)->rank; d++) {
        cr_assert_eq(BODY(face)->shape[d], BODY(view)->shape[d]);
        cr_assert_eq(BODY(face)->strides[d], BODY(view)->strides[d]);
    }
}

Test(face, is_the_transposed_view) {
    const tern_shape shapes[] = {TERN_SHAPE(2, 3), TERN_SHAPE(1, 3), TERN_SHAPE(3, 1),
                                 TERN_SHAPE(4, 2, 3), TERN_SHAPE(2, 0)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        tern_face face;
        tern_tensor *x = tern_empty(ctx, shapes[i], TERN_FLOAT32);
        assert_same_geometry(tern_face_transposed(&face, x), tern_transpose(x, -1, -2));
    }
}

Test(face, is_the_expanded_view_and_the_tensor_itself_where_that_is_the_same) {
    const tern_shape wide = TERN_SHAPE(4, 2, 3);
    tern_face face;
    tern_tensor *row = tern_empty(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    tern_tensor *column = tern_narrow(tern_empty(ctx, TERN_SHAPE(5, 1), TERN_FLOAT32), 0, 1, 2);
    tern_tensor *whole = tern_empty(ctx, wide, TERN_FLOAT32);
    assert_same_geometry(tern_face_broadcast(&face, row, &wide), tern_expand(row, wide));
    assert_same_geometry(tern_face_broadcast(&face, column, &wide), tern_expand(column, wide));
    cr_assert_eq(tern_face_broadcast(&face, whole, &wide), whole);
}

Test(face, is_read_by_a_launch_and_keeps_nothing_alive) {
    const float numbers[] = {1, 2, 3, 4, 5, 6};
    tern_face face;
    tern_tensor *x = tern_from_data(ctx, numbers, TERN_SHAPE(2, 3), TERN_FLOAT32);
    tern_tensor *out = tern_empty(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32);
    tern_tensor *t = tern_face_transposed(&face, x);
    int references = BODY(x)->storage->references;
    cr_assert_eq(tern_launch(BODY(x)->lane, TERN_KERNEL_COPY, 0, &t, 1, &out, 1, NULL, 0), TERN_OK);
    cr_assert_eq(BODY(x)->storage->references, references);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(tern_item(tern_select(tern_flatten(out, 0, -1), 0, i)),
                     numbers[i % 2 * 3 + i / 2]);
}

/* A saved input that has changed is refused, as it is by a handle. */
Test(face, of_a_saved_input_that_changed_is_refused) {
    tern_tensor *a = tern_requires_grad(tern_full(ctx, TERN_SHAPE(2), 3, TERN_FLOAT32), true);
    tern_tensor *b = tern_full(ctx, TERN_SHAPE(2), 2, TERN_FLOAT32);
    tern_tensor *product = tern_mul(a, b);
    tern_add_in_place(b, b);
    cr_assert_eq(tern_backward(tern_sum(product)), TERN_ERR_STATE);
    cr_assert(strstr(tern_error(ctx), "modified by an inplace operation"));
    tern_error_clear(ctx);
}
