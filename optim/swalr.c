/* swalr.c: SWALR, which anneals the learning rate to a constant one (Izmailov et al. 2018). */
#include <math.h>
#include <string.h>

#include "sched.h"

#define PI 3.14159265358979323846

static bool init(tern_sched_body *s) {
    const tern_sched_args *a = &s->args;
    bool known =
        strcmp(a->anneal_strategy, "cos") == 0 || strcmp(a->anneal_strategy, "linear") == 0;
    if (!known)
        tern_fail(s->ctx, TERN_ERR_ARGUMENT,
                  "SWALR: anneal_strategy must be one of 'cos' or 'linear', instead got %s",
                  a->anneal_strategy);
    else if (a->anneal_epochs < 0)
        tern_fail(s->ctx, TERN_ERR_ARGUMENT,
                  "SWALR: anneal_epochs must be equal or greater than 0, got %lld",
                  (long long)a->anneal_epochs);
    else if (a->swa_lr.count != 1 && a->swa_lr.count != s->n_groups)
        tern_fail(s->ctx, TERN_ERR_ARGUMENT,
                  "SWALR: swa_lr must have one value, or one for each of %zu groups, not %zu",
                  s->n_groups, a->swa_lr.count);
    for (size_t g = 0; g < s->n_groups && !tern_optim_latched(s->ctx); g++)
        tern_group_set_extra(s->optim, g, "swa_lr", tern_list_for_group(&a->swa_lr, g));
    return !tern_optim_latched(s->ctx);
}

/* How far the way is gone after `step` of the epochs: 0 to 1. */
static double share(const tern_sched_args *a, int64_t step) {
    double epochs = a->anneal_epochs > 1 ? (double)a->anneal_epochs : 1;
    double t = fmax(0, fmin(1, (double)step / epochs));
    return strcmp(a->anneal_strategy, "cos") == 0 ? (1 - cos(PI * t)) / 2 : t;
}

/* PyTorch's form: from the present rate back to the one at the start, and on from there. */
static double next(tern_sched_body *s, size_t group, double lr) {
    double swa = tern_value_as_double(tern_dict_get(s->optim->groups[group].extras, "swa_lr"));
    int64_t step = s->step_count - 1;
    if (s->args.anneal_epochs == 0 && step < 1) step = 1;
    double before = share(&s->args, step - 1), now = share(&s->args, step);
    double start = before == 1 ? swa : (lr - before * swa) / (1 - before);
    return swa * now + start * (1 - now);
}

static const tern_field state[] = {
    TERN_FIELD(tern_sched_args, _anneal_strategy, anneal_strategy),
    TERN_FIELD_END,
};

const tern_sched_class tern_swalr_class = {
    .name = "SWALR",
    .schema = "SWALR(float[] swa_lr, int anneal_epochs=10, str anneal_strategy='cos')",
    .unsaved = "swa_lr anneal_strategy",
    .state = state,
    .init = init,
    .next = next,
};
