/* LBFGS: minima, what it remembers, closures that fail. */
#include "nn_fixture.h"

#include "tern/memory.h"

#include <math.h>

TestSuite(optim_lbfgs, .init = open_context, .fini = close_context);
TestSuite(optim_lbfgs_failures);

/* Rosenbrock's valley 100 (y - x^2)^2 + (1 - x)^2 of two parameters of one element. */
typedef struct valley {
    tern_tensor *x, *y;
    tern_optim *optim;
    int calls, fail_at; /* the call that returns no loss, 0 for none */
} valley;

static tern_tensor *evaluate(void *user) {
    valley *v = user;
    if (++v->calls == v->fail_at) return NULL;
    tern_optim_zero_grad(v->optim);
    tern_tensor *rise = tern_square(tern_sub(v->y, tern_square(v->x)));
    tern_tensor *slope = tern_square(tern_rsub_scalar(v->x, 1));
    tern_tensor *loss = tern_sum(tern_add(tern_mul_scalar(rise, 100), slope));
    tern_backward(loss);
    return loss;
}

static tern_tensor *number(double value) {
    return tern_requires_grad(tern_full(ctx, TERN_SHAPE(1), value, TERN_FLOAT64), true);
}

static valley valley_with(const char *options) {
    valley v = {.x = number(-1.2), .y = number(1)};
    tern_value params = tern_list_new(ctx), call = tern_notation_parse(ctx, "test", options);
    tern_list_append(params, tern_tensor_value(v.x));
    tern_list_append(params, tern_tensor_value(v.y));
    v.optim = tern_optim_make(ctx, params, "LBFGS", tern_dict_get(call, "args"));
    return v;
}

Test(optim_lbfgs, reaches_rosenbrocks_minimum) {
    valley v =
        valley_with("f(max_iter=100, tolerance_change=1e-20, line_search_fn='strong_wolfe')");
    double loss;
    cr_assert_eq(tern_optim_step_closure(v.optim, evaluate, &v, &loss), TERN_OK, "%s",
                 tern_error(ctx));
    cr_assert_float_eq(loss, 24.2, 1e-9);
    cr_assert_float_eq(at(v.x, 0), 1, 1e-7, "%.9g", at(v.x, 0));
    cr_assert_float_eq(at(v.y, 0), 1, 1e-7, "%.9g", at(v.y, 0));
    cr_assert_lt(v.calls, 60);
    int calls = v.calls;
    tern_optim_step_closure(v.optim, evaluate, &v, &loss);
    cr_assert_lt(loss, 1e-14, "%g", loss);
    cr_assert_eq(v.calls, calls + 1, "the gradient is below tolerance_grad");
    CHECK_CLEAN();
}

/* From the second pair on a step without a line search is the secant method's. */
Test(optim_lbfgs, converges_without_a_line_search) {
    tern_tensor *p = number(8);
    tern_value params = tern_list_new(ctx);
    tern_list_append(params, tern_tensor_value(p));
    tern_lbfgs_options o = TERN_LBFGS_OPTIONS;
    o.max_iter = 2;
    valley v = {.x = p, .y = p, .optim = tern_lbfgs_new(ctx, params, &o)};
    for (int i = 0; i < 30; i++) tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    cr_assert_float_eq(at(p, 0), 1, 1e-6, "%g", at(p, 0));
    CHECK_CLEAN();
}

Test(optim_lbfgs, forgets_the_oldest_pairs) {
    valley v = valley_with("f(max_iter=12, history_size=3, line_search_fn='strong_wolfe')");
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    tern_value state = tern_dict_get(tern_optim_state_dict(v.optim), "state");
    state = tern_dict_get_value(state, tern_int(0));
    cr_assert_eq(tern_value_count(tern_dict_get(state, "old_dirs")), 3);
    cr_assert_eq(tern_dict_get(state, "n_iter").as.i, 12);
    tern_tensor *y = tern_value_at(tern_dict_get(state, "old_dirs"), 2).as.tensor;
    tern_tensor *s = tern_value_at(tern_dict_get(state, "old_stps"), 2).as.tensor;
    tern_tensor *ro = tern_value_at(tern_dict_get(state, "ro"), 2).as.tensor;
    cr_assert_float_eq(tern_item(ro) * tern_item(tern_dot(y, s)), 1, 1e-12);
    tern_optim_set(v.optim, 0, "history_size", tern_int(1));
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    state = tern_dict_get(tern_optim_state_dict(v.optim), "state");
    state = tern_dict_get_value(state, tern_int(0));
    cr_assert_eq(tern_value_count(tern_dict_get(state, "old_dirs")), 1);
    CHECK_CLEAN();
}

Test(optim_lbfgs, has_pytorchs_keys) {
    static const char *const keys[] = {"func_evals", "n_iter",         "al",       "d",
                                       "t",          "old_dirs",       "old_stps", "ro",
                                       "H_diag",     "prev_flat_grad", "prev_loss"};
    valley v = valley_with("f()");
    cr_assert_eq(tern_value_count(tern_dict_get(tern_optim_state_dict(v.optim), "state")), 0);
    cr_assert_null(tern_optim_state(v.optim, 0, "d"));
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    tern_value state = tern_dict_get(tern_optim_state_dict(v.optim), "state"), key, item;
    cr_assert_eq(tern_value_count(state), 1);
    state = tern_dict_get_value(state, tern_int(0));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        cr_assert(tern_dict_at(state, i, &key, &item));
        cr_assert_str_eq(key.as.s, keys[i]);
    }
    cr_assert_eq(tern_numel(tern_optim_state(v.optim, 0, "d")), 2);
    cr_assert_eq(tern_dict_get(state, "func_evals").as.i, v.calls);
    cr_assert_str_eq(tern_optim_repr_text(v.optim), "LBFGS (\n"
                                                    "Parameter Group 0\n"
                                                    "    history_size: 100\n"
                                                    "    line_search_fn: None\n"
                                                    "    lr: 1\n"
                                                    "    max_eval: 25\n"
                                                    "    max_iter: 20\n"
                                                    "    tolerance_change: 1e-09\n"
                                                    "    tolerance_grad: 1e-07\n"
                                                    ")");
}

Test(optim_lbfgs, goes_on_from_a_loaded_state) {
    valley v = valley_with("f(max_iter=4, line_search_fn='strong_wolfe')"), w = valley_with("f()");
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_copy_in_place(w.x, v.x);
    tern_copy_in_place(w.y, v.y);
    cr_assert_eq(tern_optim_load_state_dict(w.optim, tern_optim_state_dict(v.optim)), TERN_OK, "%s",
                 tern_error(ctx));
    tern_scope_end(scope);
    for (int i = 0; i < 3; i++) {
        tern_optim_step_closure(v.optim, evaluate, &v, NULL);
        tern_optim_step_closure(w.optim, evaluate, &w, NULL);
    }
    cr_assert(tern_equal(tern_detach(v.x), tern_detach(w.x)));
    tern_value all = tern_optim_state_dict(v.optim), state = tern_dict_get(all, "state");
    tern_dict_set(tern_dict_get_value(state, tern_int(0)), "d",
                  tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT64)));
    tern_optim_load_state_dict(w.optim, all);
    CHECK_ERROR("LBFGS: the saved state 'd' does not have the size of all parameters together");
    cr_assert_eq(tern_optim_step_closure(w.optim, evaluate, &w, NULL), TERN_OK);
}

Test(optim_lbfgs, memory_does_not_grow_with_steps) {
    valley v = valley_with("f(max_iter=4, history_size=4, line_search_fn='strong_wolfe')");
    uint64_t before = 0;
    for (int i = 0; i < 6; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_step_closure(v.optim, evaluate, &v, NULL);
        tern_scope_end(scope);
        if (i == 2) before = tern_stats_of(ctx).device_bytes;
    }
    cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
    CHECK_CLEAN();
}

Test(optim_lbfgs, bad_calls_are_told) {
    valley v = valley_with("f(line_search_fn='strong_wolfe')");
    double loss = 1;
    cr_assert_eq(tern_optim_step(v.optim), TERN_ERR_ARGUMENT);
    CHECK_ERROR("LBFGS: a step needs a closure that evaluates the loss: call "
                "tern_optim_step_closure");
    cr_assert_eq(tern_optim_step_closure(v.optim, NULL, NULL, &loss), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_optim_step_closure: closure is NULL");
    cr_assert(isnan(loss));
    cr_assert_eq(tern_optim_step_closure(NULL, evaluate, &v, NULL), TERN_ERR_ARGUMENT);
    tern_optim_set(v.optim, 0, "max_eval", tern_none());
    CHECK_ERROR("LBFGS: a group's max_eval must be a number");
    v.fail_at = 3;
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    CHECK_ERROR("LBFGS: the closure must return the loss, a single number");
    cr_assert_eq(v.calls, 3);
    tern_value group = tern_dict_new(ctx, false), more = tern_list_new(ctx);
    tern_list_append(more, tern_tensor_value(number(1)));
    tern_dict_set(group, "params", more);
    tern_optim_add_group(v.optim, group);
    CHECK_ERROR("LBFGS doesn't support per-parameter options (parameter groups)");
}

Test(optim_lbfgs, parameters_are_of_one_dtype) {
    tern_value params = tern_list_new(ctx);
    tern_list_append(params, tern_tensor_value(number(1)));
    tern_tensor *single = tern_full(ctx, TERN_SHAPE(1), 1, TERN_FLOAT32);
    tern_list_append(params, tern_tensor_value(tern_requires_grad(single, true)));
    valley v = {.optim = tern_lbfgs_new(ctx, params, NULL)};
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    CHECK_ERROR(
        "LBFGS: parameters must have one dtype and lie on one device, but there are float64 "
        "on cpu_ref and float32 on cpu_ref");
    cr_assert_eq(v.calls, 0);
}

Test(optim_lbfgs, a_closure_has_gradients_within_no_grad) {
    valley v = valley_with("f(max_iter=2)");
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    cr_assert_eq(tern_optim_step_closure(v.optim, evaluate, &v, NULL), TERN_OK, "%s",
                 tern_error(ctx));
    tern_scope_end(scope);
}

/* ---- every allocation ------------------------------------------------------------------------ */

static tern_status step_save_and_load(void) {
    open_context();
    valley v = valley_with("f(max_iter=4, line_search_fn='strong_wolfe')");
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    tern_optim_load_state_dict(v.optim, tern_optim_state_dict(v.optim));
    tern_optim_step_closure(v.optim, evaluate, &v, NULL);
    tern_status status = tern_check(ctx);
    tern_close(ctx);
    return status;
}

Test(optim_lbfgs_failures, every_failed_allocation_ends_in_a_clean_error) {
    cr_assert_eq(step_save_and_load(), TERN_OK);
    tern_fail_allocation(0);
    step_save_and_load();
    uint64_t calls = tern_fail_allocation(0);
    cr_assert_gt(calls, 10);
    for (uint64_t n = 1; n <= calls; n++) {
        tern_fail_allocation(n);
        tern_status status = step_save_and_load();
        tern_fail_allocation(0);
        cr_assert_neq(status, TERN_OK, "call %llu of %llu", (unsigned long long)n,
                      (unsigned long long)calls);
    }
}
