/*
 * plan.h: plans of a device, each made once for a combination of shapes, strides, dtypes and attributes.
 *
 * Only for the kernel families that a device asks for; all others never come here. A lane keeps a bounded
 * number of plans; keys are compared whole.
 */
#ifndef TERN_CORE_PLAN_H
#define TERN_CORE_PLAN_H

#include "core/objects.h"

/* Whether the device has plans for a kernel family. */
static inline bool tern_is_planned(const tern_lane *lane, int32_t kernel) {
    const tern_bdevice_vtable *vt = &lane->device->vtable;
    return (uint32_t)kernel < TERN_PLANNED_WORDS * 64u &&
           vt->planned[kernel / 64] >> (kernel % 64) & 1 && vt->prepare;
}

/*
 * Launches a kernel of such a family by its plan, which is made where there is none yet. What the device
 * answers, DECLINED and UNSUPPORTED (with the reason in `err`) included. `*out_handled` is false, and
 * nothing was launched, where memory for the plan or its workspace is out: the caller launches without.
 * Of MAP, in and out have the operands of `n_tuples` tuples, the counts are those of one.
 */
TERN_API int32_t tern_plan_launch(tern_lane *lane, int32_t kernel, int32_t fn,
                                  const tern_operand *in, int n_in, const tern_operand *out,
                                  int n_out, int n_tuples, const void *attrs, uint32_t size,
                                  tern_backend_error *err, bool *out_handled);

/* Starts a kernel: by a plan where the device has them for the family, else by launch. What the device
 * answers. */
static inline int32_t tern_start(tern_lane *lane, int32_t kernel, int32_t fn,
                                 const tern_operand *in, int n_in, const tern_operand *out,
                                 int n_out, int n_tuples, const void *attrs, uint32_t size,
                                 tern_backend_error *err) {
    err->message[0] = 0;
    lane->ctx->stats.launches++;
    if (tern_is_planned(lane, kernel)) {
        bool handled;
        int32_t status = tern_plan_launch(lane, kernel, fn, in, n_in, out, n_out, n_tuples, attrs,
                                          size, err, &handled);
        if (handled) return status;
        err->message[0] = 0;
    }
    return lane->device->vtable.launch(lane->device->object, lane->queue, kernel, in,
                                       n_in * n_tuples, out, n_out * n_tuples, attrs, size, err);
}

/* The end of a lane. */
void tern_plans_free(tern_lane *lane);

#endif
