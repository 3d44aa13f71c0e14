/*
 * undo.c: what the host counts of steps that a device may skip.
 *
 * Before such a step the counts of all parameters are kept: whether state exists, which of it has a value,
 * step numbers and the like. When an error surfaces, the counts of the parameters on its device become
 * those before the first step that it skipped.
 */
#include <string.h>

#include "internal.h"

static void undo(void *user, const char *device, uint64_t step) {
    tern_optim_body *optim = user;
    const tern_counted *kept = &optim->counted[step % TERN_SKIPS_STEPS];
    size_t at = 0;
    for (size_t g = 0; g < optim->n_groups; g++)
        for (size_t i = 0; i < optim->groups[g].count && at < kept->count; i++, at++) {
            tern_param *param = &optim->groups[g].params[i];
            if (strcmp(tern_device_of(param->tensor), device) != 0) continue;
            param->state.exists = kept->params[at].exists;
            param->state.live = kept->params[at].live;
            memcpy(param->state.scalar, kept->params[at].scalar, sizeof param->state.scalar);
        }
}

/* Room for the counts of `count` parameters; the owner's scope is open. False after latching. */
static bool make_room(tern_optim_body *optim, tern_counted *kept, size_t count) {
    if (!optim->skips) optim->skips = tern_skips_new(optim->ctx, undo, optim);
    if (!optim->skips) return false;
    if (count <= kept->capacity) return true;
    if (count > SIZE_MAX / 4 / sizeof *kept->params) return false;
    kept->params = tern_scope_alloc(optim->ctx, count * sizeof *kept->params);
    kept->capacity = kept->params ? count : 0;
    return kept->params != NULL;
}

bool tern_undo_keep(tern_optim_body *optim) {
    size_t count = 0, at = 0;
    for (size_t g = 0; g < optim->n_groups; g++) count += optim->groups[g].count;
    tern_counted *kept = &optim->counted[optim->steps % TERN_SKIPS_STEPS];
    if (optim->skips && tern_skips_begin(optim->skips, optim->steps) != TERN_OK) return false;
    tern_scope scope = tern_owner_begin(optim->owner, TERN_NO_GRAD);
    bool ok = scope.serial && make_room(optim, kept, count);
    tern_scope_end(scope);
    if (!ok) return false;
    for (size_t g = 0; g < optim->n_groups; g++)
        for (size_t i = 0; i < optim->groups[g].count; i++, at++) {
            const tern_param_state *state = &optim->groups[g].params[i].state;
            kept->params[at].exists = state->exists;
            kept->params[at].live = state->live;
            memcpy(kept->params[at].scalar, state->scalar, sizeof state->scalar);
        }
    kept->count = at;
    return true;
}

void tern_undo_settle(const tern_optim_body *optim) {
    if (optim->skips) tern_skips_settle(optim->skips);
}
