/* The faulty device: see faulty.h. It works synchronously, in host memory, for one thread. */
#define _POSIX_C_SOURCE 200809L /* sleep */
#include "faulty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_ref/walk.h"
#include "numerics/dtype_convert.h"

static const tern_host *host;

/* ---- launches -------------------------------------------------------------------------------- */

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

/* Immediates of the first inputs become operands that are read at every position, so that bugs bend them
 * too. A program's may be further behind: the kit reads those. */
static void give_memory(launch_state *state) {
    const tern_operand *out = &state->operands[state->n_inputs];
    for (int32_t i = 0; i < state->n_inputs && i < 3; i++) {
        tern_operand *operand = &state->operands[i];
        if (operand->buffer) continue;
        if (tern_kit_is_floating(operand->dtype))
            tern_num_store_f64(operand->dtype, &state->values[i], 0, operand->at.f);
        else
            tern_num_store_i64(operand->dtype, &state->values[i], 0, operand->at.i);
        state->cells[i] = (tern_bbuffer){(char *)&state->values[i], sizeof state->values[i], NULL};
        operand->buffer = &state->cells[i];
        operand->at.byte_offset = 0;
        operand->rank = out->rank;
        for (int32_t d = 0; d < out->rank; d++) {
            state->shapes[i][d] = out->shape[d];
            state->strides[i][d] = 0;
        }
    }
}

bool state_fill(launch_state *state, const tern_operand *inputs, int32_t n_inputs,
                const tern_operand *outputs, int32_t n_outputs, const void *attrs,
                uint32_t attrs_size) {
    if (n_inputs + n_outputs > TERN_KIT_OPERANDS || attrs_size > sizeof state->attrs) return false;
    state->n_inputs = n_inputs;
    state->n_outputs = n_outputs;
    state->attrs_size = attrs_size;
    keep(state, inputs, n_inputs, 0);
    keep(state, outputs, n_outputs, n_inputs);
    give_memory(state);
    if (attrs_size) memcpy(&state->attrs, attrs, attrs_size);
    return true;
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
    if (state->bug != BUG_DROPPED_TAIL || !map || count % 4 == 0) return NULL;
    return out->buffer->memory + out->at.byte_offset + last * tern_kit_size(out->dtype);
}

static int32_t run(launch_state *state, tern_backend_error *err) {
    const tern_operand *out = &state->operands[state->n_inputs];
    bool map = state->kernel >= TERN_KERNEL_FILL && state->kernel <= TERN_KERNEL_TERNARY;
    if (state->bug == BUG_UNWRITTEN_SCALAR && map && out->rank == 0) return TERN_BACKEND_OK;
    char before[8], *dropped = dropped_element(state);
    size_t size = (size_t)tern_kit_size(out->dtype);
    if (dropped) memcpy(before, dropped, size);
    int32_t status = run_with_wrong_numbers(state, err);
    if (dropped) memcpy(dropped, before, size);
    return status;
}

/* The error that the launch has met, unless the bug is silent about it. */
static int32_t take_error(faulty_device *self, launch_state *state, tern_backend_error *err) {
    bool division = strcmp(state->flag.message, "ZeroDivisionError") == 0;
    if (self->bug == (division ? BUG_DIVISION_UNCHECKED : BUG_INDEX_UNCHECKED))
        return TERN_BACKEND_OK;
    int32_t status = tern_kit_take_flag(&state->flag, err);
    if (status != TERN_BACKEND_OK) self->error = *err;
    return status;
}

int32_t faulty_run(faulty_device *self, launch_state *state, tern_backend_error *err) {
    const defect *d = self->defect;
    state->device = &self->kit;
    state->bug = self->bug;
    bool concerned =
        d && d->kernel == state->kernel && (d->member == 0 || d->member == launch_member(state));
    state->defect = concerned ? d : NULL;
    if (state->kernel == TERN_KERNEL_SORT && self->bug == BUG_CRASHES) abort();
    while (state->kernel == TERN_KERNEL_SORT && self->bug == BUG_HANGS) sleep(1);
    if (self->bug == BUG_ERROR_REPEATED && self->error.message[0]) {
        *err = self->error;
        return TERN_BACKEND_BAD_INDEX;
    }
    bend_operands(state);
    int32_t status = run(state, err);
    return status == TERN_BACKEND_OK ? take_error(self, state, err) : status;
}

/* Keeps the launch for later, where the bug is that nobody waits for it. */
static int32_t put_off(faulty_device *self, launch_state *state, tern_backend_error *err) {
    launch_state *pending = host->alloc(sizeof *pending);
    if (!pending) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    *pending = *state;
    for (int32_t i = 0; i < state->n_inputs + state->n_outputs; i++) {
        tern_operand *operand = &pending->operands[i];
        if (i < 3 && operand->buffer == &state->cells[i]) {
            operand->buffer = &pending->cells[i];
            pending->cells[i].memory = (char *)&pending->values[i];
        }
        operand->shape = pending->shapes[i];
        operand->strides = pending->strides[i];
    }
    self->pending = pending;
    return TERN_BACKEND_OK;
}

void faulty_catch_up(faulty_device *self) {
    tern_backend_error err;
    launch_state *pending = self->pending;
    self->pending = NULL;
    if (pending) faulty_run(self, pending, &err);
    host->free(pending);
    if (self->late.dst)
        memcpy(self->late.dst->memory + self->late.offset, self->late.data, self->late.bytes);
    host->free(self->late.data);
    memset(&self->late, 0, sizeof self->late);
}

static int32_t launch_one(faulty_device *self, int32_t kernel, const tern_operand *inputs,
                          int32_t n_inputs, const tern_operand *outputs, int32_t n_outputs,
                          const void *attrs, uint32_t attrs_size, tern_backend_error *err) {
    launch_state state = {.kernel = kernel};
    if (!state_fill(&state, inputs, n_inputs, outputs, n_outputs, attrs, attrs_size))
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty: a launch too large");
    if (self->bug == BUG_LATE_LAUNCH) {
        faulty_catch_up(self);
        return put_off(self, &state, err);
    }
    int32_t status = faulty_run(self, &state, err);
    faulty_catch_up(self); /* an upload that came too late for this launch */
    return status;
}

/* A program's tuples, each a launch of its own. */
static int32_t launch_tuples(faulty_device *self, const tern_operand *inputs,
                             const tern_operand *outputs, int32_t n_outputs,
                             const tern_map_attrs *program, uint32_t attrs_size,
                             tern_backend_error *err) {
    int32_t in = program->n_inputs, out = program->n_outputs, tuples = n_outputs / out;
    int32_t status = TERN_BACKEND_OK;
    if (self->bug == BUG_LAST_TUPLE_DROPPED && tuples > 1) tuples--;
    for (int32_t t = 0; t < tuples && status == TERN_BACKEND_OK; t++) {
        tern_operand own[TERN_KIT_OPERANDS];
        for (int32_t i = 0; i < in && i < TERN_KIT_OPERANDS; i++) {
            own[i] = inputs[(ptrdiff_t)t * in + i];
            if (self->bug == BUG_FIRST_NUMBERS_FOR_ALL && !own[i].buffer) own[i].at = inputs[i].at;
        }
        status = launch_one(self, TERN_KERNEL_MAP, own, in, outputs + (ptrdiff_t)t * out, out,
                            program, attrs_size, err);
    }
    return status;
}

static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    (void)queue;
    faulty_device *self = (faulty_device *)base;
    if (kernel == TERN_KERNEL_MAP)
        return launch_tuples(self, inputs, outputs, n_outputs, attrs, attrs_size, err);
    return launch_one(self, kernel, inputs, n_inputs, outputs, n_outputs, attrs, attrs_size, err);
}

/* ---- the device ------------------------------------------------------------------------------ */

static void close_device(tern_bdevice *base) {
    faulty_device *self = (faulty_device *)base;
    faulty_catch_up(self);
    tern_kit_device_fini(&self->kit);
    host->free(self);
}

static void *reach(tern_bdevice *base, tern_bbuffer *buffer, tern_backend_error *err) {
    (void)base, (void)err;
    return buffer->memory;
}

static const tern_kit_memory memory = {reach, NULL};

#define SLOTS                                                                                      \
    .struct_size = sizeof(tern_bdevice_vtable), .alignment = 64, .speed = TERN_SPEED_REFERENCE,    \
    .close = close_device, .buffer_alloc = faulty_buffer_alloc, .buffer_free = faulty_buffer_free, \
    .copy_to_device = faulty_copy_to_device, .copy_to_host = faulty_copy_to_host,                  \
    .supports = tern_kit_supports, .launch = launch

static const tern_bdevice_vtable plain = {SLOTS};

/* Plans for products, reductions and convolutions. */
static const tern_bdevice_vtable planning = {
    SLOTS,
    .planned = {UINT64_C(1) << TERN_KERNEL_MATMUL | UINT64_C(1) << TERN_KERNEL_REDUCE |
                UINT64_C(1) << TERN_KERNEL_CONV},
    .prepare = faulty_prepare,
    .launch_plan = faulty_launch_plan,
    .plan_free = faulty_plan_free,
};

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = 1 + defect_count();
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    const defect *d = defect_at(index - 1);
    char name[sizeof out_info->name] = "no defect";
    if (index < 0 || (index > 0 && !d))
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty has no device %d", (int)index);
    if (d) snprintf(name, sizeof name, "defect %s: %s", d->name, d->text);
    return tern_kit_device_info(out_info, name, "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    const defect *d = defect_at(index - 1);
    if (index < 0 || (index > 0 && !d))
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty has no device %d", (int)index);
    faulty_device *self = host->alloc(sizeof *self);
    if (!self) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    memset(self, 0, sizeof *self);
    self->bug = d && index - 1 < BUG_WITH_CODE ? (bug)(index - 1) : BUG_WITH_CODE;
    self->defect = d;
    bool plans = self->bug >= BUG_PLAN_OF_FIRST_SHAPE && self->bug <= BUG_PLAN_KEEPS_OPERANDS;
    tern_kit_device_init(&self->kit, plans ? &planning : &plain, host, &memory);
    /* A fused kernel would pass by the members that have the bug. */
    for (int32_t id = TERN_KERNEL_FUSED; id < TERN_KIT_KERNELS; id++)
        if (d && d->kernel < TERN_KERNEL_FUSED) tern_kit_replace(&self->kit, id, NULL);
    tern_kit_replace(&self->kit, TERN_KERNEL_REDUCE_LIST, NULL); /* a state has no room for lists */
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
