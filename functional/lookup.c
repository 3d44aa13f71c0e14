/* lookup.c: operations by PyTorch's name: overloads, aliases, and what a device can do of each. */
#include <stdio.h>
#include <string.h>

#include "functional.h"
#include "support.h"

typedef struct op_alias {
    const char *name, *of;
} op_alias;

static const op_alias aliases[] = {
#define TERN_OP(id, schema, kind, saves, kernel, fn)
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn)
#define TERN_OP_ALIAS(name, of) {name, of},
#include "tern/ops.def"
#define TERN_OP_ALIAS(name, of) {name, of},
#include "tern/functional.def"
#undef TERN_OP
#undef TERN_OP_GRAD
    {NULL, NULL}};

enum { ALL_OPS = TERN_CORE_OP_COUNT + TERN_FUNCTIONAL_OP_COUNT };

/* Weak, so that a static program which names its operations in C alone carries only those that it
 * uses; libtern as a shared library, and a static program by default, has them all. */
#pragma weak tern_functional_ops

static int row_count(void) {
    return tern_functional_ops != NULL ? ALL_OPS : TERN_CORE_OP_COUNT;
}

static const tern_op *row_of(int id) {
    return id < TERN_CORE_OP_COUNT ? &tern_core_ops[id]
                                   : tern_functional_ops[id - TERN_CORE_OP_COUNT];
}

/* ---- schemas, parsed when first needed ------------------------------------------------------- */

static void free_cache(void *arg) {
    tern_schema **cache = arg;
    for (int id = 0; id < ALL_OPS; id++) tern_free(cache[id]);
    tern_free(cache);
}

/* The context's table of schemas, by row; NULL and latched when memory is out. */
static tern_schema **cache_of(tern_ctx *ctx) {
    if (ctx->schemas) return ctx->schemas;
    tern_schema **cache = tern_alloc_zeroed(ALL_OPS, sizeof *cache);
    if (!cache) {
        tern_fail_memory(ctx, ALL_OPS * sizeof *cache);
        return NULL;
    }
    if (tern_defer_at_close(ctx, free_cache, cache) != TERN_OK) {
        tern_free(cache);
        return NULL;
    }
    ctx->schemas = cache;
    return cache;
}

static const tern_schema *schema_of(tern_ctx *ctx, int id) {
    tern_schema **cache = cache_of(ctx);
    if (!cache) return NULL;
    if (cache[id]) return cache[id];
    tern_schema *schema = tern_alloc(sizeof *schema);
    if (!schema) {
        tern_fail_memory(ctx, sizeof *schema);
        return NULL;
    }
    if (!tern_schema_parse(row_of(id)->schema, schema)) {
        tern_free(schema);
        tern_fail(ctx, TERN_ERR_INTERNAL, "the table of operations has a malformed row: %s",
                  row_of(id)->schema);
        return NULL;
    }
    cache[id] = schema;
    return schema;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool row_has_name(int id, const char *name, size_t length) {
    const char *schema = row_of(id)->schema;
    return strncmp(schema, name, length) == 0 && (schema[length] == '(' || schema[length] == ':');
}

/* The first row of a name, following one alias; row_count() where there is none. */
static int first_row(const char *name, size_t length) {
    for (int round = 0; round < 2; round++) {
        for (int id = 0; id < row_count(); id++)
            if (row_has_name(id, name, length)) return id;
        const char *of = NULL;
        for (const op_alias *a = aliases; a->name && !of; a++)
            if (strlen(a->name) == length && strncmp(a->name, name, length) == 0) of = a->of;
        if (!of) break;
        name = of;
        length = strlen(of);
    }
    return row_count();
}

tern_operation tern_find_operation(const char *name) {
    const tern_operation none = {0, 0};
    if (!name) return none;
    size_t length = strlen(name);
    int id = first_row(name, length);
    if (id < row_count()) return (tern_operation){id + 1, 0};
    if (length < 2 || name[length - 1] != '_') return none;
    id = first_row(name, length - 1);
    return id < row_count() ? (tern_operation){id + 1, 1} : none;
}

bool tern_op_exists(const char *name) {
    return tern_find_operation(name).first != 0;
}

static tern_value call_row(tern_ctx *ctx, int id, bool in_place, const tern_value *values,
                           int count) {
    if (!in_place) return tern_op_call(ctx, row_of(id), values, count);
    if (values[0].kind != TERN_VALUE_TENSOR) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "an in-place call needs a tensor as its first argument");
        return tern_none();
    }
    tern_tensor *written = tern_op_call_in_place(row_of(id), values, count);
    return ctx->status == TERN_OK ? tern_tensor_value(written) : tern_none();
}

/* Whether two rows are overloads of one name. */
static bool is_overload(int id, int of) {
    const char *name = row_of(of)->schema;
    return row_has_name(id, name, strcspn(name, "(:"));
}

tern_value tern_invoke(tern_ctx *ctx, tern_operation operation, const tern_value *positional,
                       int n_positional, tern_value named) {
    if (!ctx || ctx->status != TERN_OK) return tern_none();
    if (!positional && n_positional > 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_call: the arguments are NULL");
        return tern_none();
    }
    int first = operation.first - 1;
    if (first < 0 || first >= row_count()) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_invoke: the operation was not found by its name");
        return tern_none();
    }
    char message[512] = "", first_message[512] = "";
    int candidates = 0;
    for (int id = first; id < row_count(); id++) {
        if (id != first && !is_overload(id, first)) continue;
        const tern_schema *schema = schema_of(ctx, id);
        if (!schema) return tern_none();
        tern_value values[TERN_SCHEMA_MAX_ARGS];
        if (tern_schema_bind(ctx, schema, positional, n_positional, named, values, message,
                             sizeof message))
            return call_row(ctx, id, operation.in_place, values, schema->n_args);
        if (ctx->status != TERN_OK) return tern_none();
        if (candidates++ == 0) memcpy(first_message, message, sizeof message);
    }
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s%s", first_message,
              candidates > 1 ? " (nor does another overload fit)" : "");
    return tern_none();
}

tern_value tern_call(tern_ctx *ctx, const char *name, const tern_value *positional,
                     int n_positional, tern_value named) {
    if (!ctx || ctx->status != TERN_OK) return tern_none();
    if (!name) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_call: the operation's name is NULL");
        return tern_none();
    }
    tern_operation operation = tern_find_operation(name);
    if (operation.first) return tern_invoke(ctx, operation, positional, n_positional, named);
    tern_fail(ctx, TERN_ERR_NOT_FOUND, "no operation is named '%s': `tern ops` lists all", name);
    return tern_none();
}

/* ---- the table, for listings ----------------------------------------------------------------- */

static const char *kind_name(tern_op_kind kind) {
    switch (kind) {
    case TERN_OP_PRIMITIVE: return "primitive";
    case TERN_OP_VIEW:
    case TERN_OP_PART: return "view";
    case TERN_OP_CREATE: return "create";
    case TERN_OP_HOST: return "host";
    default: return "composite";
    }
}

bool tern_op_at(size_t index, tern_op_info *out_info) {
    if (index >= (size_t)row_count() || !out_info) return false;
    const tern_op *op = row_of((int)index);
    out_info->schema = op->schema;
    out_info->kind = kind_name(op->kind);
    out_info->kernel = op->kernel ? tern_kernel_name(op->kernel) : "";
    out_info->differentiable = op->grad != NULL || op->kind == TERN_OP_THROUGH;
    return true;
}

const char *tern_op_support(tern_ctx *ctx, size_t index, tern_dtype dtype) {
    if (!ctx || index >= (size_t)row_count() || ctx->n_lanes == 0) return "missing";
    return tern_support_of(ctx->lanes[0], row_of((int)index), dtype);
}
