/* Wrong: a queue, but no events. */
#define PLUGIN_NAME "queues_half"
#define PLUGIN_OPEN half_open
#include "plugin.h"

static int32_t create(tern_bdevice *device, tern_bqueue **out_queue, tern_backend_error *err) {
    (void)device, (void)out_queue, (void)err;
    return TERN_BACKEND_FAILED;
}

static int32_t half_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    static tern_bdevice_vtable half;
    (void)index, (void)err;
    half = plugin_vtable;
    half.queue_create = create;
    return plugin_open_with(&half, out_device);
}
