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

/*
 * + - * / of float32, straight from memory; false for what else there is. The bits are those of the way
 * by double (binary_floating.c), which for a few elements is the longer one.
 */
static bool run_plain(const tern_kit_call *call, const tern_kit_row *row, const int64_t *offset) {
    const tern_binary_attrs *attrs = call->attrs;
    const tern_kit_tensor *in = call->inputs, *out = &call->outputs[0];
    if (in[0].dtype != TERN_BT_FLOAT32 || in[1].dtype != TERN_BT_FLOAT32 ||
        out->dtype != TERN_BT_FLOAT32)
        return false;
    float *to = (float *)(void *)out->data + offset[0];
    const float *a = (const float *)(const void *)in[0].data + offset[1];
    const float *b = (const float *)(const void *)in[1].data + offset[2];
    int64_t n = row->length, st = row->stride[0], sa = row->stride[1], sb = row->stride[2];
    bool scaled = attrs->alpha != 1;
    switch (attrs->fn) {
    case TERN_BINARY_ADD:
        for (int64_t i = 0; i < n && !scaled; i++) to[i * st] = a[i * sa] + b[i * sb];
        return !scaled;
    case TERN_BINARY_SUB:
        for (int64_t i = 0; i < n && !scaled; i++) to[i * st] = a[i * sa] - b[i * sb];
        return !scaled;
    case TERN_BINARY_MUL:
        for (int64_t i = 0; i < n; i++) to[i * st] = a[i * sa] * b[i * sb];
        return true;
    case TERN_BINARY_DIV:
        for (int64_t i = 0; i < n; i++) to[i * st] = a[i * sa] / b[i * sb];
        return true;
    default: return false;
    }
}

/* A whole row that begins at these element offsets of the output, a and b. */
static void run_row(const tern_kit_call *call, const tern_kit_row *row, const int64_t *offset) {
    const tern_kit_tensor *a = &call->inputs[0], *b = &call->inputs[1], *out = &call->outputs[0];
    if (run_plain(call, row, offset)) return;
    for (int64_t i = 0; i < row->length; i += TERN_KIT_CHUNK) {
        int64_t n = row->length - i < TERN_KIT_CHUNK ? row->length - i : TERN_KIT_CHUNK;
        void *to = tern_kit_at(out, offset[0] + i * row->stride[0]);
        const void *from_a = tern_kit_at(a, offset[1] + i * row->stride[1]);
        const void *from_b = tern_kit_at(b, offset[2] + i * row->stride[2]);
        if (tern_kit_is_floating(a->dtype))
            binary_floating(call, row, to, from_a, from_b, n);
        else
            binary_integer(call, row, to, from_a, from_b, n);
    }
}

int32_t tern_ref_binary(const tern_kit_call *call) {
    const tern_kit_tensor *operands[] = {&call->outputs[0], &call->inputs[0], &call->inputs[1]};
    static const int64_t start[3];
    tern_kit_row row;
    if (tern_kit_is_row(operands, 3, &row)) {
        run_row(call, &row, start);
        return TERN_BACKEND_OK;
    }
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, 3, 0);
    row = tern_kit_walk_row(&walk);
    do {
        run_row(call, &row, walk.offset);
    } while (tern_kit_walk_next(&walk));
    return TERN_BACKEND_OK;
}
