/* Initialisers: PyTorch's bits for a seed, shapes that they refuse, calls by name. */
#include "nn_fixture.h"

#include <math.h>
#include <stdio.h>

#include "tern/describe.h"

TestSuite(nn_init, .init = open_context, .fini = close_context);

static tern_tensor *empty(tern_shape shape) {
    tern_manual_seed(ctx, 42);
    return tern_empty(ctx, shape, TERN_FLOAT32);
}

Test(nn_init, uniform_and_normal_draw_the_generators_numbers) {
    tern_tensor *u = tern_init_uniform(empty(TERN_SHAPE(3)), -1, 1, NULL);
    cr_assert_float_eq(at(u, 0), 0.764538527, 1e-9);
    cr_assert_float_eq(at(u, 2), -0.23427248, 1e-8);
    tern_tensor *n = tern_init_normal(empty(TERN_SHAPE(2)), 0, 1, NULL);
    cr_assert_float_eq(at(n, 0), 0.336690366, 1e-9);
    CHECK_CLEAN();
}

Test(nn_init, parameters_are_overwritten_without_a_history) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_tensor *w = tern_module_tensor(m, "weight");
    cr_assert_eq(tern_init_xavier_uniform(w, 1, NULL), w);
    cr_assert(tern_is_leaf(w));
    cr_assert(tern_has_grad_required(w));
    CHECK_CLEAN();
}

Test(nn_init, kaiming_bounds_are_computed_in_pytorchs_order) {
    tern_kaiming_options o = TERN_KAIMING_OPTIONS;
    o.a = sqrt(5.0);
    tern_tensor *t = tern_init_kaiming_uniform(empty(TERN_SHAPE(3, 2)), &o);
    cr_assert_eq(bits_at(t, 0), 0x3f0a6571u);
    o.mode = "fan_sideways";
    cr_assert(tern_is_nil(tern_init_kaiming_normal(empty(TERN_SHAPE(3, 2)), &o)));
    CHECK_ERROR("Mode fan_sideways not supported, please use one of ['fan_in', 'fan_out']");
    cr_assert(tern_is_nil(tern_init_kaiming_normal(empty(TERN_SHAPE(3)), NULL)));
    CHECK_ERROR("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions");
}

Test(nn_init, gains_are_pytorchs) {
    double slope = 0.2;
    cr_assert_float_eq(tern_init_gain(ctx, "linear", NULL), 1, 0);
    cr_assert_float_eq(tern_init_gain(ctx, "conv_transpose2d", NULL), 1, 0);
    cr_assert_float_eq(tern_init_gain(ctx, "tanh", NULL), 5.0 / 3, 0);
    cr_assert_float_eq(tern_init_gain(ctx, "relu", NULL), sqrt(2), 0);
    cr_assert_float_eq(tern_init_gain(ctx, "selu", NULL), 0.75, 0);
    cr_assert_float_eq(tern_init_gain(ctx, "leaky_relu", NULL), sqrt(2 / (1 + 0.01 * 0.01)), 0);
    cr_assert_float_eq(tern_init_gain(ctx, "leaky_relu", &slope), sqrt(2 / (1 + 0.2 * 0.2)), 0);
    cr_assert(isnan(tern_init_gain(ctx, "swoosh", NULL)));
    CHECK_ERROR("calculate_gain: Unsupported nonlinearity swoosh");
}

Test(nn_init, orthogonal_rows_are_orthonormal) {
    tern_tensor *q = tern_init_orthogonal(empty(TERN_SHAPE(3, 2, 4)), 2, NULL);
    tern_tensor *flat = tern_reshape(q, TERN_SHAPE(3, 8));
    tern_tensor *gram = tern_matmul(flat, tern_transpose(flat, 0, 1));
    for (int i = 0; i < 9; i++) cr_assert_float_eq(at(gram, i), i % 4 == 0 ? 4 : 0, 1e-5);
    tern_tensor *tall = tern_init_orthogonal(empty(TERN_SHAPE(5, 2)), 1, NULL);
    gram = tern_matmul(tern_transpose(tall, 0, 1), tall);
    for (int i = 0; i < 4; i++) cr_assert_float_eq(at(gram, i), i % 3 == 0 ? 1 : 0, 1e-6);
    CHECK_CLEAN();
}

Test(nn_init, eye_and_dirac_keep_the_identity) {
    tern_tensor *e = tern_init_eye(empty(TERN_SHAPE(2, 3)));
    const double expected[] = {1, 0, 0, 0, 1, 0};
    for (int i = 0; i < 6; i++) cr_assert_float_eq(at(e, i), expected[i], 0);
    tern_tensor *d = tern_init_dirac(empty(TERN_SHAPE(4, 2, 3)), 2);
    for (int i = 0; i < 24; i++) {
        bool one = i % 3 == 1 && i / 6 % 2 == i / 3 % 2;
        cr_assert_float_eq(at(d, i), one, 0, "element %d", i);
    }
    CHECK_CLEAN();
    tern_init_eye(empty(TERN_SHAPE(2)));
    CHECK_ERROR("Only tensors with 2 dimensions are supported");
    tern_init_dirac(empty(TERN_SHAPE(2, 2)), 1);
    CHECK_ERROR("Only tensors with 3, 4, or 5 dimensions are supported");
    tern_init_dirac(empty(TERN_SHAPE(3, 2, 1)), 2);
    CHECK_ERROR("dim 0 must be divisible by groups");
}

Test(nn_init, sparse_zeroes_a_share_of_each_column) {
    tern_tensor *s = tern_init_sparse(empty(TERN_SHAPE(5, 3)), 0.5, 1, NULL);
    for (int column = 0; column < 3; column++) {
        int zeros = 0;
        for (int row = 0; row < 5; row++) zeros += at(s, row * 3 + column) == 0;
        cr_assert_eq(zeros, 3);
    }
    tern_init_sparse(s, 1.5, 1, NULL);
    CHECK_ERROR("sparse_: sparsity must be between 0 and 1");
}

Test(nn_init, truncated_normals_stay_in_their_window) {
    static const double windows[][4] = {{0, 1, -2, 2}, {0, 1, 2, 3}, {5, 0.5, -1, 1}};
    for (size_t w = 0; w < 3; w++) {
        const double *p = windows[w];
        tern_tensor *t =
            tern_init_trunc_normal(empty(TERN_SHAPE(50)), p[0], p[1], p[2], p[3], NULL);
        CHECK_CLEAN();
        for (int i = 0; i < 50; i++) cr_assert(at(t, i) >= p[2] && at(t, i) <= p[3]);
    }
    tern_init_trunc_normal(empty(TERN_SHAPE(5)), 0, 1, 2, 1, NULL);
    cr_assert_neq(tern_error_clear(ctx), TERN_OK);
}

Test(nn_init, calls_by_name_take_pytorchs_arguments) {
    tern_value args = tern_dict_new(ctx, false);
    tern_dict_set(args, "val", tern_float(0.5));
    tern_tensor *t = empty(TERN_SHAPE(2));
    cr_assert_eq(tern_init_call(ctx, "constant_", t, args).as.tensor, t);
    cr_assert_float_eq(at(t, 1), 0.5, 0);
    tern_dict_set(args, "nonlinearity", tern_text("tanh"));
    tern_init_call(ctx, "calculate_gain", NULL, args);
    CHECK_ERROR_HAS("val");
    cr_assert_eq(tern_init_call(ctx, "constant_", t, tern_none()).kind, TERN_VALUE_NONE);
    CHECK_ERROR_HAS("missing argument 'val'");
    tern_init_call(ctx, "guess_", t, tern_none());
    CHECK_ERROR("nn.init: there is no initialiser 'guess_'");
    tern_init_call(ctx, "ones_", NULL, tern_none());
    CHECK_ERROR("nn.init: ones_ needs a tensor");
}

/* torch.manual_seed(42); nn.init.NAME(torch.empty(shape), ...): the first, the fifth and the last element. */
static const struct {
    const char *name, *arguments;
    tern_shape shape;
    double first, fifth, last;
} named[] = {
    {"uniform_", "a=-1, b=2", {2, {4, 3}}, 1.64680779, 0.171344638, 0.78073895},
    {"normal_", "mean=1, std=0.5", {2, {4, 3}}, 1.16834521, 0.438571811, 1.40467858},
    {"trunc_normal_", "std=2, a=-1", {2, {4, 3}}, 0.673380733, -0.0998066962, 1.61871445},
    {"ones_", "", {2, {4, 3}}, 1, 1, 1},
    {"eye_", "", {2, {4, 3}}, 1, 1, 0},
    {"dirac_", "groups=2", {3, {4, 2, 3}}, 0, 0, 0},
    {"xavier_uniform_", "gain=2", {2, {4, 3}}, 1.41565025, -0.405700982, 0.346551687},
    {"xavier_normal_", "", {2, {4, 3}}, 0.179968566, -0.600191951, 0.432619631},
    {"kaiming_uniform_",
     "a=1, mode='fan_out'",
     {2, {4, 3}},
     0.662109792,
     -0.189749256,
     0.162084699},
    {"kaiming_normal_", "nonlinearity='relu'", {2, {4, 3}}, 0.274906516, -0.916808367, 0.660837412},
    {"orthogonal_", "gain=3", {2, {4, 3}}, 0.446652532, -2.55186272, 2.52942801},
    {"sparse_", "sparsity=0.5, std=2", {2, {4, 3}}, 0.673380733, 0, 1.61871445},
};

Test(nn_init, calls_by_name_give_pytorchs_numbers) {
    char text[100];
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        snprintf(text, sizeof text, "f(%s)", named[i].arguments);
        tern_value args = tern_dict_get(tern_notation_parse(ctx, "call", text), "args");
        tern_tensor *t = empty(named[i].shape);
        tern_init_call(ctx, named[i].name, t, args);
        CHECK_CLEAN();
        cr_assert_float_eq(at(t, 0), named[i].first, 1e-6, "%s", named[i].name);
        cr_assert_float_eq(at(t, 4), named[i].fifth, 1e-6, "%s", named[i].name);
        cr_assert_float_eq(at(t, tern_numel(t) - 1), named[i].last, 1e-6, "%s", named[i].name);
    }
}

Test(nn_init, other_dtypes_are_filled_too) {
    tern_tensor *t = tern_empty(ctx, TERN_SHAPE(3, 3), TERN_BFLOAT16);
    tern_init_eye(t);
    cr_assert_float_eq(at(t, 4), 1, 0);
    tern_init_orthogonal(t, 1, NULL);
    CHECK_CLEAN();
}
