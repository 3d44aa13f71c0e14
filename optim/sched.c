/* sched.c: making schedulers, stepping them, and their state. */
#include "sched.h"

#include <math.h>
#include <string.h>

const tern_field tern_sched_fields[] = {
    TERN_FIELD(tern_sched_args, step_size, step_size),
    TERN_FIELD(tern_sched_args, total_iters, total_iters),
    TERN_FIELD(tern_sched_args, T_max, t_max),
    TERN_FIELD(tern_sched_args, T_0, t_0),
    TERN_FIELD(tern_sched_args, T_mult, t_mult),
    TERN_FIELD(tern_sched_args, step_size_up, step_size_up),
    TERN_FIELD(tern_sched_args, step_size_down, step_size_down),
    TERN_FIELD(tern_sched_args, patience, patience),
    TERN_FIELD(tern_sched_args, cooldown, cooldown),
    TERN_FIELD(tern_sched_args, gamma, gamma),
    TERN_FIELD(tern_sched_args, factor, factor),
    TERN_FIELD(tern_sched_args, start_factor, start_factor),
    TERN_FIELD(tern_sched_args, end_factor, end_factor),
    TERN_FIELD(tern_sched_args, power, power),
    TERN_FIELD(tern_sched_args, eta_min, eta_min),
    TERN_FIELD(tern_sched_args, pct_start, pct_start),
    TERN_FIELD(tern_sched_args, div_factor, div_factor),
    TERN_FIELD(tern_sched_args, final_div_factor, final_div_factor),
    TERN_FIELD(tern_sched_args, threshold, threshold),
    TERN_FIELD(tern_sched_args, eps, eps),
    TERN_FIELD(tern_sched_args, milestones, milestones),
    TERN_FIELD(tern_sched_args, base_lr, base_lr),
    TERN_FIELD(tern_sched_args, max_lr, max_lr),
    TERN_FIELD(tern_sched_args, base_momentum, base_momentum),
    TERN_FIELD(tern_sched_args, max_momentum, max_momentum),
    TERN_FIELD(tern_sched_args, min_lr, min_lr),
    TERN_FIELD(tern_sched_args, swa_lr, swa_lr),
    TERN_FIELD(tern_sched_args, anneal_epochs, anneal_epochs),
    TERN_FIELD(tern_sched_args, total_steps, total_steps),
    TERN_FIELD(tern_sched_args, epochs, epochs),
    TERN_FIELD(tern_sched_args, steps_per_epoch, steps_per_epoch),
    TERN_FIELD(tern_sched_args, mode, mode),
    TERN_FIELD(tern_sched_args, scale_mode, scale_mode),
    TERN_FIELD(tern_sched_args, anneal_strategy, anneal_strategy),
    TERN_FIELD(tern_sched_args, threshold_mode, threshold_mode),
    TERN_FIELD(tern_sched_args, cycle_momentum, cycle_momentum),
    TERN_FIELD(tern_sched_args, three_phase, three_phase),
    TERN_FIELD(tern_sched_args, lr_lambda, lr_lambda),
    TERN_FIELD(tern_sched_args, schedulers, schedulers),
    TERN_FIELD_END,
};

static const tern_sched_class *const classes[] = {
    &tern_chained_class,
    &tern_constant_lr_class,
    &tern_cosine_annealing_lr_class,
    &tern_cosine_warm_restarts_class,
    &tern_cyclic_lr_class,
    &tern_exponential_lr_class,
    &tern_lambda_lr_class,
    &tern_linear_lr_class,
    &tern_multi_step_lr_class,
    &tern_multiplicative_lr_class,
    &tern_one_cycle_lr_class,
    &tern_polynomial_lr_class,
    &tern_plateau_class,
    &tern_sequential_lr_class,
    &tern_step_lr_class,
    &tern_swalr_class,
};
#define CLASS_COUNT (sizeof classes / sizeof classes[0])

const tern_sched_class *tern_sched_class_of(const char *name) {
    for (size_t i = 0; i < CLASS_COUNT; i++)
        if (strcmp(classes[i]->name, name) == 0) return classes[i];
    return NULL;
}

const char *tern_sched_name_at(size_t index) {
    return index < CLASS_COUNT ? classes[index]->name : NULL;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static double *double_member(const tern_optim_body *optim, size_t group, const char *name) {
    const tern_field *field = tern_field_find(optim->cls->fields, name);
    if (!field || field->type != TERN_FIELD_FLOAT) return NULL;
    return (double *)((char *)optim->groups[group].options + field->offset);
}

double tern_group_lr(const tern_optim_body *optim, size_t group) {
    return *double_member(optim, group, "lr");
}

void tern_group_set_lr(tern_optim_body *optim, size_t group, double lr) {
    *double_member(optim, group, "lr") = lr;
}

bool tern_group_set_momentum(tern_optim_body *optim, size_t group, double momentum) {
    double *member = double_member(optim, group, "momentum");
    const tern_field *betas = tern_field_find(optim->cls->fields, "betas");
    if (!member && betas)
        member = &((tern_pair *)((char *)optim->groups[group].options + betas->offset))->first;
    if (member) *member = momentum;
    return member != NULL;
}

double tern_list_for_group(const tern_float_list *list, size_t group) {
    if (list->count == 0) return (double)NAN;
    return list->items[group < list->count ? group : list->count - 1];
}

void tern_sched_note_lr(tern_sched_body *s) {
    for (size_t g = 0; g < s->n_groups; g++) s->last_lr[g] = tern_group_lr(s->optim, g);
}

/* ---- stepping -------------------------------------------------------------------------------- */

tern_status tern_sched_advance(tern_sched_body *s, int64_t epoch, double metric) {
    s->step_count++;
    if (s->cls->step) return s->cls->step(s, epoch, metric);
    s->last_epoch = epoch < 0 ? s->last_epoch + 1 : epoch;
    for (size_t g = 0; g < s->n_groups; g++) {
        double lr = epoch >= 0 && s->cls->closed ? s->cls->closed(s, g)
                                                 : s->cls->next(s, g, tern_group_lr(s->optim, g));
        if (tern_optim_latched(s->ctx)) return tern_check(s->ctx);
        tern_group_set_lr(s->optim, g, lr);
    }
    tern_sched_note_lr(s);
    return TERN_OK;
}

static tern_sched_body *sched_of(const tern_sched *sched, const char *function) {
    return tern_handle_object(sched, "scheduler", function);
}

static tern_status step(tern_sched *handle, const char *function, double metric) {
    tern_sched_body *sched = sched_of(handle, function);
    if (!sched) return tern_handle_status(handle);
    if (tern_optim_latched(sched->ctx)) return tern_check(sched->ctx);
    const tern_optim_body *optim = tern_optim_of(sched->optim_handle, function);
    if (!optim) return TERN_ERR_STATE;
    if (sched->step_count == 1 && optim->steps == 0 && !optim->whole)
        tern_notice(TERN_LOG_WARNING,
                    "%s was stepped before its optimizer, so that the first learning rate of the "
                    "schedule is skipped: call tern_optim_step before %s",
                    sched->cls->name, function);
    return tern_sched_advance(sched, -1, metric);
}

static tern_status step_again(void *kept) {
    return tern_sched_step(*(tern_sched **)kept);
}

/* A replay of a body with a scheduler's step takes it too. */
static tern_status repeat_step(tern_ctx *ctx, tern_sched *sched) {
    if (!tern_is_capturing(ctx)) return TERN_OK;
    tern_sched **kept = tern_capture_keep(ctx, sizeof(tern_sched *));
    if (!kept) return tern_check(ctx);
    *kept = sched;
    return tern_capture_action(ctx, step_again, NULL, NULL, kept);
}

tern_status tern_sched_step(tern_sched *sched) {
    tern_status status = step(sched, "tern_sched_step", (double)NAN);
    return status == TERN_OK ? repeat_step(sched_of(sched, "tern_sched_step")->ctx, sched) : status;
}

tern_status tern_sched_step_metric(tern_sched *sched, double metric) {
    const tern_sched_body *body = sched_of(sched, "tern_sched_step_metric");
    if (body)
        tern_capture_refuse(body->ctx, "tern_sched_step_metric takes a number of the program's: "
                                       "call it outside of the body");
    return step(sched, "tern_sched_step_metric", metric);
}

double tern_sched_last_lr(const tern_sched *handle, size_t group) {
    const tern_sched_body *sched = sched_of(handle, "tern_sched_last_lr");
    return sched && group < sched->n_groups ? sched->last_lr[group] : (double)NAN;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* The learning rates that the schedule starts from: the first scheduler's, kept in the groups. */
static bool take_base_lrs(tern_sched_body *s) {
    for (size_t g = 0; g < s->n_groups; g++) {
        tern_value initial = tern_optim_get(s->optim_handle, g, "initial_lr");
        if (initial.kind != TERN_VALUE_NONE) {
            s->base_lrs[g] = tern_value_as_double(initial);
            continue;
        }
        s->base_lrs[g] = tern_group_lr(s->optim, g);
        if (tern_group_set_extra(s->optim, g, "initial_lr", s->base_lrs[g]) != TERN_OK)
            return false;
    }
    return true;
}

static tern_sched_body *build(tern_optim_body *optim, tern_owner *owner,
                              const tern_sched_class *cls, const tern_sched_args *args,
                              tern_lr_lambda lambda, void *user) {
    tern_ctx *ctx = optim->ctx;
    tern_sched_body *s = tern_scope_alloc(ctx, sizeof *s);
    if (!s) return NULL;
    *s = (tern_sched_body){.ctx = ctx,
                           .owner = owner,
                           .optim = optim,
                           .optim_handle = optim->handle,
                           .cls = cls,
                           .args = *args,
                           .lambda = lambda,
                           .lambda_user = user,
                           .last_epoch = -1,
                           .n_groups = optim->n_groups};
    s->handle = tern_handle_new(ctx, "scheduler", s);
    s->base_lrs = tern_scope_alloc(ctx, (s->n_groups + 1) * sizeof *s->base_lrs);
    s->last_lr = tern_scope_alloc(ctx, (s->n_groups + 1) * sizeof *s->last_lr);
    if (!s->handle || !s->base_lrs || !s->last_lr ||
        !tern_fields_own(ctx, tern_sched_fields, &s->args))
        return NULL;
    if (cls->init && !cls->init(s)) return NULL;
    if (!take_base_lrs(s)) return NULL;
    if (!cls->step || cls->steps_at_start) {
        if (tern_sched_advance(s, -1, (double)NAN) != TERN_OK) return NULL;
    } else {
        tern_sched_note_lr(s);
    }
    return s;
}

tern_sched_body *tern_sched_of_args(tern_optim_body *optim, const tern_sched_class *cls,
                                    const tern_sched_args *args, tern_lr_lambda lambda,
                                    void *user) {
    if (tern_optim_latched(optim->ctx)) return NULL;
    tern_owner *owner = tern_owner_new(optim->ctx);
    if (!owner) return NULL;
    tern_scope scope = tern_owner_begin(owner, 0);
    tern_sched_body *sched = scope.serial ? build(optim, owner, cls, args, lambda, user) : NULL;
    tern_scope_end(scope);
    if (sched && !tern_optim_latched(optim->ctx)) return sched;
    tern_owner_free(owner);
    return NULL;
}

tern_sched *tern_sched_of_class(tern_optim *optim, const tern_sched_class *cls,
                                const tern_sched_args *args, tern_lr_lambda lambda, void *user) {
    tern_optim_body *body = tern_optim_of(optim, cls->name);
    tern_sched_body *sched = body ? tern_sched_of_args(body, cls, args, lambda, user) : NULL;
    return sched ? sched->handle : NULL;
}

void tern_sched_free(tern_sched *handle) {
    tern_sched_body *sched = sched_of(handle, "tern_sched_free");
    if (sched) tern_owner_free(sched->owner);
}

tern_sched_body *tern_sched_from_value(tern_optim_body *optim, const char *where, tern_value call) {
    tern_ctx *ctx = optim->ctx;
    tern_value name = tern_dict_get(call, "module"), args[TERN_SCHEMA_MAX_ARGS];
    if (name.kind != TERN_VALUE_STRING) name = tern_dict_get(call, "name");
    tern_value positional = tern_dict_get(call, "positional");
    size_t count = tern_value_count(positional);
    const tern_sched_class *cls =
        name.kind == TERN_VALUE_STRING ? tern_sched_class_of(name.as.s) : NULL;
    if (!cls || count > TERN_SCHEMA_MAX_ARGS) {
        tern_optim_unknown(ctx, where, "scheduler",
                           name.kind == TERN_VALUE_STRING ? name.as.s : tern_kind_name(call.kind),
                           tern_sched_name_at);
        return NULL;
    }
    tern_sched_args bound = {0};
    for (size_t i = 0; i < count; i++) args[i] = tern_value_at(positional, i);
    tern_owner *scratch = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(scratch, 0);
    bool ok = scope.serial && tern_fields_bind(ctx, where, cls->schema, tern_sched_fields, args,
                                               (int)count, tern_dict_get(call, "args"), &bound);
    tern_scope_end(scope);
    tern_sched_body *sched = ok ? tern_sched_of_args(optim, cls, &bound, NULL, NULL) : NULL;
    tern_owner_free(scratch);
    return sched;
}

/* A call that was read or put together in a scope of its own. */
static tern_sched *make(tern_optim *handle, const char *where, const char *text, const char *name,
                        tern_value args) {
    tern_optim_body *optim = tern_optim_of(handle, where);
    if (!optim || tern_optim_latched(optim->ctx)) return NULL;
    tern_ctx *ctx = optim->ctx;
    if (!text && !tern_argument_given(ctx, where, "name", name)) return NULL;
    tern_owner *scratch = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(scratch, 0);
    tern_value call = tern_none();
    if (scope.serial && text) call = tern_notation_parse(ctx, where, text);
    if (scope.serial && !text) {
        call = tern_dict_new(ctx, false);
        tern_dict_set(call, "name", tern_text(name));
        tern_dict_set(call, "args", args);
    }
    tern_scope_end(scope);
    tern_sched_body *sched =
        tern_optim_latched(ctx) ? NULL : tern_sched_from_value(optim, where, call);
    tern_owner_free(scratch);
    return sched ? sched->handle : NULL;
}

tern_sched *tern_sched_new(tern_optim *optim, const char *text) {
    return make(optim, "tern_sched_new", text ? text : "", NULL, tern_none());
}

tern_sched *tern_sched_make(tern_optim *optim, const char *name, tern_value args) {
    return make(optim, "tern_sched_make", NULL, name, args);
}

/* ---- state ----------------------------------------------------------------------------------- */

static tern_value double_list(tern_ctx *ctx, const double *items, size_t count) {
    tern_value list = tern_list_new(ctx);
    for (size_t i = 0; i < count; i++) tern_list_append(list, tern_float(items[i]));
    return list;
}

/* PyTorch keeps milestones as a Counter: how often each epoch is named. */
static tern_value count_milestones(tern_ctx *ctx, const tern_int_list *milestones) {
    tern_value counts = tern_dict_new(ctx, false);
    for (size_t i = 0; i < milestones->count; i++) {
        int64_t times = 0;
        for (size_t k = 0; k < milestones->count; k++)
            times += milestones->items[k] == milestones->items[i];
        tern_dict_set_value(counts, tern_int(milestones->items[i]), tern_int(times));
    }
    return counts;
}

static void put_arguments(tern_sched_body *s, tern_value dict) {
    tern_schema schema;
    if (!tern_schema_parse(s->cls->schema, &schema)) return;
    for (int i = 0; i < schema.n_args; i++) {
        const char *name = schema.args[i].name;
        const tern_field *field = tern_field_find(tern_sched_fields, name);
        bool saved = !s->cls->unsaved || !strstr(s->cls->unsaved, name);
        if (!field || !saved) continue;
        if (strcmp(name, "milestones") == 0)
            tern_dict_set(dict, name, count_milestones(s->ctx, &s->args.milestones));
        else
            tern_dict_set(dict, name, tern_field_get(s->ctx, field, &s->args));
    }
}

/* PyTorch keeps a program's functions only where they are objects, and asks for these keys: one None
 * for each group, and one for CyclicLR's scale_fn. */
static void put_functions(tern_sched_body *s, tern_value dict) {
    if (strcmp(s->cls->name, "CyclicLR") == 0) tern_dict_set(dict, "_scale_fn_custom", tern_none());
    if (!strstr(s->cls->schema, "lr_lambda")) return;
    tern_value list = tern_list_new(s->ctx);
    for (size_t g = 0; g < s->n_groups; g++) tern_list_append(list, tern_none());
    tern_dict_set(dict, "lr_lambdas", list);
}

/* Of SequentialLR and ChainedScheduler. */
static tern_value composed_state(tern_sched_body *s) {
    tern_value dict = tern_dict_new(s->ctx, false), children = tern_list_new(s->ctx);
    if (strstr(s->cls->schema, "milestones")) {
        const tern_field *field = tern_field_find(tern_sched_fields, "milestones");
        tern_dict_set(dict, "_milestones", tern_field_get(s->ctx, field, &s->args));
        tern_dict_set(dict, "last_epoch", tern_int(s->last_epoch));
    }
    for (size_t i = 0; i < s->n_children; i++)
        tern_list_append(children, tern_sched_state_dict(s->children[i]->handle));
    tern_dict_set(dict, "_last_lr", double_list(s->ctx, s->last_lr, s->n_groups));
    tern_dict_set(dict, "_schedulers", children);
    return tern_optim_latched(s->ctx) ? tern_none() : dict;
}

tern_value tern_sched_state_dict(tern_sched *handle) {
    tern_sched_body *sched = sched_of(handle, "tern_sched_state_dict");
    if (!sched || tern_optim_latched(sched->ctx)) return tern_none();
    if (sched->n_children) return composed_state(sched);
    tern_ctx *ctx = sched->ctx;
    tern_value dict = tern_dict_new(ctx, false);
    put_arguments(sched, dict);
    tern_dict_set(dict, "base_lrs", double_list(ctx, sched->base_lrs, sched->n_groups));
    tern_dict_set(dict, "last_epoch", tern_int(sched->last_epoch));
    tern_dict_set(dict, "_step_count", tern_int(sched->step_count));
    tern_dict_set(dict, "_is_initial", tern_bool(false));
    tern_dict_set(dict, "_get_lr_called_within_step", tern_bool(false));
    for (const tern_field *field = sched->cls->state; field && field->name; field++)
        tern_dict_set(dict, field->name, tern_field_get(ctx, field, &sched->args));
    tern_dict_set(dict, "_last_lr", double_list(ctx, sched->last_lr, sched->n_groups));
    put_functions(sched, dict);
    return tern_optim_latched(ctx) ? tern_none() : dict;
}

/* Whether a state has the parts that this scheduler has, children included. */
static bool fits(const tern_sched_body *s, tern_value state) {
    tern_value children = tern_dict_get(state, "_schedulers");
    if (state.kind != TERN_VALUE_DICT ||
        (s->n_children == 0 && tern_dict_get(state, "last_epoch").kind != TERN_VALUE_INT) ||
        tern_value_count(tern_dict_get(state, "_last_lr")) != s->n_groups ||
        tern_value_count(children) != s->n_children)
        return false;
    for (size_t i = 0; i < s->n_children; i++)
        if (!fits(s->children[i], tern_value_at(children, i))) return false;
    return true;
}

static void take_doubles(tern_value list, double *out_items, size_t count) {
    if (tern_value_count(list) != count) return;
    for (size_t i = 0; i < count; i++) out_items[i] = tern_value_as_double(tern_value_at(list, i));
}

/* Numbers only: nothing is allocated, so a state is taken over whole. */
static void take_state(tern_sched_body *s, tern_value state) {
    tern_value key, item, children = tern_dict_get(state, "_schedulers");
    for (size_t i = 0; tern_dict_at(state, i, &key, &item); i++) {
        if (key.kind != TERN_VALUE_STRING || !tern_value_is_number(item)) continue;
        const tern_field *field = tern_field_find(tern_sched_fields, key.as.s);
        if (!field) field = tern_field_find(s->cls->state, key.as.s);
        bool is_list = field && field->type == TERN_FIELD_FLOAT_LIST;
        if (field && !is_list) tern_field_set(s->ctx, field, &s->args, item);
    }
    if (tern_dict_has(state, "last_epoch"))
        s->last_epoch = tern_value_as_int(tern_dict_get(state, "last_epoch"));
    if (tern_dict_has(state, "_step_count"))
        s->step_count = tern_value_as_int(tern_dict_get(state, "_step_count"));
    take_doubles(tern_dict_get(state, "base_lrs"), s->base_lrs, s->n_groups);
    take_doubles(tern_dict_get(state, "_last_lr"), s->last_lr, s->n_groups);
    for (size_t i = 0; i < s->n_children; i++)
        take_state(s->children[i], tern_value_at(children, i));
}

tern_status tern_sched_load_state_dict(tern_sched *handle, tern_value state) {
    tern_sched_body *sched = sched_of(handle, "tern_sched_load_state_dict");
    if (!sched) return tern_handle_status(handle);
    if (tern_optim_latched(sched->ctx)) return tern_check(sched->ctx);
    if (!fits(sched, state))
        return tern_fail(
            sched->ctx, TERN_ERR_ARGUMENT,
            "%s: this is not the state of a scheduler with %zu parameter groups and %zu "
            "inner schedulers",
            sched->cls->name, sched->n_groups, sched->n_children);
    take_state(sched, state);
    return TERN_OK;
}
