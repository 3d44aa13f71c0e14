/*
 * FILL and COPY.
 *
 *     FILL  out[...] = value
 *     COPY  out[...] = in[...]     any strides, any dtypes
 */
#include <string.h>

#include "kernels.h"
#include "walk.h"

int32_t tern_ref_fill(const tern_kit_call *call) {
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_fill_attrs *attrs = call->attrs;
    bool floating = tern_kit_is_floating(out->dtype);
    double element = 0; /* 8 bytes, enough for any dtype */
    if (floating)
        tern_kit_store_f64(out->dtype, &element, 1, 1, &attrs->f);
    else
        tern_kit_store_i64(out->dtype, &element, 1, 1, &attrs->i);

    size_t size = (size_t)tern_kit_size(out->dtype);
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &out, 1, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        for (int64_t i = 0; i < row.length; i++) {
            memcpy(tern_kit_at(out, walk.offset[0] + i * row.stride[0]), &element, size);
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}

/* Equal dtypes: bytes move as they are, so that every NaN keeps its payload. */
static void copy_bytes(const tern_kit_tensor *in, int64_t in_offset, int64_t in_stride,
                       const tern_kit_tensor *out, int64_t out_offset, int64_t out_stride,
                       int64_t n) {
    size_t size = (size_t)tern_kit_size(in->dtype);
    if (in_stride == 1 && out_stride == 1) {
        memmove(tern_kit_at(out, out_offset), tern_kit_at(in, in_offset), (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        memmove(tern_kit_at(out, out_offset + i * out_stride),
                tern_kit_at(in, in_offset + i * in_stride), size);
    }
}

static void convert(const tern_kit_tensor *in, int64_t in_offset, int64_t in_stride,
                    const tern_kit_tensor *out, int64_t out_offset, int64_t out_stride, int64_t n) {
    const void *from = tern_kit_at(in, in_offset);
    void *to = tern_kit_at(out, out_offset);
    if (tern_kit_is_floating(in->dtype)) {
        double values[TERN_KIT_CHUNK];
        tern_kit_load_f64(in->dtype, from, in_stride, n, values);
        tern_kit_store_f64(out->dtype, to, out_stride, n, values);
    } else {
        int64_t values[TERN_KIT_CHUNK];
        tern_kit_load_i64(in->dtype, from, in_stride, n, values);
        tern_kit_store_i64(out->dtype, to, out_stride, n, values);
    }
}

int32_t tern_ref_copy(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    const tern_kit_tensor *operands[] = {out, in};
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 2, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    int64_t to = row.stride[0], from = row.stride[1];
    do {
        if (in->dtype == out->dtype) {
            copy_bytes(in, walk.offset[1], from, out, walk.offset[0], to, row.length);
            continue;
        }
        for (int64_t i = 0; i < row.length; i += TERN_KIT_CHUNK) {
            int64_t n = row.length - i < TERN_KIT_CHUNK ? row.length - i : TERN_KIT_CHUNK;
            convert(in, walk.offset[1] + i * from, from, out, walk.offset[0] + i * to, to, n);
        }
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
