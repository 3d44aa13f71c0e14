/*
 * Products of matrices by cuBLASLt, where it is installed; cuda_plan.c decides which.
 *
 * The library is asked for matrices that it can see as columns that lie side by side, of float32, float64, float16 or
 * bfloat16. Where out's rows lie so, as they mostly do, the transposed product is what it is asked for. Parts of a sum
 * that is split are added in a step of their own, never by atomics.
 */
#include <pthread.h>
#include <string.h>

#include "../gpu/call.h"
#include "cuda.h"

#define ALIGNMENT  16 /* bytes, of every matrix; where one lies otherwise, own kernels serve */
#define MOST_CALLS 16 /* of one product, whose leading dimensions have no common stride */

/* ---- a product as the library is asked for it ------------------------------------------------ */

/* A matrix of columns; `is_turned`: as stored, rows and columns are exchanged. */
typedef struct matrix {
    int64_t rows, columns, leading, batch;
    bool is_turned;
} matrix;

enum { LEFT, RIGHT, C, OUT, MATRICES };

typedef struct product {
    int32_t dtype, out_dtype; /* TERN_BT_* */
    bool is_swapped;          /* the transposed product: left is b */
    bool has_c, has_bias;
    int64_t batch;
    matrix of[MATRICES]; /* bias: c is not used */
    int32_t loops;       /* dimensions outside of the batch; in elements */
    int64_t calls, shape[GPU_RANK], step[MATRICES][GPU_RANK];
} product;

/* One side of a product before it is a matrix. */
typedef struct side {
    int64_t rows, columns, row, column;
} side;

static side turned(side s) {
    return (side){s.columns, s.rows, s.column, s.row};
}

static side side_of(const tern_operand *operand, int64_t rows, int64_t columns) {
    return (side){rows, columns, operand->strides[operand->rank - 2],
                  operand->strides[operand->rank - 1]};
}

/* Strides of dimensions that are one say nothing. */
static bool columns_of(side s, matrix *out) {
    bool in_columns = s.row == 1 || s.rows == 1;
    int64_t leading = s.columns == 1 ? s.rows : s.column;
    if (!in_columns || leading < s.rows) return false;
    *out = (matrix){.rows = s.rows, .columns = s.columns, .leading = leading};
    return true;
}

static bool matrix_of(side s, matrix *out) {
    if (columns_of(s, out)) return true;
    if (!columns_of(turned(s), out)) return false;
    out->is_turned = true;
    return true;
}

static bool is_served(int32_t dtype) {
    return dtype == TERN_BT_FLOAT32 || dtype == TERN_BT_FLOAT64 || dtype == TERN_BT_FLOAT16 ||
           dtype == TERN_BT_BFLOAT16;
}

/* What is in 16 bits may come out as float32. */
static bool types_fit(product *p, const tern_operand *in, const tern_operand *c,
                      const tern_operand *out) {
    p->dtype = in[0].dtype;
    p->out_dtype = out->dtype;
    bool widens = out->dtype == TERN_BT_FLOAT32 && p->dtype != TERN_BT_FLOAT64;
    return is_served(p->dtype) && in[1].dtype == p->dtype && (out->dtype == p->dtype || widens) &&
           (!c || c->dtype == out->dtype);
}

/* The leading dimensions as loops; those that every matrix goes through as through one are one. */
static void put_loops(product *p, const tern_operand *const all[MATRICES]) {
    p->calls = p->batch = 1;
    for (int32_t d = 0; d < all[OUT]->rank - 2; d++) {
        int64_t size = all[OUT]->shape[d];
        int32_t last = p->loops - 1;
        bool merges = last >= 0;
        if (size == 1) continue;
        for (int k = 0; k < MATRICES && merges; k++)
            merges = p->step[k][last] == all[k]->strides[d] * size;
        int32_t at = merges ? last : p->loops++;
        p->shape[at] = merges ? p->shape[at] * size : size;
        for (int k = 0; k < MATRICES; k++) p->step[k][at] = all[k]->strides[d];
        p->calls *= size;
    }
}

/* The longest loop is the library's batch; each position of the others is a call. */
static bool take_batch(product *p) {
    int32_t longest = 0, last = p->loops - 1;
    if (last < 0) return true;
    for (int32_t d = 1; d <= last; d++)
        if (p->shape[d] > p->shape[longest]) longest = d;
    p->batch = p->shape[longest];
    p->calls /= p->batch;
    p->shape[longest] = p->shape[last];
    for (int k = 0; k < MATRICES; k++) {
        p->of[k].batch = p->step[k][longest];
        p->step[k][longest] = p->step[k][last];
    }
    p->loops--;
    return p->calls <= MOST_CALLS && p->batch <= INT32_MAX;
}

/* A batch whose left side is one matrix, and whose positions follow each other as columns do, is one product. */
static void fold(product *p) {
    matrix *right = &p->of[RIGHT], *c = &p->of[C], *out = &p->of[OUT];
    if (p->batch == 1 || p->of[LEFT].batch != 0 || right->is_turned ||
        right->batch != right->columns * right->leading ||
        out->batch != out->columns * out->leading ||
        (p->has_c && c->batch != c->columns * c->leading))
        return;
    right->columns *= p->batch;
    c->columns = out->columns = right->columns;
    p->batch = 1;
}

/* c as a matrix, or as what is added to each column. */
static bool put_c(product *p, side s, double beta) {
    int64_t batch = p->of[C].batch;
    bool is_bias =
        (s.column == 0 || s.columns == 1) && (s.row == 1 || s.rows == 1) && !batch && beta == 1;
    for (int32_t d = 0; d < p->loops; d++) is_bias = is_bias && p->step[C][d] == 0;
    p->has_bias = is_bias;
    p->has_c = !is_bias;
    if (is_bias) p->of[C] = p->of[OUT];
    if (is_bias) return true;
    bool fits = columns_of(s, &p->of[C]);
    p->of[C].batch = batch;
    return fits;
}

static bool put_matrices(product *p, const tern_operand *in, const tern_operand *c,
                         const tern_operand *out, double beta) {
    int64_t m = out->shape[out->rank - 2], n = out->shape[out->rank - 1];
    int64_t k = in[0].shape[in[0].rank - 1];
    side a = side_of(&in[0], m, k), b = side_of(&in[1], k, n), o = side_of(out, m, n);
    side added = c ? side_of(c, m, n) : o;
    matrix made[MATRICES] = {{0}};
    p->is_swapped = columns_of(turned(o), &made[OUT]);
    if (!p->is_swapped && !columns_of(o, &made[OUT])) return false;
    if (!matrix_of(p->is_swapped ? turned(b) : a, &made[LEFT]) ||
        !matrix_of(p->is_swapped ? turned(a) : b, &made[RIGHT]))
        return false;
    const tern_operand *all[MATRICES] = {p->is_swapped ? &in[1] : &in[0],
                                         p->is_swapped ? &in[0] : &in[1], c ? c : out, out};
    put_loops(p, all);
    if (!take_batch(p)) return false;
    for (int i = 0; i < MATRICES; i++) made[i].batch = p->of[i].batch;
    made[C] = c ? made[C] : made[OUT];
    memcpy(p->of, made, sizeof made);
    return !c || put_c(p, p->is_swapped ? turned(added) : added, beta);
}

/* Whether one call has only what the preference of an algorithm promises. */
static bool steps_fit(const product *p) {
    for (int i = 0; i < MATRICES; i++) {
        int64_t size = tern_kit_size(i >= C ? p->out_dtype : p->dtype);
        if (p->of[i].batch * size % ALIGNMENT && p->batch > 1) return false;
        for (int32_t d = 0; d < p->loops; d++)
            if (p->step[i][d] * size % ALIGNMENT) return false;
    }
    return true;
}

/* Whether a launch of MATMUL, of two or three inputs, is one that the library can be asked for. With an alpha of 0 it
 * does not look at a and b, whose NaN would be lost. */
static bool describe(const tern_operand *in, int32_t n_operands, const tern_operand *out,
                     const tern_matmul_attrs *attrs, product *p) {
    const tern_operand *c = n_operands > 2 && attrs->beta != 0 ? &in[2] : NULL;
    memset(p, 0, sizeof *p);
    if (attrs->alpha == 0 || !types_fit(p, in, c, out) || !put_matrices(p, in, c, out, attrs->beta))
        return false;
    fold(p);
    return steps_fit(p);
}

bool cuda_product_fits(const tern_operand *in, int32_t n_operands, const tern_operand *out,
                       const tern_matmul_attrs *attrs) {
    product p;
    return describe(in, n_operands, out, attrs, &p);
}

/* ---- plans ----------------------------------------------------------------------------------- */

struct cuda_product {
    tern_matmul_attrs attrs;
    product product;
    pthread_mutex_t lock; /* of the description, which a bias is a part of */
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t layouts[MATRICES];
    cublasLtMatmulAlgo_t algo;
    size_t workspace;
};

static int type_of(int32_t dtype) {
    switch (dtype) {
    case TERN_BT_FLOAT64: return CUDA_R_64F;
    case TERN_BT_FLOAT16: return CUDA_R_16F;
    case TERN_BT_BFLOAT16: return CUDA_R_16BF;
    default: return CUDA_R_32F;
    }
}

#define SET(set, object, attribute, value) set(object, attribute, &(value), sizeof(value))
/* The first call that fails ends it. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        cublasStatus_t tried = (call);                                                             \
        if (tried != CUBLAS_STATUS_SUCCESS) return tried;                                          \
    } while (0)

static cublasStatus_t make_desc(const cuda_device *self, cuda_product *own) {
    const product *p = &own->product;
    bool wide = p->dtype == TERN_BT_FLOAT64;
    int compute = wide                                        ? CUBLAS_COMPUTE_64F
                  : self->tf32 && p->dtype == TERN_BT_FLOAT32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                              : CUBLAS_COMPUTE_32F;
    int32_t a = p->of[LEFT].is_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    int32_t b = p->of[RIGHT].is_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    TRY(cuda_blas.desc_create(&own->desc, compute, wide ? CUDA_R_64F : CUDA_R_32F));
    TRY(SET(cuda_blas.desc_set, own->desc, CUBLASLT_MATMUL_DESC_TRANSA, a));
    TRY(SET(cuda_blas.desc_set, own->desc, CUBLASLT_MATMUL_DESC_TRANSB, b));
    if (!p->has_bias) return CUBLAS_STATUS_SUCCESS;
    uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    const void *aligned =
        (const void *)(uintptr_t)ALIGNMENT; /* the choice looks at no more of it */
    TRY(SET(cuda_blas.desc_set, own->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue));
    return SET(cuda_blas.desc_set, own->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, aligned);
}

static cublasStatus_t make_layout(const product *p, int which, cublasLtMatrixLayout_t *out) {
    const matrix *of = &p->of[which];
    int32_t count = (int32_t)p->batch;
    TRY(cuda_blas.layout_create(out, type_of(which >= C ? p->out_dtype : p->dtype),
                                (uint64_t)of->rows, (uint64_t)of->columns, of->leading));
    if (p->batch == 1) return CUBLAS_STATUS_SUCCESS;
    TRY(SET(cuda_blas.layout_set, *out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count));
    return SET(cuda_blas.layout_set, *out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, of->batch);
}

static cublasStatus_t make_preference(const cuda_device *self, cublasLtMatmulPreference_t made) {
    uint64_t workspace = self->capability >= 90 ? (uint64_t)32 << 20 : (uint64_t)8 << 20;
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, alignment = ALIGNMENT;
    TRY(SET(cuda_blas.preference_set, made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace));
    TRY(SET(cuda_blas.preference_set, made, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes));
    for (int which = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
         which <= CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES; which++)
        TRY(SET(cuda_blas.preference_set, made, which, alignment));
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t choose(const cuda_device *self, cuda_product *own) {
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t found = {.state = CUBLAS_STATUS_NOT_SUPPORTED};
    cublasLtMatrixLayout_t *of = own->layouts;
    int count = 0;
    TRY(cuda_blas.preference_create(&preference));
    cublasStatus_t status = make_preference(self, preference);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cuda_blas.heuristic(self->blas, own->desc, of[LEFT], of[RIGHT], of[C], of[OUT],
                                     preference, 1, &found, &count);
    cuda_blas.preference_destroy(preference);
    if (status == CUBLAS_STATUS_SUCCESS) status = count ? found.state : CUBLAS_STATUS_NOT_SUPPORTED;
    own->algo = found.algo;
    own->workspace = found.workspaceSize;
    return status;
}

void cuda_product_free(cuda_product *own) {
    for (int i = 0; i < MATRICES; i++)
        if (own->layouts[i]) cuda_blas.layout_destroy(own->layouts[i]);
    if (own->desc) cuda_blas.desc_destroy(own->desc);
    pthread_mutex_destroy(&own->lock);
    cuda_host->free(own);
}

static bool make(cuda_device *self, cuda_product *own) {
    tern_backend_error err;
    if (!cuda_enter(self, &err)) return false;
    cublasStatus_t status = make_desc(self, own);
    for (int i = 0; i < MATRICES && status == CUBLAS_STATUS_SUCCESS; i++)
        status = make_layout(&own->product, i, &own->layouts[i]);
    if (status == CUBLAS_STATUS_SUCCESS) status = choose(self, own);
    cuda_leave();
    return status == CUBLAS_STATUS_SUCCESS;
}

cuda_product *cuda_product_new(cuda_device *self, const tern_plan_query *query,
                               uint64_t *out_workspace) {
    cuda_product *own = cuda_host->alloc(sizeof *own);
    if (!own) return NULL;
    memset(own, 0, sizeof *own);
    if (pthread_mutex_init(&own->lock, NULL) != 0) {
        cuda_host->free(own);
        return NULL;
    }
    memcpy(&own->attrs, query->attrs, sizeof own->attrs);
    bool is_made =
        describe(query->inputs, query->n_inputs, query->outputs, &own->attrs, &own->product) &&
        make(self, own);
    *out_workspace = is_made ? own->workspace : 0;
    if (is_made) return own;
    cuda_product_free(own);
    return NULL;
}

/* ---- launching ------------------------------------------------------------------------------- */

/* Where matrices lie; a bias in place of c. */
typedef struct places {
    CUdeviceptr at[MATRICES];
    CUdeviceptr workspace;
} places;

static places places_of(const product *p, const tern_operand *in, const tern_operand *out) {
    bool added = p->has_c || p->has_bias;
    return (places){.at = {[LEFT] = cuda_address(&in[p->is_swapped]),
                           [RIGHT] = cuda_address(&in[!p->is_swapped]),
                           [C] = cuda_address(added ? &in[2] : out),
                           [OUT] = cuda_address(out)}};
}

static bool is_aligned(const places *where) {
    CUdeviceptr all = 0;
    for (int i = 0; i < MATRICES; i++) all |= where->at[i];
    return all % ALIGNMENT == 0;
}

/* One call; the description is locked where there is a bias. */
static cublasStatus_t multiply(const cuda_device *self, const cuda_product *own,
                               const places *where, CUstream stream) {
    const product *p = &own->product;
    const cublasLtMatrixLayout_t *of = own->layouts;
    double alpha = own->attrs.alpha, beta = p->has_c ? own->attrs.beta : 0;
    float alpha_single = (float)alpha, beta_single = (float)beta;
    bool wide = p->dtype == TERN_BT_FLOAT64;
    const void *a = wide ? (const void *)&alpha : &alpha_single;
    const void *b = wide ? (const void *)&beta : &beta_single;
    CUdeviceptr c = p->has_bias ? where->at[OUT] : where->at[C];
    if (p->has_bias) {
        const void *bias = cuda_pointer(where->at[C]);
        TRY(SET(cuda_blas.desc_set, own->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias));
    }
    return cuda_blas.matmul(self->blas, own->desc, a, cuda_pointer(where->at[LEFT]), of[LEFT],
                            cuda_pointer(where->at[RIGHT]), of[RIGHT], b, cuda_pointer(c), of[C],
                            cuda_pointer(where->at[OUT]), of[OUT], &own->algo,
                            cuda_pointer(where->workspace), own->workspace, stream);
}

/* A call for each position of the dimensions outside of the batch. */
static cublasStatus_t multiply_all(const cuda_device *self, const cuda_product *own,
                                   const places *first, CUstream stream) {
    const product *p = &own->product;
    for (int64_t i = 0; i < p->calls; i++) {
        places where = *first;
        int64_t left = i;
        for (int32_t d = p->loops - 1; d >= 0; d--) {
            int64_t position = left % p->shape[d];
            left /= p->shape[d];
            for (int k = 0; k < MATRICES; k++) {
                int64_t size = tern_kit_size(k >= C ? p->out_dtype : p->dtype);
                where.at[k] += (CUdeviceptr)(position * p->step[k][d] * size);
            }
        }
        TRY(multiply(self, own, &where, stream));
    }
    return CUBLAS_STATUS_SUCCESS;
}

static int32_t start(cuda_device *self, cuda_queue *queue, cuda_product *own, const places *where,
                     tern_backend_error *err) {
    if (!cuda_enter(self, err)) return cuda_refusal(self);
    CUstream stream = cuda_ordered(queue);
    cuda_note(queue, "cublasLtMatmul");
    if (own->product.has_bias) pthread_mutex_lock(&own->lock);
    cublasStatus_t status = multiply_all(self, own, where, stream);
    if (own->product.has_bias) pthread_mutex_unlock(&own->lock);
    const char *failure = status == CUBLAS_STATUS_SUCCESS ? NULL : cuda_blas.status_name(status);
    int32_t result = cuda_started(self, queue, stream, "a product by cuBLASLt", failure, err);
    cuda_leave();
    if (result == TERN_BACKEND_OK) atomic_fetch_add(&self->products, 1);
    return result;
}

bool cuda_product_launch(cuda_device *self, tern_bqueue *queue, cuda_product *own,
                         const tern_operand *in, const tern_operand *out, CUdeviceptr workspace,
                         int32_t *out_status, tern_backend_error *err) {
    places where = places_of(&own->product, in, out);
    where.workspace = workspace;
    if (!is_aligned(&where)) return false;
    *out_status = start(self, (cuda_queue *)(void *)queue, own, &where, err);
    return true;
}
