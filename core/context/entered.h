/*
 * entered.h: in builds with assertions, which thread is in a context.
 *
 * Every function that changes a context enters it, nested calls included, and leaves it where the
 * function returns. A second thread that enters meanwhile is refused, with a warning that names both
 * (tern_on_log); it writes nothing to the context, and the first thread latches the error when it leaves.
 * A release build has none of this.
 *
 *     TERN_ENTER(ctx, "backward", return TERN_ERR_STATE);
 */
#ifndef TERN_CORE_ENTERED_H
#define TERN_CORE_ENTERED_H

#include "core/objects.h"

#ifdef NDEBUG
#define TERN_ENTER(ctx, operation, refused) ((void)0)
#else
/* The context, or NULL for a thread that may not enter. */
TERN_API tern_ctx *tern_enter(tern_ctx *ctx, const char *operation);
TERN_API void tern_leave(tern_ctx **entered);
#define TERN_ENTER(ctx, operation, refused)                                                        \
    __attribute__((cleanup(tern_leave))) tern_ctx *entered_context = tern_enter(ctx, operation);   \
    if (!entered_context) refused
#endif

#endif
