/*
 * alias.c: a base and its views.
 *
 * All handles over one base share an alias, which holds a hidden handle with the base's geometry
 * and current history. An in-place call on a view records, on the base, the scatter of the new
 * values into the region that the view covers, and raises the alias's generation. Every other
 * member finds its generation behind when it is next asked for its edge, and regenerates it: the
 * base takes the alias's edge, a view records as_strided of the base.
 */
#include "core/call/arg.h"
#include "core/call/op.h"
#include "core/memory/slab.h"
#include "graph.h"

static tern_aliases *alias_new(tern_tensor *base) {
    tern_ctx *ctx = BODY(base)->ctx;
    tern_aliases *alias = tern_slab_alias(ctx);
    tern_tensor *hidden = alias ? tern_slab_tensor(ctx) : NULL;
    if (!hidden) return NULL;
    BODY(hidden)->ctx = ctx;
    BODY(hidden)->lane = BODY(base)->lane;
    BODY(hidden)->dtype = BODY(base)->dtype;
    BODY(hidden)->offset = BODY(base)->offset;
    if (!tern_tensor_set_geometry(hidden, BODY(base)->rank, BODY(base)->shape, BODY(base)->strides))
        return NULL;
    BODY(hidden)->storage = BODY(base)->storage;
    tern_storage_retain(BODY(hidden)->storage);
    BODY(hidden)->edge = BODY(base)->edge;
    alias->base = hidden;
    alias->references = 1;
    BODY(base)->alias = alias;
    BODY(base)->generation = 0;
    return alias;
}

bool tern_alias_join(tern_tensor *base, tern_tensor *view) {
    if (!BODY(base)->alias && !alias_new(base)) return false;
    tern_alias_refresh(base);
    BODY(view)->alias = BODY(base)->alias;
    BODY(view)->alias->references++;
    BODY(view)->generation = BODY(view)->alias->generation;
    BODY(view)->flags |= TERN_T_VIEW;
    return true;
}

void tern_alias_leave(tern_tensor *tensor) {
    tern_aliases *alias = BODY(tensor)->alias;
    BODY(tensor)->alias = NULL;
    if (--alias->references > 0) return;
    tern_ctx *ctx = BODY(tensor)->ctx;
    tern_tensor *hidden = alias->base;
    tern_storage_release(BODY(hidden)->storage);
    if (BODY(hidden)->shape != BODY(hidden)->dims) tern_slab_give_dims(ctx, BODY(hidden)->shape);
    tern_slab_give_tensor(ctx, hidden);
    tern_slab_give_alias(ctx, alias);
}

bool tern_retained_leave(tern_tensor *tensor) {
    tern_edge edge = BODY(tensor)->edge;
    if (!(BODY(tensor)->flags & TERN_T_RETAIN_GRAD) || !edge.node) return false;
    edge.node->outputs[edge.output].retained = NULL;
    return true;
}

void tern_retained_join(tern_tensor *tensor) {
    tern_edge edge = BODY(tensor)->edge;
    if (edge.node) edge.node->outputs[edge.output].retained = tensor;
}

/* The edge of a view is a node that reads it out of its base. */
static void record_view(tern_tensor *tensor, tern_aliases *alias) {
    tern_ctx *ctx = BODY(tensor)->ctx;
    if (!(BODY(tensor)->flags & TERN_T_VIEW) || !BODY(alias->base)->edge.node ||
        ctx->status != TERN_OK)
        return;
    tern_shape size = tern_shape_of(tensor), stride = size;
    for (int d = 0; d < BODY(tensor)->rank; d++) stride.dim[d] = BODY(tensor)->strides[d];
    tern_value args[] = {ARG_TENSOR(alias->base), ARG_SHAPE(size), ARG_SHAPE(stride),
                         ARG_INT(BODY(tensor)->offset)};
    tern_tensor *const inputs[] = {alias->base}, *const outputs[] = {tensor};
    tern_node_record(TERN_ROW(as_strided), args, 4, inputs, 1, outputs, 1);
}

void tern_alias_refresh(tern_tensor *tensor) {
    tern_aliases *alias = BODY(tensor)->alias;
    if (BODY(tensor)->generation == alias->generation) return;
    BODY(tensor)->generation = alias->generation;
    bool retains = tern_retained_leave(tensor);
    BODY(tensor)->edge = BODY(alias->base)->edge;
    record_view(tensor, alias);
    if (retains) tern_retained_join(tensor);
}

void tern_rebase_history(tern_tensor *target, tern_tensor *result) {
    tern_aliases *alias = BODY(target)->alias;
    if (!alias) {
        BODY(target)->edge = BODY(result)->edge;
        return;
    }
    tern_tensor *base = alias->base;
    if (!(BODY(target)->flags & TERN_T_VIEW)) {
        BODY(base)->edge = BODY(result)->edge;
    } else if (BODY(result)->edge.node || BODY(base)->edge.node) {
        tern_shape size = tern_shape_of(target), stride = size;
        for (int d = 0; d < BODY(target)->rank; d++) stride.dim[d] = BODY(target)->strides[d];
        tern_value args[] = {ARG_TENSOR(base), ARG_TENSOR(result), ARG_SHAPE(size),
                             ARG_SHAPE(stride), ARG_INT(BODY(target)->offset)};
        tern_tensor *const inputs[] = {base, result}, *const outputs[] = {base};
        tern_node_record(TERN_ROW(as_strided_scatter), args, 5, inputs, 2, outputs, 1);
    }
    alias->generation++;
    if (!(BODY(target)->flags & TERN_T_VIEW)) {
        BODY(target)->edge = BODY(base)->edge;
        BODY(target)->generation = alias->generation;
    }
}
