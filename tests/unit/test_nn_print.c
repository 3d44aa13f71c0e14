/* Printouts of every kind of module, as PyTorch 2.15 prints them, and the keys of their state. */
#include "nn_fixture.h"

TestSuite(nn_print, .init = open_context, .fini = close_context);

typedef struct printout {
    const char *text, *printed, *keys;
} printout;

static const printout printouts[] = {
    {"GroupNorm(2, 4)", "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)", "weight bias"},
    {"GroupNorm(2, 4, affine=False)", "GroupNorm(2, 4, eps=1e-05, affine=False, bias=False)", ""},
    {"GroupNorm(2, 4, bias=False)", "GroupNorm(2, 4, eps=1e-05, affine=True, bias=False)",
     "weight"},
    {"BatchNorm2d(3)",
     "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight bias running_mean running_var num_batches_tracked"},
    {"BatchNorm2d(3, affine=False)",
     "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=True)",
     "running_mean running_var num_batches_tracked"},
    {"BatchNorm1d(3, bias=False, momentum=None)",
     "BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, bias=False, track_running_stats=True)",
     "weight running_mean running_var num_batches_tracked"},
    {"InstanceNorm2d(3)",
     "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, "
     "track_running_stats=False)",
     ""},
    {"InstanceNorm2d(3, affine=True, track_running_stats=True)",
     "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)",
     "weight bias running_mean running_var num_batches_tracked"},
    {"LayerNorm(4)", "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)",
     "weight bias"},
    {"LayerNorm((4, 3), elementwise_affine=False)",
     "LayerNorm((4, 3), eps=1e-05, elementwise_affine=False, bias=False)", ""},
    {"LayerNorm(4, bias=False)", "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=False)",
     "weight"},
    {"RMSNorm(4)", "RMSNorm((4,), eps=None, elementwise_affine=True)", "weight"},
    {"LocalResponseNorm(5)", "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)", ""},
    {"LocalResponseNorm(5, 0.1, 0.5, 2)", "LocalResponseNorm(5, alpha=0.1, beta=0.5, k=2)", ""},
    {"CELU()", "CELU(alpha=1.0)", ""},
    {"CELU(2, True)", "CELU(alpha=2, inplace=True)", ""},
    {"ELU(0.5, inplace=True)", "ELU(alpha=0.5, inplace=True)", ""},
    {"GELU()", "GELU(approximate='none')", ""},
    {"GLU()", "GLU(dim=-1)", ""},
    {"Hardshrink()", "Hardshrink(0.5)", ""},
    {"Hardshrink(1)", "Hardshrink(1)", ""},
    {"Hardsigmoid(True)", "Hardsigmoid()", ""},
    {"Hardswish(True)", "Hardswish()", ""},
    {"Hardtanh(-2, 2)", "Hardtanh(min_val=-2, max_val=2)", ""},
    {"Hardtanh(inplace=True)", "Hardtanh(min_val=-1.0, max_val=1.0, inplace=True)", ""},
    {"LeakyReLU(0.2, True)", "LeakyReLU(negative_slope=0.2, inplace=True)", ""},
    {"LogSigmoid()", "LogSigmoid()", ""},
    {"Mish(True)", "Mish(inplace=True)", ""},
    {"ReLU6(True)", "ReLU6(inplace=True)", ""},
    {"RReLU()", "RReLU(lower=0.125, upper=0.3333333333333333)", ""},
    {"RReLU(inplace=True)", "RReLU(lower=0.125, upper=0.3333333333333333, inplace=True)", ""},
    {"SELU(True)", "SELU(inplace=True)", ""},
    {"SiLU()", "SiLU()", ""},
    {"SiLU(True)", "SiLU(inplace=True)", ""},
    {"Softplus()", "Softplus(beta=1.0, threshold=20.0)", ""},
    {"Softplus(2)", "Softplus(beta=2, threshold=20.0)", ""},
    {"Softshrink()", "Softshrink(0.5)", ""},
    {"Softsign()", "Softsign()", ""},
    {"Tanhshrink()", "Tanhshrink()", ""},
    {"Threshold(0.1, 20)", "Threshold(threshold=0.1, value=20)", ""},
    {"Threshold(0.1, 20, True)", "Threshold(threshold=0.1, value=20, inplace=True)", ""},
    {"PReLU(3)", "PReLU(num_parameters=3)", "weight"},
    {"Softmax2d()", "Softmax2d()", ""},
    {"Softmax(1)", "Softmax(dim=1)", ""},
    {"Softmin(0)", "Softmin(dim=0)", ""},
    {"LogSoftmax(0)", "LogSoftmax(dim=0)", ""},
    {"Conv1d(1, 2, 3, padding='same')", "Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=same)",
     "weight bias"},
    {"Conv2d(1, 2, (3, 5), stride=2, padding=(1, 2), dilation=2, bias=False, "
     "padding_mode='reflect')",
     "Conv2d(1, 2, kernel_size=(3, 5), stride=(2, 2), padding=(1, 2), dilation=(2, 2), bias=False, "
     "padding_mode=reflect)",
     "weight"},
    {"Conv3d(2, 4, 2, groups=2)", "Conv3d(2, 4, kernel_size=(2, 2, 2), stride=(1, 1, 1), groups=2)",
     "weight bias"},
    {"ConvTranspose1d(1, 2, 3, output_padding=1, stride=2)",
     "ConvTranspose1d(1, 2, kernel_size=(3,), stride=(2,), output_padding=(1,))", "weight bias"},
    {"ConvTranspose2d(4, 2, 2, 2, padding=1, groups=2)",
     "ConvTranspose2d(4, 2, kernel_size=(2, 2), stride=(2, 2), padding=(1, 1), groups=2)",
     "weight bias"},
    {"ConvTranspose3d(4, 2, 2)", "ConvTranspose3d(4, 2, kernel_size=(2, 2, 2), stride=(1, 1, 1))",
     "weight bias"},
    {"MaxPool1d(2)", "MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)",
     ""},
    {"MaxPool2d((2, 3), stride=1, ceil_mode=True)",
     "MaxPool2d(kernel_size=(2, 3), stride=1, padding=0, dilation=1, ceil_mode=True)", ""},
    {"MaxPool3d(2, return_indices=True)",
     "MaxPool3d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)", ""},
    {"MaxUnpool1d(2)", "MaxUnpool1d(kernel_size=(2,), stride=(2,), padding=(0,))", ""},
    {"MaxUnpool2d(2, 3, 1)", "MaxUnpool2d(kernel_size=(2, 2), stride=(3, 3), padding=(1, 1))", ""},
    {"AvgPool1d(2)", "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))", ""},
    {"AvgPool2d(2)", "AvgPool2d(kernel_size=2, stride=2, padding=0)", ""},
    {"AvgPool2d((2, 3), (1, 1))", "AvgPool2d(kernel_size=(2, 3), stride=(1, 1), padding=0)", ""},
    {"AvgPool3d(2)", "AvgPool3d(kernel_size=2, stride=2, padding=0)", ""},
    {"AdaptiveAvgPool1d(3)", "AdaptiveAvgPool1d(output_size=3)", ""},
    {"AdaptiveAvgPool2d((1, None))", "AdaptiveAvgPool2d(output_size=(1, None))", ""},
    {"AdaptiveMaxPool2d(2)", "AdaptiveMaxPool2d(output_size=2)", ""},
    {"LPPool1d(2, 3)", "LPPool1d(norm_type=2, kernel_size=3, stride=None, ceil_mode=False)", ""},
    {"LPPool2d(1.5, 3, 2, True)",
     "LPPool2d(norm_type=1.5, kernel_size=3, stride=2, ceil_mode=True)", ""},
    {"Embedding(3, 4, -1)", "Embedding(3, 4, padding_idx=2)", "weight"},
    {"Embedding(3, 4, max_norm=1, norm_type=1, scale_grad_by_freq=True)",
     "Embedding(3, 4, max_norm=1, norm_type=1, scale_grad_by_freq=True)", "weight"},
    {"EmbeddingBag(3, 4)", "EmbeddingBag(3, 4, mode='mean')", "weight"},
    {"EmbeddingBag(3, 4, mode='sum', padding_idx=1, max_norm=2, include_last_offset=True)",
     "EmbeddingBag(3, 4, max_norm=2, mode='sum', padding_idx=1)", "weight"},
    {"Dropout()", "Dropout(p=0.5, inplace=False)", ""},
    {"Dropout1d(0.2, True)", "Dropout1d(p=0.2, inplace=True)", ""},
    {"AlphaDropout(0.1)", "AlphaDropout(p=0.1, inplace=False)", ""},
    {"FeatureAlphaDropout()", "FeatureAlphaDropout(p=0.5, inplace=False)", ""},
    {"Upsample(scale_factor=2)", "Upsample(scale_factor=2.0, mode='nearest')", ""},
    {"Upsample(size=(3, 4), mode='bilinear', align_corners=True)",
     "Upsample(size=(3, 4), mode='bilinear')", ""},
    {"Upsample(scale_factor=(2, 3), mode='nearest-exact')",
     "Upsample(scale_factor=(2.0, 3.0), mode='nearest-exact')", ""},
    {"Upsample(scale_factor=1.5, recompute_scale_factor=True)",
     "Upsample(scale_factor=1.5, mode='nearest')", ""},
    {"UpsamplingNearest2d(scale_factor=2)", "UpsamplingNearest2d(scale_factor=2.0, mode='nearest')",
     ""},
    {"UpsamplingBilinear2d((4, 5))", "UpsamplingBilinear2d(size=(4, 5), mode='bilinear')", ""},
    {"PixelShuffle(3)", "PixelShuffle(upscale_factor=3)", ""},
    {"PixelUnshuffle(2)", "PixelUnshuffle(downscale_factor=2)", ""},
    {"ChannelShuffle(2)", "ChannelShuffle(groups=2)", ""},
    {"Fold((4, 5), 2)", "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=1)",
     ""},
    {"Unfold((2, 3), padding=1)", "Unfold(kernel_size=(2, 3), dilation=1, padding=1, stride=1)",
     ""},
    {"ZeroPad1d(1)", "ZeroPad1d((1, 1))", ""},
    {"ZeroPad2d((1, 2, 3, 4))", "ZeroPad2d((1, 2, 3, 4))", ""},
    {"ConstantPad1d((1, 2), 3.5)", "ConstantPad1d(padding=(1, 2), value=3.5)", ""},
    {"ConstantPad2d(1, 0)", "ConstantPad2d(padding=(1, 1, 1, 1), value=0)", ""},
    {"ReflectionPad2d(2)", "ReflectionPad2d((2, 2, 2, 2))", ""},
    {"ReplicationPad3d(1)", "ReplicationPad3d((1, 1, 1, 1, 1, 1))", ""},
    {"CircularPad1d((1, 2))", "CircularPad1d((1, 2))", ""},
    {"CosineSimilarity()", "CosineSimilarity()", ""},
    {"PairwiseDistance()", "PairwiseDistance()", ""},
    {"Bilinear(2, 3, 4)", "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)",
     "weight bias"},
    {"Bilinear(2, 3, 4, bias=False)",
     "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=False)", "weight"},
    {"Linear(2, 3)", "Linear(in_features=2, out_features=3, bias=True)", "weight bias"},
    {"Identity()", "Identity()", ""},
    {"Flatten()", "Flatten(start_dim=1, end_dim=-1)", ""},
    {"Unflatten(1, (2, 2))", "Unflatten(dim=1, unflattened_size=(2, 2))", ""},
    {"LSTM(3, 4, 2, batch_first=True)", "LSTM(3, 4, num_layers=2, batch_first=True)",
     "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0 weight_ih_l1 weight_hh_l1 bias_ih_l1 "
     "bias_hh_l1"},
    {"LSTM(3, 4, proj_size=2)", "LSTM(3, 4, proj_size=2)",
     "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0 weight_hr_l0"},
    {"LSTM(3, 4, 2, dropout=0.5, bidirectional=True, bias=False)",
     "LSTM(3, 4, num_layers=2, bias=False, dropout=0.5, bidirectional=True)",
     "weight_ih_l0 weight_hh_l0 weight_ih_l0_reverse weight_hh_l0_reverse weight_ih_l1 "
     "weight_hh_l1 weight_ih_l1_reverse weight_hh_l1_reverse"},
    {"GRU(2, 3)", "GRU(2, 3)", "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"},
    {"RNN(2, 3, nonlinearity='relu')", "RNN(2, 3)",
     "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"},
    {"RNN(2, 3, 2, 'relu', False, True)", "RNN(2, 3, num_layers=2, bias=False, batch_first=True)",
     "weight_ih_l0 weight_hh_l0 weight_ih_l1 weight_hh_l1"},
    {"RNNCell(2, 3)", "RNNCell(2, 3)", "weight_ih weight_hh bias_ih bias_hh"},
    {"RNNCell(2, 3, False, 'relu')", "RNNCell(2, 3, bias=False, nonlinearity=relu)",
     "weight_ih weight_hh"},
    {"LSTMCell(2, 3, bias=False)", "LSTMCell(2, 3, bias=False)", "weight_ih weight_hh"},
    {"GRUCell(2, 3)", "GRUCell(2, 3)", "weight_ih weight_hh bias_ih bias_hh"},
    {"MultiheadAttention(8, 2)",
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n"
     ")",
     "in_proj_weight in_proj_bias out_proj.weight out_proj.bias"},
    {"MultiheadAttention(8, 2, bias=False)",
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=False)\n"
     ")",
     "in_proj_weight out_proj.weight"},
    {"MultiheadAttention(8, 2, add_bias_kv=True, kdim=3, vdim=4)",
     "MultiheadAttention(\n"
     "  (out_proj): NonDynamicallyQuantizableLinear(in_features=8, out_features=8, bias=True)\n"
     ")",
     "q_proj_weight k_proj_weight v_proj_weight in_proj_bias bias_k bias_v out_proj.weight "
     "out_proj.bias"},
    {"L1Loss()", "L1Loss()", ""},
    {"MSELoss()", "MSELoss()", ""},
    {"SmoothL1Loss()", "SmoothL1Loss()", ""},
    {"SmoothL1Loss(beta=0.5)", "SmoothL1Loss()", ""},
    {"HuberLoss()", "HuberLoss()", ""},
    {"HuberLoss(delta=2)", "HuberLoss()", ""},
    {"NLLLoss()", "NLLLoss()", ""},
    {"CrossEntropyLoss(label_smoothing=0.1)", "CrossEntropyLoss()", ""},
    {"BCELoss()", "BCELoss()", ""},
    {"BCEWithLogitsLoss()", "BCEWithLogitsLoss()", ""},
    {"KLDivLoss(log_target=True)", "KLDivLoss()", ""},
    {"PoissonNLLLoss()", "PoissonNLLLoss()", ""},
    {"GaussianNLLLoss()", "GaussianNLLLoss()", ""},
    {"SoftMarginLoss()", "SoftMarginLoss()", ""},
    {"MultiMarginLoss()", "MultiMarginLoss()", ""},
    {"MultiLabelMarginLoss()", "MultiLabelMarginLoss()", ""},
    {"MultiLabelSoftMarginLoss()", "MultiLabelSoftMarginLoss()", ""},
    {"HingeEmbeddingLoss()", "HingeEmbeddingLoss()", ""},
    {"MarginRankingLoss()", "MarginRankingLoss()", ""},
    {"CosineEmbeddingLoss()", "CosineEmbeddingLoss()", ""},
    {"TripletMarginLoss()", "TripletMarginLoss()", ""},
    {"TripletMarginWithDistanceLoss()",
     "TripletMarginWithDistanceLoss(\n"
     "  (distance_function): PairwiseDistance()\n"
     ")",
     ""},
    {"CTCLoss()", "CTCLoss()", ""},
    {"AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6])",
     "AdaptiveLogSoftmaxWithLoss(\n"
     "  (head): Linear(in_features=8, out_features=5, bias=False)\n"
     "  (tail): ModuleList(\n"
     "    (0): Sequential(\n"
     "      (0): Linear(in_features=8, out_features=2, bias=False)\n"
     "      (1): Linear(in_features=2, out_features=3, bias=False)\n"
     "    )\n"
     "    (1): Sequential(\n"
     "      (0): Linear(in_features=8, out_features=0, bias=False)\n"
     "      (1): Linear(in_features=0, out_features=4, bias=False)\n"
     "    )\n"
     "  )\n"
     ")",
     "head.weight tail.0.0.weight tail.0.1.weight tail.1.0.weight tail.1.1.weight"},
    {"LinearCrossEntropyLoss(3, 4)",
     "LinearCrossEntropyLoss(\n"
     "  in_features=3, num_classes=4, out_features=(), bias=False, reduction=mean, "
     "ignore_index=None, label_smoothing=0.0, options=None\n"
     "  (linear): Linear(in_features=3, out_features=4, bias=False)\n"
     ")",
     "linear.weight"},
    {"LinearCrossEntropyLoss(3, 4, bias=True, label_smoothing=0.1)",
     "LinearCrossEntropyLoss(\n"
     "  in_features=3, num_classes=4, out_features=(), bias=True, reduction=mean, "
     "ignore_index=None, label_smoothing=0.1, options=None\n"
     "  (linear): Linear(in_features=3, out_features=4, bias=True)\n"
     ")",
     "linear.weight linear.bias"},
    {"Sequential(Linear(1, 2), Sequential(ReLU()))",
     "Sequential(\n"
     "  (0): Linear(in_features=1, out_features=2, bias=True)\n"
     "  (1): Sequential(\n"
     "    (0): ReLU()\n"
     "  )\n"
     ")",
     "0.weight 0.bias"},
    {"ModuleList([ReLU(), ReLU()])",
     "ModuleList(\n"
     "  (0-1): 2 x ReLU()\n"
     ")",
     ""},
};

static const char *keys_of(tern_module *module) {
    static char text[2048];
    tern_value state = tern_module_state_dict(module), key, tensor;
    text[0] = '\0';
    for (size_t i = 0; tern_dict_at(state, i, &key, &tensor); i++) {
        if (i) strcat(text, " ");
        strcat(text, key.as.s);
    }
    return text;
}

Test(nn_print, every_kind_prints_and_names_its_state_as_pytorch_does) {
    for (size_t i = 0; i < sizeof printouts / sizeof printouts[0]; i++) {
        const printout *p = &printouts[i];
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_module *module = tern_nn(ctx, p->text);
        cr_assert_not_null(module, "%s: %s", p->text, tern_error(ctx));
        cr_assert_str_eq(tern_module_repr_text(module), p->printed, "%s: %s", p->text,
                         tern_module_repr_text(module));
        cr_assert_str_eq(keys_of(module), p->keys, "%s: %s", p->text, keys_of(module));
        tern_scope_end(scope);
    }
    CHECK_CLEAN();
}
