/* dataset.h: what a dataset and a sampler are, for the loader. */
#ifndef TERN_DATA_DATASET_H
#define TERN_DATA_DATASET_H

#include "tern/data.h"

struct tern_dataset {
    tern_ctx *ctx;
    int64_t length;
    int n_fields;
    tern_sample_field fields[TERN_MAX_FIELDS];
    size_t bytes[TERN_MAX_FIELDS]; /* of one sample's field */
    tern_sample_fn get;
    void *user;
    const int64_t *indices; /* of a subset */
};

/* The indices of an epoch without the permutation that is drawn and not used at its end: iterating
 * in PyTorch draws that one only when the sampler is exhausted. */
tern_status tern_sampler_order(tern_sampler *sampler, int64_t *out_indices);
tern_status tern_sampler_exhaust(tern_sampler *sampler);

/* A random permutation of n, drawn from the generator (NULL: the context's). */
tern_status tern_permutation(tern_ctx *ctx, int64_t n, tern_generator *generator,
                             int64_t *out_indices);

#endif
