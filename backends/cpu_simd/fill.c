/*
 * FILL: out[...] = value. Where there are gaps it is a copy of one element, broadcast.
 */
#include <string.h>

#include "../cpu_ref/walk.h"
#include "kernels.h"
#include "simd.h"

/* Bytes that one chunk of parallel_for writes. */
#define GRAIN (INT64_C(1) << 18)

typedef struct stretch {
    char *data;
    char pattern[SIMD_BYTES]; /* the value, over and over */
} stretch;

static void fill_bytes(void *arg, int64_t begin, int64_t end) {
    const stretch *s = arg;
    f32v pattern = f32_load(s->pattern);
    int64_t at = begin;
    for (; at + SIMD_BYTES <= end; at += SIMD_BYTES) f32_store(s->data + at, pattern);
    memcpy(s->data + at, s->pattern, (size_t)(end - at));
}

static int32_t fill_strided(const tern_kit_call *call, char *element) {
    static const int64_t standing[TERN_BACKEND_MAX_RANK];
    tern_kit_tensor value = call->outputs[0];
    value.data = element;
    value.strides = standing;
    tern_kit_call copy = *call;
    copy.inputs = &value;
    copy.n_inputs = 1;
    return tern_simd_copy(&copy);
}

int32_t tern_simd_fill(const tern_kit_call *call) {
    const tern_kit_tensor *out = &call->outputs[0];
    const tern_fill_attrs *attrs = call->attrs;
    int64_t size = tern_kit_size(out->dtype);
    stretch s = {.data = out->data};
    for (int64_t at = 0; at < SIMD_BYTES; at += size) {
        if (tern_kit_is_floating(out->dtype))
            tern_kit_store_f64(out->dtype, s.pattern + at, 1, 1, &attrs->f);
        else
            tern_kit_store_i64(out->dtype, s.pattern + at, 1, 1, &attrs->i);
    }
    if (!tern_kit_is_contiguous(out)) return fill_strided(call, s.pattern);
    int64_t bytes = tern_kit_count(out) * size;
    if (bytes <= GRAIN)
        fill_bytes(&s, 0, bytes);
    else
        call->host->parallel_for(bytes, GRAIN, fill_bytes, &s);
    return TERN_BACKEND_OK;
}
