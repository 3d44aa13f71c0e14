/* prune.c: masks over weights: the smallest elements or slices. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "parametrize.h"

/* "weight_orig", "weight_mask" */
typedef struct names {
    char original[128], mask[128];
} names;

/* The parameter that is pruned, under either of its names; NULL after latching. */
static tern_tensor *find(tern_module *module, const char *name, const char *who, names *out,
                         bool *out_pruned) {
    if (tern_latched(module->inner->ctx) ||
        !tern_argument_given(module->inner->ctx, who, "name", name))
        return NULL;
    const tern_computed *computed = tern_computed_find(module->inner, name);
    *out_pruned = computed && computed->pruned;
    snprintf(out->original, sizeof out->original, "%s_orig", name);
    snprintf(out->mask, sizeof out->mask, "%s_mask", name);
    return tern_plain_parameter(module, *out_pruned ? out->original : name, who);
}

/* Registers under the new names, and takes the old one away. */
static tern_status start(tern_module *module, const char *name, const names *n, tern_tensor *weight,
                         tern_tensor *mask) {
    bool required = tern_has_grad_required(weight);
    if (!tern_module_settle(module, tern_slot_find(&module->inner->parameters, name)))
        return tern_check(module->inner->ctx);
    tern_module_parameter(module, n->original, weight);
    tern_module_buffer(module, n->mask, mask, true);
    if (!required) tern_requires_grad(weight, false);
    bool added = !tern_latched(module->inner->ctx) && tern_computed_add(module, name, true);
    if (added && tern_module_remove(module, name) == TERN_OK) return TERN_OK;
    if (added) tern_computed_remove(module, name);
    return tern_check(module->inner->ctx);
}

/* `mask` is 0 or 1 in the weight's dtype, in any scope. */
static tern_status apply(tern_module *module, const char *name, const char *who,
                         tern_tensor *mask) {
    tern_ctx *ctx = module->inner->ctx;
    names n;
    bool pruned;
    tern_tensor *weight = find(module, name, who, &n, &pruned);
    if (!weight) return tern_check(ctx);
    tern_scope scope = pruned ? tern_scope_begin(ctx, TERN_NO_GRAD) : tern_module_begin(module);
    mask = tern_clone(tern_to_device(tern_to_dtype(tern_detach(mask), tern_dtype_of(weight)),
                                     tern_device_of(weight)));
    if (pruned)
        tern_mul_in_place(tern_module_tensor(module, n.mask), mask);
    else if (!tern_latched(ctx))
        start(module, name, &n, weight, mask);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_mask(tern_module *module, const char *name, tern_tensor *mask) {
    const char *who = "tern_prune_mask";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    names n;
    bool pruned;
    tern_tensor *weight = find(module, name, who, &n, &pruned);
    if (!weight || !tern_argument_tensor(ctx, who, mask)) return tern_check(ctx);
    bool fits = tern_rank(mask) == tern_rank(weight);
    for (int d = 0; fits && d < tern_rank(mask); d++)
        fits = tern_size(mask, d) == tern_size(weight, d);
    if (!fits)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the mask must have the shape of '%s'", who,
                         name);
    return apply(module, name, who, mask);
}

/* ---- by importance --------------------------------------------------------------------------- */

typedef struct scored {
    double score;
    size_t index;
} scored;

static int compare(const void *a, const void *b) {
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * The mask without the share of what is left that has the smallest scores: 0-dim scores for each item, and
 * whether it is left. float32 of the scores' shape; nil after latching.
 */
static tern_tensor *mask_smallest(tern_tensor *scores, tern_tensor *left, double amount) {
    tern_ctx *ctx = tern_context_of(scores);
    size_t count = (size_t)tern_numel(scores), n = 0;
    double *values = tern_scope_alloc(ctx, (count + 1) * sizeof *values);
    double *keeps = tern_scope_alloc(ctx, (count + 1) * sizeof *keeps);
    scored *items = tern_scope_alloc(ctx, (count + 1) * sizeof *items);
    float *mask = tern_scope_alloc(ctx, (count + 1) * sizeof *mask);
    if (!values || !keeps || !items || !mask || tern_to_doubles(scores, values, count) != TERN_OK ||
        tern_to_doubles(left, keeps, count) != TERN_OK)
        return tern_nil(ctx);
    for (size_t i = 0; i < count; i++) {
        mask[i] = keeps[i] != 0;
        if (keeps[i] != 0) items[n++] = (scored){values[i], i};
    }
    qsort(items, n, sizeof *items, compare);
    size_t masked = (size_t)nearbyint(amount * (double)n); /* Python's round: half to even */
    for (size_t i = 0; i < masked && i < n; i++) mask[items[i].index] = 0;
    return tern_from_data(ctx, mask, tern_shape_of(scores), TERN_FLOAT32);
}

static bool check_amount(tern_module *module, const char *who, double amount) {
    if (amount >= 0 && amount <= 1) return true;
    tern_fail(module->inner->ctx, TERN_ERR_ARGUMENT,
              "%s: amount=%g should be in the range [0.0, 1.0]", who, amount);
    return false;
}

/* The mask that there is, or ones. */
static tern_tensor *mask_of(tern_module *module, const names *n, bool pruned, tern_tensor *weight) {
    return pruned ? tern_module_tensor(module, n->mask) : tern_ones_like(tern_detach(weight));
}

tern_status tern_prune_l1(tern_module *module, const char *name, double amount) {
    const char *who = "tern_prune_l1";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    names n;
    bool pruned;
    tern_tensor *weight = find(module, name, who, &n, &pruned);
    if (!weight || !check_amount(module, who, amount)) return tern_check(ctx);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *mask =
        mask_smallest(tern_abs(tern_detach(weight)), mask_of(module, &n, pruned, weight), amount);
    if (!tern_latched(ctx)) apply(module, name, who, mask);
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_ln(tern_module *module, const char *name, double amount, double order,
                          int dim) {
    const char *who = "tern_prune_ln";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    names n;
    bool pruned;
    tern_tensor *weight = find(module, name, who, &n, &pruned);
    if (!weight || !check_amount(module, who, amount)) return tern_check(ctx);
    int rank = tern_rank(weight), along = dim < 0 ? dim + rank : dim;
    if (rank < 2 || along < 0 || along >= rank)
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "%s: takes a weight of 2 dimensions or more, and a dimension of it: %d of %d", who, dim,
            rank);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *old = mask_of(module, &n, pruned, weight);
    tern_shape shape = tern_shape_of(weight), line = shape;
    for (int d = 0; d < rank; d++)
        if (d != along) line.dim[d] = 1;
    tern_tensor *slices = tern_transpose(tern_mul(tern_detach(weight), old), 0, along);
    tern_tensor *kept = tern_transpose(old, 0, along);
    tern_value args[] = {tern_tensor_value(tern_flatten(slices, 1, -1)), tern_float(order),
                         tern_int(1)};
    tern_value norms = tern_call(ctx, "norm", args, 3, tern_none());
    if (norms.kind == TERN_VALUE_TENSOR) {
        tern_tensor *left = tern_sum_dims(tern_flatten(kept, 1, -1), TERN_SHAPE(1), false);
        tern_tensor *mask = mask_smallest(norms.as.tensor, left, amount);
        mask = tern_mul(tern_ones(ctx, shape, TERN_FLOAT32), tern_reshape(mask, line));
        if (!tern_latched(ctx)) apply(module, name, who, mask);
    }
    tern_scope_end(scope);
    return tern_check(ctx);
}

tern_status tern_prune_remove(tern_module *module, const char *name) {
    const char *who = "tern_prune_remove";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    names n;
    bool pruned;
    tern_tensor *weight = find(module, name, who, &n, &pruned);
    if (!weight) return tern_check(ctx);
    if (!pruned)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: parameter '%s' of %s is not pruned", who,
                         name, tern_module_name(module));
    bool required = tern_has_grad_required(weight);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor *value = tern_mul(tern_detach(weight), tern_module_tensor(module, n.mask));
    if (!tern_latched(ctx)) tern_copy_in_place(weight, value);
    tern_scope_end(scope);
    if (tern_latched(ctx) || tern_is_nil(tern_module_parameter(module, name, weight)))
        return tern_check(ctx);
    if (!required) tern_requires_grad(weight, false);
    tern_computed_remove(module, name);
    tern_module_remove(module, n.original);
    return tern_module_remove(module, n.mask);
}
