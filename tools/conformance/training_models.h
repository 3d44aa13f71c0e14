/*
 * training_models.h: the models of the training vectors that are no Sequential: a classifier of
 * sequences and a small GPT (Radford et al. 2018), as PyTorch programs write them.
 */
#ifndef TERN_TOOLS_TRAINING_MODELS_H
#define TERN_TOOLS_TRAINING_MODELS_H

#include "tern/nn.h"

/* Embedding, LSTM (batch first), and a Linear of two classes over the mean of all steps: [N, T] of
 * int64 to [N, 2]. NULL on failure. */
tern_module *classifier_new(tern_ctx *ctx, int64_t vocab, int64_t dim, int64_t hidden,
                            int64_t layers, bool bidirectional);

typedef struct gpt_options {
    int64_t vocab, width, heads, context, layers;
    bool tied;      /* the head's weight is the token embedding's */
    bool tanh_gelu; /* approximate="tanh" */
} gpt_options;

/* Token and position embeddings, `layers` blocks of attention and a feed-forward part, norms first:
 * [N, T] of int64 to [N, T, vocab]. Matrices are normal(0, 0.02), biases zero. NULL on failure. */
tern_module *gpt_new(tern_ctx *ctx, const gpt_options *options);

#endif
