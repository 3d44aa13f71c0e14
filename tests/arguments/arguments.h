/*
 * arguments.h: what the generated calls and the test that runs them share.
 *
 * A call makes each argument in turn: legal, or spoiled as the test asks. An argument is made between
 * arguments_make, which says where (c->ctx) and whether at all, and arguments_made.
 */
#ifndef TERN_TESTS_ARGUMENTS_H
#define TERN_TESTS_ARGUMENTS_H

#include "tern/schema.h"
#include "tern/tern.h"

/* What may be wrong with an argument. */
enum spoil {
    LEGAL,
    NOTHING, /* NULL */
    NIL,     /* the nil tensor of its context */
    LATCHED, /* of another context, which has latched an error */
    FOREIGN, /* of another context */
    STALE,   /* its scope has ended */
    DROPPED, /* tern_drop was called with it */
    ZEROED,  /* options of which only the size is given */
    UNSIZED, /* options without their size */
    SPOILS
};

enum argument_kind {
    ARGUMENT_CONTEXT,
    ARGUMENT_TENSOR,
    ARGUMENT_TENSORS, /* an array of two */
    ARGUMENT_VALUE,
    ARGUMENT_SCOPE,
    ARGUMENT_GENERATOR,
    ARGUMENT_HANDLE, /* a module, an optimizer, ... of a context */
    ARGUMENT_OPTIONS,
    ARGUMENT_POINTER /* anything else */
};

#define MAX_PLACES 12

/* One call of one function. */
struct call {
    tern_ctx *ctx; /* where the argument that is being made goes */
    enum spoil spoil[MAX_PLACES];
    bool latched; /* the context has latched an error before the call */

    const struct function *function;
    tern_ctx *own, *foreign, *failed; /* NULL until needed, but for `own` */
    tern_scope stale;                 /* open while an argument is made that will be stale */
    bool plain;                       /* the stale argument is no handle: a number, a text */
    void *blocks[64];                 /* what memory() gave */
    int n_blocks;
    void (*undo[8])(void *); /* what legal arguments need when the call is over */
    void *undo_with[8];
    int n_undo;
    tern_module *stepped; /* whose parameters stepping() has; NULL before it was called */
    tern_status status;   /* what the call latched in the context, or else in the foreign one */
    char error[512];
    const char *by_name; /* the call by name that is made for comparison */
    tern_value named;
    bool differs; /* from that */
    int n_floats; /* how many times floats() was called */
};

struct place {
    const char *name;
    enum argument_kind kind;
    bool optional; /* NULL is legal */
};

struct function {
    const char *name;
    void (*call)(struct call *c);
    int n_places;
    struct place places[MAX_PLACES];
};

/* The generated table. */
extern const struct function functions[];
extern const size_t function_count;

/* True where the argument is to be made; its context and scope are then open. */
bool arguments_make(struct call *c, int place);

/* The argument as the function gets it. */
void *arguments_made(struct call *c, int place, const void *argument);
tern_value arguments_made_value(struct call *c, int place, tern_value value);
tern_scope arguments_made_scope(struct call *c, int place, tern_scope scope);

/* Between the arguments and the call, and after the call. */
void arguments_ready(struct call *c);
void arguments_done(struct call *c);

/* Looks at a result, which must be usable whatever the arguments were. */
void arguments_use_tensor(struct call *c, tern_tensor *result);
void arguments_use_value(struct call *c, tern_value result);
void arguments_use_text(struct call *c, const char *result);

/* ---- the same call by name (by_name.c) ------------------------------------------------------- */

/* True where all arguments are legal and the call latched nothing. `name` may end with an overload. */
bool arguments_begin(struct call *c, const char *name);

/* The next argument, by the type that it has in C. */
void arguments_name_tern_tensor(struct call *c, const char *name, tern_tensor *tensor);
void arguments_name_tern_tensor_const(struct call *c, const char *name, tern_tensor *const *tensors,
                                      int count);
void arguments_name_tern_value(struct call *c, const char *name, tern_value value);
void arguments_name_tern_shape(struct call *c, const char *name, tern_shape shape);
void arguments_name_tern_dtype(struct call *c, const char *name, tern_dtype dtype);
void arguments_name_tern_reduction(struct call *c, const char *name, tern_reduction reduction);
void arguments_name_tern_generator(struct call *c, const char *name, tern_generator *generator);
void arguments_name_int(struct call *c, const char *name, int64_t number);
void arguments_name_int64_t(struct call *c, const char *name, int64_t number);
void arguments_name_double(struct call *c, const char *name, double number);
void arguments_name_double_list(struct call *c, const char *name, const double *numbers, int count);
void arguments_name_bool(struct call *c, const char *name, bool flag);
void arguments_name_char(struct call *c, const char *name, const char *text);

/* Calls, and compares the result bit by bit; `second` is the other tensor of a pair, or NULL. */
void arguments_compare_tern_tensor(struct call *c, tern_tensor *result, tern_tensor *const *further,
                                   size_t n_further);
void arguments_compare_tern_value(struct call *c, tern_value result, tern_tensor *const *further,
                                  size_t n_further);
void arguments_compare_bool(struct call *c, bool result, tern_tensor *const *further,
                            size_t n_further);

/* ---- legal arguments, made in c->ctx (legal.c) ----------------------------------------------- */

/* 8 KiB of zeros; a copy of an options struct. */
void *memory(struct call *c);
void *copied(struct call *c, const void *data, size_t size);
#define options(type, defaults) copied(c, &(const type)defaults, sizeof(type))

tern_tensor *tensor(struct call *c);                    /* float32 [2, 2] */
tern_tensor *floats(struct call *c, tern_shape shape);  /* float32 */
tern_tensor *indices(struct call *c, tern_shape shape); /* int64 zeros */
tern_tensor *matrix(struct call *c);                    /* symmetric, positive-definite */
tern_tensor *pivots(struct call *c);                    /* of its factorisations */
tern_tensor *leaf(struct call *c);                      /* requires a gradient */
tern_tensor *loss(struct call *c);                      /* a scalar with a history */
tern_tensor *const *tensors(struct call *c);            /* two of them */
tern_tensor *const *vectors(struct call *c);            /* the same of one dimension */
tern_tensor *const *positions(struct call *c);          /* two of int64 [2] */
tern_tensor **slot(struct call *c);
tern_value list(struct call *c); /* of one leaf */
tern_value dict(struct call *c); /* {"weight": tensor} */
const tern_value *values(struct call *c);
const tern_entry *entries(struct call *c);
const tern_value *numbers(struct call *c);
tern_tensor *const *outputs(struct call *c); /* two leaves */
tern_tensor *const *leaves(struct call *c);  /* two of float64 */
uint8_t *rng_state(struct call *c);
tern_value group(struct call *c);
tern_value gamma_argument(struct call *c);
tern_dataset *subset(struct call *c);
tern_dataset *images(struct call *c);
tern_module *module(struct call *c); /* Linear(2, 2) */
tern_module *const *modules(struct call *c);
tern_module *made(struct call *c, const char *notation);
tern_weights *weights(struct call *c);
tern_distribution *distribution(struct call *c);
tern_transform *transforms(struct call *c);
tern_optim *optim(struct call *c);
tern_optim *stepping(struct call *c); /* over the parameters of stepped() */
tern_module *stepped(struct call *c);
tern_sched *sched(struct call *c);
tern_dataset *dataset(struct call *c);
tern_loader *loader(struct call *c);
tern_safetensors *safetensors(struct call *c);
tern_csv *csv(struct call *c);
tern_load_report *report(struct call *c);
tern_textbuf *textbuf(struct call *c);
tern_nearest *nearest(struct call *c);
tern_schema *schema(struct call *c);
tern_sample_field *fields(struct call *c);
const char *const *names(struct call *c);
const double *doubles(struct call *c);
tern_ctx *another(struct call *c);

void ignore_user(void *user);
void ignore_error(void *user, tern_status status, const char *message);
size_t no_place(void *user, char *out_text, size_t size);
void ignore_log(void *user, tern_log_level level, const char *message);
void ignore_line(void *user, const char *line);
void ignore_module(tern_module *module, void *user);
bool sample(void *user, int64_t index, void *const *out_fields);
tern_tensor *square(tern_ctx *ctx, tern_tensor *const *inputs, int n_inputs, void *user);
bool visit(void *user, const char *name, tern_module *module);
double lambda(int64_t epoch, void *user);
tern_tensor *loss_of(void *user);
tern_tensor *ignore_gradient(tern_tensor *grad, void *user);
tern_tensor *ignore_average(tern_tensor *averaged, tern_tensor *current, int64_t n, void *user);
tern_module *averaged(struct call *c);
tern_module *parametrized(struct call *c);
tern_module *pruned(struct call *c);
const tern_prune_target *prune_targets(struct call *c); /* two of them */
tern_module *evaluating(struct call *c, const char *notation);
tern_value ignore_before(tern_module *module, tern_value args, void *user);
tern_value ignore_after(tern_module *module, tern_value a, tern_value b, void *user);
extern const tern_function identity;
tern_function_call *function_call(struct call *c); /* of the identity, which is over */
tern_updater *updater(struct call *c);
tern_update_run *update_run(struct call *c);
extern const tern_update_rule update_rule;
/* Of one tensor to itself, which is its output. */
tern_replay *replay(struct call *c);
tern_ctx *capturing(struct call *c);
tern_tensor *const *made_inside(struct call *c);
tern_status ignore_action(void *kept);
void ignore_step(void *user, const char *device, uint64_t step);

#endif
