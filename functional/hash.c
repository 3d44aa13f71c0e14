/* hash.c: hash_tensor, a checksum of a tensor's values, in host memory. */
#include "core/ops/compose.h"
#include "functional.h"

/* Steps in the result, for each dimension; 0 where it is reduced. */
static tern_shape steps_of(const tern_shape *shape, uint32_t mask) {
    tern_shape steps = {shape->rank, {0}};
    int64_t step = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        if (mask >> d & 1u) continue;
        steps.dim[d] = step;
        step *= shape->dim[d];
    }
    return steps;
}

static tern_shape result_shape(const tern_shape *shape, uint32_t mask, bool keepdim) {
    tern_shape out = {0, {0}};
    for (int d = 0; d < shape->rank; d++) {
        bool reduced = mask >> d & 1u;
        if (!reduced || keepdim) out.dim[out.rank++] = reduced ? 1 : shape->dim[d];
    }
    return out;
}

/* out, which holds zeros, with each of `count` row-major words XORed into its place */
static void combine(const uint64_t *words, int64_t count, const tern_shape *shape, uint32_t mask,
                    uint64_t *out) {
    tern_shape steps = steps_of(shape, mask), position = {shape->rank, {0}};
    int64_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        out[at] ^= words[i];
        for (int d = shape->rank - 1; d >= 0; d--) {
            at += steps.dim[d];
            if (++position.dim[d] < shape->dim[d]) break;
            at -= steps.dim[d] * shape->dim[d];
            position.dim[d] = 0;
        }
    }
}

/* There is no hash of nothing; false after latching. */
static bool has_elements(tern_opcall *call, const tern_shape *shape, uint32_t mask) {
    for (int d = 0; d < shape->rank; d++) {
        if (!(mask >> d & 1u) || shape->dim[d] > 0) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Expected reduction dim %d to have non-zero size: give other dims", d);
        return false;
    }
    return true;
}

/* (input, dim, keepdim, mode) */
tern_value tern_op_hash_tensor(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape shape = tern_shape_of(x), dims = tern_arg_ints(call, 1);
    int64_t mode = tern_arg_int(call, 3, 0), count = BODY(x)->numel, n = count ? 1 : 0;
    uint32_t mask;
    if (mode != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Unknown mode %lld: 0 (XOR) is what there is", (long long)mode);
    if (!tern_wrap_dims(call->ctx, shape.rank, &dims, &mask) || !has_elements(call, &shape, mask))
        return tern_none();
    /* The bits of a double and of an int64 are words alike. */
    uint64_t *words = tern_host_copy(
        call->ctx, x, tern_dtype_is_floating(BODY(x)->dtype) ? TERN_FLOAT64 : TERN_INT64);
    tern_shape reduced = result_shape(&shape, mask, tern_arg_bool(call, 2, false));
    for (int d = 0; d < reduced.rank && n > 0; d++) n *= reduced.dim[d];
    uint64_t *out = words ? tern_host_buffer(call->ctx, n, sizeof *out) : NULL;
    tern_tensor *result = call->ctx->nil;
    if (out) {
        for (int64_t i = 0; i < n; i++) out[i] = 0;
        if (count) combine(words, count, &shape, mask, out);
        result = tern_new_from_host(call->lane, out, TERN_INT64, &reduced, NULL);
    }
    tern_host_give(call->ctx, out);
    tern_host_give(call->ctx, words);
    return tern_result(call, result);
}
