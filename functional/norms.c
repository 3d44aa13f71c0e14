/* norms.c: the norms of many tensors, as a vector. */
#include <limits.h>

#include "core/call/tuples.h"
#include "functional.h"
#include "tern/backend.h"
#include "tern/update.h"

/* One reduction into an element of the vector. */
static void reduce_into(tern_tensor *vector, int64_t index, tern_tensor *tensor, double p) {
    int64_t ones[TERN_MAX_RANK];
    int rank = BODY(tensor)->rank;
    tern_reduce_attrs attrs = {TERN_REDUCE_NORM, (UINT32_C(1) << rank) - 1, p};
    for (int d = 0; d < rank; d++) ones[d] = 1;
    tern_tensor *element = tern_tensor_over(BODY(vector)->lane, BODY(vector)->storage,
                                            BODY(vector)->dtype, rank, ones, ones, index);
    if (!tern_is_nil(element))
        tern_launch(BODY(vector)->lane, TERN_KERNEL_REDUCE, attrs.fn, &tensor, 1, &element, 1,
                    &attrs, sizeof attrs);
    tern_tensor_release(element);
}

/* Latches what is wrong with one of them. */
static bool fits(tern_ctx *ctx, const tern_tensor *tensor, const tern_tensor *first) {
    if (!tern_usable(tensor, "tern_norms")) {
        if (ctx->status == TERN_OK)
            tern_fail(ctx, TERN_ERR_STATE, "tern_norms: a tensor is NULL or gone");
        return false;
    }
    bool same = BODY(tensor)->ctx == ctx && BODY(tensor)->lane == BODY(first)->lane &&
                BODY(tensor)->dtype == BODY(first)->dtype;
    if (same && BODY(tensor)->numel > 0 && tern_dtype_is_floating(BODY(tensor)->dtype)) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_norms: %s",
              same ? "a tensor is empty or has no floating dtype"
                   : "tensors of two contexts, devices or dtypes");
    return false;
}

tern_tensor *tern_norms(tern_ctx *ctx, tern_tensor *const *tensors, size_t count, double p) {
    if (*tern_error(ctx)) return tern_nil(ctx);
    if (!tensors || count == 0 || count > INT_MAX) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_norms: no tensors, or too many");
        return tern_nil(ctx);
    }
    for (size_t i = 0; i < count; i++)
        if (!fits(ctx, tensors[i], tensors[0])) return tern_nil(ctx);
    const tern_tensor_body *like = BODY(tensors[0]);
    int64_t length = (int64_t)count;
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *vector = tern_tensor_new(like->lane, like->dtype, 1, &length);
    if (!tern_is_nil(vector) &&
        !tern_try_reduce_list(like->lane, TERN_REDUCE_NORM, p, tensors, (int)count, vector))
        for (size_t i = 0; i < count && ctx->status == TERN_OK; i++)
            reduce_into(vector, (int64_t)i, tensors[i], p);
    return tern_scope_return(scope, vector);
}
