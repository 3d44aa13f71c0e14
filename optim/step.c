/* step.c: zero_grad and step. */
#include <math.h>
#include <string.h>

#include "internal.h"

tern_status tern_optim_zero_grad(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_zero_grad");
    if (!optim) return tern_handle_status(handle);
    tern_status status = TERN_OK;
    for (size_t g = 0; g < optim->n_groups; g++)
        for (size_t i = 0; i < optim->groups[g].count && status == TERN_OK; i++)
            status = tern_set_grad(optim->groups[g].params[i].tensor, NULL);
    return status;
}

/* ---- scratch space --------------------------------------------------------------------------- */

/* Scratch tensors are views of a few buffers as large as the largest parameter of their dtype and
 * device: a step's extra memory does not grow with the number of parameters. */
typedef struct scratch_pool {
    tern_tensor *largest; /* the parameter that sets the size */
    tern_tensor *buffers[TERN_SCRATCH];
} scratch_pool;

typedef struct step {
    tern_optim_body *optim;
    scratch_pool *pools;
    size_t n_pools;
    tern_update_call *calls;
    size_t n_calls;
} step;

static bool same_place(const tern_tensor *a, const tern_tensor *b) {
    return tern_dtype_of(a) == tern_dtype_of(b) &&
           strcmp(tern_device_of(a), tern_device_of(b)) == 0;
}

static scratch_pool *pool_of(step *s, const tern_tensor *param) {
    for (size_t i = 0; i < s->n_pools; i++)
        if (same_place(s->pools[i].largest, param)) return &s->pools[i];
    return NULL;
}

static void note_size(step *s, tern_tensor *param) {
    scratch_pool *pool = pool_of(s, param);
    if (!pool) {
        pool = &s->pools[s->n_pools++];
        pool->largest = param;
    }
    if (tern_numel(param) > tern_numel(pool->largest)) pool->largest = param;
}

static tern_shape contiguous_strides(tern_shape shape) {
    tern_shape strides = shape;
    int64_t step_size = 1;
    for (int i = shape.rank; i-- > 0;) {
        strides.dim[i] = step_size;
        step_size *= shape.dim[i] > 1 ? shape.dim[i] : 1;
    }
    return strides;
}

static bool give_scratch(step *s, tern_update_call *call, int count) {
    scratch_pool *pool = pool_of(s, call->param);
    tern_shape shape = tern_shape_of(call->param);
    for (int i = 0; i < count; i++) {
        if (!pool->buffers[i]) {
            tern_shape flat = TERN_SHAPE(tern_numel(pool->largest));
            pool->buffers[i] = tern_reshape(tern_empty_like(pool->largest), flat);
        }
        call->scratch[i] =
            tern_view_of_storage(pool->buffers[i], shape, contiguous_strides(shape), 0);
        if (tern_is_nil(call->scratch[i])) return false;
    }
    return true;
}

/* ---- the rehearsal --------------------------------------------------------------------------- */

/*
 * What decides which kernels an update starts: the dtype, device and rank of the parameter, which
 * state is live, and of the options whether they are zero, not how large they are. Never 0.
 */
static uint64_t kind_of(const tern_optim_body *optim, const tern_update_call *call) {
    uint64_t kind = 1 + (uint64_t)tern_dtype_of(call->param);
    for (const char *c = tern_device_of(call->param); *c; c++) kind = kind * 31 + (unsigned char)*c;
    kind = kind * 31 + call->state->live;
    kind = kind * 31 + (uint64_t)tern_rank(call->param);
    for (const tern_field *field = optim->cls->fields; field->name; field++) {
        const char *member = (const char *)call->options + field->offset;
        bool is_set = true;
        if (field->type == TERN_FIELD_FLOAT) is_set = *(const double *)(const void *)member != 0;
        if (field->type == TERN_FIELD_BOOL) is_set = *(const bool *)(const void *)member;
        kind = kind * 2 + is_set + (kind >> 57);
    }
    return kind | (uint64_t)1 << 63;
}

/*
 * The kernel of an in-place operation may be missing. So the first update of each kind runs on tensors
 * of one element and the parameter's rank: what fails fails before a weight has changed.
 */
static tern_shape single_element(const tern_tensor *param) {
    tern_shape shape = tern_shape_of(param);
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = 1;
    return shape;
}

static bool rehearse(step *s, const tern_update_call *call) {
    tern_ctx *ctx = s->optim->ctx;
    uint64_t kind = kind_of(s->optim, call);
    tern_group *group = call->group;
    for (size_t i = 0; i < TERN_REHEARSED; i++)
        if (group->rehearsed[i] == kind) return true;
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *ones[2 + TERN_SCRATCH + TERN_STATE_TENSORS];
    int count = (int)(sizeof ones / sizeof ones[0]);
    tern_tensor *one = tern_ones(ctx, single_element(call->param), tern_dtype_of(call->param));
    for (int i = 0; i < count; i++)
        ones[i] = tern_to_device(tern_clone(one), tern_device_of(call->param));
    tern_param_state state = *call->state;
    tern_update_call trial = *call;
    trial.state = &state;
    trial.param = ones[0];
    trial.grad = ones[1];
    for (int i = 0; i < TERN_SCRATCH; i++) trial.scratch[i] = ones[2 + i];
    for (int i = 0; i < TERN_STATE_TENSORS; i++) state.tensor[i] = ones[2 + TERN_SCRATCH + i];
    if (!tern_optim_latched(ctx) && s->optim->cls->propose) s->optim->cls->propose(&trial);
    if (!tern_optim_latched(ctx)) s->optim->cls->update(&trial);
    tern_scope_end(scope);
    if (tern_optim_latched(ctx)) return false;
    group->rehearsed[group->next_rehearsed++ % TERN_REHEARSED] = kind;
    return true;
}

/* ---- the step -------------------------------------------------------------------------------- */

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
    if (same_place(param, grad)) return true;
    tern_fail(optim->ctx, TERN_ERR_STATE,
              "%s: a parameter is %s on %s, its gradient %s on %s: clear gradients after moving "
              "parameters by hand",
              optim->cls->name, tern_dtype_name(tern_dtype_of(param)), tern_device_of(param),
              tern_dtype_name(tern_dtype_of(grad)), tern_device_of(grad));
    return false;
}

/* Collects the parameters that have a gradient, with all that their update needs. */
static bool prepare(step *s) {
    tern_optim_body *optim = s->optim;
    size_t count = count_params(optim);
    s->calls = tern_scope_alloc(optim->ctx, (count + 1) * sizeof *s->calls);
    s->pools = tern_scope_alloc(optim->ctx, (count + 1) * sizeof *s->pools);
    if (!s->calls || !s->pools) return false;
    for (size_t g = 0; g < optim->n_groups; g++) {
        tern_group *group = &optim->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            tern_param *param = &group->params[i];
            tern_tensor *grad = tern_grad_of(param->tensor);
            if (!grad) continue;
            if (!tern_optim_check_gradient(optim, param->tensor, grad)) return false;
            if (!tern_state_prepare(optim, group, param)) return false;
            note_size(s, param->tensor);
            s->calls[s->n_calls++] = (tern_update_call){.ctx = optim->ctx,
                                                        .options = group->options,
                                                        .group = group,
                                                        .state = &param->state,
                                                        .param = param->tensor,
                                                        .grad = grad};
        }
    }
    for (size_t i = 0; i < s->n_calls; i++)
        if (!give_scratch(s, &s->calls[i], optim->cls->scratch(s->calls[i].options))) return false;
    for (size_t i = 0; i < s->n_calls; i++)
        if (!rehearse(s, &s->calls[i])) return false;
    for (size_t i = 0; i < s->n_calls && optim->cls->propose; i++) {
        optim->cls->propose(&s->calls[i]);
        if (tern_optim_latched(optim->ctx)) return false;
    }
    return tern_reserve(optim->ctx) == TERN_OK;
}

/* An update writes only in place, and reads state that `prepare` made. */
static void update(const tern_optim_body *optim, tern_update_call *call) {
    uint32_t needs = optim->cls->needs(call->options, call->param);
    optim->cls->update(call);
    call->state->live |= needs;
    for (const tern_state_key *key = optim->cls->keys; key->name; key++)
        call->state->exists = call->state->exists || key->is_scalar || needs != 0;
}

tern_status tern_optim_step(tern_optim *handle) {
    tern_optim_body *optim = tern_optim_of(handle, "tern_optim_step");
    if (!optim) return tern_handle_status(handle);
    tern_ctx *ctx = optim->ctx;
    if (tern_check(ctx) != TERN_OK) return tern_check(ctx);
    if (optim->cls->whole)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "%s: a step needs a closure that evaluates the loss: call "
                         "tern_optim_step_closure",
                         optim->cls->name);
    step s = {.optim = optim};
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    if (scope.serial && prepare(&s))
        for (size_t i = 0; i < s.n_calls && !tern_optim_latched(ctx); i++)
            update(optim, &s.calls[i]);
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
