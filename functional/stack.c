/*
 * stack.c: joins and spreads over several tensors: hstack, vstack, dstack, column_stack,
 * block_diag, atleast_1d .. 3d, broadcast_tensors, meshgrid, cartesian_prod, combinations.
 */
#include <string.h>

#include "core/ops/layout.h"
#include "functional.h"

/* The tensors argument, each raised to at least `rank` dimensions as NumPy does it. */
static tern_tensor *raised(tern_tensor *x, int rank) {
    if (tern_is_nil(x) || BODY(x)->rank >= rank) return x;
    if (rank == 1) return tern_reshape(x, TERN_SHAPE(1));
    if (rank == 2)
        return BODY(x)->rank == 0 ? tern_reshape(x, TERN_SHAPE(1, 1)) : tern_unsqueeze(x, 0);
    return tern_unsqueeze(raised(x, 2), -1);
}

static tern_tensor **raised_list(tern_opcall *call, int rank, int *out_count) {
    tern_tensor **tensors = tern_arg_tensors(call, 0, out_count);
    if (!tensors || call->ctx->status != TERN_OK) return NULL;
    if (*out_count == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "expects a non-empty list of tensors");
        return NULL;
    }
    for (int i = 0; i < *out_count; i++) tensors[i] = raised(tensors[i], rank);
    return call->ctx->status == TERN_OK ? tensors : NULL;
}

/* ---- joins ---- */

static tern_value join(tern_opcall *call, int rank, int dim) {
    int count;
    tern_tensor **tensors = raised_list(call, rank, &count);
    if (!tensors) return tern_none();
    if (rank == 1) dim = BODY(tensors[0])->rank == 1 ? 0 : 1;
    return tern_result(call, tern_cat(tensors, count, dim));
}

tern_value tern_op_hstack(tern_opcall *call) {
    return join(call, 1, 0);
}
tern_value tern_op_vstack(tern_opcall *call) {
    return join(call, 2, 0);
}
tern_value tern_op_dstack(tern_opcall *call) {
    return join(call, 3, 2);
}

tern_value tern_op_column_stack(tern_opcall *call) {
    int count;
    tern_tensor **tensors = raised_list(call, 0, &count);
    if (!tensors) return tern_none();
    for (int i = 0; i < count; i++)
        if (BODY(tensors[i])->rank <= 1)
            tensors[i] = tern_reshape(tensors[i], TERN_SHAPE(BODY(tensors[i])->numel, 1));
    return tern_result(call, tern_cat(tensors, count, 1));
}

tern_value tern_op_block_diag(tern_opcall *call) {
    int count;
    tern_tensor **tensors = raised_list(call, 2, &count);
    if (!tensors) return tern_none();
    int64_t columns = 0, at = 0;
    for (int i = 0; i < count; i++) {
        if (BODY(tensors[i])->rank > 2)
            return tern_call_fail(call, TERN_ERR_ARGUMENT,
                                  "Input tensors must have 2 or fewer dimensions. Input %d has %d "
                                  "dimensions",
                                  i, BODY(tensors[i])->rank);
        columns += BODY(tensors[i])->shape[1];
    }
    for (int i = 0; i < count && call->ctx->status == TERN_OK; i++) {
        int64_t width = BODY(tensors[i])->shape[1];
        tern_shape left = TERN_SHAPE(BODY(tensors[i])->shape[0], at), right = left;
        right.dim[1] = columns - at - width;
        tern_tensor *row[3] = {TERN_CALL(new_zeros, ARG_TENSOR(tensors[i]), ARG_SHAPE(left)),
                               tensors[i],
                               TERN_CALL(new_zeros, ARG_TENSOR(tensors[i]), ARG_SHAPE(right))};
        tensors[i] = tern_cat(row, 3, 1);
        at += width;
    }
    return tern_result(call, tern_cat(tensors, count, 0));
}

/* ---- the same list, changed ---- */

static tern_value at_least(tern_opcall *call, int rank) {
    int count;
    tern_tensor **tensors = raised_list(call, rank, &count);
    if (!tensors) return tern_none();
    if (rank == 3)
        for (int i = 0; i < count; i++) tensors[i] = raised(tensors[i], 3);
    return count == 1 ? tern_result(call, tensors[0])
                      : tern_tensors_value(call->ctx, tensors, count);
}

tern_value tern_op_atleast_1d(tern_opcall *call) {
    return at_least(call, 1);
}
tern_value tern_op_atleast_2d(tern_opcall *call) {
    return at_least(call, 2);
}
tern_value tern_op_atleast_3d(tern_opcall *call) {
    return at_least(call, 3);
}

tern_value tern_op_broadcast_tensors(tern_opcall *call) {
    int count;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    tern_shape shape;
    if (!tensors || !tern_broadcast_shape(call, tensors, count, &shape)) return tern_none();
    for (int i = 0; i < count; i++) tensors[i] = tern_expand(tensors[i], shape);
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, tensors, count)
                                        : tern_none();
}

/* Grids over vectors: result i varies along dimension i; "xy" exchanges the first two. */
static bool grids(tern_opcall *call, tern_tensor **tensors, int count, bool xy) {
    tern_shape shape = {count, {0}};
    if (count > TERN_MAX_RANK) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "at most %d tensors", TERN_MAX_RANK);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (BODY(tensors[i])->rank > 1 || BODY(tensors[i])->dtype != BODY(tensors[0])->dtype) {
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "expects 0D or 1D tensors of one dtype, but got: %d dimensions of %s",
                           BODY(tensors[i])->rank, tern_dtype_name(BODY(tensors[i])->dtype));
            return false;
        }
        shape.dim[i] = BODY(tensors[i])->numel;
    }
    bool swap = xy && count > 1;
    if (swap) {
        int64_t first = shape.dim[0];
        shape.dim[0] = shape.dim[1];
        shape.dim[1] = first;
    }
    for (int i = 0; i < count; i++) {
        tern_shape own = {count, {0}};
        int at = swap && i < 2 ? 1 - i : i;
        for (int d = 0; d < count; d++) own.dim[d] = d == at ? BODY(tensors[i])->numel : 1;
        tensors[i] = tern_expand(tern_reshape(tensors[i], own), shape);
    }
    return call->ctx->status == TERN_OK;
}

tern_value tern_op_meshgrid(tern_opcall *call) {
    int count;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    const char *indexing = tern_arg_text(call, 1, "ij");
    bool xy = strcmp(indexing, "xy") == 0;
    if (!tensors || call->ctx->status != TERN_OK) return tern_none();
    if (count == 0 || (!xy && strcmp(indexing, "ij") != 0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects a non-empty list of tensors and indexing 'xy' or 'ij', got "
                              "'%s'",
                              indexing);
    if (!grids(call, tensors, count, xy)) return tern_none();
    return tern_tensors_value(call->ctx, tensors, count);
}

tern_value tern_op_cartesian_prod(tern_opcall *call) {
    int count;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    if (!tensors || call->ctx->status != TERN_OK) return tern_none();
    if (count == 1) return tern_result(call, tensors[0]);
    if (count == 0 || !grids(call, tensors, count, false)) return tern_none();
    for (int i = 0; i < count; i++) tensors[i] = tern_reshape(tensors[i], TERN_SHAPE(-1));
    return tern_result(call, tern_stack(tensors, count, 1));
}

/* ---- combinations: rows of r positions in ascending order ---- */

/* The next choice in lexicographic order; false after the last. */
static bool next_choice(int64_t *choice, int64_t n, int64_t r, bool with_replacement) {
    for (int64_t i = r - 1; i >= 0; i--) {
        int64_t most = with_replacement ? n - 1 : n - r + i;
        if (choice[i] >= most) continue;
        choice[i]++;
        for (int64_t k = i + 1; k < r; k++)
            choice[k] = with_replacement ? choice[i] : choice[k - 1] + 1;
        return true;
    }
    return false;
}

/* All choices, one after the other, in host memory; count in *out_count. NULL after latching. */
static int64_t *all_choices(tern_ctx *ctx, int64_t n, int64_t r, bool with_replacement,
                            int64_t *out_count) {
    int64_t capacity = 64, count = 0; /* r is below 2^15 */
    int64_t *rows = tern_host_buffer(ctx, capacity * r, sizeof *rows);
    int64_t *choice = tern_host_buffer(ctx, r, sizeof *choice);
    bool more = rows && choice && (with_replacement ? n > 0 : n >= r);
    for (int64_t i = 0; more && i < r; i++) choice[i] = with_replacement ? 0 : i;
    while (more) {
        if (count == capacity) {
            int64_t *grown = tern_host_buffer(ctx, 2 * capacity, (size_t)r * sizeof *rows);
            if (grown) memcpy(grown, rows, (size_t)(capacity * r) * sizeof *rows);
            tern_host_give(ctx, rows);
            rows = grown;
            capacity *= 2;
            if (!rows) break;
        }
        for (int64_t i = 0; i < r; i++) rows[count * r + i] = choice[i];
        count++;
        more = next_choice(choice, n, r, with_replacement);
    }
    tern_host_give(ctx, choice);
    *out_count = count;
    return rows;
}

tern_value tern_op_combinations(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    int64_t r = tern_arg_int(call, 1, 2), count = 0;
    if (BODY(x)->rank != 1 || r < 0 || r > INT16_MAX)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "Expect a 1D vector and a non-negative r, but got %d dimensions and "
                              "%lld",
                              BODY(x)->rank, (long long)r);
    if (r == 0)
        return tern_result(call, TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(0))));
    int64_t *rows =
        all_choices(call->ctx, BODY(x)->shape[0], r, tern_arg_bool(call, 2, false), &count);
    if (!rows) return tern_none();
    tern_shape flat = {1, {count * r}};
    tern_tensor *index = tern_new_from_host(call->lane, rows, TERN_INT64, &flat, NULL);
    tern_host_give(call->ctx, rows);
    tern_tensor *picked = tern_index_select(x, 0, index);
    return tern_result(call, tern_reshape(picked, TERN_SHAPE(count, r)));
}
