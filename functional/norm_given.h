/* norm_given.h: normalisation by statistics that are given. */
#ifndef TERN_NORM_GIVEN_H
#define TERN_NORM_GIVEN_H

#include "functional.h"

/*
 * (x - mean) / sqrt(var + eps) * weight + bias in the dtype of x, all vectors over the channels, dimension 1
 * of x; weight and bias may be NULL. Recorded: one launch, and one for all gradients, of which those of
 * vectors are then summed. nil after latching.
 */
tern_tensor *tern_norm_given(tern_tensor *x, tern_tensor *mean, tern_tensor *var,
                             tern_tensor *weight, tern_tensor *bias, double eps);

#endif
