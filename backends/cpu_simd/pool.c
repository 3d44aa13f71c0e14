/*
 * MAX_POOL, MAX_POOL_GRAD, AVG_POOL and AVG_POOL_GRAD (pool.h has how): the geometry of a launch.
 */
#include "pool.h"

int64_t tern_simd_pool_taps(const tern_simd_pool *pool, int d, int64_t at, int64_t *out_last) {
    int64_t step = pool->win.dilation[d], low = at * pool->win.stride[d] - pool->win.padding[d];
    int64_t room = pool->in[d] - 1 - low;
    *out_last = room < 0 ? -1 : room / step;
    if (*out_last > pool->win.kernel[d] - 1) *out_last = pool->win.kernel[d] - 1;
    return low < 0 ? (-low + step - 1) / step : 0;
}

int64_t tern_simd_pool_share(const tern_simd_pool *pool, int d, int64_t at) {
    int64_t last, first = tern_simd_pool_taps(pool, d, at, &last);
    if (!pool->attrs->count_include_pad) return last - first + 1;
    int64_t low = at * pool->win.stride[d] - pool->win.padding[d];
    int64_t room = pool->in[d] + pool->win.padding[d] - low;
    return room < pool->win.kernel[d] ? room : pool->win.kernel[d];
}

/* Whether every result has an element of the source. */
static bool covers(const tern_simd_pool *pool, int d) {
    int64_t last;
    for (int64_t at = 0; at < pool->out[d]; at++) {
        int64_t first = tern_simd_pool_taps(pool, d, at, &last);
        if (first > last) return false;
    }
    return true;
}

static void find_inside(tern_simd_pool *pool) {
    int64_t step = pool->win.stride[2];
    for (int64_t r = 0; r < pool->phases; r++) {
        int64_t first = r - pool->win.padding[2];
        int64_t low = first < 0 ? (-first + step - 1) / step : 0;
        int64_t high = pool->in[2] > first ? (pool->in[2] - first + step - 1) / step : 0;
        if (high > pool->phase) high = pool->phase;
        pool->column[r] = first;
        pool->low[r] = low < high ? low : high;
        pool->high[r] = high;
    }
}

bool tern_simd_pool_plan(tern_simd_pool *pool, int64_t lanes) {
    const tern_pool_attrs *attrs = pool->attrs;
    pool->win = tern_ref_window_of(attrs->kernel, attrs->stride, attrs->padding, attrs->dilation,
                                   attrs->spatial);
    tern_ref_spread(pool->image->shape + 2, attrs->spatial, 1, pool->in);
    tern_ref_spread(pool->pooled->shape + 2, attrs->spatial, 1, pool->out);
    const tern_ref_window *win = &pool->win;
    for (int d = 0; d < 3; d++)
        if (win->kernel[d] < 1 || win->kernel[d] > TERN_SIMD_POOL_TAPS || !covers(pool, d))
            return false;
    if (win->kernel[0] * win->kernel[1] * win->kernel[2] > TERN_SIMD_POOL_TAPS) return false;
    if (win->stride[2] > TERN_SIMD_POOL_PHASES) return false;
    if ((double)pool->in[0] * (double)pool->in[1] * (double)pool->in[2] > INT32_MAX) return false;
    int64_t reach = (win->kernel[2] - 1) * win->dilation[2];
    pool->phases = reach + 1 < win->stride[2] ? reach + 1 : win->stride[2];
    pool->width = (pool->out[2] + lanes - 1) / lanes * lanes;
    pool->phase = pool->width + reach / win->stride[2];
    find_inside(pool);
    pool->rows = win->kernel[0] * win->kernel[1];
    pool->row = pool->phases * pool->phase;
    /* a large dilation may reach far beyond its source */
    return (double)pool->row < 64 * ((double)pool->in[2] + (double)pool->out[2] + (double)lanes);
}

static int32_t run(const tern_kit_call *call, bool average, bool gradient) {
    tern_simd_pool pool = {.call = call, .attrs = call->attrs};
    pool.image = gradient ? &call->outputs[0] : &call->inputs[0];
    pool.pooled = gradient ? &call->inputs[0] : &call->outputs[0];
    if (!average) pool.indices = gradient ? &call->inputs[1] : &call->outputs[1];
    if (!tern_kit_is_floating(pool.image->dtype) || pool.image->dtype != pool.pooled->dtype ||
        (pool.indices && pool.indices->dtype != TERN_BT_INT64))
        return TERN_BACKEND_DECLINED;
    return pool.image->dtype == TERN_BT_FLOAT64 ? tern_simd_pool_f64(&pool, average, gradient)
                                                : tern_simd_pool_f32(&pool, average, gradient);
}

int32_t tern_simd_max_pool(const tern_kit_call *call) {
    int32_t status = run(call, false, false);
    return status == TERN_BACKEND_DECLINED ? tern_ref_max_pool(call) : status;
}

int32_t tern_simd_max_pool_grad(const tern_kit_call *call) {
    int32_t status = run(call, false, true);
    return status == TERN_BACKEND_DECLINED ? tern_ref_max_pool_grad(call) : status;
}

int32_t tern_simd_avg_pool(const tern_kit_call *call) {
    int32_t status = run(call, true, false);
    return status == TERN_BACKEND_DECLINED ? tern_ref_avg_pool(call) : status;
}

int32_t tern_simd_avg_pool_grad(const tern_kit_call *call) {
    int32_t status = run(call, true, true);
    return status == TERN_BACKEND_DECLINED ? tern_ref_avg_pool_grad(call) : status;
}
