/*
 * program.h: programs, the straight lines of steps that a MAP kernel applies at every position.
 *
 * A formula becomes a program (parse.c), a program its gradient program (gradient.c), and the operation
 * _map runs one (run.c), in one launch where the device has MAP and step by step elsewhere (steps.c). An
 * update writes into tensors that are there (update.c).
 *
 * While it is built, a program numbers its inputs from 0, its constants from TERN_P_CONSTANT and its
 * steps from TERN_P_STEP. Finished, it is the attributes of a MAP launch (tern/backend.h): one piece of
 * memory without pointers, which a node keeps as the text argument of its call.
 *
 * What is computed is decided while it is built: a step whose sources are constants becomes a constant,
 * a step that is there already is used again, and finishing leaves out what no output needs.
 */
#ifndef TERN_PROGRAM_H
#define TERN_PROGRAM_H

#include "functional/functional.h"
#include "tern/backend.h"

enum {
    TERN_P_INPUTS = 64, /* the most of each */
    TERN_P_OUTPUTS = 32,
    TERN_P_CONSTANTS = 256,
    TERN_P_STEPS = 1024,
    TERN_P_FORMULA_STEPS = 256, /* of a formula, so that there is room for its derivatives */
    TERN_P_CONSTANT = 0x1000,
    TERN_P_STEP = 0x2000,
    TERN_P_NONE = -1 /* no value */
};

typedef struct tern_program {
    int n_inputs, n_constants, n_steps, n_outputs;
    int limit;   /* of steps */
    bool full;   /* a step or a constant was too many */
    bool floats; /* some step or number needs floating arithmetic */
    int16_t outputs[TERN_P_OUTPUTS];
    double constants[TERN_P_CONSTANTS];
    tern_map_step steps[TERN_P_STEPS];
} tern_program;

/* ---- building (program.c) -------------------------------------------------------------------- */

/* Room for one in the open scope: it is too large for the stack of a small thread. NULL after latching. */
tern_program *tern_program_new(tern_ctx *ctx);
void tern_program_begin(tern_program *p, int n_inputs, int limit);

/* The value of a number; of a step over values. TERN_P_NONE, and p->full, where there is no room. */
int16_t tern_program_number(tern_program *p, double number);
int16_t tern_program_step(tern_program *p, int family, int fn, const int16_t source[4]);

/* Short spellings of the same. */
int16_t tern_program_unary(tern_program *p, int fn, int16_t a);
int16_t tern_program_binary(tern_program *p, int fn, int16_t a, int16_t b);

bool tern_program_is_constant(const tern_program *p, int16_t value, double *out_number);

/* True where the value is 0 or 1: a comparison, a logical or a classifying step. */
bool tern_program_is_logical(const tern_program *p, int16_t value);

/* How many sources a step of a family has, its factor aside. */
int tern_program_arity(int family);

/* Whether a step takes a factor as its last source. */
bool tern_program_takes_factor(int family, int fn);

/* Whether a step serves int64 programs. */
bool tern_program_is_integral(int family, int fn);

/* The finished program in the open scope, without what no output needs. The value is a string of
 * bytes; none after latching. */
tern_value tern_program_finish(tern_ctx *ctx, const tern_program *p, tern_dtype compute);

/* Which inputs an output needs, to `out_read`. */
void tern_program_reads(const tern_program *p, bool *out_read);

/* Numbers the inputs anew: input k becomes `order[k]`. */
void tern_program_reorder(tern_program *p, int n_inputs, const int16_t *order);

/* A finished program, by its bytes or, where it is kept (made.h), by its address; NULL where the bytes are
 * none. */
const tern_map_attrs *tern_program_of(tern_value program);

/* The finished program's inputs, constants and steps in a program that begins with those inputs; where
 * its values are now goes to `out_values`. False where there is no room. */
bool tern_program_append(tern_program *p, const tern_map_attrs *attrs, int16_t *out_values);

/* What a step gives for numbers, in double; false where that is not known here. */
bool tern_program_fold(int family, int fn, const double source[4], double *out_number);

/* ---- formulas (parse.c) ---------------------------------------------------------------------- */

typedef struct tern_program_name {
    const char *name;
    size_t length;
    int16_t value;
    bool used;
} tern_program_name;

/*
 * Puts a formula over named values into a program and returns its value. TERN_P_NONE where it is
 * malformed, with "column 7: ..." in out_message.
 */
int16_t tern_program_parse(tern_program *p, const char *formula, tern_program_name *names,
                           int n_names, char *out_message, size_t message_size);

/* The same for an update, whose names are its results: each name's value becomes what the formula makes
 * of it. */
bool tern_program_parse_update(tern_program *p, const char *formula, tern_program_name *names,
                               int n_names, char *out_message, size_t message_size);

/* ---- derivatives (gradient.c) ---------------------------------------------------------------- */

/*
 * The program of the gradients of `attrs` by the inputs that `wanted` marks. Its inputs are those of
 * attrs and then the gradients of the outputs that `given` marks; its outputs the wanted gradients.
 * False after latching: a step has no derivative, or there are too many.
 */
bool tern_program_gradient(tern_ctx *ctx, const tern_map_attrs *attrs, const bool *given,
                           const bool *wanted, tern_program *out);

/* ---- running (run.c) ------------------------------------------------------------------------- */

/* What is known of a program beside its bytes: whether it needs floating arithmetic, and which of its
 * outputs are 0 or 1 (a bit each). */
typedef struct tern_program_traits {
    bool floats;
    int n_outputs;
    uint32_t logical;
} tern_program_traits;
tern_program_traits tern_program_traits_of(const tern_program *p);

/* How many bytes a finished program has. */
size_t tern_program_size(const tern_map_attrs *attrs);

/* ---- the library's own (formula.c) ----------------------------------------------------------- */

/*
 * A formula of the library's over tensors and numbers, recorded: one launch, and one for its gradients. The
 * texts are literals: a program is found again by their addresses. names are separated by spaces, in the order of the values: FORMULA(ctx, "exp(x) - t * x", "x t",
 * ARG_TENSOR(x), ARG_TENSOR(t)). nil after latching.
 */
tern_tensor *tern_formula_call(tern_ctx *ctx, tern_dtype dtype, const char *formula,
                               const char *names, const tern_value *values, int count);
#define FORMULA(ctx, formula, names, ...)                                                          \
    FORMULA_AS(ctx, TERN_DTYPE_DEFAULT, formula, names, __VA_ARGS__)

/* The same with a dtype for the result: float32 parameters beside a float16 input widen what is computed,
 * and not what comes out. */
#define FORMULA_AS(ctx, dtype, formula, names, ...)                                                \
    tern_formula_call(ctx, dtype, formula, names, (const tern_value[]){__VA_ARGS__},               \
                      (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))

/* The same for several formulas over the same values, in one launch; a part that two of them name is
 * computed once. False after latching, all outputs nil. */
bool tern_formulas_call(tern_ctx *ctx, const char *const *formulas, int n_formulas,
                        const char *names, const tern_value *values, int count,
                        tern_tensor **outputs);

/* One tensor of the results, one behind the other along `dim`. nil after latching. */
tern_tensor *tern_formulas_joined(tern_ctx *ctx, int dim, const char *const *formulas,
                                  int n_formulas, const char *names, const tern_value *values,
                                  int count);

/* Written derivatives: the gradients of a node by formulas, one for each tensor input, of which those are
 * run that are needed; in one launch. */
void tern_formula_grads(tern_node *node, const char *const *formulas, const char *names,
                        const tern_value *values, int count, tern_tensor **grads);

#endif
