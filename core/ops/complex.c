/* complex.c: complex tensors as pairs of real numbers, and calls of operations with them. */
#include "complex.h"

#include "compose.h"
#include "core/tensor/pairs.h"

/* ---- views ----------------------------------------------------------------------------------- */

#ifdef TERN_NO_COMPLEX
static tern_value refused(const tern_opcall *call) {
    return tern_call_fail(call, TERN_ERR_UNSUPPORTED, "this build is without complex numbers");
}
tern_value tern_op_view_as_real(tern_opcall *call) {
    return refused(call);
}
tern_value tern_op_view_as_complex(tern_opcall *call) {
    return refused(call);
}
void tern_grad_view_as_real(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node, (void)grad_out, (void)grads;
}
void tern_grad_view_as_complex(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    (void)node, (void)grad_out, (void)grads;
}

/* In place of complex_rules.c: nothing complex gets here. */
tern_complex_rule tern_complex_rule_of(const tern_op *op) {
    (void)op;
    return NULL;
}
#else
static tern_value viewed(const tern_opcall *call, tern_tensor *x, const tern_geometry *g) {
    return tern_result(call, tern_tensor_view_as(x, g->dtype, g->shape.rank, g->shape.dim,
                                                 g->strides.dim, g->offset));
}

tern_value tern_op_view_as_real(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_geometry g = tern_geometry_of(x);
    if (!tern_is_complex(g.dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "is only supported for complex tensors, not for %s",
                              tern_dtype_name(g.dtype));
    if (!tern_geometry_pairs(&g))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the parts of %d dimensions need one more, and %d are the most",
                              g.shape.rank, TERN_MAX_RANK);
    return viewed(call, x, &g);
}

void tern_grad_view_as_real(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_of_pairs(grad_out[0]);
}

tern_value tern_op_view_as_complex(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_geometry g = tern_geometry_of(x);
    if (g.dtype != TERN_FLOAT32 && g.dtype != TERN_FLOAT64)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "is only supported for float32 and float64 tensors, not for %s",
                              tern_dtype_name(g.dtype));
    const char *wrong =
        g.shape.rank ? tern_geometry_join(&g) : "Input tensor must have one or more dimensions";
    return wrong ? tern_call_fail(call, TERN_ERR_ARGUMENT, "%s", wrong) : viewed(call, x, &g);
}

void tern_grad_view_as_complex(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    if (tern_node_needs(node, 0)) grads[0] = tern_pairs_of(grad_out[0]);
}

#endif

tern_tensor *tern_view_as_real(tern_tensor *input) {
    return TERN_CALL(view_as_real, ARG_TENSOR(input));
}
tern_tensor *tern_view_as_complex(tern_tensor *input) {
    return TERN_CALL(view_as_complex, ARG_TENSOR(input));
}

tern_tensor *tern_pairs_of(tern_tensor *x) {
    return tern_view_as_real(x);
}

tern_tensor *tern_of_pairs(tern_tensor *pairs) {
    if (tern_is_nil(pairs)) return pairs;
    tern_geometry g = tern_geometry_of(pairs);
    return tern_view_as_complex(tern_geometry_join(&g) ? tern_clone(pairs) : pairs);
}

tern_tensor *tern_part_of(tern_tensor *x, int part) {
    return tern_select(tern_view_as_real(x), -1, part);
}

tern_tensor *tern_of_parts(tern_tensor *re, tern_tensor *im) {
    return tern_view_as_complex(tern_stack((tern_tensor *[]){re, im}, 2, -1));
}

/* ---- calls ----------------------------------------------------------------------------------- */

static bool is_complex(const tern_tensor *x) {
    return !tern_is_nil(x) && tern_is_complex(BODY(x)->dtype);
}

/* The first complex dtype among the arguments, for the message. */
static tern_dtype given_dtype(const tern_opcall *call) {
    for (int i = 0; i < call->n_args; i++) {
        tern_value arg = call->args[i];
        if (arg.kind == TERN_VALUE_TENSOR && is_complex(arg.as.tensor))
            return BODY(arg.as.tensor)->dtype;
        if (arg.kind == TERN_VALUE_DTYPE && tern_is_complex(arg.as.dtype)) return arg.as.dtype;
        for (size_t k = 0; arg.kind == TERN_VALUE_LIST && k < tern_value_count(arg); k++) {
            tern_value item = tern_value_at(arg, k);
            if (item.kind == TERN_VALUE_TENSOR && is_complex(item.as.tensor))
                return BODY(item.as.tensor)->dtype;
        }
    }
    return TERN_COMPLEX64;
}

tern_value tern_complex_call(tern_opcall *call) {
    tern_complex_rule rule = tern_complex_rule_of(call->op);
    if (rule) {
        tern_frame frame;
        tern_frame_open(call->ctx, &frame);
        tern_value result = tern_frame_return(&frame, rule(call));
        return call->ctx->status == TERN_OK ? result : tern_none();
    }
    return tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                          "%s is not supported by this operation; real, imag and view_as_real give "
                          "real numbers",
                          tern_dtype_name(given_dtype(call)));
}
