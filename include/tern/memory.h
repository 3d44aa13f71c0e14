/*
 * tern/memory.h: host memory, which all of Tern allocates here, and handles.
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

/* Memory aligned to 64 bytes, uninitialised; NULL if memory is exhausted. For 0 bytes the result is not NULL.
 */
TERN_API void *tern_alloc(size_t bytes);

/* The same, zeroed; count * size is checked for overflow. */
TERN_API void *tern_alloc_zeroed(size_t count, size_t size);

/* Moves to a block of new_bytes; if the result is NULL, the old block is still valid. `old_bytes` is its
 * size. */
TERN_API void *tern_realloc(void *memory, size_t old_bytes, size_t new_bytes);

/* NULL is allowed. */
TERN_API void tern_free(void *memory);

/* A copy of the text; NULL if memory is exhausted, or for NULL. */
TERN_API char *tern_strdup(const char *text);

/* Checked size arithmetic: false on overflow, *out is then unchanged. */
TERN_API bool tern_size_mul(uint64_t a, uint64_t b, uint64_t *out);

/* a + b; false on overflow, *out is then unchanged. */
TERN_API bool tern_size_add(uint64_t a, uint64_t b, uint64_t *out);

/*
 * The same for signed sizes, strides and paddings, so that formulas can be nested: a result that does not fit
 * 64 bits is 0 and sets *fits to false, which stays false.
 *
 *     bool fits = true;
 *     int64_t padded = tern_dim_add(size, tern_dim_mul(2, padding, &fits), &fits);
 *     if (!fits) ...
 */
TERN_API int64_t tern_dim_mul(int64_t a, int64_t b, bool *fits);

/* a + b, or 0 with *fits false. */
TERN_API int64_t tern_dim_add(int64_t a, int64_t b, bool *fits);

/* a - b, or 0 with *fits false. */
TERN_API int64_t tern_dim_sub(int64_t a, int64_t b, bool *fits);

/*
 * Zeroed memory that belongs to the open scope and is freed with it. On failure an error is latched and NULL
 * is returned.
 */
TERN_API void *tern_scope_alloc(tern_ctx *ctx, size_t bytes);

/* The same for a struct whose pointer is not a handle (a module): its first `head` bytes stay readable and
 * unchanged after the scope has ended, until the context is closed or another call of this function reuses
 * the memory. A mark there can show that the struct is gone. */
TERN_API void *tern_scope_alloc_lasting(tern_ctx *ctx, size_t bytes, size_t head);

/*
 * Reserves the host memory that one in-place operation on small tensors needs: for a function that must do
 * all of its writes or none. Whatever runs next uses the reservation.
 */
TERN_API tern_status tern_reserve(tern_ctx *ctx);

/* ---- handles --------------------------------------------------------------------------------- */

/*
 * The pointers that programs hold to objects of a scope (an optimizer, a loader, a list) are handles, not
 * addresses: after that scope has ended they are refused, and no freed memory is read. A new kind of object
 * returns a handle of its struct, and each of its functions looks the struct up:
 *
 *     struct tern_clock { tern_ctx *ctx; ... };                      the object
 *     tern_clock *clock = tern_handle_new(ctx, "clock", object);     what the program gets
 *     clock_object *c = tern_handle_object(clock, "clock", "tern_clock_read");
 *     if (!c) return tern_handle_status(clock);
 */

/* A handle of an object, valid until the open scope (or the entered owner) ends, and still during the
 * functions deferred there. `kind` is a noun for messages, a static string. NULL for a NULL object, and after
 * latching an error if memory is exhausted. */
TERN_API void *tern_handle_new(tern_ctx *ctx, const char *kind, void *object);

/* The object. If it is gone, latches TERN_ERR_STATE ("tern_optim_step: the optimizer is gone, its scope has
 * ended: ...") and returns NULL; if it is of another kind, TERN_ERR_ARGUMENT. NULL gives NULL and latches
 * nothing. */
TERN_API void *tern_handle_object(const void *handle, const char *kind, const char *function);

/* The status to return after tern_handle_object gave NULL: TERN_ERR_ARGUMENT for a NULL handle, otherwise the
 * status latched in its context. */
TERN_API tern_status tern_handle_status(const void *handle);

/* Ends a handle before its scope ends. NULL, and a handle that has ended already, are allowed. */
TERN_API void tern_handle_end(const void *handle);

#ifdef __cplusplus
}
#endif

#endif
