/* masked.c: the C functions of tern/ops_masked.h that do not stand beside their operation. */
#include "typed.h"

/* ---- reductions ----------------------------------------------------------------------------- */
tern_tensor *tern_masked_sum(tern_tensor *input, tern_shape dims, bool keepdim, tern_tensor *mask) {
    return TERN_CALL(masked_sum, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim),
                     tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_prod(tern_tensor *input, tern_shape dims, bool keepdim,
                              tern_tensor *mask) {
    return TERN_CALL(masked_prod, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim),
                     tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_mean(tern_tensor *input, tern_shape dims, bool keepdim,
                              tern_tensor *mask) {
    return TERN_CALL(masked_mean, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim),
                     tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_amax(tern_tensor *input, tern_shape dims, bool keepdim,
                              tern_tensor *mask) {
    return TERN_CALL(masked_amax, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim),
                     tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_amin(tern_tensor *input, tern_shape dims, bool keepdim,
                              tern_tensor *mask) {
    return TERN_CALL(masked_amin, ARG_TENSOR(input), tern_dims_argument(&dims), ARG_BOOL(keepdim),
                     tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_argmax(tern_tensor *input, int dim, bool keepdim, tern_tensor *mask) {
    return TERN_CALL(masked_argmax, ARG_TENSOR(input), ARG_INT(dim), tern_none(), ARG_BOOL(keepdim),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_argmin(tern_tensor *input, int dim, bool keepdim, tern_tensor *mask) {
    return TERN_CALL(masked_argmin, ARG_TENSOR(input), ARG_INT(dim), tern_none(), ARG_BOOL(keepdim),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_median(tern_tensor *input, int dim, bool keepdim, tern_tensor *mask) {
    return TERN_CALL(masked_median, ARG_TENSOR(input), ARG_INT(dim), ARG_BOOL(keepdim), tern_none(),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_var(tern_tensor *input, tern_shape dims, double correction, bool keepdim,
                             tern_tensor *mask) {
    return TERN_CALL(masked_var, ARG_TENSOR(input), tern_dims_argument(&dims), tern_none(),
                     tern_number(correction), ARG_BOOL(keepdim), tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_std(tern_tensor *input, tern_shape dims, double correction, bool keepdim,
                             tern_tensor *mask) {
    return TERN_CALL(masked_std, ARG_TENSOR(input), tern_dims_argument(&dims), tern_none(),
                     tern_number(correction), ARG_BOOL(keepdim), tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_norm(tern_tensor *input, double ord, tern_shape dims, bool keepdim,
                              tern_tensor *mask) {
    return TERN_CALL(masked_norm, ARG_TENSOR(input), ARG_FLOAT(ord), tern_dims_argument(&dims),
                     ARG_BOOL(keepdim), tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_logsumexp(tern_tensor *input, tern_shape dims, bool keepdim,
                                   tern_tensor *mask) {
    return TERN_CALL(masked_logsumexp, ARG_TENSOR(input), tern_dims_argument(&dims),
                     ARG_BOOL(keepdim), tern_none(), ARG_TENSOR(mask));
}

/* ---- along a dimension ---------------------------------------------------------------------- */
tern_tensor *tern_masked_cumsum(tern_tensor *input, int dim, tern_tensor *mask) {
    return TERN_CALL(masked_cumsum, ARG_TENSOR(input), ARG_INT(dim), tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_cumprod(tern_tensor *input, int dim, tern_tensor *mask) {
    return TERN_CALL(masked_cumprod, ARG_TENSOR(input), ARG_INT(dim), tern_none(),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_softmax(tern_tensor *input, int dim, tern_tensor *mask) {
    return TERN_CALL(masked_softmax, ARG_TENSOR(input), ARG_INT(dim), tern_none(),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_log_softmax(tern_tensor *input, int dim, tern_tensor *mask) {
    return TERN_CALL(masked_log_softmax, ARG_TENSOR(input), ARG_INT(dim), tern_none(),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_softmin(tern_tensor *input, int dim, tern_tensor *mask) {
    return TERN_CALL(masked_softmin, ARG_TENSOR(input), ARG_INT(dim), tern_none(),
                     ARG_TENSOR(mask));
}
tern_tensor *tern_masked_normalize(tern_tensor *input, double ord, int dim, double eps,
                                   tern_tensor *mask) {
    return TERN_CALL(masked_normalize, ARG_TENSOR(input), ARG_FLOAT(ord), ARG_INT(dim),
                     ARG_FLOAT(eps), tern_none(), ARG_TENSOR(mask));
}
tern_tensor *tern_masked_logaddexp(tern_tensor *input, tern_tensor *other, tern_tensor *input_mask,
                                   tern_tensor *other_mask) {
    return TERN_CALL(masked_logaddexp, ARG_TENSOR(input), ARG_TENSOR(other), tern_none(),
                     ARG_TENSOR(input_mask), ARG_TENSOR(other_mask));
}
