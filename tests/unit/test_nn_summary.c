/* Summaries: shapes of every module from one run, parameters counted once, and nothing changed. */
#include "tern/summary.h"

#include "nn_fixture.h"

TestSuite(nn_summary, .init = open_context, .fini = close_context);

static const tern_summary_row *row(const tern_summary *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].name, name) == 0) return &s->rows[i];
    return NULL;
}

static bool is_shape(tern_shape a, tern_shape b) {
    return a.rank == b.rank && memcmp(a.dim, b.dim, (size_t)a.rank * sizeof *a.dim) == 0;
}

Test(nn_summary, rows_name_shapes_and_parameters) {
    tern_module *m = tern_nn(ctx, "Sequential(Conv2d(1, 4, 3), Sequential(BatchNorm2d(4), ReLU()), "
                                  "Flatten(), Linear(144, 10))");
    tern_value x = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(2, 1, 8, 8), TERN_FLOAT32));
    tern_summary s;
    cr_assert_eq(tern_summary_of(m, &x, 1, &s), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(s.count, 7);
    cr_assert_str_eq(s.rows[0].name, "");
    cr_assert_str_eq(row(&s, "1.0")->kind, "BatchNorm2d");
    cr_assert_eq(row(&s, "1.0")->depth, 2);
    cr_assert(is_shape(row(&s, "0")->input, TERN_SHAPE(2, 1, 8, 8)));
    cr_assert(is_shape(row(&s, "0")->output, TERN_SHAPE(2, 4, 6, 6)));
    cr_assert(is_shape(s.rows[0].output, TERN_SHAPE(2, 10)));
    cr_assert_eq(row(&s, "0")->parameters, 40);
    cr_assert_eq(s.rows[0].parameters, 0);
    cr_assert_eq(s.parameters, 40 + 8 + 1450);
    cr_assert_eq(s.parameter_bytes, 4 * (40 + 8 + 1450));
    cr_assert_eq(s.buffer_bytes, 4 * 8 + 8);
}

Test(nn_summary, the_model_is_as_before) {
    tern_module *m = tern_nn(ctx, "Sequential(BatchNorm1d(3), Dropout())");
    tern_module_eval(tern_module_get(m, "1"));
    tern_value x = tern_tensor_value(tern_ones(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32));
    tern_summary s;
    cr_assert_eq(tern_summary_of(m, &x, 1, &s), TERN_OK);
    cr_assert(tern_module_is_training(m));
    cr_assert(!tern_module_is_training(tern_module_get(m, "1")));
    cr_assert_eq(tern_item_i64(tern_module_tensor(m, "0.num_batches_tracked")), 0);
    tern_forward(m, tern_zeros(ctx, TERN_SHAPE(5, 3), TERN_FLOAT32));
    cr_assert(is_shape(s.rows[0].input, TERN_SHAPE(2, 3)), "a later call leaves the rows alone");
}

Test(nn_summary, frozen_and_tied_parameters_count_as_they_are) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 3), Linear(3, 1))");
    tern_module_requires_grad(tern_module_get(m, "0"), false);
    tern_module_append(m, tern_module_get(m, "1"));
    tern_summary s;
    cr_assert_eq(tern_summary_of(m, NULL, 0, &s), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(s.count, 3);
    cr_assert_eq(s.parameters, 9 + 4);
    cr_assert_eq(s.trainable, 4);
    cr_assert(!row(&s, "0")->called);
}

Test(nn_summary, the_table_aligns_its_columns) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(1000, 1234), LSTM(1234, 2))");
    tern_value x = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(5, 1000), TERN_FLOAT32));
    cr_assert_str_eq(tern_summary_text(tern_module_get(m, "0"), &x, 1),
                     "name     module  input      output     parameters\n"
                     "(model)  Linear  (5, 1000)  (5, 1234)   1,235,234\n"
                     "1,235,234 parameters (1,235,234 trainable), 4.71 MiB; buffers 0.00 MiB\n");
    const char *text = tern_summary_text(m, NULL, 0);
    cr_assert_not_null(strstr(text, "1        LSTM        -      -            9,904\n"), "%s",
                       text);
    CHECK_CLEAN();
}

Test(nn_summary, a_forward_that_fails_says_why) {
    tern_module *m = tern_nn(ctx, "Sequential(BatchNorm2d(3))");
    tern_value x = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32));
    tern_summary s;
    cr_assert_eq(tern_summary_of(m, &x, 1, &s), TERN_ERR_ARGUMENT);
    cr_assert_str_eq(tern_summary_text(m, &x, 1), "");
    CHECK_ERROR_HAS("expected 4D input (got 2D input)");
    cr_assert_eq(tern_summary_of(NULL, NULL, 0, &s), TERN_ERR_ARGUMENT);
    cr_assert(tern_module_is_training(m));
}
