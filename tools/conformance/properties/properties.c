/*
 * Property checks, which need no vectors: every operation of the table is called with the arguments of
 * samples_*.def and compared with the reference, which computes in a second context of this process, and
 * with itself. The subjects:
 *
 *     properties/values       every dtype, drawn shapes, the generator behind random operations
 *     properties/large        sizes around powers of 2, beyond one block of a kernel
 *     properties/layouts      transposed, sliced and expanded operands
 *     properties/edges        zeros, denormals, infinities, NaN, integer extremes, in every pair
 *     properties/repeated     the same bits from the same call
 *     properties/plans        shapes and elements in turn
 *     properties/gradients    gradients, and in .../second those of gradients
 *     properties/differences  gradients against central differences in float64
 *     properties/in_place     `add_` leaves what `add` returns
 *     properties/guards       in place on a view, with nothing written beside it
 *     properties/fused        with and without fused kernels
 *     properties/exhausted    memory that runs out in the middle of a call
 *     properties/errors, memory, queues, training: scenes that are no single operation's
 */
#include "property.h"

#include "tern/grad.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is known of samples ---------------------------------------------------------------- */

enum { MOST_SAMPLES = 2000 };
static traits known[MOST_SAMPLES];

static bool any_requires_grad(const results *got) {
    for (size_t i = 0; i < got->count; i++)
        if (got->items[i].kind == TERN_VALUE_TENSOR &&
            tern_has_grad_required(got->items[i].as.tensor))
            return true;
    return false;
}

static bool keeps_kind(const drawn *d, const results *got) {
    if (got->count != 1 || got->items[0].kind != TERN_VALUE_TENSOR || d->count == 0) return false;
    const tern_tensor *out = got->items[0].as.tensor;
    tern_shape a = tern_shape_of(out), b = d->tensors[0].shape;
    bool same = tern_dtype_of(out) == d->tensors[0].dtype && a.rank == b.rank && d->of_case[0];
    for (int32_t k = 0; same && k < a.rank; k++) same = a.dim[k] == b.dim[k];
    return same;
}

/* The reference takes the form in place of the sample too. The target of a complex call is not the drawn
 * tensor. */
static bool works_in_place(property *p, const drawn *d, results *got) {
    char name[REPORT_NAME];
    arguments a;
    sample_operation(p->sample, "_", name);
    if (sample_is(p->sample, 'J') || !tern_op_exists(name) || !arguments_make(p->reference, d, &a))
        return false;
    bool works = property_call(p, p->reference, "_", a.named, got) == TERN_OK && got->count == 1 &&
                 got->items[0].kind == TERN_VALUE_TENSOR && got->items[0].as.tensor == a.tensors[0];
    tern_error_clear(p->reference);
    return works;
}

static void learn_dtype(property *p, traits *t, tern_dtype dtype) {
    static results got;
    drawn d;
    arguments a;
    tern_scope scope = tern_scope_begin(p->reference, 0);
    p->with = (setting){.seed = p->run->seed, .dtype = dtype};
    bool ready =
        sample_draw(p->reference, p->sample, &p->with, &d) && arguments_make(p->reference, &d, &a);
    for (int i = 0; ready && dtype == TERN_FLOAT32 && i < a.count; i++)
        if (d.of_case[i]) tern_requires_grad(a.tensors[i], true);
    if (ready && property_call(p, p->reference, "", a.named, &got) == TERN_OK) {
        t->dtypes |= DTYPE_BIT(dtype);
        for (int i = 0; i < d.count; i++) t->of_dtype |= d.of_case[i];
        t->differentiable |= any_requires_grad(&got);
        if (keeps_kind(&d, &got)) t->in_place |= works_in_place(p, &d, &got);
    }
    tern_error_clear(p->reference);
    tern_scope_end(scope);
}

/* A sample without a tensor of the check's dtype is the same in all of them. */
static const traits *traits_of(property *p, size_t index) {
    traits *t = &known[index];
    if (t->known) return t;
    t->known = true;
    for (int dtype = 0; dtype < TERN_DTYPE_COUNT; dtype++) {
        if (dtype > 0 && t->dtypes == DTYPE_BIT(TERN_FLOAT32) && !t->of_dtype) break;
        learn_dtype(p, t, (tern_dtype)dtype);
    }
    return t;
}

/* ---- samples in settings --------------------------------------------------------------------- */

typedef struct job {
    property *p;
    const subject *of;
} job;

static void play(test_case *t, void *user) {
    job *j = user;
    property *p = j->p;
    p->t = t;
    tern_scope scope = tern_scope_begin(p->reference, 0);
    j->of->check(p);
    if (tern_error(p->reference)[0]) {
        case_fail(t, "the reference: %s", tern_error(p->reference));
        tern_error_clear(p->reference);
    }
    tern_scope_end(scope);
}

/* One in run->sample of an operation's cases, each operation beginning with another of them. */
static bool is_sampled(const property *p, int64_t counted_cases) {
    stream s = stream_of(p->sample->name, p->run->seed, (uint64_t)p->sample->number);
    return (counted_cases + stream_below(&s, p->run->sample)) % p->run->sample == 0;
}

/* A derivative has them where the operation is a map: `part` is the order of that. */
static bool has_edges(const sample *s, tern_dtype dtype, int part) {
    bool is_map = sample_is(s, 'M');
    if (sample_is(s, 'W') && !tern_dtype_is_floating(dtype)) return false;
    if (sample_is(s, 'K') && tern_dtype_is_floating(dtype)) return false;
    return is_map || (part == 0 && sample_is(s, 'E'));
}

static void run_dtype(job *j, tern_dtype dtype, int64_t *cases) {
    property *p = j->p;
    char id[REPORT_NAME];
    for (int i = 0; i < j->of->n_variants && !*p->run->stop; i++) {
        const variant *v = &j->of->variants[i];
        if (v->edges && !has_edges(p->sample, dtype, v->part)) continue;
        if (!is_sampled(p, (*cases)++)) continue;
        p->with = (setting){.seed = p->run->seed,
                            .round = v->round,
                            .dtype = dtype,
                            .layout = v->layout,
                            .edges = v->edges};
        p->part = v->part;
        snprintf(id, sizeof id, "%s#%d/%s/%s", p->sample->name, p->sample->number,
                 tern_dtype_name(dtype), v->name);
        conformance_case(p->run, NULL, tern_none(), id, play, j);
    }
}

/* False where a case is asked for that is another sample's. */
static bool is_asked_for(const conformance *run, const sample *s) {
    char prefix[REPORT_NAME];
    if (!run->case_id) return true;
    int length = snprintf(prefix, sizeof prefix, "%s#%d/", s->name, s->number);
    return strncmp(run->case_id, prefix, (size_t)length) == 0;
}

static void run_subject(property *p, const subject *of) {
    job j = {p, of};
    if (!conformance_begin(p->run, of->name)) return;
    for (size_t i = 0; (p->sample = sample_at(i)) && !*p->run->stop; i++) {
        int64_t cases = 0;
        if (!is_asked_for(p->run, p->sample)) continue;
        p->traits = traits_of(p, i);
        if (!of->wanted(p->sample, p->traits)) continue;
        for (int dtype = 0; dtype < TERN_DTYPE_COUNT; dtype++)
            if (p->traits->dtypes & of->dtypes & DTYPE_BIT(dtype))
                run_dtype(&j, (tern_dtype)dtype, &cases);
    }
}

/* ---- scenes ---------------------------------------------------------------------------------- */

typedef struct scene_job {
    property *p;
    const scene *scene;
} scene_job;

static void play_scene(test_case *t, void *user) {
    scene_job *j = user;
    j->p->t = t;
    tern_scope scope = tern_scope_begin(j->p->reference, 0);
    j->scene->play(j->p);
    tern_error_clear(j->p->reference);
    tern_scope_end(scope);
}

void run_scenes(property *p, const char *name, const scene *scenes, size_t count) {
    if (!conformance_begin(p->run, name)) return;
    p->sample = NULL;
    p->with = (setting){.seed = p->run->seed};
    for (size_t i = 0; i < count && !*p->run->stop; i++) {
        scene_job j = {p, &scenes[i]};
        conformance_case(p->run, NULL, tern_none(), scenes[i].id, play_scene, &j);
    }
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_sampled_somewhere(const char *schema) {
    size_t length = strcspn(schema, "(");
    const sample *s;
    for (size_t i = 0; (s = sample_at(i)); i++)
        if (strncmp(s->name, schema, length) == 0 && !s->name[length]) return true;
    return false;
}

/* An operation without a sample: what is internal is met in the operations that use it, and is named
 * among what was skipped. */
static void say_unchecked(test_case *t, void *user) {
    static char reason[REPORT_NAME];
    const tern_op_info *info = user;
    snprintf(reason, sizeof reason, "no sample, met in others: %.*s",
             (int)strcspn(info->schema, "("), info->schema);
    if (info->schema[0] == '_' && info->schema[1] != '_')
        t->skip = reason;
    else
        case_fail(t, "the operation has no sample in tools/conformance/properties");
}

static void accept_sample(test_case *t, void *user) {
    property *p = user;
    if (!p->traits->dtypes) case_fail(t, "the reference takes the sample in no dtype");
}

/* Every operation has a sample, and the reference takes every sample. */
static void run_table(property *p) {
    tern_op_info info;
    char id[REPORT_NAME];
    if (!conformance_begin(p->run, "properties/table")) return;
    for (size_t i = 0; tern_op_at(i, &info); i++) {
        snprintf(id, sizeof id, "%.*s", (int)strcspn(info.schema, "("), info.schema);
        if (!is_sampled_somewhere(info.schema))
            conformance_case(p->run, NULL, tern_none(), id, say_unchecked, &info);
    }
    for (size_t i = 0; (p->sample = sample_at(i)); i++) {
        if (!is_asked_for(p->run, p->sample)) continue;
        p->traits = traits_of(p, i);
        snprintf(id, sizeof id, "%s#%d/taken", p->sample->name, p->sample->number);
        conformance_case(p->run, NULL, tern_none(), id, accept_sample, p);
    }
}

void run_properties(conformance *run) {
    static const subject *const subjects[] = {
        &subject_values,      &subject_large,    &subject_layouts,   &subject_edges,
        &subject_repeated,    &subject_plans,    &subject_gradients, &subject_second,
        &subject_differences, &subject_in_place, &subject_guards,    &subject_fused,
        &subject_exhausted};
    property p = {.run = run, .device = run->ctx, .reference = tern_open("cpu_ref")};
    if (tern_error(p.reference)[0]) {
        if (conformance_begin(run, "properties/values"))
            conformance_skip(run, "cpu_ref, with which they compare, is not found", 1);
        tern_close(p.reference);
        return;
    }
    p.composed = tern_open(tern_device_name(run->ctx));
    tern_set_composed(p.composed, "all", true);
    run_table(&p);
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) run_subject(&p, subjects[i]);
    run_errors(&p);
    run_memory(&p);
    run_queues(&p);
    run_training(&p);
    run_huge(&p);
    tern_close(p.composed);
    tern_close(p.reference);
}
