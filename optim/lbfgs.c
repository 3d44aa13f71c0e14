/*
 * lbfgs.c: limited-memory BFGS (Liu and Nocedal 1989), as torch.optim.LBFGS. All parameters are one
 * vector x of n elements, g its gradient:
 *
 *     y = g - g_prev, s = t d              remembered where y.s > 1e-10
 *     q = -g; newest first:   al = ro s.q,  q = q - al y          ro = 1 / y.s
 *     d = H q; oldest first:  d = d + (al - ro y.d) s             H = y.s / y.y of the newest pair
 *     x = x + t d                          t = lr, or what the line search finds
 *
 * (Nocedal and Wright 2006, algorithm 7.4). Whether to go on is decided by numbers on the host: each
 * iteration waits for the device.
 */
#include <math.h>
#include <string.h>

#include "classes.h"
#include "lbfgs_state.h"
#include "strong_wolfe.h"

static const tern_lbfgs_options lbfgs_defaults = TERN_LBFGS_OPTIONS;

static const tern_field lbfgs_fields[] = {
    TERN_FIELD(tern_lbfgs_options, lr, lr),
    TERN_FIELD(tern_lbfgs_options, max_iter, max_iter),
    TERN_FIELD(tern_lbfgs_options, max_eval, max_eval),
    TERN_FIELD(tern_lbfgs_options, tolerance_grad, tolerance_grad),
    TERN_FIELD(tern_lbfgs_options, tolerance_change, tolerance_change),
    TERN_FIELD(tern_lbfgs_options, history_size, history_size),
    TERN_FIELD(tern_lbfgs_options, line_search_fn, line_search_fn),
    TERN_FIELD_END,
};

static const tern_state_key lbfgs_keys[] = {{NULL, false, 0}};

static const tern_option_rule lbfgs_rules[] = {
    {"lr", TERN_RULE_NOT_NEGATIVE, "Invalid learning rate"},
    {NULL, TERN_RULE_NOT_NEGATIVE, NULL},
};

static bool lbfgs_check(tern_ctx *ctx, const void *options) {
    const tern_lbfgs_options *o = options;
    if (o->line_search_fn && strcmp(o->line_search_fn, "strong_wolfe") != 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "LBFGS: line_search_fn is '%.60s', but only 'strong_wolfe' is supported",
                  o->line_search_fn);
        return false;
    }
    if (!o->max_eval.has) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "LBFGS: a group's max_eval must be a number");
        return false;
    }
    if (o->history_size >= 1) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "LBFGS: history_size must be at least 1, but is %lld",
              (long long)o->history_size);
    return false;
}

static void lbfgs_settle(void *options) {
    tern_lbfgs_options *o = options;
    if (o->max_eval.has) return;
    /* max_iter * 5 / 4 without the product, which may not fit; rounded down as Python's. */
    int64_t quarters = o->max_iter % 4 * 5;
    int64_t most = o->max_iter / 4 > INT64_MAX / 5 - 4
                       ? INT64_MAX
                       : o->max_iter / 4 * 5 + (quarters - (quarters < 0 ? 3 : 0)) / 4;
    o->max_eval = (tern_optional_int){true, most};
}

/* ---- one step -------------------------------------------------------------------------------- */

typedef struct run {
    tern_optim_body *optim;
    tern_ctx *ctx;
    const tern_group *group;
    tern_lbfgs_options options;
    tern_lbfgs *state;
    tern_optim_closure closure;
    void *user;
    tern_tensor *grad;    /* [n], of the current point */
    tern_tensor **origin; /* the parameters where a line search began */
    tern_line line;
    double loss;
    int64_t evaluations;
} run;

static bool failed(const run *r) {
    return tern_optim_latched(r->ctx);
}

/* The part of a flat vector that belongs to a parameter, in its shape. */
static tern_tensor *part_of(tern_tensor *flat, const tern_tensor *param, int64_t *offset) {
    int64_t count = tern_numel(param);
    tern_tensor *part = tern_narrow(flat, 0, *offset, count);
    *offset += count;
    return tern_reshape(part, tern_shape_of(param));
}

/* All gradients into a flat vector; none counts as zero. */
static void gather(run *r, tern_tensor *flat) {
    int64_t offset = 0;
    for (size_t i = 0; i < r->group->count && !failed(r); i++) {
        tern_scope scope = tern_scope_begin(r->ctx, TERN_NO_GRAD);
        const tern_tensor *param = r->group->params[i].tensor;
        tern_tensor *grad = tern_grad_of(param), *part = part_of(flat, param, &offset);
        if (!grad)
            tern_zero_in_place(part);
        else if (tern_optim_check_gradient(r->optim, param, grad))
            tern_copy_in_place(part, grad);
        tern_scope_end(scope);
    }
}

/* x = x + t d */
static void move(run *r, double t) {
    int64_t offset = 0;
    for (size_t i = 0; i < r->group->count && !failed(r); i++) {
        tern_scope scope = tern_scope_begin(r->ctx, TERN_NO_GRAD);
        tern_tensor *param = r->group->params[i].tensor;
        tern_add_alpha_in_place(param, part_of(r->state->d, param, &offset), t);
        tern_scope_end(scope);
    }
}

static double largest(run *r, tern_tensor *vector) {
    tern_scope scope = tern_scope_begin(r->ctx, TERN_NO_GRAD);
    double value = tern_item(tern_max(tern_abs(vector)));
    tern_scope_end(scope);
    return value;
}

static double dot(run *r, tern_tensor *a, tern_tensor *b) {
    tern_scope scope = tern_scope_begin(r->ctx, TERN_NO_GRAD);
    double value = tern_item(tern_matmul(a, b));
    tern_scope_end(scope);
    return value;
}

/* ---- the direction --------------------------------------------------------------------------- */

static void remember(run *r) {
    tern_lbfgs *state = r->state;
    tern_tensor *y = tern_sub(r->grad, state->prev_grad), *s = tern_mul_scalar(state->d, state->t);
    tern_tensor *ys = tern_matmul(y, s);
    if (!(tern_item(ys) > 1e-10) || failed(r)) return;
    tern_lbfgs_pair *pair = tern_lbfgs_next_pair(r->optim, (size_t)r->options.history_size);
    if (!pair) return;
    tern_copy_in_place(pair->y, y);
    tern_copy_in_place(pair->s, s);
    tern_copy_in_place(pair->ro, tern_reciprocal(ys));
    tern_copy_in_place(state->h_diag, tern_div(ys, tern_matmul(y, y)));
}

/* The two loops: d = -H g. */
static void find_direction(run *r) {
    tern_lbfgs *state = r->state;
    tern_tensor *d = tern_neg_in_place(tern_copy_in_place(state->d, r->grad));
    for (size_t i = state->count; i-- > 0;) {
        tern_lbfgs_pair *p = &state->pairs[i];
        tern_copy_in_place(p->al, tern_mul(tern_matmul(p->s, d), p->ro));
        tern_addcmul_in_place(d, p->y, p->al, -1);
    }
    tern_mul_in_place(d, state->h_diag);
    for (size_t i = 0; i < state->count; i++) {
        tern_lbfgs_pair *p = &state->pairs[i];
        tern_tensor *beta = tern_mul(tern_matmul(p->y, d), p->ro);
        tern_addcmul_in_place(d, p->s, tern_sub(p->al, beta), 1);
    }
}

/* d, the gradient and loss it was made of, and the length to try first. */
static void prepare_iteration(run *r) {
    tern_lbfgs *state = r->state;
    if (!state->d && !tern_lbfgs_begin(r->optim)) return;
    tern_scope scope = tern_scope_begin(r->ctx, TERN_NO_GRAD);
    bool first = ++state->n_iter == 1;
    if (!first) remember(r);
    if (!failed(r)) find_direction(r);
    tern_copy_in_place(state->prev_grad, r->grad);
    state->prev_loss = r->loss;
    state->t = r->options.lr;
    if (first && !failed(r)) state->t *= fmin(1, 1 / tern_item(tern_sum(tern_abs(r->grad))));
    tern_scope_end(scope);
}

/* ---- moving along it ------------------------------------------------------------------------- */

/* The loss and the slope at x + t d, with x put back. */
static bool evaluate_on_line(void *user, tern_line_point *point) {
    run *r = user;
    move(r, point->t);
    if (failed(r) || !tern_optim_evaluate(r->optim, r->closure, r->user, &point->loss))
        return false;
    gather(r, point->grad);
    point->slope = dot(r, point->grad, r->state->d);
    for (size_t i = 0; i < r->group->count; i++)
        tern_copy_in_place(r->group->params[i].tensor, r->origin[i]);
    return !failed(r);
}

/* What line searches write to, made once a step. */
static bool make_line(run *r) {
    r->origin = tern_scope_alloc(r->ctx, (r->group->count + 1) * sizeof(tern_tensor *));
    for (size_t i = 0; r->origin && i < r->group->count; i++)
        r->origin[i] = tern_empty_like(r->group->params[i].tensor);
    for (int i = 0; i < TERN_LINE_SPARES; i++) r->line.spares[i] = tern_empty_like(r->grad);
    r->line.evaluate = evaluate_on_line;
    r->line.user = r;
    return !failed(r);
}

static void search_line(run *r, double slope) {
    tern_line_point found;
    if (!r->origin && !make_line(r)) return;
    for (size_t i = 0; i < r->group->count; i++)
        tern_copy_in_place(r->origin[i], r->group->params[i].tensor);
    r->line.start = (tern_line_point){0, r->loss, slope, r->grad};
    r->line.largest = largest(r, r->state->d);
    r->line.evaluations = 0;
    if (failed(r) || !tern_strong_wolfe(&r->line, r->state->t, &found)) return;
    r->evaluations += r->line.evaluations;
    r->loss = found.loss;
    r->state->t = found.t;
    if (found.grad != r->grad) tern_copy_in_place(r->grad, found.grad);
    move(r, found.t);
}

/* A step of fixed length. After the last one nothing needs the loss. */
static void move_fixed(run *r, bool is_last) {
    move(r, r->state->t);
    if (is_last || failed(r)) return;
    r->evaluations++;
    if (tern_optim_evaluate(r->optim, r->closure, r->user, &r->loss)) gather(r, r->grad);
}

/* One iteration; false where it is the step's last one. */
static bool iterate(run *r, int64_t number) {
    const tern_lbfgs_options *o = &r->options;
    tern_lbfgs *state = r->state;
    bool is_last = number == o->max_iter;
    prepare_iteration(r);
    double slope = failed(r) ? 0 : dot(r, r->grad, state->d);
    if (failed(r) || slope > -o->tolerance_change) return false;
    if (o->line_search_fn)
        search_line(r, slope);
    else
        move_fixed(r, is_last);
    if (failed(r) || is_last || r->evaluations >= o->max_eval.value) return false;
    if (largest(r, r->grad) <= o->tolerance_grad) return false;
    if (largest(r, state->d) * fabs(state->t) <= o->tolerance_change) return false;
    return !failed(r) && !(fabs(r->loss - state->prev_loss) < o->tolerance_change);
}

/* One vector needs one dtype and one device. */
static bool check_parameters(const run *r) {
    const tern_tensor *first = r->group->params[0].tensor;
    for (size_t i = 1; i < r->group->count; i++) {
        const tern_tensor *param = r->group->params[i].tensor;
        if (tern_dtype_of(param) == tern_dtype_of(first) &&
            strcmp(tern_device_of(param), tern_device_of(first)) == 0)
            continue;
        tern_fail(
            r->ctx, TERN_ERR_ARGUMENT,
            "LBFGS: parameters must have one dtype and lie on one device, but there are %s on "
            "%s and %s on %s",
            tern_dtype_name(tern_dtype_of(first)), tern_device_of(first),
            tern_dtype_name(tern_dtype_of(param)), tern_device_of(param));
        return false;
    }
    return true;
}

static void run_step(run *r, double *out_loss) {
    if (!check_parameters(r) || !(r->state = tern_lbfgs_prepare(r->optim))) return;
    r->grad = tern_to_device(tern_empty(r->ctx, TERN_SHAPE(tern_lbfgs_numel(r->optim)),
                                        tern_dtype_of(r->group->params[0].tensor)),
                             tern_device_of(r->group->params[0].tensor));
    if (!tern_optim_evaluate(r->optim, r->closure, r->user, &r->loss)) return;
    if (out_loss) *out_loss = r->loss;
    r->evaluations = 1;
    gather(r, r->grad);
    if (failed(r) || largest(r, r->grad) <= r->options.tolerance_grad) return;
    for (int64_t i = 1; i <= r->options.max_iter; i++)
        if (!iterate(r, i)) return;
}

static tern_status lbfgs_step(tern_optim_body *optim, tern_optim_closure closure, void *user,
                              double *out_loss) {
    run r = {.optim = optim, .ctx = optim->ctx, .group = &optim->groups[0]};
    r.options = *(const tern_lbfgs_options *)r.group->options;
    r.closure = closure;
    r.user = user;
    tern_scope scope = tern_scope_begin(optim->ctx, TERN_NO_GRAD);
    if (scope.serial) run_step(&r, out_loss);
    if (r.state) r.state->func_evals += r.evaluations;
    tern_scope_end(scope);
    return failed(&r) ? tern_check(optim->ctx) : TERN_OK;
}

static const tern_whole_class lbfgs_whole = {lbfgs_step, tern_lbfgs_save, tern_lbfgs_load};

const tern_optim_class tern_lbfgs_class = {
    .name = "LBFGS",
    .schema = "LBFGS(float lr=1, int max_iter=20, int? max_eval=None, float tolerance_grad=1e-07, "
              "float tolerance_change=1e-09, int history_size=100, str? line_search_fn=None)",
    .options_size = sizeof(tern_lbfgs_options),
    .defaults = &lbfgs_defaults,
    .fields = lbfgs_fields,
    .keys = lbfgs_keys,
    .rules = lbfgs_rules,
    .check = lbfgs_check,
    .settle = lbfgs_settle,
    .whole = &lbfgs_whole,
};

tern_optim *tern_lbfgs_new(tern_ctx *ctx, tern_value params, const tern_lbfgs_options *options) {
    return tern_optim_of_class(ctx, &tern_lbfgs_class, params, options);
}
