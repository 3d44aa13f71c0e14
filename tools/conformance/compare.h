/*
 * compare.h: a result against the truth, by the rule of conformance vectors: every element is within
 * max(8 * error, atol + rtol * |truth|), where error is how far PyTorch's own result is off and atol, rtol
 * are torch.testing.assert_close's defaults for the result's dtype; NaN matches NaN, infinities and
 * integers match exactly.
 */
#ifndef TERN_TOOLS_COMPARE_H
#define TERN_TOOLS_COMPARE_H

#include "vectors_file.h"

#include "tern/tensor.h"

typedef struct tolerance {
    double torch_error; /* of PyTorch's own result; NaN where the file does not say */
    bool exact;         /* equal values (NaN equals NaN), whatever the dtype */
    bool up_to_sign;    /* absolute values are compared */
    bool signed_zeros;  /* 0 and -0 differ */
    double relative;    /* where above 0, the limit is this times |truth|, and nothing else */
    double absolute;    /* where above 0, the limit is this plus the one before, and nothing else */
} tolerance;

typedef struct comparison {
    bool equal;
    double error; /* the largest difference between finite elements */
    char what
        [320]; /* why not: "element [1, 2] is 3.5, but 3.25 is right (off by ..., allowed ...)" */
} comparison;

/* assert_close's defaults for a floating dtype. */
void default_tolerance(tern_dtype dtype, double *out_rtol, double *out_atol);

/* Compares a result (a tensor, a number, a size) of dtype `dtype` (TERN_DTYPE_DEFAULT: the truth's own)
 * with stored elements. False after the context latched an error. */
bool compare_result(tern_ctx *ctx, tern_value result, const stored_tensor *truth, tern_dtype dtype,
                    const tolerance *limit, comparison *out_comparison);

/* True where bytes, shape and dtype are equal, any NaN being equal to any. */
bool compare_bits(tern_ctx *ctx, tern_value result, const stored_tensor *truth,
                  comparison *out_comparison);

#endif
