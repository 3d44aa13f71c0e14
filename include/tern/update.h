/*
 * tern/update.h: formulas that update tensors in place, as optimizers do.
 *
 *     m = lerp(m, g, w); p = add(p, m, rate)
 *
 * The notation is that of tern/formula.h. A rule names the tensors of a tuple (say parameter, gradient and
 * momentum), the numbers that belong to each tuple, and flags. Flags are fixed when a rule is compiled to a
 * program: "d = -g if maximize else g" leaves no branch in it. Tensors that the formula assigns are written,
 * after all have been read. add(a, b, n) is a + n b in one rounding, and so are addcmul(a, b, c, n), a + n b
 * c, and lerp(a, b, n), a + n (b - a); addcdiv(a, b, c, n) is a + n b / c.
 *
 * A program runs over any number of tuples in one launch if the device has the kernel, otherwise step by
 * step, with the same bits. float16 and bfloat16 are computed in float32 and rounded once, when they are
 * written. No gradient is recorded.
 */
#ifndef TERN_UPDATE_H
#define TERN_UPDATE_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names are separated by spaces; at most 16 tensors, and 64 names in all. The texts must be static, since
 * they identify the rule. */
typedef struct tern_update_rule {
    const char *formula, *tensors, *numbers, *flags;
} tern_update_rule;

/* A compiled rule. The context compiles it on first use and keeps it. */
typedef struct tern_updater tern_updater;

/* The program for tensors of a floating dtype; bit i of `flags` sets flag i. NULL after latching an error (a
 * malformed formula). */
TERN_API tern_updater *tern_updater_of(tern_ctx *ctx, const tern_update_rule *rule, uint32_t flags,
                                       tern_dtype dtype);

/* A program and the tuples that it will run over; a handle in the open scope. */
typedef struct tern_update_run tern_update_run;

/*
 * Prepares a run over `count` tuples: `tensors` holds their tensors, tuple after tuple, as many as the rule
 * names, and `numbers` their numbers likewise. All tensors are on one device. Within a tuple, the tensors
 * that are written have the same shape, and the others broadcast to it; a tensor that the program does not
 * use may be NULL. Both arrays belong to the caller and must stay valid until the run has started.
 *
 * Everything that can fail fails here: the memory is allocated in the open scope, the device is known to have
 * the kernels, and if the device can neither report an error early nor skip a run, its queued work is
 * awaited. So several prepared runs write all or nothing. NULL after latching an error.
 */
TERN_API tern_update_run *tern_updater_prepare(tern_updater *update, tern_tensor *const *tensors,
                                               const double *numbers, size_t count);

/* Runs the program. If the device's queue has met an error, the run is skipped. */
TERN_API tern_status tern_update_start(tern_update_run *run);

/* ---- norms ---- */

/* The p-norms of tensors of one floating dtype on one device, as a vector of that dtype: (sum |x|^p)^(1/p);
 * for p = 0 the number of nonzero elements, for inf and -inf the largest and the smallest magnitude. No
 * tensor may be empty. One launch if the device has the kernel, otherwise one per tensor. No gradient is
 * recorded. */
TERN_API tern_tensor *tern_norms(tern_ctx *ctx, tern_tensor *const *tensors, size_t count,
                                 double p);

/* ---- steps that a device skips ---- */

/*
 * A device with a queue reports a bad index late, at the next call that waits. Until then it skips all later
 * runs, which write no tensor. Counters that the host has already advanced for those steps must be restored:
 * when the error surfaces, `undo` is called with the first step that the device skipped; all later steps were
 * skipped too.
 */
typedef struct tern_skips tern_skips;

/* Restores the counters that were advanced for a step and those after it, which `device` skipped. */
typedef void (*tern_skips_undo_fn)(void *user, const char *device, uint64_t step);

/* How many steps may be in flight: the caller keeps its counters from before each of them. */
#define TERN_SKIPS_STEPS 16

/* A handle that lives in the open scope. NULL after latching. */
TERN_API tern_skips *tern_skips_new(tern_ctx *ctx, tern_skips_undo_fn undo, void *user);

/* Whether runs over tensors on the device may be skipped: only for such devices must steps be noted. */
TERN_API bool tern_skips_possible(const tern_tensor *tensor);

/* Begins step `step`, one more than the last: waits if TERN_SKIPS_STEPS are in flight. */
TERN_API tern_status tern_skips_begin(tern_skips *skips, uint64_t step);

/* To be called after the step's runs on the tensor's device, if they may be skipped. */
TERN_API tern_status tern_skips_note(tern_skips *skips, const tern_tensor *tensor, uint64_t step);

/* Waits until no step is in flight. */
TERN_API tern_status tern_skips_settle(tern_skips *skips);

#ifdef __cplusplus
}
#endif

#endif
