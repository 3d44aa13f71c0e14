#include "kit_forms.h"

#include "walk.h"

static bool floating_only(int32_t fn, int32_t dtype) {
    (void)fn;
    return tern_kit_is_floating(dtype);
}

static bool numbers_only(int32_t fn, int32_t dtype) {
    (void)fn;
    return dtype != TERN_BT_BOOL;
}

/* Resizing pictures of bytes is common. */
static bool floating_or_uint8(int32_t fn, int32_t dtype) {
    (void)fn;
    return tern_kit_is_floating(dtype) || dtype == TERN_BT_UINT8;
}

static bool reduce_has(int32_t fn, int32_t dtype) {
    bool floating = fn == TERN_REDUCE_VAR || fn == TERN_REDUCE_NORM || fn == TERN_REDUCE_MEAN;
    return fn >= TERN_REDUCE_SUM && fn <= TERN_REDUCE_MEAN &&
           (tern_kit_is_floating(dtype) || !floating);
}

static bool scan_has(int32_t fn, int32_t dtype) {
    if (fn < TERN_SCAN_CUMSUM || fn > TERN_SCAN_LOGCUMSUMEXP) return false;
    return fn != TERN_SCAN_LOGCUMSUMEXP || tern_kit_is_floating(dtype);
}

#define SIZE(attrs) (uint32_t)sizeof(tern_##attrs##_attrs)

static const tern_kit_form forms[] = {
    [TERN_KERNEL_FILL] = {SIZE(fill), false, 0, 0, 1, 0, NULL},
    [TERN_KERNEL_COPY] = {0, false, 1, 1, 1, 0, NULL},
    [TERN_KERNEL_UNARY] = {SIZE(unary), false, 1, 1, 1, 0, NULL},
    [TERN_KERNEL_BINARY] = {SIZE(binary), false, 2, 2, 1, 0, NULL},
    [TERN_KERNEL_TERNARY] = {SIZE(ternary), false, 3, 3, 1, 1, NULL},
    [TERN_KERNEL_REDUCE] = {SIZE(reduce), false, 1, 1, 1, 0, reduce_has},
    [TERN_KERNEL_SCAN] = {SIZE(scan), false, 1, 1, 2, 0, scan_has},
    [TERN_KERNEL_SORT] = {SIZE(sort), false, 1, 1, 2, 0, NULL},
    [TERN_KERNEL_MATMUL] = {SIZE(matmul), false, 2, 3, 1, 0, NULL},
    [TERN_KERNEL_GATHER] = {SIZE(index), false, 2, 2, 1, 0, NULL},
    [TERN_KERNEL_SCATTER] = {SIZE(index), false, 2, 2, 1, 0, NULL},
    [TERN_KERNEL_INDEX_SELECT] = {SIZE(index), false, 2, 2, 1, 0, NULL},
    [TERN_KERNEL_INDEX_ADD] = {SIZE(index), false, 2, 2, 1, 0, NULL},
    [TERN_KERNEL_INDEX_GET] = {SIZE(multi_index), false, 2, 17, 1, 0, NULL},
    [TERN_KERNEL_INDEX_PUT] = {SIZE(multi_index), false, 2, 17, 1, 0, NULL},
    [TERN_KERNEL_NONZERO_COUNT] = {0, false, 1, 1, 1, 0, NULL},
    [TERN_KERNEL_NONZERO] = {0, false, 1, 1, 1, 0, NULL},
    [TERN_KERNEL_CONV] = {SIZE(conv), false, 2, 3, 1, 0, numbers_only},
    [TERN_KERNEL_CONV_GRAD_INPUT] = {SIZE(conv), false, 2, 3, 1, 0, numbers_only},
    [TERN_KERNEL_CONV_GRAD_WEIGHT] = {SIZE(conv), false, 2, 2, 1, 0, numbers_only},
    [TERN_KERNEL_MAX_POOL] = {SIZE(pool), false, 1, 1, 2, 0, numbers_only},
    [TERN_KERNEL_MAX_POOL_GRAD] = {SIZE(pool), false, 2, 2, 1, 0, numbers_only},
    [TERN_KERNEL_AVG_POOL] = {SIZE(pool), false, 1, 1, 1, 0, numbers_only},
    [TERN_KERNEL_AVG_POOL_GRAD] = {SIZE(pool), false, 1, 1, 1, 0, floating_only},
    [TERN_KERNEL_RESIZE] = {SIZE(resize), false, 1, 1, 1, 0, floating_or_uint8},
    [TERN_KERNEL_RESIZE_GRAD] = {SIZE(resize), false, 1, 1, 1, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_MAP)] = {SIZE(map), true, 1, TERN_KIT_OPERANDS, TERN_KIT_OPERANDS,
                                         0, NULL},
    [TERN_KIT_FUSED(TERN_KERNEL_REDUCE_LIST)] = {SIZE(reduce), false, 1, 1, 1, 0, reduce_has},
    [TERN_KIT_FUSED(TERN_KERNEL_MATMUL_MAP)] = {SIZE(matmul_map), true, 2, TERN_KIT_OPERANDS, 1, 0,
                                                floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_CONV_MAP)] = {SIZE(conv_map), true, 2, TERN_KIT_OPERANDS, 1, 0,
                                              floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX)] = {SIZE(softmax), false, 1, 1, 1, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX)] = {SIZE(softmax), false, 1, 1, 1, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_SOFTMAX_GRAD)] = {SIZE(softmax), false, 2, 2, 1, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_LOG_SOFTMAX_GRAD)] = {SIZE(softmax), false, 2, 2, 1, 0,
                                                      floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY)] = {SIZE(cross_entropy), false, 2, 3, 4, 0,
                                                   floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_CROSS_ENTROPY_GRAD)] = {SIZE(cross_entropy), false, 6, 7, 1, 0,
                                                        floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM)] = {SIZE(norm), false, 1, 3, 4, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_NORM_GRAD)] = {SIZE(norm_grad), false, 3, 5, 3, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_EMBEDDING_GRAD)] = {SIZE(embedding_grad), false, 2, 2, 1, 0,
                                                    floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION)] = {SIZE(attention), false, 3, 4, 2, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_ATTENTION_GRAD)] = {SIZE(attention), false, 6, 7, 3, 0,
                                                    floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT)] = {SIZE(recurrent), false, 4, 7, 3, 0, floating_only},
    [TERN_KIT_FUSED(TERN_KERNEL_RECURRENT_GRAD)] = {SIZE(recurrent), false, 7, 11, 7, 0,
                                                    floating_only},
};

#define COUNT (int32_t)(sizeof forms / sizeof *forms)

int32_t tern_kit_form_index(int32_t kernel, int32_t count) {
    int32_t at = kernel < TERN_KIT_PRIMITIVES ? kernel
                 : kernel < TERN_KERNEL_FUSED ? -1
                                              : TERN_KIT_FUSED(kernel);
    return at >= 0 && at < count ? at : -1;
}

const tern_kit_form *tern_kit_form_of(int32_t kernel) {
    int32_t at = tern_kit_form_index(kernel, COUNT);
    return at >= 0 && forms[at].max_outputs > 0 ? &forms[at] : NULL;
}

/* Whether all operands have dtypes of today's tensors. */
static bool knows_dtypes(const tern_kernel_query *query) {
    for (int32_t i = 0; i < query->n_inputs; i++) {
        if (query->input_dtypes[i] < 0 || query->input_dtypes[i] >= TERN_BT_COUNT) return false;
    }
    for (int32_t i = 0; i < query->n_outputs; i++) {
        if (query->output_dtypes[i] < 0 || query->output_dtypes[i] >= TERN_BT_COUNT) return false;
    }
    return true;
}

/* The floating dtype that a product, a reduction or a softmax may write instead of its own. */
static bool is_wider(int32_t wide, int32_t dtype) {
    bool narrow = dtype == TERN_BT_FLOAT16 || dtype == TERN_BT_BFLOAT16;
    return (wide == TERN_BT_FLOAT32 && narrow) ||
           (wide == TERN_BT_FLOAT64 && dtype == TERN_BT_FLOAT32);
}

/* Of a norm the statistics, which come after the output, or before the weight, are wide. */
static bool norm_dtypes_fit(const tern_kernel_query *query) {
    int32_t own = query->input_dtypes[0], wide = tern_kit_wide(own);
    bool forward = query->kernel == TERN_KERNEL_NORM, fits = true;
    int32_t weight = query->fn == TERN_NORM_RMS ? 3 : 4;
    for (int32_t i = 0; i < query->n_inputs; i++)
        fits = fits && query->input_dtypes[i] == (forward || i < 2 || i >= weight ? own : wide);
    for (int32_t i = 0; i < query->n_outputs; i++)
        fits = fits && query->output_dtypes[i] == (forward && i > 0 ? wide : own);
    return fits;
}

static bool reduction_fits(int32_t fn, int32_t in, int32_t out) {
    switch (fn) {
    case TERN_REDUCE_ARGMAX:
    case TERN_REDUCE_ARGMIN: return out == TERN_BT_INT64;
    case TERN_REDUCE_ANY:
    case TERN_REDUCE_ALL: return out == TERN_BT_BOOL;
    default: return out == in || is_wider(out, in);
    }
}

/* x at `at` and the target behind it; the loss or its gradient has x's dtype, the other outputs, and what
 * comes between the target and the weights, that of statistics. */
static bool cross_entropy_fits(const tern_kernel_query *query, int32_t at) {
    const int32_t *in = query->input_dtypes, *out = query->output_dtypes;
    int32_t x = in[at], statistics = x == TERN_BT_FLOAT64 ? TERN_BT_FLOAT64 : TERN_BT_FLOAT32;
    bool fits = in[0] == x && out[0] == x;
    fits = fits && in[at + 1] == (query->fn == TERN_CROSS_ENTROPY_INDEX ? TERN_BT_INT64 : x);
    for (int32_t i = 1; i < query->n_outputs; i++) fits = fits && out[i] == statistics;
    for (int32_t i = at + 2; i < query->n_inputs; i++)
        fits = fits && in[i] == (at > 0 && i < 6 ? statistics : x);
    return fits;
}

/* Whether they go together; families that are not named here convert or have one. */
static bool dtypes_fit(const tern_kernel_query *query) {
    const int32_t *in = query->input_dtypes, out = query->output_dtypes[0];
    switch (query->kernel) {
    case TERN_KERNEL_MATMUL:
        if (in[0] != in[1] || (query->n_inputs > 2 && in[2] != out)) return false;
        return out == in[0] || is_wider(out, in[0]);
    case TERN_KERNEL_REDUCE_LIST:
    case TERN_KERNEL_REDUCE: return reduction_fits(query->fn, in[0], out);
    case TERN_KERNEL_SOFTMAX:
    case TERN_KERNEL_LOG_SOFTMAX: return out == in[0] || is_wider(out, in[0]);
    case TERN_KERNEL_SOFTMAX_GRAD:
    case TERN_KERNEL_LOG_SOFTMAX_GRAD:
        return in[0] == in[1] && (out == in[0] || is_wider(in[0], out));
    case TERN_KERNEL_NORM:
    case TERN_KERNEL_NORM_GRAD: return norm_dtypes_fit(query);
    case TERN_KERNEL_CROSS_ENTROPY: return cross_entropy_fits(query, 0);
    case TERN_KERNEL_CROSS_ENTROPY_GRAD: return cross_entropy_fits(query, 1);
    default: return true;
    }
}

static bool has_member(tern_kit_has has, const tern_kit_form *form,
                       const tern_kernel_query *query) {
    return !has || has(query->fn, query->input_dtypes[form->deciding]);
}

const char *tern_kit_form_refuses(const tern_kit_form *form, const tern_kernel_query *query,
                                  tern_kit_has has) {
    if (query->n_inputs < form->min_inputs || query->n_inputs > form->max_inputs ||
        query->n_outputs < 1 || query->n_outputs > form->max_outputs)
        return "wrong number of operands for the kernel";
    if (!knows_dtypes(query)) return "an element type that this backend does not know";
    if (!has_member(form->has, form, query) || !has_member(has, form, query))
        return "the kernel has no such member for this element type";
    return dtypes_fit(query) ? NULL : "the kernel does not take these element types together";
}
