/*
 * library.h: a library of NVIDIA's that is looked for when it is first needed, once in the process.
 */
#ifndef TERN_CUDA_LIBRARY_H
#define TERN_CUDA_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cuda_library {
    const char *absent, *too_old; /* what is said where it is not there, or lacks a function */
    void *table;                  /* of pointers to functions */
    const struct cuda_library_function {
        const char *symbol;
        size_t at; /* in the table */
    } * functions;
    size_t n_functions;
    /* Where it may lie, the best first; a path is left out with a driver older than `driver`. */
    const struct cuda_library_place {
        int driver;
        const char *path;
    } * places;
    size_t n_places;
    bool was_looked_for;
    const char *missing; /* why it is not there */
} cuda_library;

/* Fills the table; NULL, or why the library is not there, a static text. The driver is open. Any thread. */
const char *cuda_library_open(cuda_library *library);

#endif
