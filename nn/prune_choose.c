/* prune_choose.c: which elements or slices a mask takes away: the smallest, or some at random. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "prune.h"

typedef struct scored {
    double score;
    size_t index;
} scored;

static int compare(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Items, of which some are left: elements, or slices of a weight. In the open scope. */
typedef struct choice {
    size_t count, n_left, n_masked; /* of those that are left */
    double *left;                   /* 0 where the item is masked already */
    float *mask;                    /* the result */
    scored *items;                  /* those that are left */
} choice;

static bool choice_init(tern_ctx *ctx, choice *c, size_t count) {
    *c = (choice){.count = count};
    c->left = tern_scope_alloc(ctx, (count + 1) * sizeof *c->left);
    c->mask = tern_scope_alloc(ctx, (count + 1) * sizeof *c->mask);
    c->items = tern_scope_alloc(ctx, (count + 1) * sizeof *c->items);
    return c->left && c->mask && c->items;
}

/* Those that are left, with the scores that `scores` has for all items. */
static void score(choice *c, const double *scores) {
    for (size_t i = 0; i < c->count; i++)
        if (c->left[i] != 0) c->items[c->n_left++] = (scored){scores ? scores[i] : 0, i};
}

/* Scores as PyTorch draws them, a number in [0, 1) for each item that is left; `sign` is -1 where the greatest
 * are to be masked. False after latching. */
static bool score_at_random(tern_ctx *ctx, choice *c, tern_dtype dtype, double sign) {
    score(c, NULL);
    double *drawn = tern_scope_alloc(ctx, (c->n_left + 1) * sizeof *drawn);
    if (!drawn) return false;
    tern_tensor *numbers = tern_rand_like(tern_empty(ctx, TERN_SHAPE((int64_t)c->n_left), dtype));
    if (tern_to_doubles(numbers, drawn, c->n_left) != TERN_OK) return false;
    for (size_t i = 0; i < c->n_left; i++) c->items[i].score = sign * drawn[i];
    return true;
}

/* Masks those that are left and have the smallest scores. */
static void choose(choice *c) {
    for (size_t i = 0; i < c->count; i++) c->mask[i] = c->left[i] != 0;
    qsort(c->items, c->n_left, sizeof *c->items, compare);
    for (size_t i = 0; i < c->n_masked; i++) c->mask[c->items[i].index] = 0;
}

/* ---- amounts --------------------------------------------------------------------------------- */

/* How many to mask, as a function was told. */
typedef struct quantity {
    const char *who;
    tern_value value;
} quantity;

/* False after latching. */
static bool check_amount(tern_ctx *ctx, const quantity *a) {
    double share = a->value.as.f;
    int64_t count = a->value.as.i;
    if (a->value.kind == TERN_VALUE_FLOAT && !(share >= 0 && share <= 1))
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: amount=%g should be in the range [0.0, 1.0]: a float is the share to mask; "
                  "give an integer for a count",
                  a->who, share);
    else if (a->value.kind == TERN_VALUE_INT && count < 0)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: amount=%" PRId64 " should not be negative", a->who,
                  count);
    else if (a->value.kind != TERN_VALUE_FLOAT && a->value.kind != TERN_VALUE_INT)
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "%s: amount should be a float, the share to mask, or an integer, the count; got %s",
            a->who, tern_kind_name(a->value.kind));
    return !tern_latched(ctx);
}

/* Counts what is to be masked of what is left: a share is rounded as Python rounds, half to even. False after
 * latching. */
static bool count_masked(tern_ctx *ctx, choice *c, const quantity *a) {
    size_t left = 0;
    for (size_t i = 0; i < c->count; i++) left += c->left[i] != 0;
    if (a->value.kind == TERN_VALUE_FLOAT) {
        c->n_masked = (size_t)nearbyint(a->value.as.f * (double)left);
        return true;
    }
    c->n_masked = (size_t)a->value.as.i;
    if (c->n_masked <= left) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: amount=%zu is more than the %zu that are left to mask",
              a->who, c->n_masked, left);
    return false;
}

/* ---- elements -------------------------------------------------------------------------------- */

static size_t size_of(const tern_prunable *p) {
    return (size_t)tern_numel(p->weight);
}

/* Over all parameters together: the masks that there are, and the magnitudes as scores. False after latching. */
static bool read_all(tern_ctx *ctx, choice *c, const tern_prunable *p, size_t n, bool random) {
    double *scores = random ? NULL : tern_scope_alloc(ctx, (c->count + 1) * sizeof *scores);
    if (!random && !scores) return false;
    for (size_t i = 0, at = 0; i < n; at += size_of(&p[i++])) {
        if (tern_to_doubles(tern_prunable_mask(&p[i]), c->left + at, size_of(&p[i])) != TERN_OK)
            return false;
        if (!random && tern_to_doubles(tern_abs(tern_detach(p[i].weight)), scores + at,
                                       size_of(&p[i])) != TERN_OK)
            return false;
    }
    if (!random) score(c, scores);
    return true;
}

static void prune_elements(tern_ctx *ctx, const tern_prunable *p, size_t n, const quantity *a,
                           bool random) {
    choice c;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += size_of(&p[i]);
    if (!choice_init(ctx, &c, count) || !read_all(ctx, &c, p, n, random) ||
        !count_masked(ctx, &c, a))
        return;
    /* PyTorch draws nothing where nothing is to be masked. */
    if (random && c.n_masked && !score_at_random(ctx, &c, tern_dtype_of(p[0].weight), -1)) return;
    choose(&c);
    float *mask = c.mask;
    for (size_t i = 0; i < n && !tern_latched(ctx); mask += size_of(&p[i++]))
        tern_prunable_apply(&p[i],
                            tern_from_data(ctx, mask, tern_shape_of(p[i].weight), TERN_FLOAT32));
}

static tern_status prune_one(tern_module *module, const char *name, quantity a, bool random) {
    tern_prunable p;
    if (!tern_prunable_find(module, name, a.who, &p)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!check_amount(ctx, &a)) return TERN_ERR_ARGUMENT;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    prune_elements(ctx, &p, 1, &a, random);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_l1(tern_module *module, const char *name, tern_value amount) {
    return prune_one(module, name, (quantity){"tern_prune_l1", amount}, false);
}

tern_status tern_prune_random(tern_module *module, const char *name, tern_value amount) {
    return prune_one(module, name, (quantity){"tern_prune_random", amount}, true);
}

/* ---- several parameters ---------------------------------------------------------------------- */

/* Finds all of them, and refuses one that is there twice. */
static tern_prunable *find_all(tern_ctx *ctx, const tern_prune_target *targets, size_t n,
                               const char *who) {
    tern_prunable *all = tern_scope_alloc(ctx, n * sizeof *all);
    for (size_t i = 0; all && i < n; i++) {
        if (!tern_argument_given(ctx, who, "a target's module", targets[i].module)) return NULL;
        if (tern_module_context(targets[i].module) != ctx) {
            tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the modules belong to different contexts", who);
            return NULL;
        }
        if (!tern_prunable_find(targets[i].module, targets[i].name, who, &all[i])) return NULL;
        for (size_t k = 0; k < i; k++)
            if (all[k].weight == all[i].weight) {
                tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: '%s' of %s is given twice", who, all[i].name,
                          tern_module_name(targets[i].module));
                return NULL;
            }
    }
    return all;
}

static tern_status prune_global(const tern_prune_target *targets, size_t n, quantity a,
                                bool random) {
    tern_ctx *ctx = NULL;
    for (size_t i = 0; targets && i < n && !ctx; i++) ctx = tern_module_context(targets[i].module);
    if (!ctx) return TERN_ERR_ARGUMENT;
    if (tern_latched(ctx) || !check_amount(ctx, &a)) return tern_check(ctx);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_prunable *all = find_all(ctx, targets, n, a.who);
    if (all) prune_elements(ctx, all, n, &a, random);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_global_l1(const tern_prune_target *targets, size_t n_targets,
                                 tern_value amount) {
    return prune_global(targets, n_targets, (quantity){"tern_prune_global_l1", amount}, false);
}

tern_status tern_prune_global_random(const tern_prune_target *targets, size_t n_targets,
                                     tern_value amount) {
    return prune_global(targets, n_targets, (quantity){"tern_prune_global_random", amount}, true);
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* A weight's slices along a dimension, as rows. */
static tern_tensor *rows_of(tern_tensor *tensor, int along) {
    return tern_flatten(tern_transpose(tensor, 0, along), 1, -1);
}

/* The n-norms of what a mask leaves of each slice. False after latching. */
static bool score_by_norm(tern_ctx *ctx, choice *c, const tern_prunable *p, tern_tensor *old,
                          double order, int along) {
    double *norms = tern_scope_alloc(ctx, (c->count + 1) * sizeof *norms);
    tern_tensor *rows = rows_of(tern_mul(tern_detach(p->weight), old), along);
    if (!norms ||
        tern_to_doubles(tern_norm(rows, order, TERN_SHAPE(1), false), norms, c->count) != TERN_OK)
        return false;
    score(c, norms);
    return true;
}

/* Masks slices by their norms, or at random where `order` is NULL. */
static void prune_slices(tern_ctx *ctx, const tern_prunable *p, const quantity *a,
                         const double *order, int along) {
    choice c;
    tern_shape line = tern_shape_of(p->weight);
    for (int d = 0; d < line.rank; d++)
        if (d != along) line.dim[d] = 1;
    tern_tensor *old = tern_prunable_mask(p);
    tern_tensor *left = tern_sum_dims(rows_of(old, along), TERN_SHAPE(1), false);
    if (!choice_init(ctx, &c, (size_t)line.dim[along]) ||
        tern_to_doubles(left, c.left, c.count) != TERN_OK || !count_masked(ctx, &c, a))
        return;
    bool done = order ? score_by_norm(ctx, &c, p, old, *order, along)
                      : c.n_masked == 0 || score_at_random(ctx, &c, TERN_FLOAT32, 1);
    if (!done) return;
    choose(&c);
    tern_tensor *mask = tern_from_data(ctx, c.mask, line, TERN_FLOAT32);
    mask = tern_mul(tern_ones(ctx, tern_shape_of(p->weight), TERN_FLOAT32), mask);
    if (!tern_latched(ctx)) tern_prunable_apply(p, mask);
}

static tern_status prune_structured(tern_module *module, const char *name, quantity a,
                                    const double *order, int dim) {
    tern_prunable p;
    const char *who = a.who;
    if (!tern_prunable_find(module, name, who, &p)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    if (!check_amount(ctx, &a)) return TERN_ERR_ARGUMENT;
    int rank = tern_rank(p.weight), along = dim < 0 ? dim + rank : dim;
    if (rank < 2)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "%s: '%s' has %d dimension(s): slices are pruned of a weight with 2 or "
                         "more",
                         who, name, rank);
    if (along < 0 || along >= rank)
        return tern_fail(ctx, TERN_ERR_INDEX, "%s: dim=%d is not a dimension of '%s', which has %d",
                         who, dim, name, rank);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    prune_slices(ctx, &p, &a, order, along);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_ln(tern_module *module, const char *name, tern_value amount, double order,
                          int dim) {
    return prune_structured(module, name, (quantity){"tern_prune_ln", amount}, &order, dim);
}

tern_status tern_prune_random_structured(tern_module *module, const char *name, tern_value amount,
                                         int dim) {
    return prune_structured(module, name, (quantity){"tern_prune_random_structured", amount}, NULL,
                            dim);
}
