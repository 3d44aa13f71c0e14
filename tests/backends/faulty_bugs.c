/* The table of bugs, and those of them that bend a launch's operands and attributes. */
#include <math.h>
#include <string.h>

#include "cpu_ref/walk.h"
#include "faulty.h"

static const struct {
    const char *name, *text;
} bugs[BUG_COUNT] = {
    [BUG_IGNORED_STRIDE] = {"ignored_stride", "the first input is read as if contiguous"},
    [BUG_IGNORED_OUTPUT_STRIDE] = {"ignored_output_stride", "outputs are written as if contiguous"},
    [BUG_IGNORED_OFFSET] = {"ignored_offset", "inputs are read from the start of their buffer"},
    [BUG_WRONG_BROADCAST] = {"wrong_broadcast", "stride 0 is taken for 1"},
    [BUG_DROPPED_TAIL] = {"dropped_tail", "a last element beyond a multiple of 4 is not written"},
    [BUG_DROPPED_RANK] = {"dropped_rank", "of rank 5 and more only the first slice is computed"},
    [BUG_UNWRITTEN_SCALAR] = {"unwritten_scalar", "0-dim outputs are not written"},
    [BUG_UNSIGNED_AS_SIGNED] = {"unsigned_as_signed", "uint8 inputs are read as int8"},
    [BUG_FILL_THROUGH_FLOAT] = {"fill_through_float", "integer fills go through float32"},
    [BUG_BOOL_BY_LOW_BYTE] = {"bool_by_low_byte", "a conversion to bool keeps the low byte"},
    [BUG_COPY_ROUNDS] = {"copy_rounds", "float to integer rounds instead of truncating"},
    [BUG_BFLOAT16_TRUNCATES] = {"bfloat16_truncates", "bfloat16 results are cut, not rounded"},
    [BUG_HALF_SATURATES] = {"half_saturates", "float16 overflow gives 65504 instead of inf"},
    [BUG_NAN_LOSES_MAXIMUM] = {"nan_loses_maximum", "maximum and minimum drop NaN"},
    [BUG_NAN_LOSES_RELU] = {"nan_loses_relu", "relu turns NaN into 0"},
    [BUG_NAN_LOSES_REDUCTION] = {"nan_loses_reduction", "max and min reductions skip NaN"},
    [BUG_DENORMALS_FLUSHED] = {"denormals_flushed", "denormal float32 results become 0"},
    [BUG_NEGATIVE_ZERO_LOST] = {"negative_zero_lost", "-0 becomes 0 in maps"},
    [BUG_FLOOR_TRUNCATES] = {"floor_truncates", "floor division rounds toward zero"},
    [BUG_REMAINDER_OF_DIVIDEND] = {"remainder_of_dividend", "remainder has the dividend's sign"},
    [BUG_ROUND_HALF_UP] = {"round_half_up", "round takes halves up instead of to even"},
    [BUG_EXPM1_CANCELS] = {"expm1_cancels", "expm1 is exp(x) - 1"},
    [BUG_LOG1P_CANCELS] = {"log1p_cancels", "log1p is log(1 + x)"},
    [BUG_EQUAL_FORGOTTEN] = {"equal_forgotten", "<= and >= are < and >"},
    [BUG_ALPHA_IGNORED] = {"alpha_ignored", "add and sub ignore alpha"},
    [BUG_ARGMAX_LAST] = {"argmax_last", "argmax and argmin take the last of equals"},
    [BUG_REDUCE_OFF_BY_ONE] = {"reduce_off_by_one", "reductions leave out the last element"},
    [BUG_VAR_WITHOUT_CORRECTION] = {"var_without_correction", "var divides by n"},
    [BUG_MATMUL_BETA_IGNORED] = {"matmul_beta_ignored", "matmul takes beta for 1 unless it is 0"},
    [BUG_MATMUL_ALPHA_IGNORED] = {"matmul_alpha_ignored", "matmul takes alpha for 1"},
    [BUG_MATMUL_ODD_K] = {"matmul_odd_k", "matmul drops the last term of an odd count"},
    [BUG_SCATTER_OVERWRITES] = {"scatter_overwrites",
                                "scatter and index_put set instead of adding"},
    [BUG_INDEX_UNCHECKED] = {"index_unchecked", "a bad index is passed over in silence"},
    [BUG_DIVISION_UNCHECKED] = {"division_unchecked",
                                "an integer division by 0 gives 0 in silence"},
    [BUG_SORT_ASCENDING] = {"sort_ascending", "sort ignores descending"},
    [BUG_SORT_UNSTABLE] = {"sort_unstable", "sort turns equal elements round"},
    [BUG_CONV_WITHOUT_DILATION] = {"conv_without_dilation", "convolution ignores dilation"},
    [BUG_POOL_COUNTS_PADDING] = {"pool_counts_padding", "average pooling counts the padding"},
    [BUG_STALE_UPLOAD] = {"stale_upload", "an upload arrives after the next launch (no wait)"},
    [BUG_SHORT_DOWNLOAD] = {"short_download", "the last byte of a download is missing"},
    [BUG_COPY_FROM_START] = {"copy_from_start", "copies on the device ignore the source's offset"},
    [BUG_CRASHES] = {"crashes", "a sort ends the process"},
    [BUG_HANGS] = {"hangs", "a sort never returns"},
};

const char *bug_name(bug which) {
    return bugs[which].name;
}
const char *bug_text(bug which) {
    return bugs[which].text;
}

int32_t launch_member(const launch_state *state) {
    switch (state->kernel) {
    case TERN_KERNEL_UNARY:
    case TERN_KERNEL_BINARY:
    case TERN_KERNEL_TERNARY:
    case TERN_KERNEL_REDUCE:
    case TERN_KERNEL_SCAN: return state->attrs.member.fn;
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
    for (int32_t i = 0; arithmetic && state->bugs[BUG_UNSIGNED_AS_SIGNED] && i < state->n_inputs;
         i++) {
        if (state->operands[i].dtype == TERN_BT_UINT8) state->operands[i].dtype = TERN_BT_INT8;
    }
    tern_operand *out = &state->operands[state->n_inputs];
    if (state->bugs[BUG_BOOL_BY_LOW_BYTE] && state->kernel == TERN_KERNEL_COPY &&
        out->dtype == TERN_BT_BOOL) {
        out->dtype = TERN_BT_UINT8;
    }
}

void bend_operands(launch_state *state) {
    const bool *on = state->bugs;
    int32_t out = state->n_inputs;
    if (on[BUG_IGNORED_STRIDE] && state->n_inputs > 0) make_contiguous(state, 0);
    if (on[BUG_IGNORED_OUTPUT_STRIDE]) make_contiguous(state, out);
    for (int32_t i = 0; i < state->n_inputs; i++) {
        if (on[BUG_IGNORED_OFFSET]) state->operands[i].at.byte_offset = 0;
        if (on[BUG_WRONG_BROADCAST]) broadcast_by_one(state, i);
    }
    if (on[BUG_DROPPED_RANK] && is_map(state->kernel) && state->operands[out].rank > 4) {
        for (int32_t i = 0; i <= state->n_inputs; i++) state->shapes[i][0] = 1;
    }
    bend_dtypes(state);
    if (on[BUG_MATMUL_ODD_K] && state->kernel == TERN_KERNEL_MATMUL) {
        int64_t *k = &state->shapes[0][state->operands[0].rank - 1];
        if (*k > 1 && *k % 2) --*k;
    }
    if (on[BUG_REDUCE_OFF_BY_ONE] && state->kernel == TERN_KERNEL_REDUCE) {
        uint32_t dims = state->attrs.reduce.dims;
        for (int32_t d = state->operands[0].rank - 1; d >= 0; d--) {
            if (!(dims >> d & 1u) || state->shapes[0][d] < 2) continue;
            state->shapes[0][d]--;
            break;
        }
    }
}

static void bend_binary(const bool *on, tern_binary_attrs *attrs) {
    int32_t fn = attrs->fn;
    if (on[BUG_NAN_LOSES_MAXIMUM] && fn == TERN_BINARY_MAXIMUM) attrs->fn = TERN_BINARY_FMAX;
    if (on[BUG_NAN_LOSES_MAXIMUM] && fn == TERN_BINARY_MINIMUM) attrs->fn = TERN_BINARY_FMIN;
    if (on[BUG_FLOOR_TRUNCATES] && fn == TERN_BINARY_DIV_FLOOR) attrs->fn = TERN_BINARY_DIV_TRUNC;
    if (on[BUG_REMAINDER_OF_DIVIDEND] && fn == TERN_BINARY_REMAINDER) attrs->fn = TERN_BINARY_FMOD;
    if (on[BUG_EQUAL_FORGOTTEN] && fn == TERN_BINARY_LE) attrs->fn = TERN_BINARY_LT;
    if (on[BUG_EQUAL_FORGOTTEN] && fn == TERN_BINARY_GE) attrs->fn = TERN_BINARY_GT;
    if (on[BUG_ALPHA_IGNORED]) {
        attrs->alpha = 1;
        attrs->alpha_i = 1;
    }
}

static void bend_matmul(const bool *on, tern_matmul_attrs *attrs) {
    if (on[BUG_MATMUL_BETA_IGNORED] && attrs->beta != 0) attrs->beta = 1;
    if (on[BUG_MATMUL_BETA_IGNORED] && attrs->beta_i != 0) attrs->beta_i = 1;
    if (on[BUG_MATMUL_ALPHA_IGNORED]) {
        attrs->alpha = 1;
        attrs->alpha_i = 1;
    }
}

void bend_attrs(launch_state *state) {
    const bool *on = state->bugs;
    switch (state->kernel) {
    case TERN_KERNEL_FILL:
        if (on[BUG_FILL_THROUGH_FLOAT]) {
            state->attrs.fill.i = (int64_t)fmin((double)(float)state->attrs.fill.i, 0x1p62);
        }
        break;
    case TERN_KERNEL_BINARY: bend_binary(on, &state->attrs.binary); break;
    case TERN_KERNEL_REDUCE:
        if (on[BUG_VAR_WITHOUT_CORRECTION] && launch_member(state) == TERN_REDUCE_VAR) {
            state->attrs.reduce.value = 0;
        }
        break;
    case TERN_KERNEL_MATMUL: bend_matmul(on, &state->attrs.matmul); break;
    case TERN_KERNEL_SCATTER:
        if (on[BUG_SCATTER_OVERWRITES]) state->attrs.index.reduce = TERN_SCATTER_SET;
        break;
    case TERN_KERNEL_INDEX_PUT:
        if (on[BUG_SCATTER_OVERWRITES]) state->attrs.multi_index.reduce = TERN_SCATTER_SET;
        break;
    case TERN_KERNEL_SORT:
        if (on[BUG_SORT_ASCENDING]) state->attrs.sort.descending = 0;
        break;
    case TERN_KERNEL_CONV:
        for (int i = 0; on[BUG_CONV_WITHOUT_DILATION] && i < 3; i++) {
            state->attrs.conv.dilation[i] = 1;
        }
        break;
    case TERN_KERNEL_AVG_POOL:
        if (on[BUG_POOL_COUNTS_PADDING]) state->attrs.pool.count_include_pad = 1;
        break;
    default: break;
    }
}
