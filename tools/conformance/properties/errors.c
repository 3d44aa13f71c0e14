/* What a device finds wrong while it computes is latched at the next wait, and does no harm. */
#include "property.h"

#include <stdio.h>
#include <string.h>

static sample table[] = {
#define SAMPLE(name, flags, text) {name, flags, text, 0},
#include "errors.def"
#undef SAMPLE
};

static results got; /* large, and one case runs at a time */

/* Work that has nothing to do with the error. */
static void check_works(property *p, const char *label) {
    double right[6];
    for (int i = 0; i < 6; i++) right[i] = 3 + 2.5 * i;
    tern_tensor *x = counted(p->device, TERN_SHAPE(2, 3), TERN_FLOAT32, 1, 1);
    tern_tensor *y = tern_add_scalar(tern_mul_scalar(x, 2.5), 0.5);
    expect_doubles(p, label, y, right, 6);
}

/* The same call on the device while other work is queued around it. */
static void call_amid_work(property *p, const char *suffix, const drawn *d, guard *g) {
    arguments a;
    tern_tensor *before = counted(p->device, TERN_SHAPE(4), TERN_FLOAT32, 0, 1);
    if (!arguments_make(p->device, d, &a)) return;
    if (*suffix && !guard_begin(p, d, true, g)) return;
    if (*suffix) guard_stand_in(g, &a);
    before = tern_add_scalar(before, 1);
    tern_status status = property_call(p, p->device, suffix, a.named, &got);
    if (status == TERN_OK) {
        case_fail(p->t, "no error came of it");
        return;
    }
    if (!tern_error(p->device)[0]) case_fail(p->t, "there is no message");
    tern_error_clear(p->device);
    const double right[] = {1, 2, 3, 4};
    expect_doubles(p, "what was queued before", before, right, 4);
}

static void check_error(property *p) {
    drawn d;
    guard g = {NULL, NULL, NULL, 0};
    arguments theirs;
    const char *suffix = sample_is(p->sample, '_') ? "_" : "";
    if (!property_draw(p, &p->with, &d) || !arguments_make(p->reference, &d, &theirs)) return;
    if (property_call(p, p->reference, suffix, theirs.named, &got) == TERN_OK)
        case_fail(p->t, "the reference finds nothing wrong with it");
    tern_error_clear(p->reference);
    call_amid_work(p, suffix, &d, &g);
    if (g.view && !p->t->failed) guard_end(p, &g);
    check_works(p, "the work after it");
}

static void play(test_case *t, void *user) {
    property *p = user;
    p->t = t;
    tern_scope scope = tern_scope_begin(p->reference, 0);
    check_error(p);
    tern_error_clear(p->reference);
    tern_scope_end(scope);
}

void run_errors(property *p) {
    static const tern_dtype floats[] = {TERN_FLOAT32, TERN_FLOAT64, TERN_BFLOAT16},
                            ints[] = {TERN_INT64, TERN_INT32, TERN_INT8};
    if (!conformance_begin(p->run, "properties/errors")) return;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const tern_dtype *dtypes = sample_is(&table[i], 'I') ? ints : floats;
        p->sample = &table[i];
        table[i].number =
            i && strcmp(table[i].name, table[i - 1].name) == 0 ? table[i - 1].number + 1 : 1;
        for (int k = 0; k < 3 && !*p->run->stop; k++) {
            char id[REPORT_NAME];
            p->with = (setting){.seed = p->run->seed, .dtype = dtypes[k]};
            snprintf(id, sizeof id, "%s#%d/%s", table[i].name, table[i].number,
                     tern_dtype_name(dtypes[k]));
            conformance_case(p->run, NULL, tern_none(), id, play, p);
        }
    }
}
