/* map.c: formulas over tensors, as a user writes them. */
#include "core/ops/compose.h"
#include "defined.h"
#include "run.h"
#include "tern/formula.h"

#include <string.h>

void tern_program_dtypes(bool floats, tern_dtype promoted, tern_dtype *out_result,
                         tern_dtype *out_compute) {
    if (!tern_dtype_is_floating(promoted) && floats) promoted = TERN_FLOAT32;
    *out_compute = tern_dtype_is_floating(promoted) ? tern_wide_dtype(promoted) : TERN_INT64;
    *out_result = promoted;
}

tern_program_traits tern_program_traits_of(const tern_program *p) {
    tern_program_traits traits = {p->floats, p->n_outputs, 0};
    for (int k = 0; k < p->n_outputs; k++)
        if (tern_program_is_logical(p, p->outputs[k])) traits.logical |= UINT32_C(1) << k;
    return traits;
}

/* The lane of the first tensor. */
static tern_lane *lane_of(const tern_value *args, int count) {
    for (int k = 0; k < count; k++)
        if (args[k].kind == TERN_VALUE_TENSOR && tern_is_live(args[k].as.tensor))
            return BODY(args[k].as.tensor)->lane;
    return NULL;
}

bool tern_program_call(tern_ctx *ctx, tern_value program, tern_program_traits traits,
                       tern_dtype promoted, const tern_value *args, int count, tern_dtype result,
                       int join, tern_tensor **outputs) {
    tern_tensor *operands[TERN_P_INPUTS];
    int64_t dtypes[TERN_P_OUTPUTS];
    tern_dtype compute;
    if (ctx->status != TERN_OK) return false;
    tern_program_dtypes(traits.floats, promoted, &promoted, &compute);
    for (int k = 0; k < traits.n_outputs; k++)
        dtypes[k] = result != TERN_DTYPE_DEFAULT ? (int64_t)result
                    : traits.logical >> k & 1u   ? (int64_t)TERN_BOOL
                                                 : (int64_t)promoted;
    for (int k = 0; k < count; k++) {
        if (args[k].kind == TERN_VALUE_TENSOR) {
            operands[k] = args[k].as.tensor;
            continue;
        }
        double f = tern_value_as_double(args[k]);
        if (compute == TERN_FLOAT32) f = (double)(float)f;
        operands[k] =
            tern_tensor_number(lane_of(args, count), compute, f, tern_value_as_int(args[k]));
    }
    if (join < 0)
        return tern_program_apply(ctx, program, dtypes, traits.n_outputs, operands, count, outputs);
    outputs[0] =
        tern_program_apply_joined(ctx, program, dtypes, traits.n_outputs, operands, count, join);
    return ctx->status == TERN_OK;
}

typedef struct bound {
    tern_program_name names[TERN_P_INPUTS];
    tern_value values[TERN_P_INPUTS];
    int count;
} bound;

/* The entries of the dict, checked; false after latching. */
static bool bind(tern_opcall *call, tern_value dict, bound *out) {
    tern_value key, item;
    bool any_tensor = false;
    out->count = 0;
    if (dict.kind != TERN_VALUE_DICT) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expected a dict of names and their tensors or numbers, got %s",
                       tern_kind_name(dict.kind));
        return false;
    }
    for (size_t i = 0; tern_dict_at(dict, i, &key, &item); i++) {
        bool tensor = item.kind == TERN_VALUE_TENSOR;
        const char *problem = out->count == TERN_P_INPUTS               ? "too many names"
                              : key.kind != TERN_VALUE_STRING           ? "a name is not a text"
                              : tensor && !tern_is_live(item.as.tensor) ? "a tensor that is gone"
                              : !tensor && !tern_value_is_number(item)
                                  ? "neither a tensor nor a number"
                                  : NULL;
        if (problem) {
            tern_call_fail(call, TERN_ERR_ARGUMENT, "'%s' is %s",
                           key.kind == TERN_VALUE_STRING ? key.as.s : "?", problem);
            return false;
        }
        any_tensor = any_tensor || tensor;
        out->names[out->count] =
            (tern_program_name){key.as.s, key.length, (int16_t)out->count, false};
        out->values[out->count++] = item;
    }
    if (!any_tensor) tern_call_fail(call, TERN_ERR_ARGUMENT, "no tensor among the values");
    return any_tensor;
}

tern_value tern_op_map(tern_opcall *call) {
    const char *formula = tern_arg_text(call, 0, NULL);
    char message[200];
    bound b;
    if (!formula) return tern_call_fail(call, TERN_ERR_ARGUMENT, "argument 'formula' is NULL");
    if (!bind(call, tern_arg(call, 1), &b)) return tern_none();
    tern_program *program = tern_program_new(call->ctx);
    if (!program) return tern_none();
    tern_program_begin(program, b.count, TERN_P_FORMULA_STEPS);
    int16_t value = tern_program_parse_with(program, formula, b.names, b.count, tern_defined_find,
                                            message, sizeof message);
    if (value < 0) return tern_call_fail(call, TERN_ERR_ARGUMENT, "%s", message);
    for (int k = 0; k < b.count; k++)
        if (!b.names[k].used)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "'%s' is not in the formula",
                                  b.names[k].name);
    program->outputs[program->n_outputs++] = value;
    tern_dtype promoted = tern_result_type(b.values, b.count), result, compute;
    tern_tensor *output;
    tern_program_dtypes(program->floats, promoted, &result, &compute);
    tern_value bytes = tern_program_finish(call->ctx, program, compute);
    return tern_program_call(call->ctx, bytes, tern_program_traits_of(program), promoted, b.values,
                             b.count, TERN_DTYPE_DEFAULT, -1, &output)
               ? ARG_TENSOR(output)
               : tern_none();
}

tern_tensor *tern_map(tern_ctx *ctx, const char *formula, tern_value values) {
    return TERN_CALL_CTX(ctx, map, formula ? tern_text(formula) : tern_none(), values);
}
