/* The bugs that change numbers: of an input before the kernel, of the output behind it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu_ref/walk.h"
#include "faulty.h"
#include "numerics/dtype_convert.h"

static double flush(double x) {
    return fabs(x) < (double)FLT_MIN ? 0 : x;
}
static double positive_zero(double x) {
    return x == 0 ? 0 : x;
}
static double saturate(double x) {
    return isinf(x) ? copysign(65504, x) : x;
}

static tern_kit_tensor tensor_of(const tern_operand *operand) {
    return tern_kit_tensor_over(operand->buffer->memory + operand->at.byte_offset, operand->dtype,
                                operand->rank, operand->shape, operand->strides);
}

/* x = f(x) for every element of the operand; f works on what the dtype holds. */
static void map(const tern_operand *operand, number_fn f) {
    tern_kit_tensor tensor = tensor_of(operand);
    const tern_kit_tensor *operands[] = {&tensor};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 1, 0);
    do {
        void *at = tern_kit_at(&tensor, walk.offset[0]);
        double x;
        tern_kit_load_f64(tensor.dtype, at, 1, 1, &x);
        x = f(x);
        tern_kit_store_f64(tensor.dtype, at, 1, 1, &x);
    } while (tern_kit_walk_next(&walk));
}

/* position = last - position, for what was found in a flipped dimension. */
static void flip_positions(const tern_operand *operand, int64_t last) {
    tern_kit_tensor tensor = tensor_of(operand);
    const tern_kit_tensor *operands[] = {&tensor};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 1, 0);
    do {
        int64_t *position = tern_kit_at(&tensor, walk.offset[0]);
        *position = last - *position;
    } while (tern_kit_walk_next(&walk));
}

static int32_t run(launch_state *state, tern_backend_error *err) {
    return tern_kit_run(state->device, state->kernel, state->operands, state->n_inputs,
                        state->operands + state->n_inputs, state->n_outputs, &state->attrs,
                        state->attrs_size, &state->flag, err);
}

/*
 * Puts a contiguous tensor of `dtype` in the place of an operand, with the operand's values where
 * `filled`. Returns its memory, which the caller frees, NULL without memory.
 */
static char *substitute(launch_state *state, int32_t which, int32_t dtype, bool filled,
                        tern_bbuffer *buffer) {
    tern_operand *operand = &state->operands[which], original = *operand;
    int64_t original_strides[TERN_BACKEND_MAX_RANK], step = 1;
    original.strides = original_strides;
    for (int32_t d = operand->rank - 1; d >= 0; d--) {
        original_strides[d] = operand->strides[d];
        state->strides[which][d] = step;
        step *= operand->shape[d];
    }
    uint64_t bytes = (uint64_t)(step * tern_kit_size(dtype));
    *buffer = (tern_bbuffer){state->device->host->alloc((size_t)bytes), bytes, NULL};
    if (!buffer->memory) return NULL;
    *operand = (tern_operand){.buffer = buffer,
                              .dtype = dtype,
                              .rank = operand->rank,
                              .shape = operand->shape,
                              .strides = operand->strides};
    tern_backend_error err;
    if (filled) {
        tern_kit_run(state->device, TERN_KERNEL_COPY, &original, 1, operand, 1, NULL, 0,
                     &state->flag, &err);
    }
    return buffer->memory;
}

/* The kernel over f(input). */
static int32_t run_mapped(launch_state *state, int32_t which, number_fn f,
                          tern_backend_error *err) {
    tern_bbuffer buffer;
    char *memory = substitute(state, which, state->operands[which].dtype, true, &buffer);
    if (!memory) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    map(&state->operands[which], f);
    int32_t status = run(state, err);
    state->device->host->free(memory);
    return status;
}

/* Cuts float32 results to bfloat16 instead of rounding them. */
static void store_truncated(const tern_operand *from, const tern_operand *to) {
    tern_kit_tensor wide = tensor_of(from), narrow = tensor_of(to);
    const tern_kit_tensor *operands[] = {&narrow, &wide};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, 0);
    do {
        const float *x = tern_kit_at(&wide, walk.offset[1]);
        uint16_t *bits = tern_kit_at(&narrow, walk.offset[0]);
        *bits = isnan(*x) ? 0x7fc0 : (uint16_t)(tern_num_float_bits(*x) >> 16);
    } while (tern_kit_walk_next(&walk));
}

static int32_t run_truncated(launch_state *state, tern_backend_error *err) {
    int32_t out = state->n_inputs;
    int64_t strides[TERN_BACKEND_MAX_RANK];
    tern_operand original = state->operands[out];
    for (int32_t d = 0; d < original.rank; d++) strides[d] = original.strides[d];
    original.strides = strides;
    tern_bbuffer buffers[3];
    char *memory[3] = {NULL, NULL, NULL};
    bool done = true;
    for (int32_t i = 0; i <= out && done; i++) {
        memory[i] = substitute(state, i, TERN_BT_FLOAT32, i < out, &buffers[i]);
        done = memory[i] != NULL;
    }
    int32_t status = done ? run(state, err)
                          : tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "faulty: out of memory");
    if (done && status == TERN_BACKEND_OK) store_truncated(&state->operands[out], &original);
    state->operands[out] = original;
    for (int i = 0; i < 3; i++) state->device->host->free(memory[i]);
    return status;
}

/* Reads the dimensions in the mask backwards. Returns the last position in them. */
static int64_t flip(launch_state *state, uint32_t dims) {
    tern_operand *in = &state->operands[0];
    int64_t count = 1;
    for (int32_t d = 0; d < in->rank; d++) {
        if (!(dims >> d & 1u)) continue;
        int64_t reach = (in->shape[d] - 1) * in->strides[d] * tern_kit_size(in->dtype);
        in->at.byte_offset += (uint64_t)reach;
        state->strides[0][d] = -state->strides[0][d];
        count *= in->shape[d];
    }
    return count - 1;
}

static int32_t run_flipped(launch_state *state, uint32_t dims, int32_t positions,
                           tern_backend_error *err) {
    int64_t last = flip(state, dims);
    int32_t status = run(state, err);
    if (status == TERN_BACKEND_OK)
        flip_positions(&state->operands[state->n_inputs + positions], last);
    return status;
}

static bool is_argument(const launch_state *state) {
    int32_t member = launch_member(state);
    return state->kernel == TERN_KERNEL_REDUCE &&
           (member == TERN_REDUCE_ARGMAX || member == TERN_REDUCE_ARGMIN);
}

static int32_t run_bent(launch_state *state, tern_backend_error *err) {
    const defect *d = state->defect;
    const tern_operand *out = &state->operands[state->n_inputs];
    bool maps = state->kernel == TERN_KERNEL_UNARY || state->kernel == TERN_KERNEL_BINARY;
    if (state->bug == BUG_ARGMAX_LAST && is_argument(state))
        return run_flipped(state, state->attrs.reduce.dims, 0, err);
    if (state->bug == BUG_SORT_UNSTABLE && state->kernel == TERN_KERNEL_SORT && out->rank > 0)
        return run_flipped(state, 1u << state->attrs.sort.dim, 1, err);
    if (state->bug == BUG_BFLOAT16_TRUNCATES && maps && out->dtype == TERN_BT_BFLOAT16 &&
        state->operands[0].dtype == TERN_BT_BFLOAT16)
        return run_truncated(state, err);
    if (state->bug == BUG_COPY_ROUNDS && state->kernel == TERN_KERNEL_COPY &&
        tern_kit_is_floating(state->operands[0].dtype) && !tern_kit_is_floating(out->dtype))
        return run_mapped(state, 0, round, err);
    return d && d->before ? run_mapped(state, d->input, d->before, err) : run(state, err);
}

int32_t run_with_wrong_numbers(launch_state *state, tern_backend_error *err) {
    const defect *d = state->defect;
    if (d && d->bend) d->bend(state);
    if (d && d->instead) state->attrs.member.fn = d->instead;
    int32_t status = run_bent(state, err);
    const tern_operand *out = &state->operands[state->n_inputs];
    if (status != TERN_BACKEND_OK) return status;
    if (d && d->after) map(out, d->after);
    if (!tern_kit_is_floating(out->dtype)) return status;

    bool maps = state->kernel == TERN_KERNEL_UNARY || state->kernel == TERN_KERNEL_BINARY;
    if (maps && state->bug == BUG_DENORMALS_FLUSHED && out->dtype == TERN_BT_FLOAT32)
        map(out, flush);
    if (maps && state->bug == BUG_NEGATIVE_ZERO_LOST) map(out, positive_zero);
    if (state->bug == BUG_HALF_SATURATES && out->dtype == TERN_BT_FLOAT16) map(out, saturate);
    return status;
}
