/* vectors.c: parameters as one vector, and convolutions with their batch norm folded in. */
#include <string.h>

#include "layers/layers.h"
#include "tern/nn_utils.h"
#include "tern/state.h"

/* ---- vectors --------------------------------------------------------------------------------- */

/* Latches and returns false for what is no list of tensors. */
static bool check_list(tern_ctx *ctx, const char *who, tern_value parameters) {
    bool is_list = parameters.kind == TERN_VALUE_LIST || parameters.kind == TERN_VALUE_TUPLE;
    for (size_t i = 0; is_list && i < tern_value_count(parameters); i++) {
        tern_value item = tern_value_at(parameters, i);
        is_list = item.kind == TERN_VALUE_TENSOR && tern_argument_tensor(ctx, who, item.as.tensor);
    }
    if (!is_list)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the parameters must be a list of tensors", who);
    return is_list && !tern_latched(ctx);
}

tern_tensor *tern_parameters_to_vector(tern_ctx *ctx, tern_value parameters) {
    const char *who = "tern_parameters_to_vector";
    if (tern_latched(ctx) || !check_list(ctx, who, parameters)) return tern_nil(ctx);
    size_t count = tern_value_count(parameters);
    tern_scope scope = tern_scope_inner(ctx);
    tern_value flat = tern_list_new(ctx);
    for (size_t i = 0; i < count; i++)
        tern_list_append(flat, tern_tensor_value(tern_reshape(
                                   tern_value_at(parameters, i).as.tensor, TERN_SHAPE(-1))));
    tern_value result =
        tern_latched(ctx) ? tern_none() : tern_call(ctx, "cat", &flat, 1, tern_none());
    tern_tensor *vector = result.kind == TERN_VALUE_TENSOR ? result.as.tensor : tern_nil(ctx);
    return tern_scope_return(scope, vector);
}

tern_status tern_vector_to_parameters(tern_tensor *vector, tern_value parameters) {
    const char *who = "tern_vector_to_parameters";
    tern_value first = tern_value_at(parameters, 0);
    if (!vector && first.kind != TERN_VALUE_TENSOR) return TERN_ERR_ARGUMENT;
    tern_ctx *ctx = tern_context_of(vector ? vector : first.as.tensor);
    if (tern_latched(ctx)) return tern_check(ctx);
    if (!tern_argument_tensor(ctx, who, vector) || !check_list(ctx, who, parameters))
        return tern_check(ctx);
    int64_t length = 0;
    size_t count = tern_value_count(parameters);
    for (size_t i = 0; i < count; i++) length += tern_numel(tern_value_at(parameters, i).as.tensor);
    if (tern_rank(vector) != 1 || tern_numel(vector) != length)
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "%s: the parameters have %lld elements, the vector is of %d dimensions and "
            "%lld elements",
            who, (long long)length, tern_rank(vector), (long long)tern_numel(vector));
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor **parts = tern_scope_alloc(ctx, (count + 1) * sizeof *parts);
    for (size_t i = 0, at = 0; parts && i < count && !tern_latched(ctx); i++) {
        tern_tensor *to = tern_value_at(parameters, i).as.tensor;
        tern_tensor *part = tern_slice(vector, 0, (int64_t)at, (int64_t)at + tern_numel(to), 1);
        part = tern_to_dtype(tern_reshape(part, tern_shape_of(to)), tern_dtype_of(to));
        parts[i] = tern_to_device(part, tern_device_of(to));
        at += (size_t)tern_numel(to);
    }
    if (!tern_latched(ctx) && tern_reserve(ctx) == TERN_OK)
        for (size_t i = 0; i < count; i++)
            tern_copy_in_place(tern_value_at(parameters, i).as.tensor, parts[i]);
    tern_scope_end(scope);
    return tern_check(ctx);
}

/* ---- fusion ---------------------------------------------------------------------------------- */

/* A tensor of the norm, or `otherwise` where it has none. */
static tern_tensor *tensor_or(tern_module *norm, const char *name, tern_tensor *otherwise) {
    const tern_slot *slot = tern_slot_find(&norm->inner->parameters, name);
    return slot && slot->tensor ? tern_detach(slot->tensor) : otherwise;
}

/* The convolution's weight times scale / sqrt(var + eps) a channel, and the bias that goes with it. */
static bool fold(tern_module *conv, tern_module *norm, bool transposed) {
    tern_ctx *ctx = conv->inner->ctx;
    double eps = tern_value_as_double(tern_module_argument(norm, "eps"));
    tern_tensor *mean = tern_module_tensor(norm, "running_mean");
    tern_tensor *var = tern_module_tensor(norm, "running_var");
    tern_tensor *weight = tern_module_tensor(conv, "weight");
    tern_tensor *bias = tensor_or(conv, "bias", NULL);
    if (tern_latched(ctx)) return false;
    const tern_slot *slot = tern_slot_find(&conv->inner->parameters, "bias");
    bool required = slot && slot->tensor && tern_has_grad_required(slot->tensor);
    tern_scope owner = tern_module_begin(conv);
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *own = tern_detach(weight);
    tern_tensor *rate = tern_rsqrt(tern_add_scalar(var, eps));
    tern_tensor *scale = tensor_or(norm, "weight", tern_ones_like(mean));
    tern_tensor *shift = tensor_or(norm, "bias", tern_zeros_like(mean));
    tern_shape line = {tern_rank(own), {0}};
    for (int d = 0; d < line.rank; d++) line.dim[d] = d == transposed ? -1 : 1;
    tern_tensor *fused = tern_mul(own, tern_reshape(tern_mul(scale, rate), line));
    tern_tensor *moved = tern_sub(bias ? bias : tern_zeros_like(mean), mean);
    tern_tensor *fused_bias = tern_add(tern_mul(tern_mul(moved, rate), scale), shift);
    tern_tensor *value = tern_to_dtype(fused, tern_dtype_of(weight));
    fused_bias = tern_clone(tern_to_dtype(fused_bias, tern_dtype_of(weight)));
    if (!tern_latched(ctx)) tern_update(&weight, value);
    fused_bias = tern_scope_return(scope, fused_bias);
    if (!tern_latched(ctx)) tern_module_parameter(conv, "bias", fused_bias);
    if (!tern_latched(ctx)) tern_requires_grad(fused_bias, required);
    const tern_field *wanted = tern_field_find(conv->cls->fields, "bias");
    if (wanted) tern_field_set(ctx, wanted, conv, tern_bool(true));
    tern_scope_end(owner);
    return !tern_latched(ctx);
}

tern_module *tern_fuse_conv_bn_eval(tern_module *conv, tern_module *bn) {
    const char *who = "tern_fuse_conv_bn_eval";
    if (!tern_module_there(conv, who)) return NULL;
    tern_ctx *ctx = conv->inner->ctx;
    if (tern_latched(ctx)) return NULL;
    bool transposed = strncmp(conv->cls->schema, "ConvTranspose", 13) == 0;
    if (!tern_argument_given(ctx, who, "bn", bn) || !tern_module_there(bn, who)) return NULL;
    if (strncmp(conv->cls->schema, "Conv", 4) != 0 || !tern_layer_momentum(bn) ||
        bn->inner->ctx != ctx) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: takes a convolution and a batch norm, not %s and %s",
                  who, tern_module_name(conv), tern_module_name(bn));
        return NULL;
    }
    if (conv->inner->training || bn->inner->training) {
        tern_fail(ctx, TERN_ERR_STATE, "%s: Fusion only for eval!", who);
        return NULL;
    }
    tern_module *fused = tern_module_copy(conv);
    if (fused && fold(fused, bn, transposed)) return fused;
    tern_module_free(fused);
    return NULL;
}
