/*
 * functional.h: the rows of functional.def, beside the core's in core/call/op.h, and the spellings of
 * arguments that both use.
 */
#ifndef TERN_FUNCTIONAL_H
#define TERN_FUNCTIONAL_H

#include "core/call/op.h"

typedef enum tern_functional_op_id {
#define TERN_OP(id, schema, kind, saves, kernel, fn)      TERN_FUNCTIONAL_ID_##id,
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn) TERN_FUNCTIONAL_ID_##id,
#include "tern/functional.def"
    TERN_FUNCTIONAL_OP_COUNT
} tern_functional_op_id;

/* All of them, in the order of the table. */
extern const tern_op *const tern_functional_ops[];

#undef TERN_OP
#undef TERN_OP_GRAD
#define TERN_OP(id, schema, kind, saves, kernel, fn)                                               \
    tern_value tern_op_##id(tern_opcall *call);                                                    \
    extern const tern_op tern_functional_row_##id;                                                 \
    static inline const tern_op *tern_row_##id(void) {                                             \
        return &tern_functional_row_##id;                                                          \
    }
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn)                                          \
    TERN_OP(id, schema, kind, saves, kernel, fn)                                                   \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads);
#include "tern/functional.def"
#undef TERN_OP
#undef TERN_OP_GRAD

/* x with `value` where the condition holds. */
static inline tern_tensor *tern_fill_where(tern_tensor *x, tern_tensor *condition, double value) {
    return TERN_CALL(masked_fill, ARG_TENSOR(x), ARG_TENSOR(condition), ARG_FLOAT(value));
}

#endif
