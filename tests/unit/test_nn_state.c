/* State dicts: keys, loading whole or not at all, PyTorch's messages. */
#include "nn_fixture.h"

TestSuite(nn_state, .init = open_context, .fini = close_context);

static tern_module *mlp(void) {
    return tern_nn(ctx, "Sequential(Linear(3, 4), ReLU(), Linear(4, 2))");
}

Test(nn_state, keys_and_order_are_pytorchs) {
    tern_value state = tern_module_state_dict(mlp()), key, item;
    const char *const expected[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
    cr_assert_eq(tern_value_count(state), 4);
    for (size_t i = 0; tern_dict_at(state, i, &key, &item); i++)
        cr_assert_str_eq(key.as.s, expected[i]);
    cr_assert(tern_dict_is_ordered(state));
    cr_assert_not(tern_has_grad_required(tern_dict_get(state, "0.bias").as.tensor));
}

Test(nn_state, a_state_shares_the_modules_storage) {
    tern_module *m = mlp();
    tern_tensor *bias = tern_dict_get(tern_module_state_dict(m), "2.bias").as.tensor;
    cr_assert(tern_shares_storage(bias, tern_module_tensor(m, "2.bias")));
    tern_fill_in_place(bias, 5);
    cr_assert_float_eq(at(tern_module_tensor(m, "2.bias"), 0), 5, 0);
}

Test(nn_state, a_round_trip_gives_equal_predictions) {
    tern_module *a = mlp(), *b = mlp();
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(5, 3), NULL);
    cr_assert_not(tern_equal(tern_forward(a, x), tern_forward(b, x)));
    cr_assert_eq(tern_module_load_state_dict(b, tern_module_state_dict(a), true), TERN_OK);
    cr_assert(tern_equal(tern_forward(a, x), tern_forward(b, x)));
    CHECK_CLEAN();
}

Test(nn_state, values_are_converted_to_the_modules_dtype) {
    tern_module *a = tern_nn(ctx, "Linear(2, 2, dtype=torch.float64)"),
                *b = tern_nn_linear(ctx, 2, 2, NULL);
    cr_assert_eq(tern_module_load_state_dict(b, tern_module_state_dict(a), true), TERN_OK);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(b, "weight")), TERN_FLOAT32);
    cr_assert_float_eq(at(tern_module_tensor(b, "weight"), 3),
                       at(tern_module_tensor(a, "weight"), 3), 1e-7);
    cr_assert(tern_has_grad_required(tern_module_tensor(b, "weight")));
}

/* weight [3, 2] in the module; [2, 2] in the state, which has foo and no bias. */
static tern_value odd_state(void) {
    tern_value state = tern_dict_new(ctx, true);
    tern_dict_set(state, "weight",
                  tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(2, 2), TERN_FLOAT32)));
    tern_dict_set(state, "foo", tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32)));
    return state;
}

Test(nn_state, a_state_that_does_not_fit_is_told_as_pytorch_tells_it) {
    tern_module *m = tern_nn(ctx, "Linear(2, 3)");
    cr_assert_eq(tern_module_load_state_dict(m, odd_state(), true), TERN_ERR_ARGUMENT);
    CHECK_ERROR("Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: "
                "\"bias\". \n\tUnexpected key(s) in state_dict: \"foo\". \n\tsize mismatch for "
                "weight: copying a param with shape torch.Size([2, 2]) from checkpoint, the shape "
                "in current model is torch.Size([3, 2]).");
}

Test(nn_state, unexpected_keys_of_children_are_named_in_full) {
    tern_module *m = mlp();
    tern_value state = tern_module_state_dict(m);
    tern_tensor *one = tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    tern_dict_set(state, "0.extra", tern_tensor_value(one));
    tern_dict_set(state, "5.weight", tern_tensor_value(one));
    tern_dict_set(state, "1.deep.weight", tern_tensor_value(one));
    tern_module_load_state_dict(m, state, true);
    CHECK_ERROR("Error(s) in loading state_dict for Sequential:\n\tUnexpected key(s) in "
                "state_dict: \"5.weight\", \"0.extra\", \"1.deep.weight\". ");
    cr_assert_eq(tern_module_load_state_dict(m, state, false), TERN_OK);
}

Test(nn_state, a_key_of_several_lines_is_named_in_one) {
    tern_module *m = mlp();
    tern_value state = tern_module_state_dict(m);
    tern_dict_set(state, "a\n\tsize mismatch",
                  tern_tensor_value(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32)));
    tern_module_load_state_dict(m, state, true);
    CHECK_ERROR("Error(s) in loading state_dict for Sequential:\n\tUnexpected key(s) in "
                "state_dict: \"a?"
                "?size mismatch\". ");
}

Test(nn_state, a_failed_load_changes_nothing) {
    tern_module *m = mlp();
    tern_value state = tern_dict_new(ctx, true), own = tern_module_state_dict(m), key, item;
    double before = at(tern_module_tensor(m, "0.weight"), 0);
    for (size_t i = 0; tern_dict_at(own, i, &key, &item); i++)
        tern_dict_set(state, key.as.s, tern_tensor_value(tern_zeros_like(item.as.tensor)));
    tern_dict_set(state, "2.bias", tern_int(3));
    cr_assert_eq(tern_module_load_state_dict(m, state, false), TERN_ERR_ARGUMENT);
    CHECK_ERROR("Error(s) in loading state_dict for Sequential:\n\tWhile copying the parameter "
                "named \"2.bias\", expected torch.Tensor or Tensor-like object from checkpoint but "
                "received int");
    cr_assert_float_eq(at(tern_module_tensor(m, "0.weight"), 0), before, 0);
    cr_assert_eq(tern_module_load_state_dict(m, tern_list_new(ctx), true), TERN_ERR_ARGUMENT);
    CHECK_ERROR("Expected state_dict to be dict-like, got list.");
}

Test(nn_state, without_strict_missing_and_unexpected_keys_pass) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_value state = odd_state();
    double bias = at(tern_module_tensor(m, "bias"), 0);
    cr_assert_eq(tern_module_load_state_dict(m, state, false), TERN_OK, "%s", tern_error(ctx));
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 0), 0, 0);
    cr_assert_float_eq(at(tern_module_tensor(m, "bias"), 0), bias, 0);
}

/* One load with the n-th allocation failing; the weights are then all old or all new. */
static bool load_with_failure(uint64_t nth, uint64_t *out_calls) {
    open_context();
    tern_module *m = tern_nn_sequential(ctx, NULL, 0);
    for (int i = 0; i < 12; i++) tern_module_append(m, tern_nn_linear(ctx, 2, 2, NULL));
    tern_value state = tern_dict_new(ctx, true), own = tern_module_state_dict(m), key, item;
    double before[24];
    for (size_t i = 0; tern_dict_at(own, i, &key, &item); i++) {
        before[i] = at(item.as.tensor, 0);
        tern_dict_set(
            state, key.as.s,
            tern_tensor_value(tern_full(ctx, tern_shape_of(item.as.tensor), 9, TERN_FLOAT64)));
    }
    CHECK_CLEAN();
    tern_empty_cache(ctx);
    tern_fail_allocation(nth);
    tern_status status = tern_module_load_state_dict(m, state, true);
    *out_calls = tern_fail_allocation(0);
    bool whole = true;
    tern_error_clear(ctx);
    for (size_t i = 0; tern_dict_at(own, i, &key, &item); i++)
        whole = whole && at(item.as.tensor, 0) == (status == TERN_OK ? 9 : before[i]);
    close_context();
    return whole;
}

Test(nn_state_failures, every_failed_allocation_loads_all_or_nothing) {
    uint64_t calls, ignored;
    cr_assert(load_with_failure(0, &calls));
    cr_assert_gt(calls, 3);
    for (uint64_t n = 1; n <= calls; n++)
        cr_assert(load_with_failure(n, &ignored), "call %llu of %llu", (unsigned long long)n,
                  (unsigned long long)calls);
}
