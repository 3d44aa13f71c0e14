/*
 * map_steps.c: any program, step by step, over blocks of positions.
 *
 * A value is a row, and a step a row function (rows.h). Rows of values that nobody reads any more are
 * used again, so that a long program touches few, and a block is as long as those leave room for in the
 * first-level cache. An output is written where it lies, by its own step, where nothing that is still to
 * be read lies there.
 */
#include <string.h>

#include "../cpu_ref/binary.h"
#include "../cpu_ref/kernels.h"
#include "map.h"

enum { MOST_FREE = 64 }; /* rows that wait to be used again; a row more is no harm */

/* ---- members that have no row function of their own ------------------------------------------ */

/* In double as cpu_ref computes, and rounded. */
static void in_double(const map_step *step, int64_t n, double *a, const double *b,
                      const double *c) {
    tern_ternary_attrs ternary = {step->attrs.fn, 0, 1, 1};
    switch (step->family) {
    case TERN_KERNEL_UNARY: tern_ref_unary_floating(step->attrs.fn, a, n); break;
    case TERN_KERNEL_BINARY: tern_ref_binary_floating(&step->attrs, step->dtype, a, b, n); break;
    default: tern_ref_ternary_floating(&ternary, step->dtype, a, b, c, n); break;
    }
}

static int64_t piece_at(int64_t at, int64_t n) {
    return n - at < TERN_KIT_CHUNK ? n - at : TERN_KIT_CHUNK;
}

static void rare_f32(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                     const void *c) {
    double x[3][TERN_KIT_CHUNK];
    const float *const sources[] = {a, b, c};
    for (int64_t at = 0, piece; at < n; at += piece) {
        piece = piece_at(at, n);
        for (int s = 0; s < 3; s++)
            for (int64_t i = 0; sources[s] && i < piece; i++) x[s][i] = (double)sources[s][at + i];
        in_double(attrs, piece, x[0], x[1], x[2]);
        for (int64_t i = 0; i < piece; i++) ((float *)out)[at + i] = (float)x[0][i];
    }
}

static void rare_f64(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                     const void *c) {
    double x[TERN_KIT_CHUNK];
    const double *y = b, *z = c;
    for (int64_t at = 0, piece; at < n; at += piece) {
        piece = piece_at(at, n);
        memcpy(x, (const double *)a + at, (size_t)piece * sizeof *x);
        in_double(attrs, piece, x, y ? y + at : NULL, z ? z + at : NULL);
        memcpy((double *)out + at, x, (size_t)piece * sizeof *x);
    }
}

static void rare_i64(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                     const void *c) {
    const map_step *step = attrs;
    tern_ternary_attrs ternary = {step->attrs.fn, 0, 1, 1};
    int64_t x[TERN_KIT_CHUNK];
    const int64_t *y = b, *z = c;
    tern_kit_flag flag = {0, ""}; /* of a division by zero, which no program of integers has */
    tern_kit_call call = {.flag = &flag};
    for (int64_t at = 0, piece; at < n; at += piece) {
        piece = piece_at(at, n);
        memcpy(x, (const int64_t *)a + at, (size_t)piece * sizeof *x);
        if (step->family == TERN_KERNEL_UNARY)
            tern_ref_unary_integer(step->attrs.fn, x, piece);
        else if (step->family == TERN_KERNEL_BINARY)
            tern_ref_binary_integer(&call, &step->attrs, TERN_BT_INT64, x, y + at, piece);
        else
            tern_ref_ternary_integer(&ternary, x, y + at, z + at, piece);
        memcpy((int64_t *)out + at, x, (size_t)piece * sizeof *x);
    }
}

/* Rounds to the member, a dtype, and back. */
static void round_f32(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                      const void *c) {
    int32_t dtype = ((const map_step *)attrs)->attrs.fn;
    (void)b, (void)c;
    for (int64_t at = 0, piece; at < n; at += piece) {
        double x[TERN_KIT_CHUNK], element[TERN_KIT_CHUNK];
        piece = piece_at(at, n);
        for (int64_t i = 0; i < piece; i++) x[i] = (double)((const float *)a)[at + i];
        tern_kit_store_f64(dtype, element, 1, piece, x);
        tern_kit_load_f64(dtype, element, 1, piece, x);
        for (int64_t i = 0; i < piece; i++) ((float *)out)[at + i] = (float)x[i];
    }
}

static void round_f64(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                      const void *c) {
    int32_t dtype = ((const map_step *)attrs)->attrs.fn;
    (void)b, (void)c;
    for (int64_t at = 0, piece; at < n; at += piece) {
        double element[TERN_KIT_CHUNK];
        piece = piece_at(at, n);
        tern_kit_store_f64(dtype, element, 1, piece, (const double *)a + at);
        tern_kit_load_f64(dtype, element, 1, piece, (double *)out + at);
    }
}

static void copy_row(const void *attrs, int64_t n, void *out, const void *a, const void *b,
                     const void *c) {
    int64_t bytes = ((const map_step *)attrs)->dtype == TERN_BT_FLOAT32 ? 4 : 8;
    (void)b, (void)c;
    if (out != a) memcpy(out, a, (size_t)(n * bytes));
}

static tern_simd_row row_of(int32_t compute, const map_step *step) {
    bool is_f32 = compute == TERN_BT_FLOAT32, is_f64 = compute == TERN_BT_FLOAT64;
    if (step->family == TERN_KERNEL_COPY) {
        if (step->attrs.fn == compute || !(is_f32 || is_f64)) return copy_row;
        return is_f32 ? round_f32 : round_f64;
    }
    tern_simd_row row = tern_simd_row_of(compute, step->family, step->attrs.fn);
    return row ? row : is_f32 ? rare_f32 : is_f64 ? rare_f64 : rare_i64;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static int64_t bytes_of(const tern_map_attrs *program) {
    return program->compute == TERN_BT_FLOAT32 ? 4 : 8;
}

/* A step with a factor of its own may become two, the first of which has a value that is no other's. */
static int32_t most_values(const tern_map_attrs *p) {
    return p->n_inputs + p->n_constants + 2 * p->n_steps;
}

size_t tern_simd_map_plan_size(const tern_map_attrs *p) {
    return (size_t)p->n_steps * 2 * sizeof(map_step) +
           ((size_t)most_values(p) * 2 + (size_t)p->n_outputs) * sizeof(int16_t);
}

static void add_step(map_plan *plan, int32_t family, int32_t fn, int16_t to, int16_t a, int16_t b,
                     int16_t c) {
    map_step *step = &plan->steps[plan->n_steps++];
    *step = (map_step){{fn, 0, 1, 1}, NULL, family, plan->program->compute, to, a, b, c};
    step->run = row_of(plan->program->compute, step);
}

/* The steps of one of the program, whose factor is a value: a + f b is ADDCMUL, and of what has two
 * factors already, their product comes before. */
static void add_steps_of(map_plan *plan, int32_t k, int16_t to, int16_t spare) {
    const tern_map_step *step = &tern_map_steps(plan->program)[k];
    const int16_t *s = step->source;
    bool binary = step->family == TERN_KERNEL_BINARY;
    int16_t factor = binary ? s[2] : step->family == TERN_KERNEL_TERNARY ? s[3] : -1;
    if (factor < 0 || plan->program->compute == TERN_BT_INT64) {
        add_step(plan, step->family, step->fn, to, s[0], s[1], binary ? -1 : s[2]);
    } else if (!binary) {
        add_step(plan, TERN_KERNEL_BINARY, TERN_BINARY_MUL, spare, factor, s[1], -1);
        add_step(plan, step->family, step->fn, to, s[0], spare, s[2]);
    } else if (step->fn == TERN_BINARY_ADD) {
        add_step(plan, TERN_KERNEL_TERNARY, TERN_TERNARY_ADDCMUL, to, s[0], factor, s[1]);
    } else {
        add_step(plan, TERN_KERNEL_UNARY, TERN_UNARY_NEG, spare, factor, -1, -1);
        add_step(plan, TERN_KERNEL_TERNARY, TERN_TERNARY_ADDCMUL, to, s[0], spare, s[1]);
    }
}

static void note_reads(map_plan *plan) {
    const int16_t *outputs = tern_map_outputs(plan->program);
    int32_t first = plan->program->n_inputs + plan->program->n_constants;
    memset(plan->last, 0xff, (size_t)plan->n_values * sizeof *plan->last); /* -1: never */
    for (int32_t k = 0; k < plan->n_steps; k++) {
        const map_step *step = &plan->steps[k];
        if (step->a >= 0) plan->last[step->a] = (int16_t)k;
        if (step->b >= 0) plan->last[step->b] = (int16_t)k;
        if (step->c >= 0) plan->last[step->c] = (int16_t)k;
        plan->row[step->to] = (int16_t)k; /* for a moment, its step */
    }
    for (int32_t o = 0; o < plan->program->n_outputs; o++) {
        plan->writer[o] = outputs[o] >= first ? plan->row[outputs[o]] : (int16_t)-1;
        plan->last[outputs[o]] = INT16_MAX;
    }
}

/* Rows for all inputs and constants, and for steps those that are free when their turn comes. */
static void give_rows(map_plan *plan) {
    int16_t free_rows[MOST_FREE];
    int32_t n_free = 0, own = plan->program->n_inputs + plan->program->n_constants;
    for (int32_t v = 0; v < own; v++) plan->row[v] = (int16_t)v;
    plan->n_rows = own;
    for (int32_t k = 0; k < plan->n_steps; k++) {
        const map_step *step = &plan->steps[k];
        const int16_t sources[] = {step->a, step->b, step->c};
        for (int i = 0; i < 3; i++) {
            int16_t v = sources[i];
            bool twice = (i > 0 && v == step->a) || (i > 1 && v == step->b);
            if (v >= own && !twice && plan->last[v] == k && n_free < MOST_FREE)
                free_rows[n_free++] = plan->row[v];
        }
        plan->row[step->to] = n_free > 0 ? free_rows[--n_free] : (int16_t)plan->n_rows++;
    }
}

void tern_simd_map_plan(map_plan *plan, const tern_map_attrs *program, int64_t count,
                        void *memory) {
    int32_t own = program->n_inputs + program->n_constants;
    *plan = (map_plan){.program = program, .steps = memory};
    plan->row = (int16_t *)(void *)(plan->steps + (ptrdiff_t)program->n_steps * 2);
    plan->last = plan->row + most_values(program);
    plan->writer = plan->last + most_values(program);
    plan->n_values = own + program->n_steps;
    for (int32_t k = 0; k < program->n_steps; k++) {
        int32_t before = plan->n_steps;
        add_steps_of(plan, k, (int16_t)(own + k), (int16_t)plan->n_values);
        plan->n_values += plan->n_steps - before - 1;
    }
    note_reads(plan);
    give_rows(plan);
    int64_t room = MAP_SPACE / (plan->n_rows * bytes_of(program)) / MAP_SHORTEST * MAP_SHORTEST;
    int64_t most = (count + MAP_SHORTEST - 1) / MAP_SHORTEST * MAP_SHORTEST;
    if (room > MAP_LONGEST) room = MAP_LONGEST;
    if (room < MAP_SHORTEST) room = MAP_SHORTEST;
    plan->block = most < room ? most : room;
}

/* ---- running --------------------------------------------------------------------------------- */

static size_t rows_bytes(const map_plan *plan) {
    return (size_t)(plan->n_rows * plan->block * bytes_of(plan->program));
}

size_t tern_simd_map_space(const map_plan *plan) {
    return rows_bytes(plan) + (size_t)plan->n_values * sizeof(char *);
}

static char *row_at(const map_plan *plan, char *rows, int32_t value) {
    return rows + plan->row[value] * plan->block * bytes_of(plan->program);
}

/* The rows that stay as they are for a whole span. */
static void fill_rows(const map_plan *plan, const map_tuple *t, int64_t n, char *rows, char **at) {
    const tern_map_attrs *p = plan->program;
    for (int32_t v = 0; v < plan->n_values; v++) at[v] = row_at(plan, rows, v);
    for (int32_t k = 0; k < p->n_inputs; k++)
        if (t->operand[k].uniform) tern_simd_map_fill(p->compute, t->operand[k].number, n, at[k]);
    for (int32_t k = 0; k < p->n_constants; k++) {
        map_number number = tern_simd_map_constant(p->compute, tern_map_constants(p)[k]);
        tern_simd_map_fill(p->compute, number, n, at[p->n_inputs + k]);
    }
}

/* Whether an output may be written by its step: no input that is the same memory is read after that. */
static bool may_write_early(const map_plan *plan, const map_tuple *t, int32_t output) {
    const map_operand *out = &t->operand[t->n_inputs + output];
    if (plan->writer[output] < 0) return false;
    for (int32_t k = 0; k < t->n_inputs; k++)
        if (t->operand[k].data == out->data && plan->last[k] > plan->writer[output]) return false;
    return true;
}

/* An input that is an output too gets a row of its own: its memory may be another output's. */
static void load_inputs(const map_plan *plan, const map_tuple *t, int64_t i, int64_t n, bool again,
                        char *rows, char **at) {
    for (int32_t k = 0; k < t->n_inputs; k++) {
        char *row = row_at(plan, rows, k);
        at[k] = tern_simd_map_load(t, k, i, n, again, row);
        if (plan->last[k] == INT16_MAX && at[k] != row)
            at[k] = memcpy(row, at[k], (size_t)(n * bytes_of(plan->program)));
    }
}

/* A block of n positions from i on, whose inputs are at their rows. */
static void run_block(const map_plan *plan, const map_tuple *t, int64_t i, int64_t n,
                      const bool *early, char *rows, char **at) {
    const int16_t *outputs = tern_map_outputs(plan->program);
    char *place[TERN_KIT_OPERANDS];
    for (int32_t o = 0; o < t->n_outputs; o++) {
        place[o] = tern_simd_map_place(t, o, i, n);
        if (plan->writer[o] >= 0)
            at[outputs[o]] = early[o] && place[o] ? place[o] : row_at(plan, rows, outputs[o]);
    }
    for (int32_t k = 0; k < plan->n_steps; k++) {
        const map_step *s = &plan->steps[k];
        s->run(s, n, at[s->to], at[s->a], s->b < 0 ? NULL : at[s->b], s->c < 0 ? NULL : at[s->c]);
    }
    for (int32_t o = 0; o < t->n_outputs; o++)
        if (place[o] != at[outputs[o]]) tern_simd_map_store(t, o, i, n, at[outputs[o]]);
}

void tern_simd_map_run(const map_plan *plan, const map_tuple *t, int64_t begin, int64_t end,
                       char *space) {
    char **at = (char **)(void *)(space + rows_bytes(plan));
    bool early[TERN_KIT_OPERANDS], repeats = tern_simd_map_repeats(t, plan->block);
    fill_rows(plan, t, end - begin < plan->block ? end - begin : plan->block, space, at);
    for (int32_t o = 0; o < t->n_outputs; o++) early[o] = may_write_early(plan, t, o);
    for (int64_t i = begin, n; i < end; i += n) {
        n = tern_simd_map_block(t, i, end, plan->block);
        load_inputs(plan, t, i, n, repeats && i > begin, space, at);
        run_block(plan, t, i, n, early, space, at);
    }
}
