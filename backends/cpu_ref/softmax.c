/*
 * SOFTMAX, LOG_SOFTMAX and their gradients, along one dimension i:
 *
 *     y[i] = exp(x[i] - max) / s    or    (x[i] - max) - log s,    s = sum(exp(x - max))
 *
 * The maximum is taken off first, so that no exponential overflows. From dy[i]/dx[k] follow
 *
 *     dx[i] = (g[i] - sum(g y)) y[i]    and    g[i] - exp(y[i]) sum(g)
 */
#include "kernels.h"
#include "numerics/elementary.h"
#include "slab.h"

/* The result replaces x. */
static void divide(tern_ref_slab *slab, bool logarithm) {
    for (int64_t j = 0; logarithm && j < slab->width; j++)
        slab->sum[j] = tern_ref_slab_round(slab, tern_num_log(slab->sum[j]));
    for (int64_t i = 0; i < slab->length; i++)
        for (int64_t j = 0; j < slab->width; j++) {
            int64_t at = i * slab->width + j;
            double y = logarithm ? slab->x[at] - slab->sum[j] : slab->e[at] / slab->sum[j];
            slab->x[at] = tern_ref_slab_round(slab, y);
        }
}

int32_t tern_ref_softmax(const tern_kit_call *call) {
    const tern_kit_tensor *x = &call->inputs[0], *y = &call->outputs[0];
    int32_t dim = ((const tern_softmax_attrs *)call->attrs)->dim;
    tern_ref_slab slab;
    if (!tern_ref_slab_take(call, y, dim, y->dtype, &slab)) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t n = 0; n < slab.count; n++) {
        tern_ref_slab_load(x, dim, n, slab.x);
        tern_ref_slab_shift(&slab);
        divide(&slab, call->kernel == TERN_KERNEL_LOG_SOFTMAX);
        tern_ref_slab_store(y, dim, n, slab.x);
    }
    tern_kit_give(call, slab.x);
    return TERN_BACKEND_OK;
}

/* x and e hold g and y, on which a gradient's sum runs; then the gradient replaces x. */
static void add_up(tern_ref_slab *slab, bool logarithm) {
    int64_t size = slab->length * slab->width;
    for (int64_t at = 0; at < size; at++) {
        double e = logarithm ? tern_num_exp(slab->e[at]) : slab->x[at] * slab->e[at];
        slab->e[at] = tern_ref_slab_round(slab, e);
    }
    tern_ref_slab_sum(slab, logarithm ? slab->x : slab->e, slab->sum);
}

/* e holds exp(y) or y. */
static void differentiate(tern_ref_slab *slab, bool logarithm) {
    for (int64_t i = 0; i < slab->length; i++)
        for (int64_t j = 0; j < slab->width; j++) {
            int64_t at = i * slab->width + j;
            double g = slab->x[at], e = slab->e[at], sum = slab->sum[j];
            double dx = logarithm ? g - tern_ref_slab_round(slab, e * sum)
                                  : tern_ref_slab_round(slab, g - sum) * e;
            slab->x[at] = tern_ref_slab_round(slab, dx);
        }
}

int32_t tern_ref_softmax_grad(const tern_kit_call *call) {
    const tern_kit_tensor *g = &call->inputs[0], *y = &call->inputs[1], *dx = &call->outputs[0];
    int32_t dim = ((const tern_softmax_attrs *)call->attrs)->dim;
    bool logarithm = call->kernel == TERN_KERNEL_LOG_SOFTMAX_GRAD;
    tern_ref_slab slab;
    if (!tern_ref_slab_take(call, y, dim, y->dtype, &slab)) return TERN_BACKEND_OUT_OF_MEMORY;
    for (int64_t n = 0; n < slab.count; n++) {
        tern_ref_slab_load(g, dim, n, slab.x);
        tern_ref_slab_load(y, dim, n, slab.e);
        add_up(&slab, logarithm);
        if (!logarithm) tern_ref_slab_load(y, dim, n, slab.e);
        differentiate(&slab, logarithm);
        tern_ref_slab_store(dx, dim, n, slab.x);
    }
    tern_kit_give(call, slab.x);
    return TERN_BACKEND_OK;
}
