/* The bugs that bend a launch's operands. */
#include <string.h>

#include "cpu_ref/walk.h"
#include "faulty.h"

int32_t launch_member(const launch_state *state) {
    switch (state->kernel) {
    case TERN_KERNEL_UNARY:
    case TERN_KERNEL_BINARY:
    case TERN_KERNEL_TERNARY:
    case TERN_KERNEL_REDUCE:
    case TERN_KERNEL_SCAN:
    case TERN_KERNEL_NORM:
    case TERN_KERNEL_CROSS_ENTROPY:
    case TERN_KERNEL_RECURRENT: return state->attrs.member.fn;
    default: return 0;
    }
}

/* The last byte that the operand's strides reach lies in its buffer. */
static bool fits(const tern_operand *operand) {
    int64_t last = 0;
    for (int32_t d = 0; d < operand->rank; d++) {
        last += (operand->shape[d] - 1) * operand->strides[d];
    }
    uint64_t end = operand->at.byte_offset + (uint64_t)((last + 1) * tern_kit_size(operand->dtype));
    return end <= operand->buffer->bytes;
}

/* New strides, taken back where they would leave the buffer. */
static void restride(launch_state *state, int32_t which, const int64_t *strides) {
    int64_t *own = state->strides[which], before[TERN_BACKEND_MAX_RANK];
    size_t bytes = (size_t)state->operands[which].rank * sizeof *own;
    if (!bytes) return;
    memcpy(before, own, bytes);
    memcpy(own, strides, bytes);
    if (!fits(&state->operands[which])) memcpy(own, before, bytes);
}

static void make_contiguous(launch_state *state, int32_t which) {
    int64_t strides[TERN_BACKEND_MAX_RANK], step = 1;
    const tern_operand *operand = &state->operands[which];
    for (int32_t d = operand->rank - 1; d >= 0; d--) {
        if (operand->strides[d] == 0 && operand->shape[d] > 1) return; /* a broadcast */
        strides[d] = step;
        step *= operand->shape[d];
    }
    restride(state, which, strides);
}

static void broadcast_by_one(launch_state *state, int32_t which) {
    int64_t strides[TERN_BACKEND_MAX_RANK];
    const tern_operand *operand = &state->operands[which];
    for (int32_t d = 0; d < operand->rank; d++) {
        bool broadcast = operand->strides[d] == 0 && operand->shape[d] > 1;
        strides[d] = broadcast ? 1 : operand->strides[d];
    }
    restride(state, which, strides);
}

static bool is_map(int32_t kernel) {
    return kernel >= TERN_KERNEL_FILL && kernel <= TERN_KERNEL_TERNARY;
}

static void bend_dtypes(launch_state *state) {
    bool arithmetic = state->kernel == TERN_KERNEL_BINARY || state->kernel == TERN_KERNEL_TERNARY ||
                      state->kernel == TERN_KERNEL_REDUCE || state->kernel == TERN_KERNEL_COPY;
    for (int32_t i = 0; arithmetic && state->bug == BUG_UNSIGNED_AS_SIGNED && i < state->n_inputs;
         i++) {
        if (state->operands[i].dtype == TERN_BT_UINT8) state->operands[i].dtype = TERN_BT_INT8;
    }
    tern_operand *out = &state->operands[state->n_inputs];
    if (state->bug == BUG_BOOL_BY_LOW_BYTE && state->kernel == TERN_KERNEL_COPY &&
        out->dtype == TERN_BT_BOOL) {
        out->dtype = TERN_BT_UINT8;
    }
}

void bend_operands(launch_state *state) {
    int32_t out = state->n_inputs;
    if (state->bug == BUG_IGNORED_STRIDE && state->n_inputs > 0) make_contiguous(state, 0);
    if (state->bug == BUG_IGNORED_OUTPUT_STRIDE) make_contiguous(state, out);
    for (int32_t i = 0; i < state->n_inputs; i++) {
        bool copied = state->bug == BUG_COPY_FROM_START && state->kernel == TERN_KERNEL_COPY;
        if (copied || state->bug == BUG_IGNORED_OFFSET) state->operands[i].at.byte_offset = 0;
        if (state->bug == BUG_WRONG_BROADCAST) broadcast_by_one(state, i);
    }
    if (state->bug == BUG_DROPPED_RANK && is_map(state->kernel) && state->operands[out].rank > 4) {
        for (int32_t i = 0; i <= state->n_inputs; i++) state->shapes[i][0] = 1;
    }
    bend_dtypes(state);
    if (state->bug == BUG_MATMUL_ODD_K && state->kernel == TERN_KERNEL_MATMUL) {
        int64_t *k = &state->shapes[0][state->operands[0].rank - 1];
        if (*k > 1 && *k % 2) --*k;
    }
    if (state->bug == BUG_REDUCE_OFF_BY_ONE && state->kernel == TERN_KERNEL_REDUCE) {
        uint32_t dims = state->attrs.reduce.dims;
        for (int32_t d = state->operands[0].rank - 1; d >= 0; d--) {
            if (!(dims >> d & 1u) || state->shapes[0][d] < 2) continue;
            state->shapes[0][d]--;
            break;
        }
    }
}
