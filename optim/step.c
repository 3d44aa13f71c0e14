/* step.c: zero_grad and step. */
#include <math.h>
#include <string.h>

#include "step.h"

tern_status tern_optim_zero_grad(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_zero_grad");
    if (!optim) return tern_handle_status(handle);
    tern_status status = TERN_OK;
    for (size_t g = 0; g < optim->n_groups; g++)
        for (size_t i = 0; i < optim->groups[g].count && status == TERN_OK; i++)
            status = tern_set_grad(optim->groups[g].params[i].tensor, NULL);
    return status;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* For state of another shape than its parameter's. */
static const tern_update_rule replace_rule = {
    .tensors = "to from", .numbers = "", .flags = "", .formula = "to = from"};

bool tern_optim_same_place(const tern_tensor *a, const tern_tensor *b) {
    const char *device = tern_device_of(a), *other = tern_device_of(b);
    return tern_dtype_of(a) == tern_dtype_of(b) && (device == other || strcmp(device, other) == 0);
}

/* A larger copy of an array, in the open scope; NULL after latching. */
static void *grown(tern_ctx *ctx, const void *array, size_t count, size_t capacity, size_t size) {
    void *larger = capacity > SIZE_MAX / 4 / size ? NULL : tern_scope_alloc(ctx, capacity * size);
    if (larger && count) memcpy(larger, array, count * size);
    return larger;
}

/* How many names a text has, separated by spaces. */
static int count_names(const char *text) {
    int count = *text != '\0';
    for (; *text; text++) count += *text == ' ';
    return count;
}

static batch *batch_of(step *s, const tern_update_rule *rule, uint32_t flags, tern_tensor *like) {
    for (size_t i = 0; i < s->n_batches; i++) {
        batch *b = &s->batches[i];
        if (b->rule == rule && b->flags == flags && tern_optim_same_place(b->first, like)) return b;
    }
    if (s->n_batches == s->batches_capacity) {
        size_t capacity = s->batches_capacity ? 2 * s->batches_capacity : 4;
        s->batches = grown(s->optim->ctx, s->batches, s->n_batches, capacity, sizeof *s->batches);
        if (!s->batches) return NULL;
        s->batches_capacity = capacity;
    }
    batch *b = &s->batches[s->n_batches++];
    *b = (batch){.rule = rule,
                 .flags = flags,
                 .first = like,
                 .n_tensors = count_names(rule->tensors),
                 .n_numbers = count_names(rule->numbers)};
    return b;
}

/* Adds a tuple. False after latching. */
static bool add_tuple(step *s, batch *b, tern_tensor *const *tensors, const double *numbers) {
    size_t n_tensors = (size_t)b->n_tensors, n_numbers = (size_t)b->n_numbers;
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 16;
        b->tensors = grown(s->optim->ctx, b->tensors, b->count * n_tensors, capacity * n_tensors,
                           sizeof *tensors);
        b->numbers = grown(s->optim->ctx, b->numbers, b->count * n_numbers,
                           capacity * n_numbers + 1, sizeof *numbers);
        if (!b->tensors || !b->numbers) return false;
        b->capacity = capacity;
    }
    memcpy(b->tensors + b->count * n_tensors, tensors, n_tensors * sizeof *tensors);
    if (n_numbers) memcpy(b->numbers + b->count * n_numbers, numbers, n_numbers * sizeof *numbers);
    b->count++;
    return true;
}

/* ---- getting ready --------------------------------------------------------------------------- */

static size_t count_params(const tern_optim_body *optim) {
    size_t count = 0;
    for (size_t g = 0; g < optim->n_groups; g++) count += optim->groups[g].count;
    return count;
}

bool tern_optim_check_gradient(const tern_optim_body *optim, const tern_tensor *param,
                               const tern_tensor *grad) {
    if (tern_is_inference(param)) {
        tern_fail(optim->ctx, TERN_ERR_STATE,
                  "%s: a parameter was made in inference mode and cannot be updated",
                  optim->cls->name);
        return false;
    }
    if (tern_optim_same_place(param, grad)) return true;
    tern_fail(optim->ctx, TERN_ERR_STATE,
              "%s: a parameter is %s on %s, its gradient %s on %s: clear gradients after moving "
              "parameters by hand",
              optim->cls->name, tern_dtype_name(tern_dtype_of(param)), tern_device_of(param),
              tern_dtype_name(tern_dtype_of(grad)), tern_device_of(grad));
    return false;
}

/* Collects the parameters that have a gradient, with their state. */
static bool collect(step *s) {
    tern_optim_body *optim = s->optim;
    size_t count = count_params(optim);
    s->calls = grown(optim->ctx, NULL, 0, count + 1, sizeof *s->calls);
    if (!s->calls) return false;
    for (size_t g = 0; g < optim->n_groups; g++) {
        tern_group *group = &optim->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            tern_param *param = &group->params[i];
            tern_tensor *grad = tern_grad_of(param->tensor);
            if (!grad) continue;
            if (!tern_optim_check_gradient(optim, param->tensor, grad)) return false;
            if (!tern_state_prepare(optim, group, param)) return false;
            uint32_t needs = optim->cls->needs(group->options, param->tensor);
            s->calls[s->n_calls++] =
                (tern_update_call){.ctx = optim->ctx,
                                   .options = group->options,
                                   .state = &param->state,
                                   .param = param->tensor,
                                   .grad = grad,
                                   .group = g,
                                   .index = i,
                                   .started = (param->state.live & needs) == needs};
        }
    }
    return true;
}

/* Works out one update and puts its tuples where they belong. */
static bool plan(step *s, tern_update_call *call) {
    const tern_optim_class *cls = s->optim->cls;
    tern_tensor *tensors[TERN_TUPLE_TENSORS] = {call->param, call->grad};
    memcpy(call->scalar, call->state->scalar, sizeof call->scalar);
    if (cls->propose) cls->propose(call);
    call->flags = cls->plan(call);
    if (tern_optim_latched(s->optim->ctx)) return false;
    memcpy(tensors + TERN_TUPLE_STATE, call->state->tensor, sizeof call->state->tensor);
    memcpy(tensors + TERN_TUPLE_KEPT, call->kept, sizeof call->kept);
    batch *b = batch_of(s, cls->rule, call->flags, call->param);
    if (b) call->batch = (size_t)(b - s->batches);
    if (b) call->tuple = b->count;
    if (!b || !add_tuple(s, b, tensors, call->number)) return false;
    for (int i = 0; i < TERN_STATE_TENSORS; i++) {
        if (!(cls->replaced >> i & 1u) || !call->kept[i]) continue;
        tern_tensor *both[] = {call->state->tensor[i], call->kept[i]};
        b = batch_of(s, &replace_rule, 0, both[0]);
        if (!b || !add_tuple(s, b, both, NULL)) return false;
    }
    return true;
}

static bool prepare(step *s) {
    tern_optim_body *optim = s->optim;
    bool may_skip = false;
    if (!collect(s)) return false;
    for (size_t i = 0; i < s->n_calls; i++)
        if (!plan(s, &s->calls[i])) return false;
    if (tern_is_capturing(optim->ctx) && !tern_step_repeat(s)) return false;
    for (size_t i = 0; i < s->n_batches; i++) {
        batch *b = &s->batches[i];
        tern_updater *program =
            tern_updater_of(optim->ctx, b->rule, b->flags, tern_dtype_of(b->first));
        b->run = program ? tern_updater_prepare(program, b->tensors, b->numbers, b->count) : NULL;
        if (!b->run) return false;
        may_skip = may_skip || tern_skips_possible(b->first);
    }
    return !may_skip || tern_undo_keep(optim);
}

/* ---- the step -------------------------------------------------------------------------------- */

void tern_step_count(const tern_optim_body *optim, const tern_update_call *call) {
    tern_param_state *state = call->state;
    uint32_t needs = optim->cls->needs(call->options, call->param);
    memcpy(state->scalar, call->scalar, sizeof state->scalar);
    state->live |= needs;
    for (const tern_state_key *key = optim->cls->keys; key->name; key++)
        state->exists = state->exists || key->is_scalar || needs != 0;
}

/* The step's device, or devices: known to have started. */
static void note_devices(const step *s) {
    for (size_t i = 0; i < s->n_batches; i++) {
        const tern_tensor *first = s->batches[i].first;
        bool noted = false;
        for (size_t k = 0; k < i && !noted; k++)
            noted = strcmp(tern_device_of(s->batches[k].first), tern_device_of(first)) == 0;
        if (!noted) tern_skips_note(s->optim->skips, first, s->optim->steps);
    }
}

static void write_all(step *s) {
    tern_optim_body *optim = s->optim;
    for (size_t i = 0; i < s->n_batches; i++)
        if (tern_update_start(s->batches[i].run) != TERN_OK) return;
    for (size_t i = 0; i < s->n_calls; i++) tern_step_count(optim, &s->calls[i]);
    if (optim->skips) note_devices(s);
    optim->steps++;
}

tern_status tern_optim_step(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_step");
    if (!optim) return tern_handle_status(handle);
    tern_ctx *ctx = optim->ctx;
    if (tern_optim_latched(ctx)) return tern_check(ctx);
    if (optim->cls->whole)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "%s: a step needs a closure that evaluates the loss: call "
                         "tern_optim_step_closure",
                         optim->cls->name);
    step s = {.optim = optim};
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    if (scope.serial && prepare(&s)) write_all(&s);
    tern_scope_end(scope);
    return tern_optim_latched(ctx) ? tern_check(ctx) : TERN_OK;
}

/* ---- steps with a closure -------------------------------------------------------------------- */

bool tern_optim_evaluate(const tern_optim_body *optim, tern_optim_closure closure, void *user,
                         double *out_loss) {
    tern_ctx *ctx = optim->ctx;
    tern_scope scope = tern_scope_begin(ctx, TERN_ENABLE_GRAD);
    tern_tensor *loss = scope.serial ? closure(user) : NULL;
    if (!tern_optim_latched(ctx) && (tern_is_nil(loss) || tern_numel(loss) != 1))
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: the closure must return the loss, a single number",
                  optim->cls->name);
    if (!tern_optim_latched(ctx) && out_loss) *out_loss = tern_item(loss);
    tern_scope_end(scope);
    return !tern_optim_latched(ctx);
}

tern_status tern_optim_step_closure(tern_optim *handle, tern_optim_closure closure, void *user,
                                    double *out_loss) {
    if (out_loss) *out_loss = (double)NAN;
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_step_closure");
    if (!optim) return tern_handle_status(handle);
    tern_ctx *ctx = optim->ctx;
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    if (!closure)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_optim_step_closure: closure is NULL");
    if (optim->cls->whole) return optim->cls->whole->step(optim, closure, user, out_loss);
    if (!tern_optim_evaluate(optim, closure, user, out_loss)) return tern_check(ctx);
    return tern_optim_step(handle);
}
