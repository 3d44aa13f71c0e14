/*
 * map.h: a program of MAP on its way to a kernel, its own (run_map.c) or the interpreter (run_interpret.c).
 */
#ifndef TERN_GPU_MAP_H
#define TERN_GPU_MAP_H

#include "call.h"

/* A program as it is written into a source: what its kernel is found by. */
typedef struct gpu_map_program {
    int32_t number_class, n_inputs, n_outputs, n_constants, n_steps, skips;
    int32_t element; /* BINARY: its dtype, for shifts and neighbours; -1 in a program */
    int32_t rank;    /* R */
    int32_t tuples;  /* T; 1: the form of one tuple */
    uint32_t immediates;
    int8_t dtypes[GPU_OPERANDS]; /* of inputs, then outputs */
    int16_t outputs[GPU_OPERANDS];
    tern_map_step steps[GPU_STEPS];
} gpu_map_program;

/* The operands of one tuple that have a buffer, outputs behind inputs, and the walk over them. */
typedef struct gpu_map_walk {
    int32_t buffers;
    const tern_operand *operands[GPU_OPERANDS];
    gpu_walk walk;
} gpu_map_walk;

/* The kernel of a program, whose source begins with a comment that names all numbers of `p`. */
int32_t gpu_map_find(const gpu_call *call, const gpu_map_program *p, gpu_program **out_program);
/* The interpreter of a class of numbers. */
int32_t gpu_interpreter_find(const gpu_call *call, int32_t number_class, gpu_program **out_program);

/* How many buffers a tuple has. */
int32_t gpu_map_buffers(const gpu_map_program *p);
void gpu_map_walk_make(gpu_map_walk *out, const gpu_call *call, const gpu_map_program *p);
/* Writes a tuple's immediates as bits; returns what is behind the last. */
int64_t *gpu_map_put_immediates(const gpu_call *call, const gpu_map_program *p, int64_t *out);

/* Whether the interpreter can serve tuples of so many dimensions at all. */
bool gpu_can_interpret(const gpu_map_program *p, int32_t rank);
/* Whether it is to serve such a launch, whose program is found by so many bytes of `p`. Where it is not, and the
 * program's kernel was met on the way, that is `out_program`; else it keeps its value. */
bool gpu_interprets(const gpu_call *call, const gpu_map_program *p, size_t key_size,
                    gpu_program **out_program);
int32_t gpu_interpret(const gpu_call *call, const gpu_map_program *p,
                      const tern_map_constant *constants);

#endif
