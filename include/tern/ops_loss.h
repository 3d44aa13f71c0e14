/*
 * tern/ops_loss.h: losses.
 *
 * All are in torch.nn.functional, and differentiable. `reduction` is TERN_MEAN (PyTorch's default), TERN_SUM or
 * TERN_NO_REDUCTION; the formulas give the loss by element. A target of another shape is an error where they do not
 * broadcast. `weight` is NULL unless it is wanted.
 */
#ifndef TERN_OPS_LOSS_H
#define TERN_OPS_LOSS_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- regression ----------------------------------------------------------------------------- */

/* |input - target|. */
TERN_API tern_tensor *tern_l1_loss(tern_tensor *input, tern_tensor *target,
                                   tern_reduction reduction);

/* (input - target)^2. */
TERN_API tern_tensor *tern_mse_loss(tern_tensor *input, tern_tensor *target,
                                    tern_reduction reduction);

/* With beta 1: (input - target)^2 / 2 where they differ by less than 1, else |input - target| - 1/2. */
TERN_API tern_tensor *tern_smooth_l1_loss(tern_tensor *input, tern_tensor *target,
                                          tern_reduction reduction);

/* (input - target)^2 / (2 beta) where they differ by less than beta, else |input - target| - beta / 2. beta
 * below 0 is an error; 0 gives l1_loss. */
TERN_API tern_tensor *tern_smooth_l1_loss_beta(tern_tensor *input, tern_tensor *target, double beta,
                                               tern_reduction reduction);

/* With delta 1: as smooth_l1_loss. */
TERN_API tern_tensor *tern_huber_loss(tern_tensor *input, tern_tensor *target,
                                      tern_reduction reduction);

/* (input - target)^2 / 2 where they differ by at most delta, else delta (|input - target| - delta / 2).
 * delta must be above 0. */
TERN_API tern_tensor *tern_huber_loss_delta(tern_tensor *input, tern_tensor *target, double delta,
                                            tern_reduction reduction);

/* exp(input) - target * input (log_input), or input - target * log(input + eps); `full` adds Stirling's
 * term for targets above 1. PyTorch's defaults: true, false, 1e-8. */
TERN_API tern_tensor *tern_poisson_nll_loss(tern_tensor *input, tern_tensor *target, bool log_input,
                                            bool full, double eps, tern_reduction reduction);

/* (log(max(var, eps)) + (input - target)^2 / max(var, eps)) / 2; `full` adds log(2 pi) / 2. PyTorch's
 * default of eps is 1e-6. Negative variances are an error. */
TERN_API tern_tensor *tern_gaussian_nll_loss(tern_tensor *input, tern_tensor *target,
                                             tern_tensor *var, bool full, double eps,
                                             tern_reduction reduction);

/* ---- classes -------------------------------------------------------------------------------- */

/* nn.functional.ctc_loss, connectionist temporal classification: -log of the probability of all alignments of a
 * sequence of labels to the steps. log_probs [T, N, C] or [T, C] of a floating dtype; targets [N, S], [S], or all
 * labels in a row; input_lengths and target_lengths [N] of integers, up to T and S. The mean divides each loss by its
 * number of labels. A target without an alignment gives inf and a gradient of NaN, or 0 (zero_infinity). PyTorch's
 * defaults: blank 0, false. Lengths and targets are read on the host. */
TERN_API tern_tensor *tern_ctc_loss(tern_tensor *log_probs, tern_tensor *targets,
                                    tern_tensor *input_lengths, tern_tensor *target_lengths,
                                    int64_t blank, tern_reduction reduction, bool zero_infinity);

/* -input[target]: input [N, C, ...] of log-probabilities, target [N, ...] of int64 class indices; -100 is
 * ignored. */
TERN_API tern_tensor *tern_nll_loss(tern_tensor *input, tern_tensor *target,
                                    tern_reduction reduction);

/* The same with a weight per class [C] and another index that is ignored. The mean divides by the sum of
 * the weights. */
TERN_API tern_tensor *tern_nll_loss_weighted(tern_tensor *input, tern_tensor *target,
                                             tern_tensor *weight, int64_t ignore_index,
                                             tern_reduction reduction);

/* -log(softmax(input))[target]: input [N, C, ...] or [C] of logits; target class indices [N, ...] (-100 is
 * ignored), or probabilities of input's shape. */
TERN_API tern_tensor *tern_cross_entropy(tern_tensor *input, tern_tensor *target,
                                         tern_reduction reduction);

/* The same with a weight per class [C], another index that is ignored, and the share of the target that is
 * spread over all classes. PyTorch's defaults: NULL, -100, 0. */
TERN_API tern_tensor *tern_cross_entropy_weighted(tern_tensor *input, tern_tensor *target,
                                                  tern_tensor *weight, int64_t ignore_index,
                                                  tern_reduction reduction, double label_smoothing);

/* -(target log(input) + (1 - target) log(1 - input)), with logarithms of at least -100; input are
 * probabilities: outside of [0, 1] they are an error. */
TERN_API tern_tensor *tern_binary_cross_entropy(tern_tensor *input, tern_tensor *target,
                                                tern_tensor *weight, tern_reduction reduction);

/* The same for logits: of sigmoid(input), without overflow. */
TERN_API tern_tensor *tern_binary_cross_entropy_with_logits(tern_tensor *input, tern_tensor *target,
                                                            tern_reduction reduction);

/* The same with a weight by element and one for positive targets, which broadcast. */
TERN_API tern_tensor *tern_binary_cross_entropy_with_logits_weighted(tern_tensor *input,
                                                                     tern_tensor *target,
                                                                     tern_tensor *weight,
                                                                     tern_reduction reduction,
                                                                     tern_tensor *pos_weight);

/* target (log(target) - input), for input of log-probabilities; log_target: the target is logarithms too.
 * TERN_MEAN divides by all elements, as PyTorch's "mean" (its "batchmean" is TERN_SUM divided by N). */
TERN_API tern_tensor *tern_kl_div(tern_tensor *input, tern_tensor *target, tern_reduction reduction,
                                  bool log_target);

/* sum over i != y of max(0, margin - x[y] + x[i])^p / C: input [N, C], target [N]. PyTorch's defaults: p 1
 * (or 2), margin 1. */
TERN_API tern_tensor *tern_multi_margin_loss(tern_tensor *input, tern_tensor *target, int64_t p,
                                             double margin, tern_tensor *weight,
                                             tern_reduction reduction);

/* Margins of every target class over every other: target [N, C] lists class indices, ended by -1. */
TERN_API tern_tensor *tern_multilabel_margin_loss(tern_tensor *input, tern_tensor *target,
                                                  tern_reduction reduction);

/* The mean of binary_cross_entropy_with_logits over the classes. */
TERN_API tern_tensor *tern_multilabel_soft_margin_loss(tern_tensor *input, tern_tensor *target,
                                                       tern_tensor *weight,
                                                       tern_reduction reduction);

/* log(1 + exp(-target * input)), for targets of 1 and -1. */
TERN_API tern_tensor *tern_soft_margin_loss(tern_tensor *input, tern_tensor *target,
                                            tern_reduction reduction);

/* input where the target is 1, max(0, margin - input) where it is -1. PyTorch's default of margin is 1. */
TERN_API tern_tensor *tern_hinge_embedding_loss(tern_tensor *input, tern_tensor *target,
                                                double margin, tern_reduction reduction);

/* ---- distances ------------------------------------------------------------------------------ */

/* max(0, -target * (input1 - input2) + margin), for targets of 1 and -1. PyTorch's default of margin is 0. */
TERN_API tern_tensor *tern_margin_ranking_loss(tern_tensor *input1, tern_tensor *input2,
                                               tern_tensor *target, double margin,
                                               tern_reduction reduction);

/* 1 - cos where the target is 1, max(0, cos - margin) where it is -1: inputs [N, D] or [D]. PyTorch's
 * default of margin is 0. */
TERN_API tern_tensor *tern_cosine_embedding_loss(tern_tensor *input1, tern_tensor *input2,
                                                 tern_tensor *target, double margin,
                                                 tern_reduction reduction);

/* max(0, d(anchor, positive) - d(anchor, negative) + margin), where d is the p-norm distance; `swap` takes
 * d(positive, negative) if it is smaller. PyTorch's defaults: 1, 2, 1e-6, false. */
TERN_API tern_tensor *tern_triplet_margin_loss(tern_tensor *anchor, tern_tensor *positive,
                                               tern_tensor *negative, double margin, double p,
                                               double eps, bool swap, tern_reduction reduction);

/* The same with PyTorch's default distance, the Euclidean. */
TERN_API tern_tensor *tern_triplet_margin_with_distance_loss(tern_tensor *anchor,
                                                             tern_tensor *positive,
                                                             tern_tensor *negative, double margin,
                                                             bool swap, tern_reduction reduction);

#ifdef __cplusplus
}
#endif

#endif
