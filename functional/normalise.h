/* normalise.h: what the layers of normalisation share: the operation _norm, and running statistics. */
#ifndef TERN_NORMALISE_H
#define TERN_NORMALISE_H

#include "core/ops/compose.h"
#include "functional.h"
#include "tern/backend.h"

/* How to normalise. Weight and bias, either of which may be NULL, have one shape of the input's rank that
 * broadcasts to it. */
typedef struct tern_norm_by {
    bool rms;        /* by the root mean square: the mean counts as 0 */
    tern_shape dims; /* over which statistics are taken: one at least */
    tern_tensor *weight, *bias;
    double eps;
    bool variance; /* whether it is asked for */
} tern_norm_by;

/* Statistics have size 1 in the dimensions that they are taken over, and the dtype float32, or float64 of
 * a float64 input. */
typedef struct tern_normalised {
    tern_tensor *out;  /* in the input's dtype */
    tern_tensor *mean; /* NULL for rms */
    tern_tensor *rstd; /* 1 / sqrt(var + eps) */
    tern_tensor *var;  /* biased, without a gradient; NULL where it was not asked for */
} tern_normalised;

/* Recorded as one node. False after latching. */
bool tern_normalise(tern_opcall *call, tern_tensor *x, const tern_norm_by *by,
                    tern_normalised *out);

/* How running statistics move: by `momentum`, or, where there is a count of batches with this one among them, by
 * 1 / batches, so that they are means over all. The device divides: nothing is read back. */
typedef struct tern_running_by {
    double momentum;
    tern_tensor *batches; /* rank 0; NULL: by momentum */
    double correction;    /* of the fresh variance, which is biased */
} tern_running_by;

/*
 * running = (1 - momentum) running + momentum fresh for the mean and, with the correction times the fresh
 * one, for the variance, in place, without history, in one launch. Either running tensor may be NULL.
 * The fresh ones have as many elements.
 */
void tern_update_running(tern_opcall *call, tern_tensor *running_mean, tern_tensor *mean,
                         tern_tensor *running_var, tern_tensor *var, const tern_running_by *by);

#endif
