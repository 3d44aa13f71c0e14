"""Small cases of the families that gen_vectors.py's tables leave out: images, attention, norms, losses,
indexing, scans and sorts, and modules with state. Each file has a seed of its own, so that a new case changes
no other file."""
import zlib

import torch

from vector_file import Given, T, VectorFile, add_module_case, add_operation_case

F32 = [torch.float32]
TWO = [torch.float32, torch.bfloat16]
POSITIVE = dict(low=0.1, high=3.0)
PROBABILITY = dict(low=0.05, high=0.95)


def image(dims, channels=2, size=5, **more):
    """[n, channels, size, size + 1, ...], one image of three dimensions and two of fewer"""
    return T(1 if dims == 3 else 2, channels, *[size, size + 1, size][:dims], **more)


# ---- convolutions, pooling, resizing -----------------------------------------------------------------


def of_dims(dims):
    """bfloat16 too where the files stay small"""
    return TWO if dims == 1 else F32


def convolution(dims):
    """x [n, c, ...], w [o, c / groups, k...]"""
    size = 3 if dims == 3 else 4
    kernel = [3, 2][:dims] if dims < 3 else [2, 2, 2]
    return f"nn.functional.conv{dims}d", F32, [
        dict(input=image(dims, 2, size), weight=T(2, 2, *kernel), bias=T(2)),
        dict(input=image(dims, 2, size), weight=T(2, 2, *kernel), stride=2, padding=1, dilation=[1, 2, 1][:dims]),
        dict(input=image(dims, 4, 2), weight=T(4, 1, *kernel), bias=T(4), padding=1, groups=4),
        dict(input=image(dims, 2, size), weight=T(2, 1, *kernel), padding="same" if dims < 3 else "valid", groups=2),
    ]


def transposed(dims):
    """x [n, c, ...], w [c, o / groups, k...]"""
    size = 2
    kernel = [3, 2][:dims] if dims < 3 else [2, 2, 2]
    return f"nn.functional.conv_transpose{dims}d", F32, [
        dict(input=image(dims, 2, size), weight=T(2, 1, *kernel), bias=T(1)),
        dict(input=image(dims, 2, size), weight=T(2, 2, *kernel), stride=2, padding=1, output_padding=1),
        dict(input=image(dims, 2, size), weight=T(2, 1, *kernel), groups=2, dilation=2),
    ]


def max_pool(dims):
    size = 3 if dims == 3 else 5
    return f"nn.functional.max_pool{dims}d", of_dims(dims), [
        dict(input=image(dims, 2, size - 1, distinct=True), kernel_size=2),
        dict(input=image(dims, 1, size, distinct=True), kernel_size=3, stride=1, padding=1, return_indices=True),
        dict(input=image(dims, 1, size, distinct=True), kernel_size=2, stride=2, ceil_mode=True),
        dict(input=image(dims, 1, size, distinct=True), kernel_size=2, stride=1, dilation=2),
    ]


def average_pool(dims):
    size = 3 if dims == 3 else 5
    more = [dict(input=image(dims, 1, size), kernel_size=2, divisor_override=3)] if dims > 1 else []
    return f"nn.functional.avg_pool{dims}d", of_dims(dims), [
        dict(input=image(dims, 2, size - 1), kernel_size=2),
        dict(input=image(dims, 1, size), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        dict(input=image(dims, 1, size), kernel_size=3, stride=1, padding=1, count_include_pad=False),
    ] + more


def adaptive_pool(dims):
    size = 3 if dims == 3 else 4
    shape = [2, 3, 2][:dims]
    return [(f"nn.functional.adaptive_avg_pool{dims}d", F32, [dict(input=image(dims, 1, size), output_size=shape)]),
            (f"nn.functional.adaptive_max_pool{dims}d", F32,
             [dict(input=image(dims, 1, size, distinct=True), output_size=shape, return_indices=True)])]


def resize(mode, dims, **more):
    size = 2 if dims > 2 else 3
    return "nn.functional.interpolate", F32, [
        dict(input=image(dims, 1, size), size=[4, 2, 3][:dims], mode=mode, **more)]


IMAGES = [row for dims in (1, 2, 3) for row in [convolution(dims), transposed(dims), max_pool(dims), average_pool(dims),
                                               *adaptive_pool(dims)]] + [
    resize("nearest", 1), resize("nearest-exact", 2), resize("linear", 1), resize("bilinear", 2),
    resize("bilinear", 2, align_corners=True), resize("bicubic", 2), resize("trilinear", 3), resize("area", 2),
    ("nn.functional.interpolate", F32, [dict(input=image(2, 1, 3), scale_factor=1.7, mode="bilinear")]),
    ("nn.functional.pad", F32, [dict(input=T(1, 1, 3, 4), pad=[1, 2, 0, 1], mode=mode)
                                for mode in ("constant", "reflect", "replicate", "circular")]),
    ("nn.functional.unfold", F32, [dict(input=T(1, 2, 4, 5), kernel_size=[2, 3], padding=1, stride=2)]),
    ("nn.functional.fold", F32, [dict(input=T(1, 8, 6), output_size=[3, 4], kernel_size=2)]),
    ("nn.functional.pixel_shuffle", F32, [dict(input=T(1, 8, 2, 3), upscale_factor=2)]),
    ("nn.functional.max_unpool2d", F32, [dict(input=T(1, 1, 2, 2), indices=Given([[[[0, 3], [9, 14]]]]), kernel_size=2)]),
]

# ---- attention, norms, embeddings --------------------------------------------------------------------

MASK = [[True, False, True, True], [True, True, False, True], [False, False, True, False]]
QUERY = dict(query=T(1, 2, 3, 2), key=T(1, 2, 4, 2), value=T(1, 2, 4, 3))
SQUARE = dict(query=T(2, 1, 3, 2), key=T(2, 1, 3, 2), value=T(2, 1, 3, 2))
ATTENTION = [
    ("nn.functional.scaled_dot_product_attention", dtypes, cases) for dtypes, cases in [
        (TWO, [dict(SQUARE, is_causal=True), dict(QUERY, attn_mask=Given(MASK, torch.bool))]),
        (F32, [QUERY, dict(QUERY, attn_mask=T(3, 4)), dict(SQUARE, scale=0.3),
               dict(query=T(1, 4, 2, 2), key=T(1, 2, 2, 2), value=T(1, 2, 2, 2), enable_gqa=True, is_causal=True)])]
]

STATISTICS = dict(running_mean=T(3, changed=True), running_var=T(3, changed=True, **POSITIVE))
NORMS = [
    ("nn.functional.layer_norm", TWO, [dict(input=T(2, 2, 4), normalized_shape=[4], weight=T(4), bias=T(4)),
                                       dict(input=T(2, 2, 3), normalized_shape=[2, 3], eps=0.1)]),
    ("nn.functional.rms_norm", F32, [dict(input=T(2, 3, 4), normalized_shape=[4], weight=T(4), eps=1e-5)]),
    ("nn.functional.group_norm", F32, [dict(input=T(2, 4, 3), num_groups=2, weight=T(4), bias=T(4)),
                                       dict(input=T(2, 4, 2, 2), num_groups=4)]),
    ("nn.functional.batch_norm", F32, [
        dict(input=T(4, 3, 2), weight=T(3), bias=T(3), training=True, momentum=0.2, **STATISTICS),
        dict(input=T(4, 3), weight=T(3), bias=T(3), **STATISTICS)]),
    ("nn.functional.instance_norm", F32, [dict(input=T(2, 3, 4), weight=T(3), bias=T(3))]),
    ("nn.functional.normalize", F32, [dict(input=T(3, 4), dim=1), dict(input=T(3, 4), p=1.0, dim=0)]),
]

EMBEDDINGS = [
    ("nn.functional.embedding", F32, [dict(input=Given([[0, 3, 3], [1, 0, 4]]), weight=T(5, 3)),
                                      dict(input=Given([1, 0, 1, 2]), weight=T(4, 2), padding_idx=1)]),
    ("nn.functional.one_hot", [torch.int64], [dict(input=Given([2, 0, 1]), num_classes=4)]),
]

# ---- losses -----------------------------------------------------------------------------------------


def elementwise_loss(name, target, **more):
    return f"nn.functional.{name}", F32, [dict(input=T(2, 3), target=target, reduction=r, **more) for r in ("mean", "none")]


CLASSES = Given([2, 0, 3, 2])
LOSSES = [
    ("nn.functional.cross_entropy", F32, [
        dict(input=T(4, 5), target=CLASSES), dict(input=T(4, 5), target=CLASSES, weight=T(5, constant=True, **POSITIVE)),
        dict(input=T(4, 5), target=Given([2, -100, 3, 2]), label_smoothing=0.2),
        dict(input=T(2, 3, 2), target=Given([[1, 0], [2, 2]]), reduction="none"),
        dict(input=T(2, 3), target=T(2, 3, **PROBABILITY), reduction="sum")]),
    ("nn.functional.nll_loss", F32, [dict(input=T(4, 5), target=CLASSES, ignore_index=0),
                                     dict(input=T(4, 5), target=CLASSES, reduction="sum")]),
    elementwise_loss("binary_cross_entropy_with_logits", T(2, 3, **PROBABILITY), pos_weight=T(3, constant=True, **POSITIVE)),
    ("nn.functional.binary_cross_entropy", F32, [dict(input=T(2, 3, **PROBABILITY), target=T(2, 3, **PROBABILITY))]),
    elementwise_loss("smooth_l1_loss", T(2, 3), beta=0.7), elementwise_loss("huber_loss", T(2, 3), delta=0.5),
    ("nn.functional.kl_div", F32, [dict(input=T(2, 3), target=T(2, 3, **PROBABILITY), reduction="batchmean"),
                                   dict(input=T(2, 3), target=T(2, 3), reduction="sum", log_target=True)]),
    elementwise_loss("soft_margin_loss", Given([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]], torch.float32)),
    elementwise_loss("poisson_nll_loss", T(2, 3, **POSITIVE)),
    ("nn.functional.hinge_embedding_loss", F32, [dict(input=T(4), target=Given([1.0, -1.0, 1.0, -1.0], torch.float32))]),
    ("nn.functional.margin_ranking_loss", F32, [dict(input1=T(3), input2=T(3),
                                                     target=Given([1.0, -1.0, 1.0], torch.float32))]),
    ("nn.functional.cosine_embedding_loss", F32, [dict(input1=T(3, 4), input2=T(3, 4), target=Given([1, -1, 1]),
                                                       margin=0.1)]),
    ("nn.functional.triplet_margin_loss", F32, [dict(anchor=T(3, 4), positive=T(3, 4), negative=T(3, 4))]),
    ("nn.functional.multi_margin_loss", F32, [dict(input=T(4, 5), target=CLASSES)]),
]

# ---- activations ------------------------------------------------------------------------------------

ACTIVATIONS = [(f"nn.functional.{name}", F32, [dict(input=T(7, low=-4.0, high=4.0), **more)]) for name, more in [
    ("gelu", {}), ("silu", {}), ("mish", {}), ("elu", dict(alpha=0.7)), ("selu", {}), ("celu", dict(alpha=0.7)),
    ("softplus", dict(beta=2)), ("leaky_relu", dict(negative_slope=0.2)), ("hardtanh", {}), ("hardswish", {}),
    ("hardsigmoid", {}), ("relu6", {}), ("logsigmoid", {}), ("softsign", {}), ("tanhshrink", {}), ("softshrink", {})]] + [
    ("nn.functional.gelu", F32, [dict(input=T(7, low=-4.0, high=4.0), approximate="tanh")]),
    ("nn.functional.glu", F32, [dict(input=T(2, 6), dim=1)]),
    ("nn.functional.prelu", F32, [dict(input=T(2, 3, 2), weight=T(3))]),
]

# ---- indexing, scans, sorts -----------------------------------------------------------------------------

ROWS = Given([2, 0, 2])
PLACES = Given([[0, 1, 2], [2, 0, 1]])  # no place twice in a column
INDEXING = [
    ("gather", TWO, [dict(input=T(3, 4), dim=1, index=Given([[0, 0], [3, 1], [2, 2]])),
                     dict(input=T(3, 3), dim=0, index=PLACES)]),
    ("scatter", F32, [dict(input=T(3, 3), dim=0, index=PLACES, src=T(2, 3)),
                      dict(input=T(3, 3), dim=0, index=PLACES, value=1.5)]),
    ("scatter_add", F32, [dict(input=T(3, 3), dim=1, index=Given([[0, 0], [1, 2], [2, 2]]), src=T(3, 2))]),
    ("scatter_reduce", F32, [dict(input=T(3, 3, **POSITIVE), dim=1, index=Given([[0, 0], [1, 2], [2, 2]]),
                                  src=T(3, 2, **POSITIVE),
                                  reduce=r, include_self=s) for r, s in [("sum", True), ("prod", True),
                                                                         ("mean", False), ("amax", True)]]),
    ("segment_reduce", TWO, [dict(data=T(6, 2, distinct=True), reduce=r, lengths=Given([2, 0, 1, 3]), initial=i)
                             for r in ["sum", "mean", "prod", "max", "min"] for i in [None, 2]]),
    ("segment_reduce", F32, [dict(data=T(2, 5, 2), reduce="prod", lengths=Given([[2, 3], [4, 1]]), axis=1),
                             dict(data=Given([[0.0, 2.0, 3.0, 0.0, 0.0], [4.0, float("nan"), 5.0, 1.0, 0.0]], torch.float32, False),
                                  reduce="prod", lengths=Given([[3, 2], [3, 2]]), axis=1),
                             dict(data=Given([1.0, 3.0, 3.0, float("nan"), 2.0, float("inf")], torch.float32, False),
                                  reduce="min", offsets=Given([0, 3, 5, 6])),
                             dict(data=T(6), reduce="max", offsets=Given([1, 2, 2, 5])),
                             dict(data=T(0, 3), reduce="mean", lengths=Given([0, 0]))]),
    ("hash_tensor", TWO + [torch.int64, torch.int32, torch.bool],
     [dict(input=T(2, 3, 4, layout=(1, 8, 2))), dict(input=T(2, 3, 4), dim=[0, -1]),
      dict(input=T(2, 3), dim=[1], keepdim=True)]),
    ("index_select", F32, [dict(input=T(3, 4), dim=0, index=ROWS)]),
    ("index_add", F32, [dict(input=T(3, 2), dim=0, index=ROWS, source=T(3, 2), alpha=2)]),
    ("index_copy", F32, [dict(input=T(3, 2), dim=0, index=Given([2, 0]), source=T(2, 2))]),
    ("index_fill", F32, [dict(input=T(3, 2), dim=0, index=Given([2, 0]), value=0.5)]),
    ("index", F32, [dict(input=T(3, 4), indices=[Given([2, 0, -1])]),
                    dict(input=T(3, 4), indices=[Given([2, 0]), Given([1, -4])])]),
    ("index_put", F32, [dict(input=T(3, 4), indices=[Given([2, 0])], values=T(2, 4)),
                        dict(input=T(3, 4), indices=[Given([2, 2]), Given([1, 1])], values=T(2), accumulate=True)]),
    ("take_along_dim", F32, [dict(input=T(3, 4), indices=Given([[0], [3], [2]]), dim=1)]),
    ("masked_fill", F32, [dict(input=T(3, 4), mask=Given(MASK, torch.bool), value=-1.5)]),
    ("masked_select", F32, [dict(input=T(3, 4), mask=Given(MASK, torch.bool))]),
    ("nonzero", F32, [dict(input=Given([[0.0, 1.0], [-2.0, 0.0]], torch.float32))]),
    ("cumsum", TWO, [dict(input=T(3, 4), dim=1)]), ("cumprod", F32, [dict(input=T(3, 4), dim=0)]),
    ("cummax", F32, [dict(input=T(3, 4, distinct=True), dim=1)]),
        ("cummin", F32, [dict(input=T(3, 4, distinct=True), dim=0)]),
    ("logcumsumexp", F32, [dict(input=T(3, 4), dim=1)]),
    ("sort", F32, [dict(input=T(3, 4, distinct=True), dim=1), dict(input=T(3, 4, distinct=True), dim=0, descending=True)]),
    ("topk", F32, [dict(input=T(3, 5, distinct=True), k=2), dict(input=T(4, 3, distinct=True), k=2, dim=0, largest=False)]),
    ("argsort", F32, [dict(input=T(7, distinct=True))]), ("kthvalue", F32, [dict(input=T(3, 5, distinct=True), k=2)]),
    ("median", F32, [dict(input=T(3, 5, distinct=True), dim=1)]), ("searchsorted", F32, [
        dict(sorted_sequence=Given([-1.0, 0.0, 0.5, 1.0], torch.float32), input=T(5))]),
    ("unique", [torch.int64], [dict(input=Given([3, 1, 3, 2, 1]), return_inverse=True, return_counts=True)]),
    ("flip", F32, [dict(input=T(2, 3), dims=[1])]), ("roll", F32, [dict(input=T(2, 3), shifts=1, dims=1)]),
    ("tril", F32, [dict(input=T(3, 4), diagonal=1)]),
    ("amax", F32, [dict(input=T(3, 4, distinct=True), dim=[1])]), ("prod", F32, [dict(input=T(3, 4), dim=1)]),
    ("var", F32, [dict(input=T(3, 4), dim=[1], correction=1)]), ("std", F32, [dict(input=T(3, 4), dim=[0], correction=0)]),
    ("logsumexp", F32, [dict(input=T(3, 4), dim=[1])]), ("bmm", F32, [dict(input=T(2, 3, 4), mat2=T(2, 4, 2))]),
    ("addmm", F32, [dict(input=T(3, 2), mat1=T(3, 4), mat2=T(4, 2), beta=0.5, alpha=2)]),
]

# ---- modules ------------------------------------------------------------------------------------------

SEQUENCE = dict(input=T(3, 1, 2))
MODULES = [
    ("LSTM", [(dict(input_size=2, hidden_size=2), SEQUENCE),
              (dict(input_size=2, hidden_size=1, num_layers=2, bidirectional=True), SEQUENCE),
              (dict(input_size=2, hidden_size=2, batch_first=True, bias=False),
               dict(input=T(2, 3, 2), hx=[T(1, 2, 2), T(1, 2, 2)])),
              (dict(input_size=2, hidden_size=2, proj_size=1), SEQUENCE)]),
    ("GRU", [(dict(input_size=2, hidden_size=2), SEQUENCE), (dict(input_size=2, hidden_size=2, bidirectional=True),
                                                             dict(input=T(3, 2, 2), hx=T(2, 2, 2)))]),
    ("RNN", [(dict(input_size=2, hidden_size=2, nonlinearity="relu"), SEQUENCE),
             (dict(input_size=2, hidden_size=1, num_layers=2), SEQUENCE)]),
    ("LSTMCell", [(dict(input_size=2, hidden_size=2), dict(input=T(2, 2), hx=[T(2, 2), T(2, 2)]))]),
    ("GRUCell", [(dict(input_size=2, hidden_size=2), dict(input=T(2, 2), hx=T(2, 2)))]),
    ("RNNCell", [(dict(input_size=2, hidden_size=2), dict(input=T(2, 2), hx=T(2, 2)))]),
    ("MultiheadAttention", [(dict(embed_dim=4, num_heads=2), dict(query=T(2, 2, 4), key=T(2, 2, 4), value=T(2, 2, 4))),
                            (dict(embed_dim=4, num_heads=2, batch_first=True, bias=False),
                             dict(query=T(1, 3, 4), key=T(1, 4, 4), value=T(1, 4, 4),
                                  attn_mask=Given([[not b for b in row] for row in MASK], torch.bool)))]),
    ("TransformerEncoderLayer", [(dict(d_model=4, nhead=2, dim_feedforward=3, dropout=0.0), dict(src=T(3, 1, 4)))]),
    ("Conv2d", [(dict(in_channels=1, out_channels=2, kernel_size=3, padding=1), dict(input=image(2, 1, 3)))]),
    ("MaxPool2d", [(dict(kernel_size=2), dict(input=image(2, 2, 4, distinct=True)))]),
    ("BatchNorm1d", [(dict(num_features=3), dict(input=T(4, 3)))]),
    ("BatchNorm2d", [(dict(num_features=3, momentum=0.3), dict(input=T(2, 3, 2, 2)))]),
    ("LayerNorm", [(dict(normalized_shape=4), dict(input=T(2, 4)))]),
    ("Embedding", [(dict(num_embeddings=4, embedding_dim=3), dict(input=Given([0, 3, 3])))]),
    ("CrossEntropyLoss", [(dict(label_smoothing=0.1), dict(input=T(4, 5), target=CLASSES))]),
]


def write(folder):
    files = {}
    for name, dtypes, cases in IMAGES + ATTENTION + NORMS + EMBEDDINGS + LOSSES + ACTIVATIONS + INDEXING:
        if name not in files:
            torch.manual_seed(zlib.crc32(name.encode()))
            files[name] = VectorFile(name)
        for args in cases:
            for dtype in dtypes:
                add_operation_case(files[name], name, dtype, args)
    for name, file in files.items():
        file.write(f"{folder}/ops/{name}.safetensors")
    for name, cases in MODULES:
        file = VectorFile(name)
        for i, (args, inputs) in enumerate(cases):
            add_module_case(file, name, args, inputs, zlib.crc32(name.encode()) % 100000 + i)
        file.write(f"{folder}/modules/{name}.safetensors")
