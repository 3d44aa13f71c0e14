/*
 * internal.h: what an optimizer holds, and how one kind of optimizer is described.
 *
 * The update of a parameter is a formula (tern/update.h) over the parameter, its gradient, its state and
 * numbers that the host works out before each step. A step first makes everything ready: state that is
 * missing, what an update wants computed beforehand, the launches. Then it writes, in one launch for all
 * parameters of the same program, dtype and device: nothing is allocated once the first weight has changed.
 *
 * A device that reports errors late skips the steps behind one; what the host counted for them is taken
 * back when the error surfaces (undo.c).
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
#include "tern/replay.h"
#include "tern/update.h"

#define TERN_STATE_TENSORS 3
#define TERN_STATE_SCALARS 3
#define TERN_KEPT          4

/* The tensors of an update's tuple, in the order in which a rule names them. */
enum {
    TERN_TUPLE_PARAM,
    TERN_TUPLE_GRAD,
    TERN_TUPLE_STATE,
    TERN_TUPLE_KEPT = TERN_TUPLE_STATE + TERN_STATE_TENSORS,
    TERN_TUPLE_TENSORS = TERN_TUPLE_KEPT + TERN_KEPT
};
#define TERN_TUPLE_NUMBERS 12

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
} tern_group;

typedef struct tern_optim_class tern_optim_class;

/* What a step counted from, for all parameters in the order of the groups. */
typedef struct tern_counted {
    size_t count, capacity;
    struct {
        bool exists;
        uint32_t live;
        double scalar[TERN_STATE_SCALARS];
    } * params;
} tern_counted;

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
    uint64_t steps;                         /* since it was made */
    tern_skips *skips;                      /* NULL before a step on a device that may skip one */
    tern_counted counted[TERN_SKIPS_STEPS]; /* step number n is at n modulo their number */
} tern_optim_body;

/* The optimizer; NULL for NULL, and after latching that it is gone. */
static inline tern_optim_body *tern_optim_of(const tern_optim *optim, const char *function) {
    return (tern_optim_body *)tern_handle_object(optim, "optimizer", function);
}

/* One parameter's update. */
typedef struct tern_update_call {
    tern_ctx *ctx;
    const void *options;
    tern_param_state *state;
    tern_tensor *param, *grad;
    tern_tensor *kept[TERN_KEPT];      /* what `propose` leaves for the update */
    bool started;                      /* every state tensor that it needs has a value */
    size_t group, index;               /* whose parameter it is */
    uint32_t flags;                    /* those that `plan` returned */
    size_t batch, tuple;               /* where the step put it */
    double scalar[TERN_STATE_SCALARS]; /* the state's, which become those of the step's end */
    double number[TERN_TUPLE_NUMBERS]; /* those of the rule, in its order */
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

    /* Which state tensors a parameter needs (bit i). */
    uint32_t (*needs)(const void *options, const tern_tensor *param);

    /* The shape of a state tensor; the parameter's where NULL. */
    tern_shape (*state_shape)(const tern_tensor *param, int tensor);

    /* The value of fresh state tensors (zero where NULL), and of fresh scalars. */
    double (*fresh)(const void *options, int tensor);
    void (*fresh_scalars)(const void *options, double *out_scalars);

    /* State exists from construction on (Adagrad). */
    bool eager;

    /* What an update wants that is no formula over its tensors: for every parameter before the first write.
     * Makes tensors of the open scope and leaves them in `kept`. May be NULL. */
    void (*propose)(tern_update_call *u);

    /* Bit i: kept tensor i becomes state tensor i, where there is one; for state of another shape than the
     * parameter's, which the formula cannot write. */
    uint32_t replaced;

    /* The formula; its tensors are those of a tuple. */
    const tern_update_rule *rule;

    /* Works out the numbers of a step, from scalars that it moves on. Returns the rule's flags. */
    uint32_t (*plan)(tern_update_call *u);
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

/* ---- undo.c ---- */

/* Keeps what step number optim->steps counts from, which a device may skip. False after latching. */
bool tern_undo_keep(tern_optim_body *optim);

/* Waits until it is known which steps were skipped: for whoever looks at what is counted. */
void tern_undo_settle(const tern_optim_body *optim);

/* ---- what updates share ---- */

/* The gradient as formulas begin: negated where maximize, plus weight_decay * param. */
#define TERN_DESCENT                                                                               \
    "d = -g if maximize else g;"                                                                   \
    "d = add(d, p, weight_decay) if decays else d;"

/* Conditions as the flags of a rule, in its order. */
static inline uint32_t tern_flags(const bool *set, size_t count) {
    uint32_t flags = 0;
    for (size_t i = 0; i < count; i++) flags |= (uint32_t)set[i] << i;
    return flags;
}
#define TERN_FLAGS(...)                                                                            \
    tern_flags((const bool[]){__VA_ARGS__}, sizeof((const bool[]){__VA_ARGS__}) / sizeof(bool))

/* Whether two tensors have one dtype and device. */
bool tern_optim_same_place(const tern_tensor *a, const tern_tensor *b);

/* The 2-norm over all elements, 0-dim (clip.c). */
tern_tensor *tern_norm2(tern_tensor *tensor);

#endif
