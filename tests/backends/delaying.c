/*
 * delaying: devices that do nothing until they must, and then in the latest legal order.
 *
 * Launches, uploads, downloads and frees are recorded, their arguments copied, and run when a queue or
 * an event is waited for. See delaying.h. Here: launches, plans, the devices and the plugin.
 */
#include "delaying.h"

#include <stdio.h>
#include <string.h>

struct delaying_backend delaying_backend = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct delaying_backend *const backend = &delaying_backend;

void delaying_lock(void) {
    pthread_mutex_lock(&delaying_backend.lock);
}
void delaying_unlock(void) {
    pthread_mutex_unlock(&delaying_backend.lock);
}

int32_t delaying_out_of_memory(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "delaying: out of memory");
}

static int32_t broken(delaying *self, const char *fault, tern_backend_error *err) {
    return breach_note(&self->breach, err, "delaying:%d: %s", (int)self->index, fault);
}

/* ---- launches ---- */

static command *launch_new(int32_t kernel, int32_t n_inputs, int32_t n_outputs, const void *attrs,
                           uint32_t attrs_size) {
    size_t count = (size_t)n_inputs + (size_t)n_outputs;
    size_t each = sizeof(tern_operand) + sizeof(int64_t[2][TERN_BACKEND_MAX_RANK]);
    command *work = command_new(COMMAND_LAUNCH, sizeof(launch_work) + count * each + attrs_size);
    if (!work) return NULL;
    launch_work *launch = (launch_work *)(work + 1);
    memset(launch, 0, sizeof *launch);
    launch->operands = (tern_operand *)(launch + 1);
    launch->extents = (int64_t(*)[2][TERN_BACKEND_MAX_RANK])(launch->operands + count);
    launch->kernel = kernel;
    launch->n_inputs = n_inputs;
    launch->n_outputs = n_outputs;
    launch->attrs_size = attrs_size;
    launch->attrs = launch->extents + count;
    if (attrs_size) memcpy(launch->extents + count, attrs, attrs_size);
    work->launch = launch;
    return work;
}

/* Copies operands, with their buffers instead of handles. */
static int32_t keep_operands(delaying *self, launch_work *work, const tern_operand *operands,
                             int32_t count, int32_t first, tern_backend_error *err) {
    for (int32_t i = 0; i < count; i++) {
        tern_operand *kept = &work->operands[first + i];
        int64_t *shape = work->extents[first + i][0], *strides = work->extents[first + i][1];
        const buffer *own = NULL;
        if (operands[i].buffer) {
            own = delaying_find_buffer(self, operands[i].buffer, err);
            if (!own) return TERN_BACKEND_INVALID;
        }
        const char *fault = operand_fault(work->kernel, &operands[i], own ? own->bytes : 0);
        if (fault) return broken(self, fault, err);
        *kept = operands[i];
        kept->buffer = (tern_bbuffer *)(uintptr_t)own;
        size_t bytes = (size_t)kept->rank * sizeof *shape;
        if (bytes) memcpy(shape, operands[i].shape, bytes);
        if (bytes) memcpy(strides, operands[i].strides, bytes);
        kept->shape = shape;
        kept->strides = strides;
    }
    return TERN_BACKEND_OK;
}

/* Fills the command in and queues it; on failure it is still the caller's. */
static int32_t submit(delaying *self, tern_bqueue *handle, command *work,
                      const tern_operand *inputs, const tern_operand *outputs,
                      tern_backend_error *err) {
    launch_work *launch = work->launch;
    queue *own = delaying_find_queue(self, handle, err);
    if (!own) return TERN_BACKEND_INVALID;
    int32_t status = keep_operands(self, launch, inputs, launch->n_inputs, 0, err);
    if (status == TERN_BACKEND_OK)
        status = keep_operands(self, launch, outputs, launch->n_outputs, launch->n_inputs, err);
    if (status == TERN_BACKEND_OK) command_push(own, work);
    return status;
}

static int32_t launch(tern_bdevice *base, tern_bqueue *handle, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    delaying *self = (delaying *)base;
    if (kernel < 0 || kernel >= TERN_KIT_KERNELS || !self->kit.kernels[kernel])
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED, "delaying: no kernel %d", (int)kernel);
    bool any_number = kernel == TERN_KERNEL_MAP || kernel == TERN_KERNEL_REDUCE_LIST;
    if (n_inputs < 0 || n_outputs < 0 || (!any_number && n_inputs + n_outputs > TERN_KIT_OPERANDS))
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying: too many operands");
    command *work = launch_new(kernel, n_inputs, n_outputs, attrs, attrs_size);
    if (!work) return delaying_out_of_memory(err);
    delaying_lock();
    int32_t status = submit(self, handle, work, inputs, outputs, err);
    delaying_unlock();
    if (status != TERN_BACKEND_OK) backend->host->free(work);
    return status;
}

/* ---- plans ---- */

static int32_t prepare(tern_bdevice *base, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    delaying *self = (delaying *)base;
    test_plan *plan;
    int32_t status = test_plan_new(base, query, &plan, out_workspace, err);
    if (status != TERN_BACKEND_OK) return status;
    delaying_lock();
    *out_plan = handle_new(&backend->plans, HANDLE_PLAN, backend->host, plan);
    if (*out_plan) self->live++;
    delaying_unlock();
    if (*out_plan) return TERN_BACKEND_OK;
    test_plan_release(plan);
    return delaying_out_of_memory(err);
}

static test_plan *find_plan(delaying *self, const tern_bplan *handle) {
    test_plan *plan = handle_find(&backend->plans, HANDLE_PLAN, handle);
    return plan && plan->device == &self->kit.base ? plan : NULL;
}

/* Adds plan and workspace to a launch, where they go together. */
static int32_t keep_plan(delaying *self, launch_work *work, test_plan *plan,
                         const tern_operand *inputs, const tern_operand *outputs,
                         tern_bbuffer *workspace, uint64_t offset, tern_backend_error *err) {
    buffer *scratch = workspace ? delaying_find_buffer(self, workspace, err) : NULL;
    if (workspace && !scratch) return TERN_BACKEND_INVALID;
    const char *fault = test_plan_fault(plan, inputs, work->n_inputs, outputs, work->n_outputs,
                                        workspace, offset, scratch ? scratch->bytes : 0);
    if (fault) return broken(self, fault, err);
    work->plan = plan;
    work->workspace = scratch;
    work->workspace_offset = offset;
    return TERN_BACKEND_OK;
}

static int32_t launch_plan(tern_bdevice *base, tern_bqueue *handle, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err) {
    delaying *self = (delaying *)base;
    command *work = launch_new(0, n_inputs, n_outputs, NULL, 0);
    if (!work) return delaying_out_of_memory(err);
    delaying_lock();
    test_plan *own = find_plan(self, plan);
    int32_t status = own ? TERN_BACKEND_OK : broken(self, "a launch of no plan of its own", err);
    if (own) {
        work->launch->kernel = own->kernel;
        status =
            keep_plan(self, work->launch, own, inputs, outputs, workspace, workspace_offset, err);
    }
    if (status == TERN_BACKEND_OK) status = submit(self, handle, work, inputs, outputs, err);
    delaying_unlock();
    if (status != TERN_BACKEND_OK) backend->host->free(work);
    return status;
}

static void plan_free(tern_bdevice *base, tern_bplan *handle) {
    delaying *self = (delaying *)base;
    tern_backend_error err;
    delaying_lock();
    test_plan *own = find_plan(self, handle);
    if (own) {
        handle_end(&backend->plans, handle);
        self->live--;
        test_plan_release(own);
    } else {
        broken(self, "what is freed is no plan of its own", &err);
    }
    delaying_unlock();
}

/* ---- the devices ---- */

static void close_device(tern_bdevice *base) {
    delaying *self = (delaying *)base;
    if (self->live) {
        char text[96];
        snprintf(text, sizeof text, "delaying:%d: closed with %llu objects alive", (int)self->index,
                 (unsigned long long)self->live);
        backend->host->log(TERN_BACKEND_LOG_WARNING, text);
    }
    tern_kit_device_fini(&self->kit);
    backend->host->free(self);
}

#define TABLE(shared)                                                                              \
    {                                                                                              \
        .struct_size = sizeof(tern_bdevice_vtable), .alignment = DELAYING_ALIGNMENT,               \
        .speed = TERN_SPEED_REFERENCE, .suballocation = shared, .planned = {TEST_PLANNED},         \
        .close = close_device, .buffer_alloc = delaying_buffer_alloc,                              \
        .buffer_free = delaying_buffer_free, .buffer_import = delaying_buffer_import,              \
        .memory_info = tern_kit_memory_info, .host_alloc = delaying_host_alloc,                    \
        .host_free = delaying_host_free, .copy_to_device = delaying_copy_to_device,                \
        .copy_to_host = delaying_copy_to_host, .copy_between = delaying_copy_between,              \
        .queue_create = delaying_queue_create, .queue_destroy = delaying_queue_destroy,            \
        .queue_synchronize = delaying_queue_synchronize, .event_create = delaying_event_create,    \
        .event_destroy = delaying_event_destroy, .event_record = delaying_event_record,            \
        .event_wait = delaying_event_wait, .event_synchronize = delaying_event_synchronize,        \
        .event_query = delaying_event_query, .take_error = delaying_take_error,                    \
        .skip_flag = delaying_skip_flag, .supports = tern_kit_supports, .launch = launch,          \
        .prepare = prepare, .launch_plan = launch_plan, .plan_free = plan_free                     \
    }

static const tern_bdevice_vtable tables[DELAYING_DEVICES] = {TABLE(0), TABLE(4096)};

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = DELAYING_DEVICES;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index < 0 || index >= DELAYING_DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying has two devices");
    return tern_kit_device_info(out_info, "work done as late as it may be", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index >= DELAYING_DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "delaying has two devices");
    delaying *self = backend->host->alloc(sizeof *self);
    if (!self) return delaying_out_of_memory(err);
    memset(self, 0, sizeof *self);
    self->index = index;
    tern_kit_device_init(&self->kit, &tables[index], backend->host, &delaying_memory);
    *out_device = &self->kit.base;
    return TERN_BACKEND_OK;
}

static void shut_down(void) {
    handle_table_fini(&backend->buffers, backend->host);
    handle_table_fini(&backend->queues, backend->host);
    handle_table_fini(&backend->events, backend->host);
    handle_table_fini(&backend->plans, backend->host);
}

static const tern_backend_desc description = {
    .name = "delaying",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
    .shutdown = shut_down,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    backend->host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
