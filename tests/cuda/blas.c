/*
 * libcublasLt.so.13 of the driver that stands in: products on the host, of what a description, layouts and an
 * algorithm say; columns lie side by side. Strict about all of it: an algorithm is for the product that it was chosen
 * for, pointers are aligned as was promised when it was chosen, the workspace is as large as it needs and holds junk
 * behind the call, and the types are those that the library has together.
 *
 * The word tf32 says that products of float32 are to be TF32's; without it none may be.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

#include "api.h"
#include "cuda/blas.h"
#include "numbers.h"

#define X(result, name, symbol, parameters) result symbol parameters;
CUDA_BLAS_FUNCTIONS(X)
#undef X

#define BAD CUBLAS_STATUS_INVALID_VALUE

#define BLAS_CALL(symbol, parameters, with_context, failure, ...)                                  \
    LIBRARY_CALL(cublasStatus_t, CUBLAS_STATUS_EXECUTION_FAILED, symbol, parameters, with_context, \
                 failure, __VA_ARGS__)

struct cublasLtContext {
    object base;
};

struct cublasLtMatmulDesc {
    object base;
    int compute, scale;
    int32_t turned[2]; /* CUBLAS_OP_* of a and b */
    uint32_t epilogue;
    const void *bias;
};

struct cublasLtMatrixLayout {
    object base;
    int type;
    int64_t rows, columns, leading, batch_stride;
    int32_t batch;
};

struct cublasLtMatmulPreference {
    object base;
    uint64_t workspace;
    uint32_t schemes, alignment[4];
};

/* What an algorithm was chosen for, in its eight words. */
typedef struct choice {
    uint64_t product, workspace, bias; /* a hash of the product */
    uint32_t alignment[4];
} choice;
_Static_assert(sizeof(choice) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm has eight words");

/* ---- descriptions ---------------------------------------------------------------------------- */

size_t cublasLtGetVersion(void) {
    return 130100;
}

const char *cublasLtGetStatusName(cublasStatus_t status) {
    return status == BAD ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_EXECUTION_FAILED";
}

BLAS_CALL(cublasLtCreate, (cublasLtHandle_t * handle), true, CUBLAS_STATUS_NOT_INITIALIZED, {
    *handle = standin_new(KIND_BLAS, sizeof **handle);
    return CUBLAS_STATUS_SUCCESS;
})

BLAS_CALL(cublasLtDestroy, (cublasLtHandle_t handle), true, CUBLAS_STATUS_SUCCESS, {
    if (!standin_check(handle, KIND_BLAS, "cublasLtDestroy")) return BAD;
    standin_end(handle);
    return CUBLAS_STATUS_SUCCESS;
})

BLAS_CALL(cublasLtMatmulDescCreate, (cublasLtMatmulDesc_t * desc, int compute, int scale), false,
          CUBLAS_STATUS_ALLOC_FAILED, {
              *desc = standin_new_free(KIND_DESC, sizeof **desc);
              (*desc)->compute = compute;
              (*desc)->scale = scale;
              (*desc)->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
              return CUBLAS_STATUS_SUCCESS;
          })

BLAS_CALL(cublasLtMatmulDescDestroy, (cublasLtMatmulDesc_t desc), false, CUBLAS_STATUS_SUCCESS, {
    if (!standin_check(desc, KIND_DESC, "cublasLtMatmulDescDestroy")) return BAD;
    standin_end(desc);
    return CUBLAS_STATUS_SUCCESS;
})

static cublasStatus_t take(void *to, const void *value, size_t wanted, size_t size,
                           const char *what) {
    if (size != wanted) return standin_report("%s: %zu bytes, not %zu", what, size, wanted), BAD;
    memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

BLAS_CALL(cublasLtMatmulDescSetAttribute,
          (cublasLtMatmulDesc_t desc, int attribute, const void *value, size_t size), false,
          CUBLAS_STATUS_INVALID_VALUE, {
              const char *what = "cublasLtMatmulDescSetAttribute";
              if (!standin_check(desc, KIND_DESC, what)) return BAD;
              switch (attribute) {
              case CUBLASLT_MATMUL_DESC_TRANSA:
              case CUBLASLT_MATMUL_DESC_TRANSB:
                  return take(&desc->turned[attribute - CUBLASLT_MATMUL_DESC_TRANSA], value, 4,
                              size, what);
              case CUBLASLT_MATMUL_DESC_EPILOGUE:
                  return take(&desc->epilogue, value, 4, size, what);
              case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
                  return take(&desc->bias, value, sizeof desc->bias, size, what);
              default: return standin_report("%s: %d", what, attribute), BAD;
              }
          })

static int kind_of(int type) {
    return type == CUDA_R_64F   ? NUMBER_F64
           : type == CUDA_R_32F ? NUMBER_F32
           : type == CUDA_R_16F ? NUMBER_F16
                                : NUMBER_BF16;
}

static int64_t size_of(int type) {
    return standin_number_size(kind_of(type));
}

BLAS_CALL(cublasLtMatrixLayoutCreate,
          (cublasLtMatrixLayout_t * layout, int type, uint64_t rows, uint64_t columns,
           int64_t leading),
          false, CUBLAS_STATUS_ALLOC_FAILED, {
              if (type != CUDA_R_32F && type != CUDA_R_64F && type != CUDA_R_16F &&
                  type != CUDA_R_16BF)
                  return standin_report("a layout: type %d", type), BAD;
              if (!rows || !columns || leading < (int64_t)rows)
                  return standin_report("a layout: %llu by %llu, columns %lld apart",
                                        (unsigned long long)rows, (unsigned long long)columns,
                                        (long long)leading),
                         BAD;
              *layout = standin_new_free(KIND_LAYOUT, sizeof **layout);
              (*layout)->type = type;
              (*layout)->rows = (int64_t)rows;
              (*layout)->columns = (int64_t)columns;
              (*layout)->leading = leading;
              (*layout)->batch = 1;
              return CUBLAS_STATUS_SUCCESS;
          })

BLAS_CALL(cublasLtMatrixLayoutDestroy, (cublasLtMatrixLayout_t layout), false,
          CUBLAS_STATUS_SUCCESS, {
              if (!standin_check(layout, KIND_LAYOUT, "cublasLtMatrixLayoutDestroy")) return BAD;
              standin_end(layout);
              return CUBLAS_STATUS_SUCCESS;
          })

BLAS_CALL(cublasLtMatrixLayoutSetAttribute,
          (cublasLtMatrixLayout_t layout, int attribute, const void *value, size_t size), false,
          CUBLAS_STATUS_INVALID_VALUE, {
              const char *what = "cublasLtMatrixLayoutSetAttribute";
              if (!standin_check(layout, KIND_LAYOUT, what)) return BAD;
              if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
                  return take(&layout->batch, value, 4, size, what);
              if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)
                  return take(&layout->batch_stride, value, 8, size, what);
              return standin_report("%s: %d", what, attribute), BAD;
          })

BLAS_CALL(cublasLtMatmulPreferenceCreate, (cublasLtMatmulPreference_t * preference), false,
          CUBLAS_STATUS_ALLOC_FAILED, {
              *preference = standin_new_free(KIND_PREFERENCE, sizeof **preference);
              (*preference)->schemes = 7;
              for (int i = 0; i < 4; i++) (*preference)->alignment[i] = 256;
              return CUBLAS_STATUS_SUCCESS;
          })

BLAS_CALL(cublasLtMatmulPreferenceDestroy, (cublasLtMatmulPreference_t preference), false,
          CUBLAS_STATUS_SUCCESS, {
              if (!standin_check(preference, KIND_PREFERENCE, "cublasLtMatmulPreferenceDestroy"))
                  return BAD;
              standin_end(preference);
              return CUBLAS_STATUS_SUCCESS;
          })

BLAS_CALL(cublasLtMatmulPreferenceSetAttribute,
          (cublasLtMatmulPreference_t preference, int attribute, const void *value, size_t size),
          false, CUBLAS_STATUS_INVALID_VALUE, {
              const char *what = "cublasLtMatmulPreferenceSetAttribute";
              if (!standin_check(preference, KIND_PREFERENCE, what)) return BAD;
              int place = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
              if (place >= 0 && place < 4)
                  return take(&preference->alignment[place], value, 4, size, what);
              if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
                  return take(&preference->workspace, value, 8, size, what);
              if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
                  return take(&preference->schemes, value, 4, size, what);
              return standin_report("%s: %d", what, attribute), BAD;
          })

/* ---- a product ------------------------------------------------------------------------------- */

enum { A, B, C, D, MATRICES };

typedef struct product {
    struct cublasLtMatmulDesc desc;
    struct cublasLtMatrixLayout of[MATRICES];
    double alpha, beta;
    const char *from[MATRICES];                              /* the host's addresses */
    uint64_t at[MATRICES], workspace, workspace_bytes, bias; /* the device's */
    cublasLtHandle_t handle;
} product;

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const product *p) {
    uint64_t hash = mix((uint64_t)p->desc.compute, p->desc.epilogue);
    hash = mix(hash, (uint64_t)(2 * p->desc.turned[0] + p->desc.turned[1]));
    for (int i = 0; i < MATRICES; i++) {
        const struct cublasLtMatrixLayout *l = &p->of[i];
        const int64_t words[] = {l->type,    l->rows,  l->columns,
                                 l->leading, l->batch, l->batch_stride};
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            hash = mix(hash, (uint64_t)words[k]);
    }
    return hash;
}

static const char *types_wrong(const product *p) {
    int type = p->of[A].type, to = p->of[D].type;
    bool wide = type == CUDA_R_64F, single = type == CUDA_R_32F;
    int wanted = wide                            ? CUBLAS_COMPUTE_64F
                 : single && standin_has("tf32") ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                 : CUBLAS_COMPUTE_32F;
    if (p->of[B].type != type || p->of[C].type != to) return "types that do not go together";
    if (to != type && (wide || single || to != CUDA_R_32F)) return "types that do not go together";
    if (p->desc.scale != (wide ? CUDA_R_64F : CUDA_R_32F)) return "alpha of another type";
    if (p->desc.compute != wanted)
        return single ? "TF32 that was not asked for, or none" : "another type to compute in";
    return NULL;
}

/* The depth of the sum; the sizes have to agree. */
static const char *sizes_wrong(const product *p, int64_t *out_depth) {
    const struct cublasLtMatrixLayout *a = &p->of[A], *b = &p->of[B], *d = &p->of[D],
                                      *c = &p->of[C];
    int64_t m = p->desc.turned[0] ? a->columns : a->rows;
    int64_t k = p->desc.turned[0] ? a->rows : a->columns;
    int64_t depth = p->desc.turned[1] ? b->columns : b->rows;
    int64_t n = p->desc.turned[1] ? b->rows : b->columns;
    *out_depth = k;
    if (m != d->rows || n != d->columns || k != depth) return "sizes that do not go together";
    if (c->rows != d->rows || c->columns != d->columns) return "c of another size";
    for (int i = 0; i < D; i++)
        if (p->of[i].batch != d->batch) return "batches of different length";
    if (d->batch > 1 && d->batch_stride == 0) return "results of a batch in one place";
    return NULL;
}

static bool read_product(product *p, cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                         const cublasLtMatrixLayout_t *layouts, const char *what) {
    int64_t depth;
    if (!standin_check(handle, KIND_BLAS, what) || !standin_check(desc, KIND_DESC, what))
        return false;
    memset(p, 0, sizeof *p);
    p->handle = handle;
    p->desc = *desc;
    for (int i = 0; i < MATRICES; i++) {
        if (!standin_check(layouts[i], KIND_LAYOUT, what)) return false;
        p->of[i] = *layouts[i];
    }
    const char *wrong = types_wrong(p);
    if (!wrong) wrong = sizes_wrong(p, &depth);
    if (wrong) standin_report("%s: %s", what, wrong);
    return !wrong;
}

BLAS_CALL(cublasLtMatmulAlgoGetHeuristic,
          (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
           cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
           cublasLtMatmulPreference_t preference, int wanted,
           cublasLtMatmulHeuristicResult_t *results, int *count),
          true, CUBLAS_STATUS_NOT_SUPPORTED, {
              const char *what = "cublasLtMatmulAlgoGetHeuristic";
              const cublasLtMatrixLayout_t layouts[MATRICES] = {a, b, c, d};
              product p;
              if (!standin_check(preference, KIND_PREFERENCE, what)) return BAD;
              if (wanted < 1 || !read_product(&p, handle, desc, layouts, what)) return BAD;
              if (preference->schemes & ~(uint32_t)CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
                  return standin_report("%s: sums that differ from run to run, or are rounded",
                                        what),
                         BAD;
              choice own = {.product = hash_of(&p), .bias = desc->epilogue};
              own.workspace = 512 + (uint64_t)(4 * p.of[D].rows);
              if (own.workspace > preference->workspace) own.workspace = 0;
              memcpy(own.alignment, preference->alignment, sizeof own.alignment);
              memset(results, 0, sizeof *results);
              memcpy(&results->algo, &own, sizeof own);
              results->workspaceSize = own.workspace;
              *count = 1;
              return CUBLAS_STATUS_SUCCESS;
          })

/* ---- doing it -------------------------------------------------------------------------------- */

/* A matrix as numbers, [rows of op, columns of op] by `by_rows`. */
static double *numbers_of(const product *p, int which, int64_t z, bool by_rows) {
    const struct cublasLtMatrixLayout *l = &p->of[which];
    double *out = malloc((size_t)(l->rows * l->columns) * sizeof *out);
    bool turned = p->desc.turned[which] != 0;
    int64_t rows = turned ? l->columns : l->rows, columns = turned ? l->rows : l->columns;
    if (!out) abort();
    for (int64_t j = 0; j < l->columns; j++)
        for (int64_t i = 0; i < l->rows; i++) {
            double value = standin_load(p->from[which], z * l->batch_stride + j * l->leading + i,
                                        kind_of(l->type));
            if (p->desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32)
                value = standin_cut((float)value, 13);
            int64_t row = turned ? j : i, column = turned ? i : j;
            out[by_rows ? row * columns + column : column * rows + row] = value;
        }
    return out;
}

static double sum_of(const double *a, const double *b, int64_t depth, bool wide) {
    double sum = 0;
    float single = 0;
    for (int64_t k = 0; k < depth; k++) {
        if (wide)
            sum = fma(a[k], b[k], sum);
        else
            single = fmaf((float)a[k], (float)b[k], single);
    }
    return wide ? sum : single;
}

static void multiply(const product *p, int64_t z, const char *bias) {
    const struct cublasLtMatrixLayout *c = &p->of[C], *d = &p->of[D];
    double *a = numbers_of(p, A, z, true), *b = numbers_of(p, B, z, false);
    int64_t depth = p->desc.turned[0] ? p->of[A].rows : p->of[A].columns;
    bool wide = d->type == CUDA_R_64F;
    for (int64_t j = 0; j < d->columns; j++)
        for (int64_t i = 0; i < d->rows; i++) {
            double value = 0; /* of an alpha that is 0 whatever is in a and b */
            if (p->alpha != 0) value = p->alpha * sum_of(a + i * depth, b + j * depth, depth, wide);
            if (p->beta != 0)
                value +=
                    p->beta * standin_load(p->from[C], z * c->batch_stride + j * c->leading + i,
                                           kind_of(c->type));
            if (bias) value += standin_load(bias, i, kind_of(d->type));
            standin_store((char *)(uintptr_t)p->from[D], z * d->batch_stride + j * d->leading + i,
                          kind_of(d->type), value);
        }
    free(a);
    free(b);
}

static int64_t bytes_of(const struct cublasLtMatrixLayout *l) {
    int64_t last = (l->batch - 1) * l->batch_stride + (l->columns - 1) * l->leading + l->rows;
    return last * size_of(l->type);
}

/* Memory may have been freed since the call. */
static void run(void *argument) {
    product *p = argument;
    allocation *used[MATRICES], *junk = NULL;
    const char *bias = NULL;
    for (int i = 0; i < MATRICES; i++) {
        used[i] = standin_find(p->at[i], (uint64_t)bytes_of(&p->of[i]), "a product");
        if (!used[i]) return;
        p->from[i] = standin_memory(used[i], p->at[i]);
    }
    if (p->bias) {
        allocation *own = standin_find(p->bias, 1, "a product's bias");
        if (!own) return;
        bias = standin_memory(own, p->bias);
    }
    if (p->workspace_bytes) {
        junk = standin_find(p->workspace, p->workspace_bytes, "a product's workspace");
        if (!junk) return;
        memset(standin_memory(junk, p->workspace), 0xa7, p->workspace_bytes);
    }
    for (int64_t z = 0; z < p->of[D].batch; z++) multiply(p, z, bias);
    standin_count_product();
    standin_check_bounds(used[D], "a product");
}

/* ---- the call -------------------------------------------------------------------------------- */

static const char *algorithm_wrong(const product *p, const choice *own, size_t workspace_bytes) {
    if (own->product != hash_of(p)) return "an algorithm for another product";
    for (int i = 0; i < MATRICES; i++)
        if (p->at[i] % own->alignment[i]) return "a matrix that is not aligned as was promised";
    if (workspace_bytes < own->workspace) return "a workspace that is too small";
    if (p->workspace % 256 && own->workspace) return "a workspace that is not aligned";
    if (p->desc.epilogue == CUBLASLT_EPILOGUE_BIAS && (!p->bias || p->bias % 16))
        return "a bias that is not aligned";
    return NULL;
}

/* Where a result lies that is read too. */
static const char *overlap_wrong(const product *p) {
    uint64_t d = p->at[D], end = d + (uint64_t)bytes_of(&p->of[D]);
    for (int i = 0; i < D; i++) {
        bool same = i == C && p->at[C] == d && p->of[C].leading == p->of[D].leading &&
                    p->of[C].batch_stride == p->of[D].batch_stride;
        if (same || (i == C && p->beta == 0)) continue;
        if (p->at[i] < end && d < p->at[i] + (uint64_t)bytes_of(&p->of[i]))
            return "a result where something is read";
    }
    return NULL;
}

static int64_t addresses(const product *p, standin_bytes *out) {
    int64_t count = 0;
    for (int i = 0; i < MATRICES; i++)
        out[count++] = (standin_bytes){p->at[i], (uint64_t)bytes_of(&p->of[i])};
    if (p->bias)
        out[count++] = (standin_bytes){p->bias, (uint64_t)(p->of[D].rows * size_of(p->of[D].type))};
    if (p->workspace_bytes) out[count++] = (standin_bytes){p->workspace, p->workspace_bytes};
    return count;
}

BLAS_CALL(
    cublasLtMatmul,
    (cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
     cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
     const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *workspace,
     size_t workspace_bytes, CUstream stream),
    true, CUBLAS_STATUS_EXECUTION_FAILED, {
        const char *what = "cublasLtMatmul";
        const cublasLtMatrixLayout_t layouts[MATRICES] = {a_layout, b_layout, c_layout, d_layout};
        const void *pointers[MATRICES] = {a, b, c, d};
        standin_bytes used[MATRICES + 2];
        choice own;
        product p;
        if (!standin_check(stream, KIND_STREAM, what) ||
            !read_product(&p, handle, desc, layouts, what))
            return BAD;
        bool wide = desc->scale == CUDA_R_64F;
        p.alpha = wide ? *(const double *)alpha : *(const float *)alpha;
        p.beta = wide ? *(const double *)beta : *(const float *)beta;
        for (int i = 0; i < MATRICES; i++) p.at[i] = (uint64_t)(uintptr_t)pointers[i];
        p.workspace = (uint64_t)(uintptr_t)workspace;
        p.bias = desc->epilogue == CUBLASLT_EPILOGUE_BIAS ? (uint64_t)(uintptr_t)desc->bias : 0;
        memcpy(&own, algo, sizeof own);
        p.workspace_bytes = own.workspace;
        const char *wrong = algorithm_wrong(&p, &own, workspace_bytes);
        if (!wrong) wrong = overlap_wrong(&p);
        if (wrong) return standin_report("%s: %s", what, wrong), BAD;
        product *kept = malloc(sizeof *kept);
        if (!kept) abort();
        *kept = p;
        CUresult code = standin_put_call(stream, what, run, kept, used, addresses(&p, used));
        return code == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
    })
