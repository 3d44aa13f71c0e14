/*
 * dnn.h: what this backend calls of cuDNN 9, declared here, so that no toolkit is needed to build it.
 *
 * A convolution and both of its gradients have calls of one shape: two operands, the convolution and the result. So
 * tensors and filters are one type here, and the three are told apart by their place in a table (cuda_conv.c).
 *
 * The library is opened for the first convolution that it is to serve (cuda_plan.c): that takes some tenths of a
 * second. Without it own kernels serve.
 */
#ifndef TERN_CUDA_DNN_H
#define TERN_CUDA_DNN_H

#include <stddef.h>

#include "driver.h"

typedef int cudnnStatus_t;
typedef struct cudnnContext *cudnnHandle_t;
typedef struct cudnnOperandStruct *cudnnOperand_t; /* of a tensor, or of a filter */
typedef struct cudnnConvolutionStruct *cudnnConvolutionDescriptor_t;

/* What the library thinks of an algorithm, the best first. */
typedef struct cudnnConvolutionAlgoPerf_t {
    int algo;
    cudnnStatus_t status;
    float time;
    size_t memory;
    int determinism, math;
    int reserved[3];
} cudnnConvolutionAlgoPerf_t;

enum {
    CUDNN_STATUS_SUCCESS = 0,
    CUDNN_STATUS_NOT_INITIALIZED = 1001,
    CUDNN_STATUS_BAD_PARAM = 2000,
    CUDNN_STATUS_NOT_SUPPORTED = 3000,
    CUDNN_STATUS_INTERNAL_ERROR = 4000,
    CUDNN_STATUS_EXECUTION_FAILED = 5000
};

/* Element types. */
enum { CUDNN_DATA_FLOAT = 0, CUDNN_DATA_DOUBLE = 1, CUDNN_DATA_HALF = 2, CUDNN_DATA_BFLOAT16 = 9 };

/* DEFAULT lets float32 be TF32's; ALLOW_CONVERSION rounds it further still. */
enum {
    CUDNN_DEFAULT_MATH = 0,
    CUDNN_TENSOR_OP_MATH = 1,
    CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION = 2,
    CUDNN_FMA_MATH = 3
};

/* How a filter lies: contiguous. */
enum { CUDNN_TENSOR_NCHW = 0 };

enum { CUDNN_CROSS_CORRELATION = 1 };
enum { CUDNN_DETERMINISTIC = 1 };

/* Algorithms that add up the products of a result, one after the other. The others transform pieces of an image, by
 * which an infinity reaches its neighbours. */
enum { CUDNN_FORWARD_IMPLICIT = 0, CUDNN_FORWARD_PRECOMPUTED = 1, CUDNN_FORWARD_EXPLICIT = 2 };
enum { CUDNN_BACKWARD_DATA_DIRECT = 1, CUDNN_BACKWARD_FILTER_DIRECT = 1 };

#define CUDNN_CHOOSE_PARAMETERS                                                                    \
    (cudnnHandle_t handle, cudnnOperand_t a, cudnnOperand_t b, cudnnConvolutionDescriptor_t conv,  \
     cudnnOperand_t out, int wanted, int *count, cudnnConvolutionAlgoPerf_t *found)
#define CUDNN_SPACE_PARAMETERS                                                                     \
    (cudnnHandle_t handle, cudnnOperand_t a, cudnnOperand_t b, cudnnConvolutionDescriptor_t conv,  \
     cudnnOperand_t out, int algo, size_t *bytes)
#define CUDNN_RUN_PARAMETERS                                                                       \
    (cudnnHandle_t handle, const void *alpha, cudnnOperand_t a, const void *a_at,                  \
     cudnnOperand_t b, const void *b_at, cudnnConvolutionDescriptor_t conv, int algo,              \
     void *workspace, size_t workspace_bytes, const void *beta, cudnnOperand_t out, void *out_at)

/* X(result, name in the table, symbol, parameters): everything that is called of cuDNN. */
#define CUDA_DNN_FUNCTIONS(X)                                                                      \
    X(size_t, version, cudnnGetVersion, (void))                                                    \
    X(const char *, status_name, cudnnGetErrorString, (cudnnStatus_t status))                      \
    X(cudnnStatus_t, create, cudnnCreate, (cudnnHandle_t * handle))                                \
    X(cudnnStatus_t, destroy, cudnnDestroy, (cudnnHandle_t handle))                                \
    X(cudnnStatus_t, set_stream, cudnnSetStream, (cudnnHandle_t handle, CUstream stream))          \
    X(cudnnStatus_t, tensor_create, cudnnCreateTensorDescriptor, (cudnnOperand_t * tensor))        \
    X(cudnnStatus_t, tensor_destroy, cudnnDestroyTensorDescriptor, (cudnnOperand_t tensor))        \
    X(cudnnStatus_t, tensor_set, cudnnSetTensorNdDescriptor,                                       \
      (cudnnOperand_t tensor, int type, int rank, const int *shape, const int *strides))           \
    X(cudnnStatus_t, filter_create, cudnnCreateFilterDescriptor, (cudnnOperand_t * filter))        \
    X(cudnnStatus_t, filter_destroy, cudnnDestroyFilterDescriptor, (cudnnOperand_t filter))        \
    X(cudnnStatus_t, filter_set, cudnnSetFilterNdDescriptor,                                       \
      (cudnnOperand_t filter, int type, int format, int rank, const int *shape))                   \
    X(cudnnStatus_t, conv_create, cudnnCreateConvolutionDescriptor,                                \
      (cudnnConvolutionDescriptor_t * conv))                                                       \
    X(cudnnStatus_t, conv_destroy, cudnnDestroyConvolutionDescriptor,                              \
      (cudnnConvolutionDescriptor_t conv))                                                         \
    X(cudnnStatus_t, conv_set, cudnnSetConvolutionNdDescriptor,                                    \
      (cudnnConvolutionDescriptor_t conv, int spatial, const int *padding, const int *stride,      \
       const int *dilation, int mode, int compute_type))                                           \
    X(cudnnStatus_t, conv_set_groups, cudnnSetConvolutionGroupCount,                               \
      (cudnnConvolutionDescriptor_t conv, int groups))                                             \
    X(cudnnStatus_t, conv_set_math, cudnnSetConvolutionMathType,                                   \
      (cudnnConvolutionDescriptor_t conv, int math))                                               \
    X(cudnnStatus_t, forward_choose, cudnnGetConvolutionForwardAlgorithm_v7,                       \
      CUDNN_CHOOSE_PARAMETERS)                                                                     \
    X(cudnnStatus_t, forward_space, cudnnGetConvolutionForwardWorkspaceSize,                       \
      CUDNN_SPACE_PARAMETERS)                                                                      \
    X(cudnnStatus_t, forward, cudnnConvolutionForward, CUDNN_RUN_PARAMETERS)                       \
    X(cudnnStatus_t, backward_data_choose, cudnnGetConvolutionBackwardDataAlgorithm_v7,            \
      CUDNN_CHOOSE_PARAMETERS)                                                                     \
    X(cudnnStatus_t, backward_data_space, cudnnGetConvolutionBackwardDataWorkspaceSize,            \
      CUDNN_SPACE_PARAMETERS)                                                                      \
    X(cudnnStatus_t, backward_data, cudnnConvolutionBackwardData, CUDNN_RUN_PARAMETERS)            \
    X(cudnnStatus_t, backward_filter_choose, cudnnGetConvolutionBackwardFilterAlgorithm_v7,        \
      CUDNN_CHOOSE_PARAMETERS)                                                                     \
    X(cudnnStatus_t, backward_filter_space, cudnnGetConvolutionBackwardFilterWorkspaceSize,        \
      CUDNN_SPACE_PARAMETERS)                                                                      \
    X(cudnnStatus_t, backward_filter, cudnnConvolutionBackwardFilter, CUDNN_RUN_PARAMETERS)

typedef struct cuda_dnn_functions {
#define X(result, name, symbol, parameters) result(*name) parameters;
    CUDA_DNN_FUNCTIONS(X)
#undef X
} cuda_dnn_functions;

/* cuDNN's functions, found by cuda_dnn_open; then the same for every thread. */
extern cuda_dnn_functions cuda_dnn;

/* Opens the library, once in the process; NULL, or why it is not there, a static text. Any thread. */
const char *cuda_dnn_open(void);

#endif
