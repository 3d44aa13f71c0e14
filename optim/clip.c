/* clip.c: gradient clipping and total norms. */
#include <math.h>

#include "internal.h"

tern_tensor *tern_norm2(tern_tensor *tensor) {
    return tern_sqrt(tern_sum(tern_mul(tensor, tensor)));
}

/* A 0-dim norm over all elements; NULL for a tensor without elements under the infinity norm. */
static tern_tensor *norm_of(tern_tensor *tensor, double norm_type) {
    if (isinf(norm_type)) {
        if (tern_numel(tensor) == 0) return NULL;
        return norm_type > 0 ? tern_max(tern_abs(tensor)) : tern_min(tern_abs(tensor));
    }
    if (norm_type == 2) return tern_norm2(tensor);
    if (norm_type == 0) { /* counts what is not 0 */
        tern_tensor *there = tern_ne(tensor, tern_zeros_like(tensor));
        return tern_sum(tern_to_dtype(there, tern_dtype_of(tensor)));
    }
    if (norm_type == 1) return tern_sum(tern_abs(tensor));
    return tern_pow_scalar(tern_sum(tern_pow_scalar(tern_abs(tensor), norm_type)), 1.0 / norm_type);
}

/* The norm of the tensors' norms, which lie on the first one's device. */
static tern_tensor *norm_of_norms(tern_ctx *ctx, tern_tensor *const *tensors, size_t count,
                                  double norm_type) {
    tern_tensor **norms = tern_scope_alloc(ctx, (count + 1) * sizeof(tern_tensor *));
    int n_norms = 0;
    if (!norms) return tern_nil(ctx);
    for (size_t i = 0; i < count; i++) {
        tern_tensor *norm = norm_of(tensors[i], norm_type);
        if (!norm) continue;
        norm = tern_to_dtype(norm, tern_dtype_of(tensors[0]));
        norms[n_norms++] = tern_to_device(norm, tern_device_of(tensors[0]));
    }
    if (n_norms == 0) return tern_scalar_tensor(ctx, 0, TERN_FLOAT32);
    return norm_of(tern_stack(norms, n_norms, 0), norm_type);
}

static tern_tensor *checked_norm(tern_ctx *ctx, tern_tensor *norm, double norm_type,
                                 bool error_if_nonfinite) {
    if (!error_if_nonfinite || tern_is_nil(norm) || isfinite(tern_item(norm))) return norm;
    char type[32];
    tern_format_double(norm_type, type);
    tern_fail(ctx, TERN_ERR_ARGUMENT,
              "The total norm of order %s for gradients from `parameters` is non-finite, so it "
              "cannot be clipped. To disable this error and scale the gradients by the non-finite "
              "norm anyway, set `error_if_nonfinite=False`",
              type);
    return tern_nil(ctx);
}

/* The tensors of a list, or (grads) the gradients of those that have one. */
static tern_tensor **collect(tern_ctx *ctx, tern_value list, bool grads, size_t *out_count) {
    size_t count = tern_value_count(list);
    tern_tensor **tensors = tern_scope_alloc(ctx, (count + 1) * sizeof(tern_tensor *));
    *out_count = 0;
    if (list.kind != TERN_VALUE_LIST && list.kind != TERN_VALUE_TUPLE) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "expected a list of tensors, not %s",
                  tern_kind_name(list.kind));
        return NULL;
    }
    for (size_t i = 0; tensors && i < count; i++) {
        tern_value item = tern_value_at(list, i);
        if (item.kind != TERN_VALUE_TENSOR) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "expected a list of tensors, element %zu is %s", i,
                      tern_kind_name(item.kind));
            return NULL;
        }
        tern_tensor *tensor = grads ? tern_grad_of(item.as.tensor) : item.as.tensor;
        if (tensor) tensors[(*out_count)++] = tensor;
    }
    return tensors;
}

tern_tensor *tern_total_norm(tern_ctx *ctx, tern_value tensors, double norm_type,
                             bool error_if_nonfinite) {
    size_t count;
    if (tern_optim_latched(ctx)) return tern_nil(ctx);
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor **list = collect(ctx, tensors, false, &count);
    tern_tensor *norm = list ? norm_of_norms(ctx, list, count, norm_type) : tern_nil(ctx);
    return tern_scope_return(scope, checked_norm(ctx, norm, norm_type, error_if_nonfinite));
}

/* grad *= min(max_norm / (norm + 1e-6), 1), the factor staying on the device. */
static void scale(tern_tensor *const *grads, size_t count, tern_tensor *norm, double max_norm) {
    tern_tensor *factor = tern_mul_scalar(tern_reciprocal(tern_add_scalar(norm, 1e-6)), max_norm);
    factor = tern_minimum(factor, tern_ones_like(factor));
    for (size_t i = 0; i < count; i++) {
        tern_tensor *local = tern_to_device(factor, tern_device_of(grads[i]));
        tern_mul_in_place(grads[i], tern_to_dtype(local, tern_dtype_of(grads[i])));
    }
}

tern_tensor *tern_clip_grad_norm(tern_ctx *ctx, tern_value params, double max_norm,
                                 double norm_type, bool error_if_nonfinite) {
    size_t count;
    if (tern_check(ctx) != TERN_OK) return tern_nil(ctx);
    tern_scope scope = tern_scope_inner(ctx);
    tern_scope no_grad = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor **grads = collect(ctx, params, true, &count);
    tern_tensor *norm = grads ? norm_of_norms(ctx, grads, count, norm_type) : tern_nil(ctx);
    norm = checked_norm(ctx, norm, norm_type, error_if_nonfinite);
    if (!tern_is_nil(norm)) scale(grads, count, norm, max_norm);
    norm = tern_scope_return(no_grad, norm);
    return tern_scope_return(scope, tern_optim_latched(ctx) ? tern_nil(ctx) : norm);
}

tern_status tern_clip_grad_value(tern_ctx *ctx, tern_value params, double clip_value) {
    size_t count;
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor **grads = collect(ctx, params, true, &count);
    for (size_t i = 0; grads && i < count; i++)
        tern_clamp_in_place(grads[i], -clip_value, clip_value);
    tern_scope_end(scope);
    return tern_optim_latched(ctx) ? tern_check(ctx) : TERN_OK;
}
