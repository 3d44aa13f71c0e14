/*
 * tern/host_library.h: what a library of factorisations for the host operations exports.
 *
 * Operations of kind host (linalg.*, cholesky, lu, qr, svd, ...) copy their operands into host memory as
 * row-major doubles and factorise one matrix after the other. Plain functions of Tern's own do that; a host
 * library, found by a manifest with the key `host` instead of `device`, replaces those that it has:
 *
 *     host    = lapack
 *     library = ../plugins/libtern_lapack.so
 *     abi     = 0                            TERN_HOST_LIBRARY_ABI_MAJOR
 *
 * It is a shared object that exports one symbol, tern_host_library_query, and includes this header and
 * tern/backend.h alone. Several threads call its functions at once, each for its own operands.
 *
 * Each function says what of its operands it reads and writes; matrices are dense, row after row, and none
 * is empty. `single` asks for arithmetic in float32, for operands that are doubles all the same: results are
 * then float32 values. What LAPACK leaves to convention (signs, pivots from 1, the packing of LDL) follows
 * LAPACK. Each returns
 *
 *     TERN_BACKEND_OK             it is done
 *     TERN_BACKEND_OUT_OF_MEMORY  its workspace, from tern_host.alloc, could not be had
 *     TERN_BACKEND_UNSUPPORTED    not done, and no operand changed: the plain function does it. So answer
 *                                 sizes that do not fit, an algorithm that does not converge, and NaN or
 *                                 infinities, on which libraries differ, hang or crash
 *
 * Any function may be NULL: the plain one computes.
 */
#ifndef TERN_HOST_LIBRARY_H
#define TERN_HOST_LIBRARY_H

#include "tern/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TERN_HOST_LIBRARY_ABI_MAJOR 0
#define TERN_HOST_LIBRARY_ABI_MINOR 1
#define TERN_HOST_LIBRARY_ABI       (TERN_HOST_LIBRARY_ABI_MAJOR << 16 | TERN_HOST_LIBRARY_ABI_MINOR)

/* A host library. Filled in by tern_host_library_query; texts are static. */
typedef struct tern_host_library {
    uint32_t struct_size;
    uint32_t abi;            /* the ABI that the library was built for */
    const char *name;        /* "lapack": equals the manifest's host */
    const char *description; /* one line for reports: "LAPACK 3.11.0" */
    const char *sanitizers;  /* TERN_BACKEND_SANITIZERS: must equal the host's */

    /* c[m, n] = a[m, k] b[k, n], in float64 */
    int32_t (*product)(const double *a, const double *b, double *c, int64_t m, int64_t k,
                       int64_t n);

    /* The lower triangle of a[n, n] becomes L with L L^T = a, what is above it 0. *out_info is 0, or the
     * order of the first leading minor that is not positive. */
    int32_t (*cholesky)(double *a, int64_t n, bool single, int32_t *out_info);

    /* The lower triangle of l[n, n], whose diagonal has no zero, becomes the inverse of L L^T, whole. */
    int32_t (*cholesky_inverse)(double *l, int64_t n, bool single);

    /* b[n, m] becomes the solution of a x = b, by the upper or lower triangle of a[n, n]; `unit`: a diagonal
     * of ones, which is not read. A zero on the diagonal gives infinities. */
    int32_t (*solve_triangular)(const double *a, double *b, int64_t n, int64_t m, bool upper,
                                bool unit, bool single);

    /* P a = L U with partial pivoting: a[m, n] holds U, and L below its diagonal of ones; row i was swapped
     * with row pivots[i] - 1. *out_info is 0, or the position, from 1, of the first zero on U's diagonal. */
    int32_t (*lu)(double *a, int32_t *pivots, int64_t m, int64_t n, bool single, int32_t *out_info);

    /* The lower triangle of a[n, n] becomes L and the blocks of D with L D L^T = a after Bunch's and
     * Kaufman's pivots: a negative pivot marks a block of two rows. What is above it stays. As LU. */
    int32_t (*ldl)(double *a, int32_t *pivots, int64_t n, bool single, int32_t *out_info);

    /* b[n, m] becomes the solution of a x = b by that. Pivots are from 1 to n, or their negatives. */
    int32_t (*ldl_solve)(const double *ld, const int32_t *pivots, double *b, int64_t n, int64_t m,
                         bool single);

    /* a[m, n] holds R, and below the diagonal the reflectors H_i = I - tau_i v v^T, v_i = 1; tau[min(m, n)] */
    int32_t (*qr)(double *a, double *tau, int64_t m, int64_t n, bool single);

    /* x[m, n] becomes H_0 .. H_{k-1} x, or the transpose of that times x; the reflectors are the first k
     * columns of v[m, columns]. */
    int32_t (*reflect)(const double *v, const double *tau, double *x, int64_t m, int64_t columns,
                       int64_t k, int64_t n, bool transpose, bool single);

    /* q[m, columns] becomes the first columns <= m of the product of the `count` reflectors of a[m, n]. */
    int32_t (*q)(const double *a, const double *tau, double *q, int64_t m, int64_t n, int64_t count,
                 int64_t columns, bool single);

    /* a[m, n] = u diag(s) vt, k = min(m, n), singular values descending: u[m, left], s[k], vt[right, n],
     * where left and right are k, or m and n for whole bases, or 0, where s is all that is wanted. */
    int32_t (*svd)(const double *a, double *u, double *s, double *vt, int64_t m, int64_t n,
                   int64_t left, int64_t right, bool single);

    /* a[n, n], symmetric, becomes its eigenvectors, in columns, or without `vectors` anything; values[n]
     * ascending. */
    int32_t (*eigh)(double *a, double *values, int64_t n, bool vectors, bool single);
} tern_host_library;

/*
 * The one exported symbol. `host` outlives the library; `out_library->struct_size` holds the size that the
 * host knows, and no more than that is written. Returns TERN_BACKEND_OK, or UNSUPPORTED with a message if it
 * does not support `host_abi`.
 */
typedef int32_t (*tern_host_library_query_fn)(uint32_t host_abi, const tern_host *host,
                                              tern_host_library *out_library,
                                              tern_backend_error *err);
#define TERN_HOST_LIBRARY_QUERY_SYMBOL "tern_host_library_query"
TERN_BACKEND_EXPORT int32_t tern_host_library_query(uint32_t host_abi, const tern_host *host,
                                                    tern_host_library *out_library,
                                                    tern_backend_error *err);

#ifdef __cplusplus
}
#endif

#endif
