/* The faulty device: see faulty.h. It works synchronously, in host memory, for one thread. */
#define _POSIX_C_SOURCE 200809L /* sleep */
#include "faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_ref/walk.h"
#include "numerics/dtype_convert.h"

typedef struct device {
    tern_kit_device kit;
    bool bugs[BUG_COUNT];
    struct { /* an upload that has not arrived; dst NULL: none */
        tern_bbuffer *dst;
        uint64_t offset, bytes;
        void *data;
    } late;
} device;

static const tern_host *host;

static void deliver(device *self) {
    if (self->late.dst) {
        memcpy(self->late.dst->memory + self->late.offset, self->late.data, self->late.bytes);
    }
    host->free(self->late.data);
    memset(&self->late, 0, sizeof self->late);
}

static int32_t buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)base;
    tern_bbuffer *buffer = bytes <= SIZE_MAX / 2 ? host->alloc(sizeof *buffer) : NULL;
    char *memory = buffer ? host->alloc((size_t)bytes) : NULL;
    if (!memory) {
        host->free(buffer);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    }
    *buffer = (tern_bbuffer){memory, bytes};
    *out_buffer = buffer;
    return TERN_BACKEND_OK;
}

static void buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)queue;
    device *self = (device *)base;
    if (self->late.dst == buffer) self->late.dst = NULL;
    host->free(buffer->memory);
    host->free(buffer);
}

static int32_t copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    (void)queue;
    device *self = (device *)base;
    deliver(self);
    if (!self->bugs[BUG_STALE_UPLOAD]) {
        memcpy(dst->memory + dst_offset, src, (size_t)bytes);
        return TERN_BACKEND_OK;
    }
    self->late.data = host->alloc((size_t)bytes);
    if (!self->late.data) {
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    }
    memcpy(self->late.data, src, (size_t)bytes);
    self->late.dst = dst;
    self->late.offset = dst_offset;
    self->late.bytes = bytes;
    return TERN_BACKEND_OK;
}

static int32_t copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)queue, (void)err;
    device *self = (device *)base;
    deliver(self);
    if (self->bugs[BUG_SHORT_DOWNLOAD]) bytes--;
    memcpy(dst, src->memory + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}

/* The launch with arrays of its own, so that bugs can bend them. */
static void keep(launch_state *state, const tern_operand *operands, int32_t count, int32_t first) {
    for (int32_t i = 0; i < count; i++) {
        tern_operand *kept = &state->operands[first + i];
        *kept = operands[i];
        for (int32_t d = 0; d < kept->rank; d++) {
            state->shapes[first + i][d] = operands[i].shape[d];
            state->strides[first + i][d] = operands[i].strides[d];
        }
        kept->shape = state->shapes[first + i];
        kept->strides = state->strides[first + i];
    }
}

/* Immediates become operands that are read at every position, so that bugs bend them too. Only maps
 * have them, of at most three inputs. */
static void give_memory(launch_state *state) {
    const tern_operand *out = &state->operands[state->n_inputs];
    for (int32_t i = 0; i < state->n_inputs && i < 3; i++) {
        tern_operand *operand = &state->operands[i];
        if (operand->buffer) continue;
        if (tern_kit_is_floating(operand->dtype))
            tern_num_store_f64(operand->dtype, &state->values[i], 0, operand->at.f);
        else
            tern_num_store_i64(operand->dtype, &state->values[i], 0, operand->at.i);
        state->cells[i] = (tern_bbuffer){(char *)&state->values[i], sizeof state->values[i]};
        operand->buffer = &state->cells[i];
        operand->at.byte_offset = 0;
        operand->rank = out->rank;
        for (int32_t d = 0; d < out->rank; d++) {
            state->shapes[i][d] = out->shape[d];
            state->strides[i][d] = 0;
        }
    }
}

/* Where the last element of the output lies, when the bug drops it; else NULL. */
static char *dropped_element(const launch_state *state) {
    const tern_operand *out = &state->operands[state->n_inputs];
    int64_t count = 1, last = 0;
    for (int32_t d = 0; d < out->rank; d++) {
        count *= out->shape[d];
        last += (out->shape[d] - 1) * out->strides[d];
    }
    bool map = state->kernel >= TERN_KERNEL_FILL && state->kernel <= TERN_KERNEL_TERNARY;
    if (!state->bugs[BUG_DROPPED_TAIL] || !map || count % 4 == 0) return NULL;
    return out->buffer->memory + out->at.byte_offset + last * tern_kit_size(out->dtype);
}

static int32_t run(launch_state *state, tern_backend_error *err) {
    const tern_operand *out = &state->operands[state->n_inputs];
    bool map = state->kernel >= TERN_KERNEL_FILL && state->kernel <= TERN_KERNEL_TERNARY;
    if (state->bugs[BUG_UNWRITTEN_SCALAR] && map && out->rank == 0) return TERN_BACKEND_OK;
    char before[8], *dropped = dropped_element(state);
    size_t size = (size_t)tern_kit_size(out->dtype);
    if (dropped) memcpy(before, dropped, size);
    int32_t status = run_with_wrong_numbers(state, err);
    if (dropped) memcpy(dropped, before, size);
    return status;
}

static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    (void)queue;
    device *self = (device *)base;
    launch_state state = {.device = &self->kit,
                          .bugs = self->bugs,
                          .kernel = kernel,
                          .n_inputs = n_inputs,
                          .n_outputs = n_outputs,
                          .attrs_size = attrs_size};
    if (n_inputs + n_outputs > TERN_KIT_OPERANDS || attrs_size > sizeof state.attrs) {
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty: a launch too large");
    }
    keep(&state, inputs, n_inputs, 0);
    keep(&state, outputs, n_outputs, n_inputs);
    give_memory(&state);
    if (attrs_size) memcpy(&state.attrs, attrs, attrs_size);
    if (kernel == TERN_KERNEL_SORT && self->bugs[BUG_CRASHES]) abort();
    while (kernel == TERN_KERNEL_SORT && self->bugs[BUG_HANGS]) sleep(1);
    bend_operands(&state);
    bend_attrs(&state);
    int32_t status = run(&state, err);
    if (self->bugs[BUG_STALE_UPLOAD]) deliver(self);
    bool division = strcmp(state.flag.message, "ZeroDivisionError") == 0;
    if (self->bugs[division ? BUG_DIVISION_UNCHECKED : BUG_INDEX_UNCHECKED]) return status;
    return status == TERN_BACKEND_OK ? tern_kit_take_flag(&state.flag, err) : status;
}

static void close_device(tern_bdevice *base) {
    device *self = (device *)base;
    tern_kit_device_fini(&self->kit);
    host->free(self->late.data);
    host->free(self);
}

static void *reach(tern_bdevice *base, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)base, (void)err;
    return buffer->memory;
}

static const tern_kit_memory memory = {reach, NULL};

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
    .supports = tern_kit_supports,
    .launch = launch,
};

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = 1 + BUG_COUNT;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index < 0 || index > BUG_COUNT)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty has no device %d", (int)index);
    char name[sizeof out_info->name] = "no bug";
    bug which = (bug)(index - 1);
    if (index) snprintf(name, sizeof name, "%s: %s", bug_name(which), bug_text(which));
    return tern_kit_device_info(out_info, name, "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index > BUG_COUNT)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty has no device %d", (int)index);
    device *self = host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    memset(self, 0, sizeof *self);
    tern_kit_device_init(&self->kit, &vtable, host, &memory);
    /* A program would pass by the members that have the faults. */
    tern_kit_replace(&self->kit, TERN_KERNEL_MAP, NULL);
    if (index) self->bugs[index - 1] = true;
    *out_device = &self->kit.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "faulty",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .can_unload = 1,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
