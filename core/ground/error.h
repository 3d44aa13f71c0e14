/*
 * error.h: where errors latch. The first one is kept, whole, until the program clears it
 * (tern_error_clear); tern_fail in tern/context.h is the one way in.
 */
#ifndef TERN_CORE_ERROR_H
#define TERN_CORE_ERROR_H

#include "core/objects.h"

/* The context that a call without any context fails on: what tern_open returns when there is no memory
 * for one. Its nil is what such a call returns. */
TERN_API tern_ctx *tern_no_context(void);

/* The context, or the one of last resort for NULL: what a public function begins with. */
static inline tern_ctx *tern_given(const tern_ctx *ctx) {
    return ctx ? (tern_ctx *)(uintptr_t)ctx : tern_no_context();
}

/* Latches "operation: out of memory" for `bytes` of host memory. */
TERN_API tern_status tern_fail_memory(tern_ctx *ctx, size_t bytes);

/* Latches the fault in a context; a fault without error changes nothing. */
tern_status tern_latch_fault(tern_ctx *ctx, const tern_fault *fault);

#endif
