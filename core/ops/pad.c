/*
 * pad.c: padding: constant, reflect, replicate, circular.
 */
#include <string.h>

#include "compose.h"

/* ---- constant ---- */

/* What negative amounts leave of a size, and how much they take off its front; -1 where too much. */
static int64_t cropped(int64_t size, int64_t before, int64_t after, int64_t *out_cut) {
    if ((before < 0 && before < -size) || (after < 0 && after < -size)) return -1;
    *out_cut = before < 0 ? -before : 0;
    int64_t length = size - *out_cut + (after < 0 ? after : 0);
    return length < 0 ? -1 : length;
}

/* pad holds (before, after) pairs from the last dimension on; negative ones crop. */
static tern_tensor *pad_constant(tern_opcall *call, tern_tensor *x, const tern_shape *pad,
                                 tern_value value) {
    tern_shape shape = tern_shape_of(x);
    char text[TERN_SHAPE_TEXT];
    tern_tensor *kept = x;
    bool fits = pad->rank % 2 == 0 && pad->rank / 2 <= BODY(x)->rank;
    for (int i = 0; fits && i < pad->rank / 2; i++) {
        int dim = BODY(x)->rank - 1 - i;
        int64_t cut = 0;
        int64_t length = cropped(shape.dim[dim], pad->dim[2 * i], pad->dim[2 * i + 1], &cut);
        shape.dim[dim] = tern_dim_add(shape.dim[dim], pad->dim[2 * i], &fits);
        shape.dim[dim] = tern_dim_add(shape.dim[dim], pad->dim[2 * i + 1], &fits);
        fits = fits && length >= 0;
        if (fits && length < BODY(x)->shape[dim]) kept = tern_narrow(kept, dim, cut, length);
    }
    if (!fits) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "padding %s does not fit an input of %d dimensions: it holds one pair for "
                       "each of the last dimensions, and leaves no negative size",
                       tern_shape_text(pad->rank, pad->dim, text), BODY(x)->rank);
        return call->ctx->nil;
    }
    tern_tensor *out = TERN_CALL(new_full, ARG_TENSOR(x), ARG_SHAPE(shape),
                                 value.kind == TERN_VALUE_NONE ? ARG_INT(0) : value);
    /* One scatter a dimension, from the inside out: the inner part grows to the outer one. */
    tern_shape size = shape, stride = {shape.rank, {0}};
    int64_t offset = 0;
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    tern_contiguous_strides(shape.rank, shape.dim, stride.dim);
    for (int i = 0; i < pad->rank / 2; i++) {
        int dim = BODY(x)->rank - 1 - i;
        int64_t before = pad->dim[2 * i] > 0 ? pad->dim[2 * i] : 0;
        offset += before * stride.dim[dim];
        size.dim[dim] = BODY(kept)->shape[dim];
    }
    return TERN_CALL(as_strided_scatter, ARG_TENSOR(out), ARG_TENSOR(kept), ARG_SHAPE(size),
                     ARG_SHAPE(stride), ARG_INT(offset));
}

tern_value tern_op_constant_pad_nd(tern_opcall *call) {
    tern_shape pad = tern_arg_ints(call, 1);
    if (pad.rank < 0) return tern_none();
    return tern_result(call, pad_constant(call, tern_arg_tensor(call, 0), &pad, tern_arg(call, 2)));
}

/* ---- by index: each position of the padded dimension names one of the input ---- */

static int64_t source_of(int64_t at, int64_t n, char mode) {
    if (mode == 'c') return ((at % n) + n) % n;
    if (mode == 'e') return at < 0 ? 0 : at >= n ? n - 1 : at;
    if (at < 0) at = -at; /* reflect: the edge itself is not repeated */
    return at >= n ? 2 * (n - 1) - at : at;
}

static tern_tensor *pad_by_index(tern_opcall *call, tern_tensor *x, int dim, int64_t before,
                                 int64_t after, char mode) {
    int64_t cut = 0, left = cropped(BODY(x)->shape[dim], before, after, &cut);
    if (mode == 'c' && left >= 0 && (before < 0 || after < 0)) {
        /* What is cropped is no part of the circle. */
        x = tern_narrow(x, dim, cut, left);
        before = before > 0 ? before : 0;
        after = after > 0 ? after : 0;
    }
    if (call->ctx->status != TERN_OK) return call->ctx->nil;
    bool fits = true;
    int64_t n = BODY(x)->shape[dim];
    int64_t limit = mode == 'e' ? INT64_MAX : mode == 'c' ? n : n - 1;
    int64_t size = tern_dim_add(tern_dim_add(n, before, &fits), after, &fits);
    if (!fits || size < 0 || (mode == 'c' && left < 0) || n == 0 || before > limit ||
        after > limit) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "padding (%lld, %lld) at dimension %d is too large for its size %lld",
                       (long long)before, (long long)after, dim, (long long)n);
        return call->ctx->nil;
    }
    int64_t *index = tern_host_buffer(call->ctx, size, sizeof *index);
    if (!index) return call->ctx->nil;
    for (int64_t i = 0; i < size; i++) index[i] = source_of(i - before, n, mode);
    tern_shape shape = {1, {size}};
    tern_tensor *from = tern_new_from_host(call->lane, index, TERN_INT64, &shape, NULL);
    tern_host_give(call->ctx, index);
    return tern_index_select(x, dim, from);
}

tern_value tern_op_pad(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape pad = tern_arg_ints(call, 1);
    const char *mode = tern_arg_text(call, 2, "constant");
    if (pad.rank < 0) return tern_none();
    if (strcmp(mode, "constant") == 0)
        return tern_result(call, pad_constant(call, x, &pad, tern_arg(call, 3)));
    bool known = strcmp(mode, "reflect") == 0 || strcmp(mode, "replicate") == 0 ||
                 strcmp(mode, "circular") == 0;
    if (!known || pad.rank % 2 != 0 || pad.rank / 2 > BODY(x)->rank)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "mode '%s' with %d numbers of padding: the mode is constant, reflect, "
            "replicate or circular, and padding comes in pairs for the last "
            "dimensions",
            mode, pad.rank);
    char kind = mode[2] == 'p' ? 'e' : mode[0];
    for (int i = 0; i < pad.rank / 2 && call->ctx->status == TERN_OK; i++)
        if (pad.dim[2 * i] != 0 || pad.dim[2 * i + 1] != 0)
            x = pad_by_index(call, x, BODY(x)->rank - 1 - i, pad.dim[2 * i], pad.dim[2 * i + 1],
                             kind);
    return tern_result(call, x == tern_arg_tensor(call, 0) ? tern_clone(x) : x);
}
