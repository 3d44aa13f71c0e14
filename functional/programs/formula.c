/* formula.c: the library's own formulas over tensors and numbers. */
#include <string.h>

#include "made.h"
#include "run.h"

/* Puts `formulas` into a program of as many outputs, over names separated by spaces; false after
 * latching. */
static bool parse(tern_ctx *ctx, const char *const *formulas, int n_formulas, const char *names,
                  int count, tern_program *out) {
    tern_program_name named[TERN_P_INPUTS];
    char message[200];
    for (int k = 0; k < count; k++) {
        size_t length = strcspn(names, " ");
        named[k] = (tern_program_name){names, length, (int16_t)k, false};
        names += length + strspn(names + length, " ");
    }
    tern_program_begin(out, count, TERN_P_FORMULA_STEPS);
    for (int k = 0; k < n_formulas; k++) {
        int16_t value = tern_program_parse(out, formulas[k], named, count, message, sizeof message);
        if (value < 0) {
            tern_fail(ctx, TERN_ERR_UNSUPPORTED, "'%s': %s", formulas[k], message);
            return false;
        }
        out->outputs[out->n_outputs++] = value;
    }
    return true;
}

static bool any_floating(const tern_value *values, int count) {
    return tern_dtype_is_floating(tern_result_type(values, count));
}

/* Formulas over values: what they give, as one tensor along `join` where that is not -1. Up to two
 * formulas, as most are, are parsed once in a context. None after latching. */
static tern_value call(tern_ctx *ctx, tern_dtype dtype, const char *const *formulas, int n_formulas,
                       const char *names, const tern_value *values, int count, int join) {
    tern_program program;
    uint64_t packed = 0;
    if (ctx->status != TERN_OK) return tern_none();
    char kind[] = {(char)n_formulas, (char)any_floating(values, count)};
    const char *second = n_formulas == 2 ? formulas[1] : "";
    tern_program_source source = {
        {formulas[0], second, names, kind},
        {strlen(formulas[0]) + 1, strlen(second) + 1, strlen(names) + 1, sizeof kind}};
    tern_value bytes = n_formulas <= 2 ? tern_program_made(ctx, &source, &packed) : tern_none();
    tern_program_traits traits = {packed & 1u, n_formulas, (uint32_t)(packed >> 32)};
    if (bytes.kind != TERN_VALUE_STRING) {
        tern_dtype result, compute;
        if (!parse(ctx, formulas, n_formulas, names, count, &program)) return tern_none();
        traits = tern_program_traits_of(&program);
        tern_program_dtypes(&program, values, count, &result, &compute);
        bytes = tern_program_finish(ctx, &program, compute);
        packed = (uint64_t)traits.logical << 32 | (uint64_t)traits.floats;
        if (n_formulas <= 2) tern_program_was_made(ctx, &source, bytes, packed);
    }
    return tern_program_call_finished(ctx, bytes, traits, values, count, dtype, join);
}

/* The same, each output a tensor of its own. */
static bool call_each(tern_ctx *ctx, tern_dtype dtype, const char *const *formulas, int n_formulas,
                      const char *names, const tern_value *values, int count,
                      tern_tensor **outputs) {
    for (int k = 0; k < n_formulas; k++) outputs[k] = ctx->nil;
    tern_value result = call(ctx, dtype, formulas, n_formulas, names, values, count, -1);
    for (int k = 0; k < n_formulas && ctx->status == TERN_OK; k++)
        outputs[k] = (n_formulas == 1 ? result : tern_value_at(result, (size_t)k)).as.tensor;
    return ctx->status == TERN_OK;
}

bool tern_formulas_call(tern_ctx *ctx, const char *const *formulas, int n_formulas,
                        const char *names, const tern_value *values, int count,
                        tern_tensor **outputs) {
    return call_each(ctx, TERN_DTYPE_DEFAULT, formulas, n_formulas, names, values, count, outputs);
}

tern_tensor *tern_formula_call(tern_ctx *ctx, tern_dtype dtype, const char *formula,
                               const char *names, const tern_value *values, int count) {
    tern_tensor *output;
    call_each(ctx, dtype, &formula, 1, names, values, count, &output);
    return output;
}

tern_tensor *tern_formulas_joined(tern_ctx *ctx, int dim, const char *const *formulas,
                                  int n_formulas, const char *names, const tern_value *values,
                                  int count) {
    tern_value whole =
        call(ctx, TERN_DTYPE_DEFAULT, formulas, n_formulas, names, values, count, dim);
    return ctx->status == TERN_OK ? whole.as.tensor : ctx->nil;
}

void tern_formula_grads(tern_node *node, const char *const *formulas, const char *names,
                        const tern_value *values, int count, tern_tensor **grads) {
    const char *wanted[TERN_MAX_ARGS];
    tern_tensor *outputs[TERN_MAX_ARGS];
    int n = 0;
    for (int k = 0; k < tern_node_n_inputs(node); k++)
        if (tern_node_needs(node, k)) wanted[n++] = formulas[k];
    if (!tern_formulas_call(tern_node_ctx(node), wanted, n, names, values, count, outputs)) return;
    n = 0;
    for (int k = 0; k < tern_node_n_inputs(node); k++)
        if (tern_node_needs(node, k)) grads[k] = outputs[n++];
}
