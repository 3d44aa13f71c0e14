/*
 * map.h: what the element-wise families share.
 *
 * A map broadcasts its operands, converts them to one dtype and launches one kernel. Its output is
 * of another dtype only where the kernel says so (comparisons write bool).
 */
#ifndef TERN_CORE_OPS_MAP_H
#define TERN_CORE_OPS_MAP_H

#include "core/call/op.h"
#include "tern/backend.h"

#define TERN_MAP_MAX_OPERANDS 3 /* of a TERNARY kernel */

/*
 * Launches member `fn` of a kernel family over `args` (tensors or numbers), converted to `compute`;
 * the condition of `where` alone keeps its dtype. The result has dtype `result`. attrs are the
 * family's. None after an error.
 */
TERN_API tern_value tern_map_launch(tern_opcall *call, int32_t kernel, int32_t fn,
                                    const tern_value *args, int count, tern_dtype compute,
                                    tern_dtype result, const void *attrs, size_t attrs_size);

/* BINARY over two values without alpha. */
TERN_API tern_value tern_map_binary(tern_opcall *call, int32_t fn, const tern_value *args,
                                    tern_dtype compute, tern_dtype result);

/* The promoted dtype, integers and bools raised to float32 (PyTorch's "float" operations). */
TERN_API tern_dtype tern_map_float(tern_dtype promoted);

/* ---- inside a gradient: TERN_CALL with results as tensors, numbers as doubles ---------------- */

/* Tensor input k as a value, or the number that was passed as argument `arg` in its place. */
tern_value tern_node_operand(tern_node *node, int k, int arg);

tern_tensor *tern_mul_value(tern_tensor *input, tern_value other);
tern_tensor *tern_div_value(tern_tensor *input, tern_value other);

/* where(condition, yes, no) with numbers allowed. */
tern_tensor *tern_where_value(tern_tensor *condition, tern_value yes, tern_value no);

/* A comparison with a value: fn is the row's id. */
tern_tensor *tern_compare_value(const tern_op *op, tern_tensor *input, tern_value other);

#endif
