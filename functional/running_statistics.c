/*
 * running_statistics.c: what batch and instance norm remember of the batches that they have seen.
 *
 * One program of a result for each running tensor, which the kernel writes in place. Momentum, which may
 * change from batch to batch, is an operand, so that the program stays the same.
 */
#include "normalise.h"
#include "programs/program.h"
#include "programs/run.h"

typedef struct update {
    tern_program program;
    tern_program_name names[8]; /* of the inputs */
    tern_tensor *inputs[8];
    tern_tensor *targets[2];
} update;

static void add_input(update *u, const char *name, tern_tensor *tensor) {
    int k = u->program.n_inputs++;
    u->names[k] = (tern_program_name){name, 1, (int16_t)k, false};
    u->inputs[k] = tensor;
}

/* One more result, which goes into `target`. */
static void add_result(tern_ctx *ctx, update *u, const char *formula, tern_tensor *target) {
    char message[200];
    tern_program *p = &u->program;
    int16_t value = tern_program_parse(p, formula, u->names, p->n_inputs, message, sizeof message);
    if (value < 0) tern_fail(ctx, TERN_ERR_UNSUPPORTED, "'%s': %s", formula, message);
    u->targets[p->n_outputs] = target;
    p->outputs[p->n_outputs++] = value;
}

/* Whether a kernel may write the tensor itself; what forbids it is said by copy_. */
static bool takes_results(const tern_tensor *target) {
    return tern_dtype_is_floating(BODY(target)->dtype) && tern_is_contiguous(target) &&
           !(BODY(target)->flags & TERN_T_INFERENCE);
}

static bool run_in_place(tern_opcall *call, const update *u, const tern_map_attrs *attrs,
                         size_t size) {
    tern_tensor *views[8];
    tern_shape shape = tern_shape_of(u->targets[0]);
    for (int k = 0; k < attrs->n_inputs; k++) views[k] = tern_broadcast_view(u->inputs[k], &shape);
    for (int k = 0; k < attrs->n_outputs; k++)
        if (!takes_results(u->targets[k])) return false;
    if (call->ctx->status != TERN_OK ||
        !tern_try_launch(call->lane, TERN_KERNEL_MAP, attrs->n_steps, views, attrs->n_inputs,
                         u->targets, attrs->n_outputs, attrs, size))
        return false;
    for (int k = 0; k < attrs->n_outputs; k++)
        tern_storage_raise_version(BODY(u->targets[k])->storage);
    return true;
}

static void run(tern_opcall *call, const update *u, tern_dtype compute) {
    tern_value bytes = tern_program_finish(call->ctx, &u->program, compute);
    const tern_map_attrs *attrs = tern_program_of(bytes);
    tern_dtype dtypes[2] = {compute, compute};
    tern_tensor *fresh[2];
    if (call->ctx->status != TERN_OK || run_in_place(call, u, attrs, bytes.length) ||
        call->ctx->status != TERN_OK ||
        !tern_program_run(call, attrs, bytes.length, u->inputs, dtypes, fresh))
        return;
    for (int k = 0; k < attrs->n_outputs; k++) tern_copy_in_place(u->targets[k], fresh[k]);
}

/* The number as an operand. */
static tern_tensor *number(tern_opcall *call, tern_dtype compute, double value) {
    if (compute == TERN_FLOAT32) value = (double)(float)value;
    return tern_tensor_number(call->lane, compute, value, 0);
}

/* (n - 1) / n in float32 is 1 - 1 / n in float64, rounded, for every count that float32 holds. */
static const char *mean_formula(bool counts) {
    return counts ? "r * ((n - 1) / n) + f * (1 / n)" : "r * k + f * m";
}

static const char *var_formula(bool counts) {
    return counts ? "s * ((n - 1) / n) + v * c * (1 / n)" : "s * k + v * c * m";
}

/* How far the statistics move, in each formula's words: a momentum, which may change from batch to batch, is an
 * operand, and so is a count. */
static void add_momentum(tern_opcall *call, update *u, tern_dtype compute,
                         const tern_running_by *by) {
    if (by->batches) {
        add_input(u, "n", tern_to_dtype(by->batches, compute));
        return;
    }
    add_input(u, "k", number(call, compute, 1.0 - by->momentum));
    add_input(u, "m", number(call, compute, by->momentum));
}

void tern_update_running(tern_opcall *call, tern_tensor *running_mean, tern_tensor *mean,
                         tern_tensor *running_var, tern_tensor *var, const tern_running_by *by) {
    bool counts = by->batches != NULL;
    tern_scope quiet = tern_scope_begin(call->ctx, TERN_NO_GRAD);
    tern_tensor *any = running_mean ? running_mean : running_var;
    tern_tensor *fresh = running_mean ? mean : var;
    update *u = any ? tern_scope_alloc(call->ctx, sizeof *u) : NULL;
    if (u && call->ctx->status == TERN_OK) {
        bool wide = BODY(any)->dtype == TERN_FLOAT64 || BODY(fresh)->dtype == TERN_FLOAT64 ||
                    (running_var && BODY(running_var)->dtype == TERN_FLOAT64);
        tern_dtype compute = wide ? TERN_FLOAT64 : TERN_FLOAT32;
        tern_shape shape = tern_shape_of(any);
        tern_program_begin(&u->program, 0, TERN_P_FORMULA_STEPS);
        if (running_mean) add_input(u, "r", running_mean);
        if (running_mean) add_input(u, "f", tern_reshape(mean, shape));
        if (running_var) add_input(u, "s", running_var);
        if (running_var) add_input(u, "v", tern_reshape(var, shape));
        add_momentum(call, u, compute, by);
        if (running_var) add_input(u, "c", number(call, compute, by->correction));
        if (running_mean) add_result(call->ctx, u, mean_formula(counts), running_mean);
        if (running_var) add_result(call->ctx, u, var_formula(counts), running_var);
        if (call->ctx->status == TERN_OK) run(call, u, compute);
    }
    tern_scope_end(quiet);
}
