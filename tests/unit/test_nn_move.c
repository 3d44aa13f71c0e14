/* Modules and optimizers on two devices, one of which the host cannot read. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <stdlib.h>

#include "nn_fixture.h"
#include "test_plugins.h"

static void open_two(void) {
    find_test_plugins();
    open_context();
    tern_device_open(ctx, "discrete");
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
}

static void close_two(void) {
    close_context();
    forget_test_plugins();
}

TestSuite(nn_move, .init = open_two, .fini = close_two);

static tern_tensor *loss_of(tern_module *m) {
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(4, 3), TERN_FLOAT32);
    x = tern_to_device(x, tern_device_of(tern_module_tensor(m, "0.weight")));
    return tern_sum(tern_forward(m, x));
}

/* Two steps, with a move in between or not; the sum of the weights afterwards. */
static double train(bool move) {
    tern_manual_seed(ctx, 3);
    tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 4), Tanh(), Linear(4, 2))");
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    tern_tensor *weight = tern_module_tensor(m, "0.weight");
    for (int step = 0; step < 2; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_zero_grad(adam);
        tern_backward(loss_of(m));
        if (move && step == 0) {
            cr_assert_eq(tern_module_to(m, "discrete"), TERN_OK, "%s", tern_error(ctx));
            cr_assert_eq(tern_module_tensor(m, "0.weight"), weight);
            cr_assert_str_eq(tern_device_of(weight), "discrete:0");
            cr_assert_str_eq(tern_device_of(tern_grad_of(weight)), "discrete:0");
        }
        tern_optim_step(adam);
        tern_scope_end(scope);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    if (move) cr_assert_str_eq(tern_device_of(tern_optim_state(adam, 0, "exp_avg")), "discrete:0");
    double sum = tern_item(tern_sum(tern_detach(weight)));
    cr_assert_eq(tern_module_to(m, "cpu_ref"), TERN_OK);
    cr_assert_float_eq(tern_item(tern_sum(tern_detach(weight))), sum, 0);
    return sum;
}

Test(nn_move, training_goes_on_after_a_move_with_the_same_bits) {
    double stayed = train(false), moved = train(true);
    cr_assert_float_eq(moved, stayed, 0, "%.17g and %.17g", moved, stayed);
}

Test(nn_move, a_state_loads_across_devices) {
    tern_module *a = tern_nn(ctx, "Linear(2, 2)");
    tern_module *b = tern_nn(ctx, "Linear(2, 2, device='discrete')");
    cr_assert_str_eq(tern_device_of(tern_module_tensor(b, "weight")), "discrete:0");
    cr_assert_eq(tern_module_load_state_dict(b, tern_module_state_dict(a), true), TERN_OK, "%s",
                 tern_error(ctx));
    cr_assert_str_eq(tern_device_of(tern_module_tensor(b, "weight")), "discrete:0");
    cr_assert_float_eq(at(tern_module_tensor(b, "weight"), 3),
                       at(tern_module_tensor(a, "weight"), 3), 0);
}

Test(nn_move, every_failed_allocation_moves_whole_or_not_at_all) {
    for (uint64_t n = 0, calls = 1; n <= calls; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 4), Linear(4, 2))");
        tern_empty_cache(ctx);
        tern_fail_allocation(n);
        tern_status status = tern_module_to(m, "discrete");
        uint64_t used = tern_fail_allocation(0);
        if (n == 0) calls = used;
        tern_error_clear(ctx);
        const char *expected = status == TERN_OK ? "discrete:0" : "cpu_ref";
        tern_value named = tern_module_named_parameters(m), key, item;
        for (size_t i = 0; tern_dict_at(named, i, &key, &item); i++)
            cr_assert_str_eq(tern_device_of(item.as.tensor), expected, "%s after call %llu",
                             key.as.s, (unsigned long long)n);
        tern_scope_end(scope);
    }
}
