/* Averages of weights: SWA, EMA, SWALR, the statistics of batch norms. */
#include "nn_fixture.h"
#include "tern/averaged.h"
#include "tern/state.h"

TestSuite(averaged, .init = open_context, .fini = close_context);

static const char *keys_of(tern_value dict) {
    static char text[512];
    tern_value key, item;
    text[0] = '\0';
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item); i++) {
        strcat(text, key.as.s);
        strcat(text, " ");
    }
    return text;
}

static void set_weight(tern_module *m, double value) {
    tern_init_constant(tern_module_tensor(m, "weight"), value);
}

static double average_of(tern_module *averaged) {
    return at(tern_module_tensor(averaged, "module.weight"), 0);
}

Test(averaged, means_and_moving_means_of_the_weights) {
    tern_module *m = tern_nn(ctx, "Linear(2, 1, bias=False)");
    tern_module *swa = tern_averaged_swa(m, false), *ema = tern_averaged_ema(m, 0.75, false);
    CHECK_CLEAN();
    const double weights[] = {1, 2, 6}, means[] = {1, 1.5, 3}, moving[] = {1, 1.25, 2.4375};
    for (int i = 0; i < 3; i++) {
        set_weight(m, weights[i]);
        cr_assert_eq(tern_averaged_update(swa, m), TERN_OK, "%s", tern_error(ctx));
        cr_assert_eq(tern_averaged_update(ema, m), TERN_OK, "%s", tern_error(ctx));
        cr_assert_float_eq(average_of(swa), means[i], 1e-7);
        cr_assert_float_eq(average_of(ema), moving[i], 1e-7);
    }
    cr_assert_eq(tern_item_i64(tern_module_tensor(ema, "n_averaged")), 3);
    cr_assert_str_eq(keys_of(tern_module_state_dict(ema)), "n_averaged module.weight ");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1, 2), TERN_FLOAT32);
    cr_assert_float_eq(at(tern_forward(ema, x), 0), 2 * 2.4375, 1e-6);
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 0), 6, 0);
    CHECK_CLEAN();
    tern_module *copy = tern_module_copy(ema);
    tern_averaged_update(copy, m);
    cr_assert_float_eq(average_of(copy), 2.4375 * 0.75 + 6 * 0.25, 1e-6);
    CHECK_CLEAN();
}

Test(averaged, buffers_are_copied_or_averaged) {
    tern_module *m = tern_nn(ctx, "BatchNorm1d(1)");
    tern_module *copies = tern_averaged_ema(m, 0.5, false),
                *means = tern_averaged_ema(m, 0.5, true);
    for (int i = 0; i < 2; i++) {
        tern_fill_in_place(tern_module_tensor(m, "running_mean"), 2 + 2 * i);
        tern_fill_in_place(tern_module_tensor(m, "num_batches_tracked"), 10 * (1 + i));
        tern_averaged_update(copies, m);
        tern_averaged_update(means, m);
    }
    CHECK_CLEAN();
    cr_assert_float_eq(at(tern_module_tensor(copies, "module.running_mean"), 0), 4, 0);
    cr_assert_float_eq(at(tern_module_tensor(means, "module.running_mean"), 0), 3, 0);
    cr_assert_eq(tern_item_i64(tern_module_tensor(means, "module.num_batches_tracked")), 15);
}

static tern_tensor *largest(tern_tensor *averaged, tern_tensor *current, int64_t n, void *user) {
    *(int64_t *)user += n;
    return tern_maximum(averaged, current);
}

Test(averaged, an_average_of_the_programs_own) {
    int64_t sum = 0;
    tern_module *m = tern_nn(ctx, "Linear(1, 1, bias=False)");
    tern_module *own = tern_averaged_new(m, largest, &sum, false);
    const double weights[] = {1, 3, 2};
    for (int i = 0; i < 3; i++) {
        set_weight(m, weights[i]);
        tern_averaged_update(own, m);
    }
    cr_assert_float_eq(average_of(own), 3, 0);
    cr_assert_eq(sum, 1 + 2);
    CHECK_CLEAN();
}

Test(averaged, faults_change_nothing) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(4, 4), BatchNorm1d(4), Linear(4, 4))");
    tern_module *ema = tern_averaged_ema(m, 0.5, false);
    tern_averaged_update(ema, m);
    tern_averaged_update(ema, tern_nn(ctx, "Linear(4, 4)"));
    CHECK_ERROR_HAS("tern_averaged_update: the model has different parameters");
    cr_assert_null(tern_averaged_ema(m, 1.5, false));
    CHECK_ERROR("Invalid decay value 1.5 provided. Please provide a value in [0,1] range.");
    cr_assert_eq(tern_averaged_update(m, m), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    tern_init_zeros(tern_module_tensor(m, "0.weight"));
    tern_init_zeros(tern_module_tensor(m, "2.weight"));
    double first = at(tern_module_tensor(ema, "module.0.weight"), 0);
    for (uint64_t n = 1;; n++) {
        tern_fail_allocation(n);
        tern_status status = tern_averaged_update(ema, m);
        tern_fail_allocation(0);
        if (status == TERN_OK) break;
        tern_error_clear(ctx);
        cr_assert_float_eq(at(tern_module_tensor(ema, "module.0.weight"), 0), first, 0);
        cr_assert_eq(tern_item_i64(tern_module_tensor(ema, "n_averaged")), 1);
        tern_empty_cache(ctx);
        cr_assert_lt(n, 1000);
    }
    cr_assert_float_eq(at(tern_module_tensor(ema, "module.0.weight"), 0), first / 2, 0);
    CHECK_CLEAN();
}

Test(averaged, swalr_anneals_to_its_rate) {
    const double rates[] = {0.08750000000000001, 0.06250000000000001, 0.05, 0.05};
    tern_optim *sgd = tern_optim_new(tern_nn(ctx, "Linear(1, 1)"), "SGD(lr=0.1)");
    tern_sched *sched = tern_sched_new(sgd, "SWALR(swa_lr=0.05, anneal_epochs=3)");
    CHECK_CLEAN();
    for (int i = 0; i < 4; i++) {
        tern_optim_step(sgd);
        tern_sched_step(sched);
        cr_assert_float_eq(tern_sched_last_lr(sched, 0), rates[i], 1e-17);
    }
    cr_assert_str_eq(repr_of(tern_sched_state_dict(sched)),
                     "{'anneal_epochs': 3, 'base_lrs': [0.1], 'last_epoch': 4, '_step_count': 5, "
                     "'_is_initial': False, '_get_lr_called_within_step': False, "
                     "'_anneal_strategy': 'cos', '_last_lr': [0.05]}");
    cr_assert_float_eq(tern_optim_get(sgd, 0, "swa_lr").as.f, 0.05, 0);
    tern_sched_new(sgd, "SWALR(0.05, anneal_strategy='steps')");
    CHECK_ERROR("SWALR: anneal_strategy must be one of 'cos' or 'linear', instead got steps");
}

Test(averaged, update_bn_takes_the_means_over_all_batches) {
    const float data[] = {1, 3, 5, 9};
    tern_tensor *x = floats(TERN_SHAPE(4, 1), data);
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 2;
    tern_loader *loader = tern_loader_new(tern_tensor_dataset_new(ctx, &x, 1), &o);
    tern_module *m = tern_nn(ctx, "Sequential(BatchNorm1d(1), ReLU())");
    tern_module_eval(m);
    tern_fill_in_place(tern_module_tensor(m, "0.running_mean"), 100);
    cr_assert_eq(tern_update_bn(loader, m), TERN_OK, "%s", tern_error(ctx));
    /* Means 2 and 7, variances 2 and 8. */
    cr_assert_float_eq(at(tern_module_tensor(m, "0.running_mean"), 0), 4.5, 1e-6);
    cr_assert_float_eq(at(tern_module_tensor(m, "0.running_var"), 0), 5, 1e-6);
    cr_assert_eq(tern_item_i64(tern_module_tensor(m, "0.num_batches_tracked")), 2);
    cr_assert_not(tern_module_is_training(m));
    cr_assert_float_eq(tern_module_argument(tern_module_get(m, "0"), "momentum").as.f, 0.1, 0);
    CHECK_CLEAN();
}
