/* build.c: modules from text and from names with values. */
#include <stdio.h>
#include <string.h>

#include "layers/layers.h"

/* What one tern_nn call builds from; expressions live in `scratch`, modules in the open scope. */
typedef struct builder {
    tern_ctx *ctx;
    const char *what; /* "tern_nn" */
    tern_owner *scratch;
    tern_value overrides;
    tern_textbuf path; /* of the module being built */
    int depth;
} builder;

static tern_module *build(builder *b, tern_value call);

/* "tern_nn: column 12" for messages, where the text's place is known. */
static void place_of(const builder *b, tern_value call, char *out_place, size_t size) {
    int64_t line = tern_value_as_int(tern_dict_get(call, "line"));
    int64_t column = tern_value_as_int(tern_dict_get(call, "column"));
    if (column == 0)
        snprintf(out_place, size, "%s", b->what);
    else if (line <= 1)
        snprintf(out_place, size, "%s: column %lld", b->what, (long long)column);
    else
        snprintf(out_place, size, "%s: line %lld, column %lld", b->what, (long long)line,
                 (long long)column);
}

/* ---- names ----------------------------------------------------------------------------------- */

static tern_module *unknown(const builder *b, const char *place, const char *name) {
    const tern_module_class *cls;
    tern_nearest nearest = tern_nearest_begin(name);
    for (size_t i = 0; (cls = tern_nn_class_at(i)) != NULL; i++)
        tern_nearest_try(&nearest, cls->schema, tern_class_name_length(cls));
    if (nearest.name)
        tern_fail(b->ctx, TERN_ERR_NOT_FOUND, "%s: there is no module '%s'; did you mean %.*s?",
                  place, name, (int)nearest.length, nearest.name);
    else
        tern_fail(b->ctx, TERN_ERR_NOT_FOUND,
                  "%s: there is no module '%s': tern_nn_register adds a class of your own", place,
                  name);
    return NULL;
}

/* ---- children -------------------------------------------------------------------------------- */

static bool is_call(tern_value value) {
    return value.kind == TERN_VALUE_DICT && tern_dict_has(value, "module");
}

static bool add_child(builder *b, tern_module *parent, const char *place, const char *name,
                      tern_value value) {
    if (!is_call(value)) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT, "%s: %s takes modules, not a %s", place,
                  tern_module_name(parent), tern_kind_name(value.kind));
        return false;
    }
    size_t length = b->path.length;
    tern_textbuf_add(&b->path, length ? ".%s" : "%s", name);
    if (b->path.failed) tern_nn_no_memory(b->ctx, b->what);
    tern_module *child = build(b, value);
    tern_textbuf_cut(&b->path, length);
    return child && tern_module_child(parent, name, child);
}

/* Sequential(a, b), ModuleList([a, b]). */
static bool add_positional(builder *b, tern_module *module, const char *place,
                           tern_value positional) {
    char name[32];
    tern_value first = tern_value_at(positional, 0);
    if (tern_value_count(positional) == 1 && first.kind == TERN_VALUE_LIST) positional = first;
    for (size_t i = 0; i < tern_value_count(positional); i++) {
        snprintf(name, sizeof name, "%zu", i);
        if (!add_child(b, module, place, name, tern_value_at(positional, i))) return false;
    }
    return true;
}

static tern_module *build_container(builder *b, const tern_module_class *cls, const char *place,
                                    tern_value call) {
    tern_value name, item, named = tern_dict_get(call, "args");
    if (tern_dict_at(named, 0, &name, &item)) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT, "%s: %.*s has no argument '%s'", place,
                  (int)tern_class_name_length(cls), cls->schema,
                  name.kind == TERN_VALUE_STRING ? name.as.s : "?");
        return NULL;
    }
    tern_module *module = tern_module_new(b->ctx, cls, NULL);
    if (!module) return NULL;
    tern_value children = tern_dict_get(call, "children");
    tern_scope scope = tern_module_begin(module);
    bool ok = scope.serial && add_positional(b, module, place, tern_dict_get(call, "positional"));
    for (size_t i = 0; ok && tern_dict_at(children, i, &name, &item); i++)
        ok = add_child(b, module, place, name.as.s, item);
    tern_scope_end(scope);
    if (ok) return module;
    tern_module_free(module);
    return NULL;
}

/* ---- other modules --------------------------------------------------------------------------- */

/* A printout shows what the class's init made: both must name the same children. */
static bool check_children(builder *b, tern_module *module, const char *place,
                           tern_value children) {
    tern_value name, item;
    for (size_t i = 0; tern_dict_at(children, i, &name, &item); i++) {
        const char *own_name;
        tern_module *own = tern_module_child_at(module, i, &own_name);
        tern_value cls = tern_dict_get(item, "module");
        if (own && strcmp(own_name, name.as.s) == 0 && cls.kind == TERN_VALUE_STRING &&
            strcmp(tern_module_name(own), cls.as.s) == 0)
            continue;
        tern_fail(b->ctx, TERN_ERR_ARGUMENT,
                  "%s: the child '%s' is not what %s makes from these arguments", place, name.as.s,
                  tern_module_name(module));
        return false;
    }
    return true;
}

/* The named arguments with those of the overrides for this path. */
static tern_value merged(builder *b, tern_value named) {
    tern_value over = tern_dict_get(b->overrides, b->path.data ? b->path.data : "");
    tern_value key, item, dict;
    if (over.kind != TERN_VALUE_DICT) return named;
    dict = tern_dict_new(b->ctx, false);
    for (size_t i = 0; tern_dict_at(named, i, &key, &item); i++)
        tern_dict_set_value(dict, key, item);
    for (size_t i = 0; tern_dict_at(over, i, &key, &item); i++)
        tern_dict_set_value(dict, key, item);
    return dict;
}

static bool bind(builder *b, const tern_module_class *cls, const char *place, tern_value call,
                 void *config) {
    tern_value args[TERN_SCHEMA_MAX_ARGS], positional = tern_dict_get(call, "positional");
    size_t count = tern_value_count(positional);
    if (count > TERN_SCHEMA_MAX_ARGS) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT, "%s: too many arguments", place);
        return false;
    }
    for (size_t i = 0; i < count; i++) args[i] = tern_value_at(positional, i);
    tern_scope scope = tern_owner_begin(b->scratch, 0);
    bool ok =
        scope.serial && tern_fields_bind(b->ctx, place, cls->schema, cls->fields, args, (int)count,
                                         merged(b, tern_dict_get(call, "args")), config);
    tern_scope_end(scope);
    return ok && !tern_latched(b->ctx);
}

static tern_module *build_plain(builder *b, const tern_module_class *cls, const char *place,
                                tern_value call) {
    void *config = tern_alloc_zeroed(1, cls->instance_size);
    if (!config) {
        tern_nn_no_memory(b->ctx, b->what);
        return NULL;
    }
    tern_module *module = NULL;
    if (bind(b, cls, place, call, config)) module = tern_module_new(b->ctx, cls, config);
    tern_free(config);
    if (!module) return NULL;
    if (check_children(b, module, place, tern_dict_get(call, "children"))) return module;
    tern_module_free(module);
    return NULL;
}

static tern_module *build(builder *b, tern_value call) {
    char place[96];
    place_of(b, call, place, sizeof place);
    tern_value name = tern_dict_get(call, "module");
    if (name.kind != TERN_VALUE_STRING) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT, "%s: expected a module, such as Linear(1, 1)",
                  b->what);
        return NULL;
    }
    const tern_module_class *cls = tern_nn_class(name.as.s);
    if (!cls) return unknown(b, place, name.as.s);
    if (b->depth >= TERN_NOTATION_DEPTH) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT, "%s: nested deeper than %d", place,
                  TERN_NOTATION_DEPTH);
        return NULL;
    }
    b->depth++;
    tern_module *module = cls->flags & TERN_MODULE_CONTAINER ? build_container(b, cls, place, call)
                                                             : build_plain(b, cls, place, call);
    b->depth--;
    return module;
}

static tern_module *build_root(tern_ctx *ctx, const char *what, const char *text, tern_value call,
                               tern_value overrides) {
    if (tern_latched(ctx)) return NULL;
    builder b = {.ctx = ctx, .what = what, .scratch = tern_owner_new(ctx), .overrides = overrides};
    if (!b.scratch) return NULL;
    if (text) {
        tern_scope scope = tern_owner_begin(b.scratch, 0);
        call = tern_notation_parse(ctx, what, text);
        tern_scope_end(scope);
    }
    tern_module *module = tern_latched(ctx) ? NULL : build(&b, call);
    tern_textbuf_free(&b.path);
    tern_owner_free(b.scratch);
    return module;
}

tern_module *tern_nn(tern_ctx *ctx, const char *text) {
    return build_root(ctx, "tern_nn", text ? text : "", tern_none(), tern_none());
}

tern_module *tern_nn_with(tern_ctx *ctx, const char *text, tern_value overrides) {
    return build_root(ctx, "tern_nn", text ? text : "", tern_none(), overrides);
}

tern_module *tern_nn_from_value(tern_ctx *ctx, const char *what, tern_value call) {
    return build_root(ctx, what, NULL, call, tern_none());
}

tern_module *tern_nn_make(tern_ctx *ctx, const char *name, tern_value args) {
    if (tern_latched(ctx) || !tern_argument_given(ctx, "tern_nn_make", "name", name)) return NULL;
    tern_owner *scratch = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(scratch, 0);
    tern_value call = tern_none();
    if (scratch && scope.serial) {
        call = tern_dict_new(ctx, false);
        tern_dict_set(call, "module", tern_text(name));
        if (args.kind == TERN_VALUE_DICT) tern_dict_set(call, "args", args);
    }
    tern_scope_end(scope);
    tern_module *module = tern_nn_from_value(ctx, "tern_nn_make", call);
    tern_owner_free(scratch);
    return module;
}
