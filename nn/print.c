/* print.c: a module as Python's print shows it. */
#include <stdio.h>
#include <string.h>

#include "module.h"

/* ---- what stands between the parentheses ----------------------------------------------------- */

/* A tuple equals the number that all its members are: padding=(0, 0) is padding=0. */
static bool all_equal(tern_value value, tern_value fallback) {
    if (value.kind != TERN_VALUE_TUPLE || fallback.kind == TERN_VALUE_TUPLE)
        return tern_value_equal(value, fallback);
    for (size_t i = 0; i < tern_value_count(value); i++)
        if (!tern_value_equal(tern_value_at(value, i), fallback)) return false;
    return true;
}

static bool equals_default(tern_ctx *ctx, const tern_schema *schema, const char *name,
                           tern_value value) {
    for (int i = 0; i < schema->n_args; i++)
        if (strcmp(schema->args[i].name, name) == 0)
            return schema->args[i].has_default &&
                   all_equal(value, tern_schema_default(ctx, schema, i));
    return false;
}

/* One item of the class's `print`: "name=", "name", "name=?" (left out where it is the default), or
 * with '$' before it (texts without quotes; else as extra_repr's !r gives them). */
static void add_item(tern_textbuf *text, const tern_module *module, const tern_schema *schema,
                     const char *item, size_t length, size_t start) {
    char name[64];
    bool bare = *item == '$';
    item += bare;
    length -= bare;
    size_t name_length = strcspn(item, "= ");
    if (name_length > length) name_length = length;
    if (name_length >= sizeof name) return;
    memcpy(name, item, name_length);
    name[name_length] = '\0';
    const tern_field *field = tern_field_find(module->cls->fields, name);
    if (!field) return;
    tern_value value = tern_field_shown(module->inner->ctx, schema, field, module);
    if (item[length - 1] == '?' && equals_default(module->inner->ctx, schema, name, value)) return;
    if (text->length > start) tern_textbuf_add(text, ", ");
    if (name_length < length) tern_textbuf_add(text, "%s=", name);
    tern_textbuf_add_value(text, value, bare);
}

static void add_extra(tern_textbuf *text, const tern_module *module) {
    tern_schema schema;
    const char *item = module->cls->print;
    size_t start = text->length;
    if (!item || !tern_schema_parse(module->cls->schema, &schema)) return;
    while (*item) {
        size_t length = strcspn(item, " ");
        if (length) add_item(text, module, &schema, item, length, start);
        item += length + strspn(item + length, " ");
    }
}

/* "(0): Parameter containing: [torch.float32 of size 2x3]": PyTorch indents these lines by two more,
 * and gives a single one no line of its own. */
static void add_parameters(tern_textbuf *text, const tern_module *module, int indent) {
    const tern_slots *slots = &module->inner->parameters;
    for (size_t i = 0; i < slots->count; i++) {
        tern_shape shape = tern_shape_of(slots->items[i].tensor);
        if (slots->count > 1) tern_textbuf_add(text, "\n%*s", indent + 2, "");
        tern_textbuf_add(text, "  (%s): Parameter containing: [torch.%s of size ",
                         slots->items[i].name,
                         tern_dtype_name(tern_dtype_of(slots->items[i].tensor)));
        for (int d = 0; d < shape.rank; d++)
            tern_textbuf_add(text, d ? "x%lld" : "%lld", (long long)shape.dim[d]);
        tern_textbuf_add(text, "]");
    }
    if (slots->count > 1) tern_textbuf_add(text, "\n%*s", indent, "");
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void add_module(tern_textbuf *text, const tern_module *module, int indent);

static void new_line(tern_textbuf *text, int indent) {
    tern_textbuf_add(text, "\n%*s", indent, "");
}

/* Neighbours that print alike, waiting for the first that differs. */
typedef struct run {
    tern_textbuf body;
    const char *first, *last;
    size_t count;
} run;

static void flush(tern_textbuf *text, run *r, int indent) {
    text->failed = text->failed || r->body.failed;
    if (!r->count || text->failed) return;
    new_line(text, indent);
    if (r->count > 1)
        tern_textbuf_add(text, "(%s-%s): %zu x ", r->first, r->last, r->count);
    else
        tern_textbuf_add(text, "(%s): ", r->first);
    tern_textbuf_add_n(text, r->body.data, r->body.length);
}

/* Each child is printed once, into a text of its own: comparing costs no second walk. */
static void add_children(tern_textbuf *text, const tern_module *module, int indent) {
    const tern_module_inner *inner = module->inner;
    bool collapse = (module->cls->flags & TERN_MODULE_COLLAPSE) != 0;
    run pending = {.count = 0};
    for (size_t i = 0; i < inner->n_children; i++) {
        tern_textbuf body = {0};
        add_module(&body, inner->children[i].module, indent);
        if (body.failed) text->failed = true;
        if (text->failed || !collapse || !pending.count ||
            strcmp(body.data, pending.body.data) != 0) {
            flush(text, &pending, indent);
            tern_textbuf_free(&pending.body);
            pending = (run){.body = body, .first = inner->children[i].name};
        } else {
            tern_textbuf_free(&body);
        }
        pending.last = inner->children[i].name;
        pending.count++;
    }
    flush(text, &pending, indent);
    tern_textbuf_free(&pending.body);
}

static void add_module(tern_textbuf *text, const tern_module *module, int indent) {
    tern_textbuf_add(text, "%s(", tern_module_name(module));
    if (!tern_module_there(module, "tern_module_repr")) {
        tern_textbuf_add(text, ")");
        return;
    }
    size_t start = text->length;
    if (module->cls->flags & TERN_MODULE_PARAMETERS) {
        add_parameters(text, module, indent);
    } else if (module->inner->n_children == 0) {
        add_extra(text, module);
    } else {
        new_line(text, indent + 2);
        size_t before = text->length;
        add_extra(text, module);
        if (text->length == before) tern_textbuf_cut(text, start);
        add_children(text, module, indent + 2);
        new_line(text, indent);
    }
    tern_textbuf_add(text, ")");
}

static bool print_module(const tern_module *module, tern_textbuf *out_text) {
    tern_ctx *ctx = module->inner->ctx;
    tern_scope scope = tern_scope_inner(ctx);
    add_module(out_text, module, 0);
    tern_scope_end(scope);
    if (out_text->failed) tern_nn_no_memory(ctx, tern_module_name(module));
    return !out_text->failed;
}

size_t tern_module_repr(const tern_module *module, char *out_text, size_t size) {
    tern_textbuf text = {0};
    size_t length = 0;
    if (!out_text) size = 0;
    if (size) *out_text = '\0';
    if (tern_module_there(module, "tern_module_repr") && print_module(module, &text)) {
        length = text.length;
        if (size) snprintf(out_text, size, "%s", text.data);
    }
    tern_textbuf_free(&text);
    return length;
}

const char *tern_module_repr_text(const tern_module *module) {
    tern_textbuf text = {0};
    const char *result = "";
    if (tern_module_there(module, "tern_module_repr_text") && print_module(module, &text)) {
        tern_value value = tern_string_n(module->inner->ctx, text.data, text.length);
        if (value.kind == TERN_VALUE_STRING) result = value.as.s;
    }
    tern_textbuf_free(&text);
    return result;
}
