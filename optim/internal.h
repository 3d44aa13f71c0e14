/*
 * internal.h: what an optimizer holds, and how one kind of optimizer is described.
 *
 * A step first prepares every parameter (state that is missing, scratch space, what an update wants
 * computed beforehand), then updates them one by one with in-place operations alone: nothing is
 * allocated once the first weight has changed. The first step of each kind is rehearsed on single
 * elements, so that a kernel that is missing is known.
 *
 * An optimizer over all parameters at once (LBFGS) evaluates its closure between the writes; it steps
 * by functions of its own.
 */
#ifndef TERN_OPTIM_INTERNAL_H
#define TERN_OPTIM_INTERNAL_H

#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/ops.h"
#include "tern/optim.h"

#define TERN_STATE_TENSORS 3
#define TERN_STATE_SCALARS 3
#define TERN_REHEARSED     8 /* weights and biases of a few dtypes and stages */
#define TERN_SCRATCH       3
#define TERN_KEPT          4

/* The state of one parameter. Scalars are what PyTorch keeps as 0-dim float32 tensors. */
typedef struct tern_param_state {
    bool exists; /* has an entry in the state dict */
    uint32_t
        live; /* bit i: tensor i has a value (a momentum buffer has none before its first step) */
    tern_tensor *tensor[TERN_STATE_TENSORS];
    double scalar[TERN_STATE_SCALARS];
} tern_param_state;

typedef struct tern_param {
    tern_tensor *tensor;
    const char *name; /* NULL where parameters came without names */
    tern_param_state state;
} tern_param;

typedef struct tern_group {
    void *options;     /* the class's options struct */
    tern_value extras; /* a dict: what schedulers keep here (initial_lr) */
    tern_param *params;
    size_t count;
    bool has_names;
    uint64_t rehearsed[TERN_REHEARSED]; /* kinds of update, 0 for none; in turn */
    size_t next_rehearsed;
} tern_group;

typedef struct tern_optim_class tern_optim_class;

/* What an optimizer's handle stands for. */
typedef struct tern_optim_body {
    tern_ctx *ctx;
    tern_optim *handle;
    tern_owner *owner;
    tern_owner *state_owner; /* of the state tensors: replaced whole by load_state_dict */
    const tern_optim_class *cls;
    void *defaults; /* options of groups that do not say otherwise */
    tern_group *groups;
    size_t n_groups, groups_capacity;
    void *whole; /* the state of a class with `whole`, in state_owner; NULL before the first step */
} tern_optim_body;

/* The optimizer; NULL for NULL, and after latching that it is gone. */
static inline tern_optim_body *tern_optim_of(const tern_optim *optim, const char *function) {
    return (tern_optim_body *)tern_handle_object(optim, "optimizer", function);
}

/* One parameter's update. */
typedef struct tern_update_call {
    tern_ctx *ctx;
    const void *options;
    tern_group *group;
    tern_param_state *state;
    tern_tensor *param, *grad;
    tern_tensor *scratch[TERN_SCRATCH]; /* of the parameter's shape, contents open */
    tern_tensor *kept[TERN_KEPT];       /* what `propose` leaves for `update` */
} tern_update_call;

/* A member of the state by PyTorch's name: tensor or scalar number `index`. */
typedef struct tern_state_key {
    const char *name;
    bool is_scalar;
    int index;
} tern_state_key;

/* What a constructor refuses: PyTorch's text and the rule. */
typedef struct tern_option_rule {
    const char *option;
    enum { TERN_RULE_NOT_NEGATIVE, TERN_RULE_UP_TO_ONE, TERN_RULE_BETAS } rule;
    const char *message; /* "Invalid learning rate" */
} tern_option_rule;

/* The functions of an optimizer whose state is over all parameters at once. */
typedef struct tern_whole_class {
    tern_status (*step)(tern_optim_body *optim, tern_optim_closure closure, void *user,
                        double *out_loss);

    /* The state as PyTorch keeps it with the first parameter; none before the first step. */
    tern_value (*save)(const tern_optim_body *optim);

    /* The state from such an entry, in the open scope; NULL after latching. */
    void *(*load)(tern_optim_body *optim, tern_value saved);
} tern_whole_class;

struct tern_optim_class {
    const char *name;
    const char *schema; /* the constructor without params */
    size_t options_size;
    const void *defaults;          /* an options struct from its initialiser */
    const tern_field *fields;      /* in the order of PyTorch's param_groups */
    const tern_state_key *keys;    /* in PyTorch's order, ended by NULL */
    const tern_option_rule *rules; /* ended by NULL */

    /* Further checks; latches and returns false. May be NULL. */
    bool (*check)(tern_ctx *ctx, const void *options);

    /* Fills in what the constructor works out of other options. May be NULL. */
    void (*settle)(void *options);

    /* A parameter the constructor refuses; latches and returns false. May be NULL. */
    bool (*accepts)(tern_ctx *ctx, const tern_tensor *param);

    /* Where the state is over all parameters at once. Nothing below is looked at then. */
    const tern_whole_class *whole;

    /* Which state tensors a parameter needs (bit i), and how many scratch tensors an update uses. */
    uint32_t (*needs)(const void *options, const tern_tensor *param);
    int (*scratch)(const void *options);

    /* The shape of a state tensor; the parameter's where NULL. */
    tern_shape (*state_shape)(const tern_tensor *param, int tensor);

    /* The value of fresh state tensors (zero where NULL), and of fresh scalars. */
    double (*fresh)(const void *options, int tensor);
    void (*fresh_scalars)(const void *options, double *out_scalars);

    /* State exists from construction on (Adagrad). */
    bool eager;

    /* What an update wants that cannot be computed in place: for every parameter before the first
     * `update`. May allocate; writes to scratch alone, whose contents do not last, and leaves its
     * results in `kept`. May be NULL. */
    void (*propose)(tern_update_call *u);

    void (*update)(tern_update_call *u);
};

/* ---- classes.c ---- */
const tern_optim_class *tern_optim_class_of(const char *name);

/* Latches that there is no optimizer or scheduler (`kind`) of this name, and the nearest one's or why
 * there is none. */
void tern_optim_unknown(tern_ctx *ctx, const char *where, const char *kind, const char *name,
                        const char *(*name_at)(size_t index));

/* ---- options.c ---- */

/* The option rules and the class's own check. */
bool tern_optim_check(tern_ctx *ctx, const tern_optim_class *cls, const void *options);

/* ---- step.c ---- */

/* Calls the closure with gradients enabled. The loss goes to *out_loss where that is not NULL. False
 * after latching. */
bool tern_optim_evaluate(const tern_optim_body *optim, tern_optim_closure closure, void *user,
                         double *out_loss);

/* Latches where a gradient cannot be applied to its parameter. */
bool tern_optim_check_gradient(const tern_optim_body *optim, const tern_tensor *param,
                               const tern_tensor *grad);

/* ---- state.c ---- */

/* Makes the state tensors that `needs` names and moves those there are to the parameter's device and
 * dtype. Writes no weight. False after latching. */
bool tern_state_prepare(tern_optim_body *optim, const tern_group *group, tern_param *param);

/* Sets one of a group's extras (initial_lr), a number. */
tern_status tern_group_set_extra(tern_optim_body *optim, size_t group, const char *name,
                                 double value);

static inline bool tern_optim_latched(const tern_ctx *ctx) {
    return *tern_error(ctx) != '\0';
}

/* ---- what updates share (update.c) ---- */

/* The gradient with PyTorch's first two steps: negated where maximize, plus weight_decay * param. Uses
 * scratch[0] where it differs from .grad. */
tern_tensor *tern_update_gradient(tern_update_call *u, bool maximize, double weight_decay);

/* The 2-norm over all elements, 0-dim. */
tern_tensor *tern_norm2(tern_tensor *tensor);

#endif
