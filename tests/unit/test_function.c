/* Functions with a backward of the program's own, and hooks on gradients. */
#include "nn_fixture.h"
#include "tern/function.h"

TestSuite(function, .init = open_context, .fini = close_context);

static tern_tensor *leaf(tern_shape shape, const float *data) {
    return tern_requires_grad(floats(shape, data), true);
}

/* ---- one input, one output ------------------------------------------------------------------- */

static void cube_forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    tern_function_save(call, in[0]);
    out[0] = tern_mul(in[0], tern_mul(in[0], in[0]));
}

static void cube_backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    tern_tensor *x = tern_function_saved(call, 0);
    out[0] = tern_mul(grads[0], tern_mul_scalar(tern_mul(x, x), 3));
}

static const tern_function cube = {
    .name = "Cube", .forward = cube_forward, .backward = cube_backward};

static tern_tensor *cube_of(tern_ctx *c, tern_tensor *const *inputs, int n, void *user) {
    (void)c;
    (void)n;
    return tern_function_apply(&cube, inputs[0], user);
}

Test(function, a_backward_of_ones_own_is_called) {
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    tern_tensor *y = tern_function_apply(&cube, x, NULL);
    cr_assert_str_eq(tern_grad_fn_name(y), "CubeBackward0");
    cr_assert_float_eq(at(y, 0), 8, 0);
    cr_assert_eq(tern_backward(tern_sum(y)), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 12, 0);
    cr_assert_float_eq(at(tern_grad_of(x), 1), 3, 0);
    /* Without a need for gradients nothing is recorded. */
    cr_assert(tern_is_leaf(tern_function_apply(&cube, tern_detach(x), NULL)));
    tern_backward(tern_sum(y));
    CHECK_ERROR_HAS("Trying to backward through the graph a second time");
}

Test(function, what_is_made_of_operations_is_differentiated_again) {
    const double data[] = {0.5, -1.25, 2};
    tern_tensor *x =
        tern_requires_grad(tern_from_data(ctx, data, TERN_SHAPE(3), TERN_FLOAT64), true);
    cr_assert_eq(tern_gradcheck(ctx, cube_of, NULL, &x, 1, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                 tern_error(ctx));
    cr_assert_eq(tern_gradgradcheck(ctx, cube_of, NULL, &x, 1, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                 tern_error(ctx));
}

Test(function, a_saved_tensor_that_was_written_to_is_refused) {
    tern_tensor *x = leaf(TERN_SHAPE(1), (float[]){2}), *z = tern_mul_scalar(x, 1);
    tern_tensor *y = tern_function_apply(&cube, z, NULL);
    tern_add_scalar_in_place(z, 1);
    tern_backward(tern_sum(y));
    CHECK_ERROR_HAS("which is input 0 of CubeBackward0, is at version 1; expected version 0");
}

/* ---- several, an intermediate value and an output saved -------------------------------------- */

static void pair_forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    tern_tensor *e = tern_exp(in[0]), *s = tern_sin(in[1]);
    tern_function_save(call, e); /* an output */
    tern_function_save(call, tern_cos(in[1]));
    tern_function_save(call, s);
    out[0] = e;
    out[1] = tern_mul(e, s);
}

static void pair_backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    int *calls = tern_function_user(call);
    tern_tensor *e = tern_function_saved(call, 0), *c = tern_function_saved(call, 1);
    tern_tensor *s = tern_function_saved(call, 2);
    calls[0]++;
    out[0] = tern_mul(e, tern_add(grads[0], tern_mul(grads[1], s)));
    if (tern_function_needs(call, 1)) {
        calls[1]++;
        out[1] = tern_mul(grads[1], tern_mul(e, c));
    }
}

static const tern_function pair = {
    .name = "Pair", .n_outputs = 2, .forward = pair_forward, .backward = pair_backward};

static tern_tensor *second_of(tern_ctx *c, tern_tensor *const *inputs, int n, void *user) {
    tern_tensor *out[2];
    (void)c;
    tern_function_apply_all(&pair, inputs, n, user, out);
    return tern_add(out[0], out[1]);
}

Test(function, several_inputs_and_outputs_with_saved_intermediate_values) {
    const double data[] = {0.5, -1.25, 2, 1};
    int calls[2] = {0, 0};
    tern_tensor *both[2];
    for (int i = 0; i < 2; i++)
        both[i] = tern_requires_grad(tern_from_data(ctx, data + 2 * i, TERN_SHAPE(2), TERN_FLOAT64),
                                     true);
    cr_assert_eq(tern_gradcheck(ctx, second_of, calls, both, 2, 1e-6, 1e-5, 1e-3), TERN_OK, "%s",
                 tern_error(ctx));
    calls[0] = calls[1] = 0;
    both[1] = tern_detach(both[1]);
    tern_tensor *out[2];
    tern_function_apply_all(&pair, both, 2, calls, out);
    tern_backward(tern_sum(out[0])); /* the second output has no gradient: zeros */
    cr_assert_float_eq(at(tern_grad_of(both[0]), 0), at(out[0], 0), 1e-12);
    cr_assert(calls[0] == 1 && calls[1] == 0);
    CHECK_CLEAN();
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void empty_forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    (void)call;
    (void)in;
    (void)out;
}

static void wrong_backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    (void)call;
    (void)grads;
    out[0] = tern_ones(ctx, TERN_SHAPE(5), TERN_FLOAT32);
}

Test(function, faults_of_the_functions_are_named) {
    static const tern_function empty = {
        .name = "Empty", .forward = empty_forward, .backward = cube_backward};
    static const tern_function wrong = {
        .name = "Wrong", .forward = cube_forward, .backward = wrong_backward};
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    cr_assert(tern_is_nil(tern_function_apply(&empty, x, NULL)));
    CHECK_ERROR("Empty: its forward gave no output 0");
    tern_backward(tern_sum(tern_function_apply(&wrong, x, NULL)));
    CHECK_ERROR("Function WrongBackward returned an invalid gradient at index 0 - got [5] but "
                "expected shape compatible with [2]");
    cr_assert(tern_is_nil(tern_function_apply(NULL, x, NULL)));
    CHECK_ERROR_HAS("needs a function");
}

static tern_function_call *kept;

static void keeping_forward(tern_function_call *call, tern_tensor *const *in, tern_tensor **out) {
    kept = call;
    out[0] = in[0];
}

Test(function, a_call_that_is_over_is_refused) {
    static const tern_function keeping = {
        .name = "Keeping", .forward = keeping_forward, .backward = cube_backward};
    tern_tensor *x = leaf(TERN_SHAPE(1), (float[]){2});
    tern_tensor *y = tern_function_apply(&keeping, x, NULL);
    cr_assert(y != x && tern_shares_storage(x, y));
    cr_assert_eq(tern_function_save(kept, x), TERN_ERR_STATE);
    CHECK_ERROR_HAS("tern_function_save: the function call is gone");
}

Test(function, an_application_without_memory_leaves_nothing_behind) {
    tern_tensor *x = leaf(TERN_SHAPE(100), (float[100]){2});
    int calls[2];
    tern_tensor *both[2] = {x, x}, *out[2];
    for (uint64_t n = 1;; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        uint64_t before = tern_stats_of(ctx).device_bytes;
        tern_fail_allocation(n);
        tern_status status = tern_function_apply_all(&pair, both, 2, calls, out);
        tern_fail_allocation(0);
        if (status == TERN_OK) break;
        tern_error_clear(ctx);
        cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
        tern_scope_end(scope);
        tern_empty_cache(ctx);
        cr_assert_lt(n, 1000);
    }
    CHECK_CLEAN();
}

/* ---- a backward inside of a backward --------------------------------------------------------- */

static void inner_backward(tern_function_call *call, tern_tensor *const *grads, tern_tensor **out) {
    tern_ctx *c = tern_function_context(call);
    tern_tensor *again = tern_function_user(call);
    tern_tensor *x =
        again ? again : tern_requires_grad(tern_detach(tern_function_saved(call, 0)), true);
    tern_scope scope = tern_scope_begin(c, TERN_ENABLE_GRAD);
    tern_tensor *y = tern_mul(x, tern_mul(x, x)), *grad;
    tern_grad(&y, 1, &x, 1, grads, 0, &grad);
    out[0] = tern_scope_return(scope, grad);
}

static const tern_function inner = {
    .name = "Inner", .forward = cube_forward, .backward = inner_backward};

Test(function, a_gradient_may_be_computed_inside_of_a_backward) {
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    tern_tensor *w = leaf(TERN_SHAPE(2), (float[]){3, 5});
    tern_tensor *y = tern_function_apply(&inner, tern_mul(x, w), NULL);
    tern_backward(tern_sum(tern_add(tern_mul(y, w), tern_function_apply(&inner, x, NULL))));
    CHECK_CLEAN();
    /* (x w)^3 w + x^3: by x 3 x^2 w^4 + 3 x^2 */
    cr_assert_float_eq(at(tern_grad_of(x), 0), 3 * 4 * 81 + 12, 1e-3);
    cr_assert_float_eq(at(tern_grad_of(w), 1), 4 * -1 * 125, 1e-3);
}

Test(function, one_that_reaches_a_leaf_of_the_outer_one_is_refused) {
    tern_tensor *x = leaf(TERN_SHAPE(1), (float[]){2});
    tern_tensor *y = tern_function_apply(&inner, x, x);
    tern_backward(tern_sum(tern_add(y, tern_mul(x, x))));
    CHECK_ERROR(
        "backward: inside of another, it reached a leaf of that one: use tern_detach(leaf)");
    tern_set_grad(x, NULL);
    tern_backward(tern_sum(tern_mul(x, x)));
    cr_assert_float_eq(at(tern_grad_of(x), 0), 4, 0);
    CHECK_CLEAN();
}

/* ---- hooks ----------------------------------------------------------------------------------- */

typedef struct seen {
    int calls;
    double first;
} seen;

static tern_tensor *look(tern_tensor *grad, void *user) {
    seen *s = user;
    s->calls++;
    s->first = at(grad, 0);
    return NULL;
}

static tern_tensor *doubled(tern_tensor *grad, void *user) {
    (void)user;
    return tern_mul_scalar(grad, 2);
}

Test(function, hooks_of_a_leaf_see_and_change_its_whole_gradient) {
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    seen s = {0, 0};
    tern_hook *twice = tern_tensor_hook(x, doubled, NULL);
    tern_hook *watch = tern_tensor_hook(x, look, &s);
    for (int i = 0; i < 2; i++) {
        tern_set_grad(x, NULL);
        tern_backward(tern_sum(tern_add(tern_mul(x, x), x)));
        cr_assert_float_eq(at(tern_grad_of(x), 0), 10, 0);
    }
    cr_assert(s.calls == 2 && s.first == 10);
    tern_hook_remove(twice);
    tern_tensor *y = tern_sum(tern_mul(x, x)), *grad;
    tern_grad(&y, 1, &x, 1, NULL, 0, &grad);
    cr_assert_float_eq(at(grad, 0), 4, 0);
    cr_assert(s.calls == 3 && s.first == 4);
    tern_hook_remove(watch);
    tern_set_grad(x, NULL);
    tern_backward(tern_sum(tern_mul(x, x)));
    cr_assert_eq(s.calls, 3);
    CHECK_CLEAN();
}

Test(function, a_hook_ends_with_its_scope) {
    tern_tensor *x = leaf(TERN_SHAPE(1), (float[]){2});
    seen s = {0, 0};
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_hook *watch = tern_tensor_hook(x, look, &s);
    tern_scope_end(scope);
    tern_backward(tern_sum(tern_mul(x, x)));
    cr_assert_eq(s.calls, 0);
    CHECK_CLEAN();
    tern_hook_remove(watch);
    CHECK_ERROR_HAS("tern_hook_remove: the hook is gone");
}

Test(function, hooks_of_other_tensors_change_what_flows_on) {
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    tern_tensor *y = tern_mul(x, x);
    seen s = {0, 0};
    tern_tensor_hook(y, doubled, NULL);
    tern_hook *watch = tern_tensor_hook(y, look, &s);
    tern_backward(tern_sum(tern_add(y, tern_mul_scalar(y, 2))));
    CHECK_CLEAN();
    cr_assert_float_eq(at(tern_grad_of(x), 0), 2 * 3 * 4, 0);
    cr_assert_eq(s.calls, 1);
    tern_hook_remove(watch);
    tern_tensor_hook(tern_detach(y), look, &s);
    CHECK_ERROR("cannot register a hook on a tensor that doesn't require gradient");
}

static tern_tensor *misshapen(tern_tensor *grad, void *user) {
    (void)grad;
    (void)user;
    return tern_ones(ctx, TERN_SHAPE(7), TERN_FLOAT32);
}

Test(function, a_hook_that_returns_another_shape_is_refused) {
    tern_tensor *x = leaf(TERN_SHAPE(2), (float[]){2, -1});
    tern_tensor_hook(x, misshapen, NULL);
    tern_backward(tern_sum(tern_mul(x, x)));
    CHECK_ERROR_HAS("a gradient's hook returned another shape");
}
