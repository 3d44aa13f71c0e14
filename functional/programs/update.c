/*
 * update.c: programs that write into tensors, over many tuples.
 *
 * One launch of MAP does them all. A device without MAP runs each tuple step by step, in buffers that are
 * as large as the largest tuple needs: a run's extra memory does not grow with the number of tuples.
 *
 * Whether kernels and memory are there is found out by a rehearsal on single elements: of MAP once for each
 * program and device, of the steps before every run, since it also makes their buffers.
 */
#include "tern/update.h"

#include <string.h>

#include "core/call/fused.h"
#include "core/call/recorder.h"
#include "core/call/tuples.h"
#include "core/context/lane.h"
#include "core/context/scope.h"
#include "core/memory/arena.h"
#include "core/ops/compose.h"
#include "run.h"

enum { MOST_TENSORS = 16, MOST_NUMBERS = TERN_P_INPUTS - MOST_TENSORS };

struct tern_updater {
    tern_updater *next;
    tern_ctx *ctx;
    tern_update_rule rule;
    uint32_t flags;
    tern_dtype dtype;
    const tern_map_attrs *attrs; /* behind this */
    size_t size;
    int n_tensors, n_numbers;      /* of the rule: how far a tuple is from the next */
    int16_t inputs[TERN_P_INPUTS]; /* tensor i, or ~i: number i */
    int16_t outputs[MOST_TENSORS]; /* tensor i */
    uint32_t rehearsed, in_steps;  /* bit i: lane i of the context; whether it has no MAP */
};

typedef struct update_run {
    tern_update_run *handle;
    tern_updater *update;
    tern_lane *lane;
    tern_tuples tuples; /* without those that are empty */
    bool in_steps;
    tern_step_pool pool;
} update_run;

/* ---- programs -------------------------------------------------------------------------------- */

typedef struct names {
    tern_program_name all[TERN_P_INPUTS];
    int count;
} names;

/* Adds the names of a text; how many that were. */
static int read_names(names *out, const char *text) {
    int first = out->count;
    while (text && *text && out->count < TERN_P_INPUTS) {
        size_t length = strcspn(text, " ");
        out->all[out->count] = (tern_program_name){text, length, (int16_t)out->count, false};
        out->count++;
        text += length + strspn(text + length, " ");
    }
    return out->count - first;
}

/* The tensors that get a value are outputs. One that only takes another's is copied by a step, so that all
 * is read before anything is written. */
static void find_outputs(tern_updater *u, const names *n, tern_dtype compute, tern_program *p) {
    for (int k = 0; k < u->n_tensors; k++) {
        int16_t value = n->all[k].value;
        if (value == k) continue;
        if (value < p->n_inputs)
            value = tern_program_step(p, TERN_KERNEL_COPY, (int)compute,
                                      (const int16_t[]){value, -1, -1, -1});
        u->outputs[p->n_outputs] = (int16_t)k;
        p->outputs[p->n_outputs++] = value;
    }
}

/* Leaves only the inputs that are read. */
static void find_inputs(tern_updater *u, tern_program *p) {
    bool read[TERN_P_INPUTS];
    int16_t order[TERN_P_INPUTS] = {0};
    int count = 0;
    tern_program_reads(p, read);
    for (int k = 0; k < p->n_inputs; k++) {
        if (!read[k]) continue;
        u->inputs[count] = (int16_t)(k < u->n_tensors ? k : ~(k - u->n_tensors));
        order[k] = (int16_t)count++;
    }
    tern_program_reorder(p, count, order);
}

static bool refuse(tern_ctx *ctx, const char *formula, const char *problem) {
    tern_fail(ctx, TERN_ERR_ARGUMENT, "the update '%.60s': %s", formula ? formula : "", problem);
    return false;
}

/* The updater's rule as a program, and its numbers of tensors and numbers. False after latching. */
static bool parse(tern_updater *u, names *n, tern_program *p) {
    char message[200];
    const char *formula = u->rule.formula;
    u->n_tensors = read_names(n, u->rule.tensors);
    u->n_numbers = read_names(n, u->rule.numbers);
    int inputs = n->count, n_flags = read_names(n, u->rule.flags);
    if (u->n_tensors > MOST_TENSORS) return refuse(u->ctx, formula, "more than 16 tensors");
    if (tern_dtype_is_complex(u->dtype))
        return refuse(u->ctx, formula,
                      "of complex numbers: make tern_view_as_complex of a real parameter");
    if (!tern_dtype_is_floating(u->dtype)) return refuse(u->ctx, formula, "of integers");
    tern_program_begin(p, inputs, TERN_P_FORMULA_STEPS);
    for (int k = 0; k < n_flags; k++)
        n->all[inputs + k].value = tern_program_number(p, u->flags >> k & 1u);
    return tern_program_parse_update(p, formula, n->all, n->count, message, sizeof message) ||
           refuse(u->ctx, formula, message);
}

static bool same_rule(const tern_update_rule *a, const tern_update_rule *b) {
    return a->formula == b->formula && a->tensors == b->tensors && a->numbers == b->numbers &&
           a->flags == b->flags;
}

/* A program in the memory of the context. NULL after latching. */
static tern_updater *updater_new(tern_ctx *ctx, const tern_update_rule *rule, uint32_t flags,
                                 tern_dtype dtype) {
    tern_updater made = {.ctx = ctx, .rule = *rule, .flags = flags, .dtype = dtype};
    tern_program *p = tern_program_new(ctx);
    names n = {.count = 0};
    if (!p || !parse(&made, &n, p)) return NULL;
    find_outputs(&made, &n, tern_wide_dtype(dtype), p);
    find_inputs(&made, p);
    if (p->n_inputs == 0 || p->n_outputs == 0) {
        refuse(ctx, rule->formula, "it reads or writes nothing");
        return NULL;
    }
    tern_value bytes = tern_program_finish(ctx, p, tern_wide_dtype(dtype));
    if (ctx->status != TERN_OK) return NULL;
    tern_updater *u = tern_frame_alloc(ctx->root, sizeof *u + bytes.length);
    if (!u) return NULL;
    made.size = bytes.length;
    made.next = ctx->updaters;
    *u = made;
    tern_map_attrs *attrs = memcpy(u + 1, bytes.as.s, bytes.length);
    attrs->flags = TERN_MAP_SKIPS;
    u->attrs = attrs;
    return ctx->updaters = u;
}

tern_updater *tern_updater_of(tern_ctx *ctx, const tern_update_rule *rule, uint32_t flags,
                              tern_dtype dtype) {
    if (*tern_error(ctx)) return NULL;
    if (!rule || !rule->formula) {
        refuse(ctx, NULL, "there is no formula");
        return NULL;
    }
    for (tern_updater *u = ctx->updaters; u; u = u->next)
        if (same_rule(&u->rule, rule) && u->flags == flags && u->dtype == dtype) return u;
    tern_scope scope = tern_scope_inner(ctx);
    tern_updater *u = scope.serial ? updater_new(ctx, rule, flags, dtype) : NULL;
    tern_scope_end(scope);
    return u;
}

/* ---- tuples ---------------------------------------------------------------------------------- */

static tern_tensor **tuple_of(const update_run *run, int which) {
    return (tern_tensor **)(uintptr_t)run->tuples.tensors +
           (size_t)which * (size_t)run->tuples.tensor_stride;
}

static const double **numbers_of(const update_run *run, int which) {
    return (const double **)(uintptr_t)run->tuples.numbers + which;
}

static tern_shape shape_of(const tern_updater *u, tern_tensor *const *tensors) {
    return tern_shape_of(tensors[u->outputs[0]]);
}

/* Latches what is wrong with one tensor; where it is written, an element must not be there twice. */
static bool fits(const update_run *run, const tern_tensor *tensor, bool written) {
    const char *problem = !tern_is_live(tensor) || tern_is_nil(tensor) ? "is missing"
                          : BODY(tensor)->ctx != run->update->ctx      ? "is of another context"
                          : BODY(tensor)->lane != run->lane            ? "is on another device"
                          : written && tern_has_overlap(tensor)
                              ? "has elements that share memory: tern_clone first"
                              : NULL;
    if (problem) tern_fail(run->update->ctx, TERN_ERR_STATE, "an update: a tensor %s", problem);
    return !problem;
}

/* One tuple, checked, its inputs broadcast. False after latching. */
static bool add_tuple(update_run *run, tern_tensor *const *tensors, const double *numbers) {
    const tern_updater *u = run->update;
    tern_tensor **out = tuple_of(run, run->tuples.count);
    for (int k = 0; k < u->attrs->n_outputs; k++)
        if (!fits(run, tensors[u->outputs[k]], true)) return false;
    if (BODY(tensors[u->outputs[0]])->numel == 0) return true;
    tern_shape shape = shape_of(u, tensors);
    memcpy(out, tensors, (size_t)u->n_tensors * sizeof *out);
    for (int k = 0; k < u->attrs->n_inputs; k++) {
        int i = u->inputs[k];
        if (i < 0) continue;
        if (!fits(run, tensors[i], false)) return false;
        if (!tern_same_shape(tensors[i], tensors[u->outputs[0]]))
            out[i] = tern_broadcast_view(tensors[i], &shape);
        if (tern_is_nil(out[i])) return false;
    }
    *numbers_of(run, run->tuples.count) = numbers;
    run->tuples.count++;
    return true;
}

/* A multiple of `size`, in the open scope; NULL after latching. */
static void *array(tern_ctx *ctx, size_t count, int each, size_t size) {
    size_t most = SIZE_MAX / 4 / size / (size_t)(each + 1);
    return tern_scope_alloc(ctx, (count < most ? count : most) * (size_t)(each + 1) * size);
}

static update_run *run_new(tern_updater *u, tern_tensor *const *tensors, const double *numbers,
                           size_t count) {
    update_run *run = tern_scope_alloc(u->ctx, sizeof *run);
    if (!run) return NULL;
    run->update = u;
    run->handle = tern_handle_new(u->ctx, "run of an updater", run);
    if (!run->handle || count == 0) return run->handle ? run : NULL;
    if (!tern_usable(tensors[u->outputs[0]], "tern_updater_prepare")) return NULL;
    run->lane = BODY(tensors[u->outputs[0]])->lane;
    run->tuples = (tern_tuples){.program = u->attrs,
                                .program_size = u->size,
                                .inputs = u->inputs,
                                .outputs = u->outputs,
                                .tensors = array(u->ctx, count, u->n_tensors, sizeof *tensors),
                                .numbers = array(u->ctx, count, 0, sizeof *run->tuples.numbers),
                                .tensor_stride = u->n_tensors};
    if (!run->tuples.tensors || !run->tuples.numbers) return NULL;
    for (size_t i = 0; i < count; i++)
        if (!add_tuple(run, tensors + i * (size_t)u->n_tensors,
                       u->n_numbers ? numbers + i * (size_t)u->n_numbers : NULL))
            return NULL;
    return run;
}

/* ---- step by step ---------------------------------------------------------------------------- */

static void run_in_steps(update_run *run, tern_tensor *const *tensors, const double *numbers) {
    const tern_updater *u = run->update;
    const tern_map_attrs *attrs = u->attrs;
    tern_tensor *operands[TERN_P_INPUTS], *views[TERN_P_INPUTS], *outputs[MOST_TENSORS];
    tern_dtype compute = (tern_dtype)attrs->compute;
    tern_shape shape = shape_of(u, tensors);
    tern_scope scope = tern_scope_inner(u->ctx);
    for (int k = 0; k < attrs->n_inputs; k++) {
        int i = u->inputs[k];
        double number = i < 0 ? numbers[~i] : 0;
        if (compute == TERN_FLOAT32) number = (double)(float)number;
        operands[k] = i < 0 ? tern_tensor_number(run->lane, compute, number, 0) : tensors[i];
        views[k] = tern_broadcast_view(operands[k], &shape);
    }
    for (int k = 0; k < attrs->n_outputs; k++) outputs[k] = tensors[u->outputs[k]];
    if (u->ctx->status == TERN_OK)
        tern_program_run_steps(run->lane, attrs, &run->pool, &shape, operands, views, outputs);
    tern_scope_end(scope);
}

static void size_pool(update_run *run) {
    int64_t most = 1;
    for (int t = 0; t < run->tuples.count; t++) {
        int64_t numel = BODY(tuple_of(run, t)[run->update->outputs[0]])->numel;
        if (numel > most) most = numel;
    }
    run->pool.frame = run->update->ctx->top;
    run->pool.bytes = most * (int64_t)tern_dtype_size((tern_dtype)run->update->attrs->compute);
}

/* ---- rehearsals ------------------------------------------------------------------------------ */

static uint32_t bit_of(const tern_lane *lane) {
    int i = 0;
    while (lane->ctx->lanes[i] != lane) i++;
    return 1u << i;
}

static bool is_in_steps(const update_run *run) {
    const tern_updater *u = run->update;
    return u->in_steps & bit_of(run->lane) || tern_is_composed(u->ctx, TERN_KERNEL_MAP);
}

/* Tensors of one element in the place of the first tuple's. */
static void make_trial(const update_run *run, tern_tensor **out) {
    const tern_updater *u = run->update;
    tern_tensor *const *like = tuple_of(run, 0);
    int64_t ones[TERN_MAX_RANK];
    for (int d = 0; d < TERN_MAX_RANK; d++) ones[d] = 1;
    memset(out, 0, MOST_TENSORS * sizeof(tern_tensor *));
    for (int k = 0; k < u->attrs->n_inputs + u->attrs->n_outputs; k++) {
        int i = k < u->attrs->n_inputs ? u->inputs[k] : u->outputs[k - u->attrs->n_inputs];
        if (i < 0 || out[i]) continue;
        out[i] = tern_tensor_new(run->lane, BODY(like[i])->dtype, BODY(like[i])->rank, ones);
        tern_fill_raw(out[i], 1, 1);
    }
}

/* False after latching. Finds out whether the program runs step by step. */
static bool rehearse(update_run *run) {
    tern_updater *u = run->update;
    tern_ctx *ctx = u->ctx;
    tern_tensor *trial[MOST_TENSORS];
    tern_tuples one = run->tuples;
    uint32_t bit = bit_of(run->lane);
    tern_scope scope = tern_scope_inner(ctx);
    make_trial(run, trial);
    one.count = 1;
    one.tensors = trial;
    bool fused = is_in_steps(run) || u->rehearsed & bit ||
                 (ctx->status == TERN_OK && tern_tuples_supported(run->lane, &one) &&
                  tern_tuples_prepare(run->lane, &one) && tern_tuples_launch(run->lane, &one));
    if (ctx->status == TERN_OK && !fused) u->in_steps |= bit;
    run->in_steps = is_in_steps(run);
    if (ctx->status == TERN_OK && run->in_steps) run_in_steps(run, trial, *numbers_of(run, 0));
    tern_scope_end(scope);
    if (ctx->status == TERN_OK && !tern_is_composed(ctx, TERN_KERNEL_MAP)) u->rehearsed |= bit;
    return ctx->status == TERN_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

/* A step by step run does not skip, and not every device can: what goes before it must be known to be
 * right. */
static bool wait_where_it_cannot_skip(const update_run *run) {
    if (!run->lane->queue || (run->lane->skip_flag && !run->in_steps)) return true;
    return tern_lane_synchronize(run->lane) == TERN_OK;
}

/* Makes the run's steps and launches known to work. False after latching. */
static bool make_sure(update_run *run) {
    const tern_updater *u = run->update;
    uint32_t bit = bit_of(run->lane);
    size_pool(run);
    run->in_steps = is_in_steps(run);
    if ((!(u->rehearsed & bit) || run->in_steps) && !rehearse(run)) return false;
    return wait_where_it_cannot_skip(run) &&
           (run->in_steps || tern_tuples_prepare(run->lane, &run->tuples));
}

tern_update_run *tern_updater_prepare(tern_updater *u, tern_tensor *const *tensors,
                                      const double *numbers, size_t count) {
    if (!u || u->ctx->status != TERN_OK) return NULL;
    bool given = tensors && (numbers || u->n_numbers == 0);
    if (!given || count > INT32_MAX) {
        tern_fail(u->ctx, TERN_ERR_ARGUMENT, "tern_updater_prepare: %s",
                  given ? "too many tuples" : "tensors or numbers are NULL");
        return NULL;
    }
    update_run *run = run_new(u, tensors, numbers, count);
    if (!run || (run->tuples.count > 0 && !make_sure(run))) return NULL;
    return tern_reserve(u->ctx) == TERN_OK ? run->handle : NULL;
}

tern_status tern_update_start(tern_update_run *handle) {
    update_run *run = tern_handle_object(handle, "run of an updater", "tern_update_start");
    if (!run) return tern_handle_status(handle);
    const tern_updater *u = run->update;
    tern_ctx *ctx = u->ctx;
    if (run->in_steps)
        tern_cannot_replay(ctx,
                           "the device has no fused kernel for the update, whose numbers change");
    bool done = ctx->status == TERN_OK && run->tuples.count > 0 && !run->in_steps &&
                tern_tuples_launch(run->lane, &run->tuples);
    for (int t = 0; t < run->tuples.count && ctx->status == TERN_OK; t++) {
        tern_tensor *const *tensors = tuple_of(run, t);
        if (!done) run_in_steps(run, tensors, *numbers_of(run, t));
        for (int k = 0; k < u->attrs->n_outputs; k++)
            tern_storage_raise_version(BODY(tensors[u->outputs[k]])->storage);
    }
    return ctx->status;
}
