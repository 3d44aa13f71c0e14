/*
 * steps.h: the steps of a program of MAP as text of a kernel: value k is the variable vk, inputs first, then
 * constants, then what the steps give.
 */
#ifndef TERN_GPU_STEPS_H
#define TERN_GPU_STEPS_H

#include "call.h"

/* Text that is being written; what does not fit is cut off. */
typedef struct gpu_text {
    char *at, *end;
} gpu_text;

void gpu_put(gpu_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Steps of a program that computes in numbers of a class. */
typedef struct gpu_steps_of {
    int32_t number_class;
    int32_t element; /* BINARY: its dtype, for shifts and neighbours; -1 in a program */
    int32_t first;   /* the value that the first step gives */
    int32_t count;
    const tern_map_step *steps;
} gpu_steps_of;

/* Writes a step as a call over the variables of its values. */
void gpu_put_call(gpu_text *text, const gpu_steps_of *all, const tern_map_step *step);
/* Writes them, one statement each. */
void gpu_put_steps(gpu_text *text, const gpu_steps_of *all);

/* Writes constants as the bits that number_of takes; returns what is behind the last. */
int64_t *gpu_put_constants(int32_t number_class, const tern_map_constant *constants, int32_t count,
                           int64_t *out);

#endif
