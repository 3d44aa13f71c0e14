/* live.c: handles that a program hands in: alive, or refused with what to do. */
#include "core/ground/error.h"
#include "tensor.h"

bool tern_looks_live(const tern_tensor *tensor, const char *function) {
    if (tern_is_live(tensor)) return true;
    if (tensor) tern_fail_stale(tensor, function);
    return false;
}

bool tern_is_nil(const tern_tensor *tensor) {
    if (tern_is_live(tensor)) return BODY(tensor)->flags & (TERN_T_NIL | TERN_T_DROPPED);
    if (tensor) tern_fail_stale(tensor, "a call");
    return true;
}

tern_ctx *tern_context_of(const tern_tensor *tensor) {
    tern_ctx *ctx = tensor ? BODY(tensor)->ctx : NULL; /* the head of a stale handle is readable */
    return ctx ? ctx : tern_no_context();
}

tern_tensor *tern_nil(tern_ctx *ctx) {
    return ctx ? ctx->nil : tern_no_context()->nil;
}

tern_status tern_fail_stale(const void *handle, const char *function) {
    tern_ctx *ctx = tern_context_of(handle);
    return tern_fail(ctx, TERN_ERR_STATE,
                     "%s: the tensor is gone, its scope has ended: read it inside the scope with "
                     "tern_item or tern_to_host, or keep it with tern_keep(tern_detach(t))",
                     function);
}

bool tern_usable(const tern_tensor *tensor, const char *function) {
    tern_ctx *ctx = tern_context_of(tensor);
    if (ctx->status != TERN_OK) return false;
    if (tensor && !tern_is_live(tensor)) {
        tern_fail_stale(tensor, function);
        return false;
    }
    if (!tensor || !(BODY(tensor)->flags & (TERN_T_NIL | TERN_T_DROPPED))) return tensor != NULL;
    tern_fail(ctx, TERN_ERR_STATE,
              "%s: the tensor is nil or was dropped: check the call that made it", function);
    return false;
}

tern_status tern_unusable(const tern_tensor *tensor) {
    tern_ctx *ctx = tern_context_of(tensor);
    return !tensor ? TERN_ERR_ARGUMENT : ctx->status != TERN_OK ? ctx->status : TERN_ERR_STATE;
}
