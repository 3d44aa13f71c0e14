/* Forms in place: they leave what the others return, in the same storage, and nothing beside it. */
#include "property.h"

#include "tern/memory.h"

#include <stdio.h>
#include <string.h>

static results got, right; /* large, and one case runs at a time */

static void check_in_place(property *p) {
    drawn d, plain;
    arguments mine, theirs;
    if (!property_draw(p, &p->with, &d)) return;
    plain = d;
    if (!sample_is(p->sample, 'L')) plain.layout = LAYOUT_PLAIN;
    if (!arguments_make(p->reference, &plain, &theirs) || !arguments_make(p->device, &d, &mine))
        return;
    uint64_t version = tern_version(mine.tensors[0]);
    tern_status wrong = property_call(p, p->reference, "_", theirs.named, &right);
    tern_status status = property_call(p, p->device, "_", mine.named, &got);
    if (status == TERN_OK && wrong == TERN_OK) {
        property_compare_one(p, "the target", tern_tensor_value(mine.tensors[0]), p->reference,
                             right.items[0], nearness_of(p->sample));
        if (got.count != 1 || got.items[0].as.tensor != mine.tensors[0])
            case_fail(p->t, "another tensor is returned than the one that was given");
        if (tern_version(mine.tensors[0]) == version && tern_numel(mine.tensors[0]) > 0)
            case_fail(p->t, "the target's version is what it was");
    }
    if (status == wrong && status != TERN_OK) tern_error_clear(p->device);
    tern_error_clear(p->reference);
}

/* ---- guards ---------------------------------------------------------------------------------- */

bool guard_begin(const property *p, const drawn *d, bool gaps, guard *out_guard) {
    enum { MARGIN = 3, BEHIND = 19 };
    const stored_tensor *t = &d->tensors[0];
    tern_shape strides = {t->shape.rank, {0}}, flat = {1, {0}};
    int64_t step = gaps ? 2 : 1;
    for (int32_t k = t->shape.rank - 1; k >= 0; k--) {
        strides.dim[k] = step;
        step *= t->shape.dim[k] + (gaps ? 1 : 0);
    }
    flat.dim[0] = step + MARGIN + BEHIND;
    guard *g = out_guard;
    g->base = counted(p->device, flat, t->dtype, 1, t->dtype == TERN_BOOL ? 0 : 0.5);
    g->view = tern_view_of_storage(g->base, t->shape, strides, MARGIN);
    tern_copy_in_place(g->view, tern_from_data(p->device, t->data, t->shape, t->dtype));
    g->bytes = tern_storage_bytes(g->base);
    g->before = tern_scope_alloc(p->device, g->bytes);
    return g->before && tern_storage_to_host(g->base, g->before, g->bytes) == TERN_OK;
}

void guard_stand_in(const guard *g, arguments *a) {
    tern_value key, item;
    for (size_t i = 0; tern_dict_at(a->named, i, &key, &item); i++)
        if (item.kind == TERN_VALUE_TENSOR && item.as.tensor == a->tensors[0])
            tern_dict_set(a->named, key.as.s, tern_tensor_value(g->view));
}

/* Which of the base's elements the view has. */
static void mark_view(const tern_tensor *view, uint8_t *marks) {
    tern_shape shape = tern_shape_of(view), at = {shape.rank, {0}};
    for (int64_t left = tern_numel(view); left > 0; left--) {
        int64_t place = tern_storage_offset(view);
        for (int32_t k = 0; k < shape.rank; k++) place += at.dim[k] * tern_stride(view, k);
        marks[place] = 1;
        for (int32_t k = shape.rank - 1; k >= 0; k--) {
            if (++at.dim[k] < shape.dim[k]) break;
            at.dim[k] = 0;
        }
    }
}

void guard_end(property *p, const guard *g) {
    size_t size = tern_dtype_size(tern_dtype_of(g->base)), count = g->bytes / size;
    uint8_t *marks = tern_scope_alloc(p->device, count + 1);
    uint8_t *after = tern_scope_alloc(p->device, g->bytes);
    if (!marks || !after || tern_storage_to_host(g->base, after, g->bytes) != TERN_OK) return;
    mark_view(g->view, marks);
    for (size_t i = 0; i < count; i++) {
        if (marks[i] || memcmp(g->before + i * size, after + i * size, size) == 0) continue;
        case_fail(p->t, "element %zu of the storage is written, beside the view", i);
        return;
    }
}

static void check_guards(property *p) {
    drawn d;
    guard g;
    arguments mine, theirs;
    if (!property_draw(p, &p->with, &d) || !arguments_make(p->reference, &d, &theirs) ||
        !arguments_make(p->device, &d, &mine) || !guard_begin(p, &d, p->part, &g))
        return;
    guard_stand_in(&g, &mine);
    tern_status wrong = property_call(p, p->reference, "_", theirs.named, &right);
    tern_status status = property_call(p, p->device, "_", mine.named, &got);
    if (status == TERN_OK && wrong == TERN_OK) {
        property_compare_one(p, "the view", tern_tensor_value(g.view), p->reference, right.items[0],
                             nearness_of(p->sample));
        guard_end(p, &g);
    }
    if (status == wrong && status != TERN_OK) tern_error_clear(p->device);
    tern_error_clear(p->reference);
}

static bool has_form_in_place(const sample *s, const traits *t) {
    return t->in_place && !sample_is(s, 'O');
}

/* Whose elements do not depend on how the target lies. */
static bool can_be_guarded(const sample *s, const traits *t) {
    return has_form_in_place(s, t) && !sample_is(s, 'L');
}

static const variant layouts[] = {{"plain", 0, LAYOUT_PLAIN, false, 0},
                                  {"transposed", 1, LAYOUT_TRANSPOSED, false, 0},
                                  {"sliced", 2, LAYOUT_SLICED, false, 0},
                                  {"drawn", 3, LAYOUT_PLAIN, false, 0}};
static const variant guards[] = {{"dense", 0, LAYOUT_PLAIN, false, 0},
                                 {"gaps", 0, LAYOUT_PLAIN, false, 1},
                                 {"dense-drawn", 4, LAYOUT_PLAIN, false, 0},
                                 {"gaps-drawn", 5, LAYOUT_PLAIN, false, 1}};

const subject subject_in_place = {"properties/in_place",
                                  has_form_in_place,
                                  ALL_DTYPES,
                                  layouts,
                                  sizeof layouts / sizeof layouts[0],
                                  check_in_place};
const subject subject_guards = {
    "properties/guards", can_be_guarded, ALL_DTYPES, guards, sizeof guards / sizeof guards[0],
    check_guards};
