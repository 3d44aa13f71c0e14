/*
 * operands.h: the tensors of a call, and what a plain and an in-place call share.
 */
#ifndef TERN_CORE_OPERANDS_H
#define TERN_CORE_OPERANDS_H

#include "op.h"

#define TERN_FEW_OPERANDS 64 /* larger lists go to the frame's arena */

/* The tensor arguments of a call, lists flattened. */
typedef struct tern_operands {
    tern_tensor *few[TERN_FEW_OPERANDS];
    tern_tensor **all;
    int count;
    bool complex; /* one of them, or a dtype that was asked for */
} tern_operands;

/* False and latched when memory is out. */
bool tern_operands_collect(tern_ctx *ctx, const tern_value *args, int n_args, tern_operands *out);

/* The same for a call: all tensors alive, of one context and on one device, which is the call's lane; no
 * argument NULL that must not be. False after latching. */
bool tern_operands_take(tern_opcall *call, tern_operands *out);

/* The context of the first tensor; NULL where there is none. */
tern_ctx *tern_first_context(const tern_value *args, int n_args);

/* True where one of them takes part in a graph. */
bool tern_operands_need_grad(const tern_operands *tensors);

/* True where the call must be recorded. */
bool tern_call_records(const tern_opcall *call, const tern_operands *tensors);

/* Runs the implementation with recording off, the mode restored after it. */
tern_value tern_run_silently(tern_opcall *call);

/* Records a node from `inputs` to the tensors of `result`. */
void tern_call_record(const tern_opcall *call, const tern_operands *inputs, tern_value result);

#endif
