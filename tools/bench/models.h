/* models.h: the models that several groups train, ask and save. */
#ifndef TERN_TOOLS_BENCH_MODELS_H
#define TERN_TOOLS_BENCH_MODELS_H

#include "tern/nn.h"

#define MODEL_MLP                                                                                  \
    "Sequential(Flatten(), Linear(784, 256), ReLU(), Linear(256, 128), ReLU(), Linear(128, 10))"

/* TinyVGG of so many channels over images of 28 x 28; `features` are 49 times as many. */
#define MODEL_TINYVGG(channels, features)                                                          \
    "Sequential(Conv2d(1, " channels ", 3, padding=1), ReLU(), Conv2d(" channels ", " channels     \
    ", 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(" channels ", " channels                        \
    ", 3, padding=1), ReLU(), Conv2d(" channels ", " channels                                      \
    ", 3, padding=1), ReLU(), MaxPool2d(2), Flatten(), Linear(" features ", 10))"
#define MODEL_CNN   MODEL_TINYVGG("10", "490")
#define MODEL_CNN64 MODEL_TINYVGG("64", "3136")

/* A GPT: token and position embeddings, blocks of causal attention and a wide layer with GELU, each
 * behind a norm. */
typedef struct small_gpt_sizes {
    int64_t vocab, context, width, layers, heads;
} small_gpt_sizes;

tern_module *small_gpt_new(tern_ctx *ctx, const small_gpt_sizes *sizes);

/* Keys and values of the tokens before, [1, heads, context, width / heads] for each block. */
typedef struct small_gpt_cache small_gpt_cache;
small_gpt_cache *small_gpt_cache_new(tern_module *gpt);

/* The logits of the token at `place`, given as [1, 1]; keeps its keys and values. */
tern_tensor *small_gpt_next(tern_module *gpt, small_gpt_cache *cache, tern_tensor *token,
                            int64_t place);

#endif
