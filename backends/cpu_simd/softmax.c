/*
 * SOFTMAX, LOG_SOFTMAX and their gradients (formulas in tern/backend_fused.h).
 *
 * Along the last dimension row by row, in passes over a row that stays in the cache; along another, over
 * tiles of columns, so narrow that one stays there too. What is not float32 or float64 with its columns
 * side by side is brought to a room of its own first.
 */
#include <math.h>
#include <stdatomic.h>

#include "exp_below.h"
#include "kernels.h"
#include "simd_zip.h"
#include "vmath.h"
#include "wide_rows.h"

/* The most columns of a tile; and those of one whose rows are so few that it stays in the cache. Where it
 * cannot, rows are read as far as can be, so that memory is read forwards. */
#define SOFTMAX_TILE 1024
#define NARROW_TILE  256
#define FEW_ROWS     128
/* Bytes of an output that would not stay in the caches, and of the longest row of one that goes past them. */
#define STREAMED     (INT64_C(8) << 20)
#define STREAMED_ROW (16 << 10)

/* A launch: x [outer][length][width], cut into tiles of columns. The output is the last operand. */
typedef struct slabs {
    const tern_kit_call *call;
    const tern_kit_tensor *operands[3];
    int32_t count;
    bool logarithm, needs_room, streams;
    tern_kit_walk outer;
    int64_t length, width, tile, tiles;
    int64_t step[3], column[3]; /* strides along the dimension and the columns */
    bool direct[3];             /* computed on where it is */
    atomic_bool out_of_memory;
} slabs;

#define REAL        float
#define VECTOR      f32v
#define LANES       F32_LANES
#define V(name)     f32_##name
#define NAME(name)  name##_f32
#define BELOW_SCALE F32_BELOW_SCALE
#define f32_bring   tern_simd_load_f32
#define f32_take    tern_simd_store_f32
#include "softmax.inc"
#undef REAL
#undef VECTOR
#undef LANES
#undef V
#undef NAME
#undef BELOW_SCALE

#define REAL        double
#define VECTOR      f64v
#define LANES       F64_LANES
#define V(name)     f64_##name
#define NAME(name)  name##_f64
#define BELOW_SCALE F64_BELOW_SCALE
#define f64_bring   tern_simd_load_f64
#define f64_take    tern_simd_store_f64
#include "softmax.inc"

/* False where the dimensions behind `dim` are not one for all operands. */
static bool cut(slabs *s, int32_t dim, int32_t dtype) {
    tern_kit_walk inner;
    const tern_kit_tensor *first = s->operands[0];
    uint32_t front = (UINT32_C(1) << dim) - 1;
    tern_kit_walk_begin(&s->outer, s->operands, s->count, ~front);
    tern_kit_walk_begin(&inner, s->operands, s->count, front << 1 | 1);
    if (inner.rank > 1) return false;
    tern_kit_row columns = tern_kit_walk_row(&inner);
    s->length = first->shape[dim];
    s->width = columns.length;
    for (int32_t k = 0; k < s->count; k++) {
        s->step[k] = s->operands[k]->strides[dim];
        s->column[k] = columns.stride[k];
        s->direct[k] = s->operands[k]->dtype == dtype &&
                       (s->width == 1 ? s->step[k] == 1 || s->length == 1 : s->column[k] == 1);
        s->needs_room = s->needs_room || !s->direct[k];
    }
    s->tile = s->length > FEW_ROWS ? SOFTMAX_TILE : NARROW_TILE;
    if (s->tile > s->width) s->tile = s->width;
    s->tiles = (s->width - 1) / s->tile + 1;
    return true;
}

static int32_t run(slabs *s, int32_t dtype) {
    int64_t shares = tern_kit_walk_count(&s->outer) * s->tiles;
    int64_t grain = tern_simd_grain(s->length * s->tile);
    tern_simd_share(s->call, shares, grain,
                    dtype == TERN_BT_FLOAT64 ? slab_shares_f64 : slab_shares_f32, s);
    return atomic_load(&s->out_of_memory) ? TERN_BACKEND_OUT_OF_MEMORY : TERN_BACKEND_OK;
}

int32_t tern_simd_softmax(const tern_kit_call *call) {
    int32_t dim = ((const tern_softmax_attrs *)call->attrs)->dim;
    slabs s = {.call = call, .operands = {&call->inputs[0], &call->outputs[0]}, .count = 2};
    int32_t dtype = tern_kit_wide(s.operands[1]->dtype);
    s.logarithm = call->kernel == TERN_KERNEL_LOG_SOFTMAX;
    if (tern_kit_count(s.operands[0]) == 0 || !cut(&s, dim, dtype)) return tern_ref_softmax(call);
    const int64_t size = tern_kit_size(dtype);
    s.streams = s.width == 1 && s.direct[1] && s.length * size <= STREAMED_ROW &&
                tern_kit_count(s.operands[0]) * size >= STREAMED;
    return run(&s, dtype);
}

int32_t tern_simd_softmax_grad(const tern_kit_call *call) {
    int32_t dim = ((const tern_softmax_attrs *)call->attrs)->dim;
    slabs s = {.call = call,
               .operands = {&call->inputs[0], &call->inputs[1], &call->outputs[0]},
               .count = 3};
    int32_t dtype = tern_kit_wide(s.operands[1]->dtype);
    s.logarithm = call->kernel == TERN_KERNEL_LOG_SOFTMAX_GRAD;
    if (tern_kit_count(s.operands[0]) == 0 || !cut(&s, dim, dtype))
        return tern_ref_softmax_grad(call);
    return run(&s, dtype);
}
