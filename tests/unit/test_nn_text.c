/* Modules as text: PyTorch's notation read, printed and read again; errors point at the place. */
#include <stdio.h>

#include "nn_fixture.h"

TestSuite(nn_text, .init = open_context, .fini = close_context);

static const char *print_of(const char *text) {
    tern_module *module = tern_nn(ctx, text);
    return module ? tern_module_repr_text(module) : tern_error(ctx);
}

/* ---- printing -------------------------------------------------------------------------------- */

Test(nn_text, modules_print_as_in_pytorch) {
    static const char *const same[][2] = {
        {"Linear(1, 1)", "Linear(in_features=1, out_features=1, bias=True)"},
        {"nn.Linear(3, out_features=2, bias=False)",
         "Linear(in_features=3, out_features=2, bias=False)"},
        {"torch.nn.ReLU()", "ReLU()"},
        {"ReLU(inplace=True)", "ReLU(inplace=True)"},
        {"ReLU(True)", "ReLU(inplace=True)"},
        {"Sigmoid()", "Sigmoid()"},
        {"Tanh()", "Tanh()"},
        {"Softmax(dim=1)", "Softmax(dim=1)"},
        {"LogSoftmax(-1)", "LogSoftmax(dim=-1)"},
        {"Softmin()", "Softmin(dim=None)"},
        {"Flatten()", "Flatten(start_dim=1, end_dim=-1)"},
        {"Unflatten(1, (2, 2))", "Unflatten(dim=1, unflattened_size=(2, 2))"},
        {"Unflatten(dim=1, unflattened_size=[4])", "Unflatten(dim=1, unflattened_size=(4,))"},
        {"Identity()", "Identity()"},
        {"L1Loss()", "L1Loss()"},
        {"MSELoss(reduction='sum')", "MSELoss()"},
        {"Sequential()", "Sequential()"},
        {"ModuleList()", "ModuleList()"},
        {"ModuleDict()", "ModuleDict()"},
        {"Conv1d(1, 2, 3, dilation=2)",
         "Conv1d(1, 2, kernel_size=(3,), stride=(1,), dilation=(2,))"},
        {"Conv2d(1, 10, 3)", "Conv2d(1, 10, kernel_size=(3, 3), stride=(1, 1))"},
        {"Conv2d(1, 2, (3, 5), stride=2, padding=1, bias=False)",
         "Conv2d(1, 2, kernel_size=(3, 5), stride=(2, 2), padding=(1, 1), bias=False)"},
        {"Conv2d(2, 4, 3, padding='same', groups=2, padding_mode='reflect')",
         "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=same, groups=2, "
         "padding_mode=reflect)"},
        {"ConvTranspose2d(4, 2, 2, 2, output_padding=1)",
         "ConvTranspose2d(4, 2, kernel_size=(2, 2), stride=(2, 2), output_padding=(1, 1))"},
        {"MaxPool2d(2)",
         "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"},
        {"MaxPool2d((2, 3), stride=1)",
         "MaxPool2d(kernel_size=(2, 3), stride=1, padding=0, dilation=1, ceil_mode=False)"},
        {"MaxUnpool2d(2)", "MaxUnpool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0))"},
        {"AvgPool1d(2)", "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"},
        {"AvgPool2d(2)", "AvgPool2d(kernel_size=2, stride=2, padding=0)"},
        {"AdaptiveAvgPool2d((1, 1))", "AdaptiveAvgPool2d(output_size=(1, 1))"},
        {"AdaptiveMaxPool2d((None, 3))", "AdaptiveMaxPool2d(output_size=(None, 3))"},
        {"LPPool2d(2, 3)", "LPPool2d(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)"},
        {"BatchNorm2d(3)", "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, "
                           "track_running_stats=True)"},
        {"InstanceNorm1d(3, momentum=None)",
         "InstanceNorm1d(3, eps=1e-05, momentum=None, affine=False, bias=False, "
         "track_running_stats=False)"},
        {"LayerNorm(4)", "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)"},
        {"RMSNorm([4, 2])", "RMSNorm((4, 2), eps=None, elementwise_affine=True)"},
        {"GroupNorm(2, 4)", "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"},
        {"LocalResponseNorm(5)", "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"},
        {"Embedding(3, 4, -3)", "Embedding(3, 4, padding_idx=0)"},
        {"Dropout(0.25)", "Dropout(p=0.25, inplace=False)"},
        {"LeakyReLU()", "LeakyReLU(negative_slope=0.01)"},
        {"GELU(approximate='tanh')", "GELU(approximate='tanh')"},
        {"ELU()", "ELU(alpha=1.0)"},
        {"Softplus()", "Softplus(beta=1.0, threshold=20.0)"},
        {"Threshold(0.1, 20)", "Threshold(threshold=0.1, value=20)"},
        {"Hardtanh()", "Hardtanh(min_val=-1.0, max_val=1.0)"},
        {"Hardshrink()", "Hardshrink(0.5)"},
        {"PReLU()", "PReLU(num_parameters=1)"},
        {"Upsample(scale_factor=2, mode='bilinear')",
         "Upsample(scale_factor=2.0, mode='bilinear')"},
        {"UpsamplingNearest2d((4, 5))", "UpsamplingNearest2d(size=(4, 5), mode='nearest')"},
        {"PixelShuffle(3)", "PixelShuffle(upscale_factor=3)"},
        {"Unfold((2, 3))", "Unfold(kernel_size=(2, 3), dilation=1, padding=0, stride=1)"},
        {"ZeroPad2d(1)", "ZeroPad2d((1, 1, 1, 1))"},
        {"ConstantPad1d((1, 2), 3.5)", "ConstantPad1d(padding=(1, 2), value=3.5)"},
        {"CosineSimilarity()", "CosineSimilarity()"},
        {"Bilinear(2, 3, 4)",
         "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)"},
        {"LSTM(3, 4, 2, batch_first=True)", "LSTM(3, 4, num_layers=2, batch_first=True)"},
        {"LSTM(3, 4, proj_size=2, dropout=0.5)", "LSTM(3, 4, proj_size=2, dropout=0.5)"},
        {"GRU(2, 3)", "GRU(2, 3)"},
        {"RNN(2, 3, nonlinearity='relu', bidirectional=True)", "RNN(2, 3, bidirectional=True)"},
        {"RNNCell(2, 3, nonlinearity='relu')", "RNNCell(2, 3, nonlinearity=relu)"},
        {"LSTMCell(2, 3, False)", "LSTMCell(2, 3, bias=False)"},
        {"MultiheadAttention(8, 2)",
         "MultiheadAttention(\n"
         "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, "
         "bias=True)\n)"},
        {"CrossEntropyLoss(label_smoothing=0.1)", "CrossEntropyLoss()"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        cr_assert_str_eq(print_of(same[i][0]), same[i][1], "%s: %s", same[i][0],
                         print_of(same[i][0]));
    CHECK_CLEAN();
}

Test(nn_text, trees_indent_by_two) {
    cr_assert_str_eq(print_of("Sequential(Flatten(), Sequential(Linear(2, 3), ReLU()), Tanh())"),
                     "Sequential(\n"
                     "  (0): Flatten(start_dim=1, end_dim=-1)\n"
                     "  (1): Sequential(\n"
                     "    (0): Linear(in_features=2, out_features=3, bias=True)\n"
                     "    (1): ReLU()\n"
                     "  )\n"
                     "  (2): Tanh()\n"
                     ")");
}

Test(nn_text, module_lists_collapse_repeats_and_sequentials_do_not) {
    const char *list = "ModuleList(\n"
                       "  (0-2): 3 x Linear(in_features=1, out_features=1, bias=True)\n"
                       "  (3): ReLU()\n"
                       "  (4-5): 2 x Sequential(\n"
                       "    (0): ReLU()\n"
                       "    (1): ReLU()\n"
                       "  )\n"
                       ")";
    cr_assert_str_eq(print_of("ModuleList([Linear(1, 1), Linear(1, 1), Linear(1, 1), ReLU(), "
                              "Sequential(ReLU(), ReLU()), Sequential(ReLU(), ReLU())])"),
                     list);
    cr_assert_str_eq(print_of(list), list);
    CHECK_CLEAN();
}

Test(nn_text, what_is_printed_builds_the_same_again) {
    const char *text = "ModuleDict(\n"
                       "  (body): Sequential(\n"
                       "    (0): Linear(in_features=4, out_features=8, bias=False)\n"
                       "    (act): ReLU(inplace=True)\n"
                       "  )\n"
                       "  (head): Softmax(dim=-1)\n"
                       ")";
    cr_assert_str_eq(print_of(text), text);
    cr_assert_eq(tern_numel(tern_module_tensor(tern_nn(ctx, text), "body.0.weight")), 32);
    CHECK_CLEAN();
}

Test(nn_text, repr_measures_and_cuts_as_snprintf) {
    tern_module *m = tern_nn(ctx, "Linear(1, 1)");
    char text[8] = "xxxxxxx";
    cr_assert_eq(tern_module_repr(m, NULL, 0), 48);
    cr_assert_eq(tern_module_repr(m, text, sizeof text), 48);
    cr_assert_str_eq(text, "Linear(");
}

/* ---- errors ---------------------------------------------------------------------------------- */

#define REFUSES(text, message)                                                                     \
    do {                                                                                           \
        cr_assert_null(tern_nn(ctx, text));                                                        \
        CHECK_ERROR(message);                                                                      \
    } while (0)

Test(nn_text, syntax_errors_point_at_the_column) {
    REFUSES("", "tern_nn: column 1: expected a value, found the end");
    REFUSES("Linear(1, 1", "tern_nn: column 12: expected ',' or ')', found the end");
    REFUSES("Linear(1 1)", "tern_nn: column 10: expected ',' or ')', found '1'");
    REFUSES("Linear(1, 1) x", "tern_nn: column 14: expected the end of the text, found 'x'");
    REFUSES("Linear(1, @)", "tern_nn: column 11: expected a value, found '@'");
    REFUSES("Linear(1x, 2)", "tern_nn: column 8: this is not a number, found '1'");
    REFUSES("Linear(1e, 2)", "tern_nn: column 8: this is not a number, found '1'");
    REFUSES("MSELoss(reduction='sum)",
            "tern_nn: column 19: this text has no closing quote, found '''");
    REFUSES("MSELoss(reduction=sum)", "tern_nn: column 19: expected a value: text needs quotes, a "
                                      "call parentheses, found 's'");
    REFUSES("Linear(in_features=1, 2)", "tern_nn: column 23: an argument without a name cannot "
                                        "follow one with a name, found '2'");
    REFUSES("Linear(bias=True, bias=True)",
            "tern_nn: column 19: this argument is given twice, found 'b'");
    REFUSES("Linear(99999999999999999999, 1)",
            "tern_nn: column 8: this integer does not fit into 64 bits, found '9'");
    REFUSES("Sequential(\n  (0): ReLU()\n  (1: ReLU()\n)",
            "tern_nn: line 3, column 5: expected ',' or ')', found ':'");
    REFUSES("Sequential(\n  (0): ReLU()\n  (0): ReLU()\n)",
            "tern_nn: line 3, column 3: a second child of this name, found '('");
    REFUSES("ModuleList((0-1): 3 x ReLU())", "tern_nn: column 12: the range and the count of this "
                                             "child do not agree, found '('");
    REFUSES("ModuleList((0-99999999): 100000000 x ReLU())",
            "tern_nn: column 12: the range and the count of this child do not agree, found '('");
}

Test(nn_text, unknown_modules_and_arguments_are_named) {
    REFUSES("Lineer(1, 1)", "tern_nn: column 1: there is no module 'Lineer'; did you mean Linear?");
    REFUSES("Sequential(ReLU(), Perceptron())",
            "tern_nn: column 20: there is no module 'Perceptron': tern_nn_register adds a "
            "class of your own");
    cr_assert_null(tern_nn(ctx, "Sequential(ReLU(), Linear(3))"));
    CHECK_ERROR_HAS("tern_nn: column 20: Linear: missing argument 'out_features' (int)");
    cr_assert_null(tern_nn(ctx, "Linear(1, 1, biass=True)"));
    CHECK_ERROR_HAS("biass");
    cr_assert_null(tern_nn(ctx, "Linear('a', 1)"));
    CHECK_ERROR_HAS("in_features");
    REFUSES("Sequential(3)", "tern_nn: column 1: Sequential takes modules, not a int");
    REFUSES("Sequential(x=ReLU())", "tern_nn: column 1: Sequential has no argument 'x'");
    REFUSES("3", "tern_nn: expected a module, such as Linear(1, 1)");
    cr_assert_null(tern_nn(ctx, "MSELoss(reduction='average')"));
    CHECK_ERROR(
        "MSELoss: 'average' is not a valid value for reduction: use 'none', 'mean' or 'sum'");
    REFUSES("Linear(-1, 2)", "Linear: in_features=-1 and out_features=2 must not be negative");
}

Test(nn_text, nesting_is_bounded_at_64) {
    char text[4096] = "";
    for (int i = 0; i < 63; i++) strcat(text, "ModuleList(");
    strcat(text, "ReLU()");
    for (int i = 0; i < 63; i++) strcat(text, ")");
    tern_module *deep = tern_nn(ctx, text);
    CHECK_CLEAN();
    cr_assert_gt(tern_module_repr(deep, NULL, 0), 63 * 11);
    char deeper[8300];
    snprintf(deeper, sizeof deeper, "ModuleList(%s, %s)", text, text);
    cr_assert_null(tern_nn(ctx, deeper));
    CHECK_ERROR_HAS("nested deeper than 64");
}

Test(nn_text, printing_two_deep_branches_takes_no_longer_than_it_must) {
    char text[4096] = "";
    for (int i = 0; i < 60; i++) strcat(text, "ModuleList(");
    strcat(text, "ReLU()");
    for (int i = 0; i < 60; i++) strcat(text, ", ReLU())");
    cr_assert_gt(tern_module_repr(tern_nn(ctx, text), NULL, 0), 60 * 11);
    CHECK_CLEAN();
}

/* ---- names and values ------------------------------------------------------------------------ */

typedef struct blur {
    tern_module module;
    int64_t radius;
    double sigma;
    const char *mode;
    tern_int_list taps;
} blur;

static const tern_field blur_fields[] = {
    TERN_FIELD(blur, radius, radius),
    TERN_FIELD(blur, sigma, sigma),
    TERN_FIELD(blur, mode, mode),
    TERN_FIELD(blur, taps, taps),
    TERN_FIELD_END,
};

static tern_status blur_init(tern_module *self) {
    tern_module_child(self, "inner", tern_nn_identity(ctx));
    return TERN_OK;
}

static const tern_module_class blur_class = {
    TERN_MODULE_CLASS("Blur(int radius, float sigma=1.0, str mode='same', int[] taps=[1, 2])",
                      blur),
    .fields = blur_fields,
    .init = blur_init,
    .print = "radius sigma= mode=? taps=?",
};

Test(nn_text, a_registered_class_is_made_by_text_and_by_name) {
    cr_assert_eq(tern_nn_register(ctx, &blur_class), TERN_OK);
    cr_assert_eq(tern_nn_register(ctx, &blur_class), TERN_OK);
    cr_assert_eq(tern_nn_class("Blur"), &blur_class);
    tern_module *m = tern_nn(ctx, "Blur(3, mode='full')");
    CHECK_CLEAN();
    const char *printed = "Blur(\n"
                          "  3, sigma=1.0, mode='full'\n"
                          "  (inner): Identity()\n"
                          ")";
    cr_assert_str_eq(tern_module_repr_text(m), printed);
    cr_assert_str_eq(print_of(printed), printed);
    cr_assert_str_eq(((blur *)m)->mode, "full");
    cr_assert_eq(((blur *)m)->taps.count, 2);
    cr_assert_str_eq(repr_of(tern_module_argument(m, "sigma")), "1.0");
    cr_assert_null(tern_nn(ctx, "Blur(radius=3\n(other): Identity())"));
    CHECK_ERROR_HAS("the child 'other' is not what Blur makes");
    tern_value args = tern_dict_new(ctx, false);
    tern_dict_set(args, "radius", tern_int(5));
    cr_assert_eq(((blur *)tern_nn_make(ctx, "Blur", args))->radius, 5);
    cr_assert_null(tern_nn_make(ctx, "Blur", tern_none()));
    CHECK_ERROR_HAS("tern_nn_make: Blur: missing argument 'radius'");
    static const tern_module_class impostor = {TERN_MODULE_CLASS("Linear()", tern_module)};
    cr_assert_eq(tern_nn_register(ctx, &impostor), TERN_ERR_ARGUMENT);
    CHECK_ERROR("tern_nn_register: there is a module named Linear already");
}

Test(nn_text, overrides_supply_what_a_printout_leaves_out) {
    tern_value args = tern_dict_new(ctx, false), overrides = tern_dict_new(ctx, false);
    tern_dict_set(args, "out_features", tern_int(7));
    tern_dict_set(overrides, "1.0", args);
    tern_module *m =
        tern_nn_with(ctx, "Sequential(ReLU(), Sequential(Linear(in_features=2)))", overrides);
    CHECK_CLEAN();
    cr_assert_eq(tern_size(tern_module_tensor(m, "1.0.weight"), 0), 7);
}

Test(nn_text, notation_reads_pytorchs_literals) {
    tern_value v = tern_notation_parse(
        ctx, "test",
        " f( -1, +2.5, 1e-3, None, True, 'it\\'s', \"q\", (1,), (), [1, [2]], (3), "
        "torch.float16, inf, -inf, x=-.5, )");
    CHECK_CLEAN();
    cr_assert_str_eq(repr_of(tern_dict_get(v, "positional")),
                     "[-1, 2.5, 0.001, None, True, \"it's\", 'q', (1,), (), [1, [2]], 3, "
                     "torch.float16, inf, -inf]");
    cr_assert_str_eq(repr_of(tern_dict_get(v, "args")), "{'x': -0.5}");
    cr_assert_eq(tern_value_as_int(tern_dict_get(v, "column")), 2);
}
