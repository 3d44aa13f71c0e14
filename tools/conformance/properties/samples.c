#include "samples.h"

#include "tern/describe.h"
#include "tern/memory.h"
#include "tern/tensor.h"

#include <stdio.h>
#include <string.h>

/* ---- the table ------------------------------------------------------------------------------- */

static sample table[] = {
#define SAMPLE(name, flags, text) {name, flags, text, 0},
#include "samples_complex.def"
#include "samples_core.def"
#include "samples_functional.def"
#include "samples_layers.def"
#include "samples_linalg.def"
#include "samples_masked.def"
#include "samples_special.def"
#include "samples_statistics.def"
#undef SAMPLE
};
enum { SAMPLES = sizeof table / sizeof table[0] };

static void number_them(void) {
    for (size_t i = 0; i < SAMPLES; i++) {
        bool same = i > 0 && strcmp(table[i].name, table[i - 1].name) == 0;
        table[i].number = same ? table[i - 1].number + 1 : 1;
    }
}

const sample *sample_at(size_t index) {
    if (table[0].number == 0) number_them();
    return index < SAMPLES ? &table[index] : NULL;
}

bool sample_is(const sample *s, char flag) {
    return strchr(s->flags, flag) != NULL;
}

void sample_operation(const sample *s, const char *suffix, char *out_name) {
    snprintf(out_name, 96, "%.*s%s", (int)strcspn(s->name, ":"), s->name, suffix);
}

const char *layout_name(layout l) {
    static const char *const names[LAYOUTS] = {"plain", "transposed", "sliced", "expanded"};
    return names[l];
}

/* ---- drawing --------------------------------------------------------------------------------- */

enum { SIZES = 6, MOST_ELEMENTS = 2500, MOST_OF_LARGE = 12000 };

/* A walk over the arguments as they are written, which meets the tensors in one order. */
typedef struct walk {
    tern_ctx *ctx;
    const sample *sample;
    const setting *with;
    stream numbers;
    int64_t sizes[SIZES];
    tern_shape any, broadcast;
    drawn *drawn; /* what is drawn, or what is made tensors of */
    arguments *made;
    int next, operands;
    bool ok;
} walk;

/* Few of them are 0; several together are not too many elements. Large ones lie around powers of 2, where
 * kernels that work in blocks have their ends. */
static int64_t draw_size(stream *s, bool large, int64_t *room) {
    static const int64_t sizes[2][16] = {
        {0, 1, 1, 2, 3, 4, 5, 7, 8, 17, 33, 2, 3, 5, 7, 8},
        {1, 3, 31, 33, 63, 64, 65, 100, 127, 129, 130, 255, 257, 513, 1025, 4099}};
    int64_t size = sizes[large][stream_below(s, 16)];
    while (size > *room) size = (size + 1) / 2;
    if (size > 1) *room /= size;
    return size;
}

static void draw_sizes(walk *w) {
    static const int64_t moderate[SIZES] = {3, 4, 5, 2, 2, 3};
    stream s = stream_of(w->sample->text, w->with->seed, (uint64_t)w->with->round);
    bool large = w->with->round >= LARGE_ROUND;
    int64_t room = large ? MOST_OF_LARGE : MOST_ELEMENTS;
    w->any = (tern_shape){2, {3, 5}};
    memcpy(w->sizes, moderate, sizeof moderate);
    if (w->with->round > 0) {
        for (int i = 0; i < SIZES; i++) w->sizes[i] = draw_size(&s, large, &room);
        room = large ? MOST_OF_LARGE : MOST_ELEMENTS / 4;
        w->any.rank = (int32_t)stream_below(&s, 7);
        for (int32_t d = 0; d < w->any.rank; d++) w->any.dim[d] = draw_size(&s, large, &room);
    }
    if (w->with->edges && sample_is(w->sample, 'M'))
        w->any = (tern_shape){1, {edge_count(w->with->dtype) * edge_count(w->with->dtype)}};
    /* What broadcasts to it lacks leading dimensions, and some of the others are 1. */
    w->broadcast = w->any;
    if (w->with->edges && sample_is(w->sample, 'M')) return;
    int32_t lost = (int32_t)stream_below(&s, w->any.rank / 2 + 1);
    w->broadcast.rank -= lost;
    for (int32_t d = 0; d < w->broadcast.rank; d++)
        w->broadcast.dim[d] = stream_below(&s, 3) == 0 ? 1 : w->any.dim[lost + d];
}

static int64_t size_of(const walk *w, tern_value size) {
    int64_t number = tern_value_as_int(size);
    return number < 0 && number >= -SIZES ? w->sizes[-number - 1] : number;
}

/* f() has the drawn shape, f('b') one that broadcasts to it, f([]) no dimension, f(2, -1) those sizes. */
static tern_shape shape_of_call(const walk *w, tern_value sizes, size_t first) {
    tern_shape shape = {0, {0}};
    size_t count = tern_value_count(sizes);
    if (count == first) return w->any;
    tern_value only = tern_value_at(sizes, first);
    if (only.kind == TERN_VALUE_STRING) return w->broadcast;
    if (only.kind == TERN_VALUE_LIST) return shape;
    for (size_t i = first; i < count && shape.rank < TERN_MAX_RANK; i++)
        shape.dim[shape.rank++] = size_of(w, tern_value_at(sizes, i));
    return shape;
}

static int choose_expanded(const tern_shape *shape, int start) {
    for (int32_t k = 0; k < shape->rank; k++) {
        int dim = (start + k) % shape->rank;
        if (shape->dim[dim] > 1) return dim;
    }
    return -1;
}

/* The shape and the elements of nested lists of integers. */
static void read_literal(tern_value list, int depth, tern_shape *shape, int64_t *out, size_t *at) {
    size_t count = tern_value_count(list);
    if (list.kind != TERN_VALUE_LIST) {
        out[(*at)++] = tern_value_as_int(list);
        return;
    }
    shape->dim[depth] = (int64_t)count;
    if (shape->rank <= depth) shape->rank = depth + 1;
    for (size_t i = 0; i < count; i++)
        read_literal(tern_value_at(list, i), depth + 1, shape, out, at);
}

static bool draw_literal(walk *w, tern_value list, stored_tensor *out) {
    tern_shape shape = {0, {0}};
    size_t count = 0;
    int64_t *data = tern_scope_alloc(w->ctx, 64 * sizeof *data);
    if (!data) return false;
    read_literal(list, 0, &shape, data, &count);
    *out = (stored_tensor){TERN_INT64, shape, data, count * sizeof *data};
    return true;
}

static bool draw_tensor(walk *w, char kind, tern_value sizes, tern_value options) {
    drawn *d = w->drawn;
    int index = d->count++;
    recipe r = {.kind = kind};
    size_t first = strchr("irh", kind) ? 1 : 0;
    d->expanded[index] = -1;
    if (kind == 'x') return draw_literal(w, tern_value_at(sizes, 0), &d->tensors[index]);
    if (first) r.below = size_of(w, tern_value_at(sizes, 0));
    r.along = (int)tern_value_as_int(tern_dict_get(options, "along"));
    tern_shape shape = shape_of_call(w, sizes, first);
    d->of_case[index] = !strchr("irhb", kind);
    if (d->of_case[index]) w->operands++;
    if (d->of_case[index] && w->with->edges && sample_is(w->sample, 'M') && shape.rank == 1)
        r.edge = w->operands;
    if (d->of_case[index] && w->with->edges && sample_is(w->sample, 'E'))
        r.edge = w->with->round % 2 ? -2 : -1;
    /* What must differ, or ascend, does not repeat. */
    if (w->with->layout == LAYOUT_EXPANDED && !strchr("drs", kind))
        d->expanded[index] = choose_expanded(&shape, index + w->with->round);
    r.repeated = d->expanded[index] >= 0;
    r.repeated_dim = d->expanded[index];
    tern_dtype dtype = kind == 'b'                  ? TERN_BOOL
                       : kind == 'h'                ? TERN_INT32
                       : kind == 'i' || kind == 'r' ? TERN_INT64
                                                    : w->with->dtype;
    return draw_elements(w->ctx, &w->numbers, &r, dtype, &shape, &d->tensors[index]);
}

/* ---- walking --------------------------------------------------------------------------------- */

static tern_value convert(walk *w, tern_value value);

static tern_value convert_list(walk *w, tern_value list) {
    tern_value out = tern_list_new(w->ctx);
    for (size_t i = 0; i < tern_value_count(list); i++)
        tern_list_append(out, convert(w, tern_value_at(list, i)));
    return out;
}

static tern_value convert_dict(walk *w, tern_value dict) {
    tern_value out = tern_dict_new(w->ctx, false), key, item;
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item); i++)
        tern_dict_set(out, key.as.s, convert(w, item));
    return out;
}

/* A call stands for a tensor; v(...) is a dict. */
static tern_value convert_call(walk *w, tern_value call) {
    const char *name = tern_dict_get(call, "module").as.s;
    tern_value options = tern_dict_get(call, "args");
    if (strcmp(name, "v") == 0) return convert_dict(w, options);
    if (!w->made) {
        if (w->drawn->count == MOST_TENSORS ||
            !draw_tensor(w, name[0], tern_dict_get(call, "positional"), options))
            w->ok = false;
        return tern_none();
    }
    int index = w->next++;
    w->made->tensors[index] = drawn_upload(w->ctx, w->drawn, index);
    return tern_tensor_value(w->made->tensors[index]);
}

static tern_value convert(walk *w, tern_value value) {
    switch (value.kind) {
    case TERN_VALUE_DICT: return convert_call(w, value);
    case TERN_VALUE_LIST: return convert_list(w, value);
    case TERN_VALUE_STRING:
        if (strcmp(value.as.s, "@dtype") == 0) return tern_dtype_value(w->drawn->dtype);
        return strcmp(value.as.s, "@") == 0 ? tern_text(tern_device_name(w->ctx)) : value;
    default: return value;
    }
}

bool sample_draw(tern_ctx *ctx, const sample *s, const setting *with, drawn *out_drawn) {
    char text[600];
    walk w = {.ctx = ctx, .sample = s, .with = with, .drawn = out_drawn, .ok = true};
    w.numbers = stream_of(s->name, with->seed + (uint64_t)s->number * 1000003u + with->data * 7919u,
                          (uint64_t)with->round * 16u + (uint64_t)with->dtype);
    *out_drawn = (drawn){.layout = with->layout, .dtype = with->dtype};
    snprintf(text, sizeof text, "sample(%s)", s->text);
    tern_value call = tern_notation_parse(ctx, s->name, text);
    out_drawn->named = tern_dict_get(call, "args");
    if (call.kind != TERN_VALUE_DICT) return false;
    draw_sizes(&w);
    convert_dict(&w, out_drawn->named);
    return w.ok && !tern_error(ctx)[0];
}

bool arguments_make(tern_ctx *ctx, const drawn *d, arguments *out_arguments) {
    walk w = {.ctx = ctx, .drawn = (drawn *)d, .made = out_arguments, .ok = true};
    *out_arguments = (arguments){.count = d->count};
    out_arguments->named = convert_dict(&w, d->named);
    return !tern_error(ctx)[0];
}

/* ---- layouts --------------------------------------------------------------------------------- */

static int64_t strides_of(const drawn *d, int index, tern_shape *strides) {
    const tern_shape *shape = &d->tensors[index].shape;
    int64_t step = d->layout == LAYOUT_EXPANDED ? 1 : 2;
    strides->rank = shape->rank;
    for (int32_t k = 0; k < shape->rank; k++) {
        int32_t dim = d->layout == LAYOUT_TRANSPOSED ? k : shape->rank - 1 - k;
        bool expanded = d->layout == LAYOUT_EXPANDED && dim == d->expanded[index];
        strides->dim[dim] = expanded ? 0 : step;
        if (!expanded) step = step * shape->dim[dim] + (d->layout == LAYOUT_SLICED ? 3 : 0);
    }
    return d->layout == LAYOUT_TRANSPOSED ? 1 : d->layout == LAYOUT_SLICED ? 5 : 0;
}

tern_tensor *drawn_upload(tern_ctx *ctx, const drawn *d, int index) {
    const stored_tensor *t = &d->tensors[index];
    tern_shape strides = {0, {0}};
    if (d->layout == LAYOUT_PLAIN || t->bytes == 0)
        return tern_from_data(ctx, t->data, t->shape, t->dtype);
    int64_t offset = strides_of(d, index, &strides);
    return stored_upload(ctx, t, &strides, offset);
}
