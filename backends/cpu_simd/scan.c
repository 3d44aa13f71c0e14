/*
 * SCAN: running sums, products and extremes along one dimension, with cpu_ref's values: sums of floats
 * are in double, in order, and every result is one of them rounded.
 */
#include "../cpu_ref/kernels.h"
#include "kernels.h"
#include "lines.h"

/* What a chunk of parallel_for has at least, in elements. */
#define GRAIN 32768
/* How many lines run as vectors at once. */
#define BESIDE 128

/* A copy that no store can change, for all that the compiler knows. */
typedef struct steps {
    int64_t along[LINES_TENSORS], across[LINES_TENSORS], length;
} steps;

static inline steps steps_of(const line_group *g) {
    return (steps){{g->along[0], g->along[1], g->along[2]},
                   {g->across[0], g->across[1], g->across[2]},
                   g->length};
}

#define TYPED(name) name##_f32
#define ELEMENT     float
#define SUM         double
#include "scan_typed.inc"

#define TYPED(name) name##_f64
#define ELEMENT     double
#define SUM         double
#include "scan_typed.inc"

#define TYPED(name) name##_i64
#define ELEMENT     int64_t
#define SUM         uint64_t
#include "scan_typed.inc"

typedef struct scan {
    void (*run)(const line_group *group, bool flag);
    bool flag; /* a product, or the least */
} scan;

static void run_group(void *arg, const line_group *group) {
    const scan *s = arg;
    s->run(group, s->flag);
}

int32_t tern_simd_scan(const tern_kit_call *call) {
    static const struct {
        void (*accumulate)(const line_group *group, bool product);
        void (*extremes)(const line_group *group, bool least);
    } types[TERN_BT_COUNT] = {
        [TERN_BT_FLOAT32] = {accumulate_f32, extremes_f32},
        [TERN_BT_FLOAT64] = {accumulate_f64, extremes_f64},
        [TERN_BT_INT64] = {accumulate_i64, extremes_i64},
    };
    const tern_scan_attrs *attrs = call->attrs;
    int32_t fn = attrs->fn, dtype = call->inputs[0].dtype;
    bool extremes = fn == TERN_SCAN_CUMMAX || fn == TERN_SCAN_CUMMIN;
    if (!types[dtype].accumulate || fn == TERN_SCAN_LOGCUMSUMEXP ||
        dtype != call->outputs[0].dtype || (extremes && call->n_outputs < 2))
        return tern_ref_scan(call);
    scan s = {extremes ? types[dtype].extremes : types[dtype].accumulate,
              fn == TERN_SCAN_CUMPROD || fn == TERN_SCAN_CUMMIN};
    tern_simd_each_line(call, attrs->dim, GRAIN, run_group, &s);
    return TERN_BACKEND_OK;
}
