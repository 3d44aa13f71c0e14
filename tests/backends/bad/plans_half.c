/* Wrong: plans are made and launched, but never freed. */
#define PLUGIN_NAME "plans_half"
#define PLUGIN_OPEN half_open
#include "plugin.h"

static int32_t prepare(tern_bdevice *device, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    (void)device, (void)query, (void)out_plan, (void)out_workspace, (void)err;
    return TERN_BACKEND_UNSUPPORTED;
}

static int32_t launch_plan(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err) {
    (void)device, (void)queue, (void)plan, (void)inputs, (void)n_inputs, (void)outputs;
    (void)n_outputs, (void)workspace, (void)workspace_offset, (void)err;
    return TERN_BACKEND_UNSUPPORTED;
}

static int32_t half_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    static tern_bdevice_vtable half;
    (void)index, (void)err;
    half = plugin_vtable;
    half.prepare = prepare;
    half.launch_plan = launch_plan;
    return plugin_open_with(&half, out_device);
}
