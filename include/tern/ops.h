/*
 * tern/ops.h: operations, with the names and arguments of PyTorch's (tern_add is torch.add, tern_linear is
 * torch.nn.functional.linear).
 *
 * Every function returns a tensor of the open scope, or nil after latching an error. Shapes broadcast and
 * dtypes promote as in PyTorch. The table of all operations, with their arguments, is ops.def and
 * functional.def; each row has a C function, tern_ and the row's id, in the header of its subject:
 *
 *     ops_complex.h  complex numbers and their parts
 *     ops_create.h   tensors of given values, random numbers, windows of signals
 *     ops_shape.h    views, rearrangements, splits, joins, copies
 *     ops_math.h     arithmetic, comparison, logic, functions of one number
 *     ops_reduce.h   sums, extremes, statistics, norms, scans, sorting
 *     ops_fft.h      Fourier transforms
 *     ops_index.h    subscripts, gather and scatter, masks, triangles
 *     ops_matrix.h   products of vectors and matrices, distances
 *     ops_linalg.h   factorisations, systems, inverses, norms of matrices
 *     ops_special.h  torch.special
 *     ops_statistics.h   quantiles, histograms, covariances, differences, grids
 *     ops_nn.h       activations, dropout, norms, convolutions, pooling, resizing, attention
 *     ops_loss.h     losses
 *     ops_masked.h   torch.masked
 *
 * C has neither defaults nor overloads, so that a row has more than one function where that is of use. What is
 * added to the name says what the function takes instead: `_scalar` a number in place of the last tensor,
 * `_dim` or `_dims` the dimensions to reduce, `_all` none, `_in_place` is PyTorch's trailing underscore (the first
 * argument is overwritten and returned), `_weighted`, `_beta`, ... further arguments. As in PyTorch, a number
 * changes the result's dtype only if it is of a higher category: an int64 tensor + 1.5 is float32, a float16
 * tensor + 1.5 stays float16. Arguments that no C function has (dtype=, for example) are given by
 * name with tern_call.
 */
#ifndef TERN_OPS_H
#define TERN_OPS_H

#include "tern/ops_complex.h"
#include "tern/ops_create.h"
#include "tern/ops_fft.h"
#include "tern/ops_index.h"
#include "tern/ops_linalg.h"
#include "tern/ops_loss.h"
#include "tern/ops_masked.h"
#include "tern/ops_math.h"
#include "tern/ops_matrix.h"
#include "tern/ops_nn.h"
#include "tern/ops_reduce.h"
#include "tern/ops_shape.h"
#include "tern/ops_special.h"
#include "tern/ops_statistics.h"
#include "tern/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- by name --------------------------------------------------------------------------------- */

/*
 * Calls an operation by PyTorch's name ("add", "nn.functional.linear"; "add_" is in place) with positional
 * values and named ones (a dict, or none). Returns what the operation returns: a tensor, a tuple, a number;
 * none after latching an error. If no argument is a tensor, ctx's default device is used.
 */
TERN_API tern_value tern_call(tern_ctx *ctx, const char *name, const tern_value *positional,
                              int n_positional, tern_value named);

/*
 * The same in two steps, for an operation that is called often: the name is looked up once. An operation that
 * was not found has first == 0, and invoking it is an error.
 */
typedef struct tern_operation {
    int32_t first; /* the row of its first overload, counted from 1 */
    int32_t in_place;
} tern_operation;

/* Looks a name up, once for many calls. */
TERN_API tern_operation tern_find_operation(const char *name);

/* tern_call of an operation that was looked up. */
TERN_API tern_value tern_invoke(tern_ctx *ctx, tern_operation operation,
                                const tern_value *positional, int n_positional, tern_value named);

/* True if the name is in ops.def or functional.def, or an alias. */
TERN_API bool tern_op_exists(const char *name);

/* The table, row by row: the index-th operation's schema, kind ("primitive", "composite", "view", "create",
 * "host"), whether it has a gradient, and the family of kernels that it needs ("matmul"; "" if it has none of
 * its own); false past the end. */
typedef struct tern_op_info {
    const char *schema;
    const char *kind;
    bool differentiable;
    const char *kernel;
} tern_op_info;

/* The index-th row; false past the end. */
TERN_API bool tern_op_at(size_t index, tern_op_info *out_info);

/* How the default device runs the index-th operation in a dtype: "kernel", "composite", "host" or "missing".
 */
TERN_API const char *tern_op_support(tern_ctx *ctx, size_t index, tern_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
