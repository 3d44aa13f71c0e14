/* sched_compose.c: schedulers with a step of their own: ReduceLROnPlateau, and those made of others. */
#include <math.h>
#include <string.h>

#include "sched.h"

static bool refuse(tern_sched_body *s, const char *message) {
    tern_fail(s->ctx, TERN_ERR_ARGUMENT, "%s: %s", s->cls->name, message);
    return false;
}

/* ---- ReduceLROnPlateau ----------------------------------------------------------------------- */

static const tern_field plateau_state[] = {
    TERN_FIELD(tern_sched_args, best, best),
    TERN_FIELD(tern_sched_args, num_bad_epochs, num_bad_epochs),
    TERN_FIELD(tern_sched_args, cooldown_counter, cooldown_counter), TERN_FIELD_END};

static bool plateau_init(tern_sched_body *s) {
    tern_sched_args *a = &s->args;
    if (!a->mode) return refuse(s, "mode is NULL: say \"min\" or \"max\".");
    bool is_min = strcmp(a->mode, "min") == 0, rel = strcmp(a->threshold_mode, "rel") == 0;
    if (!(a->factor < 1.0)) return refuse(s, "Factor should be < 1.0.");
    if (!is_min && strcmp(a->mode, "max") != 0) return refuse(s, "mode is unknown!");
    if (!rel && strcmp(a->threshold_mode, "abs") != 0)
        return refuse(s, "threshold mode is unknown!");
    if (a->min_lr.count != 1 && a->min_lr.count != s->n_groups) {
        tern_fail(s->ctx, TERN_ERR_ARGUMENT, "expected %zu min_lrs, got %zu", s->n_groups,
                  a->min_lr.count);
        return false;
    }
    a->best = is_min ? (double)INFINITY : -(double)INFINITY;
    s->last_epoch = 0;
    return true;
}

static bool is_better(const tern_sched_args *a, double metric) {
    bool rel = strcmp(a->threshold_mode, "rel") == 0;
    if (strcmp(a->mode, "min") == 0)
        return metric < (rel ? a->best * (1.0 - a->threshold) : a->best - a->threshold);
    return metric > (rel ? a->best * (a->threshold + 1.0) : a->best + a->threshold);
}

static tern_status plateau_step(tern_sched_body *s, int64_t epoch, double metric) {
    tern_sched_args *a = &s->args;
    s->last_epoch = epoch < 0 ? s->last_epoch + 1 : epoch;
    if (is_better(a, metric)) {
        a->best = metric;
        a->num_bad_epochs = 0;
    } else {
        a->num_bad_epochs++;
    }
    if (a->cooldown_counter > 0) {
        a->cooldown_counter--;
        a->num_bad_epochs = 0;
    }
    if (a->num_bad_epochs > a->patience) {
        for (size_t g = 0; g < s->n_groups; g++) {
            double old = tern_group_lr(s->optim, g), low = tern_list_for_group(&a->min_lr, g);
            double lr = old * a->factor > low ? old * a->factor : low;
            if (old - lr > a->eps) tern_group_set_lr(s->optim, g, lr);
        }
        a->cooldown_counter = a->cooldown;
        a->num_bad_epochs = 0;
    }
    tern_sched_note_lr(s);
    return TERN_OK;
}

const tern_sched_class tern_plateau_class = {
    .name = "ReduceLROnPlateau",
    .schema = "ReduceLROnPlateau(str mode='min', float factor=0.1, int patience=10, "
              "float threshold=0.0001, str threshold_mode='rel', int cooldown=0, "
              "float|float[] min_lr=0, float eps=1e-08)",
    .state = plateau_state,
    .init = plateau_init,
    .step = plateau_step,
};

tern_sched *tern_reduce_lr_on_plateau_new(tern_optim *optim, const char *mode, double factor,
                                          int64_t patience) {
    static const double zero = 0;
    tern_sched_args args = {.mode = mode,
                            .factor = factor,
                            .patience = patience,
                            .threshold = 1e-4,
                            .threshold_mode = "rel",
                            .min_lr = {&zero, 1},
                            .eps = 1e-8};
    return tern_sched_of_class(optim, &tern_plateau_class, &args, NULL, NULL);
}

/* ---- inner schedulers ------------------------------------------------------------------------ */

/* Makes them in the order listed; each takes its first step, as in PyTorch. */
static bool make_children(tern_sched_body *s) {
    tern_value list = s->args.schedulers;
    size_t count = tern_value_count(list);
    if ((list.kind != TERN_VALUE_LIST && list.kind != TERN_VALUE_TUPLE) || count == 0)
        return refuse(s, "expects at least one scheduler to be chained, but got no scheduler");
    s->children = tern_scope_alloc(s->ctx, count * sizeof(tern_sched_body *));
    if (!s->children) return false;
    for (size_t i = 0; i < count; i++) {
        tern_sched_body *child =
            tern_sched_from_value(s->optim, s->cls->name, tern_value_at(list, i));
        if (!child) return false;
        s->children[s->n_children++] = child;
    }
    return true;
}

/* ---- SequentialLR ---------------------------------------------------------------------------- */

/* Takes back the first steps of all inner schedulers, those inside them included. */
static void undo(tern_sched_body *s) {
    for (size_t i = 0; i < s->n_children; i++) undo(s->children[i]);
    if (s->n_children == 0) s->last_epoch--;
}

static bool sequential_init(tern_sched_body *s) {
    const tern_int_list *milestones = &s->args.milestones;
    if (!make_children(s)) return false;
    if (milestones->count != s->n_children - 1) {
        tern_fail(s->ctx, TERN_ERR_ARGUMENT,
                  "Sequential Schedulers expects number of schedulers provided to be one more "
                  "than the number of milestone points, but got number of schedulers %zu and the "
                  "number of milestones to be equal to %zu",
                  s->n_children, milestones->count);
        return false;
    }
    s->last_epoch = 0;
    for (size_t g = 0; g < s->n_groups; g++) {
        tern_value initial = tern_optim_get(s->optim_handle, g, "initial_lr");
        tern_group_set_lr(s->optim, g, tern_value_as_double(initial));
    }
    for (size_t i = 0; i < s->n_children; i++) undo(s->children[i]);
    s->children[0]->step_count = 0;
    return tern_sched_advance(s->children[0], -1, (double)NAN) == TERN_OK;
}

static tern_status sequential_step(tern_sched_body *s, int64_t epoch, double metric) {
    const tern_int_list *milestones = &s->args.milestones;
    size_t index = 0;
    s->last_epoch = epoch < 0 ? s->last_epoch + 1 : epoch;
    while (index < milestones->count && milestones->items[index] <= s->last_epoch) index++;
    bool begins = index > 0 && milestones->items[index - 1] == s->last_epoch;
    tern_status status = tern_sched_advance(s->children[index], begins ? 0 : -1, metric);
    tern_sched_note_lr(s);
    return status;
}

const tern_sched_class tern_sequential_lr_class = {
    .name = "SequentialLR",
    .schema = "SequentialLR(any schedulers, int[] milestones)",
    .init = sequential_init,
    .step = sequential_step,
};

/* ---- ChainedScheduler ------------------------------------------------------------------------ */

static tern_status chained_step(tern_sched_body *s, int64_t epoch, double metric) {
    tern_status status = TERN_OK;
    for (size_t i = 0; i < s->n_children && status == TERN_OK; i++)
        status = tern_sched_advance(s->children[i], epoch, metric);
    tern_sched_note_lr(s);
    return status;
}

const tern_sched_class tern_chained_class = {
    .name = "ChainedScheduler",
    .schema = "ChainedScheduler(any schedulers)",
    .init = make_children,
    .step = chained_step,
};
