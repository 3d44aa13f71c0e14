/*
 * repeat.c: what a replay of a captured step does on the host.
 *
 * Before its launches it works out the step's numbers (rates, bias corrections) from the options and counts
 * that there are then, as the step itself would, and counts the step. Its launches are the captured ones, so
 * the form of each update must be the captured one.
 */
#include <string.h>

#include "step.h"

typedef struct repeated_call {
    size_t group, index;
    uint32_t flags;
    double *numbers;
    size_t n_numbers;
    double scalar[TERN_STATE_SCALARS]; /* the state's before the run */
} repeated_call;

typedef struct repeated {
    tern_optim *handle;
    bool may_skip;
    size_t n_devices;
    tern_tensor **on_devices; /* a tensor on each of the step's devices */
    size_t n_calls;
    repeated_call *calls;
} repeated;

/* ---- in each replay -------------------------------------------------------------------------- */

/* One update's numbers. False after latching. */
static bool work_out(tern_optim_body *optim, repeated_call *c) {
    const tern_optim_class *cls = optim->cls;
    tern_group *group = c->group < optim->n_groups ? &optim->groups[c->group] : NULL;
    tern_param *param = group && c->index < group->count ? &group->params[c->index] : NULL;
    if (!param) {
        tern_fail(optim->ctx, TERN_ERR_STATE,
                  "tern_replay_run: %s has fewer parameters than when its step was captured",
                  cls->name);
        return false;
    }
    tern_update_call call = {.ctx = optim->ctx,
                             .options = group->options,
                             .state = &param->state,
                             .param = param->tensor,
                             .started = true};
    memcpy(call.scalar, param->state.scalar, sizeof call.scalar);
    if (cls->plan(&call) != c->flags) {
        tern_fail(
            optim->ctx, TERN_ERR_STATE,
            "tern_replay_run: an option of %s that decides the form of its update has changed "
            "since the step was captured: capture it again",
            cls->name);
        return false;
    }
    memcpy(c->numbers, call.number, c->n_numbers * sizeof *c->numbers);
    memcpy(c->scalar, param->state.scalar, sizeof c->scalar);
    tern_step_count(optim, &call);
    return true;
}

/* The counts of the first updates are what they were. */
static void take_back(tern_optim_body *optim, const repeated *r, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const repeated_call *c = &r->calls[i];
        tern_param_state *state = &optim->groups[c->group].params[c->index].state;
        memcpy(state->scalar, c->scalar, sizeof c->scalar);
    }
}

static tern_status before(void *kept) {
    const repeated *r = kept;
    tern_optim_body *optim = tern_optim_of(r->handle, "tern_replay_run");
    if (!optim) return tern_handle_status(r->handle);
    if (r->may_skip && !tern_undo_keep(optim)) return tern_check(optim->ctx);
    for (size_t i = 0; i < r->n_calls; i++) {
        if (work_out(optim, &r->calls[i])) continue;
        take_back(optim, r, i);
        return tern_check(optim->ctx);
    }
    return TERN_OK;
}

static tern_status after(void *kept) {
    const repeated *r = kept;
    tern_optim_body *optim = tern_optim_of(r->handle, "tern_replay_run");
    if (!optim) return tern_handle_status(r->handle);
    for (size_t i = 0; i < r->n_devices && optim->skips; i++)
        tern_skips_note(optim->skips, r->on_devices[i], optim->steps);
    optim->steps++;
    return TERN_OK;
}

/* No weight was written: a launch before the update has failed. */
static tern_status undo(void *kept) {
    const repeated *r = kept;
    tern_optim_body *optim = tern_optim_of(r->handle, "tern_replay_run");
    if (optim) take_back(optim, r, r->n_calls);
    return TERN_OK;
}

/* ---- while it is captured -------------------------------------------------------------------- */

static const char *problem_of(const step *s) {
    if (s->optim->cls->propose)
        return "the optimizer's update is more than a formula (Adafactor, Muon)";
    for (size_t i = 0; i < s->n_calls; i++)
        if (!s->calls[i].started)
            return "an optimizer's first step makes its state: run one step before capturing";
    return NULL;
}

/* The numbers of a batch in memory that the replay keeps. False after latching. */
static bool keep_numbers(tern_ctx *ctx, batch *b) {
    size_t bytes = b->count * (size_t)b->n_numbers * sizeof *b->numbers;
    double *kept = tern_capture_keep(ctx, bytes);
    if (!kept) return false;
    if (bytes) memcpy(kept, b->numbers, bytes);
    b->numbers = kept;
    return true;
}

static void note_device(repeated *r, tern_tensor *first) {
    for (size_t i = 0; i < r->n_devices; i++)
        if (strcmp(tern_device_of(r->on_devices[i]), tern_device_of(first)) == 0) return;
    r->on_devices[r->n_devices++] = first;
    r->may_skip = r->may_skip || tern_skips_possible(first);
}

bool tern_step_repeat(step *s) {
    tern_ctx *ctx = s->optim->ctx;
    const char *problem = problem_of(s);
    if (problem) {
        tern_capture_refuse(ctx, problem);
        return true;
    }
    repeated *r = tern_capture_keep(ctx, sizeof *r);
    if (!r) return false;
    *r = (repeated){.handle = s->optim->handle, .n_calls = s->n_calls};
    r->calls = tern_capture_keep(ctx, s->n_calls * sizeof *r->calls);
    r->on_devices = tern_capture_keep(ctx, s->n_batches * sizeof(tern_tensor *));
    if (!r->calls || !r->on_devices) return false;
    for (size_t i = 0; i < s->n_batches; i++) {
        if (!keep_numbers(ctx, &s->batches[i])) return false;
        note_device(r, s->batches[i].first);
    }
    for (size_t i = 0; i < s->n_calls; i++) {
        const tern_update_call *call = &s->calls[i];
        const batch *b = &s->batches[call->batch];
        size_t n_numbers = (size_t)b->n_numbers;
        r->calls[i] = (repeated_call){.group = call->group,
                                      .index = call->index,
                                      .flags = call->flags,
                                      .numbers = b->numbers + call->tuple * n_numbers,
                                      .n_numbers = n_numbers};
    }
    return tern_capture_action(ctx, before, after, undo, r) == TERN_OK;
}
