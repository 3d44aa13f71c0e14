/* clip.c: gradient clipping and total norms. */
#include <math.h>

#include "internal.h"

tern_tensor *tern_norm2(tern_tensor *tensor) {
    return tern_sqrt(tern_sum(tern_mul(tensor, tensor)));
}

/* The tensors of one dtype and device, with their norms. */
typedef struct group {
    tern_tensor **tensors;
    size_t count, n_norms; /* how many have elements */
    tern_tensor *norms;    /* a vector; NULL where there are none */
} group;

typedef struct groups {
    group *all;
    size_t count;
} groups;

/* Sorts the tensors into groups, in PyTorch's order: those of the first tensor's place first. False after
 * latching. */
static bool sort(tern_ctx *ctx, tern_tensor *const *tensors, size_t count, groups *out) {
    out->count = 0;
    out->all = tern_scope_alloc(ctx, (count + 1) * sizeof *out->all);
    tern_tensor **sorted = tern_scope_alloc(ctx, (count + 1) * sizeof *sorted);
    bool *taken = tern_scope_alloc(ctx, count + 1);
    if (!out->all || !sorted || !taken) return false;
    for (size_t first = 0; first < count; first++) {
        if (taken[first]) continue;
        group *g = &out->all[out->count++];
        g->tensors = sorted;
        for (size_t i = first; i < count; i++) {
            if (taken[i] || !tern_optim_same_place(tensors[first], tensors[i])) continue;
            taken[i] = true;
            *sorted++ = tensors[i];
            g->count++;
        }
    }
    return true;
}

/* The norms of a group's tensors that have elements. False after latching. */
static bool measure(tern_ctx *ctx, group *g, double norm_type) {
    tern_tensor **full = tern_scope_alloc(ctx, (g->count + 1) * sizeof(tern_tensor *));
    if (!full) return false;
    for (size_t i = 0; i < g->count; i++)
        if (tern_numel(g->tensors[i]) > 0) full[g->n_norms++] = g->tensors[i];
    if (g->n_norms > 0) g->norms = tern_norms(ctx, full, g->n_norms, norm_type);
    return !tern_optim_latched(ctx);
}

/* The norm of the tensors' norms, which lie in the place of the first one. */
static tern_tensor *norm_of_norms(tern_ctx *ctx, groups *gs, double norm_type) {
    tern_tensor **parts = tern_scope_alloc(ctx, (gs->count + 1) * sizeof(tern_tensor *));
    int n_parts = 0;
    if (!parts) return tern_nil(ctx);
    for (size_t i = 0; i < gs->count; i++) {
        if (!measure(ctx, &gs->all[i], norm_type)) return tern_nil(ctx);
        if (!gs->all[i].norms) continue;
        tern_tensor *like = gs->all[0].tensors[0];
        tern_tensor *norms = tern_to_dtype(gs->all[i].norms, tern_dtype_of(like));
        parts[n_parts++] = tern_to_device(norms, tern_device_of(like));
    }
    if (n_parts == 0) return tern_scalar_tensor(ctx, 0, TERN_FLOAT32);
    tern_tensor *all = n_parts == 1 ? parts[0] : tern_cat(parts, n_parts, 0);
    return tern_reshape(tern_norms(ctx, &all, 1, norm_type), TERN_SCALAR_SHAPE);
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
    groups gs;
    bool ok = list && sort(ctx, list, count, &gs);
    tern_tensor *norm = ok ? norm_of_norms(ctx, &gs, norm_type) : tern_nil(ctx);
    return tern_scope_return(scope, checked_norm(ctx, norm, norm_type, error_if_nonfinite));
}

/* The factor stays on the device. */
static const tern_update_rule scale_rule = {
    .tensors = "g norm",
    .numbers = "most",
    .flags = "",
    .formula = "g = g * minimum(reciprocal(norm + 1e-6) * most, 1)"};

/* What it takes to scale a group's gradients; NULL after latching. */
static tern_update_run *scaling(tern_ctx *ctx, const group *g, tern_tensor *norm, double max_norm) {
    tern_tensor **tuples = tern_scope_alloc(ctx, (g->count + 1) * 2 * sizeof(tern_tensor *));
    double *most = tern_scope_alloc(ctx, (g->count + 1) * sizeof *most);
    if (!tuples || !most) return NULL;
    tern_tensor *local = tern_to_device(norm, tern_device_of(g->tensors[0]));
    for (size_t i = 0; i < g->count; i++) {
        tuples[2 * i] = g->tensors[i];
        tuples[2 * i + 1] = local;
        most[i] = max_norm;
    }
    tern_updater *updater = tern_updater_of(ctx, &scale_rule, 0, tern_dtype_of(g->tensors[0]));
    return updater ? tern_updater_prepare(updater, tuples, most, g->count) : NULL;
}

static void scale(tern_ctx *ctx, const groups *gs, tern_tensor *norm, double max_norm) {
    tern_update_run **runs = tern_scope_alloc(ctx, (gs->count + 1) * sizeof(tern_update_run *));
    for (size_t i = 0; i < gs->count && runs; i++)
        if (!(runs[i] = scaling(ctx, &gs->all[i], norm, max_norm))) return;
    for (size_t i = 0; i < gs->count && runs; i++)
        if (tern_update_start(runs[i]) != TERN_OK) return;
}

tern_tensor *tern_clip_grad_norm(tern_ctx *ctx, tern_value params, double max_norm,
                                 double norm_type, bool error_if_nonfinite) {
    size_t count;
    if (*tern_error(ctx)) return tern_nil(ctx);
    tern_scope scope = tern_scope_inner(ctx);
    tern_scope no_grad = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_tensor **grads = collect(ctx, params, true, &count);
    groups gs;
    bool ok = grads && sort(ctx, grads, count, &gs);
    tern_tensor *norm = ok ? norm_of_norms(ctx, &gs, norm_type) : tern_nil(ctx);
    norm = checked_norm(ctx, norm, norm_type, error_if_nonfinite);
    if (!tern_is_nil(norm)) scale(ctx, &gs, norm, max_norm);
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
