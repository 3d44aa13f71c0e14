/*
 * grid_sample.c: images read at the places of a grid, and grids of affine maps (Jaderberg et al. 2015,
 * "Spatial Transformer Networks").
 *
 * A place has a few taps in each dimension, an index and a weight; the value is the sum over their combinations.
 * All is built of gather and arithmetic, through which both gradients go.
 */
#include <math.h>
#include <string.h>

#include "core/ops/compose.h"
#include "functional.h"
#include "programs/program.h"

enum { BILINEAR, NEAREST, BICUBIC };
enum { ZEROS, BORDER, REFLECTION };

#define MAX_SPATIAL 3
#define MAX_TAPS    4

typedef struct sampling {
    tern_ctx *ctx;
    tern_tensor *input,
        *grid; /* [N, C, in] as [N, C, all], [N, places, spatial], in a wide dtype */
    int spatial, mode, padding;
    bool align;
    int64_t size[MAX_SPATIAL];
    int n_taps;
    tern_tensor *index[MAX_SPATIAL][MAX_TAPS];  /* [N, places], int64, 0 where outside */
    tern_tensor *weight[MAX_SPATIAL][MAX_TAPS]; /* 0 there */
} sampling;

/* ---- places ---- */

/* From [-1, 1] to elements: -1 and 1 are the centres of the first and last one (align), or their edges. */
static tern_tensor *unnormalised(const sampling *s, tern_tensor *x, int64_t n) {
    return s->align ? FORMULA(s->ctx, "(x + 1) / 2 * (n - 1)", "x n", ARG_TENSOR(x), ARG_INT(n))
                    : FORMULA(s->ctx, "((x + 1) * n - 1) / 2", "x n", ARG_TENSOR(x), ARG_INT(n));
}

/* Mirrored at the first and last element (align), or at their edges. */
static tern_tensor *reflected(const sampling *s, tern_tensor *x, int64_t n) {
    double low = s->align ? 0.0 : -0.5, span = s->align ? (double)(n - 1) : (double)n;
    if (span <= 0.0)
        return FORMULA(s->ctx, "where(x != x, 0, where(x > 0, 0, 0))", "x", ARG_TENSOR(x));
    return FORMULA(s->ctx,
                   "d = abs(x - low); turns = floor(d / span); rest = d - turns * span;"
                   "where(turns - floor(turns / 2) * 2 == 0, rest, span - rest) + low",
                   "x low span", ARG_TENSOR(x), ARG_FLOAT(low), ARG_FLOAT(span));
}

/* Within the elements; what was moved, and what is at the ends, has no slope. NaN goes to the first. */
static tern_tensor *padded(const sampling *s, tern_tensor *x, int64_t n) {
    if (s->padding == ZEROS) return x;
    if (s->padding == REFLECTION) x = reflected(s, x, n);
    return FORMULA(s->ctx, "where(x > 0, where(x < last, x, last), 0)", "x last", ARG_TENSOR(x),
                   ARG_FLOAT((double)(n - 1)));
}

/* A tap at whole places `at`: nothing outside. */
static void set_tap(sampling *s, int d, int tap, tern_tensor *at, tern_tensor *weight) {
    int64_t n = s->size[d];
    tern_tensor *inside = tern_logical_and(tern_ge_scalar(at, 0.0), tern_lt_scalar(at, (double)n));
    tern_tensor *outside = tern_logical_not(inside);
    tern_tensor *index = tern_to_dtype(tern_fill_where(tern_detach(at), outside, 0.0), TERN_INT64);
    s->index[d][tap] = index;
    s->weight[d][tap] = tern_fill_where(weight, outside, 0.0);
}

/* Keys 1981, "Cubic convolution interpolation", with a = -3/4, for taps 1 before to 2 behind */
static tern_tensor *cubic_weight(const sampling *s, int tap, tern_tensor *t) {
    if (tap == 0)
        return FORMULA(s->ctx, "y = t + 1; ((y * -0.75 + 3.75) * y - 6) * y + 3", "t",
                       ARG_TENSOR(t));
    if (tap == 1) return FORMULA(s->ctx, "(t * 1.25 - 2.25) * t * t + 1", "t", ARG_TENSOR(t));
    if (tap == 2)
        return FORMULA(s->ctx, "y = 1 - t; (y * 1.25 - 2.25) * y * y + 1", "t", ARG_TENSOR(t));
    return FORMULA(s->ctx, "y = 2 - t; ((y * -0.75 + 3.75) * y - 6) * y + 3", "t", ARG_TENSOR(t));
}

static void find_taps(sampling *s, int d) {
    int64_t n = s->size[d];
    tern_tensor *x = tern_select(s->grid, -1, s->spatial - 1 - d);
    x = unnormalised(s, x, n);
    if (s->mode != BICUBIC) x = padded(s, x, n);
    if (tern_is_nil(x)) return;
    if (s->mode == NEAREST) {
        /* 1, with a history in which it does not move. */
        tern_tensor *one =
            FORMULA(s->ctx, "where(x != x, 1, where(x > 0, 1, 1))", "x", ARG_TENSOR(x));
        set_tap(s, d, 0, tern_round(tern_detach(x)), one);
        return;
    }
    tern_tensor *first = tern_floor(tern_detach(x)), *t = tern_sub(x, first);
    for (int tap = 0; tap < s->n_taps; tap++) {
        if (s->mode == BICUBIC) {
            tern_tensor *at = padded(s, tern_add_scalar(first, tap - 1), n);
            set_tap(s, d, tap, s->padding == ZEROS ? at : tern_floor(at), cubic_weight(s, tap, t));
        } else {
            set_tap(s, d, tap, tern_add_scalar(first, tap), tap ? t : tern_rsub_scalar(t, 1.0));
        }
    }
}

/* ---- values ---- */

/* The sum over the combinations of taps, [N, C, places]. */
static tern_tensor *sampled(const sampling *s) {
    int64_t channels = BODY(s->input)->shape[1];
    int combinations = 1;
    tern_tensor *sum = NULL;
    for (int d = 0; d < s->spatial; d++) combinations *= s->n_taps;
    for (int i = 0; i < combinations && s->ctx->status == TERN_OK; i++) {
        tern_tensor *index = NULL, *weight = NULL;
        for (int d = 0, rest = i; d < s->spatial; d++, rest /= s->n_taps) {
            int tap = rest % s->n_taps;
            tern_tensor *scaled =
                index ? TERN_CALL(mul, ARG_TENSOR(index), ARG_INT(s->size[d])) : NULL;
            index = scaled ? tern_add(scaled, s->index[d][tap]) : s->index[d][tap];
            weight = weight ? tern_mul(weight, s->weight[d][tap]) : s->weight[d][tap];
        }
        if (s->ctx->status != TERN_OK) break;
        tern_shape shape = TERN_SHAPE(BODY(index)->shape[0], channels, BODY(index)->shape[1]);
        index = tern_expand(tern_unsqueeze(index, 1), shape);
        tern_tensor *term = tern_mul(tern_gather(s->input, 2, index), tern_unsqueeze(weight, 1));
        sum = sum ? tern_add(sum, term) : term;
    }
    return sum ? sum : s->ctx->nil;
}

static bool grid_fits(tern_opcall *call, tern_tensor *x, tern_tensor *grid, int spatial) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    int rank = BODY(x)->rank;
    bool fits = (rank == 4 || rank == 5) && (spatial == 0 || spatial == rank - 2) &&
                BODY(grid)->rank == rank && BODY(grid)->shape[0] == BODY(x)->shape[0] &&
                BODY(grid)->shape[rank - 1] == rank - 2 && BODY(grid)->dtype == BODY(x)->dtype &&
                tern_dtype_is_floating(BODY(x)->dtype);
    for (int d = 2; fits && d < rank; d++) fits = BODY(x)->shape[d] > 0;
    if (fits) return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "expects an input (N, C, [D,] H, W), not empty, and a grid (N, [D,] H, W, 2 or 3) "
        "of one batch and floating dtype, got %s and %s",
        tern_shape_text(rank, BODY(x)->shape, one),
        tern_shape_text(BODY(grid)->rank, BODY(grid)->shape, two));
    return false;
}

static tern_value sample(tern_opcall *call, int spatial, int mode, int padding, bool align) {
    tern_tensor *x = tern_arg_tensor(call, 0), *grid = tern_arg_tensor(call, 1);
    if (!grid_fits(call, x, grid, spatial)) return tern_none();
    sampling s = {.ctx = call->ctx,
                  .spatial = BODY(x)->rank - 2,
                  .mode = mode,
                  .padding = padding,
                  .align = align,
                  .n_taps = mode == BICUBIC   ? 4
                            : mode == NEAREST ? 1
                                              : 2};
    tern_shape out = {2, {BODY(x)->shape[0], BODY(x)->shape[1]}};
    int64_t places = 1;
    for (int d = 0; d < s.spatial; d++) {
        s.size[d] = BODY(x)->shape[2 + d];
        out.dim[out.rank++] = BODY(grid)->shape[1 + d];
        places *= BODY(grid)->shape[1 + d];
    }
    s.input = tern_flatten(tern_widen(x), 2, -1);
    s.grid = tern_reshape(tern_widen(grid), TERN_SHAPE(out.dim[0], places, s.spatial));
    for (int d = 0; d < s.spatial; d++) find_taps(&s, d);
    if (call->ctx->status != TERN_OK) return tern_none();
    return tern_narrowed(call, tern_reshape(sampled(&s), out));
}

/* grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners), by number */
static tern_value by_number(tern_opcall *call, int spatial) {
    int64_t mode = tern_arg_int(call, 2, 0), padding = tern_arg_int(call, 3, 0);
    if (mode < BILINEAR || mode > BICUBIC || padding < ZEROS || padding > REFLECTION)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "interpolation_mode and padding_mode must be 0, 1 or 2, got %lld and "
                              "%lld",
                              (long long)mode, (long long)padding);
    return sample(call, spatial, (int)mode, (int)padding, tern_arg_bool(call, 4, false));
}

tern_value tern_op_grid_sampler(tern_opcall *call) {
    return by_number(call, 0);
}
tern_value tern_op_grid_sampler_2d(tern_opcall *call) {
    return by_number(call, 2);
}
tern_value tern_op_grid_sampler_3d(tern_opcall *call) {
    return by_number(call, 3);
}

/* The position of a text in three, -1 where it is none of them. */
static int position_of(const char *text, const char *const *names) {
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) return i;
    return -1;
}

tern_value tern_op_grid_sample(tern_opcall *call) {
    static const char *const modes[] = {"bilinear", "nearest", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode_text = tern_arg_text(call, 2, "bilinear");
    const char *padding_text = tern_arg_text(call, 3, "zeros");
    int mode = position_of(mode_text, modes), padding = position_of(padding_text, paddings);
    if (mode < 0 || padding < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "mode='%s' must be 'bilinear', 'nearest' or 'bicubic', and "
                              "padding_mode='%s' 'zeros', 'border' or 'reflection'",
                              mode_text, padding_text);
    return sample(call, 0, mode, padding, tern_arg_bool(call, 4, false));
}

/* ---- affine grids ---- */

/* n places over [-1, 1]: the ends are the first and last (align), or their edges. */
static tern_tensor *line(tern_opcall *call, tern_tensor *like, int64_t n, bool align) {
    double end = align ? 1.0 : n ? 1.0 - 1.0 / (double)n : 0.0;
    if (n == 1) end = 0.0;
    tern_tensor *out = TERN_CALL_CTX(call->ctx, linspace, ARG_FLOAT(-end), ARG_FLOAT(end),
                                     ARG_INT(n), ARG_DTYPE(BODY(like)->dtype));
    return tern_to_device(out, tern_device_of(like));
}

/* nn.functional.affine_grid(theta, size, align_corners): theta [N, d, d + 1] times (x, y, [z,] 1) at every place */
tern_value tern_op_affine_grid(tern_opcall *call) {
    tern_tensor *theta = tern_arg_tensor(call, 0), *columns[MAX_SPATIAL + 1];
    tern_shape size = tern_arg_ints(call, 1), out = {0, {0}};
    bool align = tern_arg_bool(call, 2, false);
    int d = size.rank - 2;
    if (call->ctx->status != TERN_OK) return tern_none();
    bool fits = (d == 2 || d == 3) && BODY(theta)->rank == 3 &&
                BODY(theta)->shape[0] == size.dim[0] && BODY(theta)->shape[1] == d &&
                BODY(theta)->shape[2] == d + 1 && tern_dtype_is_floating(BODY(theta)->dtype);
    for (int i = 0; fits && i < size.rank; i++) fits = size.dim[i] > 0;
    if (!fits)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "expects a size (N, C, [D,] H, W) above 0 and floating matrices theta "
            "(N, 2, 3) or (N, 3, 4), got %d sizes and %d dimensions",
            size.rank, BODY(theta)->rank);
    tern_tensor *wide = tern_widen(theta);
    tern_shape own = {d, {0}};
    int64_t places = 1;
    for (int i = 0; i < d; i++) {
        own.dim[i] = size.dim[2 + i];
        places = tern_dim_mul(places, own.dim[i], &fits);
    }
    if (!fits)
        return tern_call_fail(call, TERN_ERR_OUT_OF_MEMORY,
                              "a grid of so many places is too large");
    for (int i = 0; i < d; i++) {
        tern_shape along = {d, {0}};
        for (int k = 0; k < d; k++) along.dim[k] = k == d - 1 - i ? own.dim[k] : 1;
        columns[i] = tern_reshape(line(call, wide, own.dim[d - 1 - i], align), along);
        columns[i] = tern_reshape(tern_expand(columns[i], own), TERN_SHAPE(places));
    }
    columns[d] = TERN_CALL(new_ones, ARG_TENSOR(wide), ARG_SHAPE(TERN_SHAPE(places)));
    tern_tensor *base = tern_stack(columns, d + 1, 1);
    tern_tensor *grid = tern_matmul(base, tern_transpose(wide, 1, 2));
    out.dim[out.rank++] = size.dim[0];
    for (int i = 0; i < d; i++) out.dim[out.rank++] = own.dim[i];
    out.dim[out.rank++] = d;
    return tern_narrowed(call, tern_reshape(grid, out));
}
