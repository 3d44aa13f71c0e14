#include "dnn.h"

#include "library.h"

cuda_dnn_functions cuda_dnn;

static const struct cuda_library_function functions[] = {
#define X(result, name, symbol, parameters) {#symbol, offsetof(cuda_dnn_functions, name)},
    CUDA_DNN_FUNCTIONS(X)
#undef X
};

static const struct cuda_library_place places[] = {
    {CUDA_DRIVER_NEEDED, "libcudnn.so.9"},
    {CUDA_DRIVER_NEEDED, "/usr/local/cuda/lib64/libcudnn.so.9"}};

static cuda_library library = {.absent = "cuDNN (libcudnn.so.9) is not installed",
                               .too_old = "the cuDNN that is installed lacks a function",
                               .table = &cuda_dnn,
                               .functions = functions,
                               .n_functions = sizeof functions / sizeof *functions,
                               .places = places,
                               .n_places = sizeof places / sizeof *places};

const char *cuda_dnn_open(void) {
    return cuda_library_open(&library);
}
