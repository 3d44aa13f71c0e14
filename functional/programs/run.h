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

/* The operation _map over a program, kept or finished: recorded, a tensor for each output. False after
 * latching. */
bool tern_program_apply(tern_ctx *ctx, tern_value program, const int64_t *dtypes, int n_outputs,
                        tern_tensor *const *operands, int count, tern_tensor **outputs);

/* The same, its outputs one behind the other along a dimension of one tensor; nil after latching. */
tern_tensor *tern_program_apply_joined(tern_ctx *ctx, tern_value program, const int64_t *dtypes,
                                       int n_outputs, tern_tensor *const *operands, int count,
                                       int dim);

/*
 * A program over tensors and numbers that promote to a dtype, recorded: integers are computed as float32
 * where the program needs it; results are rounded to `result` where that is not TERN_DTYPE_DEFAULT. With a
 * dimension in place of -1 they are one tensor. False after latching.
 */
bool tern_program_call(tern_ctx *ctx, tern_value program, tern_program_traits traits,
                       tern_dtype promoted, const tern_value *args, int count, tern_dtype result,
                       int join, tern_tensor **outputs);

/* The gradients of a node that ran a program over `operands`, of which its inputs are the first; in one
 * program of their own. */
void tern_program_backward(tern_node *node, tern_value program, tern_tensor *const *operands,
                           tern_tensor *const *grad_out, tern_tensor **grads);

/* The dtype that a program over values that promote to a dtype gives, and the one that it computes in. */
void tern_program_dtypes(bool floats, tern_dtype promoted, tern_dtype *out_result,
                         tern_dtype *out_compute);

#endif
