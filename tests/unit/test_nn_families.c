/* Families of built-in modules: behaviour beside the values: buffers, drawn masks, refusals. */
#include <math.h>
#include <stdio.h>

#include "nn_fixture.h"

TestSuite(nn_families, .init = open_context, .fini = close_context);

static tern_tensor *ramp(tern_shape shape) {
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) count *= shape.dim[i];
    return tern_reshape(tern_arange(ctx, 0, (double)count, 1), shape);
}

#define REFUSES(text, message)                                                                     \
    do {                                                                                           \
        cr_assert_null(tern_nn(ctx, (text)), "%s", (text));                                        \
        CHECK_ERROR_HAS(message);                                                                  \
    } while (0)

Test(nn_families, constructors_refuse_what_cannot_be) {
    REFUSES("Conv2d(3, 4, 2, groups=2)", "must be positive and divisible by groups=2");
    REFUSES("Conv2d(3, 4, 2, groups=0)", "Conv2d: groups must be positive, not 0");
    REFUSES("Conv2d(1, 1, 0)", "Conv2d: kernel_size must be positive, not 0");
    REFUSES("Conv2d(1, 1, 1, stride=0)", "Conv2d: stride must be positive, not 0");
    REFUSES("Conv2d(1, 1, 1, dilation=-1)", "Conv2d: dilation must be positive, not -1");
    REFUSES("Conv2d(1, 1, (1, 2, 3))",
            "Conv2d: kernel_size must be one number or 2 numbers, not 3");
    REFUSES("Conv2d(1, 1, 1, padding=(1, 2, 3))",
            "Conv2d: padding must be one number or 2 numbers, not 3");
    REFUSES("Conv2d(1, 1, 3, stride=2, padding='same')", "Conv2d: padding='same'");
    REFUSES("Conv2d(1, 1, 3, padding='full')", "Conv2d: padding='full'");
    REFUSES("Conv2d(1, 1, 3, padding_mode='mirror')", "got padding_mode='mirror'");
    REFUSES("ConvTranspose2d(1, 1, 3, padding_mode='reflect')", "Only \"zeros\" padding mode");
    REFUSES("ConvTranspose1d(1, 1, 0)", "kernel_size must be positive");
    REFUSES("Dropout(1.5)", "dropout probability has to be between 0 and 1, but got 1.5");
    REFUSES("BatchNorm1d(-1)", "BatchNorm1d: num_features=-1 must not be negative");
    REFUSES("GroupNorm(2, 3)", "num_channels (3) must be divisible by num_groups (2)");
    REFUSES("GroupNorm(0, 3)", "num_groups must be positive");
    REFUSES("Embedding(-1, 3)", "num_embeddings=-1 and embedding_dim=3 must not be negative");
    REFUSES("Embedding(3, 3, padding_idx=3)", "padding_idx=3 must be within num_embeddings=3");
    REFUSES("PReLU(0)", "num_parameters must be positive");
    REFUSES("Bilinear(0, 1, 1)", "in1_features must be positive");
    REFUSES("ZeroPad2d((1, 2, 3))", "padding must be one number or 4 numbers, not 3");
    REFUSES("MaxPool2d('a')", "kernel_size");
    REFUSES("LinearCrossEntropyLoss(2, 3, out_features=(2,))", "out_features and options");
    REFUSES("TripletMarginWithDistanceLoss(distance_function=3)", "distance_function");
    REFUSES("L1Loss(reduction='batchmean')", "'batchmean' is not a valid value for reduction");
}

static void refuses_input(const char *text, tern_shape shape, const char *message) {
    tern_module *module = tern_nn(ctx, text);
    cr_assert(tern_is_nil(tern_forward(module, ramp(shape))), "%s", text);
    cr_assert_not_null(strstr(tern_error(ctx), message), "%s: %s", text, tern_error(ctx));
    tern_error_clear(ctx);
}

Test(nn_families, forwards_refuse_shapes_in_pytorchs_words) {
    refuses_input("BatchNorm1d(2)", TERN_SHAPE(2), "expected 2D or 3D input (got 1D input)");
    refuses_input("BatchNorm2d(2)", TERN_SHAPE(2, 2, 2), "expected 4D input (got 3D input)");
    refuses_input("InstanceNorm2d(2)", TERN_SHAPE(2, 2), "expected 3D or 4D input (got 2D input)");
    refuses_input("Softmax2d()", TERN_SHAPE(2, 2), "expected input to be 3D or 4D, got 2D");
    refuses_input("MaxPool2d(2)", TERN_SHAPE(4), "Expected 3D or 4D (batch mode) tensor");
    tern_tensor *pair[] = {ramp(TERN_SHAPE(2, 3)), ramp(TERN_SHAPE(2, 2))};
    tern_forward2(tern_nn(ctx, "Bilinear(2, 2, 1)"), pair[0], pair[1]);
    CHECK_ERROR_HAS("the last dimensions of input1 and input2 must be 2 and 2");
}

Test(nn_families, transposed_convolutions_choose_among_the_sizes_a_stride_leaves_open) {
    tern_module *m = tern_nn(ctx, "ConvTranspose1d(1, 1, 3, stride=2)");
    int64_t wanted[] = {10, 1, 1};
    tern_value args[] = {tern_tensor_value(ramp(TERN_SHAPE(1, 1, 4))), tern_ints(wanted, 1)};
    cr_assert_eq(tern_size(tern_module_call(m, args, 2, tern_none()).as.tensor, 2), 10);
    cr_assert_eq(tern_size(tern_forward(m, args[0].as.tensor), 2), 9);
    wanted[0] = 11;
    tern_module_call(m, args, 2, tern_none());
    CHECK_ERROR_HAS("requested an output size of 11 in dimension 0, but valid sizes range from 9 "
                    "to 10");
    args[1] = tern_ints(wanted, 2);
    tern_module_call(m, args, 2, tern_none());
    CHECK_ERROR_HAS("output_size must have 1 or 3 elements (got 2)");
}

Test(nn_families, batch_norm_averages_over_all_batches_without_a_momentum) {
    tern_module *m = tern_nn(ctx, "BatchNorm1d(1, momentum=None)");
    const float first[] = {0, 2}, second[] = {4, 6};
    tern_forward(m, floats(TERN_SHAPE(2, 1), first));
    tern_forward(m, floats(TERN_SHAPE(2, 1), second));
    cr_assert_float_eq(at(tern_module_tensor(m, "running_mean"), 0), 3, 1e-6);
    cr_assert_eq(tern_item_i64(tern_module_tensor(m, "num_batches_tracked")), 2);
    tern_module_eval(m);
    tern_forward(m, floats(TERN_SHAPE(2, 1), first));
    cr_assert_eq(tern_item_i64(tern_module_tensor(m, "num_batches_tracked")), 2);
    CHECK_CLEAN();
}

Test(nn_families, batch_norm_without_statistics_uses_the_batch_in_evaluation_too) {
    tern_module *m = tern_nn(ctx, "BatchNorm1d(1, track_running_stats=False, affine=False)");
    const float data[] = {0, 2};
    cr_assert_eq(tern_value_count(tern_module_state_dict(m)), 0);
    tern_module_eval(m);
    cr_assert_float_eq(at(tern_forward(m, floats(TERN_SHAPE(2, 1), data)), 0), -1, 1e-4);
    CHECK_CLEAN();
}

/* 2 draws an element: what the mask keeps is scaled by 1 / (1 - p). */
Test(nn_families, dropout_draws_as_the_function_does_and_passes_in_evaluation) {
    tern_module *m = tern_nn_dropout(ctx, 0.5);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(40), TERN_FLOAT32);
    tern_manual_seed(ctx, 3);
    tern_tensor *a = tern_forward(m, x);
    tern_manual_seed(ctx, 3);
    cr_assert(tern_equal(a, tern_dropout(x, 0.5, true)));
    cr_assert(!tern_equal(a, x));
    tern_module_eval(m);
    cr_assert(tern_equal(tern_forward(m, x), x));
    tern_module *inplace = tern_nn(ctx, "Dropout(0.5, inplace=True)");
    tern_manual_seed(ctx, 3);
    cr_assert_eq(tern_forward(inplace, x), x);
    cr_assert(tern_equal(a, x));
    CHECK_CLEAN();
}

Test(nn_families, activations_in_place_write_their_input) {
    static const char *const texts[] = {"ELU(inplace=True)", "Hardtanh(inplace=True)",
                                        "SiLU(inplace=True)", "LeakyReLU(0.5, inplace=True)"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tern_tensor *x = tern_sub_scalar(ramp(TERN_SHAPE(5)), 2.5);
        tern_tensor *y = tern_clone(x);
        char copy[64];
        memcpy(copy, texts[i], strlen(texts[i]) + 1);
        *strstr(copy, "=True") = '\0';
        strcat(copy, "=False)");
        cr_assert_eq(tern_forward(tern_nn(ctx, texts[i]), x), x, "%s", texts[i]);
        cr_assert(tern_equal(x, tern_forward(tern_nn(ctx, copy), y)), "%s", texts[i]);
    }
    CHECK_CLEAN();
}

Test(nn_families, max_pooling_returns_what_unpooling_takes_back) {
    tern_module *pool = tern_nn(ctx, "MaxPool2d(2, return_indices=True)");
    tern_tensor *x = ramp(TERN_SHAPE(1, 1, 4, 4));
    tern_value input = tern_tensor_value(x);
    tern_value both = tern_module_call(pool, &input, 1, tern_none());
    cr_assert_eq(tern_value_count(both), 2);
    tern_value args[] = {tern_value_at(both, 0), tern_value_at(both, 1)};
    tern_value back = tern_module_call(tern_nn(ctx, "MaxUnpool2d(2)"), args, 2, tern_none());
    cr_assert_eq(back.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    cr_assert_float_eq(at(back.as.tensor, 5), 5, 0);
    cr_assert_float_eq(at(back.as.tensor, 0), 0, 0);
    tern_forward(pool, x);
    CHECK_ERROR_HAS("MaxPool2d.forward returns a tuple: call it with tern_module_call");
}

Test(nn_families, losses_read_the_older_spelling_of_reduction) {
    const float data[] = {1, 3};
    tern_tensor *x = floats(TERN_SHAPE(2), data), *y = tern_zeros_like(x);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn(ctx, "L1Loss(size_average=False)"), x, y)),
                       4, 0);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn(ctx, "L1Loss(True)"), x, y)), 2, 0);
    cr_assert_eq(tern_numel(tern_forward2(tern_nn(ctx, "L1Loss(reduce=False)"), x, y)), 2);
    CHECK_CLEAN();
}

Test(nn_families, lists_of_parameters_own_copies_and_print_them) {
    tern_tensor *pair[] = {ramp(TERN_SHAPE(2, 3)), ramp(TERN_SHAPE(4))};
    tern_module *list = tern_nn_parameter_list(ctx, pair, 2);
    cr_assert_str_eq(tern_module_repr_text(list),
                     "ParameterList(\n"
                     "    (0): Parameter containing: [torch.float32 of size 2x3]\n"
                     "    (1): Parameter containing: [torch.float32 of size 4]\n"
                     ")");
    tern_zero_in_place(pair[0]);
    cr_assert_float_eq(at(tern_module_tensor(list, "0"), 5), 5, 0);
    cr_assert(tern_has_grad_required(tern_module_tensor(list, "1")));
    cr_assert_eq(tern_module_count_parameters(list), 10);
    tern_module *dict = tern_nn_parameter_dict(ctx);
    tern_tensor *own = tern_parameter_set(dict, "scale", pair[1]);
    cr_assert_eq(tern_module_tensor(dict, "scale"), own);
    cr_assert_str_eq(tern_module_repr_text(dict),
                     "ParameterDict(  (scale): Parameter containing: [torch.float32 of size 4])");
    CHECK_CLEAN();
    cr_assert(tern_is_nil(tern_parameter_append(dict, pair[0])));
    CHECK_ERROR("tern_parameter_append: does not apply to a ParameterDict");
    cr_assert(tern_is_nil(tern_parameter_set(list, "x", pair[0])));
    CHECK_ERROR("tern_parameter_set: does not apply to a ParameterList");
    cr_assert_null(tern_parameter_append(NULL, NULL));
}

static tern_tensor *indices(tern_shape shape, const int64_t *data) {
    return tern_from_data(ctx, data, shape, TERN_INT64);
}

/* Rows 0, 1, 2 of the table are 0, 1, 2; an empty bag is 0. */
Test(nn_families, bags_are_rows_of_a_matrix_or_begin_at_offsets) {
    static const char *const modes[] = {"sum", "mean", "max"};
    static const double wanted[][3] = {{1, 0, 4}, {0.5, 0, 2}, {1, 0, 2}};
    const int64_t rows[] = {0, 1, 2, 2}, offsets[] = {0, 2, 2}, matrix[] = {0, 1, 2, 2};
    char text[96];
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "EmbeddingBag(3, 1, mode='%s')", modes[i]);
        tern_module *m = tern_nn(ctx, text);
        tern_tensor *weight = tern_module_tensor(m, "weight");
        tern_scope quiet = tern_scope_begin(ctx, TERN_NO_GRAD);
        tern_copy_in_place(weight, ramp(TERN_SHAPE(3, 1)));
        tern_scope_end(quiet);
        tern_tensor *out =
            tern_forward2(m, indices(TERN_SHAPE(4), rows), indices(TERN_SHAPE(3), offsets));
        CHECK_CLEAN();
        for (int k = 0; k < 3; k++) cr_assert_float_eq(at(out, k), wanted[i][k], 1e-6, "%s", text);
        out = tern_forward(m, indices(TERN_SHAPE(2, 2), matrix));
        cr_assert_float_eq(at(out, 1), wanted[i][2], 1e-6, "%s", text);
    }
    tern_module *m = tern_nn(ctx, "EmbeddingBag(3, 1, mode='sum')");
    tern_forward(m, indices(TERN_SHAPE(4), rows));
    CHECK_ERROR_HAS("input must be 2D without offsets, or 1D with 1D offsets");
    m = tern_nn(ctx, "EmbeddingBag(3, 1)");
    tern_value args[] = {tern_tensor_value(indices(TERN_SHAPE(2, 2), matrix)), tern_none(),
                         tern_tensor_value(ramp(TERN_SHAPE(2, 2)))};
    tern_module_call(m, args, 3, tern_none());
    CHECK_ERROR_HAS("per_sample_weights must have input's shape and mode='sum'");
    REFUSES("EmbeddingBag(3, 1, mode='prod')", "mode has to be one of sum, mean or max, not prod");
}

Test(nn_families, adaptive_softmax_gives_log_probabilities_that_sum_to_one) {
    tern_module *m = tern_nn(ctx, "AdaptiveLogSoftmaxWithLoss(8, 6, [2, 4])");
    tern_value args[] = {tern_tensor_value(ramp(TERN_SHAPE(8))), tern_none()};
    double total = 0;
    for (int64_t c = 0; c < 6; c++) {
        args[1] = tern_tensor_value(indices(TERN_SCALAR_SHAPE, &c));
        tern_value result = tern_module_call(m, args, 2, tern_none());
        CHECK_CLEAN();
        total += tern_item(tern_exp(tern_value_at(result, 0).as.tensor));
    }
    cr_assert_float_eq(total, 1, 1e-5);
    args[0] = tern_tensor_value(ramp(TERN_SHAPE(2, 8)));
    tern_module_call(m, args, 2, tern_none());
    CHECK_ERROR_HAS("input of 2 and target of 0 dimensions");
    REFUSES("AdaptiveLogSoftmaxWithLoss(8, 6, [4, 2])", "cutoffs should be a sequence of unique");
    REFUSES("AdaptiveLogSoftmaxWithLoss(8, 6, [])", "cutoffs should be a sequence of unique");
}

/* Folding what was unfolded counts each pixel as often as windows hold it. */
Test(nn_families, folding_adds_overlapping_windows) {
    tern_tensor *ones = tern_ones(ctx, TERN_SHAPE(1, 2, 3, 4), TERN_FLOAT32);
    tern_tensor *columns = tern_forward(tern_nn(ctx, "Unfold(2, padding=(0, 1))"), ones);
    tern_module *fold = tern_nn(ctx, "Fold((3, 4), 2, padding=(0, 1))");
    tern_tensor *image = tern_forward(fold, columns);
    CHECK_CLEAN();
    cr_assert_float_eq(at(image, 0), 2, 0);
    cr_assert_float_eq(at(image, 5), 4, 0);
    cr_assert_eq(tern_rank(tern_forward(fold, tern_squeeze(columns, 0))), 3);
    cr_assert(tern_is_nil(tern_forward(fold, ones)));
    CHECK_ERROR_HAS("fold");
}

/* An uneven 'same' has the larger half behind: kernel 2 looks at the element and the next. */
Test(nn_families, padding_same_fills_borders_by_the_mode) {
    tern_module *m = tern_nn(ctx, "Conv1d(1, 1, 2, padding='same', padding_mode='circular')");
    tern_init_ones(tern_module_tensor(m, "weight"));
    tern_init_zeros(tern_module_tensor(m, "bias"));
    tern_tensor *y = tern_forward(m, ramp(TERN_SHAPE(1, 1, 3)));
    CHECK_CLEAN();
    cr_assert_float_eq(at(y, 0), 1, 0);
    cr_assert_float_eq(at(y, 2), 2, 0);
    m = tern_nn(ctx, "Conv1d(1, 1, 2, padding='valid', padding_mode='replicate')");
    cr_assert_eq(tern_size(tern_forward(m, ramp(TERN_SHAPE(1, 1, 3))), 2), 2);
}

Test(nn_families, loss_weights_are_the_modules_own_and_move_with_it) {
    const float weights[] = {1, 5};
    tern_cross_entropy_options o = TERN_CROSS_ENTROPY_OPTIONS;
    tern_scope scope = tern_scope_begin(ctx, 0);
    o.weight = floats(TERN_SHAPE(2), weights);
    tern_module *m = tern_nn_cross_entropy_loss(ctx, &o);
    tern_zero_in_place(o.weight);
    cr_assert_float_eq(at(tern_module_tensor(m, "weight"), 1), 5, 0);
    tern_module_to_dtype(m, TERN_FLOAT64);
    cr_assert_eq(tern_dtype_of(tern_module_tensor(m, "weight")), TERN_FLOAT64);
    tern_scope_end(scope);
    CHECK_CLEAN();
}

/* ---- CTC ------------------------------------------------------------------------------------- */

/* Two steps of two equal labels (blank and 1): of the four paths, three give the target [1]. */
Test(nn_families, ctc_sums_over_alignments) {
    const int64_t one = 1, length = 2;
    tern_tensor *x = tern_log_softmax(tern_zeros(ctx, TERN_SHAPE(2, 1, 2), TERN_FLOAT32), 2);
    tern_tensor *ones = indices(TERN_SHAPE(1), &one), *twos = indices(TERN_SHAPE(1), &length);
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(ones), tern_tensor_value(twos),
                         tern_tensor_value(ones)};
    tern_module *m = tern_nn(ctx, "CTCLoss()");
    double loss = tern_item(tern_module_call(m, args, 4, tern_none()).as.tensor);
    CHECK_CLEAN();
    cr_assert_float_eq(loss, -log(0.75), 1e-6);
    args[0] = tern_tensor_value(tern_squeeze(x, 1));
    loss = tern_item(tern_module_call(m, args, 4, tern_none()).as.tensor);
    cr_assert_float_eq(loss, -log(0.75), 1e-6, "unbatched");
}

/* A target that is longer than its sequence has no alignment. */
Test(nn_families, ctc_without_an_alignment_is_infinite_or_zero) {
    const int64_t target[] = {1, 1}, one = 1, two = 2;
    tern_tensor *x = tern_requires_grad(tern_zeros(ctx, TERN_SHAPE(1, 1, 3), TERN_FLOAT32), true);
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(indices(TERN_SHAPE(1, 2), target)),
                         tern_tensor_value(indices(TERN_SHAPE(1), &one)),
                         tern_tensor_value(indices(TERN_SHAPE(1), &two))};
    tern_value loss = tern_module_call(tern_nn(ctx, "CTCLoss()"), args, 4, tern_none());
    cr_assert(isinf(tern_item(loss.as.tensor)));
    loss = tern_module_call(tern_nn(ctx, "CTCLoss(zero_infinity=True)"), args, 4, tern_none());
    cr_assert_float_eq(tern_item(loss.as.tensor), 0, 0);
    tern_backward(loss.as.tensor);
    cr_assert_float_eq(at(tern_grad_of(x), 0), 0, 0);
    CHECK_CLEAN();
}

Test(nn_families, ctc_refuses_labels_and_lengths_that_do_not_fit) {
    const int64_t label[] = {1}, far[] = {3}, one = 1, nine = 9;
    tern_module *m = tern_nn(ctx, "CTCLoss()");
    tern_value x = tern_tensor_value(ramp(TERN_SHAPE(2, 1, 3)));
    tern_value fine = tern_tensor_value(indices(TERN_SHAPE(1), &one));
    tern_value target = tern_tensor_value(indices(TERN_SHAPE(1, 1), label));
    tern_value args[] = {x, tern_tensor_value(indices(TERN_SHAPE(1, 1), far)), fine, fine};
    tern_module_call(m, args, 4, tern_none());
    CHECK_ERROR_HAS("as many as target_lengths add up to, each from 0 to 2");
    args[1] = target;
    args[2] = tern_tensor_value(indices(TERN_SHAPE(1), &nine));
    tern_module_call(m, args, 4, tern_none());
    CHECK_ERROR_HAS("input_lengths must be 1 numbers from 0 to 2, one per sample");
    args[2] = fine;
    args[3] = args[2];
    args[0] = tern_tensor_value(ramp(TERN_SHAPE(2)));
    tern_module_call(m, args, 4, tern_none());
    CHECK_ERROR_HAS("log_probs must be [T, N, C] or [T, C]");
    REFUSES("CTCLoss(reduction='all')", "'all' is not a valid value for reduction");
}
