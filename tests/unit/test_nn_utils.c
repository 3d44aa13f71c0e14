/* torch.nn.utils: vectors, parametrized and pruned weights, fusion. Numbers are PyTorch 2.15's. */
#include "nn_fixture.h"
#include "tern/nn_utils.h"
#include "tern/state.h"

TestSuite(nn_utils, .init = open_context, .fini = close_context);

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

static void set(tern_module *m, const char *name, const float *data) {
    tern_tensor *tensor = tern_module_tensor(m, name);
    tern_write_host(tern_detach(tensor), data, (size_t)tern_numel(tensor) * sizeof *data);
}

static tern_tensor *ones(int64_t rows, int64_t columns) {
    return tern_ones(ctx, TERN_SHAPE(rows, columns), TERN_FLOAT32);
}

/* ---- vectors --------------------------------------------------------------------------------- */

Test(nn_utils, parameters_become_a_vector_and_come_back) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    set(m, "weight", (float[]){1, 2, 3, 4});
    set(m, "bias", (float[]){5, 6});
    tern_value params = tern_module_parameters(m);
    tern_tensor *vector = tern_parameters_to_vector(ctx, params);
    cr_assert_eq(tern_numel(vector), 6);
    cr_assert_float_eq(at(vector, 4), 5, 0);
    tern_backward(tern_sum(tern_square(vector)));
    cr_assert_float_eq(at(tern_grad_of(tern_module_tensor(m, "bias")), 1), 12, 0);
    cr_assert_eq(tern_vector_to_parameters(tern_mul_scalar(tern_detach(vector), 2), params),
                 TERN_OK);
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 3), 8, 0);
    cr_assert_float_eq(at(tern_module_tensor(m, "bias"), 0), 10, 0);
    CHECK_CLEAN();
    tern_vector_to_parameters(tern_ones(ctx, TERN_SHAPE(5), TERN_FLOAT32), params);
    CHECK_ERROR_HAS("the parameters have 6 elements");
}

/* ---- parametrizations ------------------------------------------------------------------------ */

static tern_tensor *twice_forward(tern_module *self, tern_tensor *x) {
    (void)self;
    return tern_mul_scalar(x, 2);
}
static const tern_module_class twice_class = {TERN_MODULE_CLASS("Twice()", tern_module),
                                              .forward = twice_forward};

static tern_tensor *narrow_forward(tern_module *self, tern_tensor *x) {
    (void)self;
    return tern_select(x, 0, 0);
}
static const tern_module_class narrow_class = {TERN_MODULE_CLASS("Narrow()", tern_module),
                                               .forward = narrow_forward};

Test(nn_utils, a_weight_becomes_a_function_of_its_original) {
    tern_module *m = tern_nn(ctx, "Linear(2, 1)");
    set(m, "weight", (float[]){1, 2});
    set(m, "bias", (float[]){0});
    tern_tensor *original = tern_module_tensor(m, "weight");
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    cr_assert_eq(tern_parametrize(m, "weight", tern_module_new(ctx, &twice_class, NULL)), TERN_OK,
                 "%s", tern_error(ctx));
    cr_assert_eq(tern_parametrize(m, "weight", tern_module_new(ctx, &twice_class, NULL)), TERN_OK,
                 "%s", tern_error(ctx));
    cr_assert(tern_is_parametrized(m, "weight") && !tern_is_parametrized(m, "bias"));
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "bias parametrizations.weight.original ");
    cr_assert_str_eq(tern_module_repr_text(m), "ParametrizedLinear(\n"
                                               "  in_features=2, out_features=1, bias=True\n"
                                               "  (parametrizations): ModuleDict(\n"
                                               "    (weight): ParametrizationList(\n"
                                               "      (0-1): 2 x Twice()\n"
                                               "    )\n"
                                               "  )\n"
                                               ")");
    tern_tensor *y = tern_forward(m, ones(1, 2));
    cr_assert_float_eq(at(y, 0), 12, 0);
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 1), 8, 0);
    tern_backward(y);
    tern_optim_step(sgd);
    cr_assert_float_eq(at(original, 0), 1 - 0.1 * 4, 1e-6);
    CHECK_CLEAN();
    tern_module *copy = tern_module_copy(m);
    cr_assert(tern_equal(tern_forward(m, ones(1, 2)), tern_forward(copy, ones(1, 2))));
    cr_assert_eq(tern_remove_parametrizations(m, "weight", true), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(tern_module_tensor(m, "weight"), original);
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "bias weight ");
    cr_assert_str_eq(tern_module_name(m), "Linear");
    cr_assert(tern_equal(tern_forward(m, ones(1, 2)), tern_forward(copy, ones(1, 2))));
    CHECK_CLEAN();
}

Test(nn_utils, refused_parametrizations_change_nothing) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    tern_parametrize(m, "weight", tern_module_new(ctx, &narrow_class, NULL));
    CHECK_ERROR_HAS("may not change the shape");
    tern_parametrize(m, "w", tern_module_new(ctx, &twice_class, NULL));
    CHECK_ERROR("tern_parametrize: Linear has no parameter 'w'");
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "weight bias ");
    tern_remove_parametrizations(m, "weight", true);
    CHECK_ERROR("Linear has no parametrization of 'weight'");
    tern_forward(m, ones(1, 2));
    CHECK_CLEAN();
}

Test(nn_utils, weight_norm_splits_length_and_direction) {
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    set(m, "weight", (float[]){3, 4, 6, 8});
    set(m, "bias", (float[]){0, 0});
    cr_assert_eq(tern_weight_norm(m, "weight", 0), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)),
                     "bias parametrizations.weight.original0 parametrizations.weight.original1 ");
    tern_tensor *g = tern_module_tensor(m, "parametrizations.weight.original0");
    cr_assert(tern_size(g, 0) == 2 && tern_size(g, 1) == 1 && at(g, 1) == 10);
    set(m, "parametrizations.weight.original0", (float[]){1, 2});
    tern_tensor *y = tern_forward(m, ones(1, 2));
    cr_assert_float_eq(at(y, 0), 1.4, 1e-6);
    cr_assert_float_eq(at(y, 1), 2.8, 1e-6);
    tern_backward(tern_sum(y));
    cr_assert_float_eq(at(tern_grad_of(g), 0), 1.4, 1e-6);
    tern_tensor *v = tern_module_tensor(m, "parametrizations.weight.original1");
    cr_assert_float_eq(at(tern_grad_of(v), 0), 0.032, 1e-6);
    cr_assert_eq(tern_remove_parametrizations(m, "weight", false), TERN_ERR_ARGUMENT);
    tern_error_clear(ctx);
    cr_assert_eq(tern_remove_parametrizations(m, "weight", true), TERN_OK);
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 1), 0.8, 1e-6);
    CHECK_CLEAN();
    tern_weight_norm(m, "weight", 5);
    CHECK_ERROR_HAS("Dimension out of range");
}

Test(nn_utils, spectral_norm_divides_by_the_greatest_singular_value) {
    tern_manual_seed(ctx, 1);
    tern_module *m = tern_nn(ctx, "Linear(2, 2)");
    set(m, "weight", (float[]){3, 0, 0, 1});
    set(m, "bias", (float[]){0, 0});
    cr_assert_eq(tern_spectral_norm(m, "weight", 1, 1e-12, -1), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)),
                     "bias parametrizations.weight.original parametrizations.weight.0._u "
                     "parametrizations.weight.0._v ");
    tern_tensor *y = tern_forward(m, ones(1, 2));
    cr_assert_float_eq(at(y, 0), 1, 1e-5);
    cr_assert_float_eq(at(y, 1), 1.0 / 3, 1e-5);
    tern_backward(tern_sum(y));
    CHECK_CLEAN();
    tern_module_eval(m);
    tern_module *copy = tern_module_copy(m);
    cr_assert(tern_equal(tern_forward(m, ones(1, 2)), tern_forward(copy, ones(1, 2))));
    CHECK_CLEAN();
}

/* ---- pruning --------------------------------------------------------------------------------- */

Test(nn_utils, pruned_weights_are_masked_and_get_no_gradient) {
    tern_module *m = tern_nn(ctx, "Linear(4, 1)");
    set(m, "weight", (float[]){1, -3, 2, 0.5});
    set(m, "bias", (float[]){0});
    cr_assert_eq(tern_prune_l1(m, "weight", tern_float(0.5)), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "bias weight_orig weight_mask ");
    tern_tensor *y = tern_forward(m, ones(1, 4));
    cr_assert_float_eq(at(y, 0), -1, 0);
    tern_backward(y);
    tern_tensor *grad = tern_grad_of(tern_module_tensor(m, "weight_orig"));
    cr_assert(at(grad, 0) == 0 && at(grad, 1) == 1);
    /* Half of the two that are left. */
    tern_prune_l1(m, "weight", tern_float(0.5));
    cr_assert_float_eq(at(tern_forward(m, ones(1, 4)), 0), -3, 0);
    tern_module *copy = tern_module_copy(m);
    cr_assert_float_eq(at(tern_forward(copy, ones(1, 4)), 0), -3, 0);
    cr_assert_eq(tern_prune_remove(m, "weight"), TERN_OK, "%s", tern_error(ctx));
    cr_assert_str_eq(keys_of(tern_module_state_dict(m)), "bias weight ");
    cr_assert(at(tern_module_tensor(m, "weight"), 2) == 0);
    CHECK_CLEAN();
    tern_prune_remove(m, "weight");
    CHECK_ERROR("tern_prune_remove: parameter 'weight' of Linear is not pruned");
    tern_prune_mask(m, "weight", ones(2, 2));
    CHECK_ERROR_HAS("the mask must have the shape of 'weight'");
    tern_prune_l1(m, "weight", tern_float(2));
    CHECK_ERROR_HAS("amount=2 should be in the range [0.0, 1.0]");
}

static void check_mask(tern_module *m, const char *expected) {
    char text[64];
    tern_tensor *mask = tern_module_tensor(m, "weight_mask");
    int count = (int)tern_numel(mask);
    for (int i = 0; i < count; i++) text[i] = at(mask, i) != 0 ? '1' : '0';
    text[count] = '\0';
    cr_assert_str_eq(text, expected);
}

/* prune.l1_unstructured(linear, "weight", 3), and so on. */
Test(nn_utils, a_whole_amount_is_a_count) {
    tern_module *m = tern_nn(ctx, "Linear(4, 2, bias=False)");
    set(m, "weight", (float[]){1, -3, 2, 0.5F, 4, -0.1F, 6, 0.2F});
    cr_assert_eq(tern_prune_l1(m, "weight", tern_int(1)), TERN_OK, "%s", tern_error(ctx));
    check_mask(m, "11111011");
    tern_prune_l1(m, "weight", tern_int(2));
    check_mask(m, "11101010");
    tern_prune_l1(m, "weight", tern_int(6));
    CHECK_ERROR("tern_prune_l1: amount=6 is more than the 5 that are left to mask");
    tern_prune_l1(m, "weight", tern_int(-1));
    CHECK_ERROR("tern_prune_l1: amount=-1 should not be negative");
    tern_prune_l1(m, "weight", tern_text("half"));
    CHECK_ERROR_HAS("amount should be a float, the share to mask, or an integer, the count");
    check_mask(m, "11101010");
    tern_prune_ln(m, "weight", tern_int(1), 2, 1);
    check_mask(m, "10101010");
    tern_manual_seed(ctx, 3);
    m = tern_nn(ctx, "Linear(4, 2)");
    tern_manual_seed(ctx, 3);
    tern_prune_random(m, "weight", tern_int(3));
    check_mask(m, "11110100");
    CHECK_CLEAN();
}

Test(nn_utils, slices_and_masks_of_ones_own) {
    tern_module *m = tern_nn(ctx, "Linear(2, 3, bias=False)");
    set(m, "weight", (float[]){1, 1, 5, 5, 2, 2});
    tern_prune_ln(m, "weight", tern_float(0.33), 2, 0);
    CHECK_CLEAN();
    tern_tensor *mask = tern_module_tensor(m, "weight_mask");
    cr_assert(at(mask, 0) == 0 && at(mask, 1) == 0 && at(mask, 2) == 1 && at(mask, 5) == 1);
    tern_prune_mask(m, "weight", floats(TERN_SHAPE(3, 2), (float[]){1, 1, 0, 1, 1, 1}));
    CHECK_CLEAN();
    tern_tensor *y = tern_forward(m, ones(1, 2));
    cr_assert(at(y, 0) == 0 && at(y, 1) == 5 && at(y, 2) == 4);
}

/* PyTorch: torch.manual_seed(s); prune.random_unstructured(nn.Linear(4, 2), "weight", 0.5), twice. */
Test(nn_utils, random_masks_are_those_of_the_seed) {
    tern_module *m = tern_nn(ctx, "Linear(4, 2)");
    tern_manual_seed(ctx, 3);
    cr_assert_eq(tern_prune_random(m, "weight", tern_float(0.5)), TERN_OK, "%s", tern_error(ctx));
    check_mask(m, "11010100");
    tern_prune_random(m, "weight", tern_float(0.5));
    check_mask(m, "10010000");
    tern_manual_seed(ctx, 4);
    m = tern_nn(ctx, "Linear(3, 5)");
    tern_prune_random_structured(m, "weight", tern_float(0.4), 0);
    check_mask(m, "000000111111111");
    tern_prune_random_structured(m, "weight", tern_float(0.34), -1);
    check_mask(m, "000000011011011");
    cr_assert(tern_is_pruned(tern_nn(ctx, "Linear(1, 1)")) == false && tern_is_pruned(m));
    CHECK_CLEAN();
    tern_prune_random_structured(m, "bias", tern_float(0.5), 0);
    CHECK_ERROR("tern_prune_random_structured: 'bias' has 1 dimension(s): slices are pruned of a "
                "weight with 2 or more");
    tern_prune_random_structured(m, "weight", tern_float(0.5), 2);
    CHECK_ERROR("tern_prune_random_structured: dim=2 is not a dimension of 'weight', which has 2");
}

Test(nn_utils, several_parameters_are_pruned_together) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), Linear(2, 2))");
    tern_module *first = tern_module_get(m, "0"), *second = tern_module_get(m, "1");
    set(m, "0.weight", (float[]){1, 2, 3, 4});
    set(m, "1.weight", (float[]){-0.1F, 5, -6, 0.2F});
    tern_prune_target both[] = {{first, "weight"}, {second, "weight"}};
    cr_assert_eq(tern_prune_global_l1(both, 2, tern_float(0.375)), TERN_OK, "%s", tern_error(ctx));
    check_mask(first, "0111");
    check_mask(second, "0110");
    cr_assert(tern_is_pruned(m));
    /* 0.4 of the 5 that are left, the next in size. */
    tern_prune_global_l1(both, 2, tern_float(0.4));
    check_mask(first, "0001");
    check_mask(second, "0110");
    tern_manual_seed(ctx, 5);
    tern_prune_global_random(both, 2, tern_float(0.67));
    check_mask(first, "0000");
    check_mask(second, "0100");
    CHECK_CLEAN();
    tern_prune_target twice[] = {{first, "weight"}, {first, "weight"}};
    tern_prune_global_l1(twice, 2, tern_float(0.5));
    CHECK_ERROR("tern_prune_global_l1: 'weight' of Linear is given twice");
    tern_prune_target absent[] = {{first, "bias"}, {second, "wieght"}};
    tern_prune_global_l1(absent, 2, tern_float(0.5));
    CHECK_ERROR("tern_prune_global_l1: Linear has no parameter 'wieght'");
    cr_assert_eq(tern_dict_has(tern_module_state_dict(m), "0.bias_mask"), false);
}

Test(nn_utils, state_dicts_of_the_older_weight_norm_are_loaded) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 2), ReLU())");
    tern_module *old = tern_module_copy(m), *layer = tern_module_get(m, "0");
    tern_weight_norm(layer, "weight", 0);
    tern_value state = tern_dict_new(ctx, true);
    tern_dict_set(state, "0.bias", tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(2), TERN_FLOAT32)));
    tern_dict_set(state, "0.weight_g",
                  tern_tensor_value(floats(TERN_SHAPE(2, 1), (float[]){10, 2})));
    tern_dict_set(state, "0.weight_v",
                  tern_tensor_value(floats(TERN_SHAPE(2, 2), (float[]){3, 4, 1, 0})));
    cr_assert_eq(tern_module_load_state_dict(m, state, true), TERN_OK, "%s", tern_error(ctx));
    tern_tensor *weight = tern_module_tensor(layer, "weight");
    cr_assert_float_eq(at(weight, 0), 6, 1e-6);
    cr_assert_float_eq(at(weight, 1), 8, 1e-6);
    cr_assert_float_eq(at(weight, 2), 2, 1e-6);
    /* The caller's dict stays as it was, and a module without weight norm does not know the keys. */
    cr_assert(tern_dict_has(state, "0.weight_g"));
    CHECK_CLEAN();
    tern_module_load_state_dict(old, state, true);
    CHECK_ERROR_HAS("Unexpected key(s) in state_dict: \"0.weight_g\", \"0.weight_v\"");
    /* One of the two is not enough. */
    tern_module_load_state_dict(m, tern_state_remove(ctx, state, "0.weight_v"), true);
    CHECK_ERROR_HAS("Unexpected key(s) in state_dict: \"0.weight_g\"");
}

Test(nn_utils, computed_weights_serve_where_nothing_is_recorded) {
    tern_module *m = tern_nn(ctx, "Sequential(Linear(4, 1), ReLU())");
    set(m, "0.weight", (float[]){1, 3, 2, 0.5});
    set(m, "0.bias", (float[]){0});
    tern_prune_l1(tern_module_get(m, "0"), "weight", tern_float(0.5));
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    cr_assert_float_eq(at(tern_forward(m, ones(1, 4)), 0), 5, 0);
    tern_scope_end(scope);
    CHECK_CLEAN();
}

/* ---- fusion ---------------------------------------------------------------------------------- */

Test(nn_utils, a_batch_norm_is_folded_into_its_convolution) {
    const char *const convs[] = {"Conv2d(2, 3, 3)", "Conv2d(2, 3, 3, bias=False)",
                                 "ConvTranspose2d(2, 3, 3)"};
    for (int i = 0; i < 3; i++) {
        tern_manual_seed(ctx, 7);
        tern_module *conv = tern_nn(ctx, convs[i]), *norm = tern_nn(ctx, "BatchNorm2d(3)");
        tern_init_normal(tern_module_tensor(norm, "weight"), 1, 0.5, NULL);
        tern_init_normal(tern_module_tensor(norm, "bias"), 0, 1, NULL);
        tern_init_uniform(tern_module_tensor(norm, "running_mean"), -1, 1, NULL);
        tern_init_uniform(tern_module_tensor(norm, "running_var"), 0.5, 2, NULL);
        cr_assert_null(tern_fuse_conv_bn_eval(conv, norm));
        CHECK_ERROR_HAS("Fusion only for eval!");
        tern_module_eval(conv);
        tern_module_eval(norm);
        tern_tensor *x = tern_randn(ctx, TERN_SHAPE(1, 2, 5, 5), NULL);
        tern_tensor *expected = tern_forward(norm, tern_forward(conv, x));
        tern_module *fused = tern_fuse_conv_bn_eval(conv, norm);
        CHECK_CLEAN();
        tern_tensor *off = tern_abs(tern_sub(tern_forward(fused, x), expected));
        cr_assert_lt(tern_item(tern_max(off)), 2e-6);
        cr_assert_null(strstr(tern_module_repr_text(fused), "bias=False"));
    }
    CHECK_CLEAN();
}
