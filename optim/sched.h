/*
 * sched.h: what a scheduler holds, and how one kind of scheduler is described.
 */
#ifndef TERN_OPTIM_SCHED_H
#define TERN_OPTIM_SCHED_H

#include "internal.h"

/* The arguments of all schedulers together, and what they keep between steps. */
typedef struct tern_sched_args {
    int64_t step_size, total_iters, t_max, t_0, t_mult, step_size_up, patience, cooldown,
        anneal_epochs;
    double gamma, factor, start_factor, end_factor, power, eta_min, pct_start, div_factor,
        final_div_factor, threshold, eps;
    tern_int_list milestones;
    tern_float_list base_lr, max_lr, base_momentum, max_momentum, min_lr, swa_lr;
    tern_optional_int step_size_down, total_steps, epochs, steps_per_epoch;
    const char *mode, *scale_mode, *anneal_strategy, *threshold_mode;
    bool cycle_momentum, three_phase;
    tern_value lr_lambda, schedulers;

    /* state */
    double best;
    int64_t num_bad_epochs, cooldown_counter, t_cur, t_i;
} tern_sched_args;

typedef struct tern_sched_class tern_sched_class;

/* What a scheduler's handle stands for. */
typedef struct tern_sched_body {
    tern_ctx *ctx;
    tern_sched *handle;
    tern_owner *owner;
    tern_optim_body *optim;
    tern_optim *optim_handle;
    const tern_sched_class *cls;
    tern_sched_args args;
    tern_lr_lambda lambda; /* of a LambdaLR made in C, else NULL */
    void *lambda_user;
    int64_t last_epoch, step_count;
    size_t n_groups;
    double *base_lrs, *last_lr;
    struct tern_sched_body **children;
    size_t n_children;
} tern_sched_body;

struct tern_sched_class {
    const char *name;
    const char *schema;
    const tern_field *state; /* further members of the state dict; may be NULL */
    const char *unsaved;     /* arguments that are not in it; may be NULL */

    /* Checks arguments and sets the groups up. Latches and returns false. May be NULL. */
    bool (*init)(tern_sched_body *s);

    /* The chainable form: the learning rate of a group from its present one. */
    double (*next)(tern_sched_body *s, size_t group, double lr);

    /* The closed form, where there is one: for step(epoch). */
    double (*closed)(const tern_sched_body *s, size_t group);

    /* Instead of both: a step of its own. `epoch` is -1 for the next one. */
    tern_status (*step)(tern_sched_body *s, int64_t epoch, double metric);
    bool steps_at_start; /* such a step is taken by the constructor too */
};

/* Every argument's place; shared by all classes. */
extern const tern_field tern_sched_fields[];

extern const tern_sched_class tern_step_lr_class, tern_multi_step_lr_class, tern_constant_lr_class,
    tern_linear_lr_class, tern_exponential_lr_class, tern_polynomial_lr_class,
    tern_cosine_annealing_lr_class, tern_cosine_warm_restarts_class, tern_lambda_lr_class,
    tern_multiplicative_lr_class;                                            /* sched_formulas.c */
extern const tern_sched_class tern_cyclic_lr_class, tern_one_cycle_lr_class; /* sched_cycle.c */
extern const tern_sched_class tern_swalr_class;                              /* swalr.c */
extern const tern_sched_class tern_plateau_class, tern_sequential_lr_class,
    tern_chained_class; /* sched_compose.c */

/* The class by name, NULL where there is none. */
const tern_sched_class *tern_sched_class_of(const char *name);

/* Makes a scheduler of a class from a struct of arguments. */
tern_sched_body *tern_sched_of_args(tern_optim_body *optim, const tern_sched_class *cls,
                                    const tern_sched_args *args, tern_lr_lambda lambda, void *user);

/* The same for a typed constructor. */
tern_sched *tern_sched_of_class(tern_optim *optim, const tern_sched_class *cls,
                                const tern_sched_args *args, tern_lr_lambda lambda, void *user);

/* Makes one from a parsed call or a dict {"name", "args"}. */
tern_sched_body *tern_sched_from_value(tern_optim_body *optim, const char *where, tern_value call);

/* One step: epoch -1 is the next, another the closed form at that epoch. */
tern_status tern_sched_advance(tern_sched_body *s, int64_t epoch, double metric);

/* param_groups[g]["lr"] without the constructor's checks: cannot fail. */
double tern_group_lr(const tern_optim_body *optim, size_t group);
void tern_group_set_lr(tern_optim_body *optim, size_t group, double lr);

/* momentum, or the first of betas; false where the optimizer has neither. */
bool tern_group_set_momentum(tern_optim_body *optim, size_t group, double momentum);

/* The group's member of a list of one value or one a group. */
double tern_list_for_group(const tern_float_list *list, size_t group);

/* Takes "last_lr" from the groups. */
void tern_sched_note_lr(tern_sched_body *s);

#endif
