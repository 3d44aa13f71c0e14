/*
 * CONV, CONV_GRAD_INPUT and CONV_GRAD_WEIGHT (conv.h has how): which type of number computes a launch.
 */
#include "conv_depthwise.h"
#include "conv_product.h"
#include "conv_winograd.h"

/* A tensor with its spatial dimensions as one. */
typedef struct line {
    tern_kit_tensor tensor;
    int64_t shape[3], strides[3];
} line;

/* False where rows do not follow each other. */
static bool make_line(const tern_kit_tensor *tensor, line *out) {
    int64_t size = 1, last = tensor->rank - 1;
    for (int64_t d = last; d >= 2; d--) {
        if (tensor->shape[d] != 1 && tensor->strides[d] != size) return false;
        size *= tensor->shape[d];
    }
    for (int d = 0; d < 2; d++) {
        out->shape[d] = tensor->shape[d];
        out->strides[d] = tensor->strides[d];
    }
    out->shape[2] = size;
    out->strides[2] = 1;
    out->tensor = tern_kit_tensor_over(tensor->data, tensor->dtype, 3, out->shape, out->strides);
    return true;
}

static bool has_one_tap(const tern_conv_attrs *attrs, const tern_kit_tensor *weight) {
    for (int d = 0; d < attrs->spatial; d++)
        if (weight->shape[d + 2] != 1 || attrs->stride[d] != 1 || attrs->padding[d] != 0)
            return false;
    return true;
}

typedef enum conv_kind { FORWARD, BY_INPUT, BY_WEIGHT } conv_kind;

/* False where it has to be computed otherwise. */
static bool run_depthwise(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                          conv_kind kind) {
    bool wide = c->source->dtype == TERN_BT_FLOAT64;
    if (kind == BY_WEIGHT)
        return wide ? tern_simd_conv_depthwise_weight_f64(c, attrs)
                    : tern_simd_conv_depthwise_weight_f32(c, attrs);
    if (!tern_simd_conv_depthwise_fits(c)) return false;
    if (wide)
        tern_simd_conv_depthwise_f64(c, attrs, kind == BY_INPUT);
    else
        tern_simd_conv_depthwise_f32(c, attrs, kind == BY_INPUT);
    return true;
}

static int32_t dispatch(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                        conv_kind kind) {
    bool wide = c->source->dtype == TERN_BT_FLOAT64;
    int32_t status = kind == BY_WEIGHT ? tern_simd_conv_winograd_weight(c, attrs)
                                       : tern_simd_conv_winograd(c, attrs, kind == BY_INPUT);
    if (status != TERN_BACKEND_DECLINED) return status;
    if (kind == BY_WEIGHT)
        return wide ? tern_simd_conv_weight_f64(c, attrs) : tern_simd_conv_weight_f32(c, attrs);
    return wide ? tern_simd_conv_f64(c, attrs, kind == BY_INPUT)
                : tern_simd_conv_f32(c, attrs, kind == BY_INPUT);
}

/* A kernel of one tap sees a line of positions, whatever the dimensions are. */
static int32_t run(const tern_simd_conv_call *c, conv_kind kind) {
    const tern_conv_attrs *attrs = c->call->attrs;
    tern_kit_tensor flat_weight = *c->weight;
    flat_weight.rank = 3;
    line source, result;
    int32_t dtype = c->source->dtype;
    if (!tern_kit_is_floating(dtype) || c->result->dtype != dtype || c->weight->dtype != dtype ||
        (c->bias && c->bias->dtype != dtype))
        return TERN_BACKEND_DECLINED;
    if (tern_simd_conv_is_depthwise(c, attrs) && run_depthwise(c, attrs, kind))
        return TERN_BACKEND_OK;
    bool lines = has_one_tap(attrs, c->weight) && make_line(c->source, &source) &&
                 make_line(c->result, &result) && source.shape[2] == result.shape[2];
    if (!lines) return dispatch(c, attrs, kind);
    tern_simd_conv_call flat = *c;
    tern_conv_attrs one = {1, attrs->groups, {1}, {0}, {1}};
    flat.source = &source.tensor;
    flat.result = &result.tensor;
    flat.weight = &flat_weight;
    if (kind == BY_WEIGHT && attrs->groups == 1 && tern_simd_conv_is_product(&flat))
        return tern_simd_conv_weight_product(&flat);
    return dispatch(&flat, &one, kind);
}

int32_t tern_simd_conv(const tern_kit_call *call) {
    tern_simd_conv_call c = {call, &call->inputs[0], &call->outputs[0], &call->inputs[1],
                             call->n_inputs > 2 ? &call->inputs[2] : NULL};
    int32_t status = run(&c, FORWARD);
    return status == TERN_BACKEND_DECLINED ? tern_ref_conv(call) : status;
}

int32_t tern_simd_conv_grad_input(const tern_kit_call *call) {
    tern_simd_conv_call c = {call, &call->inputs[0], &call->outputs[0], &call->inputs[1],
                             call->n_inputs > 2 ? &call->inputs[2] : NULL};
    int32_t status = run(&c, BY_INPUT);
    return status == TERN_BACKEND_DECLINED ? tern_ref_conv_grad_input(call) : status;
}

int32_t tern_simd_conv_grad_weight(const tern_kit_call *call) {
    tern_simd_conv_call c = {call, &call->inputs[1], &call->inputs[0], &call->outputs[0], NULL};
    int32_t status = run(&c, BY_WEIGHT);
    return status == TERN_BACKEND_DECLINED ? tern_ref_conv_grad_weight(call) : status;
}
