/*
 * map.h: MAP, programs over tuples, in three parts.
 *
 *     map.c            a launch: its tuples, cut into spans of positions that threads share
 *     map_operands.c   the operands of a tuple; blocks of positions as rows in the program's dtype
 *     map_steps.c      any program, step by step over rows that stay in the first-level cache
 *     map_compiled.c   programs that are known ahead, each a loop whose values stay in registers
 *
 * A span runs block by block: inputs are found or loaded as rows, the program makes rows of them, and the
 * outputs are stored. Where an operand has the dtype of the program and lies without gaps, its row is the
 * operand itself.
 */
#ifndef TERN_CPU_SIMD_MAP_H
#define TERN_CPU_SIMD_MAP_H

#include "../cpu_ref/kit.h"
#include "../cpu_ref/walk.h"
#include "rows.h"

enum {
    MAP_SPACE = 24 * 1024, /* bytes of rows: what a first-level cache has room for */
    MAP_LONGEST = 512,     /* the most positions of a block, and the fewest where rows are many */
    MAP_SHORTEST = 16,
    MAP_ALIGNMENT = 64
};

/* A value of the dtype that a program computes in. */
typedef union map_number {
    float f32;
    double f64;
    int64_t i64;
} map_number;

typedef struct map_operand {
    char *data; /* the element of position 0; NULL of an immediate */
    int32_t dtype;
    int32_t size;      /* bytes of an element */
    bool uniform;      /* one element for all positions, whose value is `number` */
    bool linear;       /* position p is element p */
    bool periodic;     /* each row of positions has the same elements */
    map_number number; /* of an input that is uniform */
    int64_t step;      /* elements from a position to the next of its row */
    int64_t *stride;   /* elements from a row to the next, for each dimension of rows */
} map_operand;

/* The operands of one tuple, whose positions are visited in an order that suits them: rows of `width`,
 * `shape[0]` times and so on. */
typedef struct map_tuple {
    int64_t count, width;
    int32_t compute, n_inputs, n_outputs;
    int32_t rank; /* of the rows; 0: there is one */
    int64_t shape[TERN_BACKEND_MAX_RANK];
    map_operand operand[TERN_KIT_OPERANDS]; /* inputs, then outputs */
    int64_t strides[TERN_KIT_OPERANDS][TERN_BACKEND_MAX_RANK];
} map_tuple;

/* ---- map_operands.c -------------------------------------------------------------------------- */

/* Finds out how the operands of a tuple lie; their buffers are reached already. */
void tern_simd_map_read(map_tuple *out, const tern_map_attrs *program, const tern_operand *inputs,
                        const tern_operand *outputs, char *const *reached);

/* How many positions from `at` on make one block of at most `block`. */
int64_t tern_simd_map_block(const map_tuple *t, int64_t at, int64_t end, int64_t block);

/* Whether all blocks begin at the same column of short rows. */
bool tern_simd_map_repeats(const map_tuple *t, int64_t block);

/* The positions of an operand as a row: `row` after loading, or the operand's own elements. A uniform one
 * was put into `row` before, and so, where this block is `again` at the column of the last, was one that
 * is the same in each row. */
char *tern_simd_map_load(const map_tuple *t, int32_t k, int64_t at, int64_t n, bool again,
                         char *row);

/* Where an output's row may be written: the elements themselves, else NULL; tern_simd_map_store then
 * moves a row there. */
char *tern_simd_map_place(const map_tuple *t, int32_t k, int64_t at, int64_t n);
void tern_simd_map_store(const map_tuple *t, int32_t k, int64_t at, int64_t n, const char *row);

/* n times one number, or what a constant is in the dtype. */
void tern_simd_map_fill(int32_t compute, map_number number, int64_t n, char *row);
map_number tern_simd_map_constant(int32_t compute, tern_map_constant constant);

/* ---- map_steps.c ----------------------------------------------------------------------------- */

/* One step: a row function, and the values that it reads and writes. */
typedef struct map_step {
    tern_binary_attrs attrs; /* first, and begins as those of the other families do */
    tern_simd_row run;
    int32_t family, dtype;
    int16_t to, a, b, c;
} map_step;

/* A program made ready: a row for each value that needs one, a dead value's row used again. */
typedef struct map_plan {
    const tern_map_attrs *program;
    int32_t n_values, n_steps, n_rows;
    int64_t block; /* positions of a row */
    map_step *steps;
    int16_t *row;    /* of each value */
    int16_t *last;   /* the last step that reads it; INT16_MAX of an output */
    int16_t *writer; /* of each output: its step; -1 where it is an input or a constant */
} map_plan;

/* How many bytes of memory a plan takes, and making one in them. `count` is the most positions of a span. */
size_t tern_simd_map_plan_size(const tern_map_attrs *program);
void tern_simd_map_plan(map_plan *out, const tern_map_attrs *program, int64_t count, void *memory);

/* Bytes of rows and of the table of them, for one span at a time. */
size_t tern_simd_map_space(const map_plan *plan);

/* Positions begin to end of a tuple; `space` is aligned. */
void tern_simd_map_run(const map_plan *plan, const map_tuple *t, int64_t begin, int64_t end,
                       char *space);

/* ---- map_compiled.c -------------------------------------------------------------------------- */

typedef struct map_compiled map_compiled;

/* The loop for a program; NULL where there is none, or where what it takes for numbers are none. */
const map_compiled *tern_simd_map_find(const tern_map_attrs *program, const tern_operand *inputs,
                                       int32_t tuples);

/* Positions begin to end of a tuple. The first does nothing, and says so, where an operand needs more than
 * a look: has another dtype, say, or gaps, or memory that cannot be reached. */
bool tern_simd_map_run_plain(const map_compiled *compiled, tern_kit_device *device,
                             const tern_operand *inputs, const tern_operand *outputs, int64_t begin,
                             int64_t end);
void tern_simd_map_run_compiled(const map_compiled *compiled, const map_tuple *t, int64_t begin,
                                int64_t end, char *space);

#endif
