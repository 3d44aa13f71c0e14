/*
 * profiler.h: how a profiler learns of devices (profile/).
 *
 * A device's functions are a table of its own, so a profiler puts its own functions there before anyone uses
 * the device. Nothing else asks whether there is one: a program that is not profiled does not pay for it.
 */
#ifndef TERN_CORE_PROFILER_H
#define TERN_CORE_PROFILER_H

#include "core/objects.h"
#include "core/plugin/registry.h"

/* Where in a model a launch was made, for one that a replay repeats: it means something to the profile alone that
 * was taken then. */
struct tern_origin {
    uint64_t profile; /* 0: none was taken */
    uint32_t place, phase;
};

typedef struct tern_profiler {
    /* A device that nobody uses yet, under the registry's lock. */
    void (*device_opened)(tern_device *device);
    /* Nobody uses it any more; it is closed next. Under the same lock. */
    void (*device_closing)(tern_device *device);
    /* A context begins and ends to use a device, in the context's thread. */
    void (*lane_opened)(tern_lane *lane);
    void (*lane_closing)(tern_lane *lane);
    /* Where the context's launch of now is made. */
    void (*launched)(const tern_ctx *ctx, tern_origin *out_origin);
} tern_profiler;

/* NULL where the program does not hold the profiler. Set before the first device is opened. */
TERN_API extern const tern_profiler *tern_profiler_linked;

#endif
