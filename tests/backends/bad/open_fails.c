/* Wrong: its device does not open. */
#define PLUGIN_NAME "open_fails"
#define PLUGIN_OPEN failing_open
#include "plugin.h"

static int32_t failing_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)plugin_open_with;
    (void)plugin_vtable;
    (void)out_device;
    snprintf(err->message, sizeof err->message, "device %d is on fire\nand more", (int)index);
    return TERN_BACKEND_FAILED;
}
