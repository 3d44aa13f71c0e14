/* init_matrix.c: initialisers whose elements are computed on the host: eye_, dirac_, orthogonal_,
 * sparse_. */
#include <math.h>
#include <string.h>

#include "module.h"

static tern_tensor *refuse(tern_tensor *tensor, const char *message) {
    tern_ctx *ctx = tern_context_of(tensor);
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%s", message);
    return tern_nil(ctx);
}

/* Zeroed doubles for `count` elements; NULL after latching. */
static double *host_elements(tern_tensor *tensor, int64_t count) {
    double *elements = tern_alloc_zeroed((size_t)count, sizeof *elements);
    if (!elements) tern_nn_no_memory(tern_context_of(tensor), "nn.init");
    return elements;
}

/* Overwrites the tensor with row-major doubles and frees them. */
static tern_tensor *write_elements(tern_tensor *tensor, double *elements) {
    tern_ctx *ctx = tern_context_of(tensor);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_copy_in_place(tensor, tern_from_data_on(ctx, elements, tern_shape_of(tensor), TERN_FLOAT64,
                                                 tern_device_of(tensor)));
    tern_scope_end(scope);
    tern_free(elements);
    return tern_latched(ctx) ? tern_nil(ctx) : tensor;
}

tern_tensor *tern_init_eye(tern_tensor *tensor) {
    if (tern_is_nil(tensor)) return tensor;
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank != 2) return refuse(tensor, "Only tensors with 2 dimensions are supported");
    double *elements = host_elements(tensor, tern_numel(tensor));
    if (!elements) return tern_nil(tern_context_of(tensor));
    for (int64_t i = 0; i < shape.dim[0] && i < shape.dim[1]; i++)
        elements[i * shape.dim[1] + i] = 1.0;
    return write_elements(tensor, elements);
}

tern_tensor *tern_init_dirac(tern_tensor *tensor, int64_t groups) {
    if (tern_is_nil(tensor)) return tensor;
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank < 3 || shape.rank > 5)
        return refuse(tensor, "Only tensors with 3, 4, or 5 dimensions are supported");
    if (groups < 1 || shape.dim[0] % groups != 0)
        return refuse(tensor, "dim 0 must be divisible by groups");
    if (tern_numel(tensor) == 0) return tensor;
    double *elements = host_elements(tensor, tern_numel(tensor));
    if (!elements) return tern_nil(tern_context_of(tensor));
    /* The middle of the kernel, row-major. */
    int64_t middle = 0, field = 1;
    for (int i = 2; i < shape.rank; i++) {
        middle = middle * shape.dim[i] + shape.dim[i] / 2;
        field *= shape.dim[i];
    }
    int64_t per_group = shape.dim[0] / groups;
    for (int64_t out = 0; out < shape.dim[0]; out++) {
        int64_t in = out % per_group;
        if (in < shape.dim[1]) elements[(out * shape.dim[1] + in) * field + middle] = 1.0;
    }
    return write_elements(tensor, elements);
}

/* ---- orthogonal_ ----------------------------------------------------------------------------- */

/* Applies the reflection I - beta v v^T, v = column k of `v` from row k on, to column j of m. */
static void reflect(double *m, const double *v, double beta, int64_t rows, int64_t cols, int64_t k,
                    int64_t j) {
    double dot = 0;
    for (int64_t i = k; i < rows; i++) dot += v[i * cols + k] * m[i * cols + j];
    for (int64_t i = k; i < rows; i++) m[i * cols + j] -= beta * dot * v[i * cols + k];
}

/*
 * Householder QR (Golub and Van Loan, 5.2) of a [rows, cols], rows >= cols: overwrites it with Q of
 * the same shape, its columns scaled by the signs of R's diagonal, which makes Q unique. `work` has
 * the same size, `beta` and `sign` cols elements.
 */
static void orthonormalise(double *a, double *work, double *beta, double *sign, int64_t rows,
                           int64_t cols) {
    for (int64_t k = 0; k < cols; k++) {
        double norm = 0;
        for (int64_t i = k; i < rows; i++) norm += a[i * cols + k] * a[i * cols + k];
        norm = sqrt(norm);
        double pivot = a[k * cols + k], alpha = pivot > 0 ? -norm : norm;
        for (int64_t i = k; i < rows; i++) work[i * cols + k] = a[i * cols + k];
        work[k * cols + k] -= alpha;
        double square = 2 * (norm * norm - alpha * pivot);
        beta[k] = square > 0 ? 2 / square : 0;
        sign[k] = alpha > 0 ? 1 : alpha < 0 ? -1 : 0;
        for (int64_t j = k; j < cols; j++) reflect(a, work, beta[k], rows, cols, k, j);
    }
    /* Q = H_0 H_1 ... of the identity's first columns, built from the last reflection on. */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) a[i * cols + j] = i == j ? 1 : 0;
    for (int64_t k = cols; k-- > 0;)
        for (int64_t j = k; j < cols; j++) reflect(a, work, beta[k], rows, cols, k, j);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) a[i * cols + j] *= sign[j];
}

/* [rows, cols] to [cols, rows] */
static void transpose(const double *from, double *to, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) to[j * rows + i] = from[i * cols + j];
}

tern_tensor *tern_init_orthogonal(tern_tensor *tensor, double gain, tern_generator *generator) {
    if (tern_is_nil(tensor)) return tensor;
    tern_ctx *ctx = tern_context_of(tensor);
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank < 2)
        return refuse(tensor, "Only tensors with 2 or more dimensions are supported");
    int64_t numel = tern_numel(tensor);
    if (numel == 0) return tensor;
    int64_t rows = shape.dim[0], cols = numel / rows, tall = rows < cols ? cols : rows;
    int64_t wide = rows < cols ? rows : cols;
    double *drawn = host_elements(tensor, numel), *q = host_elements(tensor, numel);
    double *work = host_elements(tensor, numel), *scale = host_elements(tensor, 2 * wide);
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    if (!tern_latched(ctx)) {
        tern_tensor *normal = tern_normal_in_place(tern_empty_like(tensor), 0.0, 1.0, generator);
        tern_to_doubles(normal, drawn, (size_t)numel);
    }
    tern_scope_end(scope);
    if (!tern_latched(ctx)) {
        if (rows < cols)
            transpose(drawn, q, rows, cols);
        else
            memcpy(q, drawn, (size_t)numel * sizeof *q);
        orthonormalise(q, work, scale, scale + wide, tall, wide);
        if (rows < cols)
            transpose(q, drawn, tall, wide);
        else
            memcpy(drawn, q, (size_t)numel * sizeof *q);
        for (int64_t i = 0; i < numel; i++) drawn[i] *= gain;
    }
    tern_free(q);
    tern_free(work);
    tern_free(scale);
    if (!tern_latched(ctx)) return write_elements(tensor, drawn);
    tern_free(drawn);
    return tern_nil(ctx);
}

/* ---- sparse_ --------------------------------------------------------------------------------- */

/* Zeroes the elements that each column's permutation names first. */
static void zero_columns(tern_tensor *tensor, double *elements, int64_t *order, int64_t rows,
                         int64_t cols, int64_t zeros) {
    tern_ctx *ctx = tern_context_of(tensor);
    for (int64_t j = 0; j < cols && !tern_latched(ctx); j++) {
        tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
        tern_to_host(tern_randperm(ctx, rows, NULL), order, (size_t)rows * sizeof *order);
        tern_scope_end(scope);
        for (int64_t i = 0; i < zeros && !tern_latched(ctx); i++)
            elements[order[i] * cols + j] = 0.0;
    }
}

tern_tensor *tern_init_sparse(tern_tensor *tensor, double sparsity, double std,
                              tern_generator *generator) {
    if (tern_is_nil(tensor)) return tensor;
    tern_ctx *ctx = tern_context_of(tensor);
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank != 2) return refuse(tensor, "Only tensors with 2 dimensions are supported");
    if (!(sparsity >= 0 && sparsity <= 1))
        return refuse(tensor, "sparse_: sparsity must be between 0 and 1");
    int64_t rows = shape.dim[0], cols = shape.dim[1], numel = tern_numel(tensor);
    if (numel == 0 || tern_is_nil(tern_init_normal(tensor, 0.0, std, generator)))
        return tern_latched(ctx) ? tern_nil(ctx) : tensor;
    double *elements = host_elements(tensor, numel);
    int64_t *order = tern_alloc_zeroed((size_t)rows, sizeof *order);
    if (!order) tern_nn_no_memory(ctx, "nn.init");
    if (!tern_latched(ctx)) {
        tern_to_doubles(tensor, elements, (size_t)numel);
        zero_columns(tensor, elements, order, rows, cols, (int64_t)ceil(sparsity * (double)rows));
    }
    tern_free(order);
    if (!tern_latched(ctx)) return write_elements(tensor, elements);
    tern_free(elements);
    return tern_nil(ctx);
}
