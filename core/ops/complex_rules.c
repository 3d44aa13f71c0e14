/* complex_rules.c: what operations are on complex tensors, composed of operations on real and imaginary parts. */
#include "complex.h"

#include "compose.h"
#include "reduce.h"

/* ---- operands -------------------------------------------------------------------------------- */

static bool is_complex(const tern_tensor *x) {
    return !tern_is_nil(x) && tern_is_complex(BODY(x)->dtype);
}

static bool is_complex_arg(const tern_opcall *call, int i) {
    return is_complex(tern_arg_tensor(call, i));
}

/* Argument i in a complex dtype. */
static tern_tensor *operand(const tern_opcall *call, int i, tern_dtype dtype) {
    tern_value value = tern_arg(call, i);
    if (value.kind == TERN_VALUE_TENSOR) return tern_to_dtype(value.as.tensor, dtype);
    return TERN_CALL(new_full, tern_arg(call, 1 - i), ARG_SHAPE(TERN_SCALAR_SHAPE), value,
                     ARG_DTYPE(dtype));
}

/* The parts of a tensor, or of one that is real. */
typedef struct parts {
    tern_tensor *re, *im; /* NULL: all 0 */
} parts;

static parts parts_of(tern_tensor *x) {
    if (!is_complex(x)) return (parts){x, NULL};
    return (parts){tern_part_of(x, 0), tern_part_of(x, 1)};
}

/* x * y + sign * u * v, where a factor may be NULL, which is 0; not all of it is. */
static tern_tensor *products(tern_tensor *x, tern_tensor *y, double sign, tern_tensor *u,
                             tern_tensor *v) {
    tern_tensor *second = u && v ? tern_mul(u, v) : NULL;
    if (!x || !y) return sign < 0 ? tern_neg(second) : second;
    tern_tensor *first = tern_mul(x, y);
    if (!second) return first;
    return sign < 0 ? tern_sub(first, second) : tern_add(first, second);
}

/* What to divide numbers by so that their squares are neither infinite nor 0: the larger part, without a
 * history, since results do not depend on it. */
static tern_tensor *scale_of(tern_tensor *x) {
    tern_tensor *sizes = tern_abs(tern_detach(tern_pairs_of(x)));
    tern_tensor *largest = TERN_CALL(amax, ARG_TENSOR(sizes), ARG_SHAPE(TERN_SHAPE(-1)));
    tern_tensor *fits =
        tern_logical_and(tern_isfinite(largest), TERN_CALL(gt, ARG_TENSOR(largest), ARG_INT(0)));
    return TERN_CALL(where, ARG_TENSOR(fits), ARG_TENSOR(largest), ARG_FLOAT(1));
}

/* ---- element by element ---------------------------------------------------------------------- */

/* The operation on all parts alike. */
static tern_value by_part(tern_opcall *call) {
    tern_value pairs = ARG_TENSOR(tern_pairs_of(tern_arg_tensor(call, 0)));
    return tern_result(call, tern_of_pairs(tern_op_tensor(call->ctx, call->op, &pairs, 1)));
}

/* a + alpha b, a - alpha b */
static tern_value sum_of_two(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    tern_value args[3] = {ARG_TENSOR(tern_pairs_of(operand(call, 0, dtype))),
                          ARG_TENSOR(tern_pairs_of(operand(call, 1, dtype))), tern_arg(call, 2)};
    int n = tern_arg_given(call, 2) ? 3 : 2;
    return tern_result(call, tern_of_pairs(tern_op_tensor(call->ctx, call->op, args, n)));
}

static tern_value real_factor(const tern_opcall *call, int i, tern_dtype dtype) {
    tern_value factor = tern_arg(call, i);
    if (factor.kind != TERN_VALUE_TENSOR) return factor;
    return ARG_TENSOR(tern_unsqueeze(tern_to_dtype(factor.as.tensor, tern_real_dtype(dtype)), -1));
}

/* A complex tensor by a real tensor or number: `op` is mul or div. */
static tern_value scaled(tern_opcall *call, int i, tern_dtype dtype) {
    tern_tensor *pairs = tern_pairs_of(operand(call, i, dtype));
    tern_value args[2] = {ARG_TENSOR(pairs), real_factor(call, 1 - i, dtype)};
    return tern_result(call, tern_of_pairs(tern_op_tensor(call->ctx, call->op, args, 2)));
}

static tern_value product(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    for (int i = 0; i < 2; i++)
        if (!is_complex_arg(call, 1 - i)) return scaled(call, i, dtype);
    parts a = parts_of(operand(call, 0, dtype)), b = parts_of(operand(call, 1, dtype));
    return tern_result(call, tern_of_parts(products(a.re, b.re, -1, a.im, b.im),
                                           products(a.re, b.im, 1, a.im, b.re)));
}

/* a / b = a conj(b) / |b|^2, with b divided by its larger part before it is squared */
static tern_tensor *quotient_of(parts a, tern_tensor *b) {
    tern_tensor *scale = scale_of(b);
    parts d = parts_of(b);
    d.re = tern_div(d.re, scale);
    d.im = tern_div(d.im, scale);
    tern_tensor *square = products(d.re, d.re, 1, d.im, d.im);
    tern_tensor *re = products(a.re, d.re, 1, a.im, d.im);
    tern_tensor *im = products(a.im, d.re, -1, a.re, d.im);
    return tern_of_parts(tern_div(tern_div(re, square), scale),
                         tern_div(tern_div(im, square), scale));
}

static tern_value quotient(tern_opcall *call) {
    if (tern_arg_given(call, 2))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "complex numbers are not rounded: leave out rounding_mode");
    tern_dtype dtype = tern_result_type(call->args, 2);
    if (!is_complex_arg(call, 1)) return scaled(call, 0, dtype);
    tern_tensor *a = tern_arg_tensor(call, 0);
    a = tern_to_dtype(a, is_complex(a) ? dtype : tern_real_dtype(dtype));
    return tern_result(call, quotient_of(parts_of(a), operand(call, 1, dtype)));
}

static tern_value reciprocal(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_tensor *one = TERN_CALL(new_ones, ARG_TENSOR(x), ARG_SHAPE(TERN_SCALAR_SHAPE),
                                 ARG_DTYPE(tern_real_dtype(BODY(x)->dtype)));
    return tern_result(call, quotient_of((parts){one, NULL}, x));
}

static tern_value square(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    return tern_result(call, tern_mul(x, x));
}

/* The slope at 0 is 0, as vector_norm has it. */
static tern_tensor *absolute(tern_tensor *x) {
    tern_tensor *scale = scale_of(x), *unit = tern_div(tern_pairs_of(x), tern_unsqueeze(scale, -1));
    tern_tensor *norm = TERN_CALL(vector_norm, ARG_TENSOR(unit), ARG_FLOAT(2), ARG_INT(-1));
    return tern_mul(norm, scale);
}

static tern_value absolute_value(tern_opcall *call) {
    return tern_result(call, absolute(tern_arg_tensor(call, 0)));
}

static tern_value exponential(tern_opcall *call) {
    parts x = parts_of(tern_arg_tensor(call, 0));
    tern_tensor *size = tern_exp(x.re);
    return tern_result(
        call, tern_of_parts(tern_mul(size, tern_cos(x.im)), tern_mul(size, tern_sin(x.im))));
}

static tern_value where(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args + 1, 2);
    tern_value args[3] = {ARG_TENSOR(tern_unsqueeze(tern_arg_tensor(call, 0), -1))};
    for (int i = 1; i < 3; i++) {
        tern_value value = tern_arg(call, i);
        tern_tensor *own = value.kind == TERN_VALUE_TENSOR
                               ? tern_to_dtype(value.as.tensor, dtype)
                               : TERN_CALL(new_full, tern_arg(call, 3 - i),
                                           ARG_SHAPE(TERN_SCALAR_SHAPE), value, ARG_DTYPE(dtype));
        args[i] = ARG_TENSOR(tern_pairs_of(own));
    }
    return tern_result(call, tern_of_pairs(tern_op_tensor(call->ctx, call->op, args, 3)));
}

/* ---- to bool --------------------------------------------------------------------------------- */

/* Both parts are equal; one of both is not. */
static tern_value comparison(tern_opcall *call) {
    tern_dtype dtype = tern_result_type(call->args, 2);
    parts a = parts_of(operand(call, 0, dtype)), b = parts_of(operand(call, 1, dtype));
    tern_value re[2] = {ARG_TENSOR(a.re), ARG_TENSOR(b.re)};
    tern_value im[2] = {ARG_TENSOR(a.im), ARG_TENSOR(b.im)};
    tern_tensor *first = tern_op_tensor(call->ctx, call->op, re, 2);
    tern_tensor *second = tern_op_tensor(call->ctx, call->op, im, 2);
    return tern_result(call, call->op == TERN_ROW(eq) ? tern_logical_and(first, second)
                                                      : tern_logical_or(first, second));
}

/* isfinite of both parts; isnan and isinf of one. */
static tern_value classification(tern_opcall *call) {
    parts x = parts_of(tern_arg_tensor(call, 0));
    tern_value re = ARG_TENSOR(x.re), im = ARG_TENSOR(x.im);
    tern_tensor *first = tern_op_tensor(call->ctx, call->op, &re, 1);
    tern_tensor *second = tern_op_tensor(call->ctx, call->op, &im, 1);
    return tern_result(call, call->op == TERN_ROW(isfinite) ? tern_logical_and(first, second)
                                                            : tern_logical_or(first, second));
}

/* ---- along dimensions ------------------------------------------------------------------------ */

/* sum and mean: of all parts alike, over dimensions counted from the front. */
static tern_value reduction(tern_opcall *call) {
    tern_tensor *input = tern_arg_tensor(call, 0);
    tern_tensor *x = tern_to_dtype(input, tern_arg_dtype(call, 3, BODY(input)->dtype));
    uint32_t mask;
    if (tern_is_nil(x) || !tern_reduce_mask(call->ctx, BODY(x)->rank, tern_arg(call, 1), &mask))
        return tern_none();
    tern_value args[3] = {ARG_TENSOR(x), tern_arg(call, 1), tern_arg(call, 2)};
    if (!is_complex(x)) return tern_op_call(call->ctx, call->op, args, 3);
    if (BODY(x)->rank == 0) return tern_result(call, tern_clone(x));
    tern_shape dims = {0, {0}};
    for (int d = 0; d < BODY(x)->rank; d++)
        if (mask >> d & 1u) dims.dim[dims.rank++] = d;
    args[0] = ARG_TENSOR(tern_pairs_of(x));
    args[1] = ARG_SHAPE(dims);
    return tern_result(call, tern_of_pairs(tern_op_tensor(call->ctx, call->op, args, 3)));
}

static tern_value norm(tern_opcall *call) {
    tern_value args[5];
    for (int i = 0; i < call->n_args; i++) args[i] = call->args[i];
    args[0] = ARG_TENSOR(absolute(tern_arg_tensor(call, 0)));
    return tern_op_call(call->ctx, call->op, args, call->n_args);
}

/* The operation on pairs, its dimension (argument 1) counted from the front; tensors from `first` on have
 * complex elements too. */
static tern_value along(tern_opcall *call, int first) {
    tern_value args[TERN_MAX_ARGS];
    tern_tensor *x = tern_arg_tensor(call, 0);
    int dim;
    if (!tern_wrap_dim(call->ctx, BODY(x)->rank, tern_arg_int(call, 1, 0), &dim))
        return tern_none();
    if (BODY(x)->rank == 0)
        return tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                              "a complex tensor must have a dimension here: unsqueeze it");
    for (int i = 0; i < call->n_args; i++) args[i] = call->args[i];
    args[0] = ARG_TENSOR(tern_pairs_of(x));
    args[1] = ARG_INT(dim);
    for (int i = first; i < call->n_args; i++)
        if (args[i].kind == TERN_VALUE_TENSOR)
            args[i] = ARG_TENSOR(tern_pairs_of(tern_to_dtype(args[i].as.tensor, BODY(x)->dtype)));
    return tern_result(call,
                       tern_of_pairs(tern_op_tensor(call->ctx, call->op, args, call->n_args)));
}

static tern_value slices(tern_opcall *call) {
    return along(call, 3);
}

/* cumsum(input, dim, *, dtype=None) */
static tern_value running_sum(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    x = tern_to_dtype(x, tern_arg_dtype(call, 2, BODY(x)->dtype));
    tern_value args[2] = {ARG_TENSOR(x), tern_arg(call, 1)};
    if (!is_complex(x) || (!tern_is_nil(x) && BODY(x)->rank == 0))
        return is_complex(x) ? tern_result(call, tern_clone(x))
                             : tern_op_call(call->ctx, call->op, args, 2);
    tern_opcall plain = *call;
    plain.args = args;
    plain.n_args = 2;
    return along(&plain, 2);
}

/* gather and scatter_add: each index stands for a pair. */
static tern_value by_index(tern_opcall *call) {
    tern_value args[TERN_MAX_ARGS];
    for (int i = 0; i < call->n_args; i++) args[i] = call->args[i];
    tern_tensor *index = tern_arg_tensor(call, 2);
    tern_shape shape = tern_shape_of(index);
    if (shape.rank == TERN_MAX_RANK)
        return tern_call_fail(call, TERN_ERR_UNSUPPORTED,
                              "too many dimensions for complex numbers");
    shape.dim[shape.rank++] = 2;
    args[2] = ARG_TENSOR(tern_expand(tern_unsqueeze(index, -1), shape));
    tern_opcall paired = *call;
    paired.args = args;
    return along(&paired, 3);
}

/* ---- matrices -------------------------------------------------------------------------------- */

static tern_tensor *real_product(const tern_op *op, tern_tensor *a, tern_tensor *b) {
    tern_value args[2] = {ARG_TENSOR(a), ARG_TENSOR(b)};
    return a && b ? tern_op_tensor(BODY(a)->ctx, op, args, 2) : NULL;
}

/* The four products of parts, or two where one factor is real. */
static tern_tensor *matrix_product(const tern_op *op, tern_tensor *first, tern_tensor *second) {
    if (tern_is_nil(first) || tern_is_nil(second)) return tern_is_nil(first) ? first : second;
    tern_value both[2] = {ARG_TENSOR(first), ARG_TENSOR(second)};
    tern_dtype real = tern_real_dtype(tern_result_type(both, 2));
    parts a = parts_of(tern_to_dtype(first, is_complex(first) ? tern_complex_dtype(real) : real));
    parts b = parts_of(tern_to_dtype(second, is_complex(second) ? tern_complex_dtype(real) : real));
    tern_tensor *re = real_product(op, a.re, b.re), *im = real_product(op, a.re, b.im);
    tern_tensor *squared = real_product(op, a.im, b.im), *crossed = real_product(op, a.im, b.re);
    if (squared) re = tern_sub(re, squared);
    if (crossed) im = im ? tern_add(im, crossed) : crossed;
    return tern_of_parts(re, im);
}

static tern_value matrices(tern_opcall *call) {
    return tern_result(
        call, matrix_product(call->op, tern_arg_tensor(call, 0), tern_arg_tensor(call, 1)));
}

/* beta input + alpha (mat1 mat2) */
static tern_value added_matrices(tern_opcall *call) {
    const tern_op *op = call->op == TERN_ROW(addmm) ? TERN_ROW(mm) : TERN_ROW(bmm);
    tern_tensor *out = matrix_product(op, tern_arg_tensor(call, 1), tern_arg_tensor(call, 2));
    tern_tensor *input = tern_arg_tensor(call, 0);
    if (tern_arg_given(call, 4)) out = TERN_CALL(mul, ARG_TENSOR(out), tern_arg(call, 4));
    if (tern_arg_given(call, 3)) {
        if (tern_value_as_double(tern_arg(call, 3)) == 0) return tern_result(call, out);
        input = TERN_CALL(mul, ARG_TENSOR(input), tern_arg(call, 3));
    }
    return tern_result(call, tern_add(input, out));
}

static tern_value linear_map(tern_opcall *call) {
    tern_tensor *weight = tern_arg_tensor(call, 1), *bias = tern_arg_tensor(call, 2);
    tern_tensor *out = matrix_product(TERN_ROW(matmul), tern_arg_tensor(call, 0),
                                      TERN_CALL(t, ARG_TENSOR(weight)));
    return tern_result(call, bias ? tern_add(out, bias) : out);
}

/* ---- which ----------------------------------------------------------------------------------- */

static const struct {
    tern_core_op_id id;
    tern_op_fn rule;
} rules[] = {
    {TERN_OP_ID_add, sum_of_two},
    {TERN_OP_ID_sub, sum_of_two},
    {TERN_OP_ID_rsub, sum_of_two},
    {TERN_OP_ID_mul, product},
    {TERN_OP_ID_div, quotient},
    {TERN_OP_ID_neg, by_part},
    {TERN_OP_ID_abs, absolute_value},
    {TERN_OP_ID_square, square},
    {TERN_OP_ID_reciprocal, reciprocal},
    {TERN_OP_ID_exp, exponential},
    {TERN_OP_ID_where, where},
    {TERN_OP_ID_eq, comparison},
    {TERN_OP_ID_ne, comparison},
    {TERN_OP_ID_isnan, classification},
    {TERN_OP_ID_isinf, classification},
    {TERN_OP_ID_isfinite, classification},
    {TERN_OP_ID_sum, reduction},
    {TERN_OP_ID_mean, reduction},
    {TERN_OP_ID_vector_norm, norm},
    {TERN_OP_ID_cumsum, running_sum},
    {TERN_OP_ID_index_select, slices},
    {TERN_OP_ID_index_add, slices},
    {TERN_OP_ID_gather, by_index},
    {TERN_OP_ID_scatter_add, by_index},
    {TERN_OP_ID_bmm, matrices},
    {TERN_OP_ID_mm, matrices},
    {TERN_OP_ID_matmul, matrices},
    {TERN_OP_ID_addmm, added_matrices},
    {TERN_OP_ID_baddbmm, added_matrices},
    {TERN_OP_ID_linear, linear_map},
};

tern_complex_rule tern_complex_rule_of(const tern_op *op) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (op == &tern_core_ops[rules[i].id]) return rules[i].rule;
    return NULL;
}
