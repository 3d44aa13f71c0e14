/*
 * MAX_POOL, MAX_POOL_GRAD, AVG_POOL and AVG_POOL_GRAD, in 1 to 3 dimensions. With one:
 *
 *     MAX_POOL  out[n, c, p] = max over k of x[n, c, p * stride - padding + k * dilation]
 *     AVG_POOL  out[n, c, p] = (sum over k of the same) / divisor
 *
 * Taps outside x are skipped. The first maximum wins, but NaN wins over all, the last one of
 * several (as PyTorch's loop has it). Positions are flattened over the spatial dimensions of x.
 */
#include <math.h>

#include "image.h"
#include "kernels.h"

/* The window at one position of the output, clipped to the image. */
typedef struct patch {
    int64_t low[3], high[3]; /* taps low[d] <= position < high[d], in steps of the dilation */
    int64_t padded;          /* elements, with those in the padding (average pooling) */
} patch;

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static patch patch_at(const tern_ref_window *win, const int64_t *size, const int64_t *position) {
    patch p = {.padded = 1};
    for (int d = 0; d < 3; d++) {
        int64_t low = position[d] * win->stride[d] - win->padding[d];
        int64_t high = low + (win->kernel[d] - 1) * win->dilation[d] + 1;
        p.padded *= least(high, size[d] + win->padding[d]) - low;
        /* the first tap inside keeps its place in the dilated grid */
        if (low < 0) low += (-low + win->dilation[d] - 1) / win->dilation[d] * win->dilation[d];
        p.low[d] = low;
        p.high[d] = most(low, least(high, size[d]));
    }
    return p;
}

/* The pieces of a pooling launch: x or its gradient, and out or its gradient. */
typedef struct pooling {
    tern_ref_image x, out, indices;
    tern_ref_window window;
    const tern_pool_attrs *attrs;
    const tern_kit_call *call;
} pooling;

typedef void (*visit_fn)(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at);

/* Visits every element of out with its patch. */
static void each_position(pooling *pool, visit_fn visit) {
    const int64_t *size = pool->out.size;
    for (int64_t plane = 0; plane < pool->out.n * pool->out.c; plane++) {
        for (int64_t at = 0; at < pool->out.pixels; at++) {
            int64_t position[3] = {at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]};
            patch p = patch_at(&pool->window, pool->x.size, position);
            visit(pool, &p, plane * pool->x.pixels, plane * pool->out.pixels + at);
        }
    }
}

/* A window wholly in the padding: nothing is read. */
static bool is_empty(const patch *p) {
    return p->low[0] >= p->high[0] || p->low[1] >= p->high[1] || p->low[2] >= p->high[2];
}

static bool better(const pooling *pool, int64_t candidate, int64_t best) {
    if (pool->x.i) return pool->x.i[candidate] > pool->x.i[best];
    double x = pool->x.f[candidate];
    return isnan(x) || x > pool->x.f[best];
}

static void max_of(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at) {
    const int64_t *size = pool->x.size;
    int64_t step[3]; /* one beyond the image leaves it as well, and adds up without an overflow */
    for (int d = 0; d < 3; d++) step[d] = least(pool->window.dilation[d], most(size[d], 1));
    if (is_empty(p)) {
        if (pool->x.f)
            pool->out.f[out_at] = -INFINITY;
        else
            pool->out.i[out_at] = INT64_MIN;
        return;
    }
    int64_t best = (p->low[0] * size[1] + p->low[1]) * size[2] + p->low[2];
    for (int64_t z = p->low[0]; z < p->high[0]; z += step[0]) {
        for (int64_t y = p->low[1]; y < p->high[1]; y += step[1]) {
            for (int64_t x = p->low[2]; x < p->high[2]; x += step[2]) {
                int64_t at = (z * size[1] + y) * size[2] + x;
                if (better(pool, x_plane + at, x_plane + best)) best = at;
            }
        }
    }
    if (pool->x.f)
        pool->out.f[out_at] = pool->x.f[x_plane + best];
    else
        pool->out.i[out_at] = pool->x.i[x_plane + best];
    pool->indices.i[out_at] = best;
}

/* Integers wrap. */
static int64_t wrapped_sum(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void spread_max(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at) {
    (void)p;
    int64_t at = pool->indices.i[out_at];
    if (at < 0 || at >= pool->x.pixels) {
        tern_kit_bad_index(pool->call, at, 2, pool->x.pixels);
        return;
    }
    if (pool->x.f)
        pool->x.f[x_plane + at] += pool->out.f[out_at];
    else
        pool->x.i[x_plane + at] = wrapped_sum(pool->x.i[x_plane + at], pool->out.i[out_at]);
}

static int64_t divisor_of(const pooling *pool, const patch *p) {
    if (pool->attrs->divisor) return pool->attrs->divisor;
    if (pool->attrs->count_include_pad) return p->padded;
    return (p->high[0] - p->low[0]) * (p->high[1] - p->low[1]) * (p->high[2] - p->low[2]);
}

/* Average pooling forward (spread false), or its gradient. */
static void average(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at, bool spread) {
    const int64_t *size = pool->x.size;
    int64_t divisor = divisor_of(pool, p), sum_i = 0;
    double sum = 0, share = spread && pool->x.f ? pool->out.f[out_at] / (double)divisor : 0;
    for (int64_t z = p->low[0]; z < p->high[0]; z++) {
        for (int64_t y = p->low[1]; y < p->high[1]; y++) {
            for (int64_t x = p->low[2]; x < p->high[2]; x++) {
                int64_t at = x_plane + (z * size[1] + y) * size[2] + x;
                if (spread)
                    pool->x.f[at] += share;
                else if (pool->x.f)
                    sum += pool->x.f[at];
                else
                    sum_i = wrapped_sum(sum_i, pool->x.i[at]);
            }
        }
    }
    if (spread || divisor == 0) return;
    if (pool->x.f)
        pool->out.f[out_at] = sum / (double)divisor;
    else
        pool->out.i[out_at] = divisor == -1 ? (int64_t)(0 - (uint64_t)sum_i) : sum_i / divisor;
}

static void average_of(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at) {
    average(pool, p, x_plane, out_at, false);
}

static void spread_average(pooling *pool, const patch *p, int64_t x_plane, int64_t out_at) {
    average(pool, p, x_plane, out_at, true);
}

/* Makes the images of x and out, visits, stores the one that is the result. */
static int32_t run(const tern_kit_call *call, const tern_kit_tensor *x, const tern_kit_tensor *out,
                   const tern_kit_tensor *indices, bool backward, visit_fn visit) {
    const tern_pool_attrs *attrs = call->attrs;
    int32_t dtype = call->outputs[0].dtype;
    pooling pool = {.attrs = attrs, .call = call};
    pool.window = tern_ref_window_of(attrs->kernel, attrs->stride, attrs->padding, attrs->dilation,
                                     attrs->spatial);
    bool done = tern_ref_image_new(call, x, dtype, !backward, &pool.x);
    done = tern_ref_image_new(call, out, dtype, backward, &pool.out) && done;
    if (indices) {
        done = tern_ref_image_new(call, indices, TERN_BT_INT64, backward, &pool.indices) && done;
    }
    if (done) {
        each_position(&pool, visit);
        tern_ref_image_store(call, backward ? &pool.x : &pool.out, &call->outputs[0]);
        if (indices && !backward) tern_ref_image_store(call, &pool.indices, indices);
    }
    tern_ref_image_free(call, &pool.x);
    tern_ref_image_free(call, &pool.out);
    tern_ref_image_free(call, &pool.indices);
    return done ? TERN_BACKEND_OK : TERN_BACKEND_OUT_OF_MEMORY;
}

int32_t tern_ref_max_pool(const tern_kit_call *call) {
    return run(call, &call->inputs[0], &call->outputs[0], &call->outputs[1], false, max_of);
}

int32_t tern_ref_max_pool_grad(const tern_kit_call *call) {
    return run(call, &call->outputs[0], &call->inputs[0], &call->inputs[1], true, spread_max);
}

int32_t tern_ref_avg_pool(const tern_kit_call *call) {
    return run(call, &call->inputs[0], &call->outputs[0], NULL, false, average_of);
}

int32_t tern_ref_avg_pool_grad(const tern_kit_call *call) {
    return run(call, &call->outputs[0], &call->inputs[0], NULL, true, spread_average);
}
