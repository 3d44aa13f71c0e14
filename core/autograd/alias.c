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

static tern_alias *alias_new(tern_tensor *base) {
    tern_ctx *ctx = base->ctx;
    tern_alias *alias = tern_slab_alias(ctx);
    tern_tensor *hidden = alias ? tern_slab_tensor(ctx) : NULL;
    if (!hidden) return NULL;
    hidden->ctx = ctx;
    hidden->lane = base->lane;
    hidden->dtype = base->dtype;
    hidden->offset = base->offset;
    if (!tern_tensor_set_geometry(hidden, base->rank, base->shape, base->strides)) return NULL;
    hidden->storage = base->storage;
    tern_storage_retain(hidden->storage);
    hidden->edge = base->edge;
    alias->base = hidden;
    alias->references = 1;
    base->alias = alias;
    base->generation = 0;
    return alias;
}

bool tern_alias_join(tern_tensor *base, tern_tensor *view) {
    if (!base->alias && !alias_new(base)) return false;
    tern_alias_refresh(base);
    view->alias = base->alias;
    view->alias->references++;
    view->generation = view->alias->generation;
    view->flags |= TERN_T_VIEW;
    return true;
}

void tern_alias_leave(tern_tensor *tensor) {
    tern_alias *alias = tensor->alias;
    tensor->alias = NULL;
    if (--alias->references > 0) return;
    tern_ctx *ctx = tensor->ctx;
    tern_tensor *hidden = alias->base;
    tern_storage_release(ctx, hidden->storage);
    if (hidden->shape != hidden->dims) tern_free(hidden->shape);
    tern_slab_give_tensor(ctx, hidden);
    tern_slab_give_alias(ctx, alias);
}

void tern_alias_refresh(tern_tensor *tensor) {
    tern_alias *alias = tensor->alias;
    if (tensor->generation == alias->generation) return;
    tern_ctx *ctx = tensor->ctx;
    tensor->generation = alias->generation;
    tensor->edge = alias->base->edge;
    if (!(tensor->flags & TERN_T_VIEW) || !alias->base->edge.node || ctx->status != TERN_OK) return;
    tern_shape size = tern_shape_of(tensor), stride = size;
    for (int d = 0; d < tensor->rank; d++) stride.dim[d] = tensor->strides[d];
    tern_value args[] = {ARG_TENSOR(alias->base), ARG_SHAPE(size), ARG_SHAPE(stride),
                         ARG_INT(tensor->offset)};
    tern_tensor *const inputs[] = {alias->base}, *const outputs[] = {tensor};
    tern_node_record(TERN_ROW(as_strided), args, 4, inputs, 1, outputs, 1);
}

void tern_rebase_history(tern_tensor *target, tern_tensor *result) {
    tern_alias *alias = target->alias;
    if (!alias) {
        target->edge = result->edge;
        return;
    }
    tern_tensor *base = alias->base;
    if (!(target->flags & TERN_T_VIEW)) {
        base->edge = result->edge;
    } else if (result->edge.node || base->edge.node) {
        tern_shape size = tern_shape_of(target), stride = size;
        for (int d = 0; d < target->rank; d++) stride.dim[d] = target->strides[d];
        tern_value args[] = {ARG_TENSOR(base), ARG_TENSOR(result), ARG_SHAPE(size),
                             ARG_SHAPE(stride), ARG_INT(target->offset)};
        tern_tensor *const inputs[] = {base, result}, *const outputs[] = {base};
        tern_node_record(TERN_ROW(as_strided_scatter), args, 5, inputs, 2, outputs, 1);
    }
    alias->generation++;
    if (!(target->flags & TERN_T_VIEW)) {
        target->edge = base->edge;
        target->generation = alias->generation;
    }
}
