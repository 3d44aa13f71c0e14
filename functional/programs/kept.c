#include "kept.h"

#include <string.h>

tern_value tern_program_recall(tern_ctx *ctx, tern_program_kept *kept, tern_dtype compute) {
    if (atomic_load_explicit(&kept->state, memory_order_acquire) != 2) return tern_none();
    tern_value bytes = tern_string_n(ctx, kept->as.bytes, kept->size);
    if (ctx->status != TERN_OK) return tern_none();
    ((tern_map_attrs *)(uintptr_t)bytes.as.s)->compute = (int32_t)compute;
    return bytes;
}

void tern_program_keep(tern_program_kept *kept, tern_value bytes) {
    int none = 0;
    if (bytes.kind != TERN_VALUE_STRING || bytes.length > sizeof kept->as ||
        !atomic_compare_exchange_strong(&kept->state, &none, 1))
        return;
    memcpy(kept->as.bytes, bytes.as.s, bytes.length);
    kept->size = bytes.length;
    atomic_store_explicit(&kept->state, 2, memory_order_release);
}
