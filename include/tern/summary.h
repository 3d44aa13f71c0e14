/*
 * tern/summary.h: a model's structure: one row per module, with its input and output shapes and its
 * parameters. `tern summary` prints it.
 */
#ifndef TERN_SUMMARY_H
#define TERN_SUMMARY_H

#include "tern/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One module of the summary. */
typedef struct tern_summary_row {
    const char *name;         /* "features.0"; "" is the model itself */
    const char *kind;         /* "Conv2d" */
    int depth;                /* of the name: 0 is the model itself */
    bool called;              /* the shapes below are those of its first call */
    tern_shape input, output; /* of its first input and output tensor */
    int64_t parameters;       /* its own elements, without its children's; a tied parameter is
                               * counted for the first module that holds it */
    int64_t trainable;        /* those of them that require a gradient */
} tern_summary_row;

/* A model, module by module. */
typedef struct tern_summary {
    const tern_summary_row *rows; /* depth first, each module once */
    size_t count;
    int64_t parameters, trainable; /* sums over the rows */
    uint64_t parameter_bytes, buffer_bytes;
} tern_summary;

/*
 * Fills out_summary; names and rows live in the open scope. With inputs (the forward's positional
 * arguments) the model runs once, in evaluation mode and without recording gradients; its training
 * flags and buffers do not change. Without inputs (n_inputs 0) the rows have no shapes. An error of
 * the forward is latched and returned.
 */
TERN_API tern_status tern_summary_of(tern_module *module, const tern_value *inputs, int n_inputs,
                                     tern_summary *out_summary);

/* The same as a table of text with the totals below it, in the open scope; "" on failure. */
TERN_API const char *tern_summary_text(tern_module *module, const tern_value *inputs, int n_inputs);

#ifdef __cplusplus
}
#endif

#endif
