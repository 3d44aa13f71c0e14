/* sched_cycle.c: CyclicLR (Smith 2017) and OneCycleLR (Smith and Topin 2018), which cycle the momentum
 * against the learning rate. */
#include <math.h>
#include <string.h>

#include "sched.h"

#define PI 3.14159265358979323846

static bool refuse(tern_sched_body *s, const char *message) {
    tern_fail(s->ctx, TERN_ERR_ARGUMENT, "%s: %s", s->cls->name, message);
    return false;
}

/* One value for all groups or one for each. */
static bool check_list(tern_sched_body *s, const char *name, const tern_float_list *list) {
    if (list->count == 1 || list->count == s->n_groups) return true;
    tern_fail(s->ctx, TERN_ERR_ARGUMENT, "expected %zu values for %s, got %zu", s->n_groups, name,
              list->count);
    return false;
}

/* Momentum begins at its maximum; both bounds are kept in the group, as PyTorch keeps them. */
static bool start_momentum(tern_sched_body *s) {
    const tern_sched_args *a = &s->args;
    if (!a->cycle_momentum) return true;
    if (!check_list(s, "base_momentum", &a->base_momentum) ||
        !check_list(s, "max_momentum", &a->max_momentum))
        return false;
    for (size_t g = 0; g < s->n_groups; g++) {
        double high = tern_list_for_group(&a->max_momentum, g);
        double low = tern_list_for_group(&a->base_momentum, g);
        if (!tern_group_set_momentum(s->optim, g, high))
            return refuse(s, "optimizer must support momentum or beta1 with `cycle_momentum` "
                             "option enabled");
        if (tern_group_set_extra(s->optim, g, "max_momentum", high) != TERN_OK ||
            tern_group_set_extra(s->optim, g, "base_momentum", low) != TERN_OK)
            return false;
    }
    return true;
}

/* ---- CyclicLR -------------------------------------------------------------------------------- */

static bool cyclic_init(tern_sched_body *s) {
    const tern_sched_args *a = &s->args;
    bool known = strcmp(a->mode, "triangular") == 0 || strcmp(a->mode, "triangular2") == 0 ||
                 strcmp(a->mode, "exp_range") == 0;
    if (!known) return refuse(s, "mode is invalid");
    if (a->step_size_up <= 0 || (a->step_size_down.has && a->step_size_down.value <= 0))
        return refuse(s, "step_size_up and step_size_down must be positive");
    if (!check_list(s, "base_lr", &a->base_lr) || !check_list(s, "max_lr", &a->max_lr))
        return false;
    for (size_t g = 0; g < s->n_groups; g++)
        tern_group_set_lr(s->optim, g, tern_list_for_group(&a->base_lr, g));
    return start_momentum(s);
}

/* How high the triangle of this cycle is. */
static double cyclic_scale(const tern_sched_body *s, double cycle) {
    if (strcmp(s->args.mode, "triangular2") == 0) return 1 / pow(2, cycle - 1);
    if (strcmp(s->args.mode, "exp_range") == 0) return pow(s->args.gamma, (double)s->last_epoch);
    return 1;
}

static double cyclic_next(tern_sched_body *s, size_t group, double lr) {
    const tern_sched_args *a = &s->args;
    double up = (double)a->step_size_up;
    double total = up + (a->step_size_down.has ? (double)a->step_size_down.value : up);
    double ratio = up / total, epoch = (double)s->last_epoch;
    double cycle = floor(1 + epoch / total), x = 1 + epoch / total - cycle;
    double height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);
    double base = tern_list_for_group(&a->base_lr, group);
    double top = tern_list_for_group(&a->max_lr, group), scale = cyclic_scale(s, cycle);
    (void)lr;
    if (a->cycle_momentum) {
        double high = tern_list_for_group(&a->max_momentum, group);
        double low = tern_list_for_group(&a->base_momentum, group);
        tern_group_set_momentum(s->optim, group, high - (high - low) * height * scale);
    }
    return base + (top - base) * height * scale;
}

const tern_sched_class tern_cyclic_lr_class = {
    .name = "CyclicLR",
    .schema = "CyclicLR(float|float[] base_lr, float|float[] max_lr, int step_size_up=2000, "
              "int? step_size_down=None, str mode='triangular', float gamma=1.0, "
              "str scale_mode='cycle', bool cycle_momentum=True, "
              "float|float[] base_momentum=0.8, float|float[] max_momentum=0.9)",
    .init = cyclic_init,
    .next = cyclic_next,
};

/* ---- OneCycleLR ------------------------------------------------------------------------------ */

static int64_t total_of(const tern_sched_args *a) {
    if (a->total_steps.has) return a->total_steps.value;
    if (!a->epochs.has || !a->steps_per_epoch.has) return -1;
    if (a->epochs.value <= 0 || a->steps_per_epoch.value <= 0) return 0;
    if (a->epochs.value > INT64_MAX / a->steps_per_epoch.value) return 0;
    return a->epochs.value * a->steps_per_epoch.value;
}

static bool one_cycle_init(tern_sched_body *s) {
    tern_sched_args *a = &s->args;
    int64_t total = total_of(a);
    if (total < 0)
        return refuse(s, "You must define either total_steps OR (epochs AND steps_per_epoch)");
    if (total == 0) return refuse(s, "Expected positive integer total_steps");
    if (!(a->pct_start >= 0 && a->pct_start <= 1))
        return refuse(s, "Expected float between 0 and 1 pct_start");
    if (strcmp(a->anneal_strategy, "cos") != 0 && strcmp(a->anneal_strategy, "linear") != 0)
        return refuse(s, "anneal_strategy must be one of 'cos' or 'linear'");
    if (!check_list(s, "max_lr", &a->max_lr)) return false;
    a->total_steps = (tern_optional_int){true, total};
    for (size_t g = 0; g < s->n_groups; g++) {
        double high = tern_list_for_group(&a->max_lr, g), initial = high / a->div_factor;
        tern_group_set_lr(s->optim, g, initial);
        if (tern_group_set_extra(s->optim, g, "initial_lr", initial) != TERN_OK ||
            tern_group_set_extra(s->optim, g, "max_lr", high) != TERN_OK ||
            tern_group_set_extra(s->optim, g, "min_lr", initial / a->final_div_factor) != TERN_OK)
            return false;
    }
    return start_momentum(s);
}

static double anneal(const tern_sched_args *a, double start, double end, double part) {
    if (strcmp(a->anneal_strategy, "linear") == 0) return (end - start) * part + start;
    return end + (start - end) / 2.0 * (cos(PI * part) + 1);
}

/* One stretch of the cycle: up to which step, between which rates and momenta. */
typedef struct phase {
    double end, from_lr, to_lr, from_momentum, to_momentum;
} phase;

static double one_cycle_next(tern_sched_body *s, size_t group, double lr) {
    const tern_sched_args *a = &s->args;
    double total = (double)a->total_steps.value, step = (double)s->last_epoch, start = 0;
    double high = tern_list_for_group(&a->max_lr, group), initial = high / a->div_factor;
    double low = initial / a->final_div_factor, top = tern_list_for_group(&a->max_momentum, group);
    double bottom = tern_list_for_group(&a->base_momentum, group), rise = a->pct_start * total - 1;
    const phase two[] = {{rise, initial, high, top, bottom}, {total - 1, high, low, bottom, top}};
    const phase three[] = {{rise, initial, high, top, bottom},
                           {2 * a->pct_start * total - 2, high, initial, bottom, top},
                           {total - 1, initial, low, top, top}};
    const phase *phases = a->three_phase ? three : two;
    int last = a->three_phase ? 2 : 1, i = 0;
    if (s->last_epoch > a->total_steps.value) {
        tern_fail(s->ctx, TERN_ERR_STATE,
                  "Tried to step %lld times. The specified number of total steps is %lld",
                  (long long)s->last_epoch, (long long)a->total_steps.value);
        return lr;
    }
    for (; i < last && step > phases[i].end; i++) start = phases[i].end;
    double part = (step - start) / (phases[i].end - start);
    if (a->cycle_momentum)
        tern_group_set_momentum(s->optim, group,
                                anneal(a, phases[i].from_momentum, phases[i].to_momentum, part));
    return anneal(a, phases[i].from_lr, phases[i].to_lr, part);
}

const tern_sched_class tern_one_cycle_lr_class = {
    .name = "OneCycleLR",
    .schema = "OneCycleLR(float|float[] max_lr, int? total_steps=None, int? epochs=None, "
              "int? steps_per_epoch=None, float pct_start=0.3, str anneal_strategy='cos', "
              "bool cycle_momentum=True, float|float[] base_momentum=0.85, "
              "float|float[] max_momentum=0.95, float div_factor=25.0, "
              "float final_div_factor=10000.0, bool three_phase=False)",
    .init = one_cycle_init,
    .next = one_cycle_next,
};

tern_sched *tern_one_cycle_lr_new(tern_optim *optim, double max_lr, int64_t total_steps) {
    static const double low = 0.85, high = 0.95;
    tern_sched_args args = {.max_lr = {&max_lr, 1},
                            .total_steps = {true, total_steps},
                            .pct_start = 0.3,
                            .anneal_strategy = "cos",
                            .cycle_momentum = true,
                            .base_momentum = {&low, 1},
                            .max_momentum = {&high, 1},
                            .div_factor = 25.0,
                            .final_div_factor = 1e4};
    return tern_sched_of_class(optim, &tern_one_cycle_lr_class, &args, NULL, NULL);
}
