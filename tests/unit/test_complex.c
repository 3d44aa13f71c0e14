/* Complex tensors: they lie as pairs of real numbers and share them with their views; arithmetic agrees with
 * C's own complex numbers and gradients with finite differences; what has no rule refuses by name. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tern/grad.h"
#include "tern/io.h"
#include "tern/ops.h"
#include "tern/optim.h"

#include <complex.h> /* last: it makes a macro of a word */
#undef complex

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    tern_close(ctx);
}

TestSuite(complex, .init = open_context, .fini = close_context);

typedef double _Complex number;

enum { N = 6 };
static const number first[N] = {1 + 2 * I, -0.5 + 0.25 * I, 3, -2 * I, 1e-3 - 4 * I, -7 - 7 * I};
static const number second[N] = {0.5 - I, 2 + 2 * I, -1 + 0.1 * I, 5, 1e3 * I, -0.25 - 3 * I};

static tern_tensor *tensor_of(const number *numbers) {
    return tern_from_data(ctx, numbers, TERN_SHAPE(N), TERN_COMPLEX128);
}

static void expect_numbers(tern_tensor *got, const number *want, const char *what) {
    number values[N];
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", what, tern_error(ctx));
    cr_assert_eq(tern_dtype_of(got), TERN_COMPLEX128, "%s", what);
    cr_assert_eq(tern_to_host(got, values, sizeof values), TERN_OK);
    for (int i = 0; i < N; i++)
        cr_assert(cabs(values[i] - want[i]) <= 1e-14 * (1 + cabs(want[i])),
                  "%s: element %d is %g%+gi, not %g%+gi", what, i, creal(values[i]),
                  cimag(values[i]), creal(want[i]), cimag(want[i]));
}

static void expect_refused(const char *part) {
    cr_assert_neq(tern_check(ctx), TERN_OK, "not refused: %s", part);
    cr_assert(strstr(tern_error(ctx), part), "%s", tern_error(ctx));
    cr_assert_null(strchr(tern_error(ctx), '\n'));
    tern_error_clear(ctx);
}

Test(complex, arithmetic_is_that_of_c) {
    tern_tensor *a = tensor_of(first), *b = tensor_of(second);
    number want[N];
#define EACH(expression)                                                                           \
    for (int i = 0; i < N; i++) {                                                                  \
        number x = first[i], y = second[i];                                                        \
        (void)y;                                                                                   \
        want[i] = (expression);                                                                    \
    }
#define AGREES(call, expression) EACH(expression) expect_numbers(call, want, #call)
    AGREES(tern_add(a, b), x + y);
    AGREES(tern_sub(a, b), x - y);
    AGREES(tern_mul(a, b), x * y);
    AGREES(tern_div(a, b), x / y);
    AGREES(tern_add_scalar(a, 1.5), x + 1.5);
    AGREES(tern_mul_scalar(a, -2), x * -2);
    AGREES(tern_div(tern_real(a), b), creal(x) / y);
    AGREES(tern_mul(a, tern_imag(b)), x * cimag(y));
    AGREES(tern_neg(a), -x);
    AGREES(tern_square(a), x * x);
    AGREES(tern_reciprocal(a), 1 / x);
    AGREES(tern_exp(tern_div(a, b)), cexp(x / y));
    AGREES(tern_conj(a), conj(x));
    AGREES(tern_sgn(a), x / cabs(x));
    AGREES(tern_complex(tern_abs(a), tern_angle(a)), cabs(x) + I * carg(x));
    AGREES(tern_complex_polar(tern_abs(a), tern_angle(a)), x);
}

Test(complex, sums_and_products_over_dimensions_are_those_of_c) {
    tern_tensor *a = tensor_of(first), *b = tensor_of(second);
    number sum = 0, dot = 0, inner = 0;
    for (int i = 0; i < N; i++) {
        sum += first[i];
        dot += first[i] * second[i];
        inner += conj(first[i]) * second[i];
    }
    const number want[] = {sum, sum / N, dot, inner};
    tern_tensor *got[] = {tern_sum(a), tern_mean(a), tern_dot(a, b), tern_vdot(a, b)};
    for (int k = 0; k < 4; k++) {
        double parts[2];
        cr_assert_eq(tern_item_complex(got[k], parts), TERN_OK, "%s", tern_error(ctx));
        cr_assert(cabs(parts[0] + I * parts[1] - want[k]) < 1e-10, "the %d-th is off", k);
    }
}

Test(complex, a_size_is_right_where_squares_are_not) {
    const number large[] = {3e200 + 4e200 * I, 3e-200 - 4e-200 * I, 0};
    tern_tensor *x = tern_from_data(ctx, large, TERN_SHAPE(3), TERN_COMPLEX128);
    double sizes[3], one[2];
    tern_to_doubles(tern_abs(x), sizes, 3);
    cr_assert(fabs(sizes[0] / 5e200 - 1) < 1e-15 && fabs(sizes[1] / 5e-200 - 1) < 1e-15);
    cr_assert_eq(sizes[2], 0);
    tern_item_complex(tern_select(tern_div(x, x), 0, 0), one);
    cr_assert(fabs(one[0] - 1) < 1e-15 && fabs(one[1]) < 1e-15);
}

Test(complex, views_share_their_parts) {
    tern_tensor *x = tern_clone(tensor_of(first)), *pairs = tern_view_as_real(x);
    cr_assert(tern_shares_storage(x, pairs) && tern_rank(pairs) == 2 && tern_size(pairs, 1) == 2);
    tern_fill_in_place(tern_imag(x), 9);
    tern_fill_in_place(tern_select(pairs, 0, 2), 7);
    double parts[2];
    tern_item_complex(tern_select(x, 0, 0), parts);
    cr_assert(parts[0] == 1 && parts[1] == 9);
    tern_item_complex(tern_select(tern_view_as_complex(pairs), 0, 2), parts);
    cr_assert(parts[0] == 7 && parts[1] == 7);
    cr_assert_eq(tern_storage_numel(x), N);
    cr_assert_eq(tern_storage_numel(pairs), 2 * N);
    tern_view_as_complex(tern_zeros(ctx, TERN_SHAPE(3, 3), TERN_FLOAT32));
    expect_refused("last dimension of size 2");
    tern_view_as_complex(tern_slice(tern_zeros(ctx, TERN_SHAPE(2, 3), TERN_FLOAT32), 1, 1, 3, 1));
    expect_refused("storage_offset divisible by 2");
    tern_view_as_complex(tern_zeros(ctx, TERN_SHAPE(2, 2), TERN_INT64));
    expect_refused("float32 and float64");
    tern_shape most = {TERN_MAX_RANK, {0}};
    for (int d = 0; d < most.rank; d++) most.dim[d] = 1;
    tern_tensor *deep = tern_ones(ctx, most, TERN_COMPLEX64);
    tern_item_complex(tern_clone(deep), parts);
    cr_assert(parts[0] == 1 && parts[1] == 0);
    tern_view_as_real(deep);
    expect_refused("are the most");
}

Test(complex, dtypes_promote_and_convert_as_pytorch) {
    static const struct {
        tern_dtype a, b, both;
    } rows[] = {{TERN_COMPLEX64, TERN_FLOAT32, TERN_COMPLEX64},
                {TERN_COMPLEX64, TERN_FLOAT64, TERN_COMPLEX128},
                {TERN_COMPLEX64, TERN_INT64, TERN_COMPLEX64},
                {TERN_BOOL, TERN_COMPLEX128, TERN_COMPLEX128},
                {TERN_COMPLEX64, TERN_COMPLEX128, TERN_COMPLEX128}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(tern_promote_types(rows[i].a, rows[i].b), rows[i].both);
    tern_tensor *zero_dim = tern_zeros(ctx, TERN_SCALAR_SHAPE, TERN_COMPLEX128);
    tern_tensor *row = tern_zeros(ctx, TERN_SHAPE(2), TERN_FLOAT32);
    cr_assert_eq(tern_dtype_of(tern_add(row, zero_dim)), TERN_COMPLEX64);
    tern_tensor *x = tensor_of(first);
    cr_assert(tern_equal(tern_to_dtype(x, TERN_FLOAT64), tern_real(x)));
    double truth[3];
    const number numbers[3] = {0, I, -1};
    x = tern_from_data(ctx, numbers, TERN_SHAPE(3), TERN_COMPLEX128);
    tern_to_doubles(tern_to_dtype(x, TERN_BOOL), truth, 3);
    cr_assert(truth[0] == 0 && truth[1] == 1 && truth[2] == 1);
    cr_assert(isnan(tern_item(tern_select(x, 0, 0))));
    expect_refused("tern_item_complex");
    tern_to_doubles(x, truth, 3);
    expect_refused("tern_view_as_real");
    tern_add_in_place(row, zero_dim);
    expect_refused("can't be cast");
}

Test(complex, prints_as_pytorch) {
    const float numbers[] = {1, 2, -0.5f, 0.25f, 3, -0.0f};
    tern_tensor *x = tern_from_data(ctx, numbers, TERN_SHAPE(3), TERN_COMPLEX64);
    cr_assert_str_eq(tern_repr_text(x),
                     "tensor([ 1.0000+2.0000j, -0.5000+0.2500j,  3.0000-0.0000j])");
    cr_assert_str_eq(tern_repr_text(tern_to_dtype(tern_select(x, 0, 0), TERN_COMPLEX128)),
                     "tensor(1.+2.j, dtype=torch.complex128)");
}

Test(complex, what_has_no_rule_refuses_by_name) {
    tern_tensor *x = tensor_of(first);
    tern_sin(x);
    expect_refused("sin: complex128 is not supported");
    tern_relu(x);
    expect_refused("relu: complex128 is not supported");
    tern_lt(x, x);
    expect_refused("lt: complex128 is not supported");
    tern_gelu(x);
    expect_refused("gelu: complex128 is not supported");
    tern_imag(tern_real(x));
    expect_refused("imag: ");
    tern_backward(tern_sum(tern_requires_grad(tern_clone(x), true)));
    expect_refused("real scalar outputs but got complex128");
}

Test(complex, an_optimizer_wants_real_parameters) {
    tern_tensor *z = tern_requires_grad(tern_clone(tensor_of(first)), true);
    tern_value parameters = tern_list_new(ctx);
    tern_list_append(parameters, tern_tensor_value(z));
    tern_optim *optim = tern_optim_make(ctx, parameters, "SGD", tern_none());
    tern_backward(tern_sum(tern_square(tern_abs(z))));
    tern_optim_step(optim);
    expect_refused("of complex numbers");
}

/* ---- gradients: of real numbers, by way of complex ones ---- */

static tern_tensor *joined(tern_tensor *x) {
    return tern_view_as_complex(x);
}
static tern_tensor *weighed(tern_tensor *z) {
    tern_tensor *pairs = tern_dtype_is_complex(tern_dtype_of(z)) ? tern_view_as_real(z) : z;
    return tern_square(tern_add_scalar(pairs, 0.5));
}

typedef tern_tensor *(*of_two)(tern_tensor *a, tern_tensor *b);

static tern_tensor *quotient(tern_tensor *a, tern_tensor *b) {
    return tern_div(tern_exp(a), b);
}
static tern_tensor *sizes(tern_tensor *a, tern_tensor *b) {
    return tern_mul(tern_sgn(a), tern_add(tern_abs(b), tern_angle(tern_mul(a, b))));
}
static tern_tensor *matrices(tern_tensor *a, tern_tensor *b) {
    return tern_matmul(tern_H(tern_unsqueeze(a, 1)), tern_unsqueeze(tern_cumsum(b, 0), 1));
}
/* A write to a view of pairs is seen in the history of the complex tensor, and the reverse. */
static tern_tensor *written(tern_tensor *a, tern_tensor *b) {
    tern_tensor *z = tern_mul_scalar(a, 2), *pairs = tern_view_as_real(z);
    tern_copy_in_place(tern_select(pairs, 1, 1), tern_real(tern_square(b)));
    tern_mul_in_place(tern_slice(z, 0, 0, 1, 1), tern_slice(b, 0, 1, 2, 1));
    return tern_add(z, tern_view_as_complex(tern_mul(pairs, pairs)));
}

static tern_tensor *of_pairs(tern_ctx *c, tern_tensor *const *in, int n, void *user) {
    (void)c;
    (void)n;
    return weighed((*(of_two *)user)(joined(in[0]), joined(in[1])));
}

static tern_tensor *leaf(const number *numbers) {
    return tern_requires_grad(tern_from_data(ctx, numbers, TERN_SHAPE(3, 2), TERN_FLOAT64), true);
}

Test(complex, gradients_agree_with_finite_differences) {
    static of_two functions[] = {tern_mul, quotient, sizes, matrices, written};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        tern_tensor *inputs[] = {leaf(first), leaf(second + 1)};
        cr_assert_eq(tern_gradcheck(ctx, of_pairs, &functions[i], inputs, 2, 1e-6, 1e-5, 1e-4),
                     TERN_OK, "function %zu: %s", i, tern_error(ctx));
    }
}

Test(complex, a_gradient_is_the_conjugate_derivative) {
    tern_tensor *z = tern_requires_grad(tern_clone(tensor_of(first)), true);
    number want[N], values[N];
    tern_backward(tern_sum(tern_square(tern_abs(z)))); /* of x^2 + y^2: 2 x + 2 y i */
    for (int i = 0; i < N; i++) want[i] = 2 * first[i];
    expect_numbers(tern_grad_of(z), want, "grad of |z|^2");
    tern_set_grad(z, NULL);
    tern_backward(tern_sum(tern_real(tern_square(z)))); /* conj(2 z) */
    for (int i = 0; i < N; i++) want[i] = conj(2 * first[i]);
    expect_numbers(tern_grad_of(z), want, "grad of Re z^2");
    number zeros[N] = {0};
    tern_tensor *at_zero = tern_requires_grad(tern_clone(tensor_of(zeros)), true);
    tern_backward(tern_sum(tern_add(tern_abs(at_zero), tern_angle(at_zero))));
    tern_to_host(tern_grad_of(at_zero), values, sizeof values);
    cr_assert(values[0] == 0, "the slope at 0 is %g", cabs(values[0]));
}

/* ---- files ---- */

static void round_trip(tern_tensor *x, const char *path) {
    tern_value saved = tern_dict_new(ctx, false);
    tern_dict_set(saved, "x", tern_tensor_value(x));
    cr_assert_eq(tern_value_save(ctx, saved, path), TERN_OK, "%s", tern_error(ctx));
    tern_tensor *back = tern_dict_get(tern_value_load(ctx, path), "x").as.tensor;
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_dtype_of(back), tern_dtype_of(x));
    cr_assert(tern_equal(back, x), "%s", path);
}

Test(complex, files_keep_them) {
    tern_tensor *x = tensor_of(first),
                *y = tern_to_dtype(tern_reshape(x, TERN_SHAPE(2, 3)), TERN_COMPLEX64);
    round_trip(x, "complex.pth");
    round_trip(tern_t(y), "complex.pth");
    round_trip(x, "complex.npz");
    round_trip(y, "complex.npz");
    round_trip(y, "complex.safetensors");
    tern_value saved = tern_dict_new(ctx, false);
    tern_dict_set(saved, "x", tern_tensor_value(x));
    tern_value_save(ctx, saved, "complex.safetensors");
    expect_refused("complex128, which the format does not have");
    remove("complex.pth");
    remove("complex.npz");
    remove("complex.safetensors");
}
