/* fold.c: steps over numbers, in double: what of a formula does not depend on a tensor. */
#include <math.h>

#include "numerics/division.h"
#include "numerics/elementary.h"
#include "program.h"

static bool fold_unary(int fn, double a, double *out) {
    static double (*const functions[])(double) = {
        [TERN_UNARY_ABS] = fabs,           [TERN_UNARY_SQRT] = sqrt,
        [TERN_UNARY_EXP] = tern_num_exp,   [TERN_UNARY_LOG] = tern_num_log,
        [TERN_UNARY_LOG2] = tern_num_log2, [TERN_UNARY_LOG10] = tern_num_log10,
        [TERN_UNARY_SIN] = tern_num_sin,   [TERN_UNARY_COS] = tern_num_cos,
        [TERN_UNARY_TAN] = tern_num_tan,   [TERN_UNARY_TANH] = tern_num_tanh,
        [TERN_UNARY_FLOOR] = floor,        [TERN_UNARY_CEIL] = ceil,
        [TERN_UNARY_TRUNC] = trunc};
    if (fn == TERN_UNARY_NEG)
        *out = -a;
    else if (fn == TERN_UNARY_LOGICAL_NOT)
        *out = a == 0;
    else if (fn < (int)(sizeof functions / sizeof functions[0]) && functions[fn])
        *out = functions[fn](a);
    else
        return false;
    return true;
}

static bool fold_binary(int fn, double a, double b, double factor, double *out) {
    switch (fn) {
    case TERN_BINARY_ADD: *out = a + factor * b; return true;
    case TERN_BINARY_SUB: *out = a - factor * b; return true;
    case TERN_BINARY_MUL: *out = a * b; return true;
    case TERN_BINARY_DIV: *out = a / b; return true;
    case TERN_BINARY_DIV_FLOOR: *out = tern_num_div_floor(a, b); return true;
    case TERN_BINARY_REMAINDER: *out = tern_num_remainder(a, b); return true;
    case TERN_BINARY_POW: *out = tern_num_pow(a, b); return true;
    case TERN_BINARY_MAXIMUM: *out = isnan(a) || a > b ? a : b; return true;
    case TERN_BINARY_MINIMUM: *out = isnan(a) || a < b ? a : b; return true;
    case TERN_BINARY_EQ: *out = a == b; return true;
    case TERN_BINARY_NE: *out = a != b; return true;
    case TERN_BINARY_LT: *out = a < b; return true;
    case TERN_BINARY_LE: *out = a <= b; return true;
    case TERN_BINARY_GT: *out = a > b; return true;
    case TERN_BINARY_GE: *out = a >= b; return true;
    case TERN_BINARY_LOGICAL_AND: *out = a != 0 && b != 0; return true;
    case TERN_BINARY_LOGICAL_OR: *out = a != 0 || b != 0; return true;
    default: return false;
    }
}

bool tern_program_fold(int family, int fn, const double source[4], double *out_number) {
    if (family == TERN_KERNEL_UNARY) return fold_unary(fn, source[0], out_number);
    if (family == TERN_KERNEL_BINARY)
        return fold_binary(fn, source[0], source[1], source[2], out_number);
    if (family != TERN_KERNEL_TERNARY || fn != TERN_TERNARY_WHERE) return false;
    *out_number = source[0] != 0 ? source[1] : source[2];
    return true;
}
