/* The discrete devices: see discrete.h. Their launches, their plans, and the plugin. */
#include "discrete.h"

#include <stdio.h>
#include <string.h>

struct discrete_backend discrete_backend = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct discrete_backend *const backend = &discrete_backend;

static int32_t broken(discrete *self, const char *fault, tern_backend_error *err) {
    pthread_mutex_lock(&backend->lock);
    breach_note(&self->breach, err, "discrete:%d: %s", (int)self->index, fault);
    pthread_mutex_unlock(&backend->lock);
    return TERN_BACKEND_INVALID;
}

static int32_t check_operands(discrete *self, int32_t kernel, const tern_operand *operands,
                              int32_t count, tern_backend_error *err) {
    for (int32_t i = 0; i < count; i++) {
        uint64_t room = operands[i].buffer ? discrete_room(self, operands[i].buffer) : 0;
        const char *fault = operand_fault(kernel, &operands[i], room);
        if (operands[i].buffer && !room) fault = "an operand's buffer is not its own";
        if (fault) return broken(self, fault, err);
    }
    return TERN_BACKEND_OK;
}

/* A kernel's error is the queue's, the first come first kept. */
static void keep_flag(discrete_queue *queue, const tern_kit_flag *flag) {
    if (flag->status == TERN_BACKEND_OK || queue->flag.status != TERN_BACKEND_OK) return;
    queue->flag = *flag;
    discrete_raise_skip(queue);
}

static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    discrete *self = (discrete *)base;
    discrete_queue *own = discrete_find_queue(self, queue, err);
    if (!own) return TERN_BACKEND_INVALID;
    int32_t status = check_operands(self, kernel, inputs, n_inputs, err);
    if (status == TERN_BACKEND_OK) status = check_operands(self, kernel, outputs, n_outputs, err);
    if (status != TERN_BACKEND_OK) return status;
    tern_kit_flag flag = own->flag; /* what skips looks at it */
    status = tern_kit_run(&self->kit, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                          attrs_size, &flag, err);
    keep_flag(own, &flag);
    return status;
}

/* ---- plans ---- */

static int32_t prepare(tern_bdevice *base, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    discrete *self = (discrete *)base;
    test_plan *plan;
    int32_t status = test_plan_new(base, query, &plan, out_workspace, err);
    if (status != TERN_BACKEND_OK) return status;
    pthread_mutex_lock(&backend->lock);
    *out_plan = handle_new(&backend->plans, HANDLE_PLAN, backend->host, plan);
    if (*out_plan) self->live++;
    pthread_mutex_unlock(&backend->lock);
    if (*out_plan) return TERN_BACKEND_OK;
    test_plan_release(plan);
    return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
}

static test_plan *find_plan(discrete *self, const tern_bplan *plan) {
    pthread_mutex_lock(&backend->lock);
    test_plan *own = handle_find(&backend->plans, HANDLE_PLAN, plan);
    pthread_mutex_unlock(&backend->lock);
    return own && own->device == &self->kit.base ? own : NULL;
}

static int32_t launch_plan(tern_bdevice *base, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err) {
    discrete *self = (discrete *)base;
    discrete_queue *own = discrete_find_queue(self, queue, err);
    if (!own) return TERN_BACKEND_INVALID;
    test_plan *planned = find_plan(self, plan);
    if (!planned) return broken(self, "a launch of no plan of its own", err);
    int32_t status = check_operands(self, planned->kernel, inputs, n_inputs, err);
    if (status == TERN_BACKEND_OK)
        status = check_operands(self, planned->kernel, outputs, n_outputs, err);
    if (status != TERN_BACKEND_OK) return status;
    uint64_t room = workspace ? discrete_room(self, workspace) : 0;
    const char *fault = test_plan_fault(planned, inputs, n_inputs, outputs, n_outputs, workspace,
                                        workspace_offset, room);
    if (fault) return broken(self, fault, err);
    tern_kit_flag flag = {TERN_BACKEND_OK, ""};
    status = test_plan_run(planned, inputs, outputs, workspace, workspace_offset, &flag, err);
    keep_flag(own, &flag);
    return status == TERN_BACKEND_INVALID ? broken(self, err->message, err) : status;
}

static void plan_free(tern_bdevice *base, tern_bplan *plan) {
    discrete *self = (discrete *)base;
    tern_backend_error err;
    test_plan *own = find_plan(self, plan);
    if (!own) {
        broken(self, "what is freed is no plan of its own", &err);
        return;
    }
    pthread_mutex_lock(&backend->lock);
    handle_end(&backend->plans, plan);
    self->live--;
    pthread_mutex_unlock(&backend->lock);
    test_plan_release(own);
}

/* ---- the devices ---- */

static void close_device(tern_bdevice *base) {
    discrete *self = (discrete *)base;
    if (self->live) {
        char text[96];
        snprintf(text, sizeof text, "discrete:%d: closed with %llu objects alive", (int)self->index,
                 (unsigned long long)self->live);
        backend->host->log(TERN_BACKEND_LOG_WARNING, text);
    }
    discrete_memory_fini(self);
    tern_kit_device_fini(&self->kit);
    backend->host->free(self);
}

#define TABLE(shared)                                                                              \
    {                                                                                              \
        .struct_size = sizeof(tern_bdevice_vtable), .alignment = DISCRETE_ALIGNMENT,               \
        .speed = TERN_SPEED_REFERENCE, .suballocation = shared, .planned = {TEST_PLANNED},         \
        .close = close_device, .buffer_alloc = discrete_buffer_alloc,                              \
        .buffer_free = discrete_buffer_free, .memory_info = discrete_memory_info,                  \
        .host_alloc = discrete_host_alloc, .host_free = discrete_host_free,                        \
        .copy_to_device = discrete_copy_to_device, .copy_to_host = discrete_copy_to_host,          \
        .copy_between = discrete_copy_between, .queue_create = discrete_queue_create,              \
        .queue_destroy = discrete_queue_destroy, .queue_synchronize = discrete_queue_synchronize,  \
        .event_create = discrete_event_create, .event_destroy = discrete_event_destroy,            \
        .event_record = discrete_event_record, .event_wait = discrete_event_wait,                  \
        .event_synchronize = discrete_event_synchronize, .event_query = discrete_event_query,      \
        .take_error = discrete_take_error, .skip_flag = discrete_skip_flag,                        \
        .supports = tern_kit_supports, .launch = launch, .prepare = prepare,                       \
        .launch_plan = launch_plan, .plan_free = plan_free                                         \
    }

static const tern_bdevice_vtable tables[DISCRETE_DEVICES] = {TABLE(0), TABLE(4096)};

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = DISCRETE_DEVICES;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index < 0 || index >= DISCRETE_DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "discrete has two devices");
    return tern_kit_device_info(out_info, "host memory out of the host's reach", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index >= DISCRETE_DEVICES)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "discrete has two devices");
    discrete *self = backend->host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: out of memory");
    memset(self, 0, sizeof *self);
    self->index = index;
    if (!discrete_memory_init(self)) {
        backend->host->free(self);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "discrete: no address space");
    }
    tern_kit_device_init(&self->kit, &tables[index], backend->host, &discrete_memory);
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
    .name = "discrete",
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
