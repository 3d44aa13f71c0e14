/* options.c: which options an optimizer takes, and PyTorch's words for those it refuses. */
#include <stdio.h>

#include "internal.h"

static bool refuse_number(tern_ctx *ctx, const char *message, double value) {
    char shown[32];
    tern_format_double(value, shown);
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: %s", message, shown);
    return false;
}

static bool check_betas(tern_ctx *ctx, const char *message, tern_pair betas) {
    char indexed[96];
    double values[] = {betas.first, betas.second};
    for (int i = 0; i < 2; i++) {
        if (values[i] >= 0 && values[i] < 1) continue;
        snprintf(indexed, sizeof indexed, "%s at index %d", message, i);
        return refuse_number(ctx, indexed, values[i]);
    }
    return true;
}

bool tern_optim_check(tern_ctx *ctx, const tern_optim_class *cls, const void *options) {
    for (const tern_option_rule *rule = cls->rules; rule->option; rule++) {
        const tern_field *field = tern_field_find(cls->fields, rule->option);
        if (!field) continue;
        const void *member = (const char *)options + field->offset;
        if (rule->rule == TERN_RULE_BETAS) {
            if (!check_betas(ctx, rule->message, *(const tern_pair *)member)) return false;
            continue;
        }
        double value = *(const double *)member;
        bool fits = value >= 0 && (rule->rule != TERN_RULE_UP_TO_ONE || value <= 1);
        if (!fits) return refuse_number(ctx, rule->message, value);
    }
    return !cls->check || cls->check(ctx, options);
}
