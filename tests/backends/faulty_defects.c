/*
 * The table of bugs. A row without code of its own says what it does by members, attributes and numbers;
 * those in bug's order at the top have theirs in faulty.c, faulty_bugs.c and faulty_numbers.c.
 */
#include <math.h>

#include "faulty.h"

/* ---- numbers --------------------------------------------------------------------------------- */

static double nan_to_low(double x) {
    return isnan(x) ? -INFINITY : x;
}
static double nan_to_high(double x) {
    return isnan(x) ? INFINITY : x;
}
static double nan_to_zero(double x) {
    return isnan(x) ? 0 : x;
}
static double nan_to_one(double x) {
    return isnan(x) ? 1 : x;
}
static double half_up(double x) {
    return floor(x + 0.5);
}
static double plus_one(double x) {
    return 1 + x;
}
static double minus_one(double x) {
    return x - 1;
}
static double coarse(double x) {
    return x * (1 + 0x1p-16);
}
static double doubled(double x) {
    return 2 * x;
}
static double tenth_more(double x) {
    return 1.1 * x;
}
static double saturated(double x) {
    return fabs(x) > 0.99 ? copysign(1, x) : x;
}
static double finite_log(double x) {
    return x == -(double)INFINITY ? -103.28 : x;
}
static double tiny_to_zero(double x) {
    return fabs(x) < 1e-4 ? 0 : x;
}
static double offset_a_little(double x) {
    return x + 2.5e-5;
}
/* Less whole turns, of which float32 knows 2 pi to 24 bits. */
static double reduced_coarsely(double x) {
    return fabs(x) > 100 && isfinite(x) ? x - round(x / 6.283185307179586) * (double)6.2831855f : x;
}
static double low_to_zero(double x) {
    return x == -(double)INFINITY ? 0 : x;
}
static double within_one(double x) {
    return fmax(-1, fmin(x, 1));
}
static double within_nearly_one(double x) {
    return fmax(-0.999999, fmin(x, 0.999999));
}
static double overflowing(double x) {
    return fabs(x) > 80 ? (double)INFINITY : x;
}
static double zero_or_one(double x) {
    return x == 0 || x == 1 ? x : 0;
}
static double not_negative(double x) {
    return fmax(x, 0);
}
static double clipped(double x) {
    return fmin(x, 1.5);
}

/* ---- attributes and operands ----------------------------------------------------------------- */

static void fill_through_float(launch_state *s) {
    s->attrs.fill.i = (int64_t)fmin((double)(float)s->attrs.fill.i, 0x1p62);
}
static void fill_nan_as_zero(launch_state *s) {
    s->attrs.fill.f = nan_to_zero(s->attrs.fill.f);
}
static void alpha_ignored(launch_state *s) {
    s->attrs.binary.alpha = 1;
    s->attrs.binary.alpha_i = 1;
}
static void ternary_value_ignored(launch_state *s) {
    s->attrs.ternary.value = 1;
    s->attrs.ternary.value_i = 1;
}
static void variance_uncorrected(launch_state *s) {
    s->attrs.reduce.value = 0;
}
static void norm_signed(launch_state *s) {
    if (isinf(s->attrs.reduce.value))
        s->attrs.reduce.fn = s->attrs.reduce.value > 0 ? TERN_REDUCE_MAX : TERN_REDUCE_MIN;
}
static void beta_ignored(launch_state *s) {
    if (s->attrs.matmul.beta != 0) s->attrs.matmul.beta = 1;
    if (s->attrs.matmul.beta_i != 0) s->attrs.matmul.beta_i = 1;
}
static void matmul_alpha_ignored(launch_state *s) {
    s->attrs.matmul.alpha = 1;
    s->attrs.matmul.alpha_i = 1;
}
/* All batches take the first matrix. */
static void batch_stride_ignored(launch_state *s) {
    for (int32_t d = 0; d < s->operands[0].rank - 2; d++) s->strides[0][d] = 0;
}
/* A square matrix is read by columns. */
static void matmul_transposed(launch_state *s) {
    int32_t n = s->operands[1].rank;
    if (s->shapes[1][n - 1] != s->shapes[1][n - 2]) return;
    int64_t stride = s->strides[1][n - 1];
    s->strides[1][n - 1] = s->strides[1][n - 2];
    s->strides[1][n - 2] = stride;
}
static void dimension_zero(launch_state *s) {
    s->attrs.index.dim = 0;
}
static void index_alpha_ignored(launch_state *s) {
    s->attrs.index.alpha = 1;
    s->attrs.index.alpha_i = 1;
}
static void scatter_sets(launch_state *s) {
    s->attrs.index.reduce = TERN_SCATTER_SET;
}
static void scatter_max_as_min(launch_state *s) {
    if (s->attrs.index.reduce == TERN_SCATTER_MAX) s->attrs.index.reduce = TERN_SCATTER_MIN;
}
static void index_put_sets(launch_state *s) {
    s->attrs.multi_index.reduce = TERN_SCATTER_SET;
}
static void ascending(launch_state *s) {
    s->attrs.sort.descending = 0;
}
static void conv_undilated(launch_state *s) {
    for (int d = 0; d < 3; d++) s->attrs.conv.dilation[d] = 1;
}
static void conv_unpadded(launch_state *s) {
    for (int d = 0; d < 3; d++)
        if (s->attrs.conv.padding[d] > 0) s->attrs.conv.padding[d]--;
}
static void conv_unstrided(launch_state *s) {
    for (int d = 0; d < 3; d++) s->attrs.conv.stride[d] = 1;
}
static void conv_without_bias(launch_state *s) {
    if (s->n_inputs < 3) return;
    s->operands[2] = s->operands[3];
    s->n_inputs = 2;
}
/* The gradient of the weight from the first sample alone. */
static void first_sample(launch_state *s) {
    s->shapes[0][0] = s->shapes[1][0] = 1;
}
static void pool_counts_padding(launch_state *s) {
    s->attrs.pool.count_include_pad = 1;
}
static void pool_undilated(launch_state *s) {
    for (int d = 0; d < 3; d++) s->attrs.pool.dilation[d] = 1;
}
static void pool_divisor_ignored(launch_state *s) {
    s->attrs.pool.divisor = 0;
}
static void corners_ignored(launch_state *s) {
    s->attrs.resize.align_corners = 0;
}
static void resize_scale_ignored(launch_state *s) {
    for (int d = 0; d < 3; d++) s->attrs.resize.scale[d] = 0;
}
static void norm_without_eps(launch_state *s) {
    s->attrs.norm.eps = 0;
}
static void norm_ignores_first_dimension(launch_state *s) {
    uint32_t dims = s->attrs.norm.dims;
    if (dims & (dims - 1)) s->attrs.norm.dims = dims & (dims - 1);
}
static void nothing_ignored(launch_state *s) {
    s->attrs.cross_entropy.ignore_index = INT64_MIN;
}
static void unsmoothed(launch_state *s) {
    s->attrs.cross_entropy.smoothing = 0;
}
static void unreduced(launch_state *s) {
    if (s->attrs.cross_entropy.reduction == TERN_REDUCTION_MEAN)
        s->attrs.cross_entropy.reduction = TERN_REDUCTION_SUM;
}
static void unscaled(launch_state *s) {
    s->attrs.attention.scale = 1;
}
static void not_causal(launch_state *s) {
    s->attrs.attention.causal = 0;
}
static void padding_kept(launch_state *s) {
    s->attrs.embedding.padding = -1;
}
static void frequency_ignored(launch_state *s) {
    s->attrs.embedding.by_frequency = 0;
}
static void forwards_alone(launch_state *s) {
    s->attrs.recurrent.reverse = 0;
}

/* ---- programs -------------------------------------------------------------------------------- */

static void first_constant_lost(launch_state *s) {
    if (s->attrs.map.n_constants > 0)
        ((tern_map_constant *)(uintptr_t)tern_map_constants(&s->attrs.map))[0].f = 0;
}
static void factors_ignored(launch_state *s) {
    tern_map_step *steps = (tern_map_step *)(uintptr_t)tern_map_steps(&s->attrs.map);
    for (int32_t k = 0; k < s->attrs.map.n_steps; k++) {
        if (steps[k].family == TERN_KERNEL_BINARY && steps[k].fn <= TERN_BINARY_SUB)
            steps[k].source[2] = -1;
        if (steps[k].family == TERN_KERNEL_TERNARY) steps[k].source[3] = -1;
    }
}
static void outputs_alike(launch_state *s) {
    int16_t *outputs = (int16_t *)(uintptr_t)tern_map_outputs(&s->attrs.map);
    for (int32_t k = 1; k < s->attrs.map.n_outputs; k++) outputs[k] = outputs[0];
}

/* ---- the table ------------------------------------------------------------------------------- */

#define CODE(id, name, text)   [BUG_##id] = {name, text, 0, 0, 0, 0, NULL, NULL, NULL}
#define TUPLES(id, name, text) [BUG_##id] = {name, text, TERN_KERNEL_MAP, 0, 0, 0, NULL, NULL, NULL}
#define MEMBER(name, text, kernel, from, to)                                                       \
    {                                                                                              \
        name, text, TERN_KERNEL_##kernel, TERN_##kernel##_##from, TERN_##kernel##_##to, 0, NULL,   \
            NULL, NULL                                                                             \
    }
#define BEFORE(name, text, kernel, member, f)                                                      \
    { name, text, TERN_KERNEL_##kernel, TERN_##kernel##_##member, 0, 0, NULL, f, NULL }
#define AFTER(name, text, kernel, member, f)                                                       \
    { name, text, TERN_KERNEL_##kernel, TERN_##kernel##_##member, 0, 0, NULL, NULL, f }
#define BEND(name, text, kernel, bend)                                                             \
    { name, text, TERN_KERNEL_##kernel, 0, 0, 0, bend, NULL, NULL }
#define SCALED(name, text, kernel, f)                                                              \
    { name, text, TERN_KERNEL_##kernel, 0, 0, 0, NULL, NULL, f }

static const defect defects[] = {
    CODE(IGNORED_STRIDE, "ignored_stride", "the first input is read as if contiguous"),
    CODE(IGNORED_OUTPUT_STRIDE, "ignored_output_stride", "outputs are written as if contiguous"),
    CODE(IGNORED_OFFSET, "ignored_offset", "inputs are read from the start of their buffer"),
    CODE(WRONG_BROADCAST, "wrong_broadcast", "stride 0 is taken for 1"),
    CODE(DROPPED_TAIL, "dropped_tail", "a last element beyond a multiple of 4 is not written"),
    CODE(DROPPED_RANK, "dropped_rank", "of rank 5 and more only the first slice is computed"),
    CODE(UNWRITTEN_SCALAR, "unwritten_scalar", "0-dim outputs are not written"),
    CODE(UNSIGNED_AS_SIGNED, "unsigned_as_signed", "uint8 inputs are read as int8"),
    CODE(BOOL_BY_LOW_BYTE, "bool_by_low_byte", "a conversion to bool keeps the low byte"),
    CODE(BFLOAT16_TRUNCATES, "bfloat16_truncates", "bfloat16 results are cut, not rounded"),
    CODE(HALF_SATURATES, "half_saturates", "float16 overflow gives 65504 instead of inf"),
    CODE(COPY_ROUNDS, "copy_rounds", "float to integer rounds instead of truncating"),
    CODE(DENORMALS_FLUSHED, "denormals_flushed", "denormal float32 results become 0"),
    CODE(NEGATIVE_ZERO_LOST, "negative_zero_lost", "-0 becomes 0 in maps"),
    CODE(ARGMAX_LAST, "argmax_last", "argmax and argmin take the last of equals"),
    CODE(REDUCE_OFF_BY_ONE, "reduce_off_by_one", "reductions leave out the last element"),
    CODE(MATMUL_ODD_K, "matmul_odd_k", "matmul drops the last term of an odd count"),
    CODE(INDEX_UNCHECKED, "index_unchecked", "a bad index is passed over in silence"),
    CODE(DIVISION_UNCHECKED, "division_unchecked", "an integer division by 0 is silent"),
    CODE(SORT_UNSTABLE, "sort_unstable", "sort turns equal elements round"),
    CODE(STALE_UPLOAD, "stale_upload", "an upload arrives behind the next launch"),
    CODE(SHORT_DOWNLOAD, "short_download", "the last byte of a download is missing"),
    CODE(COPY_FROM_START, "copy_from_start", "copies ignore the source's offset"),
    CODE(UPLOAD_TO_START, "upload_to_start", "uploads ignore the offset in the buffer"),
    CODE(DOWNLOAD_FROM_START, "download_from_start", "downloads ignore the offset"),
    CODE(MEMORY_TWICE, "memory_twice", "some live memory is given out a second time"),
    CODE(LATE_LAUNCH, "late_launch", "a download does not wait for the last launch"),
    CODE(ERROR_REPEATED, "error_repeated", "a bad index is told by every later launch"),
    CODE(PLAN_OF_FIRST_SHAPE, "plan_of_first_shape", "a plan keeps the first shape it is made for"),
    CODE(PLAN_KEEPS_OPERANDS, "plan_keeps_operands", "a plan reads its first launch's operands"),
    TUPLES(LAST_TUPLE_DROPPED, "last_tuple_dropped", "the last of several tuples is left out"),
    TUPLES(FIRST_NUMBERS_FOR_ALL, "first_numbers_for_all", "all tuples have the first's numbers"),
    CODE(CRASHES, "crashes", "a sort ends the process"),
    CODE(HANGS, "hangs", "a sort never returns"),

    /* conversions and fills */
    BEND("fill_through_float", "integer fills go through float32", FILL, fill_through_float),
    BEND("fill_nan_as_zero", "a fill with NaN writes 0", FILL, fill_nan_as_zero),

    /* unary */
    BEFORE("nan_loses_relu", "relu turns NaN into 0", UNARY, RELU, nan_to_zero),
    BEFORE("round_half_up", "round takes halves up instead of to even", UNARY, ROUND, half_up),
    {"expm1_cancels", "expm1 is exp(x) - 1", TERN_KERNEL_UNARY, TERN_UNARY_EXPM1, TERN_UNARY_EXP, 0,
     NULL, NULL, minus_one},
    {"log1p_cancels", "log1p is log(1 + x)", TERN_KERNEL_UNARY, TERN_UNARY_LOG1P, TERN_UNARY_LOG, 0,
     NULL, plus_one, NULL},
    AFTER("exp_coarse", "exp has 16 bits", UNARY, EXP, coarse),
    AFTER("rsqrt_coarse", "rsqrt has 16 bits", UNARY, RSQRT, coarse),
    AFTER("tanh_saturates", "tanh is 1 above 0.99", UNARY, TANH, saturated),
    AFTER("log_of_zero", "log(0) is finite", UNARY, LOG, finite_log),
    AFTER("sigmoid_flushed", "a small sigmoid is 0", UNARY, SIGMOID, tiny_to_zero),
    AFTER("erf_coarse", "erf is off by 2.5e-5", UNARY, ERF, offset_a_little),
    BEFORE("sin_reduced_coarsely", "large sines are reduced by a float32 2 pi", UNARY, SIN,
           reduced_coarsely),
    BEFORE("lgamma_of_magnitude", "lgamma takes |x|", UNARY, LGAMMA, fabs),
    BEFORE("sign_of_nan", "the sign of NaN is 1", UNARY, SIGN, nan_to_one),
    MEMBER("floor_as_trunc", "floor rounds toward zero", UNARY, FLOOR, TRUNC),
    MEMBER("ceil_as_round", "ceil rounds to the nearest", UNARY, CEIL, ROUND),
    BEFORE("isinf_positive", "isinf does not know -inf", UNARY, ISINF, low_to_zero),
    BEFORE("isfinite_of_nan", "NaN counts as finite", UNARY, ISFINITE, nan_to_zero),
    BEFORE("sqrt_of_magnitude", "sqrt takes |x|", UNARY, SQRT, fabs),
    BEFORE("asin_clamped", "asin outside of [-1, 1] is no NaN", UNARY, ASIN, within_one),
    BEFORE("atanh_clamped", "atanh(1) is finite", UNARY, ATANH, within_nearly_one),

    /* binary and ternary */
    MEMBER("nan_loses_maximum", "maximum drops NaN", BINARY, MAXIMUM, FMAX),
    MEMBER("nan_wins_fmin", "fmin gives NaN where one is", BINARY, FMIN, MINIMUM),
    MEMBER("floor_truncates", "floor division rounds toward zero", BINARY, DIV_FLOOR, DIV_TRUNC),
    MEMBER("trunc_floors", "truncated division rounds down", BINARY, DIV_TRUNC, DIV_FLOOR),
    MEMBER("remainder_of_dividend", "remainder has the dividend's sign", BINARY, REMAINDER, FMOD),
    MEMBER("fmod_of_divisor", "fmod has the divisor's sign", BINARY, FMOD, REMAINDER),
    MEMBER("equal_forgotten", "<= is <", BINARY, LE, LT),
    MEMBER("equal_too_much", "> is >=", BINARY, GT, GE),
    MEMBER("xor_as_or", "logical_xor is logical_or", BINARY, LOGICAL_XOR, LOGICAL_OR),
    MEMBER("bitwise_xor_as_or", "bitwise_xor is bitwise_or", BINARY, BITWISE_XOR, BITWISE_OR),
    BEFORE("shift_of_magnitude", "a negative number shifts as its magnitude", BINARY, SHIFT_RIGHT,
           fabs),
    BEFORE("pow_of_magnitude", "pow takes |x|", BINARY, POW, fabs),
    {"atan2_quadrant", "atan2 is atan(a / b)", TERN_KERNEL_BINARY, TERN_BINARY_ATAN2,
     TERN_BINARY_DIV, 0, NULL, NULL, atan},
    AFTER("logaddexp_overflows", "logaddexp overflows above 80", BINARY, LOGADDEXP, overflowing),
    AFTER("heaviside_at_zero", "heaviside(0) is 0", BINARY, HEAVISIDE, zero_or_one),
    {"alpha_ignored", "add ignores alpha", TERN_KERNEL_BINARY, TERN_BINARY_ADD, 0, 0, alpha_ignored,
     NULL, NULL},
    BEFORE("clamp_loses_nan", "clamp takes NaN for -inf", TERNARY, CLAMP, nan_to_low),
    {"addcmul_value_ignored", "addcmul ignores value", TERN_KERNEL_TERNARY, TERN_TERNARY_ADDCMUL, 0,
     0, ternary_value_ignored, NULL, NULL},
    {"addcdiv_value_ignored", "addcdiv ignores value", TERN_KERNEL_TERNARY, TERN_TERNARY_ADDCDIV, 0,
     0, ternary_value_ignored, NULL, NULL},

    /* reductions, scans, sorts */
    BEFORE("nan_loses_max", "the maximum skips NaN", REDUCE, MAX, nan_to_low),
    BEFORE("nan_loses_min", "the minimum skips NaN", REDUCE, MIN, nan_to_high),
    BEFORE("argmax_skips_nan", "argmax takes NaN for -inf", REDUCE, ARGMAX, nan_to_low),
    BEFORE("any_of_nan", "NaN counts as false", REDUCE, ANY, nan_to_zero),
    {"var_without_correction", "var divides by n", TERN_KERNEL_REDUCE, TERN_REDUCE_VAR, 0, 0,
     variance_uncorrected, NULL, NULL},
    {"norm_inf_signed", "norm(inf) is the maximum", TERN_KERNEL_REDUCE, TERN_REDUCE_NORM, 0, 0,
     norm_signed, NULL, NULL},
    AFTER("logcumsumexp_overflows", "logcumsumexp overflows above 80", SCAN, LOGCUMSUMEXP,
          overflowing),
    BEND("sort_ascending", "sort ignores descending", SORT, ascending),

    /* products */
    BEND("matmul_beta_ignored", "matmul takes beta for 1 unless it is 0", MATMUL, beta_ignored),
    BEND("matmul_alpha_ignored", "matmul takes alpha for 1", MATMUL, matmul_alpha_ignored),
    BEND("batch_stride_ignored", "all batches take the first matrix", MATMUL, batch_stride_ignored),
    BEND("matmul_transposed", "a square second matrix is read by columns", MATMUL,
         matmul_transposed),

    /* indices */
    BEND("gather_dimension_zero", "gather is along dimension 0", GATHER, dimension_zero),
    BEND("scatter_sets", "scatter sets instead of adding", SCATTER, scatter_sets),
    BEND("scatter_max_as_min", "scatter keeps the smaller", SCATTER, scatter_max_as_min),
    BEND("index_add_alpha_ignored", "index_add ignores alpha", INDEX_ADD, index_alpha_ignored),
    BEND("index_put_sets", "index_put sets instead of adding", INDEX_PUT, index_put_sets),
    {"negative_index_as_zero", "a negative index is taken for 0", TERN_KERNEL_INDEX_GET, 0, 0, 1,
     NULL, not_negative, NULL},

    /* convolution, pooling, resizing */
    BEND("conv_without_dilation", "convolution ignores dilation", CONV, conv_undilated),
    BEND("conv_padding_less", "convolution has a padding of one less", CONV, conv_unpadded),
    BEND("conv_without_stride", "convolution ignores the stride", CONV, conv_unstrided),
    BEND("conv_bias_dropped", "convolution ignores its bias", CONV, conv_without_bias),
    SCALED("conv_grad_input_doubled", "the gradient of the input is doubled", CONV_GRAD_INPUT,
           doubled),
    BEND("conv_grad_first_sample", "the gradient of the weight is of the first sample",
         CONV_GRAD_WEIGHT, first_sample),
    SCALED("max_pool_pads_with_zero", "max pooling pads with 0", MAX_POOL, not_negative),
    BEND("max_pool_undilated", "max pooling ignores dilation", MAX_POOL, pool_undilated),
    SCALED("max_pool_grad_doubled", "the gradient is doubled", MAX_POOL_GRAD, doubled),
    BEND("pool_counts_padding", "average pooling counts the padding", AVG_POOL,
         pool_counts_padding),
    BEND("pool_divisor_ignored", "average pooling ignores the divisor", AVG_POOL,
         pool_divisor_ignored),
    SCALED("avg_pool_grad_doubled", "the gradient is doubled", AVG_POOL_GRAD, doubled),
    BEND("resize_corners_ignored", "resizing ignores align_corners", RESIZE, corners_ignored),
    BEND("resize_scale_ignored", "resizing ignores the scale factors", RESIZE,
         resize_scale_ignored),
    SCALED("resize_grad_more", "the gradient is a tenth too large", RESIZE_GRAD, tenth_more),

    /* fused kernels, which the device has for these bugs alone */
    {"softmax_clips", "softmax cuts its input at 1.5", TERN_KERNEL_SOFTMAX, 0, 0, 0, NULL, clipped,
     NULL},
    SCALED("softmax_grad_doubled", "the gradient is doubled", SOFTMAX_GRAD, doubled),
    SCALED("log_softmax_grad_doubled", "the gradient is doubled", LOG_SOFTMAX_GRAD, doubled),
    BEND("norm_without_eps", "norms ignore eps", NORM, norm_without_eps),
    BEND("norm_first_dimension", "norms leave one dimension out", NORM,
         norm_ignores_first_dimension),
    SCALED("norm_grad_more", "the gradient is a tenth too large", NORM_GRAD, tenth_more),
    BEND("ignore_index_ignored", "cross entropy has no ignore_index", CROSS_ENTROPY,
         nothing_ignored),
    BEND("smoothing_ignored", "cross entropy does not smooth", CROSS_ENTROPY, unsmoothed),
    BEND("cross_entropy_grad_sum", "the gradient of the mean is the sum's", CROSS_ENTROPY_GRAD,
         unreduced),
    BEND("attention_unscaled", "attention ignores its scale", ATTENTION, unscaled),
    BEND("attention_not_causal", "attention sees the future", ATTENTION, not_causal),
    SCALED("attention_grad_doubled", "the gradient of the query is doubled", ATTENTION_GRAD,
           doubled),
    BEND("padding_kept", "the row of padding gets a gradient", EMBEDDING_GRAD, padding_kept),
    BEND("frequency_ignored", "rows are not divided by their frequency", EMBEDDING_GRAD,
         frequency_ignored),
    BEND("recurrent_forwards", "a reversed layer goes forwards", RECURRENT, forwards_alone),
    SCALED("recurrent_grad_more", "the gradient is a tenth too large", RECURRENT_GRAD, tenth_more),
    SCALED("matmul_map_doubled", "a product with a formula is doubled", MATMUL_MAP, doubled),
    SCALED("conv_map_doubled", "a convolution with a formula is doubled", CONV_MAP, doubled),
    BEND("map_constant_lost", "a program's first constant is 0", MAP, first_constant_lost),
    BEND("map_factors_ignored", "a program's factors count as 1", MAP, factors_ignored),
    BEND("map_outputs_alike", "all outputs of a program are its first", MAP, outputs_alike),
};

enum { COUNT = sizeof defects / sizeof defects[0] };

int32_t defect_count(void) {
    return COUNT;
}

const defect *defect_at(int32_t index) {
    return index >= 0 && index < COUNT ? &defects[index] : NULL;
}
