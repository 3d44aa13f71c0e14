/* samples.c: the samples of the conformance properties, each alone, with its gradient, and without fused kernels. */
#include "points.h"

#include "conformance/properties/samples.h"

#include <stdio.h>

enum { FORWARD, BACKWARD, COMPOSED, SECOND, DOUBLES, INTEGERS, WAYS };

static const char *const ways[WAYS] = {"forward", "backward", "backward, composed",
                                       "float64, sliced"};

static setting setting_of(int way) {
    setting with = {.seed = 1, .dtype = TERN_FLOAT32, .layout = LAYOUT_PLAIN};
    if (way == DOUBLES) with.dtype = TERN_FLOAT64, with.layout = LAYOUT_SLICED;
    if (way == INTEGERS) with.dtype = TERN_INT64, with.layout = LAYOUT_TRANSPOSED;
    return with;
}

/* The gradients of a result, and those of their sums. */
static void differentiate(tern_tensor *of, tern_tensor *const *leaves, int count, bool again,
                          uint64_t *digest) {
    tern_tensor *gradients[MOST_TENSORS], *seed = tern_ones_like(of);
    unsigned flags = TERN_ALLOW_UNUSED | (again ? TERN_CREATE_GRAPH : 0);
    if (tern_grad(&of, 1, leaves, count, &seed, flags, gradients) != TERN_OK) return;
    for (int i = 0; i < count; i++) {
        if (!gradients[i]) continue;
        add_tensor(digest, gradients[i]);
        if (again && tern_has_grad_required(gradients[i]))
            differentiate(tern_sum(gradients[i]), leaves, count, false, digest);
    }
}

static void call_sample(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest) {
    const sample *own = sample_at(s->number);
    setting with = setting_of(s->way);
    static drawn d; /* large */
    arguments a;
    char name[96];
    (void)path;
    if (!sample_draw(ctx, own, &with, &d) || !arguments_make(ctx, &d, &a)) return;
    sample_operation(own, "", name);
    tern_manual_seed(ctx, 11);
    tern_set_composed(ctx, "all", s->way == COMPOSED);
    tern_tensor *leaves[MOST_TENSORS];
    int count = 0;
    for (int i = 0; i < d.count; i++)
        if (s->way != FORWARD && s->way != INTEGERS && d.of_case[i])
            leaves[count++] = tern_requires_grad(a.tensors[i], true);
    point_begin();
    tern_value result = tern_call(ctx, name, NULL, 0, a.named);
    if (!sample_is(own, 'O')) add_value(digest, result);
    if (result.kind == TERN_VALUE_TUPLE) result = tern_value_at(result, 0);
    if (count && result.kind == TERN_VALUE_TENSOR && tern_has_grad_required(result.as.tensor))
        differentiate(result.as.tensor, leaves, count, s->way == SECOND, digest);
}

bool sample_scenario(size_t index, scenario *out) {
    static char name[200];
    const sample *own = sample_at(index / WAYS);
    if (!own) return false;
    *out = (scenario){.name = name,
                      .text = "",
                      .run = call_sample,
                      .number = index / WAYS,
                      .way = (int)(index % WAYS),
                      .may_refuse = true};
    snprintf(name, sizeof name, "%s:%d, %s", own->name, own->number, ways[out->way]);
    return true;
}
