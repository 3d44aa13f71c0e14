/*
 * inspection.h: what is told of a file so far. A format's walk enters and leaves keys and tells what
 * lies there, within a budget.
 */
#ifndef TERN_IO_INSPECTION_H
#define TERN_IO_INSPECTION_H

#include "file.h"
#include "mapping.h"
#include "tern/value.h"

typedef struct tern_inspection {
    tern_ctx *ctx;
    tern_value tensors, values, warnings; /* a list, a dict by path, a list of texts */
    uint64_t budget; /* bytes that may still be summed: bounds the time by the file's size */
    uint64_t memory; /* what the report may still take */
    const tern_mapping *mapping; /* what the file lies in, whose pages are let go; or NULL */
    tern_sink name; /* the path of keys and indices so far, joined by dots; in memory */
    int depth;      /* steps of the path */
    const char *
        loads_as; /* the dtype that the next tensor is read as, where its own does not tell; or NULL */
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

/* Takes from the memory; false and latched where it is used up. */
bool tern_inspect_spend(tern_inspection *inspection, uint64_t cost);

/* What lies at the current path: a tensor, one whose bytes are in order already, another leaf, or
 * something odd. False after latching. */
bool tern_inspect_tensor(tern_inspection *inspection, const tern_inspected *array);
bool tern_inspect_bytes(tern_inspection *inspection, const char *dtype_name,
                        const tern_shape *shape, const void *data, size_t bytes);
bool tern_inspect_leaf(tern_inspection *inspection, tern_value value);
bool tern_inspect_warn(tern_inspection *inspection, const char *what);

/* Something odd, or worth knowing, about the whole file. */
bool tern_inspect_warn_file(tern_inspection *inspection, const char *what);

#endif
