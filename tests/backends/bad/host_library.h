/*
 * host_library.h: a legal library for host operations, for the loader's tests: what it computes is recognisable.
 * Each source beside this one that includes it is wrong in the way that its macros say.
 */
#ifndef TERN_TESTS_BAD_HOST_LIBRARY_H
#define TERN_TESTS_BAD_HOST_LIBRARY_H

#include <stdio.h>
#include <string.h>

#include "tern/host_library.h"

#ifndef LIBRARY_NAME
#define LIBRARY_NAME "host_legal"
#endif
#ifndef LIBRARY_ABI
#define LIBRARY_ABI TERN_HOST_LIBRARY_ABI
#endif
#ifndef LIBRARY_SANITIZERS
#define LIBRARY_SANITIZERS TERN_BACKEND_SANITIZERS
#endif
#ifndef LIBRARY_SIZE
#define LIBRARY_SIZE sizeof(tern_host_library)
#endif

/* The factor's first element is 32 or 64: the precision that was asked for. */
static int32_t library_cholesky(double *a, int64_t n, bool single, int32_t *out_info) {
    memset(a, 0, (size_t)(n * n) * sizeof *a);
    a[0] = single ? 32.0 : 64.0;
    *out_info = 0;
    return TERN_BACKEND_OK;
}

/* Leaves everything to the plain function. */
static int32_t library_lu(double *a, int32_t *pivots, int64_t m, int64_t n, bool single,
                          int32_t *out_info) {
    (void)a, (void)pivots, (void)m, (void)n, (void)single, (void)out_info;
    return TERN_BACKEND_UNSUPPORTED;
}

static int32_t library_qr(double *a, double *tau, int64_t m, int64_t n, bool single) {
    (void)a, (void)tau, (void)m, (void)n, (void)single;
    return TERN_BACKEND_OUT_OF_MEMORY;
}

int32_t tern_host_library_query(uint32_t host_abi, const tern_host *host,
                                tern_host_library *out_library, tern_backend_error *err) {
    (void)host_abi, (void)host, (void)out_library;
#ifdef LIBRARY_REFUSES
    snprintf(err->message, sizeof err->message, "not on a\nMonday");
    return TERN_BACKEND_UNSUPPORTED;
#elif defined LIBRARY_LACKS_MEMORY
    (void)err;
    return TERN_BACKEND_OUT_OF_MEMORY;
#else
    (void)err;
    *out_library = (tern_host_library){
        .struct_size = (uint32_t)(LIBRARY_SIZE),
        .abi = LIBRARY_ABI,
        .name = LIBRARY_NAME,
        .description = "a library of tests",
        .sanitizers = LIBRARY_SANITIZERS,
        .cholesky = library_cholesky,
        .lu = library_lu,
        .qr = library_qr,
    };
    return TERN_BACKEND_OK;
#endif
}

#endif
