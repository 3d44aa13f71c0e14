/* describe.c: values and the members of described structs. */
#include "tern/describe.h"

#include <string.h>

#include "tern/memory.h"
#include "tern/tensor.h"

#define MAX_VALUE_DEPTH 128

bool tern_argument_given(tern_ctx *ctx, const char *who, const char *name, const void *argument) {
    if (!argument) tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s is NULL", who, name);
    return argument != NULL;
}

bool tern_argument_tensor(tern_ctx *ctx, const char *who, const tern_tensor *tensor) {
    if (tern_is_nil(tensor))
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the tensor is nil, the result of a failed call",
                  who);
    else if (tern_context_of(tensor) != ctx)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the tensor belongs to another context", who);
    else
        return true;
    return false;
}

bool tern_options_read(tern_ctx *ctx, const char *who, const void *options, void *out_options) {
    if (!options) return true;
    if (!tern_argument_given(ctx, who, "out_options", out_options)) return false;
    size_t known, given;
    memcpy(&known, out_options, sizeof known);
    memcpy(&given, options, sizeof given);
    if (given < sizeof given || given > known) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: the options' size is %zu: start from their initialiser macro, not from {0}",
                  who, given);
        return false;
    }
    memcpy(out_options, options, given);
    memcpy(out_options, &known, sizeof known);
    return true;
}

const tern_field *tern_field_find(const tern_field *fields, const char *name) {
    for (const tern_field *field = fields; name && field && field->name; field++)
        if (strcmp(field->name, name) == 0) return field;
    return NULL;
}

/* ---- members to values ----------------------------------------------------------------------- */

static const char *const reductions[] = {"none", "mean", "sum"};

static tern_value ints_value(tern_value list, const int64_t *items, size_t count) {
    for (size_t i = 0; i < count; i++) tern_list_append(list, tern_int(items[i]));
    return list;
}

static tern_value floats_value(tern_value list, const double *items, size_t count) {
    for (size_t i = 0; i < count; i++) tern_list_append(list, tern_float(items[i]));
    return list;
}

tern_value tern_field_get(tern_ctx *ctx, const tern_field *field, const void *object) {
    if (!tern_argument_given(ctx, "tern_field_get", "field", field) ||
        !tern_argument_given(ctx, "tern_field_get", "object", object))
        return tern_none();
    const void *member = (const char *)object + field->offset;
    switch (field->type) {
    case TERN_FIELD_INT: return tern_int(*(const int64_t *)member);
    case TERN_FIELD_BOOL: return tern_bool(*(const bool *)member);
    case TERN_FIELD_FLOAT: return tern_float(*(const double *)member);
    case TERN_FIELD_TEXT: {
        const char *text = *(const char *const *)member;
        return text ? tern_text(text) : tern_none();
    }
    case TERN_FIELD_DTYPE: {
        tern_dtype dtype = *(const tern_dtype *)member;
        return dtype == TERN_DTYPE_DEFAULT ? tern_none() : tern_dtype_value(dtype);
    }
    case TERN_FIELD_SHAPE: {
        const tern_shape *shape = member;
        return ints_value(tern_tuple_new(ctx), shape->dim, (size_t)shape->rank);
    }
    case TERN_FIELD_REDUCTION: {
        unsigned reduction = (unsigned)*(const tern_reduction *)member;
        return reduction < 3 ? tern_text(reductions[reduction]) : tern_none();
    }
    case TERN_FIELD_OPTIONAL_INT: {
        const tern_optional_int *o = member;
        return o->has ? tern_int(o->value) : tern_none();
    }
    case TERN_FIELD_OPTIONAL_FLOAT: {
        const tern_optional_float *o = member;
        return o->has ? tern_float(o->value) : tern_none();
    }
    case TERN_FIELD_OPTIONAL_BOOL: {
        const tern_optional_bool *o = member;
        return o->has ? tern_bool(o->value) : tern_none();
    }
    case TERN_FIELD_PAIR: {
        const tern_pair *pair = member;
        return floats_value(tern_tuple_new(ctx), (double[]){pair->first, pair->second}, 2);
    }
    case TERN_FIELD_OPTIONAL_PAIR: {
        const tern_optional_pair *pair = member;
        tern_value tuple = tern_tuple_new(ctx);
        tern_list_append(tuple, pair->first.has ? tern_float(pair->first.value) : tern_none());
        return floats_value(tuple, &pair->second, 1);
    }
    case TERN_FIELD_TRIPLE: {
        const tern_triple *t = member;
        return floats_value(tern_tuple_new(ctx), (double[]){t->first, t->second, t->third}, 3);
    }
    case TERN_FIELD_INT_LIST: {
        const tern_int_list *list = member;
        return ints_value(tern_list_new(ctx), list->items, list->count);
    }
    case TERN_FIELD_FLOAT_LIST: {
        const tern_float_list *list = member;
        return floats_value(tern_list_new(ctx), list->items, list->count);
    }
    case TERN_FIELD_TENSOR: return tern_tensor_value(*(tern_tensor *const *)member);
    case TERN_FIELD_GENERATOR: return tern_generator_value(*(tern_generator *const *)member);
    case TERN_FIELD_VALUE: return *(const tern_value *)member;
    }
    return tern_none();
}

tern_value tern_field_shown(tern_ctx *ctx, const tern_schema *schema, const tern_field *field,
                            const void *object) {
    tern_value value = tern_field_get(ctx, field, object);
    for (int i = 0; schema && field && i < schema->n_args; i++) {
        const tern_schema_arg *arg = &schema->args[i];
        if (strcmp(arg->name, field->name) != 0 || !arg->has_default) continue;
        if (value.kind == TERN_VALUE_FLOAT && arg->fallback.kind == TERN_VALUE_INT &&
            value.as.f == (double)arg->fallback.as.i)
            return arg->fallback;
    }
    return value;
}

/* ---- values to members ----------------------------------------------------------------------- */

static bool is_sequence(tern_value value) {
    return value.kind == TERN_VALUE_LIST || value.kind == TERN_VALUE_TUPLE ||
           value.kind == TERN_VALUE_INTS;
}

static bool is_int(tern_value value) {
    return value.kind == TERN_VALUE_INT || value.kind == TERN_VALUE_BOOL;
}

static bool set_shape(tern_shape *out_shape, tern_value value) {
    tern_shape shape = {0, {0}};
    size_t count = tern_value_count(value);
    if (!is_sequence(value) || count > TERN_MAX_RANK) return false;
    for (size_t i = 0; i < count; i++) {
        tern_value item = tern_value_at(value, i);
        if (!is_int(item)) return false;
        shape.dim[shape.rank++] = tern_value_as_int(item);
    }
    *out_shape = shape;
    return true;
}

static bool set_int_list(tern_ctx *ctx, tern_int_list *out_list, tern_value value) {
    size_t count = tern_value_count(value);
    if (!is_sequence(value)) return false;
    for (size_t i = 0; i < count; i++)
        if (!is_int(tern_value_at(value, i))) return false;
    int64_t *items = tern_scope_alloc(ctx, (count + 1) * sizeof *items);
    if (!items) return false;
    for (size_t i = 0; i < count; i++) items[i] = tern_value_as_int(tern_value_at(value, i));
    *out_list = (tern_int_list){items, count};
    return true;
}

/* One number serves as a list of one. */
static bool set_float_list(tern_ctx *ctx, tern_float_list *out_list, tern_value value) {
    bool single = tern_value_is_number(value);
    size_t count = single ? 1 : tern_value_count(value);
    if (!single && !is_sequence(value)) return false;
    for (size_t i = 0; !single && i < count; i++)
        if (!tern_value_is_number(tern_value_at(value, i))) return false;
    double *items = tern_scope_alloc(ctx, (count + 1) * sizeof *items);
    if (!items) return false;
    for (size_t i = 0; i < count; i++)
        items[i] = tern_value_as_double(single ? value : tern_value_at(value, i));
    *out_list = (tern_float_list){items, count};
    return true;
}

static bool set_pair(tern_pair *out_pair, tern_value value) {
    if (!is_sequence(value) || tern_value_count(value) != 2) return false;
    tern_value first = tern_value_at(value, 0), second = tern_value_at(value, 1);
    if (!tern_value_is_number(first) || !tern_value_is_number(second)) return false;
    *out_pair = (tern_pair){tern_value_as_double(first), tern_value_as_double(second)};
    return true;
}

static bool set_optional_pair(tern_optional_pair *out_pair, tern_value value) {
    if (!is_sequence(value) || tern_value_count(value) != 2) return false;
    tern_value first = tern_value_at(value, 0), second = tern_value_at(value, 1);
    bool none = first.kind == TERN_VALUE_NONE;
    if ((!none && !tern_value_is_number(first)) || !tern_value_is_number(second)) return false;
    out_pair->first = (tern_optional_float){!none, none ? 0 : tern_value_as_double(first)};
    out_pair->second = tern_value_as_double(second);
    return true;
}

static bool set_triple(tern_triple *out_triple, tern_value value) {
    double items[3];
    if (!is_sequence(value) || tern_value_count(value) != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        tern_value item = tern_value_at(value, i);
        if (!tern_value_is_number(item)) return false;
        items[i] = tern_value_as_double(item);
    }
    *out_triple = (tern_triple){items[0], items[1], items[2]};
    return true;
}

static bool set_reduction(tern_reduction *out_reduction, tern_value value) {
    if (value.kind != TERN_VALUE_STRING) return false;
    for (int i = 0; i < 3; i++) {
        if (strcmp(value.as.s, reductions[i]) != 0) continue;
        *out_reduction = (tern_reduction)i;
        return true;
    }
    return false;
}

/* Members that stand for None by a value of their own. */
static bool set_none(const tern_field *field, void *member) {
    switch (field->type) {
    case TERN_FIELD_TEXT: *(const char **)member = NULL; return true;
    case TERN_FIELD_DTYPE: *(tern_dtype *)member = TERN_DTYPE_DEFAULT; return true;
    case TERN_FIELD_OPTIONAL_INT:
        *(tern_optional_int *)member = (tern_optional_int){0};
        return true;
    case TERN_FIELD_OPTIONAL_FLOAT:
        *(tern_optional_float *)member = (tern_optional_float){0};
        return true;
    case TERN_FIELD_OPTIONAL_BOOL:
        *(tern_optional_bool *)member = (tern_optional_bool){0};
        return true;
    case TERN_FIELD_TENSOR: *(tern_tensor **)member = NULL; return true;
    case TERN_FIELD_GENERATOR: *(tern_generator **)member = NULL; return true;
    case TERN_FIELD_VALUE: *(tern_value *)member = tern_none(); return true;
    default: return false;
    }
}

bool tern_field_set(tern_ctx *ctx, const tern_field *field, void *object, tern_value value) {
    if (!tern_argument_given(ctx, "tern_field_set", "field", field) ||
        !tern_argument_given(ctx, "tern_field_set", "object", object))
        return false;
    void *member = (char *)object + field->offset;
    if (value.kind == TERN_VALUE_NONE) return set_none(field, member);
    switch (field->type) {
    case TERN_FIELD_INT:
        if (!is_int(value)) return false;
        *(int64_t *)member = tern_value_as_int(value);
        return true;
    case TERN_FIELD_BOOL:
        if (!is_int(value)) return false;
        *(bool *)member = tern_value_as_int(value) != 0;
        return true;
    case TERN_FIELD_FLOAT:
        if (!tern_value_is_number(value)) return false;
        *(double *)member = tern_value_as_double(value);
        return true;
    case TERN_FIELD_TEXT:
        if (value.kind != TERN_VALUE_STRING) return false;
        *(const char **)member = value.as.s;
        return true;
    case TERN_FIELD_DTYPE:
        if (value.kind != TERN_VALUE_DTYPE) return false;
        *(tern_dtype *)member = value.as.dtype;
        return true;
    case TERN_FIELD_SHAPE: return set_shape(member, value);
    case TERN_FIELD_REDUCTION: return set_reduction(member, value);
    case TERN_FIELD_OPTIONAL_INT:
        if (!is_int(value)) return false;
        *(tern_optional_int *)member = (tern_optional_int){true, tern_value_as_int(value)};
        return true;
    case TERN_FIELD_OPTIONAL_FLOAT:
        if (!tern_value_is_number(value)) return false;
        *(tern_optional_float *)member = (tern_optional_float){true, tern_value_as_double(value)};
        return true;
    case TERN_FIELD_OPTIONAL_BOOL:
        if (!is_int(value)) return false;
        *(tern_optional_bool *)member = (tern_optional_bool){true, tern_value_as_int(value) != 0};
        return true;
    case TERN_FIELD_PAIR: return set_pair(member, value);
    case TERN_FIELD_OPTIONAL_PAIR: return set_optional_pair(member, value);
    case TERN_FIELD_TRIPLE: return set_triple(member, value);
    case TERN_FIELD_INT_LIST: return set_int_list(ctx, member, value);
    case TERN_FIELD_FLOAT_LIST: return set_float_list(ctx, member, value);
    case TERN_FIELD_TENSOR:
        if (value.kind != TERN_VALUE_TENSOR) return false;
        *(tern_tensor **)member = value.as.tensor;
        return true;
    case TERN_FIELD_GENERATOR:
        if (value.kind != TERN_VALUE_GENERATOR) return false;
        *(tern_generator **)member = value.as.generator;
        return true;
    case TERN_FIELD_VALUE: *(tern_value *)member = value; return true;
    }
    return false;
}

/* ---- copying what members refer to ----------------------------------------------------------- */

/* A value whose texts, lists and dicts live in the open scope. */
static bool own_value(tern_ctx *ctx, tern_value *value, int depth) {
    tern_value copy = *value;
    if (depth > MAX_VALUE_DEPTH) return false;
    switch (value->kind) {
    case TERN_VALUE_STRING: copy = tern_string_n(ctx, value->as.s, value->length); break;
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE:
        copy = value->kind == TERN_VALUE_TUPLE ? tern_tuple_new(ctx) : tern_list_new(ctx);
        for (size_t i = 0; i < tern_value_count(*value); i++) {
            tern_value item = tern_value_at(*value, i);
            if (!own_value(ctx, &item, depth + 1)) return false;
            if (tern_list_append(copy, item) != TERN_OK) return false;
        }
        break;
    case TERN_VALUE_DICT: {
        tern_value key, item;
        copy = tern_dict_new(ctx, tern_dict_is_ordered(*value));
        for (size_t i = 0; tern_dict_at(*value, i, &key, &item); i++) {
            if (!own_value(ctx, &key, depth + 1) || !own_value(ctx, &item, depth + 1)) return false;
            if (tern_dict_set_value(copy, key, item) != TERN_OK) return false;
        }
        break;
    }
    default: break;
    }
    if (copy.kind == TERN_VALUE_NONE && value->kind != TERN_VALUE_NONE) return false;
    *value = copy;
    return true;
}

static void *own_items(tern_ctx *ctx, const void *items, size_t count, size_t item_size) {
    void *copy = tern_scope_alloc(ctx, (count + 1) * item_size);
    if (copy && count) memcpy(copy, items, count * item_size);
    return copy;
}

static bool own_member(tern_ctx *ctx, const tern_field *field, void *member) {
    switch (field->type) {
    case TERN_FIELD_TEXT: {
        const char **text = member;
        if (!*text) return true;
        *text = tern_string(ctx, *text).as.s;
        return *text != NULL;
    }
    case TERN_FIELD_INT_LIST: {
        tern_int_list *list = member;
        list->items = own_items(ctx, list->items, list->count, sizeof *list->items);
        return list->items != NULL;
    }
    case TERN_FIELD_FLOAT_LIST: {
        tern_float_list *list = member;
        list->items = own_items(ctx, list->items, list->count, sizeof *list->items);
        return list->items != NULL;
    }
    case TERN_FIELD_VALUE: return own_value(ctx, member, 0);
    default: return true;
    }
}

bool tern_fields_own(tern_ctx *ctx, const tern_field *fields, void *object) {
    if (!tern_argument_given(ctx, "tern_fields_own", "object", object)) return false;
    for (const tern_field *field = fields; field && field->name; field++)
        if (!own_member(ctx, field, (char *)object + field->offset)) return false;
    return true;
}

/* ---- binding --------------------------------------------------------------------------------- */

bool tern_fields_bind(tern_ctx *ctx, const char *where, const char *schema_text,
                      const tern_field *fields, const tern_value *positional, int n_positional,
                      tern_value named, void *object) {
    tern_schema schema;
    tern_value values[TERN_SCHEMA_MAX_ARGS];
    char message[512];
    const char *prefix = where ? where : "", *colon = where ? ": " : "";
    if (!tern_argument_given(ctx, "tern_fields_bind", "schema", schema_text) ||
        !tern_argument_given(ctx, "tern_fields_bind", "object", object) ||
        (n_positional > 0 &&
         !tern_argument_given(ctx, "tern_fields_bind", "positional", positional)))
        return false;
    if (!tern_schema_parse(schema_text, &schema)) {
        tern_fail(ctx, TERN_ERR_INTERNAL, "%s%sthe description '%s' is malformed", prefix, colon,
                  schema_text);
        return false;
    }
    if (!tern_schema_bind(ctx, &schema, positional, n_positional, named, values, message,
                          sizeof message)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s%s%s", prefix, colon, message);
        return false;
    }
    for (int i = 0; i < schema.n_args; i++) {
        const tern_field *field = tern_field_find(fields, schema.args[i].name);
        if (!field || tern_field_set(ctx, field, object, values[i])) continue;
        char shown[80];
        tern_value_repr(values[i], shown, sizeof shown);
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s%s%s: argument '%s' cannot be %s", prefix, colon,
                  schema.name, field->name, shown);
        return false;
    }
    /* The defaults' texts lie in the schema, which ends here. */
    if (tern_fields_own(ctx, fields, object)) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s%s%s: an argument is nested too deeply", prefix, colon,
              schema.name);
    return false;
}
