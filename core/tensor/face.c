/* face.c: views for one launch, which lie with the function that needs them. */
#include "tensor.h"

tern_tensor *tern_face_set(tern_face *face, int rank, const int64_t *shape,
                           const int64_t *strides) {
    tern_tensor_body *body = &face->body;
    int64_t numel = 1;
    bool contiguous = true;
    body->shape = face->dims;
    body->strides = face->dims + TERN_MAX_RANK;
    for (int d = rank; d-- > 0;) {
        body->shape[d] = shape[d];
        body->strides[d] = strides[d];
        contiguous = contiguous && (shape[d] == 1 || strides[d] == numel);
        numel *= shape[d];
    }
    body->self = (const tern_tensor *)body;
    body->numel = numel;
    body->rank = rank;
    if (contiguous || numel == 0) body->flags |= TERN_T_CONTIGUOUS;
    body->edge.node = NULL;
    body->accumulator = NULL;
    body->alias = NULL;
    body->grad = NULL;
    return (tern_tensor *)(void *)body;
}

tern_tensor *tern_face_over(tern_face *face, const tern_tensor *tensor, int rank,
                            const int64_t *shape, const int64_t *strides) {
    const tern_tensor_body *of = BODY(tensor);
    face->body.ctx = of->ctx;
    face->body.frame = of->frame;
    face->body.storage = of->storage;
    face->body.lane = of->lane;
    face->body.offset = of->offset;
    face->body.dtype = of->dtype;
    face->body.flags = of->flags & ~(uint32_t)TERN_T_CONTIGUOUS;
    return tern_face_set(face, rank, shape, strides);
}

tern_tensor *tern_face_broadcast(tern_face *face, tern_tensor *tensor, const tern_shape *shape) {
    const tern_tensor_body *of = BODY(tensor);
    int64_t strides[TERN_MAX_RANK];
    if (tern_has_shape(tensor, shape)) return tensor;
    int lead = shape->rank - of->rank;
    for (int d = 0; d < shape->rank; d++)
        strides[d] = d < lead || of->shape[d - lead] == 1 ? 0 : of->strides[d - lead];
    return tern_face_over(face, tensor, shape->rank, shape->dim, strides);
}

tern_tensor *tern_face_transposed(tern_face *face, const tern_tensor *tensor) {
    const tern_tensor_body *of = BODY(tensor);
    int64_t shape[TERN_MAX_RANK], strides[TERN_MAX_RANK];
    for (int d = 0; d < of->rank; d++) {
        int from = d < of->rank - 2 ? d : 2 * of->rank - 3 - d;
        shape[d] = of->shape[from];
        strides[d] = of->strides[from];
    }
    return tern_face_over(face, tensor, of->rank, shape, strides);
}
