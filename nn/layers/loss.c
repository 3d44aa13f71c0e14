/* loss.c: losses as modules: forward(input, target) and the like. */
#include <string.h>

#include "layers.h"

/* The arguments of all of them together. */
typedef struct loss {
    tern_module module;
    const char *reduction;
    tern_optional_bool size_average, reduce; /* PyTorch's older spelling of reduction */
    tern_tensor *weight, *pos_weight;
    int64_t ignore_index, blank;
    double margin, eps, beta, delta, label_smoothing;
    tern_value p, distance_function;
    bool full, log_input, log_target, swap, zero_infinity;
} loss;

static const tern_field fields[] = {
    TERN_FIELD(loss, reduction, reduction),
    TERN_FIELD(loss, size_average, size_average),
    TERN_FIELD(loss, reduce, reduce),
    TERN_FIELD(loss, weight, weight),
    TERN_FIELD(loss, pos_weight, pos_weight),
    TERN_FIELD(loss, ignore_index, ignore_index),
    TERN_FIELD(loss, blank, blank),
    TERN_FIELD(loss, margin, margin),
    TERN_FIELD(loss, eps, eps),
    TERN_FIELD(loss, beta, beta),
    TERN_FIELD(loss, delta, delta),
    TERN_FIELD(loss, label_smoothing, label_smoothing),
    TERN_FIELD(loss, p, p),
    TERN_FIELD(loss, distance_function, distance_function),
    TERN_FIELD(loss, full, full),
    TERN_FIELD(loss, log_input, log_input),
    TERN_FIELD(loss, log_target, log_target),
    TERN_FIELD(loss, swap, swap),
    TERN_FIELD(loss, zero_infinity, zero_infinity),
    TERN_FIELD_END,
};

/* ---- making ---------------------------------------------------------------------------------- */

static const char *const reductions[] = {"none", "mean", "sum"};

static tern_status check_reduction(tern_module *self, bool batchmean) {
    loss *m = (loss *)self;
    if (m->size_average.has || m->reduce.has) {
        bool reduce = !m->reduce.has || m->reduce.value;
        bool average = !m->size_average.has || m->size_average.value;
        m->reduction = !reduce ? "none" : average ? "mean" : "sum";
    }
    for (size_t i = 0; m->reduction && i < 3; i++)
        if (strcmp(m->reduction, reductions[i]) == 0) return TERN_OK;
    if (m->reduction && batchmean && strcmp(m->reduction, "batchmean") == 0) return TERN_OK;
    return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                     "%s: '%s' is not a valid value for reduction: use 'none', 'mean' or 'sum'",
                     tern_module_name(self), m->reduction ? m->reduction : "None");
}

static tern_status loss_init(tern_module *self) {
    return check_reduction(self, false);
}

static tern_status kl_init(tern_module *self) {
    return check_reduction(self, true);
}

static tern_status weighted_init(tern_module *self) {
    loss *m = (loss *)self;
    m->weight = tern_layer_keep(self, "weight", m->weight);
    return check_reduction(self, false);
}

static tern_status logits_init(tern_module *self) {
    loss *m = (loss *)self;
    m->weight = tern_layer_keep(self, "weight", m->weight);
    m->pos_weight = tern_layer_keep(self, "pos_weight", m->pos_weight);
    return check_reduction(self, false);
}

static tern_status distance_init(tern_module *self) {
    loss *m = (loss *)self;
    if (m->distance_function.kind != TERN_VALUE_NONE)
        return tern_fail(tern_module_context(self), TERN_ERR_UNSUPPORTED,
                         "%s: a distance_function cannot be given as a value: it is the pairwise "
                         "distance",
                         tern_module_name(self));
    tern_module *distance =
        tern_nn_make(tern_module_context(self), "PairwiseDistance", tern_none());
    tern_module_child(self, "distance_function", distance);
    return check_reduction(self, false);
}

/* ---- classes --------------------------------------------------------------------------------- */

#define OLDER      "bool? size_average=None, bool? reduce=None, str reduction='mean'"
#define PAIR       .call_schema = "forward(Tensor input, Tensor target)"
#define LOSS(text) TERN_MODULE_CLASS(text, loss), .fields = fields

const tern_module_class tern_l1_loss_class = {LOSS("L1Loss(" OLDER ")"), .init = loss_init, PAIR,
                                              .operation = "nn.functional.l1_loss reduction"};
const tern_module_class tern_mse_loss_class = {LOSS("MSELoss(" OLDER ")"), .init = loss_init, PAIR,
                                               .operation = "nn.functional.mse_loss reduction"};
const tern_module_class tern_smooth_l1_loss_class = {
    LOSS("SmoothL1Loss(" OLDER ", float beta=1.0)"), .init = loss_init, PAIR,
    .operation = "nn.functional.smooth_l1_loss reduction beta"};
const tern_module_class tern_huber_loss_class = {
    LOSS("HuberLoss(str reduction='mean', float delta=1.0)"), .init = loss_init, PAIR,
    .operation = "nn.functional.huber_loss reduction delta"};
const tern_module_class tern_nll_loss_class = {
    LOSS("NLLLoss(Tensor? weight=None, bool? size_average=None, int ignore_index=-100, "
         "bool? reduce=None, str reduction='mean')"),
    .init = weighted_init, PAIR,
    .operation = "nn.functional.nll_loss weight ignore_index reduction"};
const tern_module_class tern_ctc_loss_class = {
    LOSS("CTCLoss(int blank=0, str reduction='mean', bool zero_infinity=False)"), .init = loss_init,
    .call_schema = "forward(Tensor log_probs, Tensor targets, Tensor|int[] input_lengths, "
                   "Tensor|int[] target_lengths)",
    .operation = "nn.functional.ctc_loss blank reduction zero_infinity"};
const tern_module_class tern_cross_entropy_loss_class = {
    LOSS("CrossEntropyLoss(Tensor? weight=None, bool? size_average=None, int ignore_index=-100, "
         "bool? reduce=None, str reduction='mean', float label_smoothing=0.0)"),
    .init = weighted_init, PAIR,
    .operation = "nn.functional.cross_entropy weight ignore_index reduction label_smoothing"};
const tern_module_class tern_bce_loss_class = {
    LOSS("BCELoss(Tensor? weight=None, " OLDER ")"), .init = weighted_init, PAIR,
    .operation = "nn.functional.binary_cross_entropy weight reduction"};
const tern_module_class tern_bce_with_logits_loss_class = {
    LOSS("BCEWithLogitsLoss(Tensor? weight=None, " OLDER ", Tensor? pos_weight=None)"),
    .init = logits_init, PAIR,
    .operation = "nn.functional.binary_cross_entropy_with_logits weight pos_weight reduction"};
const tern_module_class tern_kl_div_loss_class = {
    LOSS("KLDivLoss(" OLDER ", bool log_target=False)"), .init = kl_init, PAIR,
    .operation = "nn.functional.kl_div reduction log_target"};
const tern_module_class tern_poisson_nll_loss_class = {
    LOSS("PoissonNLLLoss(bool log_input=True, bool full=False, bool? size_average=None, "
         "float eps=1e-08, bool? reduce=None, str reduction='mean')"),
    .init = loss_init, .call_schema = "forward(Tensor log_input, Tensor target)",
    .operation = "nn.functional.poisson_nll_loss log_input full eps reduction"};
const tern_module_class tern_gaussian_nll_loss_class = {
    LOSS("GaussianNLLLoss(*, bool full=False, float eps=1e-06, str reduction='mean')"),
    .init = loss_init, .call_schema = "forward(Tensor input, Tensor target, Tensor var)",
    .operation = "nn.functional.gaussian_nll_loss full eps reduction"};
const tern_module_class tern_soft_margin_loss_class = {
    LOSS("SoftMarginLoss(" OLDER ")"), .init = loss_init, PAIR,
    .operation = "nn.functional.soft_margin_loss reduction"};
const tern_module_class tern_multi_margin_loss_class = {
    LOSS("MultiMarginLoss(int p=1, float margin=1.0, Tensor? weight=None, " OLDER ")"),
    .init = weighted_init, PAIR,
    .operation = "nn.functional.multi_margin_loss p margin weight reduction"};
const tern_module_class tern_multi_label_margin_loss_class = {
    LOSS("MultiLabelMarginLoss(" OLDER ")"), .init = loss_init, PAIR,
    .operation = "nn.functional.multilabel_margin_loss reduction"};
const tern_module_class tern_multi_label_soft_margin_loss_class = {
    LOSS("MultiLabelSoftMarginLoss(Tensor? weight=None, " OLDER ")"), .init = weighted_init, PAIR,
    .operation = "nn.functional.multilabel_soft_margin_loss weight reduction"};
const tern_module_class tern_hinge_embedding_loss_class = {
    LOSS("HingeEmbeddingLoss(float margin=1.0, " OLDER ")"), .init = loss_init, PAIR,
    .operation = "nn.functional.hinge_embedding_loss margin reduction"};
const tern_module_class tern_margin_ranking_loss_class = {
    LOSS("MarginRankingLoss(float margin=0.0, " OLDER ")"), .init = loss_init,
    .call_schema = "forward(Tensor input1, Tensor input2, Tensor target)",
    .operation = "nn.functional.margin_ranking_loss margin reduction"};
const tern_module_class tern_cosine_embedding_loss_class = {
    LOSS("CosineEmbeddingLoss(float margin=0.0, " OLDER ")"), .init = loss_init,
    .call_schema = "forward(Tensor input1, Tensor input2, Tensor target)",
    .operation = "nn.functional.cosine_embedding_loss margin reduction"};
const tern_module_class tern_triplet_margin_loss_class = {
    LOSS("TripletMarginLoss(float margin=1.0, float p=2.0, float eps=1e-06, bool swap=False, " OLDER
         ")"),
    .init = loss_init, .call_schema = "forward(Tensor anchor, Tensor positive, Tensor negative)",
    .operation = "nn.functional.triplet_margin_loss margin p eps swap reduction"};
const tern_module_class tern_triplet_margin_with_distance_loss_class = {
    LOSS("TripletMarginWithDistanceLoss(*, any distance_function=None, float margin=1.0, "
         "bool swap=False, str reduction='mean')"),
    .init = distance_init,
    .call_schema = "forward(Tensor anchor, Tensor positive, Tensor negative)",
    .operation = "nn.functional.triplet_margin_with_distance_loss margin swap reduction"};

/* ---- typed constructors ---------------------------------------------------------------------- */

/* A reduction that is none of the three is refused by init. */
static const char *name_of(tern_reduction reduction) {
    return (unsigned)reduction < 3 ? reductions[reduction] : NULL;
}

static tern_module *plain(tern_ctx *ctx, const tern_module_class *cls, tern_reduction reduction) {
    loss config = {.reduction = name_of(reduction), .beta = 1, .delta = 1};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_l1_loss(tern_ctx *ctx, tern_reduction reduction) {
    return plain(ctx, &tern_l1_loss_class, reduction);
}

tern_module *tern_nn_mse_loss(tern_ctx *ctx, tern_reduction reduction) {
    return plain(ctx, &tern_mse_loss_class, reduction);
}

tern_module *tern_nn_smooth_l1_loss(tern_ctx *ctx, tern_reduction reduction) {
    return plain(ctx, &tern_smooth_l1_loss_class, reduction);
}

tern_module *tern_nn_huber_loss(tern_ctx *ctx, tern_reduction reduction) {
    return plain(ctx, &tern_huber_loss_class, reduction);
}

tern_module *tern_nn_kl_div_loss(tern_ctx *ctx, const char *reduction, bool log_target) {
    loss config = {.reduction = reduction, .log_target = log_target};
    return tern_module_new(ctx, &tern_kl_div_loss_class, &config);
}

static tern_module *of_classes(tern_ctx *ctx, const char *who, const tern_module_class *cls,
                               const tern_cross_entropy_options *options) {
    tern_cross_entropy_options o = TERN_CROSS_ENTROPY_OPTIONS;
    if (!tern_options_read(ctx, who, options, &o)) return NULL;
    loss config = {.reduction = name_of(o.reduction),
                   .weight = o.weight,
                   .ignore_index = o.ignore_index,
                   .label_smoothing = o.label_smoothing};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_cross_entropy_loss(tern_ctx *ctx, const tern_cross_entropy_options *options) {
    return of_classes(ctx, "tern_nn_cross_entropy_loss", &tern_cross_entropy_loss_class, options);
}

tern_module *tern_nn_nll_loss(tern_ctx *ctx, const tern_cross_entropy_options *options) {
    return of_classes(ctx, "tern_nn_nll_loss", &tern_nll_loss_class, options);
}

tern_module *tern_nn_bce_loss(tern_ctx *ctx, tern_tensor *weight, tern_reduction reduction) {
    loss config = {.reduction = name_of(reduction), .weight = weight};
    return tern_module_new(ctx, &tern_bce_loss_class, &config);
}

tern_module *tern_nn_bce_with_logits_loss(tern_ctx *ctx, tern_tensor *weight,
                                          tern_tensor *pos_weight, tern_reduction reduction) {
    loss config = {.reduction = name_of(reduction), .weight = weight, .pos_weight = pos_weight};
    return tern_module_new(ctx, &tern_bce_with_logits_loss_class, &config);
}
