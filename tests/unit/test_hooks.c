/* Hooks of modules, and the place of errors in a model. */
#include <stdio.h>

#include "nn_fixture.h"
#include "tern/hooks.h"

TestSuite(hooks, .init = open_context, .fini = close_context);

static tern_tensor *ones(int64_t rows, int64_t columns) {
    return tern_ones(ctx, TERN_SHAPE(rows, columns), TERN_FLOAT32);
}

/* ---- forward --------------------------------------------------------------------------------- */

static tern_value note_before(tern_module *module, tern_value args, void *user) {
    strcat(user, tern_module_name(module));
    strcat(user, tern_value_count(args) == 1 ? "< " : "<? ");
    return tern_none();
}

static tern_value note_after(tern_module *module, tern_value args, tern_value output, void *user) {
    strcat(user, tern_module_name(module));
    strcat(user, args.kind == TERN_VALUE_TUPLE && output.kind == TERN_VALUE_TENSOR ? "> " : ">? ");
    return tern_none();
}

static bool hook_all(void *user, const char *name, tern_module *module) {
    (void)name;
    tern_module_forward_pre_hook(module, note_before, user);
    tern_module_forward_hook(module, note_after, user);
    return true;
}

Test(hooks, they_are_called_around_every_forward) {
    char text[256] = "";
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), ReLU())");
    tern_module_each(m, hook_all, text);
    tern_tensor *x = ones(1, 2), *y = tern_forward(m, x);
    CHECK_CLEAN();
    cr_assert_str_eq(text, "Sequential< Linear< Linear> ReLU< ReLU> Sequential> ");
    cr_assert(tern_equal(y, tern_relu(tern_forward(tern_module_get(m, "0"), x))));
}

static tern_value double_input(tern_module *module, tern_value args, void *user) {
    (void)module;
    (void)user;
    return tern_tensor_value(tern_mul_scalar(tern_value_at(args, 0).as.tensor, 2));
}

static tern_value add_one(tern_module *module, tern_value args, tern_value output, void *user) {
    (void)module;
    (void)args;
    (void)user;
    return tern_tensor_value(tern_add_scalar(output.as.tensor, 1));
}

Test(hooks, they_change_arguments_and_outputs_until_they_are_removed) {
    tern_module *m = tern_nn_relu(ctx);
    tern_hook *before = tern_module_forward_pre_hook(m, double_input, NULL);
    tern_hook *first = tern_module_forward_hook(m, add_one, NULL);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_module_forward_hook(m, add_one, NULL);
    cr_assert_float_eq(at(tern_forward(m, ones(1, 1)), 0), 4, 0);
    tern_scope_end(scope);
    cr_assert_float_eq(at(tern_forward(m, ones(1, 1)), 0), 3, 0);
    tern_hook_remove(before);
    cr_assert_float_eq(at(tern_forward(m, ones(1, 1)), 0), 2, 0);
    tern_hook_remove(first);
    cr_assert_float_eq(at(tern_forward(m, ones(1, 1)), 0), 1, 0);
    CHECK_CLEAN();
    tern_hook_remove(first);
    CHECK_ERROR_HAS("the hook is gone");
}

Test(hooks, a_hook_may_outlive_its_module) {
    tern_module *m = tern_nn_relu(ctx);
    tern_hook *hook = tern_module_forward_hook(m, add_one, NULL);
    tern_module_free(m);
    tern_module *next = tern_nn_relu(ctx);
    tern_hook_remove(hook);
    cr_assert_float_eq(at(tern_forward(next, ones(1, 1)), 0), 1, 0);
    CHECK_CLEAN();
}

static tern_value last_of(tern_module *module, tern_value args, tern_value output, void *user) {
    (void)module;
    (void)args;
    *(double *)user = at(tern_value_at(output, 0).as.tensor, 0);
    return tern_none();
}

Test(hooks, modules_of_many_values_have_them_too) {
    double seen = 5;
    tern_module *m = tern_nn(ctx, "LSTM(2, 3)");
    tern_module_forward_hook(m, last_of, &seen);
    tern_value x = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(4, 1, 2), TERN_FLOAT32));
    tern_value y = tern_module_call(m, &x, 1, tern_none());
    cr_assert_float_eq(at(tern_value_at(y, 0).as.tensor, 0), seen, 0);
    CHECK_CLEAN();
}

Test(hooks, a_layer_and_its_activation_have_them_where_nothing_is_recorded) {
    char text[256] = "";
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), ReLU())");
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *plain = tern_forward(m, ones(1, 2));
    tern_module_each(m, hook_all, text);
    cr_assert(tern_equal(tern_forward(m, ones(1, 2)), plain));
    cr_assert_str_eq(text, "Sequential< Linear< Linear> ReLU< ReLU> Sequential> ");
    tern_scope_end(scope);
    CHECK_CLEAN();
}

/* ---- backward -------------------------------------------------------------------------------- */

typedef struct seen {
    int calls;
    double input, output;
    bool has_input;
} seen;

static tern_value look(tern_module *module, tern_value grad_input, tern_value grad_output,
                       void *user) {
    seen *s = user;
    (void)module;
    tern_value input = tern_value_at(grad_input, 0);
    s->calls++;
    s->has_input = input.kind == TERN_VALUE_TENSOR;
    s->input = s->has_input ? at(input.as.tensor, 0) : 0;
    s->output = at(tern_value_at(grad_output, 0).as.tensor, 0);
    return tern_none();
}

static tern_value negate(tern_module *module, tern_value grad_input, tern_value grad_output,
                         void *user) {
    (void)module;
    (void)grad_output;
    (void)user;
    return tern_tensor_value(tern_neg(tern_value_at(grad_input, 0).as.tensor));
}

/* y = w2 (w1 x): all weights 1, 2 and 3. */
static tern_module *two_layers(void) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(1, 1, bias=False), Linear(1, 1, bias=False))");
    tern_init_constant(tern_module_tensor(m, "0.weight"), 2);
    tern_init_constant(tern_module_tensor(m, "1.weight"), 3);
    return m;
}

Test(hooks, a_backward_hook_sees_the_gradients_of_both_sides) {
    seen first = {0, 0, 0, false}, second = first;
    tern_module *m = two_layers();
    tern_module_backward_hook(tern_module_get(m, "0"), look, &first);
    tern_module_backward_hook(tern_module_get(m, "1"), look, &second);
    tern_backward(tern_mul_scalar(tern_sum(tern_forward(m, ones(1, 1))), 5));
    CHECK_CLEAN();
    cr_assert(first.calls == 1 && second.calls == 1);
    cr_assert(second.has_input && second.input == 15 && second.output == 5);
    cr_assert(!first.has_input && first.output == 15);
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "0.weight")), 0), 15, 0);
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "1.weight")), 0), 10, 0);
}

Test(hooks, a_backward_hook_replaces_what_flows_on) {
    tern_module *m = two_layers();
    seen s = {0, 0, 0, false};
    tern_hook *hook = tern_module_backward_hook(tern_module_get(m, "1"), negate, NULL);
    tern_module_backward_hook(tern_module_get(m, "1"), look, &s);
    tern_backward(tern_sum(tern_forward(m, ones(1, 1))));
    cr_assert_float_eq(s.input, -3, 0);
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "0.weight")), 0), -3, 0);
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "1.weight")), 0), 2, 0);
    tern_hook_remove(hook);
    tern_module_zero_grad(m);
    tern_backward(tern_sum(tern_forward(m, ones(1, 1))));
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "0.weight")), 0), 3, 0);
    CHECK_CLEAN();
}

Test(hooks, gradients_of_a_tuple_come_with_nones) {
    seen s = {0, 0, 0, false};
    tern_module *m = tern_nn(ctx, "LSTM(2, 3)");
    tern_module_backward_hook(m, look, &s);
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(4, 1, 2), TERN_FLOAT32), true);
    tern_value arg = tern_tensor_value(x);
    tern_value y = tern_module_call(m, &arg, 1, tern_none());
    tern_backward(tern_sum(tern_value_at(y, 0).as.tensor));
    CHECK_CLEAN();
    cr_assert(s.calls == 1 && s.has_input && s.output == 1);
    cr_assert_float_eq(s.input, at(tern_grad_of(x), 0), 0);
}

/* ---- where an error arose -------------------------------------------------------------------- */

Test(hooks, an_error_names_the_module_by_its_path) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), Sequential(ReLU(), Linear(3, 2)))");
    cr_assert(tern_is_nil(tern_forward(m, ones(1, 2))));
    cr_assert_eq(strncmp(tern_error(ctx), "1.1 (Linear): ", 14), 0, "%s", tern_error(ctx));
    CHECK_ERROR_HAS("1x2 and 3x2");
    tern_forward(tern_module_get(m, "1.1"), ones(1, 2));
    cr_assert_null(strstr(tern_error(ctx), "(Linear)"), "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_forward(m, ones(1, 5));
    cr_assert_eq(strncmp(tern_error(ctx), "0 (Linear): ", 12), 0, "%s", tern_error(ctx));
    tern_error_clear(ctx);
    m = tern_nn(ctx, "Sequential(Linear(2, 2), ReLU())");
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_forward(m, ones(1, 5));
    cr_assert_eq(strncmp(tern_error(ctx), "0 (Linear): ", 12), 0, "%s", tern_error(ctx));
    tern_error_clear(ctx);
    tern_scope_end(scope);
}

typedef struct told {
    int times;
    char message[200];
} told;

static void tell(void *user, tern_status status, const char *message) {
    (void)status;
    told *t = user;
    t->times++;
    snprintf(t->message, sizeof t->message, "%s", message);
}

Test(hooks, the_error_callback_gets_the_whole_text_once) {
    told t = {0};
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), Linear(3, 2))");
    tern_on_error(ctx, tell, &t);
    tern_forward(m, ones(1, 2));
    cr_assert_eq(t.times, 1);
    cr_assert_str_eq(t.message, tern_error(ctx));
    cr_assert_eq(strncmp(t.message, "1 (Linear): ", 12), 0, "%s", t.message);
    tern_error_clear(ctx);
    tern_fail(ctx, TERN_ERR_STATE, "after the call");
    cr_assert_str_eq(t.message, "after the call");
    tern_error_clear(ctx);
    tern_on_error(ctx, NULL, NULL);
}
