/* run.h: what operations that are programs share with the operation _map. */
#ifndef TERN_PROGRAM_RUN_H
#define TERN_PROGRAM_RUN_H

#include "program.h"

/* Runs a finished program over tensors that broadcast; outputs[k] has dtypes[k]. Not recorded. False
 * after latching. */
bool tern_program_run(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                      tern_tensor *const *operands, const tern_dtype *dtypes,
                      tern_tensor **outputs);

/*
 * Memory for the tensors between steps: buffers of so many bytes, which are made when they are asked for and
 * used again. One run leaves all that a further run of the same program needs.
 */
#define TERN_STEP_BUFFERS 64
typedef struct tern_step_pool {
    tern_frame *frame; /* where the buffers live */
    int64_t bytes;
    int count;
    tern_tensor *buffers[TERN_STEP_BUFFERS];
} tern_step_pool;

/* Runs a program step by step: `views` are the operands, broadcast. All steps come before the first output
 * is written. Latches. */
void tern_program_run_steps(tern_lane *lane, const tern_map_attrs *attrs, tern_step_pool *pool,
                            const tern_shape *shape, tern_tensor *const *operands,
                            tern_tensor *const *views, tern_tensor *const *outputs);

/* Runs a program into tensors that are there, whose shape and the dtypes of the program all operands have. */
bool tern_program_run_into(tern_opcall *call, const tern_map_attrs *attrs, size_t attrs_size,
                           tern_tensor *const *operands, tern_tensor *const *outputs);

/* The operation _map over a finished program: recorded. A tensor, or a tuple of several. */
tern_value tern_program_apply(tern_ctx *ctx, tern_value bytes, const int64_t *dtypes, int n_outputs,
                              tern_tensor *const *operands, int count);

/* The same, its outputs one behind the other along a dimension of one tensor; -1 is no such dimension. */
tern_value tern_program_apply_joined(tern_ctx *ctx, tern_value bytes, const int64_t *dtypes,
                                     int n_outputs, tern_tensor *const *operands, int count,
                                     int dim);

/* The gradients of a node that ran a program over `operands`, of which its inputs are the first; in one
 * program of their own. */
void tern_program_backward(tern_node *node, const tern_map_attrs *attrs,
                           tern_tensor *const *operands, tern_tensor *const *grad_out,
                           tern_tensor **grads);

/* The dtype that a program over such values gives, and the one that it computes in. */
void tern_program_dtypes(const tern_program *p, const tern_value *args, int count,
                         tern_dtype *out_result, tern_dtype *out_compute);

#endif
