/*
 * launch.h: from (device, kernel, dtypes) to a launch.
 */
#ifndef TERN_CORE_LAUNCH_H
#define TERN_CORE_LAUNCH_H

#include "core/objects.h"

/* ---- kernels (launch.c) --------------------------------------------------------------------- */

/*
 * Launches a kernel; latches when the device has none, or runs it on the CPU where TERN_FALLBACK
 * allows. Empty outputs are never launched: the call then does nothing.
 */
TERN_API tern_status tern_launch(tern_lane *lane, int32_t kernel, int32_t fn,
                                 tern_tensor *const *inputs, int n_inputs,
                                 tern_tensor *const *outputs, int n_outputs, const void *attrs,
                                 size_t attrs_size);

/*
 * The same for a fused kernel, which may decline: false where the device has none, where it declined
 * (nothing was written: compose), and after latching.
 */
TERN_API bool tern_try_launch(tern_lane *lane, int32_t kernel, int32_t fn,
                              tern_tensor *const *inputs, int n_inputs, tern_tensor *const *outputs,
                              int n_outputs, const void *attrs, size_t attrs_size);

/* Whether the lane's device has a kernel for these dtypes; out_reason may be NULL. */
TERN_API bool tern_has_kernel(tern_lane *lane, int32_t kernel, int32_t fn,
                              tern_tensor *const *inputs, int n_inputs, tern_tensor *const *outputs,
                              int n_outputs, size_t attrs_size, const char **out_reason);

/* The same for an element-wise family whose operands all have `dtype`. */
bool tern_has_map(tern_lane *lane, int32_t kernel, int32_t fn, int n_inputs, tern_dtype dtype,
                  tern_dtype result);

/* The same for a program of `n_steps` steps whose inputs and outputs have these dtypes. */
bool tern_has_program(tern_lane *lane, int n_steps, const uint8_t *dtypes, int n_inputs,
                      int n_outputs, size_t attrs_size);

/* Whether a member of a family writes bool (include/tern/backend.h marks them "-> bool"). */
static inline bool tern_kernel_gives_bool(int32_t kernel, int32_t fn) {
    switch (kernel) {
    case TERN_KERNEL_UNARY:
        return fn == TERN_UNARY_LOGICAL_NOT || (fn >= TERN_UNARY_ISNAN && fn <= TERN_UNARY_SIGNBIT);
    case TERN_KERNEL_BINARY: return fn >= TERN_BINARY_EQ && fn <= TERN_BINARY_LOGICAL_XOR;
    case TERN_KERNEL_REDUCE: return fn == TERN_REDUCE_ANY || fn == TERN_REDUCE_ALL;
    default: return false;
    }
}

/* Latches what a launch answered that is not OK; a declined primitive too. */
TERN_API tern_status tern_launch_failed(tern_lane *lane, int32_t kernel, int32_t status,
                                        const tern_backend_error *err);

/* "matmul", for messages (kernel_text.c). */
TERN_API const char *tern_kernel_name(int32_t kernel);

/* "add" of BINARY; NULL for a family without members. */
TERN_API const char *tern_kernel_member(int32_t kernel, int32_t fn);

/* "binary add (int64, int64 -> int64)". Writes it to `out_text` of TERN_KERNEL_TEXT bytes and returns
 * that. */
#define TERN_KERNEL_TEXT 256
TERN_API const char *tern_kernel_text(int32_t kernel, int32_t fn, tern_tensor *const *inputs,
                                      int n_inputs, tern_tensor *const *outputs, int n_outputs,
                                      char *out_text);

#endif
