/*
 * watch.h: tests in a process of their own, so that a device that crashes or hangs fails a case and not
 * the run.
 */
#ifndef TERN_TOOLS_WATCH_H
#define TERN_TOOLS_WATCH_H

#include "conformance.h"

/*
 * Calls `test` in a helper process, which opens the device and tells its report what it finds; the
 * report of this process (run->report) takes it. Where the helper dies, or a case takes longer than
 * `seconds`, that case fails and another helper goes on behind it. A subject of which several cases ended
 * so is given up, as is the run after many. Returns when all has run or *run->stop is set, which is
 * looked at within a second. False, with the reason in out_problem of REPORT_WHAT bytes, where nothing
 * could be tested.
 */
bool watch(conformance *run, int64_t seconds, void (*test)(conformance *run, void *user),
           void *user, char *out_problem);

#endif
