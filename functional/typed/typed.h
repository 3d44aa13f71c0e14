/*
 * typed.h: how the C functions of operations make the values of a call, beside core/call/arg.h.
 *
 * The functions of this folder are declared in tern/ops_*.h, one file for each header. Those that the
 * library itself calls stand beside their operation.
 */
#ifndef TERN_FUNCTIONAL_TYPED_H
#define TERN_FUNCTIONAL_TYPED_H

#include "functional/functional.h"

/* A call whose result is not one tensor, in a given context. */
#define TERN_CALL_VALUE_CTX(ctx, id, ...)                                                          \
    tern_op_call(ctx, TERN_ROW(id), (const tern_value[]){__VA_ARGS__},                             \
                 (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))

/* The first of a pair of tensors, the second where it is asked for; nil twice after an error. */
tern_tensor *tern_first_of(tern_tensor *input, tern_value pair, tern_tensor **out_second);

/* A list argument. It is made in the context of the first tensor that is there, which is returned. */
tern_ctx *tern_list_argument(tern_tensor *const *tensors, int count, tern_value *out_list);

/* The same in a given context; NULL is none. Latches where there is no array. */
tern_value tern_list_in(tern_ctx *ctx, tern_tensor *const *tensors, int count);

/* A list of numbers. Latches where there is no array. */
tern_value tern_floats_argument(tern_ctx *ctx, const double *numbers, int count);

/* Dimensions; rank 0 is the row's default. */
static inline tern_value tern_dims_argument(const tern_shape *dims) {
    return dims->rank == 0 ? tern_none() : ARG_SHAPE(*dims);
}

/* Sizes, of which a single one holds for every dimension. */
static inline tern_value tern_sizes_argument(const tern_shape *sizes) {
    return sizes->rank == 1 ? ARG_INT(sizes->dim[0]) : ARG_SHAPE(*sizes);
}

/* NULL is the row's default. */
static inline tern_value tern_text_argument(const char *text) {
    return text ? tern_text(text) : tern_none();
}

#endif
