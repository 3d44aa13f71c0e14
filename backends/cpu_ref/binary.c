/*
 * BINARY: out[...] = f(a[...], b[...]), broadcast dimensions by stride 0.
 */
#include "binary.h"

#include "kernels.h"
#include "walk.h"

bool tern_ref_binary_has(int32_t fn, int32_t dtype) {
    return tern_kit_is_floating(dtype) ? tern_ref_binary_has_floating(fn)
                                       : tern_ref_binary_has_integer(fn);
}

/* One row of n elements, n at most TERN_KIT_CHUNK. */
static void binary_floating(const tern_kit_call *call, const tern_kit_row *row, void *to,
                            const void *from_a, const void *from_b, int64_t n) {
    const tern_kit_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    double x[TERN_KIT_CHUNK], y[TERN_KIT_CHUNK];
    tern_kit_load_f64(a->dtype, from_a, row->stride[1], n, x);
    tern_kit_load_f64(b->dtype, from_b, row->stride[2], n, y);
    tern_ref_binary_floating(call->attrs, a->dtype, x, y, n);
    tern_kit_store_f64(call->outputs[0].dtype, to, row->stride[0], n, x);
}

static void binary_integer(const tern_kit_call *call, const tern_kit_row *row, void *to,
                           const void *from_a, const void *from_b, int64_t n) {
    const tern_kit_tensor *a = &call->inputs[0], *b = &call->inputs[1];
    int64_t x[TERN_KIT_CHUNK], y[TERN_KIT_CHUNK];
    tern_kit_load_i64(a->dtype, from_a, row->stride[1], n, x);
    tern_kit_load_i64(b->dtype, from_b, row->stride[2], n, y);
    tern_ref_binary_integer(call, call->attrs, a->dtype, x, y, n);
    tern_kit_store_i64(call->outputs[0].dtype, to, row->stride[0], n, x);
}

int32_t tern_ref_binary(const tern_kit_call *call) {
    const tern_kit_tensor *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
    const tern_kit_tensor *operands[] = {out, a, b};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 3, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        for (int64_t i = 0; i < row.length; i += TERN_KIT_CHUNK) {
            int64_t n = row.length - i < TERN_KIT_CHUNK ? row.length - i : TERN_KIT_CHUNK;
            void *to = tern_kit_at(out, walk.offset[0] + i * row.stride[0]);
            const void *from_a = tern_kit_at(a, walk.offset[1] + i * row.stride[1]);
            const void *from_b = tern_kit_at(b, walk.offset[2] + i * row.stride[2]);
            if (tern_kit_is_floating(a->dtype))
                binary_floating(call, &row, to, from_a, from_b, n);
            else
                binary_integer(call, &row, to, from_a, from_b, n);
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
