/* loss.c: the C functions of tern/ops_loss.h that do not stand beside their operation. */
#include "typed.h"

#include "functional/loss.h"

/* ---- regression ----------------------------------------------------------------------------- */
tern_tensor *tern_smooth_l1_loss_beta(tern_tensor *input, tern_tensor *target, double beta,
                                      tern_reduction reduction) {
    return TERN_CALL(smooth_l1_loss, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(),
                     tern_none(), tern_reduction_value(reduction), ARG_FLOAT(beta));
}
tern_tensor *tern_huber_loss_delta(tern_tensor *input, tern_tensor *target, double delta,
                                   tern_reduction reduction) {
    return TERN_CALL(huber_loss, ARG_TENSOR(input), ARG_TENSOR(target),
                     tern_reduction_value(reduction), ARG_FLOAT(delta));
}
tern_tensor *tern_poisson_nll_loss(tern_tensor *input, tern_tensor *target, bool log_input,
                                   bool full, double eps, tern_reduction reduction) {
    return TERN_CALL(poisson_nll_loss, ARG_TENSOR(input), ARG_TENSOR(target), ARG_BOOL(log_input),
                     ARG_BOOL(full), tern_none(), ARG_FLOAT(eps), tern_none(),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_gaussian_nll_loss(tern_tensor *input, tern_tensor *target, tern_tensor *var,
                                    bool full, double eps, tern_reduction reduction) {
    return TERN_CALL(gaussian_nll_loss, ARG_TENSOR(input), ARG_TENSOR(target), ARG_TENSOR(var),
                     ARG_BOOL(full), ARG_FLOAT(eps), tern_reduction_value(reduction));
}

/* ---- classes -------------------------------------------------------------------------------- */
tern_tensor *tern_ctc_loss(tern_tensor *log_probs, tern_tensor *targets, tern_tensor *input_lengths,
                           tern_tensor *target_lengths, int64_t blank, tern_reduction reduction,
                           bool zero_infinity) {
    return TERN_CALL(ctc_loss, ARG_TENSOR(log_probs), ARG_TENSOR(targets),
                     ARG_TENSOR(input_lengths), ARG_TENSOR(target_lengths), ARG_INT(blank),
                     tern_reduction_value(reduction), ARG_BOOL(zero_infinity));
}
tern_tensor *tern_nll_loss_weighted(tern_tensor *input, tern_tensor *target, tern_tensor *weight,
                                    int64_t ignore_index, tern_reduction reduction) {
    return TERN_CALL(nll_loss, ARG_TENSOR(input), ARG_TENSOR(target), ARG_TENSOR(weight),
                     tern_none(), ARG_INT(ignore_index), tern_none(),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_cross_entropy_weighted(tern_tensor *input, tern_tensor *target,
                                         tern_tensor *weight, int64_t ignore_index,
                                         tern_reduction reduction, double label_smoothing) {
    return TERN_CALL(cross_entropy, ARG_TENSOR(input), ARG_TENSOR(target), ARG_TENSOR(weight),
                     tern_none(), ARG_INT(ignore_index), tern_none(),
                     tern_reduction_value(reduction), ARG_FLOAT(label_smoothing));
}
tern_tensor *tern_binary_cross_entropy(tern_tensor *input, tern_tensor *target, tern_tensor *weight,
                                       tern_reduction reduction) {
    return TERN_CALL(binary_cross_entropy, ARG_TENSOR(input), ARG_TENSOR(target),
                     ARG_TENSOR(weight), tern_none(), tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_binary_cross_entropy_with_logits_weighted(tern_tensor *input, tern_tensor *target,
                                                            tern_tensor *weight,
                                                            tern_reduction reduction,
                                                            tern_tensor *pos_weight) {
    return TERN_CALL(binary_cross_entropy_with_logits, ARG_TENSOR(input), ARG_TENSOR(target),
                     ARG_TENSOR(weight), tern_none(), tern_none(), tern_reduction_value(reduction),
                     ARG_TENSOR(pos_weight));
}
tern_tensor *tern_kl_div(tern_tensor *input, tern_tensor *target, tern_reduction reduction,
                         bool log_target) {
    return TERN_CALL(kl_div, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(), tern_none(),
                     tern_reduction_value(reduction), ARG_BOOL(log_target));
}
tern_tensor *tern_multi_margin_loss(tern_tensor *input, tern_tensor *target, int64_t p,
                                    double margin, tern_tensor *weight, tern_reduction reduction) {
    return TERN_CALL(multi_margin_loss, ARG_TENSOR(input), ARG_TENSOR(target), ARG_INT(p),
                     ARG_FLOAT(margin), ARG_TENSOR(weight), tern_none(), tern_none(),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_multilabel_margin_loss(tern_tensor *input, tern_tensor *target,
                                         tern_reduction reduction) {
    return TERN_CALL(multilabel_margin_loss, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(),
                     tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_multilabel_soft_margin_loss(tern_tensor *input, tern_tensor *target,
                                              tern_tensor *weight, tern_reduction reduction) {
    return TERN_CALL(multilabel_soft_margin_loss, ARG_TENSOR(input), ARG_TENSOR(target),
                     ARG_TENSOR(weight), tern_none(), tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_soft_margin_loss(tern_tensor *input, tern_tensor *target,
                                   tern_reduction reduction) {
    return TERN_CALL(soft_margin_loss, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(),
                     tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_hinge_embedding_loss(tern_tensor *input, tern_tensor *target, double margin,
                                       tern_reduction reduction) {
    return TERN_CALL(hinge_embedding_loss, ARG_TENSOR(input), ARG_TENSOR(target), ARG_FLOAT(margin),
                     tern_none(), tern_none(), tern_reduction_value(reduction));
}

/* ---- distances ------------------------------------------------------------------------------ */
tern_tensor *tern_margin_ranking_loss(tern_tensor *input1, tern_tensor *input2, tern_tensor *target,
                                      double margin, tern_reduction reduction) {
    return TERN_CALL(margin_ranking_loss, ARG_TENSOR(input1), ARG_TENSOR(input2),
                     ARG_TENSOR(target), ARG_FLOAT(margin), tern_none(), tern_none(),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_cosine_embedding_loss(tern_tensor *input1, tern_tensor *input2,
                                        tern_tensor *target, double margin,
                                        tern_reduction reduction) {
    return TERN_CALL(cosine_embedding_loss, ARG_TENSOR(input1), ARG_TENSOR(input2),
                     ARG_TENSOR(target), ARG_FLOAT(margin), tern_none(), tern_none(),
                     tern_reduction_value(reduction));
}
tern_tensor *tern_triplet_margin_loss(tern_tensor *anchor, tern_tensor *positive,
                                      tern_tensor *negative, double margin, double p, double eps,
                                      bool swap, tern_reduction reduction) {
    return TERN_CALL(triplet_margin_loss, ARG_TENSOR(anchor), ARG_TENSOR(positive),
                     ARG_TENSOR(negative), ARG_FLOAT(margin), ARG_FLOAT(p), ARG_FLOAT(eps),
                     ARG_BOOL(swap), tern_none(), tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_triplet_margin_with_distance_loss(tern_tensor *anchor, tern_tensor *positive,
                                                    tern_tensor *negative, double margin, bool swap,
                                                    tern_reduction reduction) {
    return TERN_CALL(triplet_margin_with_distance_loss, ARG_TENSOR(anchor), ARG_TENSOR(positive),
                     ARG_TENSOR(negative), ARG_FLOAT(margin), ARG_BOOL(swap),
                     tern_reduction_value(reduction));
}
