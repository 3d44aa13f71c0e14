/* batch.c: batches of matrices in host memory, and what formulas need. */
#include "batch.h"

#include <math.h>

#include "core/plugin/host_library.h"
#include "core/plugin/pool.h"
#include "tern/memory.h"

bool tern_expect_matrices(tern_opcall *call, tern_tensor *x, const char *name, bool square) {
    char text[TERN_SHAPE_TEXT];
    const tern_tensor_body *body = BODY(x);
    if (call->ctx->status != TERN_OK) return false;
    bool fits = body->rank >= 2 && (!square || tern_rows(x) == tern_columns(x));
    if (fits && tern_dtype_is_floating(body->dtype)) return true;
    if (fits)
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%s must have a floating dtype, got %s", name,
                       tern_dtype_name(body->dtype));
    else
        tern_call_fail(call, TERN_ERR_ARGUMENT, "%s must be a batch of %s, got shape %s", name,
                       square ? "square matrices (*, n, n)" : "matrices (*, m, n)",
                       tern_shape_text(body->rank, body->shape, text));
    return false;
}

bool tern_expect_system(tern_opcall *call, tern_tensor *a, tern_tensor *b) {
    char one[TERN_SHAPE_TEXT], two[TERN_SHAPE_TEXT];
    if (!tern_expect_matrices(call, a, "A", true) || !tern_expect_matrices(call, b, "B", false))
        return false;
    bool fits = BODY(a)->rank == BODY(b)->rank && BODY(a)->dtype == BODY(b)->dtype;
    for (int d = 0; fits && d < BODY(a)->rank - 1; d++)
        fits = BODY(a)->shape[d] == BODY(b)->shape[d];
    if (fits) return true;
    tern_call_fail(
        call, TERN_ERR_ARGUMENT,
        "A %s of %s and B %s of %s must have one batch, dtype and number of rows",
        tern_shape_text(BODY(a)->rank, BODY(a)->shape, one), tern_dtype_name(BODY(a)->dtype),
        tern_shape_text(BODY(b)->rank, BODY(b)->shape, two), tern_dtype_name(BODY(b)->dtype));
    return false;
}

bool tern_batch_of(tern_opcall *call, tern_tensor *x, tern_batch *out) {
    *out = (tern_batch){.count = 0};
    if (call->ctx->status != TERN_OK) return false; /* x may be nil, which has no rows */
    *out = (tern_batch){.lead = tern_shape_of(x), .count = 1};
    out->rows = tern_rows(x);
    out->columns = tern_columns(x);
    out->lead.rank -= 2;
    for (int d = 0; d < out->lead.rank; d++) out->count *= out->lead.dim[d];
    out->data = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    return out->data != NULL && call->ctx->status == TERN_OK;
}

void *tern_batch_space(tern_opcall *call, const tern_batch *batch, int64_t each, size_t element) {
    uint64_t count;
    if (!tern_size_mul((uint64_t)batch->count, (uint64_t)each, &count) || count > INT64_MAX) {
        tern_fail_memory(call->ctx, SIZE_MAX);
        return NULL;
    }
    return tern_host_buffer(call->ctx, (int64_t)count, element);
}

tern_batch tern_batch_like(tern_opcall *call, const tern_batch *batch, int64_t rows,
                           int64_t columns) {
    uint64_t each;
    tern_batch out = *batch;
    out.rows = rows;
    out.columns = columns;
    out.data = NULL;
    if (!tern_size_mul((uint64_t)rows, (uint64_t)columns, &each) || each > INT64_MAX)
        tern_fail_memory(call->ctx, SIZE_MAX);
    else
        out.data = tern_batch_space(call, batch, (int64_t)each, sizeof *out.data);
    return out;
}

static void factor_some(void *factoring, int64_t begin, int64_t end) {
    tern_factoring *f = factoring;
    for (int64_t i = begin; i < end && !atomic_load_explicit(&f->by.status, memory_order_relaxed);
         i++)
        f->one(f, i);
}

void tern_factor(tern_opcall *call, tern_factoring *f, tern_dtype dtype, int64_t count,
                 void (*one)(tern_factoring *f, int64_t i)) {
    const int64_t worth = 1 << 16; /* multiplications for which a thread is woken */
    tern_fault fault = {0};
    if (call->ctx->status != TERN_OK || count == 0) return;
    if (tern_host_library_get(&f->by.library, &fault) != TERN_OK) {
        tern_fail_memory(call->ctx, SIZE_MAX);
        return;
    }
    f->by.single = dtype == TERN_FLOAT32;
    f->one = one;
    double m = (double)f->a.rows, n = (double)f->a.columns, each = m * n * fmin(m, n);
    tern_parallel_for(count, each < (double)worth ? worth / (int64_t)(each + 1.0) : 1, factor_some,
                      f);
    if (f->by.status != TERN_BACKEND_OK) tern_fail_memory(call->ctx, SIZE_MAX);
}

tern_tensor *tern_batch_result(tern_opcall *call, void *data, tern_dtype host, tern_dtype dtype,
                               tern_shape lead, tern_shape own) {
    tern_tensor *out = call->ctx->nil;
    if (call->ctx->status == TERN_OK)
        for (int d = 0; d < own.rank; d++) lead.dim[lead.rank++] = own.dim[d];
    if (data && call->ctx->status == TERN_OK)
        out = tern_new_from_host(call->lane, data, host, &lead, NULL);
    tern_host_give(call->ctx, data);
    return call->ctx->status == TERN_OK ? tern_to_dtype(out, dtype) : call->ctx->nil;
}

tern_tensor *tern_batch_matrices(tern_opcall *call, tern_batch *batch, tern_dtype dtype) {
    return tern_batch_result(call, batch->data, TERN_FLOAT64, dtype, batch->lead,
                             TERN_SHAPE(batch->rows, batch->columns));
}

tern_value tern_results(tern_opcall *call, tern_tensor *const *tensors, int count) {
    return call->ctx->status == TERN_OK ? tern_tensors_value(call->ctx, tensors, count)
                                        : tern_none();
}

bool tern_check_infos(tern_opcall *call, const int32_t *infos, int64_t count, const char *what) {
    for (int64_t i = 0; i < count; i++) {
        if (infos[i] == 0) continue;
        tern_call_fail(call, TERN_ERR_ARGUMENT, "(Batch element %lld): %s (at position %d)",
                       (long long)i, what, (int)infos[i]);
        return false;
    }
    return true;
}

tern_value tern_checked_results(tern_opcall *call, tern_value all, size_t index, const char *what) {
    tern_tensor *info = tern_part(call->ctx, all, index);
    if (call->ctx->status != TERN_OK) return tern_none();
    int32_t *infos = tern_host_copy(call->ctx, info, TERN_INT32);
    bool fine = infos && tern_check_infos(call, infos, BODY(info)->numel, what);
    tern_host_give(call->ctx, infos);
    return fine ? all : tern_none();
}

tern_tensor *tern_identity_like(tern_tensor *x, int64_t n) {
    tern_ctx *ctx = BODY(x)->ctx;
    tern_tensor *ones = TERN_CALL(new_ones, ARG_TENSOR(x), ARG_SHAPE(TERN_SHAPE(n)));
    tern_tensor *eye = TERN_CALL(diag_embed, ARG_TENSOR(ones));
    if (ctx->status != TERN_OK) return ctx->nil;
    tern_shape lead = tern_shape_of(x);
    lead.rank -= 2;
    return tern_expand_batch(eye, lead);
}

tern_tensor *tern_part(tern_ctx *ctx, tern_value tuple, size_t index) {
    if (ctx->status != TERN_OK) return ctx->nil;
    return tern_value_at(tuple, index).as.tensor;
}

tern_tensor *tern_expand_batch(tern_tensor *x, tern_shape lead) {
    if (tern_is_nil(x)) return x;
    lead.dim[lead.rank++] = tern_rows(x);
    lead.dim[lead.rank++] = tern_columns(x);
    return tern_expand(x, lead);
}

bool tern_common_batch(tern_opcall *call, tern_tensor *a, tern_tensor *b, tern_shape *out_lead) {
    const tern_tensor *both[2] = {a, b};
    *out_lead = (tern_shape){0, {0}};
    for (int i = 0; i < 2; i++)
        if (BODY(both[i])->rank - 2 > out_lead->rank) out_lead->rank = BODY(both[i])->rank - 2;
    for (int d = 0; d < out_lead->rank; d++) out_lead->dim[d] = 1;
    for (int i = 0; i < 2; i++) {
        int own = BODY(both[i])->rank - 2;
        for (int d = 0; d < own; d++) {
            int64_t size = BODY(both[i])->shape[d];
            int64_t *common = &out_lead->dim[out_lead->rank - own + d];
            if (*common == 1) *common = size;
            if (size == *common || size == 1) continue;
            tern_call_fail(call, TERN_ERR_ARGUMENT,
                           "the batches do not fit: %lld matrices against %lld in dimension %d",
                           (long long)*common, (long long)size, out_lead->rank - own + d);
            return false;
        }
    }
    return true;
}

tern_tensor *tern_triangular_inverse_times(tern_tensor *a, tern_tensor *b, bool upper, bool unit) {
    return TERN_CALL(_solve_triangular, ARG_TENSOR(a), ARG_TENSOR(b), ARG_BOOL(upper),
                     ARG_BOOL(unit));
}

tern_tensor *tern_times_triangular_inverse(tern_tensor *b, tern_tensor *a, bool upper, bool unit) {
    return tern_mt(tern_triangular_inverse_times(tern_mt(a), tern_mt(b), !upper, unit));
}
