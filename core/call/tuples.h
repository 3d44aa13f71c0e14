/*
 * tuples.h: launches over any number of tensors: of MAP over many tuples, and of REDUCE_LIST.
 *
 * What a launch of MAP needs is made by prepare, so that between several launches that belong together nothing
 * is allocated.
 */
#ifndef TERN_CORE_TUPLES_H
#define TERN_CORE_TUPLES_H

#include "core/objects.h"

typedef struct tern_tuples {
    const tern_map_attrs *program;
    size_t program_size;
    const int16_t
        *inputs; /* what each input of the program is: tensor i of a tuple, or ~i: number i */
    const int16_t *outputs; /* tensor i */
    int count;
    tern_tensor *const *tensors;  /* `tensor_stride` a tuple; an input has its outputs' shape */
    const double *const *numbers; /* of each tuple; may be NULL where no input is a number */
    int tensor_stride;
    tern_operand *operands; /* made by prepare, in the open scope: all inputs, then all outputs */
} tern_tuples;

/* Whether the device has MAP for the program and the dtypes of the first tuple. */
TERN_API bool tern_tuples_supported(tern_lane *lane, const tern_tuples *tuples);

/* Makes the operands; no tensor is empty. False after latching. */
TERN_API bool tern_tuples_prepare(tern_lane *lane, tern_tuples *tuples);

/* Launches what was prepared. False where the device declined (nothing was written), and after
 * latching. */
TERN_API bool tern_tuples_launch(tern_lane *lane, const tern_tuples *tuples);

/* out[k] = all elements of inputs[k], none of which is empty, reduced by REDUCE's member `fn`. False where
 * the device has no REDUCE_LIST or declined, and after latching. */
TERN_API bool tern_try_reduce_list(tern_lane *lane, int32_t fn, double value,
                                   tern_tensor *const *inputs, int count, tern_tensor *out);

#endif
