/*
 * NORM_GRAD: the gradient of a normalisation (formulas in tern/backend_fused.h).
 *
 * The sums of a statistic are taken in one pass, its part of dx is written in another, over what the cache
 * still holds. The weight and the bias get what all statistics add up to:
 *
 *   - where they vary along a run (layer norm), a band of statistics adds up rows of its own, and the rows
 *     of all bands are added up in order; the bands depend on the shape alone;
 *   - where they do not (batch, group norm), each piece of a statistic leaves two sums, which are added up
 *     in order.
 */
#include "across.h"
#include "kernels.h"
#include "norm_shape.h"

/* The operands; DW and DB are there for their strides. What is not there stands where another does. */
enum { X, G, RSTD, MEAN, WEIGHT, DX, DW, DB };

/* The least elements of a band, and the most bands. */
#define BAND_SIZE (INT64_C(1) << 14)
#define BANDS     32

typedef struct backward {
    norm_shape shape;
    bool rms, gives_input;
    int64_t elements;     /* of one statistic */
    int64_t kept, pieces; /* statistics (without columns), pieces of one */
    int64_t tiles, first_column;
    int64_t band; /* statistics in one */
    void *rows;   /* of each band: dw, db */
    double *sums; /* of each piece: of g h, of g */
} backward;

#define REAL       float
#define DTYPE      TERN_BT_FLOAT32
#define VECTOR     f32v
#define LANES      F32_LANES
#define V(name)    f32_##name
#define NAME(name) name##_f32
#define f32_bring  tern_simd_load_f32
#define f32_take   tern_simd_store_f32
#include "norm_grad.inc"
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
#include "norm_grad.inc"

static const float one_f32 = 1;
static const double one_f64 = 1;

/* A gradient of the weight or the bias as it is added up: `sums` has its elements in row-major order. */
typedef struct target {
    const tern_kit_tensor *out;
    int64_t packed[TERN_BACKEND_MAX_RANK];
    double *sums;
} target;

/* An operand with the strides of the row-major sums; the second input, which is read, stands for nothing. */
static void collect_target(norm_shape *s, target *t, const tern_kit_tensor *out,
                           const tern_kit_tensor *x) {
    t->out = out;
    if (!out) {
        tern_simd_norm_number(s, TERN_BT_FLOAT64, &one_f64, x);
        return;
    }
    int64_t step = 1;
    for (int32_t d = x->rank - 1; d >= 0; d--) {
        t->packed[d] = step;
        step *= out->shape[d];
    }
    tern_kit_tensor packed =
        tern_kit_tensor_over(out->data, TERN_BT_FLOAT64, x->rank, out->shape, t->packed);
    tern_simd_norm_operand(s, &packed, x);
}

static void collect(backward *q, target *targets, const tern_kit_call *call) {
    const tern_norm_grad_attrs *attrs = call->attrs;
    const tern_kit_tensor *in = call->inputs, *x = &in[1], *out = call->outputs;
    const tern_kit_tensor *rstd = q->rms ? &in[2] : &in[3];
    int32_t wide = tern_kit_wide(x->dtype);
    norm_shape *s = &q->shape;
    tern_simd_norm_operand(s, x, x);
    tern_simd_norm_operand(s, &in[0], x);
    tern_simd_norm_operand(s, rstd, x);
    tern_simd_norm_operand(s, &in[2], x);
    if (attrs->affine & TERN_NORM_WEIGHT)
        tern_simd_norm_operand(s, rstd + 1, x);
    else
        tern_simd_norm_number(s, wide, wide == TERN_BT_FLOAT32 ? (const void *)&one_f32 : &one_f64,
                              x);
    q->gives_input = (attrs->wants & TERN_WANTS_INPUT) != 0;
    tern_simd_norm_operand(s, q->gives_input ? out++ : x, x);
    collect_target(s, &targets[0], attrs->wants & TERN_WANTS_WEIGHT ? out++ : NULL, x);
    collect_target(s, &targets[1], attrs->wants & TERN_WANTS_BIAS ? out : NULL, x);
}

/* ---- the weight and the bias ----------------------------------------------------------------- */

/* Adds up what the pieces have left, in the order of the statistics. */
static void add_pieces(const backward *q, target *targets) {
    const norm_shape *s = &q->shape;
    tern_kit_walk walk = s->kept;
    const double *sums = q->sums;
    norm_place place;
    tern_kit_walk_seek(&walk, 0);
    do {
        for (int64_t j = 0; j < s->columns.length; j++) {
            tern_simd_norm_first(s, walk.offset, &place);
            bool more = true;
            for (; more; sums += 2) {
                for (int i = 0; i < 2; i++)
                    if (targets[i].out)
                        targets[i].sums[place.offset[DW + i] + j * s->columns.stride[DW + i]] +=
                            sums[i];
                more = !s->by_columns && tern_simd_norm_next(s, &place);
            }
        }
    } while (tern_kit_walk_next(&walk));
}

/* The sums, rounded to the output. */
static void write_target(const target *t) {
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, &t->out, 1, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    const double *sums = t->sums;
    do {
        tern_kit_store_f64(t->out->dtype, tern_kit_at(t->out, walk.offset[0]), row.stride[0],
                           row.length, sums);
        sums += row.length;
    } while (tern_kit_walk_next(&walk));
}

/* ---- the launch ------------------------------------------------------------------------------ */

/* Whether the weight's gradients vary along the run alone, and are rows. */
static bool wants_rows(const backward *q, const target *targets) {
    for (int i = 0; i < 2; i++)
        if (targets[i].out && q->shape.run.stride[DW + i] != 0) return true;
    return false;
}

/* Whether they are what the plan has a way for: rows of one piece, or numbers along D. */
static bool fits(const backward *q, const target *targets, bool rows) {
    const norm_shape *s = &q->shape;
    if (s->by_columns && s->pieces.rank > 0)
        for (int32_t d = 0; d < s->pieces.rank; d++)
            if (s->pieces.stride[WEIGHT][d] != 0 || s->pieces.stride[DW][d] != 0 ||
                s->pieces.stride[DB][d] != 0)
                return false;
    for (int i = 0; rows && i < 2; i++) {
        if (!targets[i].out) continue;
        if (q->pieces != 1 || s->run.stride[DW + i] != 1) return false;
        for (int32_t d = 0; d < s->kept.rank; d++)
            if (s->kept.stride[DW + i][d] != 0) return false;
    }
    return true;
}

static void run(backward *q, const tern_kit_call *call, bool rows, double *joined) {
    const norm_shape *s = &q->shape;
    bool single = s->operands[X].dtype != TERN_BT_FLOAT64;
    if (s->by_columns) {
        q->tiles = (s->columns.length - 1) / NORM_COLUMNS + 1;
        int64_t shares = q->kept * q->tiles;
        int64_t grain = tern_simd_grain(tern_kit_count(&s->operands[X]) / shares);
        tern_simd_share(call, shares, grain, single ? column_shares_f32 : column_shares_f64, q);
        return;
    }
    int64_t bands = (q->kept - 1) / q->band + 1;
    tern_simd_share(call, bands, 1, single ? bands_f32 : bands_f64, q);
    if (rows && single) join_bands_f32(q, bands, joined);
    if (rows && !single) join_bands_f64(q, bands, joined);
}

/* Scratch for the sums of the pieces or the rows of the bands, and those of the targets. */
static bool take(backward *q, target *targets, const tern_kit_call *call, bool rows) {
    int64_t wanted = 0, counts[2] = {0, 0}, each = 2 * q->shape.run.length;
    for (int i = 0; i < 2; i++)
        if (targets[i].out) counts[i] = tern_kit_count(targets[i].out);
    if (rows)
        wanted = each * ((q->kept - 1) / q->band + 2);
    else if (targets[0].out || targets[1].out)
        wanted = 2 * q->kept * q->shape.columns.length * (q->shape.by_columns ? 1 : q->pieces);
    double *memory = tern_kit_take(call, wanted + counts[0] + counts[1] + 1, sizeof *memory);
    if (!memory) return false;
    targets[0].sums = memory;
    targets[1].sums = memory + counts[0];
    for (int64_t i = 0; i < counts[0] + counts[1]; i++) memory[i] = 0;
    double *rest = targets[1].sums + counts[1];
    if (rows)
        q->rows = rest;
    else if (wanted > 0)
        q->sums = rest;
    return true;
}

int32_t tern_simd_norm_grad(const tern_kit_call *call) {
    const tern_norm_grad_attrs *attrs = call->attrs;
    backward q = {.rms = attrs->fn == TERN_NORM_RMS};
    target targets[2] = {{0}};
    collect(&q, targets, call);
    tern_simd_norm_cut(&q.shape, attrs->dims);
    q.elements = q.shape.elements;
    q.kept = tern_kit_walk_count(&q.shape.kept);
    q.pieces = tern_kit_walk_count(&q.shape.pieces);
    bool rows = !q.shape.by_columns && wants_rows(&q, targets);
    if (!fits(&q, targets, rows)) return tern_ref_norm_grad(call);
    q.band = (BAND_SIZE - 1) / q.elements + 1;
    if (q.band < (q.kept - 1) / BANDS + 1) q.band = (q.kept - 1) / BANDS + 1;
    if (!take(&q, targets, call, rows)) return TERN_BACKEND_OUT_OF_MEMORY;
    int64_t length = q.shape.run.length, bands = (q.kept - 1) / q.band + 1;
    double *joined = rows ? (double *)q.rows + bands * 2 * length : NULL;
    run(&q, call, rows, joined);
    for (int i = 0; rows && i < 2; i++)
        if (targets[i].out)
            memcpy(targets[i].sums, joined + i * length, (size_t)length * sizeof *joined);
    if (q.sums) add_pieces(&q, targets);
    for (int i = 0; i < 2; i++)
        if (targets[i].out) write_target(&targets[i]);
    tern_kit_give(call, targets[0].sums);
    return TERN_BACKEND_OK;
}
