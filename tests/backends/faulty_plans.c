/* Plans of the faulty device: it asks for them where its bug is in one. A plan runs the kernel with the
 * attributes that it was prepared for. */
#include <string.h>

#include "cpu_ref/walk.h"
#include "faulty.h"

struct tern_bplan {
    int32_t kernel;
    uint32_t attrs_size;
    int32_t n_inputs, n_outputs;
    int32_t ranks[TERN_KIT_OPERANDS];
    int64_t shapes[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    int64_t strides[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
    char *kept; /* the contents of the last input at the first launch */
    uint64_t kept_bytes;
    unsigned char attrs[256];
};

static void keep_shape(tern_bplan *plan, int32_t at, const tern_operand *operand) {
    size_t bytes = (size_t)operand->rank * sizeof(int64_t);
    plan->ranks[at] = operand->rank;
    if (!bytes) return;
    memcpy(plan->shapes[at], operand->shape, bytes);
    memcpy(plan->strides[at], operand->strides, bytes);
}

int32_t faulty_prepare(tern_bdevice *base, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    faulty_device *self = (faulty_device *)base;
    tern_bplan *plan = self->kit.host->alloc(sizeof *plan);
    *out_workspace = 0;
    if (!plan || query->attrs_size > sizeof plan->attrs) {
        self->kit.host->free(plan);
        return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: no memory for a plan");
    }
    memset(plan, 0, sizeof *plan);
    plan->kernel = query->kernel;
    plan->attrs_size = query->attrs_size;
    plan->n_inputs = query->n_inputs;
    plan->n_outputs = query->n_outputs;
    memcpy(plan->attrs, query->attrs, query->attrs_size);
    for (int32_t i = 0; i < query->n_inputs; i++) keep_shape(plan, i, &query->inputs[i]);
    for (int32_t i = 0; i < query->n_outputs; i++)
        keep_shape(plan, query->n_inputs + i, &query->outputs[i]);
    if (!self->first[query->kernel]) self->first[query->kernel] = plan;
    *out_plan = plan;
    return TERN_BACKEND_OK;
}

/* The sizes of the first plan that was made for the kernel, where they lie within this launch's. */
static void take_first_sizes(launch_state *state, const tern_bplan *first) {
    bool same = first->n_inputs == state->n_inputs && first->n_outputs == state->n_outputs;
    for (int32_t i = 0; same && i < state->n_inputs + state->n_outputs; i++) {
        same = first->ranks[i] == state->operands[i].rank;
        for (int32_t d = 0; same && d < first->ranks[i]; d++)
            same = first->shapes[i][d] <= state->shapes[i][d];
    }
    for (int32_t i = 0; same && i < state->n_inputs + state->n_outputs; i++)
        memcpy(state->shapes[i], first->shapes[i], sizeof state->shapes[i]);
}

/* What the last input held at the plan's first launch, in place of what it holds now. */
static void take_kept(faulty_device *self, launch_state *state, tern_bplan *plan,
                      tern_bbuffer *room) {
    tern_operand *operand = &state->operands[state->n_inputs - 1];
    const tern_bbuffer *buffer = operand->buffer;
    if (!plan->kept) {
        plan->kept = self->kit.host->alloc((size_t)buffer->bytes);
        plan->kept_bytes = buffer->bytes;
        if (plan->kept) memcpy(plan->kept, buffer->memory, (size_t)buffer->bytes);
    }
    if (!plan->kept || plan->kept_bytes != buffer->bytes) return;
    *room = (tern_bbuffer){plan->kept, plan->kept_bytes, NULL};
    operand->buffer = room;
}

int32_t faulty_launch_plan(tern_bdevice *base, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err) {
    (void)queue, (void)workspace, (void)workspace_offset;
    faulty_device *self = (faulty_device *)base;
    launch_state state = {.kernel = plan->kernel};
    tern_bbuffer room;
    if (!state_fill(&state, inputs, n_inputs, outputs, n_outputs, plan->attrs, plan->attrs_size))
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "faulty: a launch too large");
    const tern_bplan *first = self->first[plan->kernel];
    if (self->bug == BUG_PLAN_OF_FIRST_SHAPE && first) take_first_sizes(&state, first);
    if (self->bug == BUG_PLAN_KEEPS_OPERANDS) take_kept(self, &state, plan, &room);
    return faulty_run(self, &state, err);
}

void faulty_plan_free(tern_bdevice *base, tern_bplan *plan) {
    faulty_device *self = (faulty_device *)base;
    if (self->first[plan->kernel] == plan) self->first[plan->kernel] = NULL;
    self->kit.host->free(plan->kept);
    self->kit.host->free(plan);
}
