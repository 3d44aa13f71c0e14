/* Schedulers: PyTorch's learning rates, states, formulas, refusals. */
#include <stdio.h>

#include "nn_fixture.h"
#include "tern/formula.h"

#include <math.h>

static tern_optim *sgd;

static void open_sgd(void) {
    open_context();
    tern_tensor *p = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    tern_value params = tern_list_new(ctx);
    tern_list_append(params, tern_tensor_value(p));
    tern_sgd_options o = TERN_SGD_OPTIONS;
    o.lr = 0.1;
    o.momentum = 0.9;
    sgd = tern_sgd_new(ctx, params, &o);
}

TestSuite(optim_sched, .init = open_sgd, .fini = close_context);

static double lr(void) {
    return tern_value_as_double(tern_optim_get(sgd, 0, "lr"));
}

/* The learning rates before the first step and after each. */
static void check_rates(const char *text, const double *expected, int count) {
    tern_optim_set(sgd, 0, "lr", tern_float(0.1));
    tern_sched *sched = tern_sched_new(sgd, text);
    cr_assert_not_null(sched, "%s: %s", text, tern_error(ctx));
    for (int i = 0; i < count; i++) {
        cr_assert_float_eq(lr(), expected[i], 1e-16, "%s at epoch %d: %.17g", text, i, lr());
        cr_assert_float_eq(tern_sched_last_lr(sched, 0), lr(), 0);
        cr_assert_eq(tern_sched_step(sched), TERN_OK, "%s: %s", text, tern_error(ctx));
    }
}
#define CHECK_RATES(text, ...)                                                                     \
    do {                                                                                           \
        const double expected[] = {__VA_ARGS__};                                                   \
        check_rates(text, expected, (int)(sizeof expected / sizeof expected[0]));                  \
    } while (0)

Test(optim_sched, rates_are_pytorchs) {
    CHECK_RATES("StepLR(3, 0.5)", .1, .1, .1, .05, .05, .05, .025);
    CHECK_RATES("ExponentialLR(0.9)", .1, .09000000000000001, .08100000000000002,
                .07290000000000002);
    CHECK_RATES("CosineAnnealingLR(5, 1e-3)", .1, .0905463412215599, .06579634122155989,
                .035203658778440096, .010453658778440105, .001, .010453658778440102);
    CHECK_RATES("LinearLR()", .03333333333333333, .04666666666666667, .060000000000000005,
                .07333333333333335, .08666666666666668, .1);
    CHECK_RATES("SequentialLR([ConstantLR(0.1, 2), ExponentialLR(0.9)], [3])", .010000000000000002,
                .010000000000000002, .10000000000000002, .1, .09000000000000001);
    CHECK_RATES("MultiStepLR([1, 3, 3], gamma=0.5)", .1, .05, .05, .0125);
    CHECK_RATES("PolynomialLR(2)", .1, .05, 0, 0);
    CHECK_RATES("LambdaLR('0.5 if epoch > 1 else 1')", .1, .1, .05);
    CHECK_RATES("CosineAnnealingWarmRestarts(2, T_mult=2)", .1, .05, .1);
}

Test(optim_sched, one_cycle_moves_rate_and_momentum_against_each_other) {
    CHECK_RATES("OneCycleLR(0.1, 10)", .0040000000000000036, .052000000000000005, .1,
                .09504846320134738, .0811745653949763, .06112620219362893, .03887419780637107,
                .0188258346050237, .004951936798652629, 4e-07);
    cr_assert_eq(tern_error_clear(ctx), TERN_OK);
    close_context();
    open_sgd();
    tern_sched *sched = tern_one_cycle_lr_new(sgd, 0.1, 10);
    cr_assert_float_eq(tern_optim_get(sgd, 0, "momentum").as.f, 0.95, 1e-15);
    tern_sched_step(sched);
    tern_sched_step(sched);
    cr_assert_float_eq(tern_optim_get(sgd, 0, "momentum").as.f, 0.85, 1e-15);
    for (int i = 0; i < 8; i++) tern_sched_step(sched);
    CHECK_CLEAN();
    cr_assert_neq(tern_sched_step(sched), TERN_OK);
    CHECK_ERROR("Tried to step 11 times. The specified number of total steps is 10");
}

Test(optim_sched, a_plateau_lowers_the_rate_after_its_patience) {
    tern_sched *sched = tern_reduce_lr_on_plateau_new(sgd, "min", 0.5, 1);
    const double metrics[] = {1, 0.5, 0.6, 0.7, 0.7, 0.7};
    const double rates[] = {.1, .1, .1, .05, .05, .025};
    for (int i = 0; i < 6; i++) {
        tern_sched_step_metric(sched, metrics[i]);
        cr_assert_float_eq(lr(), rates[i], 1e-17, "step %d", i);
    }
    CHECK_CLEAN();
}

static double halves(int64_t epoch, void *user) {
    (*(int *)user)++;
    return pow(0.5, (double)epoch);
}

Test(optim_sched, typed_constructors_make_the_same_rates) {
    const int64_t milestones[] = {1};
    int calls = 0;
    tern_sched *scheds[] = {
        tern_lambda_lr_new(sgd, halves, &calls), tern_step_lr_new(sgd, 1, 0.5),
        tern_exponential_lr_new(sgd, 0.5),       tern_multi_step_lr_new(sgd, milestones, 1, 0.5),
        tern_linear_lr_new(sgd, 1.0, 0.5, 1),
    };
    for (size_t i = 0; i < sizeof scheds / sizeof scheds[0]; i++) {
        tern_optim_set(sgd, 0, "lr", tern_float(0.1));
        tern_sched_step(scheds[i]);
        cr_assert_float_eq(lr(), 0.05, 1e-17, "scheduler %zu", i);
    }
    cr_assert_eq(calls, 2);
    tern_optim_set(sgd, 0, "lr", tern_float(0.1));
    tern_sched_step(tern_cosine_annealing_lr_new(sgd, 2, 0));
    cr_assert_float_eq(lr(), 0.05, 1e-17);
    CHECK_CLEAN();
}

/* ---- states ---------------------------------------------------------------------------------- */

static void check_resumes(const char *text) {
    double rates[2][4];
    tern_value state = tern_none(), optim_state = tern_none();
    for (int run = 0; run < 2; run++) {
        open_sgd();
        tern_sched *sched = tern_sched_new(sgd, text);
        cr_assert_not_null(sched, "%s: %s", text, tern_error(ctx));
        for (int i = 0; i < 7; i++) {
            if (i == 3) {
                /* The second run takes the way through states in the middle. */
                state = tern_sched_state_dict(sched);
                optim_state = tern_optim_state_dict(sgd);
                if (run == 1) {
                    sched = tern_sched_new(sgd, text);
                    cr_assert_eq(tern_sched_load_state_dict(sched, state), TERN_OK, "%s: %s", text,
                                 tern_error(ctx));
                    cr_assert_eq(tern_optim_load_state_dict(sgd, optim_state), TERN_OK);
                }
            }
            tern_sched_step_metric(sched, 1);
            if (i >= 3) rates[run][i - 3] = lr();
        }
        close_context();
    }
    for (int i = 0; i < 4; i++) cr_assert_float_eq(rates[0][i], rates[1][i], 0, "%s", text);
}

Test(optim_sched_states, a_loaded_scheduler_goes_on) {
    check_resumes("StepLR(2)");
    check_resumes("CosineAnnealingLR(4)");
    check_resumes("CosineAnnealingWarmRestarts(2, 2)");
    check_resumes("ReduceLROnPlateau(patience=1)");
    check_resumes("SequentialLR([ConstantLR(0.5, 2), LinearLR(0.2)], [4])");
    check_resumes("ChainedScheduler([ExponentialLR(0.9), StepLR(2)])");
    check_resumes("OneCycleLR(0.3, 20)");
    check_resumes("CyclicLR(0.01, 0.2, step_size_up=2)");
    check_resumes("MultiplicativeLR('0.9')");
}

Test(optim_sched, a_state_holds_what_pytorch_keeps) {
    tern_sched *sched = tern_step_lr_new(sgd, 3, 0.1);
    tern_sched_step(sched);
    cr_assert_str_eq(repr_of(tern_sched_state_dict(sched)),
                     "{'step_size': 3, 'gamma': 0.1, 'base_lrs': [0.1], 'last_epoch': 1, "
                     "'_step_count': 2, '_is_initial': False, '_get_lr_called_within_step': "
                     "False, '_last_lr': [0.1]}");
    cr_assert_eq(tern_sched_load_state_dict(sched, tern_dict_new(ctx, false)), TERN_ERR_ARGUMENT);
    CHECK_ERROR_HAS("StepLR: this is not the state of a scheduler");
}

/* What torch.optim.lr_scheduler of PyTorch 2.15 writes. */
Test(optim_sched, states_of_milestones_functions_and_parts_are_those_of_pytorch) {
    tern_sched *sched = tern_sched_new(sgd, "MultiStepLR([1, 3, 3])");
    cr_assert_str_eq(repr_of(tern_sched_state_dict(sched)),
                     "{'milestones': {1: 1, 3: 2}, 'gamma': 0.1, 'base_lrs': [0.1], 'last_epoch': "
                     "0, '_step_count': 1, '_is_initial': False, '_get_lr_called_within_step': "
                     "False, '_last_lr': [0.1]}");
    sched = tern_sched_new(sgd, "LambdaLR('0.5')");
    cr_assert_str_eq(repr_of(tern_sched_state_dict(sched)),
                     "{'base_lrs': [0.1], 'last_epoch': 0, '_step_count': 1, '_is_initial': False, "
                     "'_get_lr_called_within_step': False, '_last_lr': [0.05], 'lr_lambdas': "
                     "[None]}");
    sched = tern_sched_new(sgd, "SequentialLR([StepLR(9), StepLR(8)], [2])");
    tern_value state = tern_sched_state_dict(sched), key;
    static const char *const names[] = {"_milestones", "last_epoch", "_last_lr", "_schedulers"};
    for (size_t i = 0; i < 4; i++)
        cr_assert(tern_dict_at(state, i, &key, NULL) && strcmp(key.as.s, names[i]) == 0);
    cr_assert_eq(tern_value_count(state), 4);
}

/* ---- refusals -------------------------------------------------------------------------------- */

#define REFUSES(text, message)                                                                     \
    do {                                                                                           \
        cr_assert_null(tern_sched_new(sgd, text));                                                 \
        CHECK_ERROR_HAS(message);                                                                  \
        cr_assert_float_eq(lr(), 0.1, 0);                                                          \
    } while (0)

Test(optim_sched, bad_arguments_are_refused) {
    REFUSES("StepLR()", "StepLR: missing argument 'step_size'");
    REFUSES("StepLR(0)", "StepLR: step_size must be positive");
    REFUSES("CosineAnnealingLR(0)", "T_max must be positive");
    REFUSES("CosineAnnealingWarmRestarts(0)", "Expected positive integer T_0");
    REFUSES("ConstantLR(2)", "Constant multiplicative factor expected to be between 0 and 1.");
    REFUSES("LinearLR(0.0)", "Starting multiplicative factor");
    REFUSES("LinearLR(0.5, 2.0)", "Ending multiplicative factor");
    REFUSES("ReduceLROnPlateau(factor=1.0)", "Factor should be < 1.0.");
    REFUSES("ReduceLROnPlateau('mean')", "mode is unknown!");
    REFUSES("OneCycleLR(0.1)", "You must define either total_steps OR (epochs AND");
    REFUSES("OneCycleLR(0.1, 0)", "Expected positive integer total_steps");
    REFUSES("OneCycleLR(0.1, 10, pct_start=2.0)", "between 0 and 1 pct_start");
    REFUSES("OneCycleLR([0.1, 0.2], 10)", "expected 1 values for max_lr, got 2");
    REFUSES("CyclicLR(0.1, 0.2, mode='square')", "mode is invalid");
    REFUSES("LambdaLR('0.9 ** epohc')", "LambdaLR: lr_lambda '0.9 ** epohc': column 8");
    REFUSES("LambdaLR('1 / epoch')", "lr_lambda '1 / epoch' is not finite at epoch 0");
    REFUSES("LambdaLR(3)", "lr_lambda is a formula in epoch");
    REFUSES("LambdaLR(['1', '2'])", "Expected 1 lr_lambdas, but got 2");
    REFUSES("SequentialLR([], [])", "expects at least one scheduler");
    REFUSES("SequentialLR([StepLR(1)], [1])",
            "number of schedulers 1 and the number of milestones to be equal to 1");
    REFUSES("WarmLR(1)", "tern_sched_new: there is no scheduler 'WarmLR'");
    REFUSES("StepLr(1)", "tern_sched_new: there is no scheduler 'StepLr'; did you mean StepLR?");
    REFUSES("3", "there is no scheduler");
    cr_assert_null(tern_sched_new(NULL, "StepLR(1)"));
    cr_assert_eq(tern_sched_step(NULL), TERN_ERR_ARGUMENT);
    cr_assert(isnan(tern_sched_last_lr(NULL, 0)));
}

Test(optim_sched, cycling_needs_a_momentum) {
    tern_tensor *p = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    tern_value params = tern_list_new(ctx);
    tern_list_append(params, tern_tensor_value(p));
    tern_optim *adagrad = tern_adagrad_new(ctx, params, NULL);
    cr_assert_null(tern_sched_new(adagrad, "OneCycleLR(0.1, 10)"));
    CHECK_ERROR_HAS("optimizer must support momentum or beta1 with `cycle_momentum` option");
    tern_optim *adam = tern_adam_new(ctx, params, NULL);
    cr_assert_not_null(tern_sched_new(adam, "OneCycleLR(0.1, 10)"));
    cr_assert_float_eq(at(tern_from_data(ctx,
                                         &(double){tern_value_as_double(
                                             tern_value_at(tern_optim_get(adam, 0, "betas"), 0))},
                                         TERN_SHAPE(1), TERN_FLOAT64),
                          0),
                       0.95, 0);
}

/* ---- formulas -------------------------------------------------------------------------------- */

static double value_of(const char *formula, double epoch) {
    char message[100];
    double value;
    cr_assert(tern_formula_eval(formula, epoch, &value, message, sizeof message), "%s: %s", formula,
              message);
    return value;
}

Test(optim_sched, formulas_follow_pythons_rules) {
    cr_assert_float_eq(value_of("1 + 2 * 3", 0), 7, 0);
    cr_assert_float_eq(value_of("-2 ** 2", 0), -4, 0);
    cr_assert_float_eq(value_of("2 ** -1 ** 2", 0), 0.5, 0);
    cr_assert_float_eq(value_of("(epoch + 1) // 3 % 2", 8), 1, 0);
    cr_assert_float_eq(value_of("-7 % 3", 0), 2, 0);
    cr_assert_float_eq(value_of("-7 // 2", 0), -4, 0);
    /* 1.75 / 1e-3 is below 1750, to which it rounds. */
    cr_assert_float_eq(value_of("epoch // 1e-3", 1.75), 1749, 0);
    cr_assert_float_eq(value_of("min(1, (epoch + 1) / 8)", 3), 0.5, 0);
    cr_assert_float_eq(value_of("max(1, 2, epoch)", 9), 9, 0);
    cr_assert_float_eq(value_of("0.1 if epoch % 3 == 0 else 1.0", 3), 0.1, 0);
    cr_assert_float_eq(value_of("1 if epoch < 2 else 2 if epoch < 4 else 3", 5), 3, 0);
    cr_assert_float_eq(value_of("0.5 * (1 + math.cos(pi * epoch / 10))", 10), 0, 1e-16);
    cr_assert_float_eq(value_of("1e-3 + .5", 0), 0.501, 1e-18);
    cr_assert_float_eq(value_of("not epoch or epoch >= 2 and epoch != 3", 0), 1, 0);
    cr_assert_float_eq(value_of("abs(-2) + sqrt(4) + exp(0) + log(1) + sin(0)", 0), 5, 0);
}

Test(optim_sched, malformed_formulas_name_the_column) {
    static const char *const bad[][2] = {
        {"", "column 1: expected a value"},
        {"1 +", "column 4: expected a value"},
        {"(1", "column 3: expected ')'"},
        {"1 2", "column 3: expected the end of the formula"},
        {"lr * 2", "column 1: there is no 'lr': the formula can use epoch"},
        {"open(1)", "column 1: there is no such function"},
        {"1 if epoch", "column 11: expected 'else'"},
        {"erf(1)", "column 7: this function is only defined for tensors"},
        {"1e", "column 3: expected an exponent"},
    };
    char message[100], deep[400] = "";
    double value;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_not(tern_formula_eval(bad[i][0], 0, &value, message, sizeof message));
        cr_assert_str_eq(message, bad[i][1], "%s: %s", bad[i][0], message);
    }
    for (int i = 0; i < 100; i++) strcat(deep, "(1+");
    cr_assert_not(tern_formula_eval(deep, 0, &value, message, sizeof message));
    cr_assert_not_null(strstr(message, "nested deeper than 64"));
}

/* ---- before the optimizer -------------------------------------------------------------------- */

static void keep_warning(void *user, tern_log_level level, const char *message) {
    if (level == TERN_LOG_WARNING) snprintf(user, 256, "%s", message);
}

Test(optim_sched, the_log_is_told_of_a_step_before_the_optimizers) {
    char text[256] = "";
    tern_module *m = tern_nn(ctx, "Linear(1, 1)");
    tern_optim *early = tern_optim_new(m, "SGD(lr=0.1)"), *late = tern_optim_new(m, "SGD(lr=0.1)");
    tern_on_log(keep_warning, text);
    tern_sched *sched = tern_sched_new(late, "StepLR(1, 0.5)");
    tern_optim_step(late);
    tern_sched_step(sched);
    cr_assert_str_eq(text, "");
    sched = tern_sched_new(early, "StepLR(1, 0.5)");
    tern_sched_step(sched);
    cr_assert_str_eq(text,
                     "StepLR was stepped before its optimizer, so that the first learning rate "
                     "of the schedule is skipped: call tern_optim_step before "
                     "tern_sched_step");
    *text = '\0';
    tern_sched_step(sched);
    cr_assert_str_eq(text, "");
    tern_on_log(NULL, NULL);
    CHECK_CLEAN();
}
