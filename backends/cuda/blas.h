/*
 * blas.h: what this backend calls of cuBLASLt, declared here, so that no toolkit is needed to build it.
 *
 * The library is large: to open it takes some tenths of a second, which a program of small products never pays. So it
 * is opened for the first product that it is to serve (cuda_product.c), once in the process. Without it own kernels
 * serve.
 */
#ifndef TERN_CUDA_BLAS_H
#define TERN_CUDA_BLAS_H

#include <stddef.h>
#include <stdint.h>

#include "driver.h"

typedef int cublasStatus_t;
typedef struct cublasLtContext *cublasLtHandle_t;
typedef struct cublasLtMatmulDesc *cublasLtMatmulDesc_t;
typedef struct cublasLtMatrixLayout *cublasLtMatrixLayout_t;
typedef struct cublasLtMatmulPreference *cublasLtMatmulPreference_t;

typedef struct cublasLtMatmulAlgo_t {
    uint64_t data[8];
} cublasLtMatmulAlgo_t;

typedef struct cublasLtMatmulHeuristicResult_t {
    cublasLtMatmulAlgo_t algo;
    size_t workspaceSize;
    cublasStatus_t state;
    float wavesCount;
    int reserved[4];
} cublasLtMatmulHeuristicResult_t;

enum {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15
};

/* Element types. */
enum { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2, CUDA_R_16BF = 14 };

enum { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_64F = 70, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };

enum { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };

/* Of a description (int32_t, but uint32_t for the epilogue, and an address). */
enum {
    CUBLASLT_MATMUL_DESC_TRANSA = 3,
    CUBLASLT_MATMUL_DESC_TRANSB = 4,
    CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
    CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8
};
enum { CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_BIAS = 4 };

/* Of a layout: int32_t, int64_t. */
enum { CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6 };

/* Of a preference: uint64_t, then uint32_t. */
enum {
    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};
/* Parts of a sum lie in the workspace, not rounded, and are added behind it: the order is the same in every run. */
enum { CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };

/* X(result, name in the table, symbol, parameters): everything that is called of cuBLASLt. */
#define CUDA_BLAS_FUNCTIONS(X)                                                                     \
    X(size_t, version, cublasLtGetVersion, (void))                                                 \
    X(const char *, status_name, cublasLtGetStatusName, (cublasStatus_t status))                   \
    X(cublasStatus_t, create, cublasLtCreate, (cublasLtHandle_t * handle))                         \
    X(cublasStatus_t, destroy, cublasLtDestroy, (cublasLtHandle_t handle))                         \
    X(cublasStatus_t, desc_create, cublasLtMatmulDescCreate,                                       \
      (cublasLtMatmulDesc_t * desc, int compute_type, int scale_type))                             \
    X(cublasStatus_t, desc_destroy, cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t desc))        \
    X(cublasStatus_t, desc_set, cublasLtMatmulDescSetAttribute,                                    \
      (cublasLtMatmulDesc_t desc, int attribute, const void *value, size_t size))                  \
    X(cublasStatus_t, layout_create, cublasLtMatrixLayoutCreate,                                   \
      (cublasLtMatrixLayout_t * layout, int type, uint64_t rows, uint64_t columns,                 \
       int64_t leading))                                                                           \
    X(cublasStatus_t, layout_destroy, cublasLtMatrixLayoutDestroy,                                 \
      (cublasLtMatrixLayout_t layout))                                                             \
    X(cublasStatus_t, layout_set, cublasLtMatrixLayoutSetAttribute,                                \
      (cublasLtMatrixLayout_t layout, int attribute, const void *value, size_t size))              \
    X(cublasStatus_t, preference_create, cublasLtMatmulPreferenceCreate,                           \
      (cublasLtMatmulPreference_t * preference))                                                   \
    X(cublasStatus_t, preference_destroy, cublasLtMatmulPreferenceDestroy,                         \
      (cublasLtMatmulPreference_t preference))                                                     \
    X(cublasStatus_t, preference_set, cublasLtMatmulPreferenceSetAttribute,                        \
      (cublasLtMatmulPreference_t preference, int attribute, const void *value, size_t size))      \
    X(cublasStatus_t, heuristic, cublasLtMatmulAlgoGetHeuristic,                                   \
      (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,               \
       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,               \
       cublasLtMatmulPreference_t preference, int wanted,                                          \
       cublasLtMatmulHeuristicResult_t *results, int *count))                                      \
    X(cublasStatus_t, matmul, cublasLtMatmul,                                                      \
      (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,       \
       cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,            \
       const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,                  \
       cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *workspace,         \
       size_t workspace_bytes, CUstream stream))

typedef struct cuda_blas_functions {
#define X(result, name, symbol, parameters) result(*name) parameters;
    CUDA_BLAS_FUNCTIONS(X)
#undef X
} cuda_blas_functions;

/* cuBLASLt's functions, found by cuda_blas_open; then the same for every thread. */
extern cuda_blas_functions cuda_blas;

/* Opens the library, once in the process; NULL, or why it is not there, a static text. Any thread. */
const char *cuda_blas_open(void);

#endif
