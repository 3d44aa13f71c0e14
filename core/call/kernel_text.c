/*
 * kernel_text.c: what kernels are called in messages: "binary add (int64, int64 -> int64)".
 *
 * The one table of names: families by TERN_KERNEL_*, members by TERN_UNARY_* and their like.
 */
#include <stdio.h>

#include "launch.h"

static const char *const families[] = {
    [TERN_KERNEL_FILL] = "fill",
    [TERN_KERNEL_COPY] = "copy",
    [TERN_KERNEL_UNARY] = "unary",
    [TERN_KERNEL_BINARY] = "binary",
    [TERN_KERNEL_TERNARY] = "ternary",
    [TERN_KERNEL_REDUCE] = "reduce",
    [TERN_KERNEL_SCAN] = "scan",
    [TERN_KERNEL_SORT] = "sort",
    [TERN_KERNEL_MATMUL] = "matmul",
    [TERN_KERNEL_GATHER] = "gather",
    [TERN_KERNEL_SCATTER] = "scatter",
    [TERN_KERNEL_INDEX_SELECT] = "index select",
    [TERN_KERNEL_INDEX_ADD] = "index add",
    [TERN_KERNEL_INDEX_GET] = "index get",
    [TERN_KERNEL_INDEX_PUT] = "index put",
    [TERN_KERNEL_NONZERO_COUNT] = "nonzero count",
    [TERN_KERNEL_NONZERO] = "nonzero",
    [TERN_KERNEL_CONV] = "convolution",
    [TERN_KERNEL_CONV_GRAD_INPUT] = "convolution gradient by input",
    [TERN_KERNEL_CONV_GRAD_WEIGHT] = "convolution gradient by weight",
    [TERN_KERNEL_MAX_POOL] = "max pooling",
    [TERN_KERNEL_MAX_POOL_GRAD] = "max pooling gradient",
    [TERN_KERNEL_AVG_POOL] = "average pooling",
    [TERN_KERNEL_AVG_POOL_GRAD] = "average pooling gradient",
    [TERN_KERNEL_RESIZE] = "resize",
    [TERN_KERNEL_RESIZE_GRAD] = "resize gradient",
    [TERN_KERNEL_SOFTMAX] = "softmax",
    [TERN_KERNEL_LOG_SOFTMAX] = "log softmax",
    [TERN_KERNEL_NORM] = "norm",
    [TERN_KERNEL_MAP] = "map",
    [TERN_KERNEL_SOFTMAX_GRAD] = "softmax gradient",
    [TERN_KERNEL_LOG_SOFTMAX_GRAD] = "log softmax gradient",
    [TERN_KERNEL_NORM_GRAD] = "norm gradient",
    [TERN_KERNEL_CROSS_ENTROPY] = "cross entropy",
    [TERN_KERNEL_CROSS_ENTROPY_GRAD] = "cross entropy gradient",
    [TERN_KERNEL_ATTENTION] = "attention",
    [TERN_KERNEL_ATTENTION_GRAD] = "attention gradient",
    [TERN_KERNEL_EMBEDDING_GRAD] = "embedding gradient",
    [TERN_KERNEL_RECURRENT] = "recurrent layer",
    [TERN_KERNEL_RECURRENT_GRAD] = "recurrent layer gradient",
    [TERN_KERNEL_MATMUL_MAP] = "matmul and map",
    [TERN_KERNEL_CONV_MAP] = "convolution and map",
    [TERN_KERNEL_REDUCE_LIST] = "reduce list",
};

static const char *const unary_members[] = {
    [TERN_UNARY_NEG] = "neg",
    [TERN_UNARY_ABS] = "abs",
    [TERN_UNARY_SIGN] = "sign",
    [TERN_UNARY_SQUARE] = "square",
    [TERN_UNARY_RECIPROCAL] = "reciprocal",
    [TERN_UNARY_SQRT] = "sqrt",
    [TERN_UNARY_RSQRT] = "rsqrt",
    [TERN_UNARY_EXP] = "exp",
    [TERN_UNARY_EXP2] = "exp2",
    [TERN_UNARY_EXPM1] = "expm1",
    [TERN_UNARY_LOG] = "log",
    [TERN_UNARY_LOG2] = "log2",
    [TERN_UNARY_LOG10] = "log10",
    [TERN_UNARY_LOG1P] = "log1p",
    [TERN_UNARY_SIN] = "sin",
    [TERN_UNARY_COS] = "cos",
    [TERN_UNARY_TAN] = "tan",
    [TERN_UNARY_ASIN] = "asin",
    [TERN_UNARY_ACOS] = "acos",
    [TERN_UNARY_ATAN] = "atan",
    [TERN_UNARY_SINH] = "sinh",
    [TERN_UNARY_COSH] = "cosh",
    [TERN_UNARY_TANH] = "tanh",
    [TERN_UNARY_ASINH] = "asinh",
    [TERN_UNARY_ACOSH] = "acosh",
    [TERN_UNARY_ATANH] = "atanh",
    [TERN_UNARY_ERF] = "erf",
    [TERN_UNARY_ERFC] = "erfc",
    [TERN_UNARY_ERFINV] = "erfinv",
    [TERN_UNARY_LGAMMA] = "lgamma",
    [TERN_UNARY_DIGAMMA] = "digamma",
    [TERN_UNARY_FLOOR] = "floor",
    [TERN_UNARY_CEIL] = "ceil",
    [TERN_UNARY_TRUNC] = "trunc",
    [TERN_UNARY_ROUND] = "round",
    [TERN_UNARY_FRAC] = "frac",
    [TERN_UNARY_SIGMOID] = "sigmoid",
    [TERN_UNARY_RELU] = "relu",
    [TERN_UNARY_LOGICAL_NOT] = "logical_not",
    [TERN_UNARY_BITWISE_NOT] = "bitwise_not",
    [TERN_UNARY_ISNAN] = "isnan",
    [TERN_UNARY_ISINF] = "isinf",
    [TERN_UNARY_ISFINITE] = "isfinite",
    [TERN_UNARY_SIGNBIT] = "signbit",
    [TERN_UNARY_LOG_SIGMOID] = "log_sigmoid",
    [TERN_UNARY_SINC] = "sinc",
    [TERN_UNARY_TRIGAMMA] = "trigamma",
};

static const char *const binary_members[] = {
    [TERN_BINARY_ADD] = "add",
    [TERN_BINARY_SUB] = "sub",
    [TERN_BINARY_MUL] = "mul",
    [TERN_BINARY_DIV] = "div",
    [TERN_BINARY_DIV_FLOOR] = "div_floor",
    [TERN_BINARY_DIV_TRUNC] = "div_trunc",
    [TERN_BINARY_REMAINDER] = "remainder",
    [TERN_BINARY_FMOD] = "fmod",
    [TERN_BINARY_POW] = "pow",
    [TERN_BINARY_MAXIMUM] = "maximum",
    [TERN_BINARY_MINIMUM] = "minimum",
    [TERN_BINARY_FMAX] = "fmax",
    [TERN_BINARY_FMIN] = "fmin",
    [TERN_BINARY_ATAN2] = "atan2",
    [TERN_BINARY_HYPOT] = "hypot",
    [TERN_BINARY_COPYSIGN] = "copysign",
    [TERN_BINARY_NEXTAFTER] = "nextafter",
    [TERN_BINARY_EQ] = "eq",
    [TERN_BINARY_NE] = "ne",
    [TERN_BINARY_LT] = "lt",
    [TERN_BINARY_LE] = "le",
    [TERN_BINARY_GT] = "gt",
    [TERN_BINARY_GE] = "ge",
    [TERN_BINARY_LOGICAL_AND] = "logical_and",
    [TERN_BINARY_LOGICAL_OR] = "logical_or",
    [TERN_BINARY_LOGICAL_XOR] = "logical_xor",
    [TERN_BINARY_BITWISE_AND] = "bitwise_and",
    [TERN_BINARY_BITWISE_OR] = "bitwise_or",
    [TERN_BINARY_BITWISE_XOR] = "bitwise_xor",
    [TERN_BINARY_SHIFT_LEFT] = "shift_left",
    [TERN_BINARY_SHIFT_RIGHT] = "shift_right",
    [TERN_BINARY_GCD] = "gcd",
    [TERN_BINARY_LCM] = "lcm",
    [TERN_BINARY_XLOGY] = "xlogy",
    [TERN_BINARY_LOGADDEXP] = "logaddexp",
    [TERN_BINARY_LOGADDEXP2] = "logaddexp2",
    [TERN_BINARY_HEAVISIDE] = "heaviside",
};

static const char *const ternary_members[] = {
    [TERN_TERNARY_WHERE] = "where",     [TERN_TERNARY_CLAMP] = "clamp",
    [TERN_TERNARY_ADDCMUL] = "addcmul", [TERN_TERNARY_ADDCDIV] = "addcdiv",
    [TERN_TERNARY_LERP] = "lerp",
};

static const char *const reduce_members[] = {
    [TERN_REDUCE_SUM] = "sum",   [TERN_REDUCE_PROD] = "prod",     [TERN_REDUCE_MAX] = "max",
    [TERN_REDUCE_MIN] = "min",   [TERN_REDUCE_ARGMAX] = "argmax", [TERN_REDUCE_ARGMIN] = "argmin",
    [TERN_REDUCE_ANY] = "any",   [TERN_REDUCE_ALL] = "all",       [TERN_REDUCE_VAR] = "var",
    [TERN_REDUCE_NORM] = "norm", [TERN_REDUCE_MEAN] = "mean",
};

static const char *const scan_members[] = {
    [TERN_SCAN_CUMSUM] = "cumsum",
    [TERN_SCAN_CUMPROD] = "cumprod",
    [TERN_SCAN_CUMMAX] = "cummax",
    [TERN_SCAN_CUMMIN] = "cummin",
    [TERN_SCAN_LOGCUMSUMEXP] = "logcumsumexp",
};

#define COUNT(table) ((int32_t)(sizeof(table) / sizeof(table)[0]))

static const char *entry(const char *const *table, int32_t count, int32_t at) {
    return at >= 0 && at < count && table[at] ? table[at] : NULL;
}

const char *tern_kernel_name(int32_t kernel) {
    const char *family = entry(families, COUNT(families), kernel);
    return family ? family : "unknown";
}

const char *tern_kernel_member(int32_t kernel, int32_t fn) {
    switch (kernel) {
    case TERN_KERNEL_UNARY: return entry(unary_members, COUNT(unary_members), fn);
    case TERN_KERNEL_BINARY: return entry(binary_members, COUNT(binary_members), fn);
    case TERN_KERNEL_TERNARY: return entry(ternary_members, COUNT(ternary_members), fn);
    case TERN_KERNEL_REDUCE_LIST:
    case TERN_KERNEL_REDUCE: return entry(reduce_members, COUNT(reduce_members), fn);
    case TERN_KERNEL_SCAN: return entry(scan_members, COUNT(scan_members), fn);
    default: return NULL;
    }
}

/* Appends the dtypes, and ", ..." behind the first few. */
static int append_dtypes(char *text, int used, tern_tensor *const *tensors, int count) {
    enum { SHOWN = 4 };
    for (int i = 0; i < count && i <= SHOWN; i++) {
        const char *name = i < SHOWN ? tern_dtype_name(BODY(tensors[i])->dtype) : "...";
        used += snprintf(text + used, (size_t)(TERN_KERNEL_TEXT - used), i ? ", %s" : "%s", name);
    }
    return used;
}

const char *tern_kernel_text(int32_t kernel, int32_t fn, tern_tensor *const *inputs, int n_inputs,
                             tern_tensor *const *outputs, int n_outputs, char *out_text) {
    const char *member = tern_kernel_member(kernel, fn);
    int used = snprintf(out_text, TERN_KERNEL_TEXT, "%s%s%s (", tern_kernel_name(kernel),
                        member ? " " : "", member ? member : "");
    used = append_dtypes(out_text, used, inputs, n_inputs);
    used += snprintf(out_text + used, (size_t)(TERN_KERNEL_TEXT - used), n_inputs ? " -> " : "-> ");
    used = append_dtypes(out_text, used, outputs, n_outputs);
    snprintf(out_text + used, (size_t)(TERN_KERNEL_TEXT - used), ")");
    return out_text;
}
