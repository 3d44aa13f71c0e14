/* formula.c: the library's own formulas over tensors and numbers. */
#include <string.h>

#include "program.h"

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

static bool call(tern_ctx *ctx, tern_dtype dtype, const char *const *formulas, int n_formulas,
                 const char *names, const tern_value *values, int count, tern_tensor **outputs) {
    tern_program program;
    for (int k = 0; k < n_formulas; k++) outputs[k] = ctx->nil;
    if (ctx->status != TERN_OK || !parse(ctx, formulas, n_formulas, names, count, &program))
        return false;
    tern_value result = tern_program_call(ctx, &program, values, count, dtype, -1);
    for (int k = 0; k < n_formulas && ctx->status == TERN_OK; k++)
        outputs[k] = (n_formulas == 1 ? result : tern_value_at(result, (size_t)k)).as.tensor;
    return ctx->status == TERN_OK;
}

bool tern_formulas_call(tern_ctx *ctx, const char *const *formulas, int n_formulas,
                        const char *names, const tern_value *values, int count,
                        tern_tensor **outputs) {
    return call(ctx, TERN_DTYPE_DEFAULT, formulas, n_formulas, names, values, count, outputs);
}

tern_tensor *tern_formula_call(tern_ctx *ctx, tern_dtype dtype, const char *formula,
                               const char *names, const tern_value *values, int count) {
    tern_tensor *output;
    call(ctx, dtype, &formula, 1, names, values, count, &output);
    return output;
}

tern_tensor *tern_formulas_joined(tern_ctx *ctx, int dim, const char *const *formulas,
                                  int n_formulas, const char *names, const tern_value *values,
                                  int count) {
    tern_program program;
    if (ctx->status != TERN_OK || !parse(ctx, formulas, n_formulas, names, count, &program))
        return ctx->nil;
    tern_value whole = tern_program_call(ctx, &program, values, count, TERN_DTYPE_DEFAULT, dim);
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
