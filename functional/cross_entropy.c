/*
 * cross_entropy.c: nll_loss and cross_entropy, over class indices and over probabilities.
 *
 * cross_entropy is one kernel each way where the device has it (tern/backend_fused.h has the formulas),
 * else the operations that follow. Where the probabilities or the weights must have a gradient, they are
 * recorded one by one.
 */
#include "core/ops/compose.h"
#include "core/ops/reduce.h"
#include "functional.h"
#include "loss.h"
#include "programs/program.h"
#include "tern/grad.h"

/* The loss in the dtype of the first argument. */
static tern_value narrowed(tern_opcall *call, tern_tensor *loss) {
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_result(call, tern_to_dtype(loss, BODY(tern_arg_tensor(call, 0))->dtype));
}

/* ---- arguments ---- */

/* A loss over classes, as asked for. */
typedef struct question {
    tern_tensor *x;      /* logits, or their log_softmax for nll_loss */
    tern_tensor *target; /* int64 without the class dimension, or probabilities of x's shape */
    tern_tensor *weight; /* of the classes, or NULL */
    int64_t ignore_index;
    tern_reduction reduction;
    double smoothing;
    bool by_index;
    int class_dim;
    int64_t classes;
} question;

static bool refuse_target(tern_opcall *call, const question *q) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    const tern_tensor_body *x = BODY(q->x), *target = BODY(q->target);
    if (!q->by_index)
        tern_call_fail(
            call, TERN_ERR_ARGUMENT, "target %s of probabilities must have the shape of input %s",
            tern_shape_text(target->rank, target->shape, b), tern_shape_text(x->rank, x->shape, a));
    else if (x->rank > 1 && target->rank > 0 && x->shape[0] != target->shape[0])
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Expected input batch_size (%lld) to match target batch_size (%lld).",
                       (long long)x->shape[0], (long long)target->shape[0]);
    else
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "target %s must be input %s without its class dimension %d",
                       tern_shape_text(target->rank, target->shape, b),
                       tern_shape_text(x->rank, x->shape, a), q->class_dim);
    return false;
}

static bool target_fits(tern_opcall *call, question *q) {
    const tern_tensor_body *x = BODY(q->x), *target = BODY(q->target);
    if (!q->by_index) return tern_same_shape(q->x, q->target) || refuse_target(call, q);
    if (target->dtype != TERN_INT64 && target->dtype != TERN_UINT8) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected scalar type Long but found %s",
                       tern_dtype_class(target->dtype));
        return false;
    }
    bool fits = target->rank == x->rank - 1;
    for (int d = 0; fits && d < target->rank; d++)
        fits = target->shape[d] == x->shape[d < q->class_dim ? d : d + 1];
    if (!fits) return refuse_target(call, q);
    q->target = tern_to_dtype(q->target, TERN_INT64);
    return call->ctx->status == TERN_OK;
}

/* Finds the classes; false, and latched, where the tensors do not go together. */
static bool check_question(tern_opcall *call, question *q) {
    const tern_tensor_body *x = BODY(q->x), *weight = q->weight ? BODY(q->weight) : NULL;
    if (x->rank == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "input must have a class dimension");
        return false;
    }
    q->class_dim = x->rank == 1 ? 0 : 1;
    q->classes = x->shape[q->class_dim];
    if (!target_fits(call, q)) return false;
    if (!weight || (weight->rank == 1 && weight->shape[0] == q->classes)) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "weight tensor should be defined either for all %lld classes or no classes",
                   (long long)q->classes);
    return false;
}

/* The arguments of nll_loss and cross_entropy. They are PyTorch's: size_average and reduce, long
 * deprecated, stay at 3 and 5. */
static bool read_question(tern_opcall *call, bool by_index, question *q) {
    *q = (question){.x = tern_arg_tensor(call, 0),
                    .target = tern_arg_tensor(call, 1),
                    .weight = tern_arg_tensor(call, 2),
                    .ignore_index = tern_arg_int(call, 4, -100),
                    .by_index = by_index};
    return tern_reduction_argument(call, 6, &q->reduction) && check_question(call, q);
}

/* ---- the loss, step by step ---- */

/* What targets by class index say. */
typedef struct targets {
    tern_tensor *index;   /* 0 where ignored */
    tern_tensor *ignored; /* bool */
    tern_tensor *weight;  /* of the class, 0 where ignored */
} targets;

static targets read_targets(const question *q) {
    targets t;
    t.ignored = TERN_CALL(eq, ARG_TENSOR(q->target), ARG_INT(q->ignore_index));
    t.index = TERN_CALL(masked_fill, ARG_TENSOR(q->target), ARG_TENSOR(t.ignored), ARG_INT(0));
    if (q->weight) {
        tern_tensor *flat = tern_reshape(t.index, TERN_SHAPE(-1));
        t.weight = tern_reshape(tern_index_select(tern_widen(q->weight), 0, flat),
                                tern_shape_of(q->target));
    } else {
        t.weight = TERN_CALL(new_ones, ARG_TENSOR(q->x), ARG_SHAPE(tern_shape_of(q->target)),
                             ARG_DTYPE(tern_wide_dtype(BODY(q->x)->dtype)));
    }
    t.weight = tern_fill_where(t.weight, t.ignored, 0.0);
    return t;
}

/* -weight * p[target] by position, 0 where ignored, whatever p holds there. */
static tern_tensor *picked_loss(tern_tensor *p, const question *q, const targets *t) {
    tern_tensor *index = tern_unsqueeze(t->index, q->class_dim);
    tern_tensor *picked = tern_squeeze(tern_gather(p, q->class_dim, index), q->class_dim);
    return FORMULA(BODY(p)->ctx, "where(i != 0, 0, -(p * w))", "p w i", ARG_TENSOR(picked),
                   ARG_TENSOR(t->weight), ARG_TENSOR(t->ignored));
}

static tern_tensor *reduced(tern_tensor *loss, const question *q, tern_tensor *total) {
    if (q->reduction == TERN_MEAN) return tern_div(tern_sum(loss), total);
    return tern_reduce_loss(loss, q->reduction);
}

tern_value tern_op_nll_loss(tern_opcall *call) {
    question q;
    if (!read_question(call, true, &q)) return tern_none();
    targets t = read_targets(&q);
    tern_tensor *loss = picked_loss(tern_widen(q.x), &q, &t);
    tern_tensor *total = q.reduction == TERN_MEAN ? tern_sum(t.weight) : NULL;
    return narrowed(call, reduced(loss, &q, total));
}

/* A vector over classes in the shape that broadcasts to x. */
static tern_tensor *along_classes(const question *q) {
    tern_shape shape = {BODY(q->x)->rank, {0}};
    for (int d = 0; d < shape.rank; d++) shape.dim[d] = d == q->class_dim ? q->classes : 1;
    return tern_reshape(tern_widen(q->weight), shape);
}

static tern_tensor *weighted(tern_tensor *x, const question *q) {
    return q->weight ? tern_mul(x, along_classes(q)) : x;
}

static tern_tensor *over_classes(tern_tensor *x, const question *q, bool keepdim) {
    return tern_sum_dims(x, TERN_SHAPE(q->class_dim), keepdim);
}

/* (1 - s) target + s / c */
static tern_tensor *smoothed(const question *q) {
    tern_tensor *target = tern_widen(q->target);
    if (q->smoothing == 0.0) return target;
    return tern_add_scalar(tern_mul_scalar(target, 1.0 - q->smoothing),
                           q->smoothing / (double)q->classes);
}

static tern_tensor *loss_by_probability(tern_tensor *p, const question *q,
                                        tern_tensor **out_total) {
    int64_t count = q->classes ? BODY(p)->numel / q->classes : 0;
    *out_total = TERN_CALL(new_full, ARG_TENSOR(p), ARG_SHAPE(TERN_SCALAR_SHAPE), ARG_INT(count));
    tern_tensor *terms = weighted(tern_mul(p, smoothed(q)), q);
    return reduced(tern_neg(over_classes(terms, q, false)), q, *out_total);
}

/* (1 - s) nll + s / c times the loss over all classes, each reduced */
static tern_tensor *loss_by_index(tern_tensor *p, const question *q, tern_tensor **out_total) {
    targets t = read_targets(q);
    *out_total = tern_sum(t.weight);
    tern_tensor *loss = reduced(picked_loss(p, q, &t), q, *out_total);
    if (q->smoothing == 0.0) return loss;
    tern_tensor *all = tern_neg(over_classes(weighted(p, q), q, false));
    all = reduced(tern_fill_where(all, t.ignored, 0.0), q, *out_total);
    return tern_add(tern_mul_scalar(loss, 1.0 - q->smoothing),
                    tern_mul_scalar(all, q->smoothing / (double)q->classes));
}

/* Of log_softmax(x); the total is the sum of the elements' weights. */
static tern_tensor *loss_of(tern_tensor *p, const question *q, tern_tensor **out_total) {
    return q->by_index ? loss_by_index(p, q, out_total) : loss_by_probability(p, q, out_total);
}

/* ---- cross_entropy ---- */

static bool wants_gradient(const tern_opcall *call, const tern_tensor *tensor) {
    return tensor && call->ctx->grad_enabled && tern_has_grad_required(tensor);
}

tern_value tern_op_cross_entropy(tern_opcall *call) {
    bool by_index = !tern_dtype_is_floating(BODY(tern_arg_tensor(call, 1))->dtype);
    double smoothing = tern_arg_double(call, 7, 0.0);
    question q;
    if (!(smoothing >= 0.0 && smoothing <= 1.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "label_smoothing must be between 0.0 and 1.0. Got: %g", smoothing);
    if (!read_question(call, by_index, &q)) return tern_none();
    q.smoothing = smoothing;
    if (wants_gradient(call, q.target) || wants_gradient(call, q.weight)) {
        tern_tensor *total;
        return narrowed(call, loss_of(tern_log_softmax(tern_widen(q.x), q.class_dim), &q, &total));
    }
    tern_value all =
        TERN_CALL_VALUE(_cross_entropy, ARG_TENSOR(q.x), ARG_TENSOR(q.target), tern_arg(call, 2),
                        ARG_INT(q.ignore_index), ARG_INT(q.reduction), ARG_FLOAT(smoothing));
    return call->ctx->status == TERN_OK ? tern_value_at(all, 0) : tern_none();
}

/* A view in another shape, where it is another. */
static tern_tensor *shaped(tern_tensor *t, tern_shape shape) {
    bool same = BODY(t)->rank == shape.rank;
    for (int d = 0; same && d < shape.rank; d++) same = BODY(t)->shape[d] == shape.dim[d];
    return same ? t : tern_reshape(t, shape);
}

/* Six arguments of the rows below, from `first` on, with x as [n, c, m] and the target beside it. */
static bool read_batch(tern_opcall *call, int first, question *q) {
    *q = (question){.x = tern_arg_tensor(call, first),
                    .target = tern_arg_tensor(call, first + 1),
                    .weight = tern_arg_tensor(call, first + 2),
                    .ignore_index = tern_arg_int(call, first + 3, -100),
                    .reduction = (tern_reduction)tern_arg_int(call, first + 4, TERN_MEAN),
                    .smoothing = tern_arg_double(call, first + 5, 0.0)};
    const tern_tensor_body *x = BODY(q->x);
    q->by_index = !tern_dtype_is_floating(BODY(q->target)->dtype);
    if (!tern_dtype_is_floating(x->dtype)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "not implemented for '%s'",
                       tern_dtype_class(x->dtype));
        return false;
    }
    if (!check_question(call, q)) return false;
    int64_t n = x->rank == 1 ? 1 : x->shape[0], m = 1;
    for (int d = 2; d < x->rank; d++) m *= x->shape[d];
    q->class_dim = 1;
    q->x = shaped(q->x, TERN_SHAPE(n, q->classes, m));
    q->target = shaped(q->target, q->by_index ? TERN_SHAPE(n, m) : TERN_SHAPE(n, q->classes, m));
    return call->ctx->status == TERN_OK;
}

static bool launch(tern_opcall *call, int32_t kernel, const question *q, tern_tensor *const *inputs,
                   int n_inputs, tern_tensor *const *outputs, int n_outputs) {
    int32_t fn = q->by_index ? TERN_CROSS_ENTROPY_INDEX : TERN_CROSS_ENTROPY_PROBABILITIES;
    tern_cross_entropy_attrs attrs = {fn, (int32_t)q->reduction, q->weight != NULL,
                                      0,  q->ignore_index,       q->smoothing};
    return BODY(q->x)->numel > 0 && tern_try_launch(call->lane, kernel, fn, inputs, n_inputs,
                                                    outputs, n_outputs, &attrs, sizeof attrs);
}
_Static_assert((int)TERN_NO_REDUCTION == TERN_REDUCTION_NONE &&
                   (int)TERN_MEAN == TERN_REDUCTION_MEAN && (int)TERN_SUM == TERN_REDUCTION_SUM,
               "a reduction is the kernel's");

/* Loss, maximum, logarithm of the sum, total, in new tensors. */
static void compose(tern_opcall *call, const question *q, const tern_shape *shape,
                    tern_tensor **out) {
    tern_tensor *x = tern_widen(q->x);
    if (call->ctx->status != TERN_OK) return;
    tern_dtype wide = BODY(x)->dtype;
    tern_tensor *max = tern_reduce_raw(call, x, TERN_REDUCE_MAX, 1u << 1, true, wide, 0.0, 0.0);
    tern_tensor *shifted = tern_sub(x, max);
    tern_tensor *log = tern_log(over_classes(tern_exp(shifted), q, true));
    tern_tensor *loss = loss_of(tern_sub(shifted, log), q, &out[3]);
    out[0] = tern_to_dtype(loss, BODY(q->x)->dtype);
    out[1] = tern_set_shape(max, shape);
    out[2] = tern_set_shape(log, shape);
    out[3] = tern_to_dtype(out[3], wide);
}

/* The shape of a loss that is not reduced. */
static tern_shape without_classes(const tern_tensor *x) {
    tern_shape shape = tern_shape_of(x);
    shape.rank--;
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = shape.dim[d + 1];
    return shape;
}

tern_value tern_op__cross_entropy(tern_opcall *call) {
    question q;
    if (!read_batch(call, 0, &q)) return tern_none();
    tern_shape shape = {2, {BODY(q.x)->shape[0], BODY(q.x)->shape[2]}}, scalar = {0, {0}};
    tern_dtype dtype = BODY(q.x)->dtype, wide = tern_wide_dtype(dtype);
    bool each = q.reduction == TERN_NO_REDUCTION;
    tern_tensor *in[] = {q.x, q.target, q.weight};
    tern_tensor *out[] = {tern_new_shaped(call, dtype, each ? &shape : &scalar),
                          tern_new_shaped(call, wide, &shape), tern_new_shaped(call, wide, &shape),
                          tern_new_shaped(call, wide, &scalar)};
    if (!launch(call, TERN_KERNEL_CROSS_ENTROPY, &q, in, q.weight ? 3 : 2, out, 4))
        compose(call, &q, &shape, out);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_shape own = without_classes(tern_arg_tensor(call, 0));
    if (each) out[0] = tern_set_shape(out[0], &own);
    return tern_tensors_value(call->ctx, out, 4);
}

/* ---- the gradient ---- */

/* What is by position, or one for all, in the shape that broadcasts to [n, c, m]. */
static tern_tensor *columns(tern_tensor *t) {
    return BODY(t)->rank ? tern_unsqueeze(t, 1) : t;
}

/* With r the gradient of a position's loss, h = (1 - s) w[t] r and d = s / c r:
 * (h + d sum(w)) e[k] - d w[k] - h [k = t] */
static tern_tensor *gradient_by_index(const question *q, tern_tensor *e, tern_tensor *r) {
    targets t = read_targets(q);
    tern_tensor *h = tern_mul(r, t.weight), *d = NULL, *factor = h;
    if (q->smoothing != 0.0) {
        d = tern_mul_scalar(r, q->smoothing / (double)q->classes);
        h = tern_mul_scalar(h, 1.0 - q->smoothing);
        tern_tensor *of_all = q->weight
                                  ? tern_mul(d, tern_sum(tern_contiguous(tern_widen(q->weight))))
                                  : tern_mul_scalar(d, (double)q->classes);
        factor = tern_add(h, of_all);
    }
    tern_tensor *dx = tern_mul(e, columns(factor));
    if (d) dx = tern_sub(dx, weighted(columns(d), q));
    dx = tern_scatter_add(dx, 1, tern_unsqueeze(t.index, 1), columns(tern_neg(h)));
    return tern_fill_where(dx, tern_unsqueeze(t.ignored, 1), 0.0);
}

/* With u = w q r: sum(u) e - u */
static tern_tensor *gradient_by_probability(const question *q, tern_tensor *e, tern_tensor *r) {
    tern_tensor *u = tern_mul(weighted(smoothed(q), q), columns(r));
    return tern_sub(tern_mul(e, over_classes(u, q, true)), u);
}

/* Of the loss's gradient, the maximum, the logarithm and the total. */
static tern_tensor *compose_gradient(tern_opcall *call, const question *q,
                                     tern_tensor *const *given) {
    tern_tensor *x = tern_widen(q->x), *p;
    if (tern_call_is_recorded(call)) /* the maximum and the logarithm depend on x */
        p = tern_log_softmax(x, 1);
    else
        p = tern_sub(tern_sub(x, columns(given[1])), columns(given[2]));
    tern_tensor *r = tern_to_dtype(given[0], tern_wide_dtype(BODY(q->x)->dtype));
    if (q->reduction == TERN_MEAN) r = tern_div(r, given[3]);
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    tern_tensor *e = tern_exp(p);
    return q->by_index ? gradient_by_index(q, e, r) : gradient_by_probability(q, e, r);
}

/* The loss's gradient, and what the loss left, of the sizes that the kernel reads. */
static bool read_gradient(tern_opcall *call, question *q, tern_tensor **out) {
    if (!read_batch(call, 1, q)) return false;
    static const int args[] = {0, 7, 8, 9};
    tern_shape each = TERN_SHAPE(BODY(q->x)->shape[0], BODY(q->x)->shape[2]);
    for (int i = 0; i < 4; i++) {
        bool one = i == 3 || (i == 0 && q->reduction != TERN_NO_REDUCTION);
        out[i] = shaped(tern_arg_tensor(call, args[i]), one ? TERN_SCALAR_SHAPE : each);
    }
    return call->ctx->status == TERN_OK;
}

tern_value tern_op__cross_entropy_gradient(tern_opcall *call) {
    tern_shape own = tern_shape_of(tern_arg_tensor(call, 1));
    question q;
    tern_tensor *given[4];
    if (!read_gradient(call, &q, given)) return tern_none();
    tern_dtype dtype = BODY(q.x)->dtype;
    if (!tern_call_is_recorded(call)) {
        tern_tensor *in[] = {given[0], q.x, q.target, given[1], given[2], given[3], q.weight};
        tern_shape shape = tern_shape_of(q.x);
        tern_tensor *out = tern_new_shaped(call, dtype, &shape);
        if (launch(call, TERN_KERNEL_CROSS_ENTROPY_GRAD, &q, in, q.weight ? 7 : 6, &out, 1))
            return tern_result(call, tern_set_shape(out, &own));
    }
    tern_tensor *dx = compose_gradient(call, &q, given);
    return tern_result(call, tern_reshape(tern_to_dtype(dx, dtype), own));
}

void tern_grad__cross_entropy(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    bool weighted = tern_node_n_inputs(node) > 2;
    if (tern_node_needs(node, 1) || tern_node_needs(node, 2)) {
        tern_fail(tern_node_ctx(node), TERN_ERR_UNSUPPORTED,
                  "_cross_entropy: target and weight get no gradient: call "
                  "nn.functional.cross_entropy");
        return;
    }
    if (!grad_out[0]) return;
    grads[0] = TERN_CALL(
        _cross_entropy_gradient, ARG_TENSOR(grad_out[0]), ARG_TENSOR(tern_node_input(node, 0)),
        ARG_TENSOR(tern_node_input(node, 1)),
        weighted ? ARG_TENSOR(tern_node_input(node, 2)) : tern_none(), tern_node_arg(node, 3),
        tern_node_arg(node, 4), tern_node_arg(node, 5), ARG_TENSOR(tern_node_output(node, 1)),
        ARG_TENSOR(tern_node_output(node, 2)), ARG_TENSOR(tern_node_output(node, 3)));
}

/* ---- C functions ---- */

tern_tensor *tern_nll_loss(tern_tensor *input, tern_tensor *target, tern_reduction reduction) {
    return TERN_CALL(nll_loss, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(), tern_none(),
                     ARG_INT(-100), tern_none(), tern_reduction_value(reduction));
}
tern_tensor *tern_cross_entropy(tern_tensor *input, tern_tensor *target, tern_reduction reduction) {
    return TERN_CALL(cross_entropy, ARG_TENSOR(input), ARG_TENSOR(target), tern_none(), tern_none(),
                     ARG_INT(-100), tern_none(), tern_reduction_value(reduction));
}
