/*
 * samples.h: the data of a recipe, whole on the context's device.
 *
 * A folder holds images and labels as IDX files, compressed or not, by MNIST's names
 * (train-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz, ...): float32 [N, 1, H, W] within [0, 1]
 * and int64 [N]; or train_inputs.npy, train_targets.npy, test_inputs.npy and test_targets.npy.
 */
#ifndef TERN_TOOLS_SAMPLES_H
#define TERN_TOOLS_SAMPLES_H

#include "tern/tensor.h"

typedef struct samples {
    tern_tensor *inputs, *targets;
    int64_t count;
} samples;

/* The training or test samples; "fashion-mnist" is Debian's folder. False after latching an error. */
bool samples_load(tern_ctx *ctx, const char *data, bool train, samples *out_samples);

/* The first `count` samples alone. */
void samples_cut(samples *s, int64_t count);

#endif
