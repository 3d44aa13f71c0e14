/* transform.h: what one transform is: the options that the notation fills in, what it makes of a
 * field, and how it changes a sample. */
#ifndef TERN_DATA_TRANSFORM_H
#define TERN_DATA_TRANSFORM_H

#include "tern/data.h"
#include "tern/describe.h"

/* The options of all transforms; each has its own members of them. */
typedef struct tern_transform_options {
    double p;
    int64_t padding;
    tern_shape size;
    tern_dtype dtype;
    tern_float_list mean, std;
} tern_transform_options;

typedef struct tern_transform {
    const struct tern_transform_class *cls;
    tern_transform_options options;
    tern_sample_field in, out;
} tern_transform;

typedef struct tern_transform_class {
    const char *name, *schema;
    const tern_field *fields; /* of tern_transform_options */

    /* Fills in t->out from t->in and checks the options; false after latching. */
    bool (*plan)(tern_ctx *ctx, tern_transform *t);

    /* Writes the changed sample, row-major; of any thread. One of the two: a random one draws from
     * the noise. */
    void (*apply)(const tern_transform *t, const void *in, void *out);
    void (*apply_random)(const tern_transform *t, uint64_t *noise, const void *in, void *out);
} tern_transform_class;

/* The class of a name; NULL where there is none. The index-th name, NULL past the end. */
const tern_transform_class *tern_transform_find(const char *name);
const char *tern_transform_name(size_t index);

#endif
