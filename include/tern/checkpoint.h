/*
 * tern/checkpoint.h: activation checkpointing (torch.utils.checkpoint): memory for time. What a module
 * computes inside is not kept for the backward, which runs the forward again.
 */
#ifndef TERN_CHECKPOINT_H
#define TERN_CHECKPOINT_H

#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * checkpoint(module, input): module(input), of which the graph keeps the input alone. The backward restores the
 * context's random numbers as they were, so that dropout drops the same, runs the module again and returns the
 * gradients of the input and of the module's parameters; the numbers that are drawn afterwards are as without
 * it. The forward must compute the same when it runs again; running statistics move twice, as in PyTorch.
 * Parameters are those of the module and below it: others that its forward uses get no gradient. The gradients
 * have no history (TERN_CREATE_GRAPH). At most 511 parameters.
 */
TERN_API tern_tensor *tern_checkpoint(tern_module *module, tern_tensor *input);

/* checkpoint_sequential(module, segments, input): the children of a Sequential in so many parts, each of which
 * is checkpointed but for the last. */
TERN_API tern_tensor *tern_checkpoint_sequential(tern_module *module, int segments,
                                                 tern_tensor *input);

#ifdef __cplusplus
}
#endif

#endif
