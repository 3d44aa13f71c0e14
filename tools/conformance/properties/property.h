/*
 * property.h: a property check: an operation's sample in one setting, on the device under test and on
 * the reference, which computes the same from the same arguments.
 */
#ifndef TERN_TOOLS_PROPERTIES_PROPERTY_H
#define TERN_TOOLS_PROPERTIES_PROPERTY_H

#include "conformance/conformance.h"
#include "conformance/results.h"
#include "samples.h"

#include "tern/ops.h"

/* What is known of a sample from the reference. */
typedef struct traits {
    bool known;
    uint32_t dtypes;     /* those that it takes, a bit each */
    bool of_dtype;       /* an argument has the check's dtype */
    bool differentiable; /* an argument gets a gradient */
    bool in_place;       /* there is a form in place, which keeps shape and dtype */
} traits;

typedef struct property {
    conformance *run;
    test_case *t; /* the case that runs */
    tern_ctx *device, *reference;
    tern_ctx *composed; /* the device in a context of its own, without fused kernels */
    const sample *sample;
    const traits *traits;
    setting with;
    int part; /* the variant's own number */
} property;

/* One way in which a subject looks at every sample. */
typedef struct variant {
    const char *name;
    int round;
    layout layout;
    bool edges;
    int part;
} variant;

/* A subject: `wanted` samples, in each of `dtypes` that they take, in each variant. */
typedef struct subject {
    const char *name; /* "properties/values" */
    bool (*wanted)(const sample *s, const traits *t);
    uint32_t dtypes;
    const variant *variants;
    int n_variants;
    void (*check)(property *p);
} subject;

#define DTYPE_BIT(dtype) (1u << (dtype))
#define ALL_DTYPES       ((1u << TERN_DTYPE_COUNT) - 1)
#define FLOAT_DTYPES                                                                               \
    (DTYPE_BIT(TERN_FLOAT32) | DTYPE_BIT(TERN_FLOAT64) | DTYPE_BIT(TERN_FLOAT16) |                 \
     DTYPE_BIT(TERN_BFLOAT16))

extern const subject subject_values, subject_large, subject_layouts, subject_edges,
    subject_repeated, subject_plans, subject_gradients, subject_second, subject_differences,
    subject_in_place, subject_guards, subject_fused, subject_exhausted;

/* Checks that are no operation's: a name and a function that fails the case where something is wrong. */
typedef struct scene {
    const char *id;
    void (*play)(property *p);
} scene;

/* A tensor in the middle of a larger one, to see what is written beside it. */
typedef struct guard {
    tern_tensor *base, *view;
    uint8_t *before;
    size_t bytes;
} guard;

/* The first of the drawn tensors as such a view, with gaps between its elements or without. False after
 * latching an error. */
bool guard_begin(const property *p, const drawn *d, bool gaps, guard *out_guard);

/* Fails the case where the base has changed outside the view. */
void guard_end(property *p, const guard *g);

/* Puts the view in the place of the first tensor among arguments. */
void guard_stand_in(const guard *g, arguments *a);

void run_scenes(property *p, const char *name, const scene *scenes, size_t count);
void run_errors(property *p);
void run_memory(property *p);
void run_queues(property *p);
void run_training(property *p);
void run_huge(property *p);

/* ---- for a check ----------------------------------------------------------------------------- */

/* Calls the operation (its form with `suffix`, "_" for in place), with the generator at the check's seed. The
 * status is the context's, after a wait for the device. */
tern_status property_call(const property *p, tern_ctx *ctx, const char *suffix, tern_value named,
                          results *out_results);

/* Draws arguments in a setting; false where that failed, which fails the case. */
bool property_draw(property *p, const setting *with, drawn *out_drawn);

/* Calls on both, with one's error where the other has one. False where there is nothing to compare: both
 * refuse, or the case is decided already. */
bool property_both(property *p, const drawn *d, results *out_got, results *out_right);

/* How near a result is to the reference. */
typedef enum nearness {
    NEAR_BITS,   /* the same bits, any NaN being equal to any */
    NEAR_NUMBER, /* each element by itself, as a map's */
    NEAR_SLOPE,  /* the same for a map's derivative, which is a difference of terms */
    NEAR_SCALE   /* to the tensor's largest element, as a sum's */
} nearness;

nearness nearness_of(const sample *s);

/* Fails the case where results differ; `label` says which they are. `right` is of any context. */
void property_compare(property *p, const char *label, const results *got, tern_ctx *right_ctx,
                      const results *right, nearness near);

/* The same for one tensor or number. */
void property_compare_one(property *p, const char *label, tern_value got, tern_ctx *right_ctx,
                          tern_value right, nearness near);

/* A tensor of the numbers 0, 1, 2, ... times `step` plus `start`, of this shape and dtype. */
tern_tensor *counted(tern_ctx *ctx, tern_shape shape, tern_dtype dtype, double start, double step);

/* Fails the case unless a tensor's elements are these doubles. */
void expect_doubles(property *p, const char *label, tern_tensor *got, const double *right,
                    size_t count);

/* A floating tensor of this shape drawn for a label, the same wherever it is made. */
tern_tensor *drawn_seed(const property *p, tern_ctx *ctx, const char *label, tern_shape shape,
                        tern_dtype dtype);

#endif
