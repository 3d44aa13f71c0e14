/*
 * points.h: what is done once for every allocation in it, which fails.
 */
#ifndef TERN_TESTS_POINTS_H
#define TERN_TESTS_POINTS_H

#include "tern/tern.h"

enum { PATH_BYTES = 1024, TEXT_BYTES = 4096 };

/* A run adds to the digest what it computed. */
typedef struct scenario scenario;
struct scenario {
    const char *name;
    const char *
        text; /* a file of the samples, or of the folder for what is written; what a model is made of */
    void (*run)(tern_ctx *ctx, const scenario *s, const char *path, uint64_t *digest);
    enum { READS, WRITES, SAVES } file; /* SAVES: the file must be the old one or the new one */
    tern_shape shape;                   /* of a model's input */
    size_t number;                      /* of a sample, and how it is run */
    int way;
    bool may_refuse; /* by itself: an operation without a gradient, or of other dtypes */
};

/* Allocations are counted, and one fails, from here on: a run calls it once it has what it starts from. */
void point_begin(void);

/* FNV-1a. */
void add(uint64_t *digest, const void *bytes, size_t size);
void add_tensor(uint64_t *digest, tern_tensor *tensor);
void add_value(uint64_t *digest, tern_value value);

/* The families, row by row; false past the end. Their texts live until the next call. */
bool file_scenario(size_t index, scenario *out);
bool training_scenario(size_t index, scenario *out);
bool sample_scenario(size_t index, scenario *out);

#endif
