/*
 * pointwise.c: runs the rows of pointwise.def.
 *
 * A row's programs, of the value and of the gradient, are kept (programs/made.h).
 */
#include "pointwise.h"

#include "core/ops/compose.h"
#include "programs/made.h"
#include "programs/run.h"

/* ---- programs -------------------------------------------------------------------------------- */

static bool parse(tern_ctx *ctx, tern_pointwise_row which, const char *formula,
                  tern_defined_arguments *a, bool with_gradient, tern_program *out) {
    char message[200];
    int inputs = a->count + with_gradient;
    tern_program_begin(out, inputs, TERN_P_FORMULA_STEPS);
    int16_t value = tern_program_parse(out, formula, a->names, inputs, message, sizeof message);
    if (value < 0)
        return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "%s: %s", tern_defined_rows[which].names,
                         message) == TERN_OK;
    out->outputs[out->n_outputs++] = value;
    return true;
}

/* The gradient by the tensor: the row's own formula, or reverse mode over the value's. */
static bool derive(tern_ctx *ctx, tern_pointwise_row which, tern_defined_arguments *a,
                   tern_program *out) {
    const tern_defined *r = &tern_defined_rows[which];
    if (r->derivative) return parse(ctx, which, r->derivative, a, true, out);
    if (!parse(ctx, which, r->formula, a, false, out)) return false;
    tern_value value = tern_program_finish(ctx, out, TERN_FLOAT64);
    const bool given[] = {true}, wanted[TERN_DEFINED_ARGS] = {true};
    return ctx->status == TERN_OK &&
           tern_program_gradient(ctx, (const tern_map_attrs *)(const void *)value.as.s, given,
                                 wanted, out);
}

/* The row's program for floats that are computed in `compute`; none after latching. */
static tern_value program_of(tern_ctx *ctx, tern_pointwise_row which, bool gradient,
                             tern_defined_arguments *a, tern_dtype compute) {
    const tern_defined *r = &tern_defined_rows[which];
    const tern_made_key key = {{r->formula, gradient ? r->derivative : NULL, r->names},
                               TERN_MADE_POINTWISE | (uint32_t)gradient << 8 | (uint32_t)compute};
    const tern_made_program *made = tern_made_formula(ctx, &key);
    if (made) return tern_made_value(made);
    tern_program *program = tern_program_new(ctx);
    if (!program) return tern_none();
    bool done = gradient ? derive(ctx, which, a, program)
                         : parse(ctx, which, r->formula, a, false, program);
    if (!done) return tern_none();
    return tern_made_keep(ctx, &key, tern_program_finish(ctx, program, compute),
                          tern_program_traits_of(program));
}

/* ---- running --------------------------------------------------------------------------------- */

/* The operands of a program: the tensor, and numbers as values of the dtype that is computed in. */
static void fill_operands(tern_tensor *x, const tern_defined_arguments *a, tern_dtype compute,
                          tern_tensor **out) {
    out[0] = x;
    for (int k = 1; k < a->count; k++) {
        double f = tern_value_as_double(a->values[k]);
        if (compute == TERN_FLOAT32) f = (double)(float)f;
        out[k] = tern_tensor_number(BODY(x)->lane, compute, f, tern_value_as_int(a->values[k]));
    }
}

tern_value tern_pointwise(tern_opcall *call, tern_pointwise_row which, const tern_value *args) {
    tern_defined_arguments a;
    tern_ctx *ctx = call->ctx;
    tern_tensor *x = tern_arg_tensor(call, 0), *operands[TERN_DEFINED_ARGS], *out;
    tern_dtype result = BODY(x)->dtype, compute = tern_wide_dtype(result);
    tern_value bytes;
    tern_defined_read(&tern_defined_rows[which], &a);
    for (int k = 1; k < a.count; k++)
        if (args || tern_arg_given(call, k)) a.values[k] = args ? args[k - 1] : tern_arg(call, k);
    if (tern_dtype_is_floating(result)) {
        bytes = program_of(ctx, which, false, &a, compute);
    } else { /* a program of integers has other numbers in it */
        tern_program *program = tern_program_new(ctx);
        a.values[0] = ARG_TENSOR(x);
        if (!program || !parse(ctx, which, tern_defined_rows[which].formula, &a, false, program))
            return tern_none();
        tern_program_dtypes(program->floats, tern_result_type(a.values, a.count), &result,
                            &compute);
        bytes = tern_program_finish(ctx, program, compute);
    }
    fill_operands(x, &a, compute, operands);
    if (ctx->status != TERN_OK) return tern_none();
    const tern_map_attrs *attrs = tern_program_of(bytes);
    if (!tern_program_run(call, attrs, tern_program_size(attrs), operands, &result, &out))
        return tern_none();
    return tern_result(call, out);
}

void tern_pointwise_grad(tern_node *node, tern_pointwise_row which, tern_tensor *const *grad_out,
                         tern_tensor **grads) {
    tern_defined_arguments a;
    tern_ctx *ctx = tern_node_ctx(node);
    tern_tensor *x = tern_node_input(node, 0), *operands[TERN_DEFINED_ARGS + 1];
    if (ctx->status != TERN_OK) return;
    tern_dtype dtype = BODY(x)->dtype, compute = tern_wide_dtype(dtype);
    tern_defined_read(&tern_defined_rows[which], &a);
    for (int k = 1; k < a.count; k++)
        if (tern_value_is_number(tern_node_arg(node, k))) a.values[k] = tern_node_arg(node, k);
    tern_value bytes = program_of(ctx, which, true, &a, compute);
    fill_operands(x, &a, compute, operands);
    operands[a.count] = grad_out[0];
    if (ctx->status != TERN_OK) return;
    int64_t result = (int64_t)dtype;
    tern_program_apply(ctx, bytes, &result, 1, operands, a.count + 1, &grads[0]);
}

/* ---- the operations -------------------------------------------------------------------------- */

#define POINTWISE(id, names, formula, derivative)                                                  \
    tern_value tern_op_##id(tern_opcall *call) {                                                   \
        return tern_pointwise(call, TERN_POINTWISE_##id, NULL);                                    \
    }                                                                                              \
    POINTWISE_CHECKED(id, names, formula, derivative)
#define POINTWISE_CHECKED(id, names, formula, derivative)                                          \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {      \
        tern_pointwise_grad(node, TERN_POINTWISE_##id, grad_out, grads);                           \
    }
#define POINTWISE_FORM(id, names, formula, derivative)
#include "pointwise.def"
