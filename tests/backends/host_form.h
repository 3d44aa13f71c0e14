/*
 * host_form.h: a source of backends/gpu as C on the host: compiled by the host's compiler, as a shared object with
 * undefined behaviour made an error, and run item by item.
 *
 * A group whose kernels have barriers runs with a fiber for each lane, all others one item after the other.
 */
#ifndef TERN_TESTS_HOST_FORM_H
#define TERN_TESTS_HOST_FORM_H

#include <stdbool.h>
#include <stdint.h>

/* Where an item is; the shared object has one for each thread. */
typedef struct host_item {
    int64_t group[3];
    int32_t lane, lanes;
} host_item;

typedef void (*host_barrier)(void);

typedef struct host_kernel {
    /* Arguments by address: a pointer's is what it is, a number's is where it lies. */
    void (*run)(void **arguments, const host_item *where, host_barrier barrier);
    const int32_t *sizes; /* of the arguments in bytes, 0 for a pointer; -1 behind the last */
    int32_t lanes;        /* of a group: those that it was compiled for */
    bool has_barriers;
} host_kernel;

/* The compiler's option. */
extern const char *host_form_optimization;

/* Compiles a source into the shared object at `path`; further files lie beside it meanwhile. */
bool host_form_compile(const char *source, const char *path);

/* A kernel of such a library, which dlopen gave; false where there is none of the name. */
bool host_form_find(void *library, const char *name, host_kernel *out);

/* All groups. NULL, or what is wrong with the kernel. */
const char *host_form_run(const host_kernel *kernel, void **arguments, const int64_t groups[3],
                          int32_t lanes);

#endif
