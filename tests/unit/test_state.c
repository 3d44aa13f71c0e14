/* States: loading what fits, editing keys. */
#include "nn_fixture.h"
#include "tern/state.h"

TestSuite(state, .init = open_context, .fini = close_context);

static tern_module *model(const char *text) {
    tern_manual_seed(ctx, 1);
    return tern_nn(ctx, text);
}

static const char *report_text(tern_value report, const char *list) {
    return repr_of(tern_dict_get(report, list));
}

/* ---- loading what fits ----------------------------------------------------------------------- */

Test(state, a_lax_load_reports_what_pytorch_reports) {
    tern_module *m = model("Sequential(Linear(2, 2), BatchNorm1d(2))");
    tern_value state = tern_state_rename(
        ctx, tern_module_state_dict(model("Sequential(Linear(2, 2))")), "0.bias", "0.shift");
    tern_init_zeros(tern_module_tensor(m, "0.weight"));
    tern_value report = tern_module_load_state(m, state, 0);
    CHECK_CLEAN();
    cr_assert_str_eq(report_text(report, "missing_keys"),
                     "['0.bias', '1.weight', '1.bias', '1.running_mean', '1.running_var', "
                     "'1.num_batches_tracked']");
    cr_assert_str_eq(report_text(report, "unexpected_keys"), "['0.shift']");
    cr_assert_str_eq(report_text(report, "mismatched_keys"), "[]");
    cr_assert_neq(at(tern_module_tensor(m, "0.weight"), 0), 0);
    tern_module_load_state(m, state, TERN_LOAD_STRICT);
    CHECK_ERROR_HAS("Unexpected key(s) in state_dict: \"0.shift\". ");
}

Test(state, what_has_another_size_is_skipped_and_reported) {
    tern_module *m = model("Sequential(Linear(2, 2), Linear(2, 3))");
    tern_value state =
        tern_module_state_dict(tern_nn(ctx, "Sequential(Linear(2, 2), Linear(2, 5))"));
    tern_dict_set(state, "0.bias", tern_text("lost"));
    double before = at(tern_module_tensor(m, "1.weight"), 0);
    cr_assert_eq(tern_module_load_state(m, state, 0).kind, TERN_VALUE_NONE);
    CHECK_ERROR(
        "Error(s) in loading state_dict for Sequential:"
        "\n\tWhile copying the parameter named \"0.bias\", expected torch.Tensor or "
        "Tensor-like object from checkpoint but received str"
        "\n\tsize mismatch for 1.weight: copying a param with shape torch.Size([5, 2]) from "
        "checkpoint, the shape in current model is torch.Size([3, 2])."
        "\n\tsize mismatch for 1.bias: copying a param with shape torch.Size([5]) from "
        "checkpoint, the shape in current model is torch.Size([3]).");
    tern_value report = tern_module_load_state(m, state, TERN_LOAD_SKIP | TERN_LOAD_STRICT);
    CHECK_CLEAN();
    cr_assert_str_eq(
        report_text(report, "mismatched_keys"),
        "[('0.bias', 'str', (2,)), ('1.weight', (5, 2), (3, 2)), ('1.bias', (5,), (3,))]");
    cr_assert_float_eq(at(tern_module_tensor(m, "1.weight"), 0), before, 0);
    cr_assert_float_eq(at(tern_module_tensor(m, "0.weight"), 0),
                       at(tern_dict_get(state, "0.weight").as.tensor, 0), 0);
}

Test(state, a_load_without_memory_changes_nothing) {
    tern_module *m = model("Sequential(Linear(2, 2), Linear(2, 3))");
    tern_value state =
        tern_module_state_dict(tern_nn(ctx, "Sequential(Linear(2, 2), Linear(2, 5))"));
    double before = at(tern_module_tensor(m, "0.weight"), 0);
    for (uint64_t n = 1;; n++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_fail_allocation(n);
        tern_value report = tern_module_load_state(m, state, TERN_LOAD_SKIP);
        tern_fail_allocation(0);
        bool done = report.kind == TERN_VALUE_DICT;
        tern_scope_end(scope);
        if (done) break;
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
        cr_assert_float_eq(at(tern_module_tensor(m, "0.weight"), 0), before, 0);
        cr_assert_lt(n, 10000);
    }
    CHECK_CLEAN();
}

/* ---- keys ------------------------------------------------------------------------------------ */

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

static tern_value wrapped(void) {
    tern_module *inner = model("Sequential(Linear(2, 2), BatchNorm1d(2))");
    tern_module *outer = tern_nn_module_dict(ctx);
    tern_module_child(outer, "module", inner);
    return tern_module_state_dict(outer);
}

Test(state, a_prefix_is_stripped_with_the_versions) {
    tern_value state = tern_state_rename(ctx, wrapped(), "module.", "");
    cr_assert_str_eq(keys_of(state), "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var "
                                     "1.num_batches_tracked ");
    tern_value versions = tern_dict_get(tern_dict_attributes(state), "_metadata");
    cr_assert_str_eq(repr_of(versions),
                     "OrderedDict({'': {'version': 1}, '0': {'version': 1}, '1': "
                     "{'version': 2}})");
    tern_module_load_state_dict(model("Sequential(Linear(2, 2), BatchNorm1d(2))"), state, true);
    CHECK_CLEAN();
}

Test(state, entries_and_modules_are_removed_renamed_and_taken_out) {
    tern_value state = wrapped();
    cr_assert_str_eq(keys_of(tern_state_remove(ctx, state, "module.1")),
                     "module.0.weight module.0.bias ");
    cr_assert_str_eq(keys_of(tern_state_remove(ctx, state, "module.0.bias")) + 16,
                     "module.1.weight module.1.bias module.1.running_mean module.1.running_var "
                     "module.1.num_batches_tracked ");
    cr_assert_str_eq(keys_of(tern_state_below(ctx, state, "module.0")), "weight bias ");
    cr_assert_str_eq(keys_of(tern_state_below(ctx, state, "module.")),
                     "0.weight 0.bias 1.weight "
                     "1.bias 1.running_mean 1.running_var 1.num_batches_tracked ");
    tern_value renamed = tern_state_rename(ctx, state, "module.0", "fc");
    cr_assert(tern_dict_has(renamed, "fc.weight") && !tern_dict_has(renamed, "module.0.weight"));
    cr_assert(tern_dict_has(state, "module.0.weight"));
    /* "mod" names neither an entry nor a module. */
    cr_assert_str_eq(keys_of(tern_state_below(ctx, state, "mod")), "");
    CHECK_CLEAN();
    cr_assert_eq(tern_state_rename(ctx, state, "module.0.bias", "module.0.weight").kind,
                 TERN_VALUE_NONE);
    CHECK_ERROR("tern_state_rename: two entries would be called 'module.0.weight'");
    tern_state_remove(ctx, tern_int(3), "a");
    CHECK_ERROR("tern_state_remove: the state is a int, not a dict");
}

/* ---- copies ---------------------------------------------------------------------------------- */

Test(state, copies_share_what_their_originals_share) {
    tern_tensor *base = tern_arange(ctx, 0, 6, 1);
    tern_tensor *rows = tern_reshape(base, TERN_SHAPE(2, 3));
    tern_value state = tern_dict_new(ctx, true), list = tern_list_new(ctx);
    tern_dict_set(state, "base", tern_tensor_value(base));
    tern_dict_set(state, "turned", tern_tensor_value(tern_transpose(rows, 0, 1)));
    tern_list_append(list, tern_text("kept"));
    tern_dict_set(state, "list", list);
    tern_value copy = tern_value_copy(ctx, state);
    CHECK_CLEAN();
    cr_assert_str_eq(repr_of(copy),
                     "OrderedDict({'base': tensor([0., 1., 2., 3., 4., 5.]), 'turned': "
                     "tensor([[0., 3.],\n        [1., 4.],\n        [2., 5.]]), 'list': "
                     "['kept']})");
    tern_tensor *own = tern_dict_get(copy, "base").as.tensor;
    tern_tensor *turned = tern_dict_get(copy, "turned").as.tensor;
    cr_assert(tern_shares_storage(own, turned) && !tern_shares_storage(own, base));
    tern_fill_in_place(base, 7);
    cr_assert_float_eq(at(turned, 1), 3, 0);
    tern_tensor *x = tern_requires_grad(tern_ones(ctx, TERN_SHAPE(1), TERN_FLOAT32), true);
    cr_assert(tern_has_grad_required(tern_value_copy(ctx, tern_tensor_value(x)).as.tensor));
    tern_value_copy(ctx, tern_tensor_value(tern_square(x)));
    CHECK_ERROR_HAS("a tensor has a history");
}

Test(state, a_copy_without_memory_leaves_nothing_behind) {
    tern_value state = tern_module_state_dict(model("Sequential(Linear(20, 20), Linear(20, 3))"));
    uint64_t before = tern_stats_of(ctx).device_bytes;
    for (uint64_t n = 1;; n++) {
        tern_fail_allocation(n);
        tern_value copy = tern_value_copy(ctx, state);
        tern_fail_allocation(0);
        if (copy.kind == TERN_VALUE_DICT) break;
        cr_assert_eq(tern_error_clear(ctx), TERN_ERR_OUT_OF_MEMORY);
        cr_assert_eq(tern_stats_of(ctx).device_bytes, before);
        cr_assert_lt(n, 10000);
    }
    cr_assert_eq(tern_stats_of(ctx).device_bytes, 2 * before);
    CHECK_CLEAN();
}
