/*
 * matrix_products.c: products of vectors and matrices composed of matmul: dot, inner, outer, mv, addmv,
 * addr, addbmm, tensordot, kron, cross, chains and powers of matrices.
 */
#include "core/ops/compose.h"
#include "functional.h"

/* x times a number in x's own dtype; of bools a factor other than 0 changes nothing. */
static tern_tensor *scaled(tern_tensor *x, tern_value factor) {
    if (factor.kind == TERN_VALUE_NONE || tern_value_as_double(factor) == 1.0) return x;
    if (BODY(x)->dtype == TERN_BOOL)
        factor = ARG_BOOL(tern_value_as_double(factor) != 0.0);
    else if (!tern_dtype_is_floating(BODY(x)->dtype))
        factor = ARG_INT(tern_value_as_int(factor));
    return TERN_CALL(mul, ARG_TENSOR(x), factor);
}

/* alpha * product + beta * input, where beta 0 ignores the input. */
static tern_value combine(tern_opcall *call, tern_tensor *product, int beta_index,
                          int alpha_index) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_value beta = tern_arg(call, beta_index);
    product = scaled(product, tern_arg(call, alpha_index));
    if (beta.kind != TERN_VALUE_NONE && tern_value_as_double(beta) == 0.0) {
        if (!tern_has_grad_required(input)) return tern_result(call, product);
        /* Zeros with the input's history: its gradient is zero, whatever it holds. */
        tern_tensor *everywhere = TERN_CALL(ones_like, ARG_TENSOR(input), ARG_DTYPE(TERN_BOOL));
        input = TERN_CALL(masked_fill, ARG_TENSOR(input), ARG_TENSOR(everywhere), ARG_INT(0));
        return tern_result(call, tern_add(product, input));
    }
    return tern_result(call, tern_add(product, scaled(input, beta)));
}

static bool has_rank(tern_opcall *call, const tern_tensor *x, int rank, const char *name) {
    if (BODY(x)->rank == rank) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT, "%s must have %d dimensions, but has %d", name, rank,
                   BODY(x)->rank);
    return false;
}

/* ---- vectors ---- */

tern_value tern_op_dot(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!has_rank(call, a, 1, "input") || !has_rank(call, b, 1, "tensor")) return tern_none();
    if (BODY(a)->numel != BODY(b)->numel)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "inconsistent tensor size, expected tensor [%lld] and src [%lld] to "
                              "have the same number of elements, but got %lld and %lld elements "
                              "respectively",
                              (long long)BODY(a)->numel, (long long)BODY(b)->numel,
                              (long long)BODY(a)->numel, (long long)BODY(b)->numel);
    return tern_result(call, tern_matmul(a, b));
}

tern_value tern_op_outer(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!has_rank(call, a, 1, "input") || !has_rank(call, b, 1, "vec2")) return tern_none();
    return tern_result(call, tern_mul(tern_unsqueeze(a, 1), b));
}

tern_value tern_op_inner(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (BODY(a)->rank == 0 || BODY(b)->rank == 0) return tern_result(call, tern_mul(a, b));
    if (BODY(a)->shape[BODY(a)->rank - 1] != BODY(b)->shape[BODY(b)->rank - 1])
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the size of the last dimension of both must be equal, got %lld and "
                              "%lld",
                              (long long)BODY(a)->shape[BODY(a)->rank - 1],
                              (long long)BODY(b)->shape[BODY(b)->rank - 1]);
    tern_shape da = TERN_SHAPE(BODY(a)->rank - 1), db = TERN_SHAPE(BODY(b)->rank - 1);
    tern_value dims = tern_list_new(call->ctx);
    tern_list_append(dims, ARG_SHAPE(da));
    tern_list_append(dims, ARG_SHAPE(db));
    return tern_result(call, TERN_CALL(tensordot, ARG_TENSOR(a), ARG_TENSOR(b), dims));
}

tern_value tern_op_vecdot(tern_opcall *call) {
    tern_tensor *product = tern_mul(tern_arg_tensor(call, 0), tern_arg_tensor(call, 1));
    return tern_result(call, tern_sum_dims(product, TERN_SHAPE(tern_arg_int(call, 2, -1)), false));
}

tern_value tern_op_mv(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    if (!has_rank(call, a, 2, "input") || !has_rank(call, b, 1, "vec")) return tern_none();
    return tern_result(call, tern_matmul(a, b));
}

tern_value tern_op_addmv(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 1), *b = tern_arg_tensor(call, 2);
    if (!has_rank(call, a, 2, "mat") || !has_rank(call, b, 1, "vec")) return tern_none();
    return combine(call, tern_matmul(a, b), 3, 4);
}

tern_value tern_op_addr(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 1), *b = tern_arg_tensor(call, 2);
    if (!has_rank(call, a, 1, "vec1") || !has_rank(call, b, 1, "vec2")) return tern_none();
    return combine(call, tern_mul(tern_unsqueeze(a, 1), b), 3, 4);
}

tern_value tern_op_addbmm(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 1), *b = tern_arg_tensor(call, 2);
    if (!has_rank(call, a, 3, "batch1") || !has_rank(call, b, 3, "batch2")) return tern_none();
    tern_tensor *products = tern_bmm(a, b);
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_shape first = TERN_SHAPE(0);
    tern_tensor *sum = TERN_CALL(sum, ARG_TENSOR(products), ARG_SHAPE(first), ARG_BOOL(false),
                                 ARG_DTYPE(BODY(products)->dtype));
    return combine(call, sum, 3, 4);
}

/* The cross product of vectors of 3 along dim; without dim the first dimension of size 3. */
static tern_value cross(tern_opcall *call, bool search) {
    tern_tensor *both[2] = {tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)};
    tern_shape shape;
    int dim = -1;
    if (!tern_broadcast_shape(call, both, 2, &shape)) return tern_none();
    if (search && !tern_arg_given(call, 2)) {
        for (int d = shape.rank - 1; d >= 0; d--)
            if (shape.dim[d] == 3) dim = d;
    } else if (!tern_wrap_dim(call->ctx, shape.rank, tern_arg_int(call, 2, -1), &dim)) {
        return tern_none();
    }
    if (dim < 0 || shape.rank == 0 || shape.dim[dim] != 3)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "inputs dimension %d must have length 3",
                              dim);
    tern_tensor *rolled[2][2];
    for (int i = 0; i < 2; i++) {
        tern_tensor *x = tern_expand(both[i], shape);
        for (int k = 0; k < 2; k++)
            rolled[i][k] = TERN_CALL(roll, ARG_TENSOR(x), ARG_INT(k == 0 ? -1 : 1), ARG_INT(dim));
    }
    return tern_result(
        call, tern_sub(tern_mul(rolled[0][0], rolled[1][1]), tern_mul(rolled[0][1], rolled[1][0])));
}

tern_value tern_op_cross(tern_opcall *call) {
    return cross(call, true);
}
tern_value tern_op_linalg_cross(tern_opcall *call) {
    return cross(call, false);
}

/* ---- tensordot ---- */

/* x with the dimensions of `dims` last (or first), flattened to a matrix of `area` by those. */
static tern_tensor *as_matrix(tern_tensor *x, const tern_shape *dims, bool last,
                              tern_shape *out_free) {
    tern_shape order = {0, {0}}, taken = order;
    int64_t rows = 1, area = 1;
    out_free->rank = 0;
    uint32_t mask = 0;
    for (int i = 0; i < dims->rank; i++) mask |= 1u << dims->dim[i];
    for (int i = 0; i < dims->rank; i++) {
        taken.dim[taken.rank++] = dims->dim[i];
        area *= BODY(x)->shape[dims->dim[i]];
    }
    if (!last)
        for (int i = 0; i < taken.rank; i++) order.dim[order.rank++] = taken.dim[i];
    for (int d = 0; d < BODY(x)->rank; d++) {
        if (mask >> d & 1u) continue;
        order.dim[order.rank++] = d;
        out_free->dim[out_free->rank++] = BODY(x)->shape[d];
        rows *= BODY(x)->shape[d];
    }
    if (last)
        for (int i = 0; i < taken.rank; i++) order.dim[order.rank++] = taken.dim[i];
    tern_shape size = last ? TERN_SHAPE(rows, area) : TERN_SHAPE(area, rows);
    return tern_reshape(tern_permute(x, order), size);
}

/* The dimensions that a list or a number names, each once; false after latching. */
static bool listed_dims(tern_opcall *call, tern_value list, int rank, tern_shape *out) {
    size_t n = tern_value_is_number(list) ? 1 : tern_value_count(list);
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        int dim;
        tern_value item = tern_value_is_number(list) ? list : tern_value_at(list, i);
        if (!tern_wrap_dim(call->ctx, rank, tern_value_as_int(item), &dim)) return false;
        if (rank == 0 || seen >> dim & 1u) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "dim %d %s", dim,
                           rank == 0 ? "is given of a tensor that has none"
                                     : "appears multiple times in the list of dims");
            return false;
        }
        seen |= 1u << dim;
        out->dim[out->rank++] = dim;
    }
    return true;
}

/* dims: how many (the last of a, the first of b), or two lists. */
static bool contracted_dims(tern_opcall *call, const tern_tensor *a, const tern_tensor *b,
                            tern_shape *da, tern_shape *db) {
    tern_value dims = tern_arg(call, 2);
    int64_t count = dims.kind == TERN_VALUE_NONE ? 2 : tern_value_as_int(dims);
    bool lists = dims.kind != TERN_VALUE_NONE && !tern_value_is_number(dims);
    da->rank = db->rank = 0;
    bool fits = lists ? tern_value_count(dims) == 2
                      : count >= 0 && count <= BODY(a)->rank && count <= BODY(b)->rank;
    for (int side = 0; fits && lists && side < 2; side++) {
        tern_value list = tern_value_at(dims, (size_t)side);
        tern_shape *out = side == 0 ? da : db;
        if (!listed_dims(call, list, BODY(side == 0 ? a : b)->rank, out)) return false;
    }
    for (int64_t i = 0; fits && !lists && i < count; i++) {
        da->dim[da->rank++] = BODY(a)->rank - count + i;
        db->dim[db->rank++] = i;
    }
    fits = fits && da->rank == db->rank;
    for (int i = 0; fits && i < da->rank; i++)
        fits = BODY(a)->shape[da->dim[i]] == BODY(b)->shape[db->dim[i]] ||
               BODY(a)->shape[da->dim[i]] == 1 || BODY(b)->shape[db->dim[i]] == 1;
    if (!fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "contracted dimensions need to match in number and size");
    return fits;
}

tern_value tern_op_tensordot(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    tern_shape da, db, free_a, free_b, shape;
    if (!contracted_dims(call, a, b, &da, &db)) return tern_none();
    /* A contracted dimension of size 1 broadcasts: the other side is summed over it. */
    for (int i = 0; i < da.rank && call->ctx->status == TERN_OK; i++) {
        tern_shape in_a = TERN_SHAPE(da.dim[i]), in_b = TERN_SHAPE(db.dim[i]);
        if (BODY(a)->shape[da.dim[i]] == BODY(b)->shape[db.dim[i]]) continue;
        if (BODY(a)->shape[da.dim[i]] == 1)
            b = TERN_CALL(sum, ARG_TENSOR(b), ARG_SHAPE(in_b), ARG_BOOL(true),
                          ARG_DTYPE(BODY(b)->dtype));
        else
            a = TERN_CALL(sum, ARG_TENSOR(a), ARG_SHAPE(in_a), ARG_BOOL(true),
                          ARG_DTYPE(BODY(a)->dtype));
    }
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *left = as_matrix(a, &da, true, &free_a);
    tern_tensor *right = as_matrix(b, &db, false, &free_b);
    shape = free_a;
    for (int d = 0; d < free_b.rank && shape.rank < TERN_MAX_RANK; d++)
        shape.dim[shape.rank++] = free_b.dim[d];
    return tern_result(call, tern_reshape(tern_mm(left, right), shape));
}

/* ---- kron, chains, powers ---- */

tern_value tern_op_kron(tern_opcall *call) {
    tern_tensor *a = tern_arg_tensor(call, 0), *b = tern_arg_tensor(call, 1);
    int rank = BODY(a)->rank > BODY(b)->rank ? BODY(a)->rank : BODY(b)->rank;
    if (2 * rank > TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "at most %d dimensions", TERN_MAX_RANK / 2);
    tern_shape sa = {2 * rank, {0}}, sb = sa, shape = {rank, {0}};
    bool fits = true;
    for (int d = 0; d < rank; d++) {
        int from_a = d - (rank - BODY(a)->rank), from_b = d - (rank - BODY(b)->rank);
        sa.dim[2 * d] = from_a < 0 ? 1 : BODY(a)->shape[from_a];
        sa.dim[2 * d + 1] = 1;
        sb.dim[2 * d] = 1;
        sb.dim[2 * d + 1] = from_b < 0 ? 1 : BODY(b)->shape[from_b];
        shape.dim[d] = tern_dim_mul(sa.dim[2 * d], sb.dim[2 * d + 1], &fits);
    }
    char one[TERN_SHAPE_TEXT], other[TERN_SHAPE_TEXT];
    if (!fits)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "the product of %s and %s is too large",
                              tern_shape_text(BODY(a)->rank, BODY(a)->shape, one),
                              tern_shape_text(BODY(b)->rank, BODY(b)->shape, other));
    tern_tensor *product = tern_mul(tern_reshape(a, sa), tern_reshape(b, sb));
    return tern_result(call, tern_reshape(product, shape));
}

tern_value tern_op_multi_dot(tern_opcall *call) {
    int count;
    tern_tensor **tensors = tern_arg_tensors(call, 0, &count);
    if (!tensors || call->ctx->status != TERN_OK) return tern_none();
    if (count < 2)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expected at least 2 tensors but got %d",
                              count);
    tern_tensor *product = tensors[0];
    for (int i = 1; i < count; i++) product = tern_matmul(product, tensors[i]);
    return tern_result(call, product);
}

tern_value tern_op_matrix_power(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *result = NULL;
    int64_t n = tern_arg_int(call, 1, 1);
    if (BODY(x)->rank < 2 || BODY(x)->shape[BODY(x)->rank - 1] != BODY(x)->shape[BODY(x)->rank - 2])
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "A must be batches of square matrices");
    if (n < 0) {
        x = TERN_CALL(inv, ARG_TENSOR(x));
        n = n == INT64_MIN ? INT64_MAX : -n;
    }
    if (n == 0) {
        tern_tensor *eye = TERN_CALL_CTX(call->ctx, eye, ARG_INT(BODY(x)->shape[BODY(x)->rank - 1]),
                                         tern_none(), ARG_DTYPE(BODY(x)->dtype));
        eye = tern_to_device(eye, tern_device_of(x));
        /* Nowhere x, but with its history: the gradient is 0. */
        tern_tensor *nowhere =
            TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(TERN_SCALAR_SHAPE), ARG_DTYPE(TERN_BOOL));
        return tern_result(call, tern_where(nowhere, x, eye));
    }
    for (tern_tensor *power = x; n > 0 && call->ctx->status == TERN_OK; n >>= 1) {
        if (n & 1) result = result ? tern_matmul(result, power) : power;
        if (n > 1) power = tern_matmul(power, power);
    }
    return tern_result(call, result == x ? tern_clone(x) : result);
}

/* ---- C functions ---- */

tern_tensor *tern_dot(tern_tensor *input, tern_tensor *tensor) {
    return TERN_CALL(dot, ARG_TENSOR(input), ARG_TENSOR(tensor));
}
tern_tensor *tern_outer(tern_tensor *input, tern_tensor *vec2) {
    return TERN_CALL(outer, ARG_TENSOR(input), ARG_TENSOR(vec2));
}
