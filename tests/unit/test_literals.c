/* Lists, tuples and dicts in one line, and parameters chosen by name. */
#include <criterion/criterion.h>
#include <string.h>

#include "tern/literals.h"
#include "tern/nn.h"
#include "tern/ops.h"
#include "tern/optim.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu");
}
static void close_context(void) {
    cr_assert_eq(tern_close(ctx), TERN_OK);
    ctx = NULL;
}

TestSuite(literals, .init = open_context, .fini = close_context);

static bool is_written(tern_value value, const char *text) {
    char written[200];
    tern_value_repr(value, written, sizeof written);
    return strcmp(written, text) == 0;
}

Test(literals, a_literal_is_what_python_writes) {
    cr_assert(is_written(TERN_DICT(ctx, {"lr", tern_float(0.1)}, {"nesterov", tern_bool(true)}),
                         "{'lr': 0.1, 'nesterov': True}"));
    cr_assert(is_written(TERN_DICT(ctx, {"a", tern_int(1)}, {"a", tern_int(2)}), "{'a': 2}"));
    cr_assert(
        is_written(TERN_LIST(ctx, tern_int(1), TERN_TUPLE(ctx, tern_none())), "[1, (None,)]"));
    cr_assert(is_written(TERN_TENSORS(ctx, tern_scalar_tensor(ctx, 2, TERN_INT64), NULL),
                         "(tensor(2), None)"));
    cr_assert(is_written(tern_list_from(ctx, NULL, 0), "[]"));
}

Test(literals, bad_input_is_one_line) {
    cr_assert_eq(tern_dict_from(ctx, NULL, 1).kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_error(ctx), "tern_dict_from: the array is NULL");
    tern_error_clear(ctx);
    cr_assert_eq(TERN_DICT(ctx, {NULL, tern_int(1)}).kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_error(ctx), "tern_dict_from: the key of entry 0 is NULL");
    tern_error_clear(ctx);
    for (uint64_t n = 1; n < 6; n++) {
        tern_fail_allocation(n);
        tern_value value = TERN_LIST(ctx, TERN_DICT(ctx, {"a", tern_int(1)}));
        tern_fail_allocation(0);
        cr_assert(value.kind == TERN_VALUE_LIST || tern_check(ctx) == TERN_ERR_OUT_OF_MEMORY ||
                  tern_check(ctx) == TERN_OK);
        tern_error_clear(ctx);
    }
}

Test(literals, parameters_are_chosen_by_name) {
    tern_module *net = tern_nn(ctx, "Sequential(Linear(2, 3), LayerNorm(3), Linear(3, 1))");
    static const struct {
        const char *patterns;
        size_t count;
    } cases[] = {{"*", 6},          {"*.bias", 3},      {"!*.bias", 3},  {"0.*", 2},
                 {"1.*|*.bias", 4}, {"!1.*|*.bias", 2}, {"2.weight", 1}, {"*w*t", 3},
                 {"*.*s", 3},       {"**0**", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(tern_value_count(tern_module_parameters_like(net, cases[i].patterns)),
                     cases[i].count, "%s", cases[i].patterns);
    cr_assert_eq(tern_module_parameters_like(net, "weight").kind, TERN_VALUE_NONE);
    cr_assert_str_eq(tern_error(ctx), "tern_module_parameters_like: no parameter of Sequential "
                                      "matches 'weight'; its first is '0.weight'");
    tern_error_clear(ctx);
    cr_assert_eq(tern_module_parameters_like(net, "").kind, TERN_VALUE_NONE);
    tern_error_clear(ctx);
}

Test(literals, groups_of_an_optimizer_are_one_line_each) {
    tern_module *net = tern_nn(ctx, "Linear(2, 1)");
    tern_value groups =
        TERN_LIST(ctx, TERN_DICT(ctx, {"params", tern_module_parameters_like(net, "!bias")}),
                  TERN_DICT(ctx, {"params", tern_module_parameters_like(net, "bias")},
                            {"weight_decay", tern_float(0)}));
    tern_optim *optim =
        tern_optim_make(ctx, groups, "AdamW", TERN_DICT(ctx, {"weight_decay", tern_float(0.5)}));
    cr_assert_eq(tern_optim_group_count(optim), 2);
    cr_assert_eq(tern_optim_get(optim, 0, "weight_decay").as.f, 0.5);
    cr_assert_eq(tern_optim_get(optim, 1, "weight_decay").as.f, 0.0);
    cr_assert_eq(tern_optim_parameter(optim, 1), tern_module_tensor(net, "bias"));
}
