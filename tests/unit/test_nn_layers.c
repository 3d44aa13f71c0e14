/* Built-in modules: values, gradients, and initial weights equal to PyTorch's bits. */
#include "nn_fixture.h"

TestSuite(nn_layers, .init = open_context, .fini = close_context);

/* ---- gradients ------------------------------------------------------------------------------- */

typedef struct subject {
    tern_module *module;
    bool pair; /* forward(input, target) */
} subject;

/* The inputs of the module, then its parameters. */
static tern_tensor *run(tern_ctx *context, tern_tensor *const *inputs, int n, void *user) {
    const subject *s = user;
    (void)context;
    (void)n;
    if (s->pair) return tern_forward2(s->module, inputs[0], inputs[1]);
    return tern_forward(s->module, inputs[0]);
}

static tern_tensor *leaf(tern_shape shape) {
    double data[64];
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) count *= shape.dim[i];
    for (int64_t i = 0; i < count; i++) data[i] = 0.37 * (double)((i * 7 + 3) % 11) - 1.6;
    return tern_requires_grad(tern_from_data(ctx, data, shape, TERN_FLOAT64), true);
}

static void check_gradient(const char *text, bool pair, tern_shape shape) {
    tern_module *module = tern_nn(ctx, text);
    tern_module_to_dtype(module, TERN_FLOAT64);
    tern_tensor *inputs[24] = {leaf(shape)};
    int count = 1;
    subject s = {module, pair};
    if (pair)
        inputs[count++] = tern_requires_grad(tern_add_scalar(tern_detach(leaf(shape)), 0.11), true);
    tern_value parameters = tern_module_parameters(module);
    for (size_t i = 0; i < tern_value_count(parameters); i++)
        inputs[count++] = tern_value_at(parameters, i).as.tensor;
    tern_gradcheck(ctx, run, &s, inputs, count, 1e-6, 1e-5, 1e-3);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", text, tern_error(ctx));
}

Test(nn_layers, gradients_agree_with_differences) {
    check_gradient("Linear(3, 2)", false, TERN_SHAPE(4, 3));
    check_gradient("Linear(3, 2, bias=False)", false, TERN_SHAPE(2, 2, 3));
    check_gradient("Sequential(Linear(3, 4), Tanh(), Linear(4, 2), Sigmoid())", false,
                   TERN_SHAPE(2, 3));
    check_gradient("ReLU()", false, TERN_SHAPE(7));
    check_gradient("Softmax(dim=1)", false, TERN_SHAPE(2, 3));
    check_gradient("LogSoftmax(dim=0)", false, TERN_SHAPE(3, 2));
    check_gradient("Softmin(dim=-1)", false, TERN_SHAPE(3, 2));
    check_gradient("Flatten()", false, TERN_SHAPE(2, 2, 2));
    check_gradient("Unflatten(1, (2, -1))", false, TERN_SHAPE(2, 6));
    check_gradient("Identity()", false, TERN_SHAPE(3));
    check_gradient("L1Loss()", true, TERN_SHAPE(2, 3));
    check_gradient("L1Loss(reduction='sum')", true, TERN_SHAPE(5));
    check_gradient("MSELoss()", true, TERN_SHAPE(2, 3));
    check_gradient("MSELoss(reduction='none')", true, TERN_SHAPE(4));
}

Test(nn_layers, gradients_of_convolutions_pooling_and_padding_agree_with_differences) {
    check_gradient("Conv1d(2, 2, 2, padding=1)", false, TERN_SHAPE(1, 2, 4));
    check_gradient("Conv2d(2, 2, 2, stride=2, groups=2)", false, TERN_SHAPE(1, 2, 4, 3));
    check_gradient("Conv2d(1, 1, 3, padding='same', padding_mode='reflect')", false,
                   TERN_SHAPE(1, 1, 4, 3));
    check_gradient("ConvTranspose2d(1, 2, 2, stride=2, output_padding=1)", false,
                   TERN_SHAPE(1, 1, 2, 2));
    check_gradient("ConvTranspose1d(2, 1, 3, dilation=2)", false, TERN_SHAPE(2, 2, 3));
    check_gradient("AvgPool2d(2, padding=1)", false, TERN_SHAPE(1, 1, 4, 4));
    check_gradient("LPPool2d(2, 2)", false, TERN_SHAPE(1, 1, 2, 4));
    check_gradient("LPPool1d(2, 2, 1)", false, TERN_SHAPE(1, 1, 4));
    check_gradient("AdaptiveAvgPool2d((2, None))", false, TERN_SHAPE(1, 1, 3, 2));
    check_gradient("ZeroPad2d((1, 0, 2, 1))", false, TERN_SHAPE(1, 2, 2));
    check_gradient("ConstantPad1d(1, 2)", false, TERN_SHAPE(2, 3));
    check_gradient("ReflectionPad1d(1)", false, TERN_SHAPE(2, 3));
    check_gradient("ReplicationPad2d(1)", false, TERN_SHAPE(1, 2, 3));
    check_gradient("CircularPad1d(2)", false, TERN_SHAPE(1, 1, 3));
    check_gradient("Upsample(scale_factor=2, mode='bilinear')", false, TERN_SHAPE(1, 1, 2, 3));
    check_gradient("UpsamplingBilinear2d(scale_factor=2)", false, TERN_SHAPE(1, 1, 2, 2));
    check_gradient("UpsamplingNearest2d(scale_factor=2)", false, TERN_SHAPE(1, 1, 2, 2));
    check_gradient("PixelShuffle(2)", false, TERN_SHAPE(1, 4, 1, 2));
    check_gradient("Unfold(2)", false, TERN_SHAPE(1, 1, 3, 3));
}

Test(nn_layers, gradients_of_normalisation_activations_and_sequences_agree_with_differences) {
    check_gradient("BatchNorm1d(3)", false, TERN_SHAPE(4, 3));
    check_gradient("InstanceNorm1d(2, affine=True)", false, TERN_SHAPE(2, 4));
    check_gradient("LayerNorm(4)", false, TERN_SHAPE(2, 4));
    check_gradient("RMSNorm(4)", false, TERN_SHAPE(2, 4));
    check_gradient("GroupNorm(2, 4)", false, TERN_SHAPE(2, 4));
    check_gradient("LocalResponseNorm(3)", false, TERN_SHAPE(2, 4, 2));
    check_gradient("Sequential(GELU(), SiLU(), Softplus(), Mish())", false, TERN_SHAPE(5));
    check_gradient("GLU(1)", false, TERN_SHAPE(2, 4));
    check_gradient("PReLU(2)", false, TERN_SHAPE(2, 2));
    check_gradient("Softmax2d()", false, TERN_SHAPE(2, 2, 2));
    check_gradient("TransformerEncoderLayer(4, 2, 4, 0.0, 'gelu')", false, TERN_SHAPE(2, 4));
    check_gradient("Bilinear(3, 3, 2)", true, TERN_SHAPE(2, 3));
    check_gradient("CosineSimilarity()", true, TERN_SHAPE(2, 3));
    check_gradient("PairwiseDistance()", true, TERN_SHAPE(2, 3));
    check_gradient("SmoothL1Loss(beta=0.05)", true, TERN_SHAPE(2, 3));
}

/* ---- values ---------------------------------------------------------------------------------- */

Test(nn_layers, softmax_without_a_dim_takes_pytorchs) {
    const float data[] = {1, 2, 3, 4};
    tern_module *m = tern_nn(ctx, "Softmax()");
    cr_assert_float_eq(at(tern_forward(m, floats(TERN_SHAPE(2, 2), data)), 0), 0.26894142, 1e-6);
    cr_assert_float_eq(at(tern_forward(m, floats(TERN_SHAPE(2, 2, 1), data)), 0), 0.11920292, 1e-6);
}

Test(nn_layers, relu_in_place_writes_its_input) {
    const float data[] = {-1, 2};
    tern_tensor *x = floats(TERN_SHAPE(2), data);
    cr_assert_eq(tern_forward(tern_nn(ctx, "ReLU(inplace=True)"), x), x);
    cr_assert_float_eq(at(x, 0), 0, 0);
    CHECK_CLEAN();
}

Test(nn_layers, flatten_and_unflatten_are_inverse) {
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(2, 3, 4), NULL);
    tern_module *m = TERN_SEQUENTIAL(ctx, tern_nn_flatten(ctx, 1, -1),
                                     tern_nn_unflatten(ctx, 1, TERN_SHAPE(3, 4)));
    cr_assert(tern_equal(tern_forward(m, x), x));
    tern_forward(tern_nn_unflatten(ctx, 1, TERN_SHAPE(2, 2)), x);
    CHECK_ERROR_HAS("Unflatten: the sizes do not multiply up to the size of dim 1 (3)");
    tern_forward(tern_nn_unflatten(ctx, 5, TERN_SHAPE(2, 2)), x);
    CHECK_ERROR_HAS("Dimension out of range (expected to be in range of [-3, 2], but got 5)");
    tern_forward(tern_nn_flatten(ctx, INT64_MAX, -1), x);
    CHECK_ERROR_HAS("Dimension out of range");
}

Test(nn_layers, typed_constructors_and_text_make_the_same) {
    tern_linear_options o = TERN_LINEAR_OPTIONS;
    o.bias = false;
    o.dtype = TERN_FLOAT64;
    tern_module *m = tern_nn_linear(ctx, 2, 3, &o);
    cr_assert_str_eq(tern_module_repr_text(m), "Linear(in_features=2, out_features=3, bias=False)");
    cr_assert_eq(tern_dtype_of(tern_module_tensor(m, "weight")), TERN_FLOAT64);
    cr_assert_str_eq(tern_module_repr_text(tern_nn_log_softmax(ctx, 1)), "LogSoftmax(dim=1)");
    cr_assert_str_eq(tern_module_repr_text(tern_nn_softmax(ctx, 1)), "Softmax(dim=1)");
    cr_assert_str_eq(tern_module_repr_text(tern_nn_module_dict(ctx)), "ModuleDict()");
    cr_assert_eq(tern_numel(tern_forward2(tern_nn_l1_loss(ctx, TERN_NO_REDUCTION),
                                          tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32),
                                          tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32))),
                 3);
    CHECK_CLEAN();
    o.size = 0;
    cr_assert_null(tern_nn_linear(ctx, 2, 3, &o));
    CHECK_ERROR_HAS("tern_nn_linear: the options' size is 0");
}

Test(nn_layers, options_of_an_older_program_keep_the_newer_defaults) {
    tern_linear_options o = {.size = offsetof(tern_linear_options, dtype), .bias = false};
    tern_module *m = tern_nn_linear(ctx, 1, 1, &o);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(m, "weight")), TERN_FLOAT32);
    cr_assert_eq(tern_value_count(tern_module_parameters(m)), 1);
}

Test(nn_layers, containers_take_more_modules) {
    tern_module *list = TERN_SEQUENTIAL(ctx, tern_nn_relu(ctx));
    cr_assert_eq(tern_module_append(list, tern_nn_tanh(ctx)), TERN_OK);
    cr_assert_str_eq(tern_module_name(tern_module_get(list, "1")), "Tanh");
    cr_assert_eq(tern_module_append(tern_nn_relu(ctx), list), TERN_ERR_ARGUMENT);
    CHECK_ERROR(
        "tern_module_append: ReLU is not a list of modules, as Sequential and ModuleList are");
    tern_module *modules[] = {tern_nn_sigmoid(ctx), NULL};
    cr_assert_null(tern_nn_module_list(ctx, modules, 2));
    CHECK_ERROR("ModuleList: module 1 is NULL");
}

/* ---- initial weights ------------------------------------------------------------------------- */

Test(nn_layers, initial_weights_have_pytorchs_bits) {
    static const uint32_t weight[] = {0x3f0a6571, 0x3f163f5b, 0xbe29a1a3,
                                      0x3f264952, 0xbe1ea5df, 0x3e121cb0};
    static const uint32_t bias[] = {0xbeb042a6, 0x3ed49e79, 0x3f1f9389};
    tern_manual_seed(ctx, 42);
    tern_module *m = tern_nn(ctx, "Linear(2, 3)");
    for (int i = 0; i < 6; i++)
        cr_assert_eq(bits_at(tern_module_tensor(m, "weight"), i), weight[i], "weight %d", i);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(bits_at(tern_module_tensor(m, "bias"), i), bias[i], "bias %d", i);
}

Test(nn_layers, text_draws_weights_in_the_order_of_the_layers) {
    tern_manual_seed(ctx, 42);
    tern_module *a = tern_nn(ctx, "Sequential(Linear(2, 3), Linear(3, 1))");
    tern_manual_seed(ctx, 42);
    tern_module *first = tern_nn_linear(ctx, 2, 3, NULL), *second = tern_nn_linear(ctx, 3, 1, NULL);
    cr_assert(tern_equal(tern_module_tensor(a, "0.bias"), tern_module_tensor(first, "bias")));
    cr_assert(tern_equal(tern_module_tensor(a, "1.weight"), tern_module_tensor(second, "weight")));
}

Test(nn_layers, layers_without_elements_are_legal) {
    tern_module *m = tern_nn(ctx, "Linear(0, 3)");
    CHECK_CLEAN();
    tern_tensor *y = tern_forward(m, tern_ones(ctx, TERN_SHAPE(2, 0), TERN_FLOAT32));
    cr_assert_eq(tern_numel(y), 6);
    cr_assert_float_eq(at(y, 0), 0, 0);
    CHECK_CLEAN();
}

/* Makes, runs and drops a model; the status of it all. */
static tern_status build_and_run(void) {
    open_context();
    tern_module *m = tern_nn(ctx, "Sequential(Linear(2, 3), ReLU(), ModuleDict((a): Tanh()))");
    tern_module *n = tern_nn(ctx, "Sequential(Flatten(), Linear(4, 2), Softmax(dim=-1))");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(2, 2, 2), TERN_FLOAT32);
    tern_backward(tern_sum(tern_forward(n, x)));
    tern_module_repr_text(m);
    tern_module_state_dict(m);
    tern_module_to_dtype(m, TERN_FLOAT64);
    tern_status status = tern_check(ctx);
    tern_close(ctx);
    return status;
}

Test(nn_layers_failures, every_failed_allocation_ends_in_a_clean_error) {
    cr_assert_eq(build_and_run(), TERN_OK);
    tern_fail_allocation(0);
    build_and_run();
    uint64_t calls = tern_fail_allocation(0);
    cr_assert_gt(calls, 20);
    for (uint64_t n = 1; n <= calls; n++) {
        tern_fail_allocation(n);
        tern_status status = build_and_run();
        tern_fail_allocation(0);
        cr_assert_neq(status, TERN_OK, "call %llu of %llu", (unsigned long long)n,
                      (unsigned long long)calls);
    }
}
