/* norm.c: torch.norm by its names. */
#include <string.h>

#include "core/ops/layout.h"
#include "functional.h"

/* torch.norm: p is a number, 'fro' (the 2-norm of all elements), 'nuc', or None (2). */
tern_value tern_op_norm(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    const char *name = tern_arg_text(call, 1, NULL);
    if (name && strcmp(name, "nuc") == 0) {
        tern_shape dims = tern_arg_ints(call, 2);
        if (dims.rank < 0) dims = TERN_SHAPE(-2, -1);
        return tern_result(call,
                           TERN_CALL(matrix_norm, ARG_TENSOR(x), tern_arg(call, 1), ARG_SHAPE(dims),
                                     ARG_BOOL(tern_arg_bool(call, 3, false)), tern_arg(call, 4)));
    }
    if (name && strcmp(name, "fro") != 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "p='%s' is not a norm: use a number, 'fro' or 'nuc'", name);
    double p = name ? 2.0 : tern_arg_double(call, 1, 2.0);
    tern_tensor *out = TERN_CALL(vector_norm, ARG_TENSOR(x), ARG_FLOAT(p), tern_arg(call, 2),
                                 ARG_BOOL(tern_arg_bool(call, 3, false)), tern_arg(call, 4));
    return tern_result(call, out);
}
