/*
 * REDUCE of runs: extrema, their positions and variances of what lies one behind the other.
 */
#include <math.h>

#include "across.h"
#include "moments.h"
#include "norm_shape.h"
#include "reduce.h"

enum { IN, OUT };

typedef struct runs {
    norm_shape shape;
    const tern_kit_tensor *in;
    bool least, gives_position, is_var;
    int64_t elements; /* of one result */
    double correction;
} runs;

#define REAL       double
#define VECTOR     f64v
#define LANES      F64_LANES
#define SINGLE     false
#define V(name)    f64_##name
#define NAME(name) name##_f64
#include "moments.inc"
#undef REAL
#undef VECTOR
#undef LANES
#undef SINGLE
#undef V
#undef NAME

/* More elements of a variance, which is computed in double. */
static void add_wide(int32_t dtype, const void *x, int64_t n, moments *m) {
    double wide[NORM_CHUNK];
    for (int64_t i = 0; i < n; i += NORM_CHUNK) {
        int64_t some = n - i < NORM_CHUNK ? n - i : NORM_CHUNK;
        const char *from = (const char *)x + i * tern_kit_size(dtype);
        tern_kit_load_f64(dtype, from, 1, some, wide);
        add_moments_f64(wide, some, m);
    }
}

#define REAL       float
#define VECTOR     f32v
#define LANES      F32_LANES
#define INDEX      i32v
#define INT        int32_t
#define V(name)    f32_##name
#define NAME(name) name##_f32
#include "reduce_runs.inc"
#undef REAL
#undef VECTOR
#undef LANES
#undef INDEX
#undef INT
#undef V
#undef NAME

#define REAL       double
#define VECTOR     f64v
#define LANES      F64_LANES
#define INDEX      i64v
#define INT        int64_t
#define V(name)    f64_##name
#define NAME(name) name##_f64
#include "reduce_runs.inc"

bool tern_simd_reduce_runs(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    const tern_reduce_attrs *attrs = call->attrs;
    int32_t fn = attrs->fn;
    runs s = {.in = in, .correction = attrs->value};
    s.gives_position = fn == TERN_REDUCE_ARGMAX || fn == TERN_REDUCE_ARGMIN;
    s.least = fn == TERN_REDUCE_MIN || fn == TERN_REDUCE_ARGMIN;
    s.is_var = fn == TERN_REDUCE_VAR;
    bool known = s.gives_position || s.least || s.is_var || fn == TERN_REDUCE_MAX;
    if (!known || in->dtype > TERN_BT_FLOAT64 || tern_kit_count(in) == 0) return false;
    if (!s.gives_position && out->dtype != in->dtype) return false;
    tern_simd_norm_operand(&s.shape, in, in);
    tern_simd_norm_operand(&s.shape, out, in);
    tern_simd_norm_cut(&s.shape, attrs->dims);
    s.elements = s.shape.elements;
    int64_t stride = s.shape.run.stride[IN], length = s.shape.run.length;
    if (s.shape.by_columns || (stride != 1 && length != 1)) return false;
    if (s.gives_position && s.shape.pieces.rank > 0) return false;
    int64_t shares = tern_kit_walk_count(&s.shape.kept);
    tern_simd_share(call, shares, tern_simd_grain(s.elements),
                    in->dtype == TERN_BT_FLOAT32 ? reduce_shares_f32 : reduce_shares_f64, &s);
    return true;
}
