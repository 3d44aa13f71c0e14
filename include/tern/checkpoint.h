/*
 * tern/checkpoint.h: activation checkpointing (torch.utils.checkpoint), which saves memory and costs time: the
 * intermediate results of a module are not kept for the backward, which runs the forward again.
 */
#ifndef TERN_CHECKPOINT_H
#define TERN_CHECKPOINT_H

#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * checkpoint(module, input): module(input), but the graph keeps only the input. The backward sets the context's
 * generator back to what it was, so that dropout drops the same elements, runs the module again, computes the
 * gradients of the input and of the module's parameters, and restores the generator. The forward must compute
 * the same both times. Running statistics are updated twice, as in PyTorch. Only the parameters of the module
 * and of modules below it get gradients, not others that its forward uses; there may be at most 511. The
 * gradients cannot be differentiated again (TERN_CREATE_GRAPH).
 */
TERN_API tern_tensor *tern_checkpoint(tern_module *module, tern_tensor *input);

/* checkpoint_sequential(module, segments, input): divides the children of a Sequential into `segments` parts and
 * checkpoints each part except the last. */
TERN_API tern_tensor *tern_checkpoint_sequential(tern_module *module, int segments,
                                                 tern_tensor *input);

#ifdef __cplusplus
}
#endif

#endif
