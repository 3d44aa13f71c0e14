/* schema_bind.c: binding values to described arguments, and saying what does not fit. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "tern/context.h"
#include "tern/memory.h"

typedef struct binder {
    tern_ctx *ctx;
    const tern_schema *schema;
    char *message;
    size_t size;
} binder;

static bool TERN_PRINTF(2, 3) refuse(const binder *b, const char *format, ...) {
    va_list args;
    int prefix = snprintf(b->message, b->size, "%s: ", b->schema->name);
    if (prefix < 0 || (size_t)prefix >= b->size) return false;
    va_start(args, format);
    vsnprintf(b->message + prefix, b->size - (size_t)prefix, format, args);
    va_end(args);
    return false;
}

/* "Tensor or Number", "list of int or None". */
static const char *types_text(uint32_t types, char *out, size_t size) {
    static const struct {
        uint32_t bits;
        const char *name;
    } names[] = {
        {TERN_TAKES_ANY, "any value"},
        {TERN_TAKES_TENSOR, "Tensor"},
        {TERN_TAKES_TENSORS, "list of Tensor"},
        {TERN_TAKES_BOOL | TERN_TAKES_INT | TERN_TAKES_FLOAT, "Number"},
        {TERN_TAKES_BOOL, "bool"},
        {TERN_TAKES_INT, "int"},
        {TERN_TAKES_FLOAT, "float"},
        {TERN_TAKES_INTS, "list of int"},
        {TERN_TAKES_FLOATS, "list of float"},
        {TERN_TAKES_STRING, "str"},
        {TERN_TAKES_DTYPE, "dtype"},
        {TERN_TAKES_GENERATOR, "Generator"},
        {TERN_TAKES_NONE, "None"},
    };
    size_t length = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if ((types & names[i].bits) != names[i].bits) continue;
        types &= ~names[i].bits;
        int n = snprintf(out + length, size - length, "%s%s", length ? " or " : "", names[i].name);
        if (n < 0 || (length += (size_t)n) >= size) break;
    }
    return out;
}

/* ---- conversions --------------------------------------------------------------------------------
 * Each writes the converted value and says whether the value fits. */

/* The kind that all members of a list share: int counts as float too, an empty list as anything. */
static bool members_are(tern_value list, uint32_t wanted, size_t *out_wrong) {
    size_t count = tern_value_count(list);
    for (size_t i = 0; i < count; i++) {
        tern_kind kind = tern_value_at(list, i).kind;
        bool fits = (wanted == TERN_TAKES_TENSORS && kind == TERN_VALUE_TENSOR) ||
                    (wanted != TERN_TAKES_TENSORS && kind == TERN_VALUE_INT) ||
                    (wanted == TERN_TAKES_FLOATS && kind == TERN_VALUE_FLOAT);
        *out_wrong = i;
        if (!fits) return false;
    }
    return true;
}

static bool to_ints(const binder *b, tern_value value, tern_value *out) {
    size_t count = value.kind == TERN_VALUE_INT ? 1 : tern_value_count(value);
    int64_t *ints = tern_scope_alloc(b->ctx, (count ? count : 1) * sizeof *ints);
    if (!ints) return refuse(b, "out of memory");
    for (size_t i = 0; i < count; i++)
        ints[i] = value.kind == TERN_VALUE_INT ? value.as.i : tern_value_at(value, i).as.i;
    *out = tern_ints(ints, count);
    return true;
}

static bool to_floats(const binder *b, tern_value value, tern_value *out) {
    bool one = tern_value_is_number(value);
    size_t count = one ? 1 : tern_value_count(value);
    *out = value.kind == TERN_VALUE_TUPLE ? tern_tuple_new(b->ctx) : tern_list_new(b->ctx);
    for (size_t i = 0; i < count; i++) {
        tern_value item = one ? value : tern_value_at(value, i);
        if (tern_list_append(*out, tern_float(tern_value_as_double(item))) != TERN_OK)
            return refuse(b, "out of memory");
    }
    return out->kind != TERN_VALUE_NONE || refuse(b, "out of memory");
}

static bool bind_number(const binder *b, uint32_t types, tern_value value, tern_value *out) {
    *out = value;
    if (value.kind == TERN_VALUE_BOOL) return types & TERN_TAKES_BOOL;
    if (value.kind == TERN_VALUE_INT && (types & TERN_TAKES_INT)) return true;
    if (types & TERN_TAKES_FLOAT) {
        *out = tern_float(tern_value_as_double(value));
        return true;
    }
    if (value.kind == TERN_VALUE_INT && (types & TERN_TAKES_INTS)) return to_ints(b, value, out);
    return (types & TERN_TAKES_FLOATS) && to_floats(b, value, out);
}

static bool bind_text(uint32_t types, tern_value value, tern_value *out) {
    tern_dtype dtype;
    *out = value;
    if (types & TERN_TAKES_STRING) return true;
    if ((types & TERN_TAKES_DTYPE) && tern_dtype_parse(value.as.s, &dtype)) {
        *out = tern_dtype_value(dtype);
        return true;
    }
    return (types & TERN_TAKES_FLOAT) && tern_number_parse(value.as.s, value.length, out) &&
           out->kind == TERN_VALUE_FLOAT && !isfinite(out->as.f);
}

/* out_wrong tells which member does not fit a list that the argument would take. */
static bool bind_list(const binder *b, uint32_t types, tern_value value, tern_value *out,
                      size_t *out_wrong) {
    *out = value;
    if (value.kind == TERN_VALUE_INTS && (types & TERN_TAKES_INTS)) return true;
    if ((types & TERN_TAKES_INTS) && members_are(value, TERN_TAKES_INTS, out_wrong))
        return to_ints(b, value, out);
    if ((types & TERN_TAKES_FLOATS) && members_are(value, TERN_TAKES_FLOATS, out_wrong))
        return to_floats(b, value, out);
    return value.kind != TERN_VALUE_INTS && (types & TERN_TAKES_TENSORS) &&
           members_are(value, TERN_TAKES_TENSORS, out_wrong);
}

static bool bind_one(const binder *b, const tern_schema_arg *arg, tern_value value,
                     tern_value *out) {
    char wanted[160];
    size_t wrong = SIZE_MAX;
    uint32_t types = arg->types;
    bool fits = false;
    *out = value;
    b->message[0] = 0;
    if (types & TERN_TAKES_ANY) return true;
    switch (value.kind) {
    case TERN_VALUE_NONE: fits = types & TERN_TAKES_NONE; break;
    case TERN_VALUE_BOOL:
    case TERN_VALUE_INT:
    case TERN_VALUE_FLOAT: fits = bind_number(b, types, value, out); break;
    case TERN_VALUE_STRING: fits = bind_text(types, value, out); break;
    case TERN_VALUE_INTS:
    case TERN_VALUE_LIST:
    case TERN_VALUE_TUPLE: fits = bind_list(b, types, value, out, &wrong); break;
    case TERN_VALUE_DICT: break;
    case TERN_VALUE_TENSOR: fits = types & TERN_TAKES_TENSOR; break;
    case TERN_VALUE_DTYPE: fits = types & TERN_TAKES_DTYPE; break;
    case TERN_VALUE_GENERATOR: fits = types & TERN_TAKES_GENERATOR; break;
    }
    if (fits || b->message[0]) return fits;
    types_text(types, wanted, sizeof wanted);
    if (wrong != SIZE_MAX)
        return refuse(b, "argument '%s' must be %s, but its element %zu is %s", arg->name, wanted,
                      wrong, tern_kind_name(tern_value_at(value, wrong).kind));
    if (value.kind == TERN_VALUE_STRING)
        return refuse(b, "argument '%s' must be %s, not the str '%.40s'", arg->name, wanted,
                      value.as.s);
    return refuse(b, "argument '%s' must be %s, not %s", arg->name, wanted,
                  tern_kind_name(value.kind));
}

/* ---- names ----------------------------------------------------------------------------------- */

static int index_of(const tern_schema *schema, const char *name) {
    for (int i = 0; i < schema->n_args; i++)
        if (strcmp(schema->args[i].name, name) == 0) return i;
    return -1;
}

/* "in_features, out_features, bias" */
static const char *names_text(const tern_schema *schema, bool positional, char *out, size_t size) {
    size_t length = 0;
    out[0] = 0;
    for (int i = 0; i < schema->n_args; i++) {
        if (positional && schema->args[i].keyword_only) continue;
        int n =
            snprintf(out + length, size - length, "%s%s", length ? ", " : "", schema->args[i].name);
        if (n < 0 || (length += (size_t)n) >= size) break;
    }
    return out;
}

static bool refuse_name(const binder *b, const char *name) {
    char names[400];
    tern_nearest nearest = tern_nearest_begin(name);
    for (int i = 0; i < b->schema->n_args; i++)
        tern_nearest_try(&nearest, b->schema->args[i].name, strlen(b->schema->args[i].name));
    if (nearest.name)
        return refuse(b, "no argument '%.60s'; did you mean '%s'?", name, nearest.name);
    if (b->schema->n_args == 0) return refuse(b, "takes no arguments, but '%.60s' was given", name);
    return refuse(b, "no argument '%.60s'; there are %s", name,
                  names_text(b->schema, false, names, sizeof names));
}

/* ---- binding --------------------------------------------------------------------------------- */

static bool check_positional(const binder *b, int n_positional) {
    char names[400];
    int most = 0;
    while (most < b->schema->n_args && !b->schema->args[most].keyword_only) most++;
    if (n_positional <= most) return true;
    if (most == 0) return refuse(b, "takes no positional arguments, but %d given", n_positional);
    return refuse(b, "takes at most %d positional argument%s (%s), but %d given", most,
                  most == 1 ? "" : "s", names_text(b->schema, true, names, sizeof names),
                  n_positional);
}

/* Every name must be an argument's, and not one that was given by position. */
static bool check_names(const binder *b, int n_positional, tern_value named) {
    tern_value key;
    for (size_t i = 0; tern_dict_at(named, i, &key, NULL); i++) {
        if (key.kind != TERN_VALUE_STRING)
            return refuse(b, "argument names must be str, not %s", tern_kind_name(key.kind));
        int index = index_of(b->schema, key.as.s);
        if (index < 0) return refuse_name(b, key.as.s);
        if (index < n_positional)
            return refuse(b, "argument '%s' is given twice, by position and by name", key.as.s);
    }
    return true;
}

bool tern_schema_bind(tern_ctx *ctx, const tern_schema *schema, const tern_value *positional,
                      int n_positional, tern_value named, tern_value *out_values, char *out_message,
                      size_t message_size) {
    const binder b = {ctx, schema, out_message, message_size};
    char wanted[160];
    if (message_size && !out_message) return false;
    if (message_size) out_message[0] = 0;
    if (!schema || !out_values || (n_positional > 0 && !positional)) {
        if (message_size)
            snprintf(out_message, message_size, "tern_schema_bind: %s NULL",
                     schema ? "the values are" : "the schema is");
        return false;
    }
    if (!check_positional(&b, n_positional) || !check_names(&b, n_positional, named)) return false;
    for (int i = 0; i < schema->n_args; i++) {
        const tern_schema_arg *arg = &schema->args[i];
        tern_value value;
        if (i < n_positional)
            value = positional[i];
        else if (tern_dict_has(named, arg->name))
            value = tern_dict_get(named, arg->name);
        else if (arg->has_default)
            value = tern_schema_default(ctx, schema, i);
        else
            return refuse(&b, "missing argument '%s' (%s)", arg->name,
                          types_text(arg->types, wanted, sizeof wanted));
        bool is_default_none = arg->has_default && value.kind == TERN_VALUE_NONE &&
                               arg->fallback.kind == TERN_VALUE_NONE &&
                               strcmp(arg->default_text, "None") == 0;
        if (is_default_none)
            out_values[i] = value;
        else if (!bind_one(&b, arg, value, &out_values[i]))
            return false;
    }
    return true;
}
