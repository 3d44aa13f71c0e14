/* With and without fused kernels: the same results and the same gradients. */
#include "property.h"

#include "tern/grad.h"

static results got, right; /* large, and one case runs at a time */

/* The result and the gradients of one call, behind each other. */
static tern_status both_ways(property *p, tern_ctx *ctx, const drawn *d, results *out) {
    arguments a;
    tern_tensor *leaves[MOST_TENSORS], *gradients[MOST_TENSORS] = {NULL};
    int count = 0;
    if (!arguments_make(ctx, d, &a)) return tern_check(ctx);
    for (int i = 0; i < d->count; i++)
        if (d->of_case[i] && p->traits->differentiable)
            leaves[count++] = tern_requires_grad(a.tensors[i], true);
    if (property_call(p, ctx, "", a.named, out) != TERN_OK) return tern_check(ctx);
    tern_tensor *first = out->items[0].kind == TERN_VALUE_TENSOR ? out->items[0].as.tensor : NULL;
    if (!first || count == 0 || !tern_has_grad_required(first)) return TERN_OK;
    tern_tensor *seed = drawn_seed(p, ctx, "seed", tern_shape_of(first), tern_dtype_of(first));
    tern_grad(&first, 1, leaves, count, &seed, TERN_ALLOW_UNUSED, gradients);
    for (int i = 0; i < count && out->count < MOST_RESULTS; i++)
        out->items[out->count++] = tern_tensor_value(gradients[i]);
    return tern_check(ctx);
}

static void check_fused(property *p) {
    drawn d;
    if (!property_draw(p, &p->with, &d)) return;
    tern_scope scope = tern_scope_begin(p->composed, 0);
    tern_status fused = both_ways(p, p->device, &d, &got);
    tern_status composed = both_ways(p, p->composed, &d, &right);
    if (fused != composed)
        case_fail(p->t, "fused it ends with '%s', composed with '%s'", tern_status_name(fused),
                  tern_status_name(composed));
    else if (fused == TERN_OK)
        property_compare(p, "fused", &got, p->composed, &right, NEAR_SCALE);
    if (fused == composed) tern_error_clear(p->device);
    tern_error_clear(p->composed);
    tern_scope_end(scope);
}

/* One family composed at a time, the others fused. */
static void check_families(property *p) {
    drawn d;
    const char *family;
    if (!property_draw(p, &p->with, &d)) return;
    if (both_ways(p, p->device, &d, &got) != TERN_OK) {
        tern_error_clear(p->device); /* what is refused is looked at above */
        return;
    }
    for (size_t i = 0; (family = tern_fused_family_at(i)) && !p->t->failed; i++) {
        tern_scope scope = tern_scope_begin(p->composed, 0);
        tern_set_composed(p->composed, "all", false);
        tern_set_composed(p->composed, family, true);
        if (both_ways(p, p->composed, &d, &right) == TERN_OK)
            property_compare(p, family, &got, p->composed, &right, NEAR_SCALE);
        else
            case_fail(p->t, "with %s composed: %s", family, tern_error(p->composed));
        tern_error_clear(p->composed);
        tern_scope_end(scope);
    }
    tern_set_composed(p->composed, "all", true);
}

static void check(property *p) {
    if (p->part)
        check_families(p);
    else
        check_fused(p);
}

static bool is_floating(const sample *s, const traits *t) {
    (void)s;
    return t->of_dtype && t->dtypes & FLOAT_DTYPES;
}

static const variant rounds[] = {{"plain", 0, LAYOUT_PLAIN, false, 0},
                                 {"transposed", 1, LAYOUT_TRANSPOSED, false, 0},
                                 {"drawn", 6, LAYOUT_PLAIN, false, 0},
                                 {"families", 0, LAYOUT_PLAIN, false, 1}};

const subject subject_fused = {
    "properties/fused", is_floating, FLOAT_DTYPES, rounds, sizeof rounds / sizeof rounds[0], check};
