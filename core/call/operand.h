/*
 * operand.h: tensors as a launch passes them.
 */
#ifndef TERN_CORE_OPERAND_H
#define TERN_CORE_OPERAND_H

#include <string.h>

#include "core/memory/storage.h"
#include "core/objects.h"

/* Where the first element lies in the buffer, in bytes. */
static inline uint64_t tern_first_byte(const tern_tensor_body *body) {
    return body->storage->offset + (uint64_t)body->offset * tern_bytes_of(body->dtype);
}

static inline void tern_fill_operand(const tern_tensor_body *body, tern_operand *out) {
    out->buffer = body->storage->buffer;
    out->at.byte_offset = tern_first_byte(body);
    out->dtype = (int32_t)body->dtype;
    out->rank = body->rank;
    out->shape = body->shape;
    out->strides = body->strides;
    out->flags = body->flags & TERN_T_CONTIGUOUS ? TERN_OPERAND_CONTIGUOUS : 0;
    out->layout = TERN_LAYOUT_STRIDED;
    out->extension = NULL;
    out->stamp = body->storage->stamp;
}

/* An input's flags beside contiguous. */
static inline uint32_t tern_input_flags(const tern_tensor_body *body) {
    bool constant = body->ctx->inference && body->frame && body->frame->is_owner;
    return (constant ? TERN_OPERAND_CONSTANT : 0u) |
           (body->flags & TERN_T_TEMPORARY ? TERN_OPERAND_DEAD : 0u);
}

/* One number, which is a value of the dtype already: `f` where that is floating, else `i`. */
static inline void tern_immediate_operand(tern_dtype dtype, double f, int64_t i, uint64_t stamp,
                                          tern_operand *out) {
    out->buffer = NULL;
    if (tern_is_float(dtype))
        out->at.f = f;
    else
        out->at.i = i;
    out->dtype = (int32_t)dtype;
    out->rank = 0;
    out->shape = out->strides = NULL;
    out->flags = 0;
    out->layout = TERN_LAYOUT_STRIDED;
    out->extension = NULL;
    out->stamp = stamp;
}

/* True where both are the same elements in the same order. */
static inline bool tern_same_elements(const tern_tensor_body *a, const tern_tensor_body *b) {
    if (a->storage != b->storage || a->offset != b->offset || a->rank != b->rank) return false;
    return tern_dims_equal(a->rank, a->shape, b->shape) &&
           tern_dims_equal(a->rank, a->strides, b->strides);
}

/* An input of a map may be an immediate; of another kernel it is settled. False after latching. */
static inline bool tern_input_operand(const tern_tensor_body *body, bool immediate_allowed,
                                      tern_operand *out) {
    tern_storage *storage = body->storage;
    if (storage->traits & TERN_STORAGE_UNSETTLED) {
        if (immediate_allowed && storage->traits & TERN_STORAGE_UNIFORM &&
            storage->uniform_dtype == body->dtype) {
            tern_immediate_operand(body->dtype, storage->uniform_f, storage->uniform_i,
                                   storage->stamp, out);
            return true;
        }
        if (tern_storage_make_ready(storage) != TERN_OK) return false;
    }
    tern_fill_operand(body, out);
    out->flags |= tern_input_flags(body);
    return true;
}

/* True where the tensor is all of its storage. */
static inline bool tern_is_whole(const tern_tensor_body *body) {
    return body->flags & TERN_T_CONTIGUOUS && body->offset == 0 &&
           (uint64_t)body->numel * tern_bytes_of(body->dtype) == body->storage->bytes;
}

/* Makes what the output lies in ready and renews its stamp; `overwritten` says that the kernel writes
 * all of it and reads none. False after latching. */
static inline bool tern_output_operand(const tern_tensor_body *body, bool overwritten,
                                       tern_operand *out) {
    tern_storage *storage = body->storage;
    if (storage->traits & TERN_STORAGE_UNSETTLED &&
        (overwritten && tern_is_whole(body) ? tern_storage_open(storage)
                                            : tern_storage_make_ready(storage)) != TERN_OK)
        return false;
    tern_storage_restamp(storage);
    tern_fill_operand(body, out);
    return true;
}

#endif
