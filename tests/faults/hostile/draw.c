/* draw.c: which operation, and with what: a sample of which some arguments are replaced, or what its schema takes. */
#include "hostile.h"

#include "tern/describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- samples --------------------------------------------------------------------------------- */

static const struct sample {
    const char *name, *flags, *text;
} samples[] = {
#define SAMPLE(name, flags, text) {name, flags, text},
#include "conformance/properties/errors.def"
#include "conformance/properties/samples_complex.def"
#include "conformance/properties/samples_core.def"
#include "conformance/properties/samples_functional.def"
#include "conformance/properties/samples_layers.def"
#include "conformance/properties/samples_linalg.def"
#include "conformance/properties/samples_masked.def"
#include "conformance/properties/samples_special.def"
#include "conformance/properties/samples_statistics.def"
#undef SAMPLE
};

static tern_value converted(call *c, tern_value item);

static void draw_sizes(call *c) {
    static const int64_t sizes[] = {3, 4, 5, 2, 2, 3};
    stream *s = &c->s;
    for (int i = 0; i < SIZES; i++)
        c->sizes[i] = once_in(s, 4) ? below(s, once_in(s, 5) ? 40 : 9) : sizes[i];
    c->any = (tern_shape){2, {3, 5}};
    if (once_in(s, 12)) { /* no element, and sizes whose product no integer holds */
        c->sizes[below(s, SIZES)] = c->sizes[below(s, SIZES)] = hostile_int(s) & INT64_MAX;
        c->sizes[below(s, SIZES)] = 0;
        c->any = (tern_shape){3, {c->sizes[0], c->sizes[1], 0}};
        return;
    }
    if (once_in(s, 2)) return;
    c->any.rank = (int32_t)below(s, 6);
    for (int32_t d = 0; d < c->any.rank; d++) c->any.dim[d] = once_in(s, 9) ? 0 : 1 + below(s, 4);
}

static int64_t size_of(call *c, tern_value size) {
    int64_t number = tern_value_as_int(size);
    if (once_in(&c->s, 40)) return below(&c->s, 9);
    return number < 0 && number >= -SIZES ? c->sizes[-number - 1] : number;
}

/* The shape of f(...), of which the arguments from `first` are the sizes (samples_core.def). */
static tern_shape shape_of_call(call *c, tern_value sizes, size_t first) {
    tern_shape shape = {0, {0}};
    size_t count = tern_value_count(sizes);
    if (count == first) return c->any;
    tern_value only = tern_value_at(sizes, first);
    if (only.kind == TERN_VALUE_LIST) return shape;
    if (only.kind == TERN_VALUE_STRING) {
        shape = c->any;
        for (int32_t d = 0; d < shape.rank; d++)
            if (once_in(&c->s, 3)) shape.dim[d] = 1;
        return shape;
    }
    for (size_t i = first; i < count && shape.rank < TERN_MAX_RANK; i++)
        shape.dim[shape.rank++] = size_of(c, tern_value_at(sizes, i));
    return shape;
}

/* x([[1, 2]]): these numbers. */
static tern_tensor *literal(call *c, tern_value list) {
    int64_t numbers[64];
    int64_t rows = (int64_t)tern_value_count(list), columns = 0, count = 0;
    tern_shape shape = {1, {rows}};
    while (tern_value_at(list, 0).kind == TERN_VALUE_LIST && shape.rank < 4) {
        list = tern_value_at(list, 0); /* the first row alone, if there are several */
        columns = (int64_t)tern_value_count(list);
        shape.dim[shape.rank - 1] = 1;
        shape.dim[shape.rank++] = columns;
    }
    for (size_t i = 0; i < tern_value_count(list) && count < 64; i++)
        numbers[count++] =
            once_in(&c->s, 9) ? hostile_int(&c->s) : tern_value_as_int(tern_value_at(list, i));
    shape.dim[shape.rank - 1] = count;
    return tern_from_data(c->ctx, numbers, shape, TERN_INT64);
}

static tern_tensor *sampled_tensor(call *c, tern_value maker) {
    char kind = tern_dict_get(maker, "module").as.s[0];
    tern_value sizes = tern_dict_get(maker, "positional");
    bool limited = strchr("irh", kind) != NULL;
    if (once_in(&c->s, 12)) return hostile_tensor(c);
    if (kind == 'x') return literal(c, tern_value_at(sizes, 0));
    int64_t limit = limited ? size_of(c, tern_value_at(sizes, 0)) : 0;
    tern_dtype dtype = kind == 'b'   ? TERN_BOOL
                       : kind == 'h' ? TERN_INT32
                       : limited     ? TERN_INT64
                                     : c->dtype;
    if (once_in(&c->s, 30)) dtype = any_dtype(&c->s);
    return drawn_tensor(c, shape_of_call(c, sizes, limited), dtype, limit);
}

static tern_value converted_list(call *c, tern_value list) {
    tern_value copy = list.kind == TERN_VALUE_LIST ? tern_list_new(c->ctx) : tern_tuple_new(c->ctx);
    size_t count = tern_value_count(list);
    if (count && once_in(&c->s, 25)) count--;
    for (size_t i = 0; i < count; i++) tern_list_append(copy, converted(c, tern_value_at(list, i)));
    if (count && once_in(&c->s, 25)) tern_list_append(copy, converted(c, tern_value_at(list, 0)));
    return copy;
}

/* An argument of a sample, now and then another one of its kind. */
static tern_value converted(call *c, tern_value item) {
    bool other = once_in(&c->s, 12);
    switch (item.kind) {
    case TERN_VALUE_DICT: return tern_tensor_value(sampled_tensor(c, item));
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: return converted_list(c, item);
    case TERN_VALUE_BOOL: return hostile_value(c, TERN_TAKES_BOOL);
    case TERN_VALUE_INT: return other ? hostile_value(c, TERN_TAKES_INT) : item;
    case TERN_VALUE_FLOAT: return other ? hostile_value(c, TERN_TAKES_FLOAT) : item;
    case TERN_VALUE_DTYPE: return other ? hostile_value(c, TERN_TAKES_DTYPE) : item;
    case TERN_VALUE_STRING:
        if (strcmp(item.as.s, "@dtype") == 0) return tern_dtype_value(c->dtype);
        if (strcmp(item.as.s, "@") == 0) return tern_text(tern_device_name(c->ctx));
        return other ? hostile_value(c, TERN_TAKES_STRING) : item;
    default: return other ? hostile_value(c, 1u << below(&c->s, 12)) : item;
    }
}

static void draw_sample(call *c) {
    static const tern_dtype floats[] = {TERN_FLOAT32, TERN_FLOAT32, TERN_FLOAT64, TERN_FLOAT16,
                                        TERN_BFLOAT16};
    size_t count = sizeof samples / sizeof samples[0];
    const struct sample *sample = &samples[below(&c->s, (int64_t)count)];
    tern_value key, item;
    char text[1024];
    draw_sizes(c);
    c->dtype = once_in(&c->s, 4) ? any_dtype(&c->s) : floats[below(&c->s, 5)];
    if (strchr(sample->flags, 'J') && once_in(&c->s, 2))
        c->dtype = once_in(&c->s, 2) ? TERN_COMPLEX64 : TERN_COMPLEX128;
    snprintf(c->name, sizeof c->name, "%.*s", (int)strcspn(sample->name, ":"), sample->name);
    snprintf(text, sizeof text, "sample(%s)", sample->text);
    tern_value arguments = tern_dict_get(tern_notation_parse(c->ctx, "sample", text), "args");
    for (size_t i = 0; tern_dict_at(arguments, i, &key, &item); i++)
        tern_dict_set_value(c->named, key, converted(c, item));
}

/* ---- schemas --------------------------------------------------------------------------------- */

/* All rows' schemas, read once. */
static const tern_schema *schema_at(stream *s) {
    static tern_schema *schemas;
    static int64_t count;
    tern_op_info info;
    if (!schemas) {
        size_t rows = 0;
        while (tern_op_at(rows, &info)) rows++;
        schemas = calloc(rows, sizeof *schemas);
        for (size_t i = 0; schemas && i < rows; i++)
            if (tern_op_at(i, &info) && tern_schema_parse(info.schema, &schemas[count])) count++;
        if (!count) abort();
    }
    return &schemas[below(s, count)];
}

static void draw_schema(call *c) {
    const tern_schema *schema = schema_at(&c->s);
    snprintf(c->name, sizeof c->name, "%.*s", (int)strcspn(schema->name, ":"), schema->name);
    bool by_position = once_in(&c->s, 2);
    for (int i = 0; i < schema->n_args; i++) {
        const tern_schema_arg *arg = &schema->args[i];
        bool left_out = arg->has_default ? once_in(&c->s, 2) : once_in(&c->s, 60);
        by_position = by_position && !arg->keyword_only && !left_out && !once_in(&c->s, 8);
        if (left_out) continue;
        tern_value value = hostile_value(c, arg->types);
        if (by_position)
            c->positional[c->n_positional++] = value;
        else
            tern_dict_set(c->named, arg->name, value);
    }
    if (once_in(&c->s, 100)) c->positional[c->n_positional++] = hostile_value(c, TERN_TAKES_ANY);
    if (once_in(&c->s, 100)) tern_dict_set(c->named, "no such\nargument", tern_int(1));
}

void call_draw(call *c) {
    c->named = tern_dict_new(c->ctx, false);
    if (once_in(&c->s, 3))
        draw_schema(c);
    else
        draw_sample(c);
    if (once_in(&c->s, 6)) strcat(c->name, "_");
}
