/* dataset.h: what a dataset and a sampler are, for the loader. */
#ifndef TERN_DATA_DATASET_H
#define TERN_DATA_DATASET_H

#include "tern/data.h"
#include "tern/memory.h"

/* Sample `index` as tern_sample_fn writes it; what is random in it depends on `noise` alone. */
typedef bool (*tern_derived_fn)(const void *part, int64_t index, uint64_t noise,
                                void *const *out_fields);

/* What a dataset's handle stands for. */
typedef struct tern_dataset_body {
    tern_ctx *ctx;
    tern_dataset *handle;
    int64_t length;
    int n_fields;
    tern_sample_field fields[TERN_MAX_FIELDS];
    size_t bytes[TERN_MAX_FIELDS]; /* of one sample's field */
    tern_sample_fn get;            /* a program's own; else NULL */
    void *user;
    tern_derived_fn derive; /* a part or a change of another dataset; else NULL */
    const void *part;
    bool random;                           /* a sample depends on noise */
    const int64_t *indices;                /* of a subset */
    const struct tern_dataset_body *whole; /* what it is a part or a change of; else NULL */
    tern_dataset *whole_handle;
} tern_dataset_body;

typedef struct tern_sampler_body tern_sampler_body;

/* The dataset, all that it is made of being there too; NULL for NULL, and after latching what is
 * gone. */
tern_dataset_body *tern_dataset_of(const tern_dataset *dataset, const char *function);
tern_sampler_body *tern_sampler_of(const tern_sampler *sampler, const char *function);

/* A dataset over another one: its fields are `whole`'s until they are changed. */
tern_dataset_body *tern_dataset_derived(tern_dataset_body *whole, int64_t length,
                                        tern_derived_fn derive, const void *part);

/* Changes the dtype and shape of a field; false, with the error latched, where none can be so. */
bool tern_dataset_set_field(tern_dataset_body *dataset, int index, const tern_sample_field *field);

/* Sample `index`, of any thread; false where it cannot be had. */
bool tern_dataset_read(const tern_dataset_body *dataset, int64_t index, uint64_t noise,
                       void *const *out_fields);

/* The indices of an epoch without the permutation that is drawn and not used at its end: iterating
 * in PyTorch draws that one only when the sampler is exhausted. */
tern_status tern_sampler_order(tern_sampler_body *sampler, int64_t *out_indices);
tern_status tern_sampler_exhaust(tern_sampler_body *sampler);

/* A random permutation of n, drawn from the generator (NULL: the context's). */
tern_status tern_permutation(tern_ctx *ctx, int64_t n, tern_generator *generator,
                             int64_t *out_indices);

#endif
