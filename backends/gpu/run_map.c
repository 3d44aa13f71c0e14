/*
 * UNARY, BINARY, TERNARY and MAP: a program of steps becomes the source of one kernel.
 *
 * The three families are programs of one step. A program is specialised by its steps and by its operands'
 * dtypes, and by nothing else: constants, immediates, shapes and strides are arguments, so that a learning
 * rate or another batch builds nothing. What a kernel gets by value is one array of i64,
 *
 *     count, rank, at[n], c[m], shape[R], stride[n][R]       n buffers, m numbers
 *
 * with R as large as 1,024 bytes of arguments allow, 16 for up to four operands. A program over tensors with
 * more dimensions than that, merged, is declined.
 *
 * Tuples of one dimension each, as an optimizer's are, share a start: as many of them as these bytes hold,
 *
 *     first[T + 1], at[T][n], step[T][n], c[m], immediates[T][i]
 *
 * where tuple t has the items from first[t] on. A start with fewer has the rest empty, so that their number
 * builds nothing either.
 *
 * A small launch of a program that is seldom used may go to the interpreter instead: run_interpret.c.
 */
#include <stdio.h>
#include <string.h>

#include "map.h"
#include "sources.h"
#include "steps.h"

#define CONSTANTS 64

#define MOST_ARGUMENTS (GPU_ARGUMENT_BYTES / 8) /* pointers, all of them */

int32_t gpu_map_buffers(const gpu_map_program *p) {
    int32_t count = p->n_outputs;
    for (int32_t k = 0; k < p->n_inputs; k++) count += !(p->immediates >> k & 1u);
    return count;
}

static int32_t numbers_of(const gpu_map_program *p) {
    return p->n_constants + p->n_inputs + p->n_outputs - gpu_map_buffers(p);
}

/* R: the dimensions that fit beside the rest. */
static int32_t rank_of(const gpu_map_program *p) {
    int32_t buffers = gpu_map_buffers(p), words = GPU_ARGUMENT_BYTES / 8 - (buffers + 1);
    int32_t rank = (words - 2 - buffers - numbers_of(p)) / (buffers + 1);
    return rank < GPU_RANK ? rank : GPU_RANK;
}

/* T: the tuples that fit into one start. */
static int32_t tuples_of(const gpu_map_program *p) {
    int32_t buffers = gpu_map_buffers(p), immediates = numbers_of(p) - p->n_constants;
    int32_t shared = 3 + p->n_constants; /* flag, first[T], and one number where there is none */
    return (GPU_ARGUMENT_BYTES / 8 - shared) / (1 + 3 * buffers + (immediates ? immediates : 1));
}

/* ---- the source ------------------------------------------------------------------------------ */

/* The kernel's parameters, and where it returns. */
static void put_parameters(gpu_text *t, const gpu_map_program *p, const char *items) {
    int32_t buffers = gpu_map_buffers(p), inputs = buffers - p->n_outputs;
    gpu_put(t, "KERNEL map(GLOBAL gpu_flag *flag");
    for (int32_t k = 0; k < p->tuples; k++)
        for (int32_t b = 0; b < buffers; b++)
            gpu_put(t, ", GLOBAL %su8 *q%d_%d", b < inputs ? "const " : "", (int)k, (int)b);
    gpu_put(t, ", launch a) {\n i64 i = ITEM;\n if (i >= a.%s) return;\n", items);
    if (p->skips) gpu_put(t, " if (flag->state) return;\n");
}

/* Pointers p and offsets o of one tuple's buffers. */
static void put_head(gpu_text *t, const gpu_map_program *p) {
    int32_t buffers = gpu_map_buffers(p), numbers = numbers_of(p), inputs = buffers - p->n_outputs;
    gpu_put(t,
            "typedef struct launch { i64 count, rank, at[%d], c[%d], shape[%d], stride[%d][%d]; } "
            "launch;\n",
            (int)buffers, numbers ? (int)numbers : 1, (int)p->rank, (int)buffers, (int)p->rank);
    put_parameters(t, p, "count");
    for (int32_t b = 0; b < buffers; b++)
        gpu_put(t, " GLOBAL %su8 *p%d = q0_%d;\n i64 o%d = a.at[%d];\n", b < inputs ? "const " : "",
                (int)b, (int)b, (int)b, (int)b);
    gpu_put(t, " if (a.rank == 1) {\n");
    for (int32_t b = 0; b < buffers; b++)
        gpu_put(t, "  o%d += i * a.stride[%d][0];\n", (int)b, (int)b);
    gpu_put(t, " } else for (i64 d = a.rank - 1; d >= 0; d--) {\n"
               "  i64 p = i %% a.shape[d];\n  i /= a.shape[d];\n");
    for (int32_t b = 0; b < buffers; b++)
        gpu_put(t, "  o%d += p * a.stride[%d][d];\n", (int)b, (int)b);
    gpu_put(t, " }\n");
}

/* The same of the tuple that the item belongs to. */
static void put_group_head(gpu_text *t, const gpu_map_program *p) {
    int32_t buffers = gpu_map_buffers(p), inputs = buffers - p->n_outputs, tuples = p->tuples;
    int32_t constants = p->n_constants, immediates = numbers_of(p) - constants;
    gpu_put(t,
            "typedef struct launch { i64 first[%d], at[%d][%d], step[%d][%d], c[%d], "
            "immediate[%d][%d]; "
            "} launch;\n",
            (int)tuples + 1, (int)tuples, (int)buffers, (int)tuples, (int)buffers,
            constants ? (int)constants : 1, (int)tuples, immediates ? (int)immediates : 1);
    char items[32];
    snprintf(items, sizeof items, "first[%d]", (int)tuples);
    put_parameters(t, p, items);
    gpu_put(t, " i32 t = 0;\n while (i >= a.first[t + 1]) t++;\n i -= a.first[t];\n");
    for (int32_t b = 0; b < buffers; b++) {
        gpu_put(t, " GLOBAL %su8 *p%d = q0_%d;\n", b < inputs ? "const " : "", (int)b, (int)b);
        for (int32_t k = 1; k < tuples; k++)
            gpu_put(t, " if (t == %d) p%d = q%d_%d;\n", (int)k, (int)b, (int)k, (int)b);
        gpu_put(t, " i64 o%d = a.at[t][%d] + i * a.step[t][%d];\n", (int)b, (int)b, (int)b);
    }
}

static void put_body(gpu_text *t, const gpu_map_program *p) {
    const gpu_steps_of steps = {p->number_class, p->element, p->n_inputs + p->n_constants,
                                p->n_steps, p->steps};
    int32_t b = 0, c = p->n_constants;
    for (int32_t k = 0; k < p->n_inputs; k++) {
        if (p->immediates >> k & 1u && p->tuples > 1)
            gpu_put(t, " num v%d = number_of(a.immediate[t][%d]);\n", (int)k,
                    (int)(c++ - p->n_constants));
        else if (p->immediates >> k & 1u)
            gpu_put(t, " num v%d = number_of(a.c[%d]);\n", (int)k, (int)c++);
        else
            gpu_put(t, " num v%d = load(%d, p%d, o%d);\n", (int)k, p->dtypes[k], (int)b, (int)b),
                b++;
    }
    for (int32_t k = 0; k < p->n_constants; k++)
        gpu_put(t, " num v%d = number_of(a.c[%d]);\n", (int)(p->n_inputs + k), (int)k);
    gpu_put_steps(t, &steps);
    for (int32_t k = 0; k < p->n_outputs; k++, b++)
        gpu_put(t, " store(%d, p%d, o%d, v%d);\n", p->dtypes[p->n_inputs + k], (int)b, (int)b,
                p->outputs[k]);
    gpu_put(t, "}\n");
}

#define SOURCE_BYTES 16384

/* What the program is found by, in the order of its struct. */
static void put_name(gpu_text *t, const gpu_map_program *p) {
    gpu_put(t, "/* map %d %d %d %d %d %d %d %d %d %u", p->number_class, p->n_inputs, p->n_outputs,
            p->n_constants, p->n_steps, p->skips, p->element, p->rank, p->tuples, p->immediates);
    for (int32_t k = 0; k < p->n_inputs + p->n_outputs; k++) gpu_put(t, " %d", p->dtypes[k]);
    for (int32_t k = 0; k < p->n_outputs; k++) gpu_put(t, " %d", p->outputs[k]);
    for (int32_t k = 0; k < p->n_steps; k++) {
        const tern_map_step *step = &p->steps[k];
        gpu_put(t, " %d %d %d %d %d %d", step->family, step->fn, step->source[0], step->source[1],
                step->source[2], step->source[3]);
    }
    gpu_put(t, " */\n");
}

static char *write_source(const gpu_device *device, const void *what) {
    const gpu_map_program *p = what;
    char defines[32];
    char *body = device->host->alloc(SOURCE_BYTES), *source = NULL;
    if (!body) return NULL;
    gpu_text t = {body, body + SOURCE_BYTES};
    put_name(&t, p);
    if (p->tuples > 1)
        put_group_head(&t, p);
    else
        put_head(&t, p);
    put_body(&t, p);
    const char *const bodies[] = {gpu_text_functions, body, NULL};
    snprintf(defines, sizeof defines, "#define CLASS %d\n", (int)p->number_class);
    source = gpu_compose(device, defines, bodies);
    device->host->free(body);
    return source;
}

int32_t gpu_map_find(const gpu_call *call, const gpu_map_program *p, gpu_program **out_program) {
    static const char *const entries[] = {"map", NULL};
    size_t size = offsetof(gpu_map_program, steps) + (size_t)p->n_steps * sizeof *p->steps;
    return gpu_find_written(call, p, size, write_source, p, entries, out_program);
}

/* ---- a launch -------------------------------------------------------------------------------- */

int64_t *gpu_map_put_immediates(const gpu_call *call, const gpu_map_program *p, int64_t *out) {
    for (int32_t k = 0; k < p->n_inputs; k++) {
        const tern_operand *operand = &call->inputs[k];
        if (!(p->immediates >> k & 1u)) continue;
        double f = tern_kit_is_floating(operand->dtype) ? operand->at.f : (double)operand->at.i;
        *out++ = gpu_bits(p->number_class, f, operand->at.i);
    }
    return out;
}

void gpu_map_walk_make(gpu_map_walk *out, const gpu_call *call, const gpu_map_program *p) {
    int32_t n = 0;
    for (int32_t k = 0; k < p->n_inputs; k++)
        if (!(p->immediates >> k & 1u)) out->operands[n++] = &call->inputs[k];
    for (int32_t k = 0; k < p->n_outputs; k++) out->operands[n++] = &call->outputs[k];
    out->buffers = n;
    gpu_walk_make(&out->walk, out->operands, n, 0);
}

static int32_t start_tuple(const gpu_call *call, const gpu_map_program *p, gpu_program *built,
                           const tern_map_constant *constants) {
    int64_t words[GPU_ARGUMENT_BYTES / 8];
    gpu_argument arguments[GPU_OPERANDS + 2] = {gpu_flag_argument(call)};
    gpu_map_walk w;
    gpu_map_walk_make(&w, call, p);
    int32_t n = w.buffers, numbers = numbers_of(p);
    int64_t *at = words;
    memset(words, 0, sizeof words);
    *at++ = w.walk.count;
    *at++ = w.walk.rank;
    for (int32_t b = 0; b < n; b++) *at++ = gpu_at(w.operands[b]);
    at = gpu_put_constants(p->number_class, constants, p->n_constants, at);
    at = gpu_map_put_immediates(call, p, at) + (numbers ? 0 : 1);
    memcpy(at, w.walk.shape, sizeof *at * (size_t)w.walk.rank);
    at += p->rank;
    for (int32_t b = 0; b < n; b++, at += p->rank)
        memcpy(at, w.walk.stride[b], sizeof *at * (size_t)w.walk.rank);
    for (int32_t b = 0; b < n; b++) arguments[1 + b] = gpu_of(w.operands[b]);
    arguments[1 + n] = (gpu_argument){NULL, words, (size_t)(at - words) * sizeof *at};
    return gpu_start(call, built, 0, arguments, n + 2, w.walk.count);
}

/* To the tuple after a call's. */
static void next_tuple(gpu_call *call, const gpu_map_program *p) {
    call->inputs += p->n_inputs;
    call->outputs += p->n_outputs;
}

/* Starts `count` tuples, up to T, the first of which is the call's. */
static int32_t start_group(const gpu_call *call, const gpu_map_program *p, gpu_program *built,
                           const tern_map_constant *constants, int32_t count) {
    int32_t buffers = gpu_map_buffers(p), immediates = numbers_of(p) - p->n_constants;
    int64_t words[GPU_ARGUMENT_BYTES / 8], items = 0;
    int64_t *first = words, *at = first + p->tuples + 1, *step = at + p->tuples * buffers;
    int64_t *numbers = step + p->tuples * buffers;
    gpu_argument arguments[MOST_ARGUMENTS] = {gpu_flag_argument(call)};
    gpu_call one = *call;
    memset(words, 0, sizeof words);
    int64_t *own = gpu_put_constants(p->number_class, constants, p->n_constants, numbers) +
                   (p->n_constants ? 0 : 1);
    for (int32_t t = 0; t < p->tuples; t++) {
        gpu_map_walk w;
        first[t] = items;
        gpu_map_walk_make(&w, &one, p);
        for (int32_t b = 0; b < buffers; b++) {
            arguments[1 + t * buffers + b] = gpu_of(w.operands[b]);
            at[t * buffers + b] = gpu_at(w.operands[b]);
            step[t * buffers + b] = w.walk.rank ? w.walk.stride[b][0] : 0;
        }
        gpu_map_put_immediates(&one, p, own + t * (immediates ? immediates : 1));
        if (t < count) items += w.walk.count;
        if (t + 1 < count) next_tuple(&one, p);
    }
    first[p->tuples] = items;
    own += p->tuples * (immediates ? immediates : 1);
    int32_t n = 1 + p->tuples * buffers;
    arguments[n] = (gpu_argument){NULL, words, (size_t)(own - words) * sizeof *own};
    return gpu_start(call, built, 0, arguments, n + 1, items);
}

/* The same by the interpreter, tuple by tuple. */
static int32_t interpret_group(const gpu_call *call, const gpu_map_program *p,
                               const tern_map_constant *constants, int32_t count) {
    gpu_call one = *call;
    int32_t status = TERN_BACKEND_OK;
    for (int32_t t = 0; t < count && status == TERN_BACKEND_OK; t++, next_tuple(&one, p))
        status = gpu_interpret(&one, p, constants);
    return status;
}

/* The most dimensions of a tuple. */
static int32_t deepest(const gpu_call *call, const gpu_map_program *p, int32_t tuples) {
    gpu_call one = *call;
    int32_t most = 0;
    for (int32_t t = 0; t < tuples; t++, next_tuple(&one, p)) {
        gpu_map_walk w;
        gpu_map_walk_make(&w, &one, p);
        if (w.walk.rank > most) most = w.walk.rank;
    }
    return most;
}

static int32_t run(const gpu_call *call, gpu_map_program *p, const tern_map_constant *constants) {
    int32_t tuples = call->n_outputs / p->n_outputs;
    for (int32_t k = 0; k < p->n_inputs; k++) {
        if (!call->inputs[k].buffer) p->immediates |= 1u << k;
        p->dtypes[k] = (int8_t)call->inputs[k].dtype;
    }
    for (int32_t k = 0; k < p->n_outputs; k++)
        p->dtypes[p->n_inputs + k] = (int8_t)call->outputs[k].dtype;
    p->rank = rank_of(p);
    p->tuples = 1;
    int32_t rank = deepest(call, p, tuples), together = tuples_of(p);
    if (p->rank < 1 || rank > p->rank) return TERN_BACKEND_DECLINED;
    if (tuples > 1 && rank <= 1 && together > 1) p->tuples = together;
    size_t size = offsetof(gpu_map_program, steps) + (size_t)p->n_steps * sizeof *p->steps;
    gpu_program *built = NULL;
    bool can_interpret = gpu_can_interpret(p, rank);
    if (can_interpret && gpu_interprets(call, p, size, &built))
        return gpu_interpret(call, p, constants);
    int32_t status = built ? TERN_BACKEND_OK : gpu_map_find(call, p, &built);
    if (status == TERN_BACKEND_DECLINED && can_interpret) status = TERN_BACKEND_OK;
    gpu_call one = *call;
    for (int32_t t = 0; t < tuples && status == TERN_BACKEND_OK; t += p->tuples) {
        int32_t left = tuples - t;
        if (!built)
            status = interpret_group(&one, p, constants, left < p->tuples ? left : p->tuples);
        else if (p->tuples > 1)
            status = start_group(&one, p, built, constants, left < p->tuples ? left : p->tuples);
        else
            status = start_tuple(&one, p, built, constants);
        for (int32_t k = 0; k < p->tuples && k < left; k++) next_tuple(&one, p);
    }
    return status;
}

int32_t gpu_map(const gpu_call *call) {
    const tern_map_attrs *attrs = call->attrs;
    gpu_map_program p;
    memset(&p, 0, sizeof p); /* padding too: the bytes are a key */
    if (attrs->n_inputs + attrs->n_outputs > GPU_OPERANDS || attrs->n_steps > GPU_STEPS ||
        attrs->n_constants > CONSTANTS)
        return TERN_BACKEND_DECLINED;
    p.number_class = attrs->compute == TERN_BT_FLOAT64 ? GPU_F64
                     : attrs->compute == TERN_BT_INT64 ? GPU_I64
                                                       : GPU_F32;
    p.n_inputs = attrs->n_inputs;
    p.n_outputs = attrs->n_outputs;
    p.n_constants = attrs->n_constants;
    p.n_steps = attrs->n_steps;
    p.skips = attrs->flags & TERN_MAP_SKIPS ? 1 : 0;
    p.element = -1;
    memcpy(p.outputs, tern_map_outputs(attrs), sizeof *p.outputs * (size_t)p.n_outputs);
    memcpy(p.steps, tern_map_steps(attrs), sizeof *p.steps * (size_t)p.n_steps);
    return run(call, &p, tern_map_constants(attrs));
}

/* One step of a family over the call's inputs, and where `constant` is not NULL over that number as well. */
static int32_t run_step(const gpu_call *call, int32_t fn, int32_t element,
                        const tern_map_constant *constant) {
    gpu_map_program p;
    memset(&p, 0, sizeof p);
    p.number_class = gpu_class(call);
    p.n_inputs = call->n_inputs;
    p.n_outputs = 1;
    p.n_constants = constant != NULL;
    p.n_steps = 1;
    p.element = element;
    p.outputs[0] = (int16_t)(p.n_inputs + p.n_constants);
    p.steps[0] = (tern_map_step){(int16_t)call->kernel, (int16_t)fn, {-1, -1, -1, -1}};
    for (int32_t k = 0; k < p.n_inputs + p.n_constants; k++) p.steps[0].source[k] = (int16_t)k;
    return run(call, &p, constant);
}

int32_t gpu_unary(const gpu_call *call) {
    int32_t fn = ((const tern_unary_attrs *)call->attrs)->fn;
    /* ~x of a bool is its negation: ~1 is -2, which would be true again */
    if (fn == TERN_UNARY_BITWISE_NOT && call->inputs[0].dtype == TERN_BT_BOOL)
        fn = TERN_UNARY_LOGICAL_NOT;
    return run_step(call, fn, -1, NULL);
}

int32_t gpu_binary(const gpu_call *call) {
    const tern_binary_attrs *attrs = call->attrs;
    bool adds = attrs->fn == TERN_BINARY_ADD || attrs->fn == TERN_BINARY_SUB;
    bool floating = gpu_class(call) != GPU_I64;
    bool scaled = adds && (floating ? attrs->alpha != 1 : attrs->alpha_i != 1);
    tern_map_constant factor;
    if (floating)
        factor.f = attrs->alpha;
    else
        factor.i = attrs->alpha_i;
    bool by_element = attrs->fn == TERN_BINARY_NEXTAFTER || attrs->fn == TERN_BINARY_SHIFT_LEFT ||
                      attrs->fn == TERN_BINARY_SHIFT_RIGHT;
    return run_step(call, attrs->fn, by_element ? call->inputs[0].dtype : -1,
                    scaled ? &factor : NULL);
}

int32_t gpu_ternary(const gpu_call *call) {
    const tern_ternary_attrs *attrs = call->attrs;
    bool has_value = attrs->fn == TERN_TERNARY_ADDCMUL || attrs->fn == TERN_TERNARY_ADDCDIV;
    bool floating = gpu_class(call) != GPU_I64;
    bool scaled = has_value && (floating ? attrs->value != 1 : attrs->value_i != 1);
    tern_map_constant factor;
    if (floating)
        factor.f = attrs->value;
    else
        factor.i = attrs->value_i;
    return run_step(call, attrs->fn, -1, scaled ? &factor : NULL);
}
