#include "short.h"

#include "arg.h"
#include "core/autograd/graph.h"
#include "core/context/entered.h"
#include "numerics/dtype_convert.h"
#include "operand.h"
#include "plan.h"
#include "raw.h"

/* ---- what may go this way -------------------------------------------------------------------- */

/* The operand of a short call; NULL where it is none. */
static inline const tern_tensor_body *plain(const tern_tensor *tensor) {
    if (!tern_is_live(tensor)) return NULL;
    const tern_tensor_body *body = BODY(tensor);
    const uint32_t wrong = TERN_T_NIL | TERN_T_DROPPED | TERN_T_NUMBER;
    bool fits = (body->flags & (TERN_T_CONTIGUOUS | wrong)) == TERN_T_CONTIGUOUS &&
                body->numel > 0 && tern_is_float(body->dtype);
    return fits ? body : NULL;
}

static inline bool agree(const tern_tensor_body *a, const tern_tensor_body *b) {
    if (a->lane != b->lane || a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->shape[d] != b->shape[d]) return false;
    return true;
}

static inline tern_dtype result_of(const tern_op *op, const tern_tensor_body *input) {
    return tern_kernel_gives_bool(op->kernel, op->fn) ? TERN_BOOL : input->dtype;
}

/* Whether the device has the kernel: asked once, then read from a table. What is captured goes the general
 * way, so a recorder empties the table. */
static inline bool has_map(tern_lane *lane, const tern_op *op, int n_inputs, tern_dtype dtype,
                           tern_dtype result) {
    bool *known = &lane->mapped[op->kernel - TERN_KERNEL_UNARY][op->fn][dtype];
    if (!*known && !lane->ctx->recorder && !tern_is_planned(lane, op->kernel))
        *known = tern_has_map(lane, op->kernel, op->fn, n_inputs, dtype, result);
    return *known;
}

/* ---- running --------------------------------------------------------------------------------- */

/* The call over operands whose last is still to be made; `like` has the result's shape. */
static inline tern_tensor *run(const tern_op *op, const tern_tensor_body *like, tern_dtype result,
                               tern_operand *operands, int n_inputs, const void *attrs,
                               uint32_t attrs_size) {
    tern_lane *lane = like->lane;
    tern_tensor *out = tern_tensor_like(like, result);
    if (BODY(out)->flags & TERN_T_NIL || !tern_output_operand(BODY(out), true, &operands[n_inputs]))
        return lane->ctx->nil;
    tern_backend_error err;
    err.message[0] = 0;
    lane->ctx->stats.launches++;
    int32_t status =
        lane->device->vtable.launch(lane->device->object, lane->queue, op->kernel, operands,
                                    n_inputs, operands + n_inputs, 1, attrs, attrs_size, &err);
    if (status == TERN_BACKEND_OK) return out;
    tern_launch_failed(lane, op->kernel, status, &err);
    return lane->ctx->nil;
}

/* A product or quotient of one number that stands for all of `like`: a number again, for which no kernel
 * runs; NULL for another operation. A gradient that begins as 1 comes this way through a mean. */
static tern_tensor *of_numbers(const tern_op *op, const tern_tensor_body *like, double a,
                               double b) {
    if (op->kernel != TERN_KERNEL_BINARY ||
        (op->fn != TERN_BINARY_MUL && op->fn != TERN_BINARY_DIV))
        return NULL;
    double number = op->fn == TERN_BINARY_MUL ? a * b : a / b;
    tern_tensor *out = tern_tensor_like(like, like->dtype);
    tern_fill_raw(out, tern_num_as_f64((int)like->dtype, number), 0);
    return out;
}

static inline bool records(const tern_op *op, const tern_tensor_body *input) {
    if (!input->ctx->grad_enabled || !op->grad) return false;
    return input->flags & TERN_T_REQUIRES_GRAD || input->edge.node ||
           (input->alias && tern_needs_grad(input->self));
}

static tern_tensor *record(const tern_op *op, const tern_value *args, int n_args,
                           tern_tensor *const *inputs, int n_inputs, tern_tensor *out) {
    if (BODY(out)->flags & TERN_T_NIL) return out;
    return tern_node_record(op, args, n_args, inputs, n_inputs, &out, 1) ? out
                                                                         : BODY(out)->ctx->nil;
}

tern_tensor *tern_short_unary(const tern_op *op, tern_tensor *input) {
    const tern_tensor_body *a = plain(input);
    if (!a || a->ctx->status != TERN_OK) return NULL;
    TERN_ENTER(a->ctx, op->schema, return a->ctx->nil);
    tern_dtype result = result_of(op, a);
    if (!has_map(a->lane, op, 1, a->dtype, result)) return NULL;
    tern_operand operands[2];
    if (!tern_input_operand(a, false, &operands[0])) return a->ctx->nil;
    tern_unary_attrs attrs = {op->fn, 0};
    tern_tensor *out = run(op, a, result, operands, 1, &attrs, sizeof attrs);
    if (!records(op, a)) return out;
    tern_value args[] = {ARG_TENSOR(input)};
    return record(op, args, 1, &input, 1, out);
}

tern_tensor *tern_short_binary(const tern_op *op, tern_tensor *first, tern_tensor *second) {
    const tern_tensor_body *a = plain(first), *b = plain(second);
    if (!a || !b || !agree(a, b) || a->ctx->status != TERN_OK) return NULL;
    TERN_ENTER(a->ctx, op->schema, return a->ctx->nil);
    tern_dtype result = result_of(op, a);
    if (!has_map(a->lane, op, 2, a->dtype, result)) return NULL;
    tern_operand operands[3];
    if (!tern_input_operand(a, true, &operands[0]) || !tern_input_operand(b, true, &operands[1]))
        return a->ctx->nil;
    tern_binary_attrs attrs = {op->fn, 0, 1, 1};
    tern_tensor *out = run(op, a, result, operands, 2, &attrs, sizeof attrs);
    if (!records(op, a) && !records(op, b)) return out;
    tern_value args[] = {ARG_TENSOR(first), ARG_TENSOR(second)};
    tern_tensor *const inputs[] = {first, second};
    return record(op, args, 2, inputs, 2, out);
}

tern_tensor *tern_short_scalar(const tern_op *op, tern_tensor *input, double number) {
    const tern_tensor_body *a = plain(input);
    if (!a || a->ctx->status != TERN_OK) return NULL;
    TERN_ENTER(a->ctx, op->schema, return a->ctx->nil);
    tern_dtype result = result_of(op, a);
    if (!has_map(a->lane, op, 2, a->dtype, result)) return NULL;
    tern_operand operands[3];
    if (!tern_input_operand(a, true, &operands[0])) return a->ctx->nil;
    tern_immediate_operand(a->dtype, tern_num_as_f64((int)a->dtype, number), 0,
                           tern_new_stamp(a->ctx), &operands[1]);
    tern_tensor *out =
        operands[0].buffer ? NULL : of_numbers(op, a, operands[0].at.f, operands[1].at.f);
    tern_binary_attrs attrs = {op->fn, 0, 1, 1};
    if (!out) out = run(op, a, result, operands, 2, &attrs, sizeof attrs);
    if (!records(op, a)) return out;
    tern_value args[] = {ARG_TENSOR(input), tern_number(number)};
    return record(op, args, 2, &input, 1, out);
}
