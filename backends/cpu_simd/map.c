/*
 * map.c: a launch of MAP: its tuples, one behind the other, cut into spans of positions that threads share.
 *
 * Spans depend on the tuples alone, and a position's result on nothing else. A small launch is run where
 * it is, on the stack.
 */
#include "map.h"

#include <inttypes.h>

#include "kernels.h"

enum {
    SPAN = 16 * 1024,      /* positions of a span */
    STACK_PLAN = 4 * 1024, /* bytes */
    STACK_SPACE = MAP_SPACE + 4 * 1024
};

typedef struct job {
    const tern_kit_call *call; /* for scratch memory */
    tern_kit_device *device;
    const tern_map_attrs *program;
    const map_compiled *compiled; /* NULL: the plan */
    map_plan plan;
    const tern_operand *inputs, *outputs;
    int32_t tuples;
    int64_t *starts; /* the position of each tuple's first, and of the end; NULL of one tuple */
    tern_backend_error *err;
    int32_t status;
} job;

static int64_t count_of(const tern_operand *operand) {
    int64_t count = 1;
    for (int32_t d = 0; d < operand->rank; d++) count *= operand->shape[d];
    return count;
}

static const tern_operand *output_of(const job *j, int32_t tuple) {
    return j->outputs + (ptrdiff_t)tuple * j->program->n_outputs;
}

/* The addresses of a tuple's operands, NULL of numbers. False, with a message, where there is none. */
static bool reach(const job *j, const tern_operand *operands, int32_t n, char **out_reached) {
    for (int32_t k = 0; k < n; k++) {
        out_reached[k] = NULL;
        if (!operands[k].buffer) continue;
        char *base = j->device->memory->reach(&j->device->base, operands[k].buffer, j->err);
        if (!base) return false;
        out_reached[k] = base + operands[k].at.byte_offset;
    }
    return true;
}

/* Positions begin to end of a tuple. */
static int32_t run_tuple(const job *j, int32_t which, int64_t begin, int64_t end, char *space) {
    const tern_map_attrs *p = j->program;
    const tern_operand *in = j->inputs + (ptrdiff_t)which * p->n_inputs, *out = output_of(j, which);
    char *reached[TERN_KIT_OPERANDS];
    map_tuple t;
    if (j->compiled && tern_simd_map_run_plain(j->compiled, j->device, in, out, begin, end))
        return TERN_BACKEND_OK;
    if (!reach(j, in, p->n_inputs, reached) || !reach(j, out, p->n_outputs, reached + p->n_inputs))
        return TERN_BACKEND_FAILED;
    tern_simd_map_read(&t, p, in, out, reached);
    if (j->compiled)
        tern_simd_map_run_compiled(j->compiled, &t, begin, end, space);
    else
        tern_simd_map_run(&j->plan, &t, begin, end, space);
    return TERN_BACKEND_OK;
}

/* The tuple that a position is of. */
static int32_t tuple_at(const job *j, int64_t position) {
    int32_t low = 0, high = j->tuples;
    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;
        if (j->starts[middle] <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Positions of all tuples, one behind the other. */
static int32_t run_positions(const job *j, int64_t begin, int64_t end, char *space) {
    if (!j->starts) return run_tuple(j, 0, begin, end, space);
    int32_t status = TERN_BACKEND_OK;
    for (int32_t t = tuple_at(j, begin); begin < end && status == TERN_BACKEND_OK; t++) {
        int64_t first = j->starts[t], next = j->starts[t + 1], stop = end < next ? end : next;
        status = run_tuple(j, t, begin - first, stop - first, space);
        begin = next;
    }
    return status;
}

/* The same with memory for rows. */
static int32_t run_with_space(const job *j, int64_t begin, int64_t end) {
    _Alignas(MAP_ALIGNMENT) char stack[STACK_SPACE];
    size_t bytes = j->compiled ? MAP_SPACE : tern_simd_map_space(&j->plan);
    if (bytes <= sizeof stack) return run_positions(j, begin, end, stack);
    char *space = tern_kit_take(j->call, (int64_t)bytes, 1);
    if (!space) return TERN_BACKEND_OUT_OF_MEMORY;
    int32_t status = run_positions(j, begin, end, space);
    tern_kit_give(j->call, space);
    return status;
}

static void run_chunk(void *arg, int64_t begin, int64_t end) {
    job *j = arg;
    int32_t status = run_with_space(j, begin, end);
    if (status != TERN_BACKEND_OK) __atomic_store_n(&j->status, status, __ATOMIC_RELAXED);
}

/* All positions: where there are many, in spans. */
static int32_t run_all(job *j, int64_t total) {
    if (total <= SPAN) return run_with_space(j, 0, total);
    j->status = TERN_BACKEND_OK;
    j->device->host->parallel_for(total, SPAN, run_chunk, j);
    return j->status;
}

/* Where tuples begin: `out_total` positions in all, and the most of one. */
static int32_t find_starts(job *j, int64_t *out_total, int64_t *out_most) {
    *out_total = *out_most = count_of(j->outputs);
    if (j->tuples == 1) return TERN_BACKEND_OK;
    j->starts = tern_kit_take(j->call, (int64_t)j->tuples + 1, sizeof *j->starts);
    if (!j->starts) return TERN_BACKEND_OUT_OF_MEMORY;
    int64_t total = 0;
    for (int32_t t = 0; t < j->tuples; t++) {
        int64_t count = count_of(output_of(j, t));
        j->starts[t] = total;
        if (count > *out_most) *out_most = count;
        total += count;
    }
    j->starts[j->tuples] = *out_total = total;
    return TERN_BACKEND_OK;
}

/* By the loop that was compiled for the program, else by a plan. */
static int32_t run_program(job *j) {
    _Alignas(MAP_ALIGNMENT) char stack[STACK_PLAN];
    void *memory = NULL;
    int64_t total, most;
    int32_t status = find_starts(j, &total, &most);
    if (status != TERN_BACKEND_OK) return status;
    if (!j->compiled) {
        size_t bytes = tern_simd_map_plan_size(j->program);
        bool fits = bytes <= sizeof stack;
        if (!fits) memory = tern_kit_take(j->call, (int64_t)bytes, 1);
        if (fits || memory)
            tern_simd_map_plan(&j->plan, j->program, most < SPAN ? most : SPAN,
                               fits ? (void *)stack : memory);
        else
            status = TERN_BACKEND_OUT_OF_MEMORY;
    }
    if (status == TERN_BACKEND_OK) status = run_all(j, total);
    tern_kit_give(j->call, memory);
    tern_kit_give(j->call, j->starts);
    return status;
}

int32_t tern_simd_map(tern_kit_device *device, const tern_operand *inputs, int32_t n_inputs,
                      const tern_operand *outputs, int32_t n_outputs, const tern_map_attrs *program,
                      tern_backend_error *err) {
    int32_t in = program->n_inputs, out = program->n_outputs,
            tuples = out > 0 ? n_outputs / out : 0;
    if (tuples < 1 || n_inputs != tuples * in || n_outputs != tuples * out)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "map: the operands do not form tuples");
    if (in + out > TERN_KIT_OPERANDS)
        return tern_kit_fail(err, TERN_BACKEND_INVALID, "map: %" PRId32 " operands in a tuple",
                             in + out);
    const map_compiled *compiled = tern_simd_map_find(program, inputs, tuples);
    if (compiled && tuples == 1) { /* most launches, and the small ones in a hurry */
        int64_t count = count_of(outputs);
        if (count <= SPAN && tern_simd_map_run_plain(compiled, device, inputs, outputs, 0, count))
            return TERN_BACKEND_OK;
    }
    tern_kit_call call = {
        .kernel = TERN_KERNEL_MAP, .host = device->host, .scratch = &device->scratch};
    job j;
    j.call = &call;
    j.device = device;
    j.program = program;
    j.compiled = compiled;
    j.inputs = inputs;
    j.outputs = outputs;
    j.tuples = tuples;
    j.starts = NULL;
    j.err = err;
    int32_t status = run_program(&j);
    if (status == TERN_BACKEND_OUT_OF_MEMORY)
        tern_kit_fail(err, status, "map: no host memory for its scratch");
    return status;
}
