#include "norm_given.h"

#include "core/ops/compose.h"
#include "programs/program.h"

tern_tensor *tern_norm_given(tern_tensor *x, tern_tensor *mean, tern_tensor *var,
                             tern_tensor *weight, tern_tensor *bias, double eps) {
    static const char *const formulas[2][2] = {
        {"(x - m) * rsqrt(v + eps)", "(x - m) * rsqrt(v + eps) + b"},
        {"(x - m) * rsqrt(v + eps) * w", "(x - m) * rsqrt(v + eps) * w + b"}};
    tern_tensor *vectors[] = {mean, var, weight, bias};
    tern_shape shape = {BODY(x)->rank, {0}};
    for (int d = 0; d < BODY(x)->rank; d++) shape.dim[d] = d == 1 ? BODY(x)->shape[1] : 1;
    for (int k = 0; k < 4; k++)
        if (vectors[k]) vectors[k] = tern_reshape(vectors[k], shape);
    return FORMULA_AS(BODY(x)->ctx, BODY(x)->dtype, formulas[weight != NULL][bias != NULL],
                      "x m v eps w b", ARG_TENSOR(x), ARG_TENSOR(vectors[0]),
                      ARG_TENSOR(vectors[1]), ARG_FLOAT(eps),
                      weight ? ARG_TENSOR(vectors[2]) : ARG_FLOAT(1),
                      bias ? ARG_TENSOR(vectors[3]) : ARG_FLOAT(0));
}
