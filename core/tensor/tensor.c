/* tensor.c: handles: making, geometry, lifetimes and inspection. */
#include "tensor.h"
#include "core/objects.h"

#include <stdio.h>
#include <string.h>

#include "core/autograd/graph.h"
#include "core/call/op.h"
#include "core/memory/slab.h"

/* ---- geometry -------------------------------------------------------------------------------- */

void tern_contiguous_strides(int rank, const int64_t *shape, int64_t *out_strides) {
    int64_t step = 1;
    for (int d = rank; d-- > 0;) {
        out_strides[d] = step;
        step *= shape[d] > 1 ? shape[d] : 1;
    }
}

bool tern_same_shape(const tern_tensor *a, const tern_tensor *b) {
    return BODY(a)->rank == BODY(b)->rank &&
           tern_dims_equal(BODY(a)->rank, BODY(a)->shape, BODY(b)->shape);
}

bool tern_shape_numel(int rank, const int64_t *shape, int64_t *out_numel) {
    bool empty = false;
    int64_t numel = 1;
    for (int d = 0; d < rank; d++) {
        if (shape[d] < 0) return false;
        empty = empty || shape[d] == 0;
        if (shape[d] > 0 && __builtin_mul_overflow(numel, shape[d], &numel)) return false;
        if (numel > INT64_MAX / 16) return false;
    }
    *out_numel = empty ? 0 : numel;
    return true;
}

const char *tern_shape_text(int rank, const int64_t *shape, char *out_text) {
    int used = snprintf(out_text, TERN_SHAPE_TEXT, "[");
    for (int d = 0; d < rank; d++)
        used += snprintf(out_text + used, (size_t)(TERN_SHAPE_TEXT - used), d ? ", %lld" : "%lld",
                         (long long)shape[d]);
    snprintf(out_text + used, (size_t)(TERN_SHAPE_TEXT - used), "]");
    return out_text;
}

const char *tern_dtype_class(tern_dtype dtype) {
    static const char *const names[TERN_DTYPE_COUNT] = {
        "Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"};
    if (dtype == TERN_COMPLEX64) return "ComplexFloat";
    if (dtype == TERN_COMPLEX128) return "ComplexDouble";
    return (unsigned)dtype < TERN_DTYPE_COUNT ? names[dtype] : "?";
}

static void free_dims(tern_tensor_body *body) {
    if (body->shape != body->dims) tern_slab_give_dims(body->ctx, body->shape);
}

/* Sizes are checked where they may come from a program. */
bool tern_tensor_set_geometry(tern_tensor *tensor, int rank, const int64_t *shape,
                              const int64_t *strides) {
    tern_tensor_body *body = BODY(tensor);
    int64_t *dims = body->dims, *to_strides = body->dims + TERN_INLINE_RANK, numel = 1;
    bool contiguous = true, empty = false, sound = true;
    if (rank > TERN_INLINE_RANK) {
        dims = tern_slab_dims(body->ctx);
        if (!dims) return false;
        to_strides = dims + TERN_MAX_RANK;
    }
    for (int d = rank; d-- > 0;) { /* the arrays may be the tensor's own */
        int64_t size = shape[d], stride = strides[d];
        dims[d] = size;
        to_strides[d] = stride;
        if (size == 1) continue;
        contiguous = contiguous && stride == numel;
        empty = empty || size == 0;
        sound = sound && size >= 0 &&
                (size == 0 ||
                 (!__builtin_mul_overflow(numel, size, &numel) && numel <= INT64_MAX / 16));
    }
    if (dims != body->shape) free_dims(body);
    body->shape = dims;
    body->strides = to_strides;
    body->rank = rank;
    body->numel = empty ? 0 : numel;
    body->flags = (body->flags & ~(uint32_t)TERN_T_CONTIGUOUS) |
                  (contiguous || empty ? (uint32_t)TERN_T_CONTIGUOUS : 0u);
    return sound;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void link_to(tern_tensor *tensor, tern_frame *frame) {
    BODY(tensor)->frame = frame;
    BODY(tensor)->prev = NULL;
    BODY(tensor)->next = frame->tensors;
    if (frame->tensors) BODY(frame->tensors)->prev = tensor;
    frame->tensors = tensor;
}

tern_tensor *tern_tensor_over(tern_lane *lane, tern_storage *storage, tern_dtype dtype, int rank,
                              const int64_t *shape, const int64_t *strides, int64_t offset) {
    tern_ctx *ctx = lane->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_tensor *tensor = tern_slab_tensor(ctx);
    if (!tensor) return ctx->nil;
    BODY(tensor)->ctx = ctx;
    BODY(tensor)->lane = lane;
    BODY(tensor)->dtype = dtype;
    BODY(tensor)->offset = offset;
    if (!tern_tensor_set_geometry(tensor, rank, shape, strides)) {
        char text[TERN_SHAPE_TEXT];
        free_dims(BODY(tensor));
        tern_slab_give_tensor(ctx, tensor);
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "a tensor's shape %s has a negative size or too many elements",
                  tern_shape_text(rank, shape, text));
        return ctx->nil;
    }
    BODY(tensor)->storage = storage;
    tern_storage_retain(storage);
    if (ctx->inference) BODY(tensor)->flags |= TERN_T_INFERENCE;
    link_to(tensor, ctx->top->target);
    return tensor;
}

tern_tensor *tern_tensor_number(tern_lane *lane, tern_dtype dtype, double f, int64_t i) {
    tern_ctx *ctx = lane->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_storage *storage = tern_storage_uniform(lane, tern_dtype_size(dtype), dtype, f, i);
    if (!storage) return ctx->nil;
    tern_tensor *tensor = tern_tensor_over(lane, storage, dtype, 0, NULL, NULL, 0);
    tern_storage_release(storage);
    return tensor;
}

/* A handle in the open scope over the whole of new storage, whose reference it takes over; its rank's dims
 * are open. Nil after latching. */
static inline tern_tensor *tensor_of(tern_lane *lane, tern_storage *storage, tern_dtype dtype,
                                     int rank, int64_t numel) {
    tern_ctx *ctx = lane->ctx;
    tern_tensor *tensor = storage ? tern_slab_tensor(ctx) : NULL;
    if (!tensor) {
        tern_storage_release(storage);
        return ctx->nil;
    }
    tern_tensor_body *body = BODY(tensor);
    body->storage = storage;
    body->lane = lane;
    body->dtype = dtype;
    body->offset = 0;
    body->numel = numel;
    body->rank = rank;
    body->flags = TERN_T_CONTIGUOUS | (unsigned)ctx->inference * TERN_T_INFERENCE;
    link_to(tensor, ctx->top->target);
    return tensor;
}

/* Room for a high rank; false after latching, the tensor given back. */
static bool add_dims(tern_tensor *tensor) {
    tern_tensor_body *body = BODY(tensor);
    int64_t *dims = tern_slab_dims(body->ctx);
    if (!dims) {
        tern_tensor_release(tensor);
        return false;
    }
    body->shape = dims;
    body->strides = dims + TERN_MAX_RANK;
    return true;
}

tern_tensor *tern_tensor_like(const tern_tensor_body *like, tern_dtype dtype) {
    tern_storage *storage =
        tern_storage_new(like->lane, (uint64_t)like->numel * tern_bytes_of(dtype));
    tern_tensor *tensor = tensor_of(like->lane, storage, dtype, like->rank, like->numel);
    tern_tensor_body *body = BODY(tensor);
    if (body->flags & TERN_T_NIL) return tensor;
    if (like->rank > TERN_INLINE_RANK && !add_dims(tensor)) return like->ctx->nil;
    for (int d = 0; d < like->rank; d++) {
        body->shape[d] = like->shape[d];
        body->strides[d] = like->strides[d];
    }
    return tensor;
}

/* Says why there is no tensor of a shape. */
static tern_tensor *refuse_shape(tern_ctx *ctx, tern_dtype dtype, int rank, const int64_t *shape) {
    char text[TERN_SHAPE_TEXT];
    tern_shape_text(rank, shape, text);
    for (int d = 0; d < rank; d++) {
        if (shape[d] >= 0) continue;
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Trying to create tensor with negative dimension %lld: %s", (long long)shape[d],
                  text);
        return ctx->nil;
    }
    tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "a tensor of shape %s and dtype %s has too many bytes",
              text, tern_dtype_name(dtype));
    return ctx->nil;
}

tern_tensor *tern_tensor_new(tern_lane *lane, tern_dtype dtype, int rank, const int64_t *shape) {
    tern_ctx *ctx = lane->ctx;
    if (ctx->status != TERN_OK) return ctx->nil;
    int64_t numel;
    if (!tern_shape_numel(rank, shape, &numel)) return refuse_shape(ctx, dtype, rank, shape);
    tern_storage *storage = tern_storage_new(lane, (uint64_t)numel * tern_dtype_size(dtype));
    tern_tensor *tensor = tensor_of(lane, storage, dtype, rank, numel);
    tern_tensor_body *body = BODY(tensor);
    if (body->flags & TERN_T_NIL) return tensor;
    if (rank > TERN_INLINE_RANK && !add_dims(tensor)) return ctx->nil;
    int64_t step = 1;
    for (int d = rank; d-- > 0;) {
        body->shape[d] = shape[d];
        body->strides[d] = step;
        step *= shape[d] > 1 ? shape[d] : 1;
    }
    return tensor;
}

tern_tensor *tern_broadcast_view(tern_tensor *tensor, const tern_shape *shape) {
    if (tern_is_nil(tensor)) return tensor;
    bool same = BODY(tensor)->rank == shape->rank;
    for (int d = 0; same && d < shape->rank; d++) same = BODY(tensor)->shape[d] == shape->dim[d];
    if (same) return tensor;
    int64_t strides[TERN_MAX_RANK];
    int lead = shape->rank - BODY(tensor)->rank;
    for (int d = 0; d < shape->rank; d++)
        strides[d] =
            d < lead || BODY(tensor)->shape[d - lead] == 1 ? 0 : BODY(tensor)->strides[d - lead];
    return tern_tensor_over(BODY(tensor)->lane, BODY(tensor)->storage, BODY(tensor)->dtype,
                            shape->rank, shape->dim, strides, BODY(tensor)->offset);
}

tern_tensor *tern_tensor_view(tern_tensor *base, int rank, const int64_t *shape,
                              const int64_t *strides, int64_t offset) {
    return tern_tensor_view_as(base, BODY(base)->dtype, rank, shape, strides, offset);
}

tern_tensor *tern_tensor_view_as(tern_tensor *base, tern_dtype dtype, int rank,
                                 const int64_t *shape, const int64_t *strides, int64_t offset) {
    tern_ctx *ctx = BODY(base)->ctx;
    tern_tensor *view = tern_tensor_over(BODY(base)->lane, BODY(base)->storage, dtype, rank, shape,
                                         strides, offset);
    if (tern_is_nil(view)) return view;
    BODY(view)->flags =
        (BODY(view)->flags & ~(uint32_t)TERN_T_INFERENCE) | (BODY(base)->flags & TERN_T_INFERENCE);
    if (!(BODY(base)->flags & TERN_T_INFERENCE) && !tern_alias_join(base, view)) return ctx->nil;
    return view;
}

/* Gives back what a handle holds, and the handle, which is in no list any more. */
static inline void finish(tern_tensor *tensor, tern_tensor_body *body) {
    if (body->accumulator || body->alias || body->grad || body->flags & TERN_T_RETAIN_GRAD)
        tern_grad_detach_handle(tensor);
    tern_storage_release(body->storage);
    free_dims(body);
    tern_slab_give_tensor(body->ctx, tensor);
}

void tern_tensor_release(tern_tensor *tensor) {
    if (!tensor || BODY(tensor)->flags & TERN_T_NIL) return;
    if (!(BODY(tensor)->flags & TERN_T_OWNED)) tern_tensor_unlink(tensor);
    finish(tensor, BODY(tensor));
}

void tern_tensors_release(tern_frame *frame) {
    while (frame->tensors) {
        tern_tensor *tensor = frame->tensors;
        tern_tensor_body *body = BODY(tensor);
        frame->tensors = body->next;
        if (body->next) BODY(body->next)->prev = NULL;
        finish(tensor, body);
    }
}

tern_status tern_tensor_assign(tern_tensor *tensor, const tern_tensor *source) {
    if (!tern_tensor_set_geometry(tensor, BODY(source)->rank, BODY(source)->shape,
                                  BODY(source)->strides))
        return BODY(tensor)->ctx->status;
    tern_storage_retain(BODY(source)->storage);
    tern_storage_release(BODY(tensor)->storage);
    BODY(tensor)->storage = BODY(source)->storage;
    BODY(tensor)->lane = BODY(source)->lane;
    BODY(tensor)->offset = BODY(source)->offset;
    BODY(tensor)->dtype = BODY(source)->dtype;
    return TERN_OK;
}

/* ---- lifetimes ------------------------------------------------------------------------------- */

void tern_drop(tern_tensor *tensor) {
    if (tern_is_nil(tensor)) return;
    tern_grad_detach_handle(tensor);
    tern_storage_release(BODY(tensor)->storage);
    BODY(tensor)->storage = NULL;
    BODY(tensor)->numel = 0;
    BODY(tensor)->flags |= TERN_T_DROPPED;
}

/* True where `tensor` carries a graph of the scope it lives in. */
static bool has_history(tern_tensor *tensor) {
    return tern_edge_of(tensor).node && !tern_is_leaf(tensor);
}

tern_tensor *tern_keep(tern_tensor *tensor) {
    tern_ctx *ctx = tern_context_of(tensor);
    if (!tern_usable(tensor, "tern_keep")) return ctx->nil;
    if (has_history(tensor)) {
        tern_fail(ctx, TERN_ERR_STATE,
                  "tern_keep: a tensor with a history (%s) cannot outlive the scope of its graph: "
                  "keep tern_detach(tensor) instead",
                  tern_grad_fn_name(tensor));
        return ctx->nil;
    }
    tern_frame *frame = ctx->top;
    while (frame && frame->target != BODY(tensor)->frame) frame = frame->parent;
    if (frame && frame->parent) {
        tern_accumulator_forget(tensor);
        tern_tensor_move(tensor, frame->parent->target);
    }
    return tensor;
}

tern_status tern_update(tern_tensor **slot, tern_tensor *value) {
    if (!tern_usable(value, "tern_update")) return tern_unusable(value);
    tern_ctx *ctx = BODY(value)->ctx;
    if (!slot || !*slot || (tern_is_live(*slot) && BODY(*slot)->flags & TERN_T_NIL))
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_update: the slot holds no tensor");
    if (!tern_is_live(*slot)) return tern_fail_stale(*slot, "tern_update");
    if (has_history(value))
        return tern_fail(ctx, TERN_ERR_STATE,
                         "tern_update: the value has a history (%s): pass tern_detach(value)",
                         tern_grad_fn_name(value));
    if (BODY((*slot))->ctx != ctx)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "tern_update: slot and value of different contexts");
    tern_status status = tern_tensor_assign(*slot, value);
    tern_accumulator_renew(*slot);
    return status;
}

/* ---- inspecting ------------------------------------------------------------------------------ */

/* What is asked of NULL or of a stale handle is answered as of nil; the latter latches. */
static const tern_tensor_body *seen(const tern_tensor *tensor, const char *function) {
    return BODY(tern_looks_live(tensor, function) ? tensor : tern_nil(NULL));
}

tern_dtype tern_dtype_of(const tern_tensor *tensor) {
    return seen(tensor, "dtype_of")->dtype;
}
int tern_rank(const tern_tensor *tensor) {
    return seen(tensor, "rank")->rank;
}
int64_t tern_numel(const tern_tensor *tensor) {
    return seen(tensor, "numel")->numel;
}

tern_shape tern_shape_of(const tern_tensor *tensor) {
    const tern_tensor_body *body = seen(tensor, "shape_of");
    tern_shape shape;
    tern_shape_begin(&shape, body->rank);
    for (int d = 0; d < body->rank; d++) shape.dim[d] = body->shape[d];
    return shape;
}

static bool check_dim(const tern_tensor *tensor, const char *what, int dim, int *out_dim) {
    if (!tern_usable(tensor, what)) return false;
    return tern_wrap_dim(BODY(tensor)->ctx, BODY(tensor)->rank, dim, out_dim) &&
           BODY(tensor)->rank > 0;
}

int64_t tern_size(const tern_tensor *tensor, int dim) {
    int d;
    return check_dim(tensor, "size", dim, &d) ? BODY(tensor)->shape[d] : 0;
}

int64_t tern_stride(const tern_tensor *tensor, int dim) {
    int d;
    return check_dim(tensor, "stride", dim, &d) ? BODY(tensor)->strides[d] : 0;
}

int64_t tern_storage_offset(const tern_tensor *tensor) {
    return tern_is_nil(tensor) ? 0 : BODY(tensor)->offset;
}

size_t tern_storage_bytes(const tern_tensor *tensor) {
    return tern_is_nil(tensor) ? 0 : (size_t)BODY(tensor)->storage->bytes;
}

int64_t tern_storage_numel(const tern_tensor *tensor) {
    return (int64_t)(tern_storage_bytes(tensor) /
                     tern_dtype_size(seen(tensor, "storage_numel")->dtype));
}

bool tern_shares_storage(const tern_tensor *a, const tern_tensor *b) {
    bool nil_a = tern_is_nil(a), nil_b = tern_is_nil(b); /* both say so where they are stale */
    return !nil_a && !nil_b && BODY(a)->storage == BODY(b)->storage;
}

bool tern_is_contiguous(const tern_tensor *tensor) {
    return !tern_looks_live(tensor, "is_contiguous") || BODY(tensor)->numel == 0 ||
           BODY(tensor)->flags & TERN_T_CONTIGUOUS;
}

bool tern_owns_storage(const tern_tensor *tensor) {
    return BODY(tensor)->storage->references == 1 && BODY(tensor)->offset == 0 &&
           tern_is_contiguous(tensor);
}

const char *tern_device_of(const tern_tensor *tensor) {
    return tern_is_nil(tensor) ? "" : BODY(tensor)->lane->device->name;
}

uint64_t tern_version(const tern_tensor *tensor) {
    return tern_is_nil(tensor) ? 0 : BODY(tensor)->storage->version;
}
