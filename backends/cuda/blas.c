#include "blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

cuda_blas_functions cuda_blas;

static const struct entry {
    const char *symbol;
    size_t at;
} entries[] = {
#define X(result, name, symbol, parameters) {#symbol, offsetof(cuda_blas_functions, name)},
    CUDA_BLAS_FUNCTIONS(X)
#undef X
};

/* One of CUDA 13 does not start on an older driver. */
static const struct place {
    int driver;
    const char *path;
} places[] = {{13000, "libcublasLt.so.13"},
              {13000, "/usr/local/cuda/lib64/libcublasLt.so.13"},
              {CUDA_DRIVER_NEEDED, "libcublasLt.so.12"},
              {CUDA_DRIVER_NEEDED, "/usr/local/cuda/lib64/libcublasLt.so.12"}};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool was_looked_for;
static const char *missing; /* why it is not there */

static const char *look(void) {
    int driver = 0;
    void *library = NULL; /* stays open: what it has started on the GPU does not bear its end */
    cuda.driver_version(&driver);
    for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++)
        if (driver >= places[i].driver) library = dlopen(places[i].path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return driver >= 13000 ? "cuBLASLt (libcublasLt.so.13 or .12) is not installed"
                               : "cuBLASLt (libcublasLt.so.12, for this driver) is not installed";
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(library, entries[i].symbol);
        if (!symbol) return "the cuBLASLt that is installed is too old";
        memcpy((char *)&cuda_blas + entries[i].at, &symbol, sizeof symbol);
    }
    return NULL;
}

const char *cuda_blas_open(void) {
    pthread_mutex_lock(&lock);
    if (!was_looked_for) missing = look();
    was_looked_for = true;
    pthread_mutex_unlock(&lock);
    return missing;
}
