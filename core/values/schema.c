/* schema.c: reading descriptions of arguments in PyTorch's notation. */
#include "tern/schema.h"

#include <string.h>

#include "schema.h"

#define NUMBER (TERN_TAKES_BOOL | TERN_TAKES_INT | TERN_TAKES_FLOAT)

static const struct {
    const char *name;
    uint32_t one, list;
} type_names[] = {
    {"Tensor", TERN_TAKES_TENSOR, TERN_TAKES_TENSORS},
    {"Number", NUMBER, TERN_TAKES_INTS | TERN_TAKES_FLOATS},
    {"int", TERN_TAKES_INT, TERN_TAKES_INTS},
    {"float", TERN_TAKES_FLOAT, TERN_TAKES_FLOATS},
    {"bool", TERN_TAKES_BOOL, TERN_TAKES_ANY},
    {"str", TERN_TAKES_STRING, TERN_TAKES_ANY},
    {"dtype", TERN_TAKES_DTYPE, TERN_TAKES_ANY},
    {"Generator", TERN_TAKES_GENERATOR, TERN_TAKES_ANY},
    {"any", TERN_TAKES_ANY, TERN_TAKES_ANY},
};

/* One of the alternatives: "int", "int?", "int[]", "int[2]?". */
static bool parse_type(const char *text, size_t length, uint32_t *types) {
    size_t name = 0;
    while (name < length && text[name] != '[' && text[name] != '?') name++;
    bool list = memchr(text, '[', length) != NULL;
    if (memchr(text, '?', length)) *types |= TERN_TAKES_NONE;
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (strlen(type_names[i].name) != name || memcmp(type_names[i].name, text, name) != 0)
            continue;
        *types |= list ? type_names[i].list : type_names[i].one;
        return true;
    }
    return false;
}

static bool parse_types(const char *text, uint32_t *out_types) {
    *out_types = 0;
    for (;;) {
        size_t length = strcspn(text, "|");
        if (!parse_type(text, length, out_types)) return false;
        if (!text[length]) return true;
        text += length + 1;
    }
}

/* ---- literals -------------------------------------------------------------------------------- */

bool tern_literal_parse(const char *text, tern_value *out_value) {
    size_t length = strlen(text);
    tern_dtype dtype;
    if (strcmp(text, "None") == 0)
        *out_value = tern_none();
    else if (strcmp(text, "True") == 0 || strcmp(text, "False") == 0)
        *out_value = tern_bool(*text == 'T');
    else if (tern_number_parse(text, length, out_value))
        return true;
    else if (strncmp(text, "torch.", 6) == 0 && tern_dtype_parse(text, &dtype))
        *out_value = tern_dtype_value(dtype);
    else
        return false;
    return true;
}

/* The next member of "[1, 2]" or "(0.9, 0.999)" from behind the opening bracket: moves *text on.
 * False at the end and where a member is no literal; *text is then at the bracket or at the fault.
 */
static bool next_member(const char **text, tern_value *out_value) {
    char member[64];
    *text += strspn(*text, ", ");
    size_t length = strcspn(*text, ",])");
    if (length == 0 || length >= sizeof member) return false;
    memcpy(member, *text, length);
    member[length] = 0;
    if (!tern_literal_parse(member, out_value)) return false;
    *text += length;
    return true;
}

/* A default: a scalar becomes a value now, a list when it is bound, for then there is a context. */
static bool parse_default(char *text, tern_schema_arg *arg) {
    size_t length = strlen(text);
    arg->has_default = true;
    arg->default_text = text;
    if (length >= 2 && (*text == '\'' || *text == '"') && text[length - 1] == *text) {
        text[length - 1] = 0;
        arg->default_text = text + 1;
        arg->fallback = tern_text(text + 1);
        return true;
    }
    if (*text == '[' || *text == '(') {
        const char *member = text + 1;
        tern_value value;
        while (next_member(&member, &value)) continue;
        return strcmp(member, *text == '[' ? "]" : ")") == 0;
    }
    return tern_literal_parse(text, &arg->fallback);
}

/* ---- descriptions ---------------------------------------------------------------------------- */

/* The end of one argument: a comma or the closing parenthesis outside brackets and quotes. */
static char *argument_end(char *text) {
    int depth = 0;
    char quote = 0;
    for (; *text; text++) {
        if (quote) {
            if (*text == quote) quote = 0;
        } else if (*text == '\'' || *text == '"') {
            quote = *text;
        } else if (*text == '(' || *text == '[') {
            depth++;
        } else if (depth == 0 && (*text == ',' || *text == ')')) {
            return text;
        } else if (*text == ')' || *text == ']') {
            depth--;
        }
    }
    return NULL;
}

/* TYPE NAME or TYPE NAME=DEFAULT, terminated. */
static bool parse_argument(char *text, bool keyword_only, tern_schema_arg *arg) {
    char *name = strchr(text, ' ');
    if (!name) return false;
    *name++ = 0;
    arg->name = name;
    arg->keyword_only = keyword_only;
    char *equals = strchr(name, '=');
    if (equals) *equals++ = 0;
    if (!*name || strpbrk(name, " ()[]|?")) return false;
    return parse_types(text, &arg->types) && (!equals || parse_default(equals, arg));
}

static bool parse_arguments(char *text, tern_schema *schema) {
    bool keyword_only = false;
    while (*text == ' ') text++;
    if (*text == ')') return true;
    for (;;) {
        while (*text == ' ') text++;
        char *end = argument_end(text);
        if (!end) return false;
        bool last = *end == ')';
        *end = 0;
        if (strcmp(text, "*") == 0) {
            keyword_only = true;
        } else {
            if (schema->n_args == TERN_SCHEMA_MAX_ARGS) return false;
            if (!parse_argument(text, keyword_only, &schema->args[schema->n_args])) return false;
            schema->n_args++;
        }
        if (last) return true;
        text = end + 1;
    }
}

bool tern_schema_parse(const char *text, tern_schema *out_schema) {
    if (!out_schema) return false;
    memset(out_schema, 0, sizeof *out_schema);
    if (!text) return false;
    size_t length = strlen(text), name = strcspn(text, ":(");
    const char *open = strchr(text, '(');
    if (length >= sizeof out_schema->text || name == 0 || name >= sizeof out_schema->name || !open)
        return false;
    memcpy(out_schema->text, text, length + 1);
    memcpy(out_schema->name, text, name);
    return parse_arguments(out_schema->text + (open - text) + 1, out_schema);
}

/* ---- default lists --------------------------------------------------------------------------- */

tern_value tern_schema_default(tern_ctx *ctx, const tern_schema *schema, int index) {
    if (!schema || index < 0 || index >= schema->n_args) return tern_none();
    const tern_schema_arg *arg = &schema->args[index];
    const char *text = arg->default_text;
    bool is_list = text && arg->fallback.kind == TERN_VALUE_NONE && (*text == '[' || *text == '(');
    if (!is_list) return arg->fallback;
    tern_value member, list = *text == '[' ? tern_list_new(ctx) : tern_tuple_new(ctx);
    text++;
    while (next_member(&text, &member))
        if (tern_list_append(list, member) != TERN_OK) return tern_none();
    return list;
}
