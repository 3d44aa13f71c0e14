/*
 * REDUCE SUM and MEAN of floating dtypes, in PyTorch's order: the bits of cpu_ref/reduce_sum.c, whatever
 * the width of this machine's vectors and the number of threads.
 *
 * PyTorch's vectors have 32 bytes, and it adds up four of them side by side; so does this file, as two
 * halves each where vectors are shorter. What is written at the end is computed in one share, whole:
 * columns of one index of the kept dimensions.
 */
#include "../cpu_ref/reduce_sum.h"

#include <string.h>

#include "../cpu_ref/walk.h"
#include "kernels.h"
#include "reduce.h"
#include "simd.h"

/* The most bytes of columns that one share has. */
#define SIDE_BYTES 4096

/* Elements that are worth another thread. */
#define GRAIN (INT64_C(1) << 15)

typedef struct summation {
    const tern_kit_call *call;
    const char *in;
    const tern_kit_tensor *out;
    tern_ref_sum_dim rows, columns;            /* what is added, and side by side */
    tern_ref_sum_dim outer[TERN_REF_SUM_DIMS]; /* the reduced ones first */
    int32_t reduced, outer_count;
    int64_t chunk, chunks; /* columns of one share; shares of each index of the kept dimensions */
    int64_t shares;
    double divisor; /* 0: none */
} summation;

/* Where a share is: elements from the first of the input and the output. */
typedef struct place {
    int64_t from, to, columns;
    int64_t index[TERN_REF_SUM_DIMS]; /* of the reduced outer dimensions */
} place;

static place place_of(const summation *s, int64_t share) {
    int64_t first = share % s->chunks * s->chunk, left = s->columns.size - first;
    place at = {.from = first * s->columns.in,
                .to = first * s->columns.out,
                .columns = left < s->chunk ? left : s->chunk};
    if (s->columns.out == 0) at.columns = 1;
    int64_t kept = share / s->chunks;
    for (int32_t d = s->reduced; d < s->outer_count; d++) {
        at.from += kept % s->outer[d].size * s->outer[d].in;
        at.to += kept % s->outer[d].size * s->outer[d].out;
        kept /= s->outer[d].size;
    }
    for (int32_t d = 0; d < s->reduced; d++) at.index[d] = 0;
    return at;
}

/* To the next piece of a share; false after the last. */
static bool next_piece(const summation *s, place *at) {
    for (int32_t d = 0; d < s->reduced; d++) {
        at->from += s->outer[d].in;
        if (++at->index[d] < s->outer[d].size) return true;
        at->from -= s->outer[d].in * s->outer[d].size;
        at->index[d] = 0;
    }
    return false;
}

/* How many additions a level takes, as a power of 2: a quarter of ceil(log2(rows)), at least 4. */
static int cascade_power(int64_t rows) {
    if (rows <= INT64_C(1) << 19) return 4;
    int bits = 64 - __builtin_clzll((unsigned long long)(rows - 1));
    return bits / 4;
}

static void store_f32(const tern_kit_tensor *out, int64_t to, int64_t stride, int64_t n,
                      const float *values) {
    char *at = tern_kit_at(out, to);
    if (out->dtype != TERN_BT_FLOAT32) {
        double wide[TERN_KIT_CHUNK];
        for (int64_t i = 0; i < n; i += TERN_KIT_CHUNK) {
            int64_t some = n - i < TERN_KIT_CHUNK ? n - i : TERN_KIT_CHUNK;
            for (int64_t k = 0; k < some; k++) wide[k] = (double)values[i + k];
            tern_kit_store_f64(out->dtype, tern_kit_at(out, to + i * stride), stride, some, wide);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy(at + i * stride * 4, &values[i], sizeof *values);
}

static void store_f64(const tern_kit_tensor *out, int64_t to, int64_t stride, int64_t n,
                      const double *values) {
    char *at = tern_kit_at(out, to);
    for (int64_t i = 0; i < n; i++) memcpy(at + i * stride * 8, &values[i], sizeof *values);
}

/* ---- float32 --------------------------------------------------------------------------------- */

#define LOAD_ONE(from, to)   (to) = (REAL) * (from)
#define LOAD_LANES(from, to) (to) = *(const NAME(loose) *)(from)
#define STORE                store_f32
#define ELEM                 float
#define REAL                 float
#define LANES                8
#define NAME(name)           name##_f32
#include "reduce_sum.inc"
#undef ELEM
#undef REAL
#undef LANES
#undef NAME

/* ---- float64 --------------------------------------------------------------------------------- */

#undef STORE
#define STORE      store_f64
#define ELEM       double
#define REAL       double
#define LANES      4
#define NAME(name) name##_f64
#include "reduce_sum.inc"
#undef LOAD_LANES
#undef ELEM
#undef REAL
#undef LANES
#undef NAME

/* ---- float32 added in float64 ---------------------------------------------------------------- */

typedef float four_floats __attribute__((vector_size(16), aligned(4), may_alias));

#define LOAD_LANES(from, to)                                                                       \
    (to) = __builtin_convertvector(*(const four_floats *)(from), lanes_wide)
#define ELEM       float
#define REAL       double
#define LANES      4
#define NAME(name) name##_wide
#include "reduce_sum.inc"
#undef LOAD_ONE
#undef LOAD_LANES
#undef ELEM
#undef REAL
#undef LANES
#undef NAME

/* ---- float16 and bfloat16, added in float32 -------------------------------------------------- */

#undef STORE
#define STORE store_f32
#define ELEM  uint16_t
#define REAL  float
#define LANES 8

typedef uint16_t eight_narrow __attribute__((vector_size(16), aligned(2), may_alias));
typedef uint32_t eight_bits __attribute__((vector_size(32)));

#define LOAD_ONE(from, to) (to) = f32_of_bf16((u16v){*(from)})[0]
#define LOAD_LANES(from, to)                                                                       \
    (to) = (lanes_bf16)(__builtin_convertvector(*(const eight_narrow *)(from), eight_bits) << 16)
#define NAME(name) name##_bf16
#include "reduce_sum.inc"
#undef LOAD_LANES
#undef LOAD_ONE
#undef NAME

#if defined(__F16C__)
#define LOAD_LANES(from, to)                                                                       \
    (to) = (lanes_f16)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(from)))
#else
#define LOAD_LANES(from, to) load_eight_f16(from, &(to))
SIMD_INLINE void load_eight_f16(const uint16_t *from, void *to) {
    for (int i = 0; i < 8; i += F32_LANES)
        f32_store((float *)to + i, f32_of_f16(u16_load(from + i)));
}
#endif
#define LOAD_ONE(from, to) (to) = f32_of_f16((u16v){*(from)})[0]
#define NAME(name)         name##_f16
#include "reduce_sum.inc"

/* ---- which --------------------------------------------------------------------------------- */

/* What there is for a pair of dtypes. */
typedef struct sums {
    void (*shares)(void *arg, int64_t begin, int64_t end);
    void (*all)(const tern_kit_call *call, int64_t n, double divisor);
} sums;

/* Of floating dtypes. */
static sums sums_of(int32_t in, int32_t out) {
    static const sums same[] = {
        [TERN_BT_FLOAT32] = {sum_shares_f32, sum_all_f32},
        [TERN_BT_FLOAT64] = {sum_shares_f64, sum_all_f64},
        [TERN_BT_FLOAT16] = {sum_shares_f16, sum_all_f16},
        [TERN_BT_BFLOAT16] = {sum_shares_bf16, sum_all_bf16},
    };
    if (in == TERN_BT_FLOAT32 && out == TERN_BT_FLOAT64)
        return (sums){sum_shares_wide, sum_all_wide};
    return same[in];
}

/* The two closest dimensions and the others, reduced ones in front. */
static void describe(summation *s, const tern_ref_sum_dim *dims, int32_t count) {
    int32_t next = 2;
    s->rows = dims[0];
    s->columns = dims[1];
    if (s->rows.out != 0 && s->columns.out == 0) {
        s->rows = dims[1];
        s->columns = dims[0];
    } else if (s->rows.out != 0) { /* nothing is reduced */
        s->rows = (tern_ref_sum_dim){1, 0, 0};
        s->columns = dims[0];
        next = 1;
    }
    for (int32_t pass = 0; pass < 2; pass++) {
        for (int32_t d = next; d < count; d++)
            if ((dims[d].out != 0) == (pass == 1)) s->outer[s->outer_count++] = dims[d];
        if (pass == 0) s->reduced = s->outer_count;
    }
}

/* Shares of whole groups of columns; several in a chunk of parallel_for where they are small. */
static void run(summation *s, sums own, int64_t elements) {
    int64_t side = SIDE_BYTES / (s->out->dtype == TERN_BT_FLOAT64 ? 8 : 4);
    int64_t columns = s->columns.size, kept = 1;
    for (int32_t d = s->reduced; d < s->outer_count; d++) kept *= s->outer[d].size;
    s->chunk = columns < side ? columns : side;
    int64_t threads = elements > GRAIN ? s->call->host->thread_count() : 1;
    if (threads > 1 && s->columns.out != 0 && kept < threads) {
        int64_t each = (columns / threads / 32 + 1) * 32;
        if (each < s->chunk) s->chunk = each;
    }
    s->chunks = s->columns.out == 0 ? 1 : (columns - 1) / s->chunk + 1;
    s->shares = kept * s->chunks;
    if (elements <= GRAIN || s->shares == 1) {
        own.shares(s, 0, s->shares);
        return;
    }
    int64_t grain = GRAIN / (elements / s->shares);
    s->call->host->parallel_for(s->shares, grain, own.shares, s);
}

int32_t tern_simd_sum(const tern_kit_call *call) {
    const tern_kit_tensor *in = &call->inputs[0], *out = &call->outputs[0];
    const tern_reduce_attrs *attrs = call->attrs;
    sums own = sums_of(in->dtype, out->dtype);
    int64_t elements = tern_kit_count(in), results = tern_kit_count(out);
    if (elements == 0 || results == 0) return tern_ref_sum_floating(call);
    int64_t in_each = elements / results;
    double divisor = attrs->fn == TERN_REDUCE_MEAN ? (double)in_each : 0;
    bool contiguous = tern_kit_is_contiguous(in);
    if (contiguous && results == 1) {
        own.all(call, elements, divisor);
        return TERN_BACKEND_OK;
    }
    /* The order of a sum in another dtype is that of a row-major copy. */
    bool converts = in->dtype != out->dtype || in->dtype > TERN_BT_FLOAT64;
    if (converts && !(contiguous && tern_kit_is_contiguous(out)))
        return tern_ref_sum_floating(call);
    tern_ref_sum_dim dims[TERN_REF_SUM_DIMS];
    int32_t count = tern_ref_sum_plan(in, out, attrs->dims, dims);
    summation s = {.call = call, .in = in->data, .out = out, .divisor = divisor};
    describe(&s, dims, count);
    run(&s, own, elements);
    return TERN_BACKEND_OK;
}
