/*
 * op.h: how an operation is described, called and differentiated.
 *
 * include/tern/ops.def is the core's table; each row names an implementation tern_op_ID in core/ops/
 * and, where it is differentiable, a gradient tern_grad_ID beside it. A call is an array of values in
 * the order of the schema, whether it comes from C (tern_add) or by name (tern_call).
 *
 * tern_op_call does what all operations share: passes nil on, checks that tensors belong together,
 * switches recording off inside, records one node and saves what the row says.
 */
#ifndef TERN_CORE_OP_H
#define TERN_CORE_OP_H

#include "arg.h"
#include "core/context/lane.h"
#include "core/context/scope.h"
#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "core/objects.h"
#include "core/tensor/tensor.h"
#include "launch.h"
#include "raw.h"
#include "tern/ops.h"
#include "tern/schema.h"

typedef enum tern_op_kind {
    TERN_OP_PRIMITIVE, /* one kernel family of the backend */
    TERN_OP_COMPOSITE, /* built from others, with a gradient of its own */
    TERN_OP_THROUGH,   /* built from others, differentiated through them */
    TERN_OP_VIEW,      /* shares its input's storage */
    TERN_OP_PART,      /* a view of a part of its input: the input's gradient is zero elsewhere */
    TERN_OP_CREATE,    /* makes a tensor from numbers */
    TERN_OP_HOST       /* runs in host memory on any device */
} tern_op_kind;

#define TERN_MAX_ARGS 16

typedef struct tern_opcall {
    tern_ctx *ctx;
    const tern_op *op;
    tern_lane *lane; /* of the tensor arguments, else the context's default */
    const tern_value *args;
    int n_args;
    tern_tensor *out; /* of an in-place call: where an element-wise result may go directly */
} tern_opcall;

/* Returns a tensor, a tuple of tensors, or a number; none after latching an error. */
typedef tern_value (*tern_op_fn)(tern_opcall *call);

/* Writes grads[k] for every tensor input k that needs one (tern_node_needs); NULL is zero.
 * grad_out[i] is NULL where output i got no gradient. */
typedef void (*tern_op_grad_fn)(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads);

struct tern_op {
    const char *schema; /* "add(Tensor input, Tensor|Number other, *, Number alpha=1) -> Tensor" */
    tern_op_kind kind;
    uint32_t saves; /* SAVE bits */
    int32_t kernel, fn;
    tern_op_fn impl;
    tern_op_grad_fn grad; /* NULL: not differentiable */
};

/* The id of a row: it stands before the schema (op_row.h). */
static inline const char *tern_op_id(const tern_op *op) {
    const char *id = op->schema - 1;
    while (id[-1]) id--;
    return id;
}

/* PyTorch's name of an operation's node, "LogSoftmaxBackward0", made from the id. Writes it to
 * `out_text` of TERN_GRAD_NAME_TEXT bytes and returns that. */
#define TERN_GRAD_NAME_TEXT 64
const char *tern_op_grad_name(const tern_op *op, char *out_text);

/* Which tensors a node keeps: input k (counted over all tensor arguments), all of them, outputs, all
 * outputs but the first. */
#define TERN_SAVE_INPUT(k) (1u << (k))
#define TERN_SAVE_INPUTS   0x1fffffffu
#define TERN_SAVE_OUTPUTS  0x40000000u
#define TERN_SAVE_BESIDES  0x80000000u
#define TERN_SAVES         (~TERN_TAKES_COMPLEX)

/* Beside what is saved: the implementation takes complex tensors. For a row without it, complex.c of the core
 * may have a rule; every other call with complex numbers is refused. */
#define TERN_TAKES_COMPLEX 0x20000000u

/* The bit of input k, the last one for all from there on. */
static inline uint32_t tern_save_input(int k) {
    return TERN_SAVE_INPUT(k < 28 ? k : 28);
}

/* The core's rows, in the order of ops.def. Those of functional/ are in functional/functional.h. */
typedef enum tern_core_op_id {
#define TERN_OP(id, schema, kind, saves, kernel, fn)      TERN_OP_ID_##id,
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn) TERN_OP_ID_##id,
#include "tern/ops.def"
    TERN_CORE_OP_COUNT
} tern_core_op_id;

TERN_API extern const tern_op tern_core_ops[];

/* The row of an operation: TERN_ROW(add). Each row has a function, so that a room names its own rows
 * and those below it, and no other. */
#define TERN_ROW(id) tern_row_##id()

#undef TERN_OP
#undef TERN_OP_GRAD
#define TERN_OP(id, schema, kind, saves, kernel, fn)                                               \
    tern_value tern_op_##id(tern_opcall *call);                                                    \
    static inline const tern_op *tern_row_##id(void) {                                             \
        return &tern_core_ops[TERN_OP_ID_##id];                                                    \
    }
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn)                                          \
    TERN_OP(id, schema, kind, saves, kernel, fn)                                                   \
    void tern_grad_##id(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads);
#include "tern/ops.def"
#undef TERN_OP
#undef TERN_OP_GRAD

/* ---- calling --------------------------------------------------------------------------------- */

/* Calls with values in schema order; trailing ones may be left out where the implementation reads
 * them with a default. ctx may be NULL where a tensor argument has it. */
TERN_API tern_value tern_op_call(tern_ctx *ctx, const tern_op *op, const tern_value *args,
                                 int n_args);

/* The in-place form: the result goes into the first tensor argument, which is returned. */
TERN_API tern_tensor *tern_op_call_in_place(const tern_op *op, const tern_value *args, int n_args);

/* A tensor result, nil after an error. */
TERN_API tern_tensor *tern_op_tensor(tern_ctx *ctx, const tern_op *op, const tern_value *args,
                                     int n_args);

/* The typed one-liners: tern_tensor *tern_add(a, b) { return TERN_CALL(add, ARG_TENSOR(a), ARG_TENSOR(b)); } with the
 * context taken from the first tensor. */
#define TERN_CALL(id, ...)                                                                         \
    tern_op_tensor(NULL, TERN_ROW(id), (const tern_value[]){__VA_ARGS__},                          \
                   (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))
#define TERN_CALL_CTX(ctx, id, ...)                                                                \
    tern_op_tensor(ctx, TERN_ROW(id), (const tern_value[]){__VA_ARGS__},                           \
                   (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))
#define TERN_CALL_VALUE(id, ...)                                                                   \
    tern_op_call(NULL, TERN_ROW(id), (const tern_value[]){__VA_ARGS__},                            \
                 (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))
#define TERN_CALL_IN_PLACE(id, ...)                                                                \
    tern_op_call_in_place(TERN_ROW(id), (const tern_value[]){__VA_ARGS__},                         \
                          (int)(sizeof((const tern_value[]){__VA_ARGS__}) / sizeof(tern_value)))

/* ---- arguments inside an implementation ------------------------------------------------------ */

/* The i-th argument, none where it was left out. */
static inline tern_value tern_arg(const tern_opcall *call, int i) {
    return i < call->n_args ? call->args[i] : tern_none();
}
static inline bool tern_arg_given(const tern_opcall *call, int i) {
    return tern_arg(call, i).kind != TERN_VALUE_NONE;
}
/* NULL where none. */
static inline tern_tensor *tern_arg_tensor(const tern_opcall *call, int i) {
    tern_value v = tern_arg(call, i);
    return v.kind == TERN_VALUE_TENSOR ? v.as.tensor : NULL;
}
static inline int64_t tern_arg_int(const tern_opcall *call, int i, int64_t fallback) {
    return tern_arg_given(call, i) ? tern_value_as_int(tern_arg(call, i)) : fallback;
}
static inline double tern_arg_double(const tern_opcall *call, int i, double fallback) {
    return tern_arg_given(call, i) ? tern_value_as_double(tern_arg(call, i)) : fallback;
}
static inline bool tern_arg_bool(const tern_opcall *call, int i, bool fallback) {
    return tern_arg_given(call, i) ? tern_value_as_int(tern_arg(call, i)) != 0 : fallback;
}
static inline tern_dtype tern_arg_dtype(const tern_opcall *call, int i, tern_dtype fallback) {
    tern_value v = tern_arg(call, i);
    return v.kind == TERN_VALUE_DTYPE && v.as.dtype != TERN_DTYPE_DEFAULT ? v.as.dtype : fallback;
}
/* Text, or the fallback. */
static inline const char *tern_arg_text(const tern_opcall *call, int i, const char *fallback) {
    tern_value v = tern_arg(call, i);
    return v.kind == TERN_VALUE_STRING ? v.as.s : fallback;
}
/* A list of integers (or one integer as a list of one); rank -1 where none was given. Latches and
 * gives rank -1 for more than TERN_MAX_RANK. */
TERN_API tern_shape tern_arg_ints(const tern_opcall *call, int i);

/* The tensors of a list argument, in the open scope; count in *out_count. */
TERN_API tern_tensor **tern_arg_tensors(const tern_opcall *call, int i, int *out_count);

/*
 * A C double as the Python number it stands for: a whole number is an int (so that int64 + 1 stays
 * int64), everything else, -0.0 included, a float.
 */
TERN_API tern_value tern_number(double value);

/* Latches "NAME: ..." for the call's operation and returns none. */
TERN_API tern_value tern_call_fail(const tern_opcall *call, tern_status status, const char *format,
                                   ...) TERN_PRINTF(3, 4);

/* The operation's PyTorch name without arguments; `out_text` needs 64 bytes. */
TERN_API const char *tern_op_name(const tern_op *op, char *out_text);

/* Whether the parts of a THROUGH call are recorded now. A gradient that has a fused kernel composes
 * then, so that it can be differentiated again. */
TERN_API bool tern_call_is_recorded(const tern_opcall *call);

/* ---- inside a gradient ----------------------------------------------------------------------- */

/* True where tensor input k must get a gradient. */
TERN_API bool tern_node_needs(const tern_node *node, int k);

/* The saved input or output; latches where it was freed or has changed since. */
TERN_API tern_tensor *tern_node_input(tern_node *node, int k);
TERN_API tern_tensor *tern_node_output(tern_node *node, int k);

/* What is known of input k without saving it. */
TERN_API tern_shape tern_node_input_shape(const tern_node *node, int k);
TERN_API tern_dtype tern_node_input_dtype(const tern_node *node, int k);
TERN_API tern_ctx *tern_node_ctx(const tern_node *node);

/* How many tensor inputs the node has. */
TERN_API int tern_node_n_inputs(const tern_node *node);

/* Argument i as it was called; tensors come as none. */
TERN_API tern_value tern_node_arg(const tern_node *node, int i);

/* ---- shared by the families (ops/promote.c, ops/broadcast.c) --------------------------------- */

/*
 * Result dtype of PyTorch's promotion over tensors and numbers (semantics of torch.result_type):
 * dimensioned tensors rank above 0-dim ones, those above numbers.
 */
TERN_API tern_dtype tern_result_type(const tern_value *args, int count);

/* A tensor argument converted to `dtype`, or a number as a 0-dim tensor of it. No recording. */
TERN_API tern_tensor *tern_operand_of(tern_opcall *call, tern_value value, tern_dtype dtype);

/* The broadcast shape of several tensors; latches PyTorch's message when they do not fit. */
TERN_API bool tern_broadcast_shape(tern_opcall *call, tern_tensor *const *tensors, int count,
                                   tern_shape *out_shape);

/* The output of an element-wise call: call->out where shape and dtype fit, else a new tensor. */
tern_tensor *tern_map_output(tern_opcall *call, tern_dtype dtype, const tern_shape *shape);

/* A tuple of tensors as a value. */
TERN_API tern_value tern_tensors_value(tern_ctx *ctx, tern_tensor *const *tensors, int count);

#endif
