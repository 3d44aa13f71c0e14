/*
 * A program of MAP step by step, by one kernel for all of them: kernels/interpret.inc.
 *
 * A driver takes a tenth of a second and more to compile a program, and a small launch is done in microseconds
 * whichever way. So a process compiles, of each class of numbers, as many programs as take as long to compile as the
 * interpreter, and interprets those that it meets after these, each until that was as much work as compiling it.
 * Programs over float32 alone are what models are made of: of these ten times as many are compiled first. A large
 * launch is interpreted only where nothing compiles. Both ways compute the same values, bit for bit
 * (tests/opencl/interpreted.c), so that no result depends on what a process did before.
 */
#include <stdio.h>
#include <string.h>

#include "map.h"
#include "members.h"
#include "sources.h"
#include "steps.h"

#define SOURCE_BYTES 32768

/* ---- the source ------------------------------------------------------------------------------ */

/* How a step begins in the words of a launch; its four sources follow, 8 bits each. */
static int64_t code_of(int32_t family, int32_t fn, bool scaled) {
    return fn + 256 * family + (scaled ? GPU_INTERPRET_SCALED : 0);
}

/* A member's case: its call over the values of the step. */
static void put_case(gpu_text *t, int32_t number_class, int32_t family, int32_t fn, bool scaled) {
    int32_t values = family - TERN_KERNEL_UNARY + 1 + scaled;
    const gpu_steps_of of = {.number_class = number_class, .element = -1};
    tern_map_step step = {(int16_t)family, (int16_t)fn, {-1, -1, -1, -1}};
    for (int32_t s = 0; s < values; s++) step.source[s] = (int16_t)s;
    gpu_put(t, "    case %d: return ", (int)code_of(family, fn, scaled));
    gpu_put_call(t, &of, &step);
    gpu_put(t, ";\n");
}

static bool is_scaled(int32_t family, int32_t fn, int32_t number_class) {
    if (family == TERN_KERNEL_BINARY) return fn == TERN_BINARY_ADD || fn == TERN_BINARY_SUB;
    return family == TERN_KERNEL_TERNARY &&
           (fn == TERN_TERNARY_ADDCMUL || (fn == TERN_TERNARY_ADDCDIV && number_class != GPU_I64));
}

static void put_members(gpu_text *t, int32_t number_class) {
    int32_t dtype = number_class == GPU_I64 ? TERN_BT_INT64 : TERN_BT_FLOAT32;
    bool (*const has[])(int32_t, int32_t) = {gpu_unary_has, gpu_binary_has, gpu_ternary_has};
    gpu_put(t, "FUNCTION num value_of(i32 code, GLOBAL gpu_flag *flag, num v0, num v1, num v2, "
               "num v3) {\n    switch (code) {\n");
    for (int32_t family = TERN_KERNEL_UNARY; family <= TERN_KERNEL_TERNARY; family++)
        for (int32_t fn = 1; fn < 256; fn++) {
            if (!has[family - TERN_KERNEL_UNARY](fn, dtype)) continue;
            put_case(t, number_class, family, fn, false);
            if (is_scaled(family, fn, number_class)) put_case(t, number_class, family, fn, true);
        }
    gpu_put(t, "    default: return rounded_to(code & 255, v0);\n    }\n}\n");
}

static char *write_source(const gpu_device *device, const void *what) {
    int32_t number_class = *(const int32_t *)what;
    char defines[64];
    char *members = device->host->alloc(SOURCE_BYTES);
    if (!members) return NULL;
    gpu_text t = {members, members + SOURCE_BYTES};
    put_members(&t, number_class);
    snprintf(defines, sizeof defines, "/* interpret %d */\n#define CLASS %d\n", (int)number_class,
             (int)number_class);
    const char *const bodies[] = {gpu_text_functions, members, gpu_text_interpret, NULL};
    char *source = gpu_compose(device, defines, bodies);
    device->host->free(members);
    return source;
}

/* ---- a launch -------------------------------------------------------------------------------- */

static bool is_plain(const gpu_map_program *p) {
    for (int32_t k = 0; k < p->n_inputs + p->n_outputs; k++)
        if (p->dtypes[k] != TERN_BT_FLOAT32) return false;
    return true;
}

bool gpu_can_interpret(const gpu_map_program *p, int32_t rank) {
    int32_t immediates = p->n_inputs - (gpu_map_buffers(p) - p->n_outputs);
    int32_t values = p->n_inputs + p->n_constants + p->n_steps;
    return p->element < 0 && rank <= GPU_INTERPRET_RANK &&
           gpu_map_buffers(p) <= GPU_INTERPRET_BUFFERS && p->n_inputs <= 32 &&
           values <= GPU_INTERPRET_VALUES &&
           immediates + p->n_constants + p->n_steps + p->n_outputs <= GPU_INTERPRET_WORDS;
}

bool gpu_interprets(const gpu_call *call, const gpu_map_program *p, size_t key_size,
                    gpu_program **out_program) {
    if (call->n_outputs != p->n_outputs || gpu_count(call->outputs) > GPU_SMALL) return false;
    uint64_t work = (uint64_t)gpu_count(call->outputs) * (uint64_t)(p->n_steps + 1);
    int32_t group = is_plain(p) ? GPU_PLAIN : p->number_class;
    return !gpu_builds_now(call, p, key_size, group, work, out_program);
}

static int64_t *put_steps(const gpu_map_program *p, int64_t *out) {
    for (int32_t k = 0; k < p->n_steps; k++) {
        const tern_map_step *step = &p->steps[k];
        int32_t arity = step->family - TERN_KERNEL_UNARY + 1; /* 0: COPY */
        bool scaled = arity > 1 && step->source[arity] >= 0;
        *out = code_of(step->family, step->fn, scaled);
        for (int32_t s = 0; s < 4; s++)
            if (step->source[s] >= 0) *out |= (int64_t)step->source[s] << (16 + 8 * s);
        out++;
    }
    for (int32_t k = 0; k < p->n_outputs; k++) *out++ = p->outputs[k];
    return out;
}

static void fill(gpu_interpret_launch *l, const gpu_call *call, const gpu_map_program *p,
                 const gpu_map_walk *walk, const tern_map_constant *constants) {
    *l = (gpu_interpret_launch){.count = walk->walk.count,
                                .rank = walk->walk.rank,
                                .inputs = p->n_inputs,
                                .constants = p->n_constants,
                                .steps = p->n_steps,
                                .outputs = p->n_outputs,
                                .skips = p->skips,
                                .immediates = (i32)p->immediates};
    memcpy(l->shape, walk->walk.shape, sizeof *l->shape * (size_t)l->rank);
    for (int32_t b = 0; b < walk->buffers; b++) {
        l->at[b] = gpu_at(walk->operands[b]);
        l->dtypes |= (int64_t)walk->operands[b]->dtype << 4 * b;
        memcpy(l->stride[b], walk->walk.stride[b], sizeof **l->stride * (size_t)l->rank);
    }
    int64_t *words = gpu_map_put_immediates(call, p, l->words);
    put_steps(p, gpu_put_constants(p->number_class, constants, p->n_constants, words));
}

int32_t gpu_interpreter_find(const gpu_call *call, int32_t number_class,
                             gpu_program **out_program) {
    static const char *const entries[] = {"interpret", NULL};
    const int64_t key[] = {GPU_SOURCE_COUNT, number_class};
    return gpu_find_written(call, key, sizeof key, write_source, &number_class, entries,
                            out_program);
}

int32_t gpu_interpret(const gpu_call *call, const gpu_map_program *p,
                      const tern_map_constant *constants) {
    gpu_interpret_launch l;
    gpu_map_walk walk;
    gpu_program *built;
    int32_t status = gpu_interpreter_find(call, p->number_class, &built);
    if (status != TERN_BACKEND_OK) return status;
    gpu_map_walk_make(&walk, call, p);
    fill(&l, call, p, &walk, constants);
    /* a kernel has all its pointers, so that those left are the first once more */
    gpu_argument arguments[GPU_INTERPRET_BUFFERS + 2] = {gpu_flag_argument(call)};
    for (int32_t b = 0; b < GPU_INTERPRET_BUFFERS; b++)
        arguments[1 + b] = gpu_of(walk.operands[b < walk.buffers ? b : 0]);
    arguments[1 + GPU_INTERPRET_BUFFERS] = GPU_VALUE(l);
    return gpu_start(call, built, 0, arguments, GPU_COUNT_OF(arguments), l.count);
}
