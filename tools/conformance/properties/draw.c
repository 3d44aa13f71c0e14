#include "draw.h"

#include "tern/memory.h"
#include "tern/ops.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- streams --------------------------------------------------------------------------------- */

uint64_t stream_next(stream *s) {
    uint64_t z = s->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

stream stream_of(const char *text, uint64_t a, uint64_t b) {
    stream s = {a * UINT64_C(0x9e3779b97f4a7c15) + b};
    for (; *text; text++) {
        s.state ^= (uint8_t)*text;
        s.state = stream_next(&s);
    }
    return s;
}

int64_t stream_below(stream *s, int64_t limit) {
    return limit > 0 ? (int64_t)(stream_next(s) % (uint64_t)limit) : 0;
}

double stream_unit(stream *s) {
    return (double)(stream_next(s) >> 11) * 0x1p-53;
}

int64_t shape_count(const tern_shape *shape) {
    int64_t count = 1;
    for (int32_t d = 0; d < shape->rank; d++) count *= shape->dim[d];
    return count;
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* In [low, high], and at least 1/160 away from every multiple of 1/32, where functions have kinks. */
static double between(stream *s, double low, double high) {
    double cell = floor((low + (high - low) * stream_unit(s)) * 32);
    return (cell + 0.2 + 0.6 * stream_unit(s)) / 32;
}

static double draw_float(stream *s, char kind) {
    static const double few[] = {-1, 0, 0.5, 1, 1, -1};
    double x;
    switch (kind) {
    case 'p': return between(s, 0.125, 3);
    case 'u': return between(s, 0.0625, 0.9375);
    case 'q': return between(s, -0.9375, 0.9375);
    case 'c': return between(s, 1.0625, 3);
    case 't': return few[stream_below(s, 6)];
    case 'z': return stream_below(s, 8) ? 0 : between(s, -2, 2);
    case 'w': return between(s, -30, 30);
    case 'm': return stream_below(s, 2) ? 1 : -1;
    case 'e': x = between(s, 0.25, 3); return stream_below(s, 2) ? x : -x;
    default: return between(s, -2, 2);
    }
}

/* Small enough that products and sums fit every integer dtype. */
static int64_t draw_int(stream *s, char kind, bool is_signed) {
    int64_t x;
    switch (kind) {
    case 'p': return 1 + stream_below(s, 4);
    case 'u': return stream_below(s, 2);
    case 'q': return is_signed ? stream_below(s, 3) - 1 : 0;
    case 'c': return 1 + stream_below(s, 3);
    case 't': return stream_below(s, 3) - (is_signed ? 1 : 0);
    case 'z': return stream_below(s, 8) == 0;
    case 'w': return is_signed ? stream_below(s, 61) - 30 : stream_below(s, 251);
    case 'm': return stream_below(s, 2) && is_signed ? -1 : 1;
    case 'e': x = 1 + stream_below(s, 3); return is_signed && stream_below(s, 2) ? -x : x;
    default: return stream_below(s, 7) - (is_signed ? 3 : 0);
    }
}

/* ---- edge values ----------------------------------------------------------------------------- */

/* Zeros, halves that round to even, kinks of functions, where exp and its relatives end, what is small
 * beside 1, and infinities. Each dtype adds its own ends. */
static const double float_edges[] = {0,
                                     -0.0,
                                     1,
                                     -1,
                                     0.5,
                                     -0.5,
                                     1.5,
                                     2.5,
                                     -2.5,
                                     3,
                                     -3,
                                     6,
                                     20,
                                     20.5,
                                     7,
                                     -7,
                                     1e-3,
                                     -1e-3,
                                     1e-5,
                                     -1e-5,
                                     1e-10,
                                     -1e-10,
                                     11.25,
                                     88.5,
                                     -88.5,
                                     -100,
                                     300,
                                     2047.0,
                                     -65519.0,
                                     65520.0,
                                     0x1p24,
                                     0x1p-9,
                                     0x1.08p0,
                                     0x1.03p0,
                                     0x1.018p0,
                                     (double)INFINITY,
                                     -(double)INFINITY,
                                     (double)NAN};
enum { FLOAT_EDGES = sizeof float_edges / sizeof float_edges[0], DTYPE_EDGES = 6, INT_EDGES = 12 };

/* The least denormal and normal, one between, and the greatest number. */
static void ends_of(tern_dtype dtype, double *out_ends) {
    double least = 0x1p-149, normal = 0x1p-126, most = (double)FLT_MAX;
    if (dtype == TERN_FLOAT64) least = 0x1p-1074, normal = DBL_MIN, most = DBL_MAX;
    if (dtype == TERN_FLOAT16) least = 0x1p-24, normal = 0x1p-14, most = 65504;
    if (dtype == TERN_BFLOAT16) least = 0x1p-133, normal = 0x1p-126, most = 0x1.fep127;
    const double ends[DTYPE_EDGES] = {least, -least, normal / 2, normal, most, -most};
    memcpy(out_ends, ends, sizeof ends);
}

static double float_edge(tern_dtype dtype, int64_t index) {
    double ends[DTYPE_EDGES];
    if (index < FLOAT_EDGES) return float_edges[index];
    ends_of(dtype, ends);
    return ends[index - FLOAT_EDGES];
}

static int64_t int_edge(tern_dtype dtype, int64_t index) {
    int bits = (int)tern_dtype_size(dtype) * 8;
    bool is_signed = dtype != TERN_UINT8;
    int64_t most = is_signed ? (int64_t)(UINT64_MAX >> (65 - bits)) : 255;
    int64_t least = is_signed ? -most - 1 : 0;
    const int64_t edges[INT_EDGES] = {
        0,         1, is_signed ? -1 : 128, 2, is_signed ? -2 : 127, 7, 100, most, most - 1, least,
        least + 1, 3};
    return dtype == TERN_BOOL ? index % 2 : edges[index];
}

int64_t edge_count(tern_dtype dtype) {
    if (dtype == TERN_BOOL) return 2;
    return tern_dtype_is_floating(dtype) ? FLOAT_EDGES + DTYPE_EDGES : INT_EDGES;
}

/* Every pair of values meets in two operands; further ones run through them in another order. */
static int64_t edge_place(tern_dtype dtype, int edge, int64_t index) {
    int64_t n = edge_count(dtype);
    if (edge == 1) return index / n % n;
    return edge == 2 ? index % n : (index * 7 + index / n) % n;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* The elements in a wide form, one of both: they are narrowed in the end. */
typedef struct wide {
    double *f;
    int64_t *i;
    int64_t count;
} wide;

static void shuffle(stream *s, int64_t *order, int64_t count) {
    for (int64_t k = 0; k < count; k++) order[k] = k;
    for (int64_t k = count - 1; k > 0; k--) {
        int64_t other = stream_below(s, k + 1), kept = order[k];
        order[k] = order[other];
        order[other] = kept;
    }
}

static bool make_distinct(tern_ctx *ctx, stream *s, wide *w, bool is_signed) {
    int64_t *order = tern_scope_alloc(ctx, (size_t)(w->count + 1) * sizeof *order);
    if (!order) return false;
    shuffle(s, order, w->count);
    int64_t middle = w->count / 2;
    for (int64_t k = 0; k < w->count; k++) {
        w->i[k] = order[k] - (is_signed ? middle : 0);
        w->f[k] = ((double)(order[k] - middle) + 0.25) / 16;
    }
    return true;
}

/* Ascending in the last dimension. */
static void make_sorted(stream *s, wide *w, const tern_shape *shape) {
    int64_t row = shape->rank ? shape->dim[shape->rank - 1] : 1;
    for (int64_t k = 0; k < w->count; k++) {
        bool first = row > 0 && k % row == 0;
        w->f[k] = first ? between(s, -2, -1) : w->f[k - 1] + between(s, 0.125, 1);
        w->i[k] = first ? 0 : w->i[k - 1] + stream_below(s, 3);
    }
}

/* Positions below a limit, all different along one dimension. */
static bool make_positions(tern_ctx *ctx, stream *s, wide *w, const recipe *r,
                           const tern_shape *shape) {
    int64_t inner = 1, size = shape->rank ? shape->dim[r->along] : 1;
    int64_t *order = tern_scope_alloc(ctx, (size_t)(r->below + 1) * sizeof *order);
    if (!order || size > r->below) return false;
    for (int32_t d = r->along + 1; d < shape->rank; d++) inner *= shape->dim[d];
    for (int64_t line = 0; size > 0 && line < w->count / size; line++) {
        int64_t base = line / inner * size * inner + line % inner;
        shuffle(s, order, r->below);
        for (int64_t k = 0; k < size; k++) w->i[base + k * inner] = order[k];
    }
    return true;
}

/* What reductions, sorts and copies meet now and then: their sums do not overflow. */
static void sprinkle(stream *s, const recipe *r, tern_dtype dtype, wide *w, int64_t k) {
    static const double rare[] = {0, -0.0, 1, -1, (double)INFINITY, -(double)INFINITY, (double)NAN};
    if (stream_below(s, 5) != 0) return;
    w->f[k] = rare[stream_below(s, r->edge == -1 ? 7 : 6)];
    w->i[k] = int_edge(dtype, stream_below(s, INT_EDGES));
}

static void make_element(stream *s, const recipe *r, tern_dtype dtype, wide *w, int64_t k) {
    if (r->edge > 0) {
        int64_t place = edge_place(dtype, r->edge, k);
        if (tern_dtype_is_floating(dtype))
            w->f[k] = float_edge(dtype, place);
        else
            w->i[k] = int_edge(dtype, place);
        return;
    }
    switch (r->kind) {
    case 'i':
    case 'h': w->i[k] = stream_below(s, r->below); break;
    case 'b': w->i[k] = stream_below(s, 2); break;
    default:
        w->f[k] = draw_float(s, r->kind);
        w->i[k] =
            dtype == TERN_BOOL ? stream_below(s, 2) : draw_int(s, r->kind, dtype != TERN_UINT8);
    }
}

/* Copies the first slice of a dimension over the others. */
static void repeat(wide *w, const tern_shape *shape, int dim) {
    int64_t inner = 1, size = shape->dim[dim];
    for (int32_t d = dim + 1; d < shape->rank; d++) inner *= shape->dim[d];
    for (int64_t k = 0; k < w->count; k++) {
        int64_t first = k - k / inner % size * inner;
        w->f[k] = w->f[first];
        w->i[k] = w->i[first];
    }
}

static bool fill(tern_ctx *ctx, stream *s, const recipe *r, tern_dtype dtype,
                 const tern_shape *shape, wide *w) {
    if (r->kind == 'r') return make_positions(ctx, s, w, r, shape);
    if (r->kind == 'd' && r->edge <= 0 && !make_distinct(ctx, s, w, dtype != TERN_UINT8))
        return false;
    if (r->kind == 's')
        make_sorted(s, w, shape);
    else if (r->kind != 'd' || r->edge > 0)
        for (int64_t k = 0; k < w->count; k++) make_element(s, r, dtype, w, k);
    for (int64_t k = 0; r->edge < 0 && k < w->count; k++) sprinkle(s, r, dtype, w, k);
    if (r->repeated) repeat(w, shape, r->repeated_dim);
    return true;
}

static void narrow(const wide *w, tern_dtype dtype, void *out) {
    for (int64_t k = 0; k < w->count; k++) {
        switch (dtype) {
        case TERN_FLOAT32: ((float *)out)[k] = (float)w->f[k]; break;
        case TERN_INT64: ((int64_t *)out)[k] = w->i[k]; break;
        case TERN_INT32: ((uint32_t *)out)[k] = (uint32_t)w->i[k]; break;
        case TERN_INT16: ((uint16_t *)out)[k] = (uint16_t)w->i[k]; break;
        case TERN_BOOL: ((uint8_t *)out)[k] = w->i[k] % 2 != 0; break;
        default: ((uint8_t *)out)[k] = (uint8_t)w->i[k]; break;
        }
    }
}

/* float16 and bfloat16 are rounded by the reference itself. */
static bool round_to(tern_ctx *ctx, const wide *w, stored_tensor *out) {
    tern_tensor *all = tern_from_data(ctx, w->f, out->shape, TERN_FLOAT64);
    return tern_to_host(tern_to_dtype(all, out->dtype), (void *)out->data, out->bytes) == TERN_OK;
}

bool draw_elements(tern_ctx *ctx, stream *s, const recipe *r, tern_dtype dtype,
                   const tern_shape *shape, stored_tensor *out_tensor) {
    wide w = {.count = shape_count(shape)};
    size_t room = (size_t)w.count * 8 + 8;
    w.f = tern_scope_alloc(ctx, room);
    w.i = tern_scope_alloc(ctx, room);
    void *data = tern_scope_alloc(ctx, room);
    if (!w.f || !w.i || !data || !fill(ctx, s, r, dtype, shape, &w)) return false;
    *out_tensor = (stored_tensor){dtype, *shape, data, (size_t)w.count * tern_dtype_size(dtype)};
    if (dtype == TERN_FLOAT64)
        memcpy(data, w.f, out_tensor->bytes);
    else if (dtype == TERN_FLOAT16 || dtype == TERN_BFLOAT16)
        return round_to(ctx, &w, out_tensor);
    else
        narrow(&w, dtype, data);
    return true;
}
