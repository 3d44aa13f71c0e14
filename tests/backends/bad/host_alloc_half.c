/* Wrong: pinned memory that nobody can give back. */
#define PLUGIN_NAME "host_alloc_half"
#define PLUGIN_OPEN half_open
#include "plugin.h"

static void *host_alloc(tern_bdevice *device, uint64_t bytes) {
    (void)device;
    return malloc((size_t)bytes);
}

static int32_t half_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    static tern_bdevice_vtable half;
    (void)index, (void)err;
    half = plugin_vtable;
    half.host_alloc = host_alloc;
    return plugin_open_with(&half, out_device);
}
