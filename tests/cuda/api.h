/*
 * api.h: how a call of the driver that stands in begins: under the lock, counted, with a context where it needs
 * one, and with the error of a context that is lost.
 */
#ifndef TERN_TESTS_CUDA_API_H
#define TERN_TESTS_CUDA_API_H

#include "standin.h"

#define X(name, symbol, parameters) CUresult symbol parameters;
CUDA_FUNCTIONS(X)
#undef X

/* Takes the lock; what the call answers at once, or CUDA_SUCCESS. */
CUresult standin_begin(const char *name, bool with_context, CUresult failure);

static inline void standin_finish(const int *unused) {
    (void)unused;
    standin_unlock();
}

#define BEGIN(name, with_context, failure)                                                         \
    CUresult begun = standin_begin(name, with_context, failure);                                   \
    __attribute__((cleanup(standin_finish), unused)) int finishing = 0;                            \
    if (begun != CUDA_SUCCESS) return begun;

/* A call that needs a context, and fails so where it is to fail. The braces of its body are its last argument. */
#define CALL(symbol, parameters, failure, ...)                                                     \
    CUresult symbol parameters {                                                                   \
        BEGIN(#symbol, true, failure)                                                              \
        __VA_ARGS__                                                                                \
    }
/* One that needs none. */
#define GLOBAL_CALL(symbol, parameters, failure, ...)                                              \
    CUresult symbol parameters {                                                                   \
        BEGIN(#symbol, false, failure)                                                             \
        __VA_ARGS__                                                                                \
    }
/* One of a library's, whose statuses are its own: `failure` where it is to fail, `lost` where the context is lost. */
#define LIBRARY_CALL(type, lost, symbol, parameters, with_context, failure, ...)                   \
    type symbol parameters {                                                                       \
        CUresult begun = standin_begin(#symbol, with_context, failure);                            \
        __attribute__((cleanup(standin_finish), unused)) int finishing = 0;                        \
        if (begun != CUDA_SUCCESS) return begun == (failure) ? (failure) : (lost);                 \
        __VA_ARGS__                                                                                \
    }
/* One that frees, and never fails by itself. */
#define FREE(symbol, parameters, ...) CALL(symbol, parameters, CUDA_SUCCESS, __VA_ARGS__)

#endif
