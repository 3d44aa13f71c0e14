/*
 * ready.h: programs that came with the plugin: compiled when it was built, for sm_75, sm_80 and sm_90, and as PTX
 * for younger chips. Without nvcc there are none.
 */
#ifndef TERN_CUDA_READY_H
#define TERN_CUDA_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A program by the hash of its source; `image` is a fatbin. */
typedef struct cuda_ready_program {
    uint64_t hash[2];
    const unsigned char *image;
} cuda_ready_program;

/* In the order of their hashes. Written by the build. */
extern const cuda_ready_program cuda_ready_programs[];
extern const size_t cuda_ready_count;

/* Two hashes of a source, which the build and the plugin agree on. */
void cuda_ready_hash(const char *source, uint64_t out[2]);

/* Whether there are programs, and the chip runs them. */
bool cuda_ready_serves(int capability);

/* The fatbin of a source, NULL where it was not compiled ahead. */
const void *cuda_ready_find(const char *source);

#endif
