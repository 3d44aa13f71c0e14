#include "blas.h"

#include "library.h"

cuda_blas_functions cuda_blas;

static const struct cuda_library_function functions[] = {
#define X(result, name, symbol, parameters) {#symbol, offsetof(cuda_blas_functions, name)},
    CUDA_BLAS_FUNCTIONS(X)
#undef X
};

/* One of CUDA 13 does not start on an older driver. */
static const struct cuda_library_place places[] = {
    {13000, "libcublasLt.so.13"},
    {13000, "/usr/local/cuda/lib64/libcublasLt.so.13"},
    {CUDA_DRIVER_NEEDED, "libcublasLt.so.12"},
    {CUDA_DRIVER_NEEDED, "/usr/local/cuda/lib64/libcublasLt.so.12"}};

static cuda_library library = {
    .absent = "cuBLASLt (libcublasLt.so.13, or .12 for a driver of CUDA 12) is not installed",
    .too_old = "the cuBLASLt that is installed is too old",
    .table = &cuda_blas,
    .functions = functions,
    .n_functions = sizeof functions / sizeof *functions,
    .places = places,
    .n_places = sizeof places / sizeof *places};

const char *cuda_blas_open(void) {
    return cuda_library_open(&library);
}
