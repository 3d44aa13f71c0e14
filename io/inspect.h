/*
 * inspect.h: what is in a file, told without making tensors, so that also what Tern cannot compute
 * with (complex numbers, float8) is told.
 */
#ifndef TERN_IO_INSPECT_H
#define TERN_IO_INSPECT_H

#include "file.h"
#include "tern/value.h"

typedef struct tern_inspection {
    tern_ctx *ctx;
    tern_value tensors, values, warnings; /* a list, a dict by path, a list of texts */
    uint64_t budget; /* what may still be looked at: bounds time and memory by the file's size */
    tern_sink name;  /* the path of keys and indices so far, joined by dots; in memory */
    int depth;       /* steps of the path */
} tern_inspection;

/* An array as it lies in a file: strides in elements, numbers of `unit` bytes turned round where
 * they are `swapped`. */
typedef struct tern_inspected {
    const char *dtype_name;
    tern_shape shape, strides;
    const unsigned char *data;
    uint32_t element, unit;
    bool swapped;
} tern_inspected;

/* Appends to the path; what is returned restores it. */
size_t tern_inspect_enter(tern_inspection *inspection, const char *key, size_t length);
void tern_inspect_leave(tern_inspection *inspection, size_t before);

/* Takes from the budget; false and latched where it is used up. */
bool tern_inspect_spend(tern_inspection *inspection, uint64_t cost);

/* What lies at the current path: a tensor, one whose bytes are in order already, another leaf, or
 * something odd. False after latching. */
bool tern_inspect_tensor(tern_inspection *inspection, const tern_inspected *array);
bool tern_inspect_bytes(tern_inspection *inspection, const char *dtype_name,
                        const tern_shape *shape, const void *data, size_t bytes);
bool tern_inspect_leaf(tern_inspection *inspection, tern_value value);
bool tern_inspect_warn(tern_inspection *inspection, const char *what);

/* tern_file_inspect of a file's bytes, which it takes over (they are the seam's). */
tern_value tern_inspect_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size);

/* The formats; false after latching an error. */
bool tern_pth_inspect(tern_inspection *inspection, const char *path, const unsigned char *bytes,
                      size_t size);

#endif
