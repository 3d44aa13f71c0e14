/*
 * EMBEDDING_GRAD: the rows of g added up where their index says, in the order of n, as cpu_ref does. Threads
 * share the columns.
 */
#include "kernels.h"
#include "simd.h"
#include "wide_rows.h"

/* The columns of one share. */
#define COLUMNS 64

typedef struct embedding {
    const tern_kit_tensor *g, *index, *out;
    int64_t count, rows, padding;
    char *sums;      /* [rows][step], the output where it can be */
    int64_t step;    /* elements between two rows */
    int64_t *counts; /* how often each row is named; NULL: nothing is divided */
} embedding;

/* The row of g's row n; -1 where it has none. */
static int64_t row_of(const embedding *s, int64_t n) {
    int64_t row = ((const int64_t *)(const void *)s->index->data)[n * s->index->strides[0]];
    return row < 0 || row >= s->rows || row == s->padding ? -1 : row;
}

#define REAL       float
#define DTYPE      TERN_BT_FLOAT32
#define VECTOR     f32v
#define LANES      F32_LANES
#define V(name)    f32_##name
#define NAME(name) name##_f32
#define f32_bring  tern_simd_load_f32
#define f32_take   tern_simd_store_f32
#include "embedding.inc"
#undef REAL
#undef DTYPE
#undef VECTOR
#undef LANES
#undef V
#undef NAME

#define REAL       double
#define DTYPE      TERN_BT_FLOAT64
#define VECTOR     f64v
#define LANES      F64_LANES
#define V(name)    f64_##name
#define NAME(name) name##_f64
#define f64_bring  tern_simd_load_f64
#define f64_take   tern_simd_store_f64
#include "embedding.inc"

/* Reports an index that is out of range, and counts the others where that is asked for. */
static void look(const embedding *s, const tern_kit_call *call) {
    for (int64_t row = 0; s->counts && row < s->rows; row++) s->counts[row] = 0;
    for (int64_t n = 0; n < s->count; n++) {
        int64_t row = ((const int64_t *)(const void *)s->index->data)[n * s->index->strides[0]];
        if (row < 0 || row >= s->rows)
            tern_kit_bad_slice(call, row, 0, s->rows);
        else if (s->counts && row != s->padding)
            s->counts[row]++;
    }
}

int32_t tern_simd_embedding_grad(const tern_kit_call *call) {
    const tern_embedding_grad_attrs *attrs = call->attrs;
    const tern_kit_tensor *out = &call->outputs[0];
    int32_t wide = tern_kit_wide(out->dtype);
    embedding s = {.g = &call->inputs[0], .index = &call->inputs[1], .out = out};
    int64_t width = out->shape[1];
    s.count = s.index->shape[0];
    s.rows = out->shape[0];
    s.padding = attrs->padding;
    s.sums = out->data;
    s.step = out->strides[0];
    bool direct = out->dtype == wide && out->strides[1] == 1;
    int64_t room = direct ? 0 : s.rows * width, counts = attrs->by_frequency ? s.rows : 0;
    double *memory = NULL;
    if (room + counts > 0) {
        memory = tern_kit_take(call, room + counts, sizeof *memory);
        if (!memory) return TERN_BACKEND_OUT_OF_MEMORY;
    }
    if (!direct) {
        s.sums = (char *)memory;
        s.step = width;
    }
    if (counts > 0) s.counts = (int64_t *)(void *)(memory + room);
    look(&s, call);
    bool single = wide == TERN_BT_FLOAT32;
    tern_simd_share(call, width, COLUMNS, single ? columns_f32 : columns_f64, &s);
    tern_kit_give(call, memory);
    return TERN_BACKEND_OK;
}
