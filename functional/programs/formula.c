/* formula.c: the library's own formulas over tensors and numbers. */
#include <string.h>

#include "core/ops/compose.h"
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

/* A kept or a finished program and what is known of it; none after latching. */
typedef struct found {
    tern_value program;
    tern_program_traits traits;
} found;

/* The program of formulas over values that promote to a dtype. Up to two formulas, as most are, are parsed
 * once in a context for each dtype that is computed in. */
static found find(tern_ctx *ctx, const char *const *formulas, int n_formulas, const char *names,
                  tern_dtype promoted, int count) {
    uint32_t kind = tern_is_float(promoted) ? (uint32_t)tern_wide_dtype(promoted) : 0xffu;
    const tern_made_key key = {{formulas[0], n_formulas == 2 ? formulas[1] : NULL, names},
                               TERN_MADE_FORMULA | (uint32_t)n_formulas << 8 | kind};
    const tern_made_program *made = n_formulas <= 2 ? tern_made_formula(ctx, &key) : NULL;
    if (made) return (found){tern_made_value(made), made->traits};
    found none = {{TERN_VALUE_NONE, 0, {0}}, {0}}, out;
    tern_dtype result, compute;
    tern_program *program = tern_program_new(ctx);
    if (!program || !parse(ctx, formulas, n_formulas, names, count, program)) return none;
    out.traits = tern_program_traits_of(program);
    tern_program_dtypes(out.traits.floats, promoted, &result, &compute);
    out.program = tern_program_finish(ctx, program, compute);
    if (n_formulas <= 2) out.program = tern_made_keep(ctx, &key, out.program, out.traits);
    return out;
}

/* Formulas over values: a tensor for each, or one for all along a dimension that is not -1. */
static bool call(tern_ctx *ctx, tern_dtype dtype, const char *const *formulas, int n_formulas,
                 const char *names, const tern_value *values, int count, int join,
                 tern_tensor **outputs) {
    for (int k = 0; k < (join < 0 ? n_formulas : 1); k++) outputs[k] = ctx->nil;
    if (ctx->status != TERN_OK) return false;
    tern_dtype promoted = tern_result_type(values, count);
    found f = find(ctx, formulas, n_formulas, names, promoted, count);
    return tern_program_call(ctx, f.program, f.traits, promoted, values, count, dtype, join,
                             outputs);
}

bool tern_formulas_call(tern_ctx *ctx, const char *const *formulas, int n_formulas,
                        const char *names, const tern_value *values, int count,
                        tern_tensor **outputs) {
    return call(ctx, TERN_DTYPE_DEFAULT, formulas, n_formulas, names, values, count, -1, outputs);
}

tern_tensor *tern_formula_call(tern_ctx *ctx, tern_dtype dtype, const char *formula,
                               const char *names, const tern_value *values, int count) {
    tern_tensor *output;
    call(ctx, dtype, &formula, 1, names, values, count, -1, &output);
    return output;
}

tern_tensor *tern_formulas_joined(tern_ctx *ctx, int dim, const char *const *formulas,
                                  int n_formulas, const char *names, const tern_value *values,
                                  int count) {
    tern_tensor *whole;
    call(ctx, TERN_DTYPE_DEFAULT, formulas, n_formulas, names, values, count, dim, &whole);
    return whole;
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
