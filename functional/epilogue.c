#include "epilogue.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "core/ops/compose.h"
#include "programs/defined.h"
#include "programs/made.h"
#include "programs/run.h"
#include "tern/formula.h"

static tern_dtype first_dtype(const tern_opcall *call) {
    return BODY(tern_arg_tensor(call, 0))->dtype;
}

/* ---- formulas -------------------------------------------------------------------------------- */

static bool parse(tern_opcall *call, const char *formula, tern_program *out) {
    char message[200];
    tern_program_name x = {"x", 1, 0, false};
    tern_program_begin(out, 1, TERN_P_FORMULA_STEPS);
    int16_t value =
        tern_program_parse_with(out, formula, &x, 1, tern_defined_find, message, sizeof message);
    if (value < 0)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%s", message);
    else if (!x.used)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "'x', the product, is not in the formula");
    else
        out->outputs[out->n_outputs++] = value;
    return call->ctx->status == TERN_OK;
}

bool tern_epilogue_read(tern_opcall *call, int at, tern_epilogue *out) {
    const char *formula = tern_arg_text(call, at, NULL);
    tern_ctx *ctx = call->ctx;
    tern_dtype dtype = first_dtype(call), compute;
    const tern_made_key key = {{formula, NULL, NULL}, TERN_MADE_EPILOGUE | (uint32_t)dtype};
    if (!formula) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "argument 'formula' is NULL");
        return false;
    }
    const tern_made_program *made = tern_made_text(ctx, &key);
    if (made) {
        *out = (tern_epilogue){tern_made_value(made), made->traits};
        return true;
    }
    tern_program *program = tern_program_new(ctx);
    if (!program || !parse(call, formula, program)) return false;
    out->traits = tern_program_traits_of(program);
    tern_program_dtypes(out->traits.floats, dtype, &dtype, &compute);
    out->program =
        tern_made_keep(ctx, &key, tern_program_finish(ctx, program, compute), out->traits);
    return ctx->status == TERN_OK;
}

/* ---- in one launch --------------------------------------------------------------------------- */

bool tern_epilogue_may_fuse(const tern_opcall *call, const tern_epilogue *epilogue) {
    if (!tern_dtype_is_floating(first_dtype(call)) || epilogue->traits.logical) return false;
    for (int k = 0; k < call->n_args && call->ctx->grad_enabled; k++)
        if (call->args[k].kind == TERN_VALUE_TENSOR &&
            tern_has_grad_required(call->args[k].as.tensor))
            return false;
    return true;
}

/* The attributes of a product, how many operands it has, and the program, as both families have them. */
enum { ROOM = 2048, TAIL = 2 * sizeof(int32_t) };
_Static_assert(offsetof(tern_matmul_map_attrs, program) == sizeof(tern_matmul_attrs) + TAIL &&
                   offsetof(tern_conv_map_attrs, program) == sizeof(tern_conv_attrs) + TAIL,
               "the program follows the product");

bool tern_epilogue_launch(tern_opcall *call, const tern_epilogue *epilogue, int32_t kernel,
                          tern_tensor *const *operands, int count, const void *attrs,
                          size_t attrs_size, tern_tensor *out) {
    alignas(max_align_t) char room[ROOM];
    const tern_map_attrs *program = tern_program_of(epilogue->program);
    size_t size = tern_program_size(program), before = attrs_size + TAIL;
    const int32_t tail[2] = {count, 0};
    if (size > ROOM - before || call->ctx->status != TERN_OK) return false;
    memcpy(room, attrs, attrs_size);
    memcpy(room + attrs_size, tail, TAIL);
    memcpy(room + before, program, size);
    return tern_try_launch(call->lane, kernel, program->n_steps, operands, count, &out, 1, room,
                           before + size);
}

/* ---- behind the product ---------------------------------------------------------------------- */

tern_value tern_epilogue_apply(tern_opcall *call, const tern_epilogue *epilogue,
                               tern_tensor *product) {
    tern_dtype dtype = first_dtype(call);
    bool narrow = tern_wide_dtype(dtype) != dtype && !epilogue->traits.logical;
    const tern_value x = ARG_TENSOR(product);
    tern_tensor *out;
    if (call->ctx->status != TERN_OK ||
        !tern_program_call(call->ctx, epilogue->program, epilogue->traits, BODY(product)->dtype, &x,
                           1, narrow ? dtype : TERN_DTYPE_DEFAULT, -1, &out))
        return tern_none();
    return tern_result(call, out);
}

/* ---- linear_map ------------------------------------------------------------------------------ */

/* Whether MATMUL takes the operands as they are: a matrix, a weight [out, in] and a bias [out]. */
static bool is_plain(const tern_tensor *x, const tern_tensor *w, const tern_tensor *bias) {
    const tern_tensor_body *in = BODY(x), *weight = BODY(w);
    if (in->rank != 2 || weight->rank != 2 || weight->dtype != in->dtype ||
        in->shape[1] != weight->shape[1] || in->shape[1] == 0)
        return false;
    return !bias || (BODY(bias)->rank == 1 && BODY(bias)->dtype == in->dtype &&
                     BODY(bias)->shape[0] == weight->shape[0]);
}

static tern_tensor *fused_linear(tern_opcall *call, const tern_epilogue *epilogue, tern_tensor *x,
                                 tern_tensor *w, tern_tensor *bias) {
    static const tern_matmul_attrs attrs = {1, 1, 1, 1};
    tern_face faces[2];
    tern_shape shape = {2, {BODY(x)->shape[0], BODY(w)->shape[0]}};
    tern_tensor *operands[3] = {x, tern_face_transposed(&faces[0], w), NULL};
    if (bias) operands[2] = tern_face_broadcast(&faces[1], bias, &shape);
    tern_tensor *out = tern_new_shaped(call, BODY(x)->dtype, &shape);
    return tern_epilogue_launch(call, epilogue, TERN_KERNEL_MATMUL_MAP, operands, bias ? 3 : 2,
                                &attrs, sizeof attrs, out)
               ? out
               : NULL;
}

tern_value tern_op_linear_map(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *w = tern_arg_tensor(call, 1);
    tern_tensor *bias = tern_arg_tensor(call, 2), *out = NULL;
    tern_epilogue epilogue;
    if (!tern_epilogue_read(call, 3, &epilogue)) return tern_none();
    if (is_plain(x, w, bias) && tern_epilogue_may_fuse(call, &epilogue))
        out = fused_linear(call, &epilogue, x, w, bias);
    if (out) return tern_result(call, out);
    return tern_epilogue_apply(call, &epilogue,
                               tern_linear(tern_widen(x), tern_widen(w), tern_widen(bias)));
}

tern_tensor *tern_linear_map(tern_tensor *input, tern_tensor *weight, tern_tensor *bias,
                             const char *formula) {
    return TERN_CALL(linear_map, ARG_TENSOR(input), ARG_TENSOR(weight), ARG_TENSOR(bias),
                     formula ? tern_text(formula) : tern_none());
}
