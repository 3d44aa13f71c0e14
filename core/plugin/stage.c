/* stage.c: the names of the stages that a plugin goes through, and of what a device is then. */
#include "tern/device.h"

const char *tern_load_stage_name(tern_load_stage stage) {
    static const char *const names[] = {"manifest", "permissions", "file", "load",
                                        "query",    "open",        "ready"};
    return (unsigned)stage <= TERN_STAGE_READY ? names[stage] : "unknown";
}

const char *tern_device_state_name(tern_device_state state) {
    static const char *const names[] = {"unknown", "unavailable", "not probed", "ready"};
    return (unsigned)state <= TERN_STATE_READY ? names[state] : "unknown";
}
