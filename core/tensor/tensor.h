/*
 * tensor.h: handles: making, geometry and lifetimes.
 */
#ifndef TERN_CORE_TENSOR_H
#define TERN_CORE_TENSOR_H

#include "core/objects.h"

/* ---- handles that a program hands in (live.c) ---- */

/* For functions that only look, and answer for NULL as for nil: false for NULL, and after latching for a
 * handle whose tensor is gone. */
bool tern_looks_live(const tern_tensor *tensor, const char *function);

/*
 * True where `function` may use the tensor. NULL, nil, a stale handle (its scope has ended) and a
 * latched context are refused, and what is not latched yet is latched with the function's name.
 */
TERN_API bool tern_usable(const tern_tensor *tensor, const char *function);

/* What a verb returns for a tensor that is not usable. */
tern_status tern_unusable(const tern_tensor *tensor);

/* Latches that a handle is stale. */
tern_status tern_fail_stale(const void *handle, const char *function);

/* ---- making ---- */

/* A handle in the open scope over new storage, contiguous, contents open. NULL shape is rank 0. */
TERN_API tern_tensor *tern_tensor_new(tern_lane *lane, tern_dtype dtype, int rank,
                                      const int64_t *shape);

/* The same for the shape and strides of a contiguous tensor. */
tern_tensor *tern_tensor_like(const tern_tensor_body *like, tern_dtype dtype);

/* A 0-dim tensor of one number, `f` where the dtype is floating, else `i`; no kernel runs for it. */
TERN_API tern_tensor *tern_tensor_number(tern_lane *lane, tern_dtype dtype, double f, int64_t i);

/* A handle over existing storage, which it retains. Not linked to any base. */
TERN_API tern_tensor *tern_tensor_over(tern_lane *lane, tern_storage *storage, tern_dtype dtype,
                                       int rank, const int64_t *shape, const int64_t *strides,
                                       int64_t offset);

/* The same for a view of `base`: shares its alias and inference flag. */
TERN_API tern_tensor *tern_tensor_view(tern_tensor *base, int rank, const int64_t *shape,
                                       const int64_t *strides, int64_t offset);

/* The same with elements of another dtype, in whose elements strides and offset count. */
tern_tensor *tern_tensor_view_as(tern_tensor *base, tern_dtype dtype, int rank,
                                 const int64_t *shape, const int64_t *strides, int64_t offset);

/* A view with stride 0 where broadcast; no recording, no alias. */
TERN_API tern_tensor *tern_broadcast_view(tern_tensor *tensor, const tern_shape *shape);

/*
 * A view that lies with the function that needs it, for launches: other geometry over a tensor's storage. Its
 * handle is valid as long as the face and the tensor; it is in no frame, retains nothing, and must go to no
 * operation.
 */
typedef struct tern_face {
    _Alignas(1 << TERN_HANDLE_LOW_BITS) tern_tensor_body body;
    int64_t dims[2 * TERN_MAX_RANK];
} tern_face;
static inline bool tern_is_face(const tern_tensor_body *body) {
    return body->self == (const void *)body; /* its handle has no generation */
}
tern_tensor *tern_face_over(tern_face *face, const tern_tensor *tensor, int rank,
                            const int64_t *shape, const int64_t *strides);

/* Sets the geometry of a face whose storage, offset, dtype, flags and owners are set. */
tern_tensor *tern_face_set(tern_face *face, int rank, const int64_t *shape, const int64_t *strides);

/* The same of a tensor as it is broadcast to a shape, or with its last two dimensions exchanged; the tensor
 * itself where that is the same. */
TERN_API tern_tensor *tern_face_broadcast(tern_face *face, tern_tensor *tensor,
                                          const tern_shape *shape);
TERN_API tern_tensor *tern_face_transposed(tern_face *face, const tern_tensor *tensor);

/* Gives the handle back at once (internal temporaries). NULL is fine. */
TERN_API void tern_tensor_release(tern_tensor *tensor);

/* All of a frame, the youngest first. */
void tern_tensors_release(tern_frame *frame);

/* Sets geometry; numel is recomputed. False when memory is out (high ranks only). */
bool tern_tensor_set_geometry(tern_tensor *tensor, int rank, const int64_t *shape,
                              const int64_t *strides);

/* Replaces the storage and geometry of `tensor` by those of `source` (retained). */
tern_status tern_tensor_assign(tern_tensor *tensor, const tern_tensor *source);

TERN_API void tern_contiguous_strides(int rank, const int64_t *shape, int64_t *out_strides);
TERN_API bool tern_same_shape(const tern_tensor *a, const tern_tensor *b);
static inline bool tern_has_shape(const tern_tensor *tensor, const tern_shape *shape) {
    bool same = BODY(tensor)->rank == shape->rank;
    for (int d = 0; same && d < shape->rank; d++) same = BODY(tensor)->shape[d] == shape->dim[d];
    return same;
}

/* Number of elements, false on overflow or a negative size. A size of 0 does not excuse the others:
 * the product of any of a tensor's sizes fits, and needs no check of its own. */
TERN_API bool tern_shape_numel(int rank, const int64_t *shape, int64_t *out_numel);

/* ---- elements that share memory (overlap.c) ---- */

/* True where two elements of the tensor are one in memory: exact, but for a tensor that takes memory
 * to decide and gets none, which counts as overlapping. */
TERN_API bool tern_has_overlap(const tern_tensor *tensor);

/* PyTorch's words for a write to one. */
extern const char tern_overlap_refusal[];

/* "[2, 3]" for messages; `out_text` needs TERN_SHAPE_TEXT bytes. */
#define TERN_SHAPE_TEXT 400
TERN_API const char *tern_shape_text(int rank, const int64_t *shape, char *out_text);

/* PyTorch's class name of a dtype, "Float", "Long". */
TERN_API const char *tern_dtype_class(tern_dtype dtype);

/* ---- dimensions (dims.c) ---- */

/* dim counted from 0; latches PyTorch's message and returns false when it is out of range. A 0-dim
 * tensor has the dims -1 and 0. */
TERN_API bool tern_wrap_dim(tern_ctx *ctx, int rank, int64_t dim, int *out_dim);

/* True where the handle is all that holds its storage, and its elements lie there in order from the
 * first on: nobody else sees what is written. */
bool tern_owns_storage(const tern_tensor *tensor);

/* A set of dims as a bit mask; no dims given is all of them. Duplicates are an error. */
TERN_API bool tern_wrap_dims(tern_ctx *ctx, int rank, const tern_shape *dims, uint32_t *out_mask);

#endif
