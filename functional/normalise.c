/*
 * normalise.c: the operation that all layers of normalisation are made of, and its gradient.
 *
 *     y = (x - mean) rstd weight + bias      rstd = 1 / sqrt(var + eps)
 *
 * with the statistics of x over some dimensions (tern/backend_fused.h has all formulas). One launch each
 * where the device fuses them, and a few reductions and formulas with the same bits elsewhere. 16-bit
 * tensors compute in float32 and round once.
 */
#include "normalise.h"

#include "programs/program.h"

/* In the dtype to compute in, and the 16-bit types row-major: so REDUCE widens them itself, and the order
 * in which a sum adds up follows the strides. */
static tern_tensor *widened(tern_tensor *x) {
    return tern_dtype_size(BODY(x)->dtype) == 2 ? tern_widen(tern_contiguous(x)) : x;
}

/* A tensor, or the number that changes nothing in its place. */
static tern_value or_number(tern_tensor *x, double number) {
    return x ? ARG_TENSOR(x) : ARG_FLOAT(number);
}

/* ---- arguments, which may come by name too --------------------------------------------------- */

/* Over which dimensions: what argument i says. */
typedef struct norm_dims {
    uint32_t mask;
    tern_shape dims, kept; /* kept: the input's shape with size 1 there */
} norm_dims;

static bool read_dims(tern_opcall *call, int i, const tern_tensor *x, norm_dims *out) {
    tern_shape list = tern_arg_ints(call, i);
    if (list.rank < 0 || !tern_wrap_dims(call->ctx, BODY(x)->rank, &list, &out->mask)) return false;
    out->dims.rank = 0;
    out->kept = tern_shape_of(x);
    for (int d = 0; d < BODY(x)->rank; d++) {
        if (!(out->mask >> d & 1u)) continue;
        out->dims.dim[out->dims.rank++] = d;
        out->kept.dim[d] = 1;
    }
    if (out->dims.rank > 0 && tern_dtype_is_floating(BODY(x)->dtype)) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "not implemented for '%s' over %d dimensions: give a floating dtype and one "
                   "dimension at least",
                   tern_dtype_class(BODY(x)->dtype), out->dims.rank);
    return false;
}

/* Whether a shape has the input's rank and broadcasts to it. */
static bool broadcasts(tern_shape shape, const tern_tensor *x) {
    bool fits = shape.rank == BODY(x)->rank;
    for (int d = 0; fits && d < shape.rank; d++)
        fits = shape.dim[d] == 1 || shape.dim[d] == BODY(x)->shape[d];
    return fits;
}

static bool has_shape(const tern_tensor *x, const tern_shape *shape) {
    bool same = BODY(x)->rank == shape->rank;
    for (int d = 0; same && d < shape->rank; d++) same = BODY(x)->shape[d] == shape->dim[d];
    return same;
}

static bool refuse(tern_opcall *call) {
    tern_call_fail(call, TERN_ERR_ARGUMENT, "the operands' shapes do not match");
    return false;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* What the call says; the outputs are open. */
typedef struct forward {
    tern_tensor *x, *weight, *bias;
    norm_dims over;
    double eps;
    bool rms, variance;
    tern_tensor *outputs[4];
    int n_outputs;
} forward;

static bool read_call(tern_opcall *call, forward *f) {
    *f = (forward){.x = tern_arg_tensor(call, 0),
                   .weight = tern_arg_tensor(call, 2),
                   .bias = tern_arg_tensor(call, 3),
                   .eps = tern_arg_double(call, 4, 1e-5),
                   .rms = tern_arg_bool(call, 5, false),
                   .variance = tern_arg_bool(call, 6, false)};
    bool fits = (!f->weight || broadcasts(tern_shape_of(f->weight), f->x)) &&
                (!f->bias || (f->weight && tern_same_shape(f->bias, f->weight)));
    return fits ? read_dims(call, 1, f->x, &f->over) : refuse(call);
}

static bool fused(tern_opcall *call, forward *f) {
    tern_shape shape = tern_shape_of(f->x);
    tern_tensor *inputs[3] = {f->x};
    int n = 1;
    if (BODY(f->x)->numel == 0) return false;
    if (f->weight) inputs[n++] = tern_broadcast_view(f->weight, &shape);
    if (f->bias) inputs[n++] = tern_broadcast_view(f->bias, &shape);
    f->n_outputs = 0;
    f->outputs[f->n_outputs++] = tern_new_shaped(call, BODY(f->x)->dtype, &shape);
    for (int k = f->rms ? 1 : 0; k < (f->variance ? 3 : 2); k++)
        f->outputs[f->n_outputs++] =
            tern_new_shaped(call, tern_wide_dtype(BODY(f->x)->dtype), &f->over.kept);
    tern_norm_attrs attrs = {f->rms ? TERN_NORM_RMS : TERN_NORM_STANDARD, f->over.mask,
                             (f->weight ? TERN_NORM_WEIGHT : 0u) | (f->bias ? TERN_NORM_BIAS : 0u),
                             0, f->eps};
    return call->ctx->status == TERN_OK &&
           tern_try_launch(call->lane, TERN_KERNEL_NORM, attrs.fn, inputs, n, f->outputs,
                           f->n_outputs, &attrs, sizeof attrs);
}

static void composed(tern_opcall *call, forward *f) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *x = widened(f->x), *mean = NULL, *var;
    if (f->rms) {
        var = tern_mean_dims(FORMULA(ctx, "x * x", "x", ARG_TENSOR(x)), f->over.dims, true);
    } else {
        mean = tern_mean_dims(x, f->over.dims, true);
        var = TERN_CALL(var, ARG_TENSOR(x), ARG_SHAPE(f->over.dims), tern_none(), ARG_INT(0),
                        ARG_BOOL(true));
    }
    tern_tensor *rstd = FORMULA(ctx, "rsqrt(v + e)", "v e", ARG_TENSOR(var), ARG_FLOAT(f->eps));
    tern_tensor *y =
        FORMULA(ctx, "(x - m) * r * w + b", "x m r w b", ARG_TENSOR(x), or_number(mean, 0),
                ARG_TENSOR(rstd), or_number(f->weight, 1), or_number(f->bias, -0.0));
    f->n_outputs = 0;
    f->outputs[f->n_outputs++] = tern_to_dtype(y, BODY(f->x)->dtype);
    if (mean) f->outputs[f->n_outputs++] = mean;
    f->outputs[f->n_outputs++] = rstd;
    if (f->variance) f->outputs[f->n_outputs++] = var;
}

/* _norm(input, dims, weight, bias, eps, rms, variance) -> y, mean (not for rms), rstd, and the variance
 * where it is wanted. A bias comes with a weight. */
tern_value tern_op__norm(tern_opcall *call) {
    forward f;
    if (!read_call(call, &f)) return tern_none();
    if (!fused(call, &f) && call->ctx->status == TERN_OK) composed(call, &f);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, f.outputs, f.n_outputs)
                                        : tern_none();
}

bool tern_normalise(tern_opcall *call, tern_tensor *x, const tern_norm_by *by,
                    tern_normalised *out) {
    tern_tensor *weight = by->weight;
    *out = (tern_normalised){NULL, NULL, NULL, NULL};
    if (call->ctx->status != TERN_OK) return false;
    if (by->bias && !weight) /* so that the row's inputs say by their number which there are */
        weight = tern_ones_like(by->bias);
    tern_value all = TERN_CALL_VALUE(_norm, ARG_TENSOR(x), ARG_SHAPE(by->dims), ARG_TENSOR(weight),
                                     ARG_TENSOR(by->bias), ARG_FLOAT(by->eps), ARG_BOOL(by->rms),
                                     ARG_BOOL(by->variance));
    if (call->ctx->status != TERN_OK) return false;
    size_t k = 0;
    out->out = tern_value_at(all, k++).as.tensor;
    if (!by->rms) out->mean = tern_value_at(all, k++).as.tensor;
    out->rstd = tern_value_at(all, k++).as.tensor;
    if (by->variance) out->var = tern_value_at(all, k).as.tensor;
    return true;
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Arguments of _norm_gradient; mean is NULL for RMS. */
typedef struct backward {
    tern_tensor *g, *x, *mean, *rstd, *weight;
    norm_dims over;
    tern_shape affine; /* of the weight and the bias; rank 0 where there is neither */
    uint32_t wants;
    tern_tensor *outputs[3];
    int n_outputs;
} backward;

static bool fused_gradient(tern_opcall *call, backward *b) {
    tern_dtype dtype = BODY(b->x)->dtype;
    tern_shape shape = tern_shape_of(b->x);
    tern_tensor *inputs[5] = {b->g, b->x};
    int n = 2;
    if (BODY(b->x)->numel == 0) return false;
    if (b->mean) inputs[n++] = b->mean;
    inputs[n++] = b->rstd;
    if (b->weight) inputs[n++] = tern_broadcast_view(b->weight, &shape);
    b->n_outputs = 0;
    for (uint32_t want = TERN_WANTS_INPUT; want <= TERN_WANTS_BIAS; want <<= 1)
        if (b->wants & want)
            b->outputs[b->n_outputs++] =
                tern_new_shaped(call, dtype, want == TERN_WANTS_INPUT ? &shape : &b->affine);
    tern_norm_grad_attrs attrs = {b->mean ? TERN_NORM_STANDARD : TERN_NORM_RMS, b->over.mask,
                                  b->weight ? TERN_NORM_WEIGHT : 0, b->wants};
    return call->ctx->status == TERN_OK &&
           tern_try_launch(call->lane, TERN_KERNEL_NORM_GRAD, attrs.fn, inputs, n, b->outputs,
                           b->n_outputs, &attrs, sizeof attrs);
}

/* dx = (u - s_D(u) - h s_D(u h)) rstd with u = g weight, h = (x - mean) rstd, s_D the mean over dims */
static tern_tensor *input_gradient(tern_ctx *ctx, const backward *b, tern_tensor *g,
                                   tern_tensor *x) {
    tern_value m = or_number(b->mean, 0), w = or_number(b->weight, 1), r = ARG_TENSOR(b->rstd);
    tern_tensor *mean_u = NULL;
    if (b->mean)
        mean_u = tern_mean_dims(FORMULA(ctx, "g * w", "g w", ARG_TENSOR(g), w), b->over.dims, true);
    tern_tensor *uh =
        FORMULA(ctx, "g * w * ((x - m) * r)", "g x m r w", ARG_TENSOR(g), ARG_TENSOR(x), m, r, w);
    return FORMULA(ctx, "(g * w - a - (x - m) * r * b) * r", "g x m r w a b", ARG_TENSOR(g),
                   ARG_TENSOR(x), m, r, w, or_number(mean_u, 0),
                   ARG_TENSOR(tern_mean_dims(uh, b->over.dims, true)));
}

static void composed_gradient(tern_opcall *call, backward *b) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *g = widened(b->g), *x = tern_widen(b->x);
    b->n_outputs = 0;
    if (b->wants & TERN_WANTS_INPUT) b->outputs[b->n_outputs++] = input_gradient(ctx, b, g, x);
    if (b->wants & TERN_WANTS_WEIGHT) {
        tern_tensor *gh = FORMULA(ctx, "g * ((x - m) * r)", "g x m r", ARG_TENSOR(g), ARG_TENSOR(x),
                                  or_number(b->mean, 0), ARG_TENSOR(b->rstd));
        b->outputs[b->n_outputs++] = tern_sum_to_size(gh, b->affine);
    }
    if (b->wants & TERN_WANTS_BIAS) b->outputs[b->n_outputs++] = tern_sum_to_size(g, b->affine);
}

static bool read_gradient_call(tern_opcall *call, backward *b) {
    *b = (backward){.g = tern_arg_tensor(call, 0),
                    .x = tern_arg_tensor(call, 1),
                    .mean = tern_arg_tensor(call, 2),
                    .rstd = tern_arg_tensor(call, 3),
                    .weight = tern_arg_tensor(call, 4),
                    .affine = tern_arg_ints(call, 6),
                    .wants = (uint32_t)tern_arg_int(call, 7, TERN_WANTS_INPUT)};
    if (!read_dims(call, 5, b->x, &b->over)) return false;
    uint32_t parameters = TERN_WANTS_WEIGHT | TERN_WANTS_BIAS;
    bool affine = b->weight || b->wants & parameters;
    bool fits = tern_same_shape(b->g, b->x) && has_shape(b->rstd, &b->over.kept) &&
                (!b->mean || has_shape(b->mean, &b->over.kept)) &&
                (!affine || broadcasts(b->affine, b->x)) &&
                (!b->weight || has_shape(b->weight, &b->affine)) && b->wants > 0 &&
                b->wants <= (TERN_WANTS_INPUT | parameters);
    return fits || refuse(call);
}

/* _norm_gradient(grad, input, mean, rstd, weight, dims, affine_shape, wants) -> the gradients of the
 * input, the weight and the bias that `wants` (TERN_WANTS_*) names. Composed, they are wide: who calls
 * rounds. */
tern_value tern_op__norm_gradient(tern_opcall *call) {
    backward b;
    if (!read_gradient_call(call, &b)) return tern_none();
    bool done = !tern_call_is_recorded(call) && fused_gradient(call, &b);
    if (!done && call->ctx->status == TERN_OK) composed_gradient(call, &b);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, b.outputs, b.n_outputs)
                                        : tern_none();
}

/* What the gradients of the mean and of rstd add to that of the input: d mean / dx = 1 / n, and
 * d rstd / dx = -rstd^3 (x - mean) / n. Both are there in second derivatives, and where a program uses
 * the statistics. */
static tern_tensor *through_statistics(tern_node *node, tern_tensor *mean_grad,
                                       tern_tensor *rstd_grad, tern_tensor *mean, tern_tensor *rstd,
                                       tern_tensor *dx) {
    tern_ctx *ctx = tern_node_ctx(node);
    tern_tensor *x = tern_widen(tern_node_input(node, 0));
    if (ctx->status != TERN_OK) return dx;
    tern_value n = ARG_FLOAT((double)BODY(x)->numel / (double)BODY(rstd)->numel);
    if (rstd_grad) {
        tern_tensor *part =
            FORMULA(ctx, "-(g * r * r * r * (x - m) / n)", "g r x m n", ARG_TENSOR(rstd_grad),
                    ARG_TENSOR(rstd), ARG_TENSOR(x), or_number(mean, 0), n);
        dx = dx ? tern_add(dx, part) : part;
    }
    if (mean_grad) {
        tern_tensor *part = FORMULA(ctx, "g / n", "g n", ARG_TENSOR(mean_grad), n);
        dx = dx ? tern_add(dx, part) : tern_expand(part, tern_shape_of(x));
    }
    return dx;
}

/* The gradients that come from y. The node's inputs are x, weight and bias, as far as they are there. */
static void through_output(tern_node *node, tern_tensor *grad, tern_tensor *mean, tern_tensor *rstd,
                           tern_tensor **grads) {
    bool affine = tern_node_n_inputs(node) > 1;
    uint32_t wants = 0;
    for (int k = 0; k < tern_node_n_inputs(node); k++)
        if (tern_node_needs(node, k)) wants |= 1u << k; /* TERN_WANTS_* */
    tern_shape shape = affine ? tern_node_input_shape(node, 1) : TERN_SCALAR_SHAPE;
    tern_tensor *weight = affine ? tern_node_input(node, 1) : NULL;
    tern_value all =
        TERN_CALL_VALUE(_norm_gradient, ARG_TENSOR(grad), ARG_TENSOR(tern_node_input(node, 0)),
                        ARG_TENSOR(mean), ARG_TENSOR(rstd), ARG_TENSOR(weight),
                        tern_node_arg(node, 1), ARG_SHAPE(shape), ARG_INT(wants));
    size_t next = 0;
    for (int k = 0; k < 3 && tern_node_ctx(node)->status == TERN_OK; k++)
        if (wants >> k & 1u) grads[k] = tern_value_at(all, next++).as.tensor;
}

void tern_grad__norm(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    bool rms = tern_value_as_int(tern_node_arg(node, 5)) != 0;
    tern_tensor *mean = rms ? NULL : tern_node_output(node, 1);
    tern_tensor *rstd = tern_node_output(node, rms ? 1 : 2);
    tern_tensor *mean_grad = rms ? NULL : grad_out[1], *rstd_grad = grad_out[rms ? 1 : 2];
    if (tern_node_ctx(node)->status != TERN_OK) return;
    if (grad_out[0]) through_output(node, grad_out[0], mean, rstd, grads);
    if (tern_node_needs(node, 0) && (mean_grad || rstd_grad))
        grads[0] = through_statistics(node, mean_grad, rstd_grad, mean, rstd, grads[0]);
    for (int k = 0; k < tern_node_n_inputs(node) && tern_node_ctx(node)->status == TERN_OK; k++) {
        /* PyTorch's native forms have a gradient of 0 where only their statistics are used. */
        if (!grads[k] && tern_node_needs(node, k))
            grads[k] =
                TERN_CALL(new_zeros, ARG_TENSOR(rstd), ARG_SHAPE(tern_node_input_shape(node, k)));
        if (grads[k]) grads[k] = tern_to_dtype(grads[k], tern_node_input_dtype(node, k));
    }
}
