/*
 * alloc.h: the one seam through which the process takes host memory.
 *
 * Nothing else in Tern calls malloc. A test can make the n-th call fail (tern_fail_allocation in
 * context.h); every caller handles NULL. Backends get the same seam through the host table.
 */
#ifndef TERN_CORE_ALLOC_H
#define TERN_CORE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "tern/base.h"

/* Memory aligned to 64 bytes, contents open; NULL when there is none. Zero bytes give a pointer. */
TERN_API void *tern_alloc(size_t bytes);

/* The same, zeroed; count * size is checked for overflow. */
TERN_API void *tern_alloc_zeroed(size_t count, size_t size);

/* Grows or shrinks; on NULL the old block is still there. `old_bytes` are kept at most. */
TERN_API void *tern_realloc(void *memory, size_t old_bytes, size_t new_bytes);

/* NULL is fine. */
TERN_API void tern_free(void *memory);

/* A copy of the text, NULL when there is no memory. */
TERN_API char *tern_strdup(const char *text);

/* Calls of the seam so far, for tern_stats. */
uint64_t tern_alloc_count(void);

/* Checked size arithmetic: false on overflow, *out is then unchanged. */
bool tern_size_mul(uint64_t a, uint64_t b, uint64_t *out);
bool tern_size_add(uint64_t a, uint64_t b, uint64_t *out);

#endif
