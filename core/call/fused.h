/*
 * fused.h: which fused kernels a context may use, and which a device has.
 *
 * A fused kernel is tried with tern_try_launch, which answers false where the family is switched off.
 */
#ifndef TERN_CORE_FUSED_H
#define TERN_CORE_FUSED_H

#include "core/objects.h"

/* Whether the context composes this kernel although its device may have it; false for a primitive. */
static inline bool tern_is_composed(const tern_ctx *ctx, int32_t kernel) {
    return kernel >= TERN_KERNEL_FUSED && ctx->composed >> (kernel - TERN_KERNEL_FUSED) & 1u;
}

/* Reads TERN_COMPOSED: names of families, separated by commas, or "all". Latches for another name. */
void tern_fused_read_policy(tern_ctx *ctx);

/* Writes the dtypes of operands that a pattern stands for, a letter each: f is `dtype`, s that of statistics
 * over it, i int64. Returns how many. */
TERN_API int32_t tern_pattern_dtypes(const char *pattern, tern_dtype dtype, int32_t *out_dtypes);

/* Whether the device has a fused kernel for operands of `dtype`. */
TERN_API bool tern_device_fuses(tern_lane *lane, int32_t kernel, tern_dtype dtype);

#endif
