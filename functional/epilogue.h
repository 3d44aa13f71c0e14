/*
 * epilogue.h: a formula over the result of a product or a convolution, in the product's launch where the
 * device can (MATMUL_MAP, CONV_MAP in tern/backend_fused.h).
 */
#ifndef TERN_EPILOGUE_H
#define TERN_EPILOGUE_H

#include "programs/program.h"

/* A formula in x. */
typedef struct tern_epilogue {
    tern_value program; /* kept or finished, for the dtype that is computed in */
    tern_program_traits traits;
} tern_epilogue;

/* Reads the formula in argument `at` of a call whose first tensor has the product's dtype. False after
 * latching. */
bool tern_epilogue_read(tern_opcall *call, int at, tern_epilogue *out);

/* Whether one launch may do both: floats, a formula that is no condition, and nothing to record. */
bool tern_epilogue_may_fuse(const tern_opcall *call, const tern_epilogue *epilogue);

/* out = formula(product), or false where nothing was done. `attrs` are those of the product. */
bool tern_epilogue_launch(tern_opcall *call, const tern_epilogue *epilogue, int32_t kernel,
                          tern_tensor *const *operands, int count, const void *attrs,
                          size_t attrs_size, tern_tensor *out);

/* formula(product), recorded; the product is in the wide dtype of the call's first tensor. */
tern_value tern_epilogue_apply(tern_opcall *call, const tern_epilogue *epilogue,
                               tern_tensor *product);

#endif
