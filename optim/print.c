/* print.c: an optimizer as Python's print shows it: options sorted by name, a block a group. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* The first key after `previous` in the order of bytes; NULL at the end. */
static const char *next_key(const tern_optim_body *optim, const tern_group *group,
                            const char *previous) {
    const char *best = NULL;
    tern_value key, item;
    for (const tern_field *field = optim->cls->fields; field->name; field++)
        if (strcmp(field->name, previous) > 0 && (!best || strcmp(field->name, best) < 0))
            best = field->name;
    for (size_t i = 0; tern_dict_at(group->extras, i, &key, &item); i++)
        if (key.kind == TERN_VALUE_STRING && strcmp(key.as.s, previous) > 0 &&
            (!best || strcmp(key.as.s, best) < 0))
            best = key.as.s;
    return best;
}

static void add_group(tern_textbuf *text, const tern_optim_body *optim, const tern_schema *schema,
                      size_t index) {
    const tern_group *group = &optim->groups[index];
    tern_textbuf_add(text, "\nParameter Group %zu\n", index);
    for (const char *key = ""; (key = next_key(optim, group, key)) != NULL;) {
        const tern_field *field = tern_field_find(optim->cls->fields, key);
        tern_textbuf_add(text, "    %s: ", key);
        tern_textbuf_add_value(text,
                               field ? tern_field_shown(optim->ctx, schema, field, group->options)
                                     : tern_dict_get(group->extras, key),
                               true);
        tern_textbuf_add(text, "\n");
    }
}

static bool print_optim(const tern_optim_body *optim, tern_textbuf *out_text) {
    tern_schema schema;
    if (!tern_schema_parse(optim->cls->schema, &schema)) return false;
    tern_scope scope = tern_scope_inner(optim->ctx);
    tern_textbuf_add(out_text, "%s (", optim->cls->name);
    for (size_t g = 0; g < optim->n_groups; g++) add_group(out_text, optim, &schema, g);
    tern_textbuf_add(out_text, ")");
    tern_scope_end(scope);
    if (out_text->failed)
        tern_fail(optim->ctx, TERN_ERR_OUT_OF_MEMORY, "%s: out of memory", optim->cls->name);
    return !out_text->failed;
}

size_t tern_optim_repr(const tern_optim *handle, char *out_text, size_t size) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_repr");
    tern_textbuf text = {0};
    size_t length = 0;
    if (!out_text) size = 0;
    if (size) *out_text = '\0';
    if (optim && print_optim(optim, &text)) {
        length = text.length;
        if (size) snprintf(out_text, size, "%s", text.data);
    }
    tern_textbuf_free(&text);
    return length;
}

const char *tern_optim_repr_text(const tern_optim *handle) {
    const tern_optim_body *optim = tern_optim_of(handle, "tern_optim_repr_text");
    tern_textbuf text = {0};
    const char *result = "";
    if (optim && print_optim(optim, &text)) {
        tern_value value = tern_string_n(optim->ctx, text.data, text.length);
        if (value.kind == TERN_VALUE_STRING) result = value.as.s;
    }
    tern_textbuf_free(&text);
    return result;
}
