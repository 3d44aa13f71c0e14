/* Wrong: replays begin, but never end. */
#define PLUGIN_NAME "replays_half"
#define PLUGIN_OPEN half_open
#include "plugin.h"

static int32_t replay_begin(tern_bdevice *device, tern_bqueue *queue, tern_breplay **replay,
                            tern_backend_error *err) {
    (void)device, (void)queue, (void)replay, (void)err;
    return TERN_BACKEND_OK;
}

static int32_t half_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    static tern_bdevice_vtable half;
    (void)index, (void)err;
    half = plugin_vtable;
    half.replay_begin = replay_begin;
    return plugin_open_with(&half, out_device);
}
