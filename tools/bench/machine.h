/* machine.h: what the machine can do, by small loops: multiplications with additions, and memory. */
#ifndef TERN_TOOLS_BENCH_MACHINE_H
#define TERN_TOOLS_BENCH_MACHINE_H

#include "tern/base.h"

/* A loop in the instructions of one set. What it returns has no meaning. */
typedef double (*machine_loop_fn)(int64_t steps);

typedef struct machine_loop {
    machine_loop_fn run;
    int64_t flops; /* of a step */
} machine_loop;

/* The index-th loop that this CPU can run, of float64 where `wide`; false past the last. Where
 * TERN_CPU_VARIANT names an instruction set, those beyond it are left out. */
bool machine_loop_at(bool wide, size_t index, machine_loop *out_loop);

/* Reads all of the memory; the sum has no meaning. */
uint64_t machine_read(const uint64_t *words, size_t count);

/* Copies all of it by a plain loop. (memcpy may write around the caches.) */
void machine_copy(uint64_t *restrict to, const uint64_t *restrict from, size_t count);

#endif
