/* parameters.c: the parameters of a module whose names match a pattern. */
#include <string.h>

#include "tern/nn.h"

/* Whether the name is the pattern's, up to its end, where '*' stands for any run of characters. */
static bool matches(const char *pattern, const char *end, const char *name) {
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (pattern < end && *pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (pattern < end && *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*') pattern++;
    return pattern == end;
}

/* Whether one of the alternatives matches, or with '!' in front none. */
static bool is_chosen(const char *patterns, const char *name) {
    bool inverted = *patterns == '!', found = false;
    for (const char *p = patterns + inverted; !found; p++) {
        const char *end = p + strcspn(p, "|");
        found = matches(p, end, name);
        p = end;
        if (!*p) break;
    }
    return found != inverted;
}

tern_value tern_module_parameters_like(tern_module *module, const char *patterns) {
    tern_value all = tern_module_named_parameters(module), name, tensor;
    if (all.kind != TERN_VALUE_DICT) return tern_none();
    tern_ctx *ctx = tern_module_context(module);
    if (!patterns) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_module_parameters_like: the pattern is NULL");
        return tern_none();
    }
    tern_value chosen = tern_list_new(ctx);
    for (size_t i = 0; tern_dict_at(all, i, &name, &tensor); i++)
        if (is_chosen(patterns, name.as.s) && tern_list_append(chosen, tensor) != TERN_OK)
            return tern_none();
    if (tern_value_count(chosen) > 0 || tern_check(ctx) != TERN_OK) return chosen;
    bool any = tern_dict_at(all, 0, &name, NULL);
    tern_fail(ctx, TERN_ERR_NOT_FOUND,
              "tern_module_parameters_like: no parameter of %s matches '%s'; its first is '%s'",
              tern_module_name(module), patterns, any ? name.as.s : "");
    return tern_none();
}
