/*
 * tern/profile.h: where the time of a program goes: every launch of a kernel, copy and wait, by operation and
 * module, and the memory that was held.
 *
 * With TERN_PROFILE=FILE in the environment, any program writes a profile when it ends. The functions do the same
 * for a part of a program. FILE is a trace in Chrome's format: open it at ui.perfetto.dev or chrome://tracing.
 * Beside it is a text with tables, trace.txt for trace.json.
 *
 * Times are the host's, around each launch. That is a kernel's own time on a device whose launches return when the
 * work is done (a CPU). On a device with queues each launch is waited for with an event while the program is
 * profiled, so that its time is known; launches then do not overlap, and the program as a whole is slower.
 *
 * A program that is not profiled pays nothing. A static program has the profiler only if it calls these functions.
 */
#ifndef TERN_PROFILE_H
#define TERN_PROFILE_H

#include "tern/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Begins to profile the devices that this process opens from now on: call it before tern_open. Devices that are
 * open already are profiled only if they were opened while another profile was taken. TERN_ERR_ARGUMENT if the
 * path is NULL, empty or longer than 4000 characters, TERN_ERR_STATE if a profile is being taken already.
 */
TERN_API tern_status tern_profile_begin(const char *path);

/*
 * Ends the profile and writes both files. If a file cannot be written, the context latches TERN_ERR_IO with the
 * reason; without a context (NULL) the log gets it. Returns OK, and does nothing, if no profile is being taken.
 * A profile that is not ended is written when the program exits.
 */
TERN_API tern_status tern_profile_end(tern_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif
