/* Typed constructors make what the text notation makes: same printout, same state, same weights. */
#include "nn_fixture.h"

TestSuite(nn_typed, .init = open_context, .fini = close_context);

static void same_state(tern_module *a, tern_module *b, const char *text) {
    tern_value left = tern_module_state_dict(a), right = tern_module_state_dict(b), key, x, y;
    cr_assert_eq(tern_value_count(left), tern_value_count(right), "%s", text);
    for (size_t i = 0; tern_dict_at(left, i, &key, &x); i++) {
        y = tern_dict_get(right, key.as.s);
        cr_assert_eq(y.kind, TERN_VALUE_TENSOR, "%s: no %s", text, key.as.s);
        cr_assert(tern_equal(x.as.tensor, y.as.tensor), "%s: %s differs", text, key.as.s);
    }
}

/* The typed module was just made after seed 1. */
static void check_same(tern_module *typed, const char *text) {
    static char shown[1024];
    CHECK_CLEAN();
    cr_assert_not_null(typed, "%s", text);
    tern_manual_seed(ctx, 1);
    tern_module *made = tern_nn(ctx, text);
    CHECK_CLEAN();
    tern_module_repr(made, shown, sizeof shown);
    cr_assert_str_eq(tern_module_repr_text(typed), shown, "%s: %s", text,
                     tern_module_repr_text(typed));
    same_state(typed, made, text);
    tern_manual_seed(ctx, 1);
}

Test(nn_typed, activations_and_dropout) {
    check_same(tern_nn_relu(ctx), "ReLU()");
    check_same(tern_nn_relu6(ctx), "ReLU6()");
    check_same(tern_nn_sigmoid(ctx), "Sigmoid()");
    check_same(tern_nn_tanh(ctx), "Tanh()");
    check_same(tern_nn_silu(ctx), "SiLU()");
    check_same(tern_nn_hardswish(ctx), "Hardswish()");
    check_same(tern_nn_gelu(ctx, NULL), "GELU()");
    check_same(tern_nn_gelu(ctx, "tanh"), "GELU('tanh')");
    check_same(tern_nn_elu(ctx, 0.5), "ELU(0.5)");
    check_same(tern_nn_leaky_relu(ctx, 0.2), "LeakyReLU(0.2)");
    check_same(tern_nn_softplus(ctx, 2, 5), "Softplus(2.0, 5.0)");
    check_same(tern_nn_prelu(ctx, 3, 0.5), "PReLU(3, 0.5)");
    check_same(tern_nn_glu(ctx, 1), "GLU(1)");
    check_same(tern_nn_softmax(ctx, 1), "Softmax(1)");
    check_same(tern_nn_log_softmax(ctx, 1), "LogSoftmax(1)");
    check_same(tern_nn_dropout(ctx, 0.25), "Dropout(0.25)");
    check_same(tern_nn_dropout1d(ctx, 0.25), "Dropout1d(0.25)");
    check_same(tern_nn_dropout2d(ctx, 0.25), "Dropout2d(0.25)");
    check_same(tern_nn_dropout3d(ctx, 0.25), "Dropout3d(0.25)");
    check_same(tern_nn_alpha_dropout(ctx, 0.25), "AlphaDropout(0.25)");
}

Test(nn_typed, convolutions) {
    tern_conv_options o = TERN_CONV_OPTIONS;
    tern_manual_seed(ctx, 1);
    check_same(tern_nn_conv1d(ctx, 2, 3, 3, NULL), "Conv1d(2, 3, 3)");
    check_same(tern_nn_conv2d(ctx, 2, 3, 3, NULL), "Conv2d(2, 3, 3)");
    check_same(tern_nn_conv3d(ctx, 2, 3, 3, NULL), "Conv3d(2, 3, 3)");
    check_same(tern_nn_conv_transpose1d(ctx, 2, 3, 3, NULL), "ConvTranspose1d(2, 3, 3)");
    o.kernel_size = TERN_SHAPE(2, 3);
    o.stride = TERN_SHAPE(2);
    o.padding = TERN_SHAPE(0, 1);
    o.groups = 2;
    o.bias = false;
    check_same(tern_nn_conv2d(ctx, 2, 4, 0, &o),
               "Conv2d(2, 4, (2, 3), stride=2, padding=(0, 1), groups=2, bias=False)");
    o.output_padding = TERN_SHAPE(1);
    o.dtype = TERN_FLOAT64;
    check_same(tern_nn_conv_transpose2d(ctx, 2, 4, 0, &o),
               "ConvTranspose2d(2, 4, (2, 3), stride=2, padding=(0, 1), output_padding=1, "
               "groups=2, bias=False, dtype=torch.float64)");
    o = (tern_conv_options)TERN_CONV_OPTIONS;
    o.padding_text = "same";
    o.padding_mode = "circular";
    check_same(tern_nn_conv1d(ctx, 2, 3, 4, &o),
               "Conv1d(2, 3, 4, padding='same', padding_mode='circular')");
}

Test(nn_typed, pooling) {
    check_same(tern_nn_max_pool1d(ctx, 2, 0, 0), "MaxPool1d(2)");
    check_same(tern_nn_max_pool2d(ctx, 3, 2, 1), "MaxPool2d(3, 2, 1)");
    check_same(tern_nn_avg_pool1d(ctx, 2, 0, 0), "AvgPool1d(2)");
    check_same(tern_nn_avg_pool2d(ctx, 2, 1, 1), "AvgPool2d(2, 1, 1)");
    check_same(tern_nn_adaptive_avg_pool2d(ctx, 2, 3), "AdaptiveAvgPool2d((2, 3))");
}

Test(nn_typed, normalisation_and_tables) {
    tern_batch_norm_options b = TERN_BATCH_NORM_OPTIONS;
    tern_rms_norm_options r = TERN_RMS_NORM_OPTIONS;
    tern_embedding_options e = TERN_EMBEDDING_OPTIONS;
    check_same(tern_nn_batch_norm1d(ctx, 3, NULL), "BatchNorm1d(3)");
    check_same(tern_nn_batch_norm2d(ctx, 3, NULL), "BatchNorm2d(3)");
    b.momentum.has = false;
    b.track_running_stats = false;
    check_same(tern_nn_batch_norm3d(ctx, 3, &b),
               "BatchNorm3d(3, momentum=None, track_running_stats=False)");
    check_same(tern_nn_layer_norm(ctx, TERN_SHAPE(2, 3), NULL), "LayerNorm((2, 3))");
    r.eps = (tern_optional_float){true, 0.5};
    check_same(tern_nn_rms_norm(ctx, TERN_SHAPE(3), &r), "RMSNorm(3, eps=0.5)");
    check_same(tern_nn_group_norm(ctx, 2, 4, NULL), "GroupNorm(2, 4)");
    tern_manual_seed(ctx, 1);
    e.padding_idx = (tern_optional_int){true, 1};
    check_same(tern_nn_embedding(ctx, 4, 3, &e), "Embedding(4, 3, padding_idx=1)");
    check_same(tern_nn_upsample(ctx, 2, NULL), "Upsample(scale_factor=2)");
    check_same(tern_nn_pixel_shuffle(ctx, 2), "PixelShuffle(2)");
    check_same(tern_nn_zero_pad2d(ctx, TERN_SHAPE(1, 2, 3, 4)), "ZeroPad2d((1, 2, 3, 4))");
}

Test(nn_typed, sequences) {
    tern_recurrent_options r = TERN_RECURRENT_OPTIONS;
    tern_attention_options a = TERN_ATTENTION_OPTIONS;
    tern_transformer_options t = TERN_TRANSFORMER_OPTIONS;
    tern_manual_seed(ctx, 1);
    check_same(tern_nn_rnn(ctx, 2, 3, NULL), "RNN(2, 3)");
    check_same(tern_nn_gru(ctx, 2, 3, NULL), "GRU(2, 3)");
    r.num_layers = 2;
    r.bidirectional = true;
    r.proj_size = 1;
    check_same(tern_nn_lstm(ctx, 2, 3, &r), "LSTM(2, 3, 2, bidirectional=True, proj_size=1)");
    a.kdim = (tern_optional_int){true, 5};
    a.add_bias_kv = true;
    check_same(tern_nn_multihead_attention(ctx, 4, 2, &a),
               "MultiheadAttention(4, 2, kdim=5, add_bias_kv=True)");
    t.dim_feedforward = 8;
    t.activation = "gelu";
    t.norm_first = true;
    check_same(tern_nn_transformer_encoder_layer(ctx, 4, 2, &t),
               "TransformerEncoderLayer(4, 2, 8, activation='gelu', norm_first=True)");
    check_same(tern_nn_transformer_decoder_layer(ctx, 4, 2, &t),
               "TransformerDecoderLayer(4, 2, 8, activation='gelu', norm_first=True)");
    check_same(tern_nn_transformer_encoder(ctx, 4, 2, 3, &t),
               "TransformerEncoder(TransformerEncoderLayer(4, 2, 8, activation='gelu', "
               "norm_first=True), 3)");
}

/* Losses print nothing of themselves: their values tell. */
Test(nn_typed, losses) {
    const float logits[] = {1, 2, 3}, weights[] = {1, 2, 3};
    const int64_t two = 2;
    tern_tensor *x = floats(TERN_SHAPE(1, 3), logits);
    tern_tensor *y = tern_from_data(ctx, &two, TERN_SHAPE(1), TERN_INT64);
    tern_cross_entropy_options o = TERN_CROSS_ENTROPY_OPTIONS;
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_cross_entropy_loss(ctx, NULL), x, y)),
                       0.407605946, 1e-6);
    o.label_smoothing = 0.1;
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_cross_entropy_loss(ctx, &o), x, y)),
                       0.50760591, 1e-6);
    o.weight = floats(TERN_SHAPE(3), weights);
    tern_module *weighted = tern_nn_cross_entropy_loss(ctx, &o);
    cr_assert_float_eq(tern_item(tern_forward2(weighted, x, y)), 0.438463539, 1e-6);
    cr_assert(tern_equal(tern_module_tensor(weighted, "weight"), o.weight));
    o.ignore_index = 2;
    o.reduction = TERN_SUM;
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_nll_loss(ctx, &o), x, y)), 0, 0);

    const float zero = 0, one = 1, three = 3;
    tern_tensor *a = floats(TERN_SHAPE(1), &zero), *b = floats(TERN_SHAPE(1), &one);
    tern_tensor *c = floats(TERN_SHAPE(1), &three);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_bce_loss(ctx, NULL, TERN_SUM), a, b)), 100,
                       0);
    tern_module *logit = tern_nn_bce_with_logits_loss(ctx, NULL, c, TERN_MEAN);
    cr_assert_float_eq(tern_item(tern_forward2(logit, a, b)), 3 * 0.69314718, 1e-6);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_smooth_l1_loss(ctx, TERN_MEAN), a, c)), 2.5,
                       0);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_huber_loss(ctx, TERN_MEAN), a, c)), 2.5, 0);
    cr_assert_float_eq(tern_item(tern_forward2(tern_nn_kl_div_loss(ctx, "batchmean", true), b, a)),
                       -1, 1e-6);
    CHECK_CLEAN();
    cr_assert_null(tern_nn_kl_div_loss(ctx, "average", false));
    CHECK_ERROR_HAS("KLDivLoss: 'average' is not a valid value for reduction");
}

Test(nn_typed, options_without_their_initialiser_are_refused) {
    tern_conv_options conv = {0};
    tern_batch_norm_options batch = {0};
    tern_layer_norm_options layer = {0};
    tern_rms_norm_options rms = {0};
    tern_group_norm_options group = {0};
    tern_embedding_options table = {0};
    tern_cross_entropy_options entropy = {0};
    tern_recurrent_options recurrent = {0};
    tern_attention_options attention = {0};
    tern_transformer_options transformer = {0};
    cr_assert_null(tern_nn_gru(ctx, 1, 1, &recurrent));
    CHECK_ERROR_HAS("tern_nn_gru: the options' size is 0");
    cr_assert_null(tern_nn_multihead_attention(ctx, 1, 1, &attention));
    CHECK_ERROR_HAS("tern_nn_multihead_attention: the options' size is 0");
    cr_assert_null(tern_nn_transformer_encoder_layer(ctx, 1, 1, &transformer));
    CHECK_ERROR_HAS("tern_nn_transformer_encoder_layer: the options' size is 0");
    cr_assert_null(tern_nn_transformer_encoder(ctx, 1, 1, 1, &transformer));
    CHECK_ERROR_HAS("tern_nn_transformer_encoder: the options' size is 0");
    cr_assert_null(tern_nn_conv2d(ctx, 1, 1, 1, &conv));
    CHECK_ERROR_HAS("tern_nn_conv2d: the options' size is 0");
    cr_assert_null(tern_nn_batch_norm1d(ctx, 1, &batch));
    CHECK_ERROR_HAS("tern_nn_batch_norm1d: the options' size is 0");
    cr_assert_null(tern_nn_layer_norm(ctx, TERN_SHAPE(1), &layer));
    CHECK_ERROR_HAS("tern_nn_layer_norm: the options' size is 0");
    cr_assert_null(tern_nn_rms_norm(ctx, TERN_SHAPE(1), &rms));
    CHECK_ERROR_HAS("tern_nn_rms_norm: the options' size is 0");
    cr_assert_null(tern_nn_group_norm(ctx, 1, 1, &group));
    CHECK_ERROR_HAS("tern_nn_group_norm: the options' size is 0");
    cr_assert_null(tern_nn_embedding(ctx, 1, 1, &table));
    CHECK_ERROR_HAS("tern_nn_embedding: the options' size is 0");
    cr_assert_null(tern_nn_cross_entropy_loss(ctx, &entropy));
    CHECK_ERROR_HAS("tern_nn_cross_entropy_loss: the options' size is 0");
}
