/* Wrong: its driver crashes when a device is opened. */
#include <signal.h>

#define PLUGIN_NAME "crash_at_open"
#define PLUGIN_OPEN crashing_open
#include "plugin.h"

static int32_t crashing_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)index, (void)err;
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
    return plugin_open_with(&plugin_vtable, out_device);
}
