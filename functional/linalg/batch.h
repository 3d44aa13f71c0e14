/*
 * batch.h: linear algebra over batches [*, m, n] in host memory: operands as doubles, results in the dtype
 * of the operand. And the spellings in which the formulas of gradients are written.
 *
 * All floating dtypes are taken, float16 and bfloat16 too, which PyTorch refuses here.
 */
#ifndef TERN_LINALG_BATCH_H
#define TERN_LINALG_BATCH_H

#include "core/ops/compose.h"
#include "dense.h"
#include "functional/functional.h"

/* ---- in host memory ---- */

/* `count` matrices of rows x columns, one behind the other; lead are the batch's dimensions. */
typedef struct tern_batch {
    tern_shape lead;
    int64_t count, rows, columns;
    double *data;
} tern_batch;

/* Latches, and is false, for a tensor that is no batch of matrices (square ones, if asked) of a floating
 * dtype. Such checks need no batch in memory. */
bool tern_expect_matrices(tern_opcall *call, tern_tensor *x, const char *name, bool square);

/* The same for the operands of the inner operations: a square `a` and `b` of one batch, dtype and number of
 * rows. */
bool tern_expect_system(tern_opcall *call, tern_tensor *a, tern_tensor *b);

/* The matrices of x, copied; false after latching. data goes back by tern_host_give, or with
 * tern_batch_result. */
bool tern_batch_of(tern_opcall *call, tern_tensor *x, tern_batch *out);

/* Space for as many matrices of another size; data is NULL after latching. */
tern_batch tern_batch_like(tern_opcall *call, const tern_batch *batch, int64_t rows,
                           int64_t columns);

/* Space for `each` elements of every matrix. */
void *tern_batch_space(tern_opcall *call, const tern_batch *batch, int64_t each, size_t element);

/* How many matrices there is something to do for: none of a batch, however long, where neither the matrices nor what
 * becomes of each (`each` elements) have any. */
static inline int64_t tern_batch_turns(const tern_batch *batch, int64_t each) {
    return (batch->rows && batch->columns) || each ? batch->count : 0;
}

/* One operation's work on its matrices: what of this it uses is its own. Set to {0} first. */
typedef struct tern_factoring {
    tern_dense by;
    tern_batch a, b, c;
    double *values, *more;
    int32_t *pivots, *infos;
    int64_t k;
    bool upper, unit, transpose, right, vectors;
    void (*one)(struct tern_factoring *f, int64_t i);
} tern_factoring;

/* Calls one(f, i) for the first `count` matrices, whose results are in `dtype`, on the threads of the process's pool
 * where there is enough to do: it must touch what is matrix i's alone. Latches where memory is out. */
void tern_factor(tern_opcall *call, tern_factoring *f, tern_dtype dtype, int64_t count,
                 void (*one)(tern_factoring *f, int64_t i));

/* Matrix i of a batch. */
static inline double *tern_matrix(const tern_batch *batch, int64_t i) {
    return batch->data + i * batch->rows * batch->columns;
}

/* data as a tensor [lead, own] of `dtype`; gives data back, whether or not something was latched. */
tern_tensor *tern_batch_result(tern_opcall *call, void *data, tern_dtype host, tern_dtype dtype,
                               tern_shape lead, tern_shape own);

/* The same for a batch. */
tern_tensor *tern_batch_matrices(tern_opcall *call, tern_batch *batch, tern_dtype dtype);

/* Several results as the value of the call. */
tern_value tern_results(tern_opcall *call, tern_tensor *const *tensors, int count);

/* Latches for the first info that is not 0: "(Batch element 1): ...". */
bool tern_check_infos(tern_opcall *call, const int32_t *infos, int64_t count, const char *what);

/* The same for the result `index` of an inner call, so that the message names the outer one; gives the results
 * back, none after latching. */
tern_value tern_checked_results(tern_opcall *call, tern_value all, size_t index, const char *what);

/* Pivots are int32, as factorisations give them, or int64. */
static inline bool tern_are_pivots(const tern_tensor *x) {
    return BODY(x)->rank > 0 && (BODY(x)->dtype == TERN_INT32 || BODY(x)->dtype == TERN_INT64);
}

/* ---- as operations, recorded ---- */

static inline tern_tensor *tern_mt(tern_tensor *x) {
    return tern_transpose(x, -2, -1);
}
static inline tern_tensor *tern_tril_from(tern_tensor *x, int64_t diagonal) {
    return TERN_CALL(tril, ARG_TENSOR(x), ARG_INT(diagonal));
}
static inline tern_tensor *tern_triu_from(tern_tensor *x, int64_t diagonal) {
    return TERN_CALL(triu, ARG_TENSOR(x), ARG_INT(diagonal));
}
static inline tern_tensor *tern_diagonal_of(tern_tensor *x) {
    return TERN_CALL(diagonal, ARG_TENSOR(x), ARG_INT(0), ARG_INT(-2), ARG_INT(-1));
}
/* 0 of nil, which an operation that failed gives. */
static inline int64_t tern_rows(const tern_tensor *x) {
    return BODY(x)->rank < 2 ? 0 : BODY(x)->shape[BODY(x)->rank - 2];
}
static inline int64_t tern_columns(const tern_tensor *x) {
    return BODY(x)->rank < 2 ? 0 : BODY(x)->shape[BODY(x)->rank - 1];
}

/* a + b where both are there, NULL for neither. */
static inline tern_tensor *tern_plus(tern_tensor *a, tern_tensor *b) {
    return a && b ? tern_add(a, b) : a ? a : b;
}

/* The identity in the dtype and with the batch of x, [*, n, n]. */
tern_tensor *tern_identity_like(tern_tensor *x, int64_t n);

/* The first of a tuple, or another; nil after latching. */
tern_tensor *tern_part(tern_ctx *ctx, tern_value tuple, size_t index);

/* x[.., m, n] expanded to the batch of `lead`. */
tern_tensor *tern_expand_batch(tern_tensor *x, tern_shape lead);

/* The common batch of a and b, both of two dimensions at least; false after latching. */
bool tern_common_batch(tern_opcall *call, tern_tensor *a, tern_tensor *b, tern_shape *out_lead);

/* The solution of op(A) x = B, A upper or lower triangular, of one batch with B. */
tern_tensor *tern_triangular_inverse_times(tern_tensor *a, tern_tensor *b, bool upper, bool unit);

/* B A^-1 */
tern_tensor *tern_times_triangular_inverse(tern_tensor *b, tern_tensor *a, bool upper, bool unit);

#endif
