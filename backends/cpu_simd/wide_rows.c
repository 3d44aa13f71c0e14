#include "wide_rows.h"

#include "simd.h"

static void load_narrow(bool brain, const uint16_t *from, int64_t n, float *out) {
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) {
        u16v x = u16_load(from + i);
        f32_store(out + i, brain ? f32_of_bf16(x) : f32_of_f16(x));
    }
    u16v x = u16_load_some(from + i, n - i);
    f32_store_some(out + i, brain ? f32_of_bf16(x) : f32_of_f16(x), n - i);
}

static void store_narrow(bool brain, uint16_t *to, int64_t n, const float *values) {
    int64_t i = 0;
    for (; i + F32_LANES <= n; i += F32_LANES) {
        f32v x = f32_load(values + i);
        u16_store(to + i, brain ? bf16_of_f32(x) : f16_of_f32(x));
    }
    f32v x = f32_load_some(values + i, n - i);
    u16_store_some(to + i, brain ? bf16_of_f32(x) : f16_of_f32(x), n - i);
}

/* Chunks of 16-bit elements that lie apart. */
enum { CHUNK = 64 };

void tern_simd_load_f32(int32_t dtype, const void *from, int64_t stride, int64_t n, float *out) {
    const float *same = from;
    const uint16_t *narrow = from;
    bool brain = dtype == TERN_BT_BFLOAT16;
    if (dtype == TERN_BT_FLOAT32 && stride == 1) {
        memcpy(out, from, (size_t)n * sizeof *out);
    } else if (dtype == TERN_BT_FLOAT32) {
        for (int64_t i = 0; i < n; i++) out[i] = same[i * stride];
    } else if (stride == 1) {
        load_narrow(brain, narrow, n, out);
    } else {
        uint16_t dense[CHUNK];
        for (int64_t i = 0; i < n; i += CHUNK) {
            int64_t some = n - i < CHUNK ? n - i : CHUNK;
            for (int64_t k = 0; k < some; k++) dense[k] = narrow[(i + k) * stride];
            load_narrow(brain, dense, some, out + i);
        }
    }
}

void tern_simd_store_f32(int32_t dtype, void *to, int64_t stride, int64_t n, const float *values) {
    float *same = to;
    uint16_t *narrow = to;
    bool brain = dtype == TERN_BT_BFLOAT16;
    if (dtype == TERN_BT_FLOAT32 && stride == 1) {
        memcpy(to, values, (size_t)n * sizeof *values);
    } else if (dtype == TERN_BT_FLOAT32) {
        for (int64_t i = 0; i < n; i++) same[i * stride] = values[i];
    } else if (stride == 1) {
        store_narrow(brain, narrow, n, values);
    } else {
        uint16_t dense[CHUNK];
        for (int64_t i = 0; i < n; i += CHUNK) {
            int64_t some = n - i < CHUNK ? n - i : CHUNK;
            store_narrow(brain, dense, some, values + i);
            for (int64_t k = 0; k < some; k++) narrow[(i + k) * stride] = dense[k];
        }
    }
}
