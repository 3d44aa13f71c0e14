/*
 * tern/update.h: formulas that write: the updates of optimizers.
 *
 *     m = lerp(m, g, w); p = add(p, m, rate)
 *
 * The notation is that of tern/formula.h. A rule names the tensors of a tuple, the numbers that go with
 * each tuple, and flags, which are known when a program is made of the rule: "d = -g if maximize else g"
 * leaves no choice in the program. Tensors that the formula gives a value are written, after all have
 * been read. add(a, b, n) is a + n b in one rounding, and so are addcmul(a, b, c, n), a + n b c, and
 * lerp(a, b, n), a + n (b - a); addcdiv(a, b, c, n) is a + n b / c.
 *
 * A program runs over any number of tuples in one launch, where the device has the kernel, else step by
 * step, with the same bits. float16 and bfloat16 are computed in float32 and rounded once, when they are
 * written. Nothing is recorded.
 */
#ifndef TERN_UPDATE_H
#define TERN_UPDATE_H

#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names are separated by spaces; at most 16 tensors, and 64 names in all. The texts are static: a rule is
 * known by them. */
typedef struct tern_update_rule {
    const char *formula, *tensors, *numbers, *flags;
} tern_update_rule;

/* A program of a rule. The context makes it when it is first asked for, and keeps it. */
typedef struct tern_updater tern_updater;

/* The program for tensors of a floating dtype; `flags` has bit i where flag i is set. NULL after latching:
 * the formula is malformed, say. */
TERN_API tern_updater *tern_updater_of(tern_ctx *ctx, const tern_update_rule *rule, uint32_t flags,
                                       tern_dtype dtype);

/* A program with the tuples it will run over, a handle of the open scope. */
typedef struct tern_update_run tern_update_run;

/*
 * Gets ready to run over `count` tuples: their tensors one tuple behind the other, as many as the rule
 * names, and so their numbers. Tensors lie on one device. Those that are written have one shape in a tuple,
 * to which others broadcast; one that the program does not use may be NULL. Both arrays stay the caller's,
 * and are there until the run has started.
 *
 * All that can fail fails here: whatever runs need lies in the open scope, the device is known to have
 * the kernels, and where it can neither tell an error early nor skip, its work is waited for. So several
 * runs that were made ready write all or nothing. NULL after latching.
 */
TERN_API tern_update_run *tern_updater_prepare(tern_updater *update, tern_tensor *const *tensors,
                                               const double *numbers, size_t count);

/* Writes. A device whose queue has met an error skips it. */
TERN_API tern_status tern_update_start(tern_update_run *run);

/* ---- norms ---- */

/* The p-norms of tensors of one floating dtype on one device, as a vector of it: (sum |x|^p)^(1/p), for p = 0
 * how many elements are not 0, for inf and -inf the largest and the smallest magnitude. None is empty. One
 * launch where the device has the kernel, else one a tensor. Not recorded. */
TERN_API tern_tensor *tern_norms(tern_ctx *ctx, tern_tensor *const *tensors, size_t count,
                                 double p);

/* ---- steps that a device skips ---- */

/*
 * A device with a queue reports a bad index late, at the next call that waits. Until then it skips the
 * runs behind it: no tensor is written. What the host counted for those steps is to be taken back: `undo`
 * is called, while the error surfaces, with the first step that the device skipped; all later ones were
 * skipped too.
 */
typedef struct tern_skips tern_skips;
typedef void (*tern_skips_undo_fn)(void *user, const char *device, uint64_t step);

/* How many steps may be under way: the caller keeps what it counted before each of so many. */
#define TERN_SKIPS_STEPS 16

/* A handle that lives in the open scope. NULL after latching. */
TERN_API tern_skips *tern_skips_new(tern_ctx *ctx, tern_skips_undo_fn undo, void *user);

/* Whether runs over tensors on its device may be skipped: steps are noted for such devices alone. */
TERN_API bool tern_skips_possible(const tern_tensor *tensor);

/* Begins step `step`, one more than the last: waits where TERN_SKIPS_STEPS are under way. */
TERN_API tern_status tern_skips_begin(tern_skips *skips, uint64_t step);

/* Behind the step's runs on the tensor's device, where they may have been skipped. */
TERN_API tern_status tern_skips_note(tern_skips *skips, const tern_tensor *tensor, uint64_t step);

/* Waits until no step is under way. */
TERN_API tern_status tern_skips_settle(tern_skips *skips);

#ifdef __cplusplus
}
#endif

#endif
