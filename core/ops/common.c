/* common.c: promotion, broadcasting, filling and copying, shared by the families. */
#include <string.h>

#include "../op.h"

/* ---- promotion (torch.result_type) ----------------------------------------------------------- */

static int category(tern_dtype dtype) {
    if (tern_dtype_is_floating(dtype)) return 2;
    return dtype == TERN_BOOL ? 0 : 1;
}

typedef struct promotion {
    tern_dtype dtype;
    bool any;
} promotion;

static void promote(promotion *p, tern_dtype dtype) {
    p->dtype = p->any ? tern_promote_types(p->dtype, dtype) : dtype;
    p->any = true;
}

/* A lower class changes the dtype only where its category is higher. */
static tern_dtype combine(promotion higher, promotion lower) {
    if (!higher.any) return lower.dtype;
    if (!lower.any || category(higher.dtype) >= category(lower.dtype)) return higher.dtype;
    return tern_promote_types(higher.dtype, lower.dtype);
}

tern_dtype tern_result_type(const tern_value *args, int count) {
    promotion dims = {TERN_FLOAT32, false}, zero = dims, number = dims;
    for (int i = 0; i < count; i++) {
        if (args[i].kind == TERN_VALUE_TENSOR) {
            const tern_tensor *t = args[i].as.tensor;
            promote(t->flags & TERN_T_NUMBER ? &number : t->rank ? &dims : &zero, t->dtype);
        } else if (args[i].kind == TERN_VALUE_BOOL) {
            promote(&number, TERN_BOOL);
        } else if (args[i].kind == TERN_VALUE_INT) {
            promote(&number, TERN_INT64);
        } else if (args[i].kind == TERN_VALUE_FLOAT) {
            promote(&number, TERN_FLOAT32);
        }
    }
    promotion low = {combine(zero, number), zero.any || number.any};
    return combine(dims, low);
}

tern_tensor *tern_operand_of(tern_opcall *call, tern_value value, tern_dtype dtype) {
    tern_ctx *ctx = call->ctx;
    tern_tensor *result;
    if (value.kind == TERN_VALUE_TENSOR) {
        tern_tensor *t = value.as.tensor;
        if (t->dtype == dtype) return t;
        result = tern_tensor_new(t->lane, dtype, t->rank, t->shape);
        if (!tern_is_nil(result)) tern_copy_raw(result, t);
        return result;
    }
    if (!tern_value_is_number(value)) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expected a tensor or a number, got %s",
                       tern_kind_name(value.kind));
        return ctx->nil;
    }
    result = tern_tensor_new(call->lane, dtype, 0, NULL);
    if (!tern_is_nil(result))
        tern_fill_raw(result, tern_value_as_double(value), tern_value_as_int(value));
    return result;
}

/* ---- broadcasting ---------------------------------------------------------------------------- */

bool tern_broadcast_shape(tern_opcall *call, tern_tensor *const *tensors, int count,
                          tern_shape *out_shape) {
    out_shape->rank = 0;
    for (int i = 0; i < count; i++)
        if (tensors[i]->rank > out_shape->rank) out_shape->rank = tensors[i]->rank;
    for (int d = 0; d < out_shape->rank; d++) out_shape->dim[d] = 1;
    for (int i = 0; i < count; i++) {
        const tern_tensor *t = tensors[i];
        for (int d = 0; d < t->rank; d++) {
            int64_t *size = &out_shape->dim[out_shape->rank - t->rank + d];
            if (t->shape[d] == *size || t->shape[d] == 1) continue;
            if (*size != 1) {
                tern_call_fail(
                    call, TERN_ERR_ARGUMENT,
                    "The size of tensor a (%lld) must match the size of tensor b (%lld) at "
                    "non-singleton dimension %d",
                    (long long)*size, (long long)t->shape[d], out_shape->rank - t->rank + d);
                return false;
            }
            *size = t->shape[d];
        }
    }
    return true;
}

tern_tensor *tern_broadcast_view(tern_tensor *tensor, const tern_shape *shape) {
    if (tern_is_nil(tensor)) return tensor;
    bool same = tensor->rank == shape->rank;
    for (int d = 0; same && d < shape->rank; d++) same = tensor->shape[d] == shape->dim[d];
    if (same) return tensor;
    int64_t strides[TERN_MAX_RANK];
    int lead = shape->rank - tensor->rank;
    for (int d = 0; d < shape->rank; d++)
        strides[d] = d < lead || tensor->shape[d - lead] == 1 ? 0 : tensor->strides[d - lead];
    return tern_tensor_over(tensor->lane, tensor->storage, tensor->dtype, shape->rank, shape->dim,
                            strides, tensor->offset);
}

tern_tensor *tern_map_output(tern_opcall *call, tern_dtype dtype, const tern_shape *shape) {
    tern_tensor *out = call->out;
    bool direct = out && out->dtype == dtype && out->rank == shape->rank;
    for (int d = 0; direct && d < shape->rank; d++) direct = out->shape[d] == shape->dim[d];
    if (direct) {
        /* Another operand over the same storage, laid out otherwise, would be overwritten unread.
         */
        for (int i = 0; direct && i < call->n_args; i++) {
            if (call->args[i].kind != TERN_VALUE_TENSOR) continue;
            const tern_tensor *t = call->args[i].as.tensor;
            if (t == out || t->storage != out->storage) continue;
            direct = t->offset == out->offset && tern_same_shape(t, out) &&
                     memcmp(t->strides, out->strides, (size_t)t->rank * sizeof *t->strides) == 0;
        }
        if (direct) return out;
    }
    return tern_tensor_new(call->lane, dtype, shape->rank, shape->dim);
}

/* ---- filling and copying --------------------------------------------------------------------- */

void tern_fill_raw(tern_tensor *tensor, double f, int64_t i) {
    if (tern_is_nil(tensor)) return;
    tern_fill_attrs attrs = {f, i};
    tern_launch(tensor->lane, TERN_KERNEL_FILL, 0, NULL, 0, &tensor, 1, &attrs, sizeof attrs);
}

static tern_status copy_across(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = dst->ctx;
    uint64_t bytes = (uint64_t)src->numel * tern_dtype_size(src->dtype);
    tern_tensor *packed = tern_contiguous_raw(src);
    if (tern_is_nil(packed)) return ctx->status;
    void *host = tern_alloc((size_t)bytes);
    if (!host) return tern_fail_memory(ctx, (size_t)bytes);
    uint64_t offset = (uint64_t)packed->offset * tern_dtype_size(src->dtype);
    tern_download(packed->lane, host, packed->storage, offset, bytes);
    tern_tensor *landed = tern_tensor_new(dst->lane, src->dtype, src->rank, src->shape);
    if (!tern_is_nil(landed)) tern_upload(dst->lane, landed->storage, 0, host, bytes);
    tern_free(host);
    if (!tern_is_nil(landed)) tern_copy_raw(dst, landed);
    tern_tensor_release(landed);
    if (packed != src) tern_tensor_release(packed);
    return ctx->status;
}

tern_status tern_copy_raw(tern_tensor *dst, tern_tensor *src) {
    tern_ctx *ctx = dst->ctx;
    if (tern_is_nil(dst) || tern_is_nil(src) || ctx->status != TERN_OK) return ctx->status;
    tern_shape shape = tern_shape_of(dst);
    tern_tensor *from = tern_broadcast_view(src, &shape);
    if (tern_is_nil(from) || dst->numel == 0) return ctx->status;
    if (from->lane != dst->lane)
        copy_across(dst, from);
    else
        tern_launch(dst->lane, TERN_KERNEL_COPY, 0, &from, 1, &dst, 1, NULL, 0);
    if (from != src) tern_tensor_release(from);
    return ctx->status;
}

tern_tensor *tern_contiguous_raw(tern_tensor *tensor) {
    if (tern_is_nil(tensor) || tern_is_contiguous(tensor)) return tensor;
    tern_tensor *packed = tern_tensor_new(tensor->lane, tensor->dtype, tensor->rank, tensor->shape);
    if (!tern_is_nil(packed)) tern_copy_raw(packed, tensor);
    return packed;
}

tern_value tern_tensors_value(tern_ctx *ctx, tern_tensor *const *tensors, int count) {
    tern_value tuple = tern_tuple_new(ctx);
    for (int i = 0; i < count && ctx->status == TERN_OK; i++)
        tern_list_append(tuple, tern_tensor_value(tensors[i]));
    return ctx->status == TERN_OK ? tuple : tern_none();
}
