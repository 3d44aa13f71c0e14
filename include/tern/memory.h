/*
 * tern/memory.h: the one seam through which Tern takes host memory, and handles.
 *
 * Nothing else in the library calls malloc. A test can make the n-th call fail
 * (tern_fail_allocation in context.h); every caller handles NULL. Backends get the same seam
 * through their host table.
 */
#ifndef TERN_MEMORY_H
#define TERN_MEMORY_H

#include "tern/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory aligned to 64 bytes, contents open; NULL when there is none. Zero bytes give a pointer. */
TERN_API void *tern_alloc(size_t bytes);

/* The same, zeroed; count * size is checked for overflow. */
TERN_API void *tern_alloc_zeroed(size_t count, size_t size);

/* Moves to a block of new_bytes; on NULL the old block is still there. `old_bytes` is its size. */
TERN_API void *tern_realloc(void *memory, size_t old_bytes, size_t new_bytes);

/* NULL is fine. */
TERN_API void tern_free(void *memory);

/* A copy of the text, NULL when there is no memory, and for NULL. */
TERN_API char *tern_strdup(const char *text);

/* Checked size arithmetic: false on overflow, *out is then unchanged. */
TERN_API bool tern_size_mul(uint64_t a, uint64_t b, uint64_t *out);
TERN_API bool tern_size_add(uint64_t a, uint64_t b, uint64_t *out);

/*
 * The same for sizes, strides and paddings as shapes hold them, written as formulas are: what does
 * not fit 64 bits clears *fits, which nothing sets again, and gives 0.
 *
 *     bool fits = true;
 *     int64_t padded = tern_dim_add(size, tern_dim_mul(2, padding, &fits), &fits);
 *     if (!fits) ...
 */
TERN_API int64_t tern_dim_mul(int64_t a, int64_t b, bool *fits);
TERN_API int64_t tern_dim_add(int64_t a, int64_t b, bool *fits);
TERN_API int64_t tern_dim_sub(int64_t a, int64_t b, bool *fits);

/*
 * Zeroed memory that belongs to the open scope and dies with it: for what a module or a reader
 * builds. On failure the context latches and NULL is returned.
 */
TERN_API void *tern_scope_alloc(tern_ctx *ctx, size_t bytes);

/* The same, where a struct is the program's own and its pointer no handle (a module's): the first `head`
 * bytes stay as they were when the scope ended, and readable, until the context is closed or another
 * call of this function gets that memory. A mark there tells that the struct is gone. */
TERN_API void *tern_scope_alloc_lasting(tern_ctx *ctx, size_t bytes, size_t head);

/*
 * Makes sure that an operation, in place and on small numbers, will need no memory of the host: for a
 * verb that must do all of its writes or none. What is reserved is used by whatever comes next.
 */
TERN_API tern_status tern_reserve(tern_ctx *ctx);

/* ---- handles --------------------------------------------------------------------------------- */

/*
 * The pointers that programs hold to what lives in a scope (an optimizer, a loader, a list) are handles
 * and no addresses: used after that scope has ended they are refused, and read nothing. Whoever adds a
 * kind of object returns the handle of its struct, and each of its functions asks for the struct:
 *
 *     struct tern_clock { tern_ctx *ctx; ... };                      the object
 *     tern_clock *clock = tern_handle_new(ctx, "clock", object);     what the program gets
 *     clock_object *c = tern_handle_object(clock, "clock", "tern_clock_read");
 *     if (!c) return tern_handle_status(clock);
 */

/* A handle of an object, valid until the open scope (or the owner that was entered) ends, after what
 * was deferred there. `kind` is a noun for messages and lives as long as the program. NULL after
 * latching that memory is out, and for a NULL object. */
TERN_API void *tern_handle_new(tern_ctx *ctx, const char *kind, void *object);

/* The object. NULL after latching TERN_ERR_STATE ("tern_optim_step: the optimizer is gone, its scope has
 * ended: ...") where it is gone, TERN_ERR_ARGUMENT where it is of another kind; NULL for NULL, where
 * nothing is latched. */
TERN_API void *tern_handle_object(const void *handle, const char *kind, const char *function);

/* What a verb returns where tern_handle_object gave NULL: TERN_ERR_ARGUMENT for NULL, else what the
 * handle's context has latched. */
TERN_API tern_status tern_handle_status(const void *handle);

/* Ends a handle before its scope ends. NULL and a handle that has ended are fine. */
TERN_API void tern_handle_end(const void *handle);

#ifdef __cplusplus
}
#endif

#endif
