/* Optimizers: updates, groups, state dicts, printing, refusals, and steps that fail whole. */
#include "nn_fixture.h"

#include <math.h>

TestSuite(optim, .init = open_context, .fini = close_context);

static tern_tensor *parameter(float a, float b) {
    const float data[] = {a, b};
    return tern_requires_grad(floats(TERN_SHAPE(2), data), true);
}

/* A matrix of one row: every optimizer takes it. */
static tern_tensor *row(float a, float b) {
    const float data[] = {a, b};
    return tern_requires_grad(floats(TERN_SHAPE(1, 2), data), true);
}

/* The closure of p.p; `user` is a bowl. */
typedef struct bowl {
    tern_optim *optim;
    tern_tensor *p;
} bowl;

static tern_tensor *evaluate_bowl(void *user) {
    const bowl *b = user;
    tern_optim_zero_grad(b->optim);
    tern_tensor *loss = tern_sum(tern_mul(b->p, b->p));
    tern_backward(loss);
    return loss;
}

static void step_bowl(tern_optim *optim, tern_tensor *p) {
    bowl b = {optim, p};
    cr_assert_eq(tern_optim_step_closure(optim, evaluate_bowl, &b, NULL), TERN_OK, "%s: %s",
                 tern_optim_name(optim), tern_error(ctx));
}

static void set_gradient(tern_tensor *parameter, float a, float b) {
    const float data[] = {a, b};
    cr_assert_eq(tern_set_grad(parameter, floats(TERN_SHAPE(2), data)), TERN_OK);
}

static tern_value list_of(tern_tensor *tensor) {
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_tensor_value(tensor));
    return list;
}

static tern_value named_args(const char *name, tern_value value) {
    tern_value args = tern_dict_new(ctx, false);
    tern_dict_set(args, name, value);
    return args;
}

/* ---- updates --------------------------------------------------------------------------------- */

Test(optim, sgd_moves_against_the_gradient) {
    tern_tensor *p = parameter(1, 2);
    tern_sgd_options o = TERN_SGD_OPTIONS;
    o.lr = 0.5;
    tern_optim *sgd = tern_sgd_new(ctx, list_of(p), &o);
    set_gradient(p, 1, -2);
    cr_assert_eq(tern_optim_step(sgd), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(p, 0), 0.5, 0);
    cr_assert_float_eq(at(p, 1), 3, 0);
    tern_optim_zero_grad(sgd);
    cr_assert_null(tern_grad_of(p));
    cr_assert_eq(tern_optim_step(sgd), TERN_OK);
    cr_assert_float_eq(at(p, 0), 0.5, 0);
}

Test(optim, momentum_takes_the_first_gradient_undampened) {
    tern_tensor *p = parameter(0, 0);
    tern_sgd_options o = TERN_SGD_OPTIONS;
    o.lr = 1;
    o.momentum = 0.5;
    o.dampening = 0.25;
    tern_optim *sgd = tern_sgd_new(ctx, list_of(p), &o);
    cr_assert_null(tern_optim_state(sgd, 0, "momentum_buffer"));
    set_gradient(p, 4, 8);
    tern_optim_step(sgd);
    cr_assert_float_eq(at(p, 0), -4, 0);
    cr_assert_float_eq(at(tern_optim_state(sgd, 0, "momentum_buffer"), 1), 8, 0);
    tern_optim_step(sgd);
    cr_assert_float_eq(at(tern_optim_state(sgd, 0, "momentum_buffer"), 0), 5, 0);
    cr_assert_float_eq(at(p, 0), -9, 0);
    cr_assert_float_eq(at(tern_grad_of(p), 0), 4, 0);
    CHECK_CLEAN();
}

Test(optim, weight_decay_maximize_and_nesterov_leave_the_gradient_alone) {
    tern_tensor *p = parameter(1, 2);
    tern_optim *sgd = tern_optim_make(
        ctx, list_of(p), "SGD",
        tern_dict_get(tern_notation_parse(ctx, "test",
                                          "f(lr=0.1, momentum=0.9, weight_decay=0.5, "
                                          "nesterov=True, maximize=True)"),
                      "args"));
    set_gradient(p, 1, 1);
    cr_assert_eq(tern_optim_step(sgd), TERN_OK, "%s", tern_error(ctx));
    /* g = -1 + 0.5 * 1 = -0.5; buffer = g; g + 0.9 * buffer = -0.95 */
    cr_assert_float_eq(at(p, 0), 1 + 0.1 * 0.95, 1e-7);
    cr_assert_float_eq(at(tern_grad_of(p), 0), 1, 0);
}

Test(optim, every_optimizer_lowers_a_quadratic) {
    const char *name;
    for (size_t i = 0; (name = tern_optim_name_at(i)) != NULL; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *p = row(3, -2);
        tern_optim *optim = tern_optim_make(ctx, list_of(p), name, tern_none());
        for (int step = 0; step < 20; step++) step_bowl(optim, p);
        cr_assert_lt(at(p, 0), 3, "%s", name);
        cr_assert_gt(at(p, 1), -2, "%s", name);
        cr_assert_str_eq(tern_optim_name(optim), name);
        tern_scope_end(scope);
    }
    CHECK_CLEAN();
}

Test(optim, typed_constructors_and_names_agree) {
    tern_adamw_options aw = TERN_ADAMW_OPTIONS;
    tern_adam_options a = TERN_ADAM_OPTIONS;
    tern_rmsprop_options r = TERN_RMSPROP_OPTIONS;
    tern_adagrad_options g = TERN_ADAGRAD_OPTIONS;
    tern_sgd_options s = TERN_SGD_OPTIONS;
    tern_adafactor_options f = TERN_ADAFACTOR_OPTIONS;
    tern_muon_options m = TERN_MUON_OPTIONS;
    tern_lbfgs_options l = TERN_LBFGS_OPTIONS;
    tern_optim *typed[] = {
        tern_adafactor_new(ctx, list_of(parameter(1, 2)), &f),
        tern_muon_new(ctx, list_of(row(1, 2)), &m),
        tern_lbfgs_new(ctx, list_of(parameter(1, 2)), &l),
        tern_adamw_new(ctx, list_of(parameter(1, 2)), &aw),
        tern_adam_new(ctx, list_of(parameter(1, 2)), &a),
        tern_rmsprop_new(ctx, list_of(parameter(1, 2)), &r),
        tern_adagrad_new(ctx, list_of(parameter(1, 2)), &g),
        tern_sgd_new(ctx, list_of(parameter(1, 2)), &s),
        tern_adam_new(ctx, list_of(parameter(1, 2)), NULL),
    };
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        tern_optim *named =
            tern_optim_make(ctx, list_of(row(1, 2)), tern_optim_name(typed[i]), tern_none());
        cr_assert_str_eq(tern_optim_repr_text(named), tern_optim_repr_text(typed[i]));
    }
    CHECK_CLEAN();
}

/* ---- groups ---------------------------------------------------------------------------------- */

Test(optim, groups_have_options_of_their_own) {
    tern_tensor *a = parameter(0, 0), *b = parameter(0, 0), *c = parameter(0, 0);
    tern_value groups = tern_list_new(ctx), second = tern_dict_new(ctx, false);
    tern_list_append(groups, named_args("params", list_of(a)));
    tern_dict_set(second, "params", tern_tensor_value(b));
    tern_dict_set(second, "lr", tern_float(1));
    tern_list_append(groups, second);
    tern_optim *sgd = tern_optim_make(ctx, groups, "SGD", named_args("lr", tern_float(0.25)));
    CHECK_CLEAN();
    cr_assert_eq(tern_optim_add_group(sgd, named_args("params", list_of(c))), TERN_OK);
    cr_assert_eq(tern_optim_group_count(sgd), 3);
    cr_assert_eq(tern_optim_parameter(sgd, 2), c);
    cr_assert_null(tern_optim_parameter(sgd, 3));
    set_gradient(a, 1, 1);
    set_gradient(b, 1, 1);
    cr_assert_eq(tern_optim_set(sgd, 2, "lr", tern_float(4)), TERN_OK);
    set_gradient(c, 1, 1);
    tern_optim_step(sgd);
    cr_assert_float_eq(at(a, 0), -0.25, 0);
    cr_assert_float_eq(at(b, 0), -1, 0);
    cr_assert_float_eq(at(c, 0), -4, 0);
    cr_assert_float_eq(tern_optim_get(sgd, 1, "lr").as.f, 1, 0);
    cr_assert_eq(tern_optim_get(sgd, 9, "lr").kind, TERN_VALUE_NONE);
    CHECK_CLEAN();
}

Test(optim, named_parameters_keep_their_names) {
    tern_module *m = tern_nn(ctx, "Linear(2, 1)");
    tern_optim *sgd = tern_sgd_new(ctx, tern_module_named_parameters(m), NULL);
    tern_value groups = tern_dict_get(tern_optim_state_dict(sgd), "param_groups");
    cr_assert_str_eq(repr_of(tern_dict_get(tern_value_at(groups, 0), "param_names")),
                     "['weight', 'bias']");
}

/* ---- state dicts ----------------------------------------------------------------------------- */

Test(optim, a_state_dict_is_laid_out_as_pytorchs) {
    tern_module *m = tern_nn(ctx, "Linear(2, 1)");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1, momentum=0.9)");
    cr_assert_str_eq(repr_of(tern_optim_state_dict(sgd)),
                     "{'state': {}, 'param_groups': [{'lr': 0.1, 'momentum': 0.9, 'dampening': 0, "
                     "'weight_decay': 0, 'nesterov': False, 'maximize': False, 'foreach': None, "
                     "'differentiable': False, 'fused': None, 'params': [0, 1]}]}");
    tern_backward(tern_sum(tern_forward(m, tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32))));
    tern_optim_step(sgd);
    tern_value state = tern_dict_get(tern_optim_state_dict(sgd), "state");
    cr_assert_str_eq(repr_of(state), "{0: {'momentum_buffer': tensor([[1., 1.]])}, "
                                     "1: {'momentum_buffer': tensor([1.])}}");
}

Test(optim, adams_state_holds_its_step_as_a_float32_tensor) {
    tern_tensor *p = parameter(1, 1);
    tern_optim *adam = tern_adam_new(ctx, list_of(p), NULL);
    set_gradient(p, 2, 2);
    tern_optim_step(adam);
    tern_value state = tern_dict_get(tern_optim_state_dict(adam), "state");
    cr_assert_str_eq(repr_of(tern_dict_get_value(state, tern_int(0))),
                     "{'step': tensor(1.), 'exp_avg': tensor([0.2000, 0.2000]), "
                     "'exp_avg_sq': tensor([0.0040, 0.0040])}");
    cr_assert_float_eq(tern_item(tern_optim_state(adam, 0, "step")), 1, 0);
}

Test(optim, adagrads_state_exists_from_the_beginning) {
    tern_adagrad_options o = TERN_ADAGRAD_OPTIONS;
    o.initial_accumulator_value = 0.5;
    tern_optim *adagrad = tern_adagrad_new(ctx, list_of(parameter(1, 1)), &o);
    tern_value state = tern_dict_get(tern_optim_state_dict(adagrad), "state");
    cr_assert_str_eq(repr_of(state), "{0: {'step': tensor(0.), 'sum': tensor([0.5000, 0.5000])}}");
}

/* Three steps from a state that was loaded are the three steps of the optimizer that saved it. */
static void check_resumes(const char *name) {
    tern_tensor *p = row(1, -1);
    tern_optim *first = tern_optim_make(ctx, list_of(p), name, named_args("lr", tern_float(0.05)));
    for (int i = 0; i < 3; i++) step_bowl(first, p);
    tern_tensor *q = tern_requires_grad(tern_clone(tern_detach(p)), true);
    tern_optim *second = tern_optim_make(ctx, list_of(q), name, tern_none());
    cr_assert_eq(tern_optim_load_state_dict(second, tern_optim_state_dict(first)), TERN_OK,
                 "%s: %s", name, tern_error(ctx));
    for (int i = 0; i < 3; i++) {
        step_bowl(first, p);
        step_bowl(second, q);
    }
    cr_assert(tern_equal(tern_detach(p), tern_detach(q)), "%s", name);
    CHECK_CLEAN();
}

Test(optim, a_loaded_state_goes_on_bit_for_bit) {
    const char *name;
    for (size_t i = 0; (name = tern_optim_name_at(i)) != NULL; i++) check_resumes(name);
}

Test(optim, loading_twice_frees_what_it_replaces) {
    tern_tensor *p = parameter(1, 1);
    tern_optim *adam = tern_adam_new(ctx, list_of(p), NULL);
    set_gradient(p, 1, 1);
    tern_optim_step(adam);
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_load_state_dict(adam, tern_optim_state_dict(adam));
        tern_scope_end(scope);
        uint64_t bytes = tern_stats_of(ctx).device_bytes;
        if (i == 0) before = bytes;
        cr_assert_eq(bytes, before);
    }
    CHECK_CLEAN();
}

Test(optim, a_state_that_does_not_fit_changes_nothing) {
    tern_tensor *p = parameter(1, 1);
    tern_optim *adam = tern_adam_new(ctx, list_of(p), NULL);
    set_gradient(p, 1, 1);
    tern_optim_step(adam);
    char before[512];
    tern_value_repr(tern_optim_state_dict(adam), before, sizeof before);
    tern_value state = tern_optim_state_dict(adam);
    tern_value group = tern_value_at(tern_dict_get(state, "param_groups"), 0);
    tern_value entry = tern_dict_get_value(tern_dict_get(state, "state"), tern_int(0));
    tern_dict_set(group, "lr", tern_float(0.5));
    tern_dict_set(entry, "exp_avg_sq",
                  tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(3), TERN_FLOAT32)));
    cr_assert_eq(tern_optim_load_state_dict(adam, state), TERN_ERR_ARGUMENT);
    CHECK_ERROR("Adam: the saved state 'exp_avg_sq' does not have its parameter's shape");
    tern_dict_set(group, "lr", tern_float(-1));
    tern_optim_load_state_dict(adam, state);
    CHECK_ERROR("Invalid learning rate: -1.0");
    tern_dict_set(group, "params", tern_list_new(ctx));
    tern_optim_load_state_dict(adam, state);
    CHECK_ERROR("loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group");
    tern_dict_set(state, "param_groups", tern_list_new(ctx));
    tern_optim_load_state_dict(adam, state);
    CHECK_ERROR("loaded state dict has a different number of parameter groups");
    tern_optim_load_state_dict(adam, tern_none());
    CHECK_ERROR_HAS("expected a dict with 'state' and 'param_groups'");
    cr_assert_str_eq(repr_of(tern_optim_state_dict(adam)), before);
}

Test(optim, none_entries_of_old_files_are_no_state) {
    tern_tensor *p = parameter(1, 1);
    tern_optim *sgd = tern_sgd_new(ctx, list_of(p), NULL);
    tern_value state = tern_optim_state_dict(sgd);
    tern_dict_set_value(tern_dict_get(state, "state"), tern_int(0),
                        named_args("momentum_buffer", tern_none()));
    cr_assert_eq(tern_optim_load_state_dict(sgd, state), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_value_count(tern_dict_get(tern_optim_state_dict(sgd), "state")), 0);
}

Test(optim, state_follows_a_parameter_to_another_dtype) {
    tern_module *m = tern_nn(ctx, "Linear(2, 1)");
    tern_optim *adam = tern_optim_new(m, "Adam()");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32);
    tern_backward(tern_sum(tern_forward(m, x)));
    tern_optim_step(adam);
    tern_module_to_dtype(m, TERN_FLOAT64);
    cr_assert_eq(tern_optim_step(adam), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_dtype_of(tern_optim_state(adam, 0, "exp_avg")), TERN_FLOAT64);
}

/* ---- refusals -------------------------------------------------------------------------------- */

#define REFUSES(text, message)                                                                     \
    do {                                                                                           \
        cr_assert_null(tern_optim_new(m, text));                                                   \
        CHECK_ERROR(message);                                                                      \
    } while (0)

Test(optim, bad_options_are_told_as_pytorch_tells_them) {
    tern_module *m = tern_nn(ctx, "Linear(1, 1)");
    REFUSES("SGD(lr=-1.0)", "Invalid learning rate: -1.0");
    REFUSES("SGD(momentum=-0.5)", "Invalid momentum value: -0.5");
    REFUSES("SGD(weight_decay=-2)", "Invalid weight_decay value: -2.0");
    REFUSES("SGD(nesterov=True)", "Nesterov momentum requires a momentum and zero dampening");
    REFUSES("Adam(betas=(1.5, 0.9))", "Invalid beta parameter at index 0: 1.5");
    REFUSES("Adam(betas=(0.5, 1.0))", "Invalid beta parameter at index 1: 1.0");
    REFUSES("Adam(eps=-1e-8)", "Invalid epsilon value: -1e-08");
    REFUSES("Adadelta(rho=1.5)", "Invalid rho value: 1.5");
    REFUSES("Rprop(etas=(1.5, 1.2))", "Invalid eta values: 1.5, 1.2");
    REFUSES("SGD(lr=nan)", "Invalid learning rate: nan");
    REFUSES("SDG(lr=1)", "tern_optim_new: there is no optimizer 'SDG'; did you mean SGD?");
    REFUSES("Sophia(lr=1)", "tern_optim_new: there is no optimizer 'Sophia' with these arguments");
    REFUSES("SparseAdam()",
            "tern_optim_new: SparseAdam is not supported: gradients are never sparse "
            "here, and Adam takes them as they are");
    REFUSES("Adafactor(d=0.5)", "Clipping threshold d should be >= 1 but is: 0.5");
    REFUSES("Adafactor(beta2_decay=0.5)", "beta2_decay should be <= 0 but is: 0.5");
    REFUSES("Adafactor(eps=(-1, 0.1))", "epsilon1 should be >= 0 but is: -1.0");
    REFUSES("Adafactor(lr=-1)", "Learning rate should be >= 0 but is: -1.0");
    REFUSES("Muon()",
            "Muon only supports 2D parameters whereas we found a parameter of 1 dimensions: give "
            "the others, such as biases, to another optimizer (tern_module_parameters_like)");
    REFUSES("Muon(adjust_lr_fn='best')",
            "Adjust learning rate function best is not supported; there are original, "
            "match_rms_adamw and spectral_unclamped");
    REFUSES("Muon(ns_steps=100)", "Muon: ns_steps must be at least 0 and less than 100 for "
                                  "computational efficiency, but is 100");
    REFUSES("LBFGS(line_search_fn='armijo')",
            "LBFGS: line_search_fn is 'armijo', but only 'strong_wolfe' is supported");
    REFUSES("LBFGS(history_size=0)", "LBFGS: history_size must be at least 1, but is 0");
    REFUSES("3", "tern_optim_new: expected an optimizer, such as SGD(lr=0.01)");
    REFUSES("SGD(lr=0.1", "tern_optim_new: column 11: expected ',' or ')', found the end");
    cr_assert_null(tern_optim_new(m, "SGD(learning_rate=0.1)"));
    CHECK_ERROR_HAS("learning_rate");
}

Test(optim, bad_parameters_are_told_as_pytorch_tells_them) {
    tern_tensor *p = parameter(1, 2);
    cr_assert_null(tern_sgd_new(ctx, tern_list_new(ctx), NULL));
    CHECK_ERROR("optimizer got an empty parameter list");
    cr_assert_null(tern_sgd_new(ctx, list_of(tern_mul_scalar(p, 2)), NULL));
    CHECK_ERROR("can't optimize a non-leaf Tensor");
    cr_assert_null(tern_sgd_new(ctx, tern_int(3), NULL));
    CHECK_ERROR_HAS("params argument given to the optimizer should be an iterable");
    tern_value list = tern_list_new(ctx);
    tern_list_append(list, tern_float(1));
    cr_assert_null(tern_sgd_new(ctx, list, NULL));
    CHECK_ERROR("optimizer can only optimize Tensors, but one of the params is float");
    tern_optim *sgd = tern_sgd_new(ctx, list_of(p), NULL);
    tern_optim_add_group(sgd, named_args("params", list_of(p)));
    CHECK_ERROR("some parameters appear in more than one parameter group");
    cr_assert_eq(tern_optim_group_count(sgd), 1);
    tern_optim_set(sgd, 0, "lr", tern_float(-3));
    CHECK_ERROR("Invalid learning rate: -3.0");
    tern_optim_set(sgd, 0, "rl", tern_float(3));
    CHECK_ERROR("SGD has no option 'rl'");
    tern_optim_set(sgd, 1, "lr", tern_float(3));
    CHECK_ERROR("SGD has 1 parameter groups, not 2");
    cr_assert_float_eq(tern_optim_get(sgd, 0, "lr").as.f, 1e-3, 0);
}

Test(optim, null_optimizers_do_nothing) {
    cr_assert_eq(tern_optim_step(NULL), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_optim_zero_grad(NULL), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_optim_state_dict(NULL).kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_optim_repr_text(NULL), "");
    tern_optim_free(NULL);
    CHECK_CLEAN();
}

Test(optim, a_latched_error_keeps_the_weights) {
    tern_tensor *p = parameter(1, 2);
    tern_optim *sgd = tern_sgd_new(ctx, list_of(p), NULL);
    set_gradient(p, 1, 1);
    tern_fail(ctx, TERN_ERR_STATE, "something before");
    cr_assert_eq(tern_optim_step(sgd), TERN_ERR_STATE);
    tern_error_clear(ctx);
    cr_assert_float_eq(at(p, 0), 1, 0);
}

/* ---- printing -------------------------------------------------------------------------------- */

Test(optim, optimizers_print_as_in_pytorch) {
    tern_value groups = tern_list_new(ctx);
    tern_list_append(groups, named_args("params", list_of(parameter(0, 0))));
    tern_value second = named_args("params", list_of(parameter(0, 0)));
    tern_dict_set(second, "lr", tern_float(1e-5));
    tern_list_append(groups, second);
    tern_optim *sgd = tern_optim_make(ctx, groups, "SGD", named_args("momentum", tern_float(0.9)));
    cr_assert_str_eq(tern_optim_repr_text(sgd), "SGD (\n"
                                                "Parameter Group 0\n"
                                                "    dampening: 0\n"
                                                "    differentiable: False\n"
                                                "    foreach: None\n"
                                                "    fused: None\n"
                                                "    lr: 0.001\n"
                                                "    maximize: False\n"
                                                "    momentum: 0.9\n"
                                                "    nesterov: False\n"
                                                "    weight_decay: 0\n"
                                                "\n"
                                                "Parameter Group 1\n"
                                                "    dampening: 0\n"
                                                "    differentiable: False\n"
                                                "    foreach: None\n"
                                                "    fused: None\n"
                                                "    lr: 1e-05\n"
                                                "    maximize: False\n"
                                                "    momentum: 0.9\n"
                                                "    nesterov: False\n"
                                                "    weight_decay: 0\n"
                                                ")");
    cr_assert_not_null(strstr(
        tern_optim_repr_text(tern_adamw_new(ctx, list_of(parameter(0, 0)), NULL)),
        "    betas: (0.9, 0.999)\n    capturable: False\n    decoupled_weight_decay: True\n"));
}

/* ---- clipping -------------------------------------------------------------------------------- */

Test(optim, clipping_scales_to_the_norm) {
    tern_tensor *p = parameter(0, 0), *q = parameter(0, 0), *none = parameter(0, 0);
    set_gradient(p, 3, 0);
    set_gradient(q, 0, 4);
    tern_value params = list_of(p);
    tern_list_append(params, tern_tensor_value(q));
    tern_list_append(params, tern_tensor_value(none));
    double norm = tern_item(tern_clip_grad_norm(ctx, params, 10, 2, false));
    cr_assert_float_eq(norm, 5, 1e-6);
    cr_assert_float_eq(at(tern_grad_of(p), 0), 3, 0);
    norm = tern_item(tern_clip_grad_norm(ctx, params, 1, 2, false));
    cr_assert_float_eq(norm, 5, 1e-6);
    cr_assert_float_eq(at(tern_grad_of(p), 0), 0.6, 1e-6);
    cr_assert_float_eq(at(tern_grad_of(q), 1), 0.8, 1e-6);
    cr_assert_eq(tern_clip_grad_value(ctx, params, 0.7), TERN_OK);
    cr_assert_float_eq(at(tern_grad_of(q), 1), 0.7, 1e-6);
    CHECK_CLEAN();
    set_gradient(p, INFINITY, 0);
    cr_assert(tern_is_nil(tern_clip_grad_norm(ctx, params, 1, 2, true)));
    CHECK_ERROR_HAS("The total norm of order 2.0 for gradients from `parameters` is non-finite");
    cr_assert_float_eq(at(tern_grad_of(q), 1), 0.7, 1e-6);
}

Test(optim, norms_of_every_order) {
    const float data[] = {3, -4};
    tern_value list = list_of(floats(TERN_SHAPE(2), data));
    cr_assert_float_eq(tern_item(tern_total_norm(ctx, list, 1, false)), 7, 1e-6);
    cr_assert_float_eq(tern_item(tern_total_norm(ctx, list, INFINITY, false)), 4, 0);
    cr_assert_float_eq(tern_item(tern_total_norm(ctx, list, 3, false)), cbrt(91), 1e-5);
    cr_assert_float_eq(tern_item(tern_total_norm(ctx, tern_list_new(ctx), 2, false)), 0, 0);
    list = tern_list_new(ctx);
    tern_list_append(list, tern_int(1));
    tern_total_norm(ctx, list, 2, false);
    CHECK_ERROR("expected a list of tensors, element 0 is int");
}

/* ---- rehearsals ------------------------------------------------------------------------------ */

/* The first step alone tries its program out. */
Test(optim, an_update_is_rehearsed_once) {
    tern_module *m = tern_nn_linear(ctx, 2, 2, NULL);
    tern_optim *optim = tern_optim_new(m, "SGD(lr=0.1)");
    tern_backward(tern_sum(tern_forward(m, tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32))));
    uint64_t first = 0, later = 0;
    for (int step = 0; step < 3; step++) {
        uint64_t before = tern_stats_of(ctx).launches;
        cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
        later = tern_stats_of(ctx).launches - before;
        if (step == 0) first = later;
    }
    cr_assert_gt(first, later);
    cr_assert_eq(later, 1, "a step of two parameters starts %d kernels", (int)later);
}

/* ---- failures -------------------------------------------------------------------------------- */

#define LAYERS 12

/* A step with the n-th allocation failing, then a second one; the first weight of every parameter
 * after each goes to out_weights. Returns the first step's status. */
static tern_status step_with_failure(const char *optimizer, uint64_t nth, uint64_t *out_calls,
                                     double out_weights[2][2 * LAYERS]) {
    open_context();
    tern_manual_seed(ctx, 1);
    tern_module *m = tern_nn_sequential(ctx, NULL, 0);
    tern_linear_options layer = TERN_LINEAR_OPTIONS;
    layer.bias = strncmp(optimizer, "Muon", 4) != 0;
    for (int i = 0; i < LAYERS; i++) tern_module_append(m, tern_nn_linear(ctx, 2, 2, &layer));
    tern_optim *optim = tern_optim_new(m, optimizer);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32);
    tern_backward(tern_sum(tern_forward(m, x)));
    CHECK_CLEAN();
    tern_empty_cache(ctx);
    tern_fail_allocation(nth);
    tern_status status = tern_optim_step(optim);
    *out_calls = tern_fail_allocation(0);
    tern_error_clear(ctx);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 2 * LAYERS; i++) {
            tern_tensor *weight = tern_optim_parameter(optim, i);
            out_weights[round][i] = weight ? at(weight, 0) : 0;
        }
        if (round == 0) cr_assert_eq(tern_optim_step(optim), TERN_OK, "%s", tern_error(ctx));
    }
    close_context();
    return status;
}

/* After a step that failed the weights are the old ones, and the next step is the first one's. */
static void fail_every_allocation(const char *optimizer) {
    double before[2 * LAYERS], whole[2][2 * LAYERS], failed[2][2 * LAYERS];
    uint64_t calls, ignored;
    step_with_failure(optimizer, 0, &calls, whole); /* later contexts take over its slots */
    cr_assert_eq(step_with_failure(optimizer, 0, &calls, whole), TERN_OK, "%s", optimizer);
    step_with_failure(optimizer, 1, &ignored, failed);
    memcpy(before, failed[0], sizeof before);
    cr_assert(memcmp(before, whole[0], sizeof before) != 0, "%s", optimizer);
    for (uint64_t n = 1; n <= calls; n++) {
        tern_status status = step_with_failure(optimizer, n, &ignored, failed);
        cr_assert_neq(status, TERN_OK, "%s: call %llu", optimizer, (unsigned long long)n);
        cr_assert(memcmp(failed[0], before, sizeof before) == 0, "%s: call %llu of %llu", optimizer,
                  (unsigned long long)n, (unsigned long long)calls);
        cr_assert(memcmp(failed[1], whole[0], sizeof before) == 0, "%s: call %llu of %llu",
                  optimizer, (unsigned long long)n, (unsigned long long)calls);
    }
}

Test(optim_failures, every_failed_allocation_steps_whole_or_not_at_all) {
    fail_every_allocation("SGD(lr=0.1)");
    fail_every_allocation("SGD(lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True)");
    fail_every_allocation("Adam(weight_decay=0.1, amsgrad=True, maximize=True)");
    fail_every_allocation("AdamW()");
    fail_every_allocation("RMSprop(momentum=0.9, centered=True)");
    fail_every_allocation("Adagrad()");
    fail_every_allocation("Adadelta()");
    fail_every_allocation("Adamax()");
    fail_every_allocation("NAdam()");
    fail_every_allocation("RAdam()");
    fail_every_allocation("ASGD()");
    fail_every_allocation("Adafactor(weight_decay=0.1)");
    fail_every_allocation("Muon(ns_steps=2)");
}

static tern_status make_and_load(void) {
    open_context();
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_optim *optim = tern_optim_new(m, "Adagrad(lr=0.1)");
    tern_optim_load_state_dict(optim, tern_optim_state_dict(optim));
    tern_sched *sched =
        tern_sched_new(optim, "SequentialLR([ConstantLR(0.5), LambdaLR('0.9 ** epoch')], [2])");
    tern_sched_step(sched);
    tern_sched_load_state_dict(sched, tern_sched_state_dict(sched));
    tern_optim_repr_text(optim);
    tern_status status = tern_check(ctx);
    tern_close(ctx);
    return status;
}

Test(optim_failures, every_failed_allocation_ends_in_a_clean_error) {
    cr_assert_eq(make_and_load(), TERN_OK);
    tern_fail_allocation(0);
    make_and_load();
    uint64_t calls = tern_fail_allocation(0);
    cr_assert_gt(calls, 20);
    for (uint64_t n = 1; n <= calls; n++) {
        tern_fail_allocation(n);
        tern_status status = make_and_load();
        tern_fail_allocation(0);
        cr_assert_neq(status, TERN_OK, "call %llu of %llu", (unsigned long long)n,
                      (unsigned long long)calls);
    }
}
