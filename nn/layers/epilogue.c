/*
 * epilogue.c: a layer that is a product, and the activation behind it, as one operation: what Sequential runs
 * where no gradient is recorded, and the pair's forwards otherwise, with the same values.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "layers.h"

#ifndef TERN_COMPOSES /* such a build takes two steps always */

enum { ROOM = 160 };

/* Appends ", value" for each number that the operation's words name, and the form of a text; false for what
 * a formula cannot say. */
static bool add_arguments(tern_module *activation, const char *words, char *name, char *numbers) {
    tern_ctx *ctx = tern_module_context(activation);
    size_t used = 0;
    numbers[0] = '\0';
    for (words += strcspn(words, " "); *words; words += strcspn(words, " ")) {
        char word[ROOM];
        words += strspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)strcspn(words, " "), words);
        const tern_field *field = tern_field_find(activation->cls->fields, word);
        tern_value value = field ? tern_field_get(ctx, field, activation) : tern_none();
        if (strcmp(word, "inplace") == 0) continue;
        bool number = tern_value_is_number(value) && !isnan(tern_value_as_double(value));
        if (number)
            used += (size_t)snprintf(numbers + used, ROOM - used, ", %.17g",
                                     tern_value_as_double(value));
        else if (value.kind != TERN_VALUE_STRING)
            return false;
        else if (strcmp(value.as.s, "none") != 0)
            snprintf(name + strlen(name), ROOM - strlen(name), "_%s", value.as.s);
        if (used >= ROOM) return false;
    }
    return true;
}

/* "leaky_relu(x, 0.01)", made at the first use; NULL after latching. "" for what is no formula. */
static const char *formula_of(tern_module *activation) {
    tern_module_inner *inner = activation->inner;
    if (inner->formula) return inner->formula;
    const char *words = activation->cls->operation;
    char name[ROOM], numbers[ROOM], text[2 * ROOM + 8] = "";
    size_t length = strcspn(words, " "), prefix = length;
    while (prefix > 0 && words[prefix - 1] != '.') prefix--;
    snprintf(name, sizeof name, "%.*s", (int)(length - prefix), words + prefix);
    if (add_arguments(activation, words, name, numbers))
        snprintf(text, sizeof text, "%s(x%s)", name, numbers);
    tern_scope scope = tern_owner_begin(inner->owner, 0);
    char *kept = scope.serial ? tern_scope_alloc(inner->ctx, strlen(text) + 1) : NULL;
    tern_scope_end(scope);
    return inner->formula = kept ? strcpy(kept, text) : NULL;
}

/* Whether nobody looks at what goes in and comes out. */
static bool is_bare(const tern_module *module) {
    return !module->inner->watch && !module->inner->hooks && !module->inner->n_computed;
}

tern_tensor *tern_layer_pair(tern_module *layer, tern_module *activation, tern_tensor *input) {
    tern_ctx *ctx = tern_module_context(layer);
    if (!layer->cls->forward_map || !(activation->cls->flags & TERN_MODULE_FORMULA) ||
        tern_is_grad_enabled(ctx) || !is_bare(layer) || !is_bare(activation))
        return NULL;
    const char *formula = formula_of(activation);
    if (!formula || !*formula) return NULL;
    tern_scope scope = tern_scope_inner(ctx);
    tern_module_frame frame;
    tern_module_enter(&frame, layer);
    tern_tensor *result = layer->cls->forward_map(layer, input, formula);
    tern_module_leave(&frame);
    if (result) return tern_scope_return(scope, result);
    tern_scope_end(scope);
    return NULL;
}

#endif
