/* linear_cross_entropy.c: the cross entropy of a linear layer's logits. */
#include "core/ops/compose.h"
#include "functional.h"

/* linear_cross_entropy(input [*, in], linear_weight [classes, *, in], target, linear_bias [classes, *], weight,
 * reduction, ignore_index, label_smoothing): logits [N, classes, *] */
tern_value tern_op_linear_cross_entropy(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *w = tern_arg_tensor(call, 1);
    tern_tensor *bias = tern_arg_tensor(call, 3);
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    int rank = BODY(w)->rank;
    bool fits = (BODY(x)->rank == 1 || BODY(x)->rank == 2) && rank >= 2 &&
                BODY(x)->shape[BODY(x)->rank - 1] == BODY(w)->shape[rank - 1] &&
                (!bias || BODY(bias)->rank == rank - 1);
    for (int d = 0; fits && bias && d < rank - 1; d++)
        fits = BODY(bias)->shape[d] == BODY(w)->shape[d];
    if (!fits)
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "input %s (N, in) and linear_weight %s (classes, ..., in) must have one "
            "number of features, and linear_bias the weight's other dimensions",
            tern_shape_text(BODY(x)->rank, BODY(x)->shape, one),
            tern_shape_text(rank, BODY(w)->shape, two));
    tern_shape shape = {0, {0}};
    if (BODY(x)->rank == 2) shape.dim[shape.rank++] = BODY(x)->shape[0];
    for (int d = 0; d < rank - 1; d++) shape.dim[shape.rank++] = BODY(w)->shape[d];
    tern_tensor *flat = tern_flatten(w, 0, rank - 2);
    tern_tensor *logits = tern_linear(x, flat, bias ? tern_flatten(bias, 0, -1) : NULL);
    logits = tern_reshape(logits, shape);
    int64_t ignored = tern_arg_int(call, 6, -100);
    const char *reduction = tern_arg_text(call, 5, "mean");
    return tern_result(call,
                       TERN_CALL(cross_entropy, ARG_TENSOR(logits), tern_arg(call, 2),
                                 tern_arg(call, 4), tern_none(), ARG_INT(ignored), tern_none(),
                                 tern_text(reduction), ARG_FLOAT(tern_arg_double(call, 7, 0.0))));
}
