/* Memory that runs out in the middle of a call: an error that is latched, and afterwards all is as before. */
#include "property.h"

#include "tern/grad.h"

enum { MOST_FAILURES = 60 };

static results got, right; /* large, and one case runs at a time */

static tern_status differentiate(property *p, arguments *a, const drawn *d) {
    tern_tensor *leaves[MOST_TENSORS], *gradients[MOST_TENSORS];
    int count = 0;
    tern_status status = property_call(p, p->device, "", a->named, &got);
    tern_tensor *first =
        got.count && got.items[0].kind == TERN_VALUE_TENSOR ? got.items[0].as.tensor : NULL;
    for (int i = 0; i < d->count; i++)
        if (tern_has_grad_required(a->tensors[i])) leaves[count++] = a->tensors[i];
    if (status != TERN_OK || !first || !count || !tern_has_grad_required(first)) return status;
    tern_tensor *seed = tern_ones_like(first);
    tern_grad(&first, 1, leaves, count, &seed, TERN_ALLOW_UNUSED, gradients);
    return tern_check(p->device);
}

/* One call in which the n-th allocation from here fails (0: none). How it ended. */
static tern_status call_once(property *p, const drawn *d, uint64_t nth) {
    arguments a;
    tern_scope scope = tern_scope_begin(p->device, 0);
    tern_status status = TERN_OK;
    if (arguments_make(p->device, d, &a)) {
        for (int i = 0; p->part && i < d->count; i++)
            if (d->of_case[i]) tern_requires_grad(a.tensors[i], true);
        tern_fail_allocation(nth);
        status = p->part ? differentiate(p, &a, d) : property_call(p, p->device, "", a.named, &got);
        tern_fail_allocation(0);
    }
    if (status != TERN_OK && !tern_error(p->device)[0])
        case_fail(p->t, "with allocation %d failed there is no message", (int)nth);
    tern_error_clear(p->device);
    tern_scope_end(scope);
    return status;
}

static void check_exhausted(property *p) {
    drawn d;
    if (!property_draw(p, &p->with, &d)) return;
    tern_status whole = call_once(p, &d, 0);
    for (uint64_t nth = 1; nth <= MOST_FAILURES && !p->t->failed; nth++) {
        tern_status status = call_once(p, &d, nth);
        if (status == whole) break;
        if (status != TERN_ERR_OUT_OF_MEMORY)
            case_fail(p->t, "with allocation %d failed it ends with '%s'", (int)nth,
                      tern_status_name(status));
    }
    if (!p->t->failed && property_both(p, &d, &got, &right))
        property_compare(p, "afterwards", &got, p->reference, &right, nearness_of(p->sample));
}

static bool all(const sample *s, const traits *t) {
    (void)s, (void)t;
    return true;
}

static const variant ways[] = {{"forward", 0, LAYOUT_PLAIN, false, 0},
                               {"backward", 0, LAYOUT_PLAIN, false, 1}};

const subject subject_exhausted = {"properties/exhausted", all, DTYPE_BIT(TERN_FLOAT32), ways, 2,
                                   check_exhausted};
