/* convolve.c: convolutions by transforms, which pay for long kernels. */
#include <string.h>

#include "fft.h"
#include "tern/memory.h"

/* The least even length of 2^a, 2^a 3, 2^a 5, 2^a 9 or 2^a 15 from n on, whose passes are nearly all of radix 4. */
static int64_t fast_length(int64_t n) {
    static const int64_t odd[] = {1, 3, 5, 9, 15};
    int64_t least = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t length = 2 * odd[i];
        while (length < n) length *= 2;
        if (length < least) least = length;
    }
    return least;
}

/* Of one rank, with a last dimension that has elements and others that broadcast; false after latching. */
static bool operands_fit(tern_opcall *call, const tern_tensor_body *x, const tern_tensor_body *y) {
    char a[TERN_SHAPE_TEXT], b[TERN_SHAPE_TEXT];
    bool fits = x->rank == y->rank && x->rank > 0;
    for (int d = 0; d < x->rank && fits; d++)
        fits = d == x->rank - 1
                   ? x->shape[d] > 0 && y->shape[d] > 0
                   : x->shape[d] == y->shape[d] || x->shape[d] == 1 || y->shape[d] == 1;
    if (fits) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "expects x and y with as many dimensions, elements in the last one, and leading "
                   "dimensions that are "
                   "equal or 1: got %s and %s",
                   tern_shape_text(x->rank, x->shape, a), tern_shape_text(y->rank, y->shape, b));
    return false;
}

/* Which part of n + m - 1 numbers a mode wants; false after latching. */
static bool part_of(tern_opcall *call, int64_t n, int64_t m, int64_t *start, int64_t *length) {
    const char *mode = tern_arg_text(call, 2, "full");
    bool valid = strcmp(mode, "valid") == 0;
    int64_t larger = n > m ? n : m, smaller = n + m - larger;
    *length = valid ? larger - smaller + 1 : strcmp(mode, "same") == 0 ? n : n + m - 1;
    *start = (n + m - 1 - *length) / 2;
    if (valid || strcmp(mode, "same") == 0 || strcmp(mode, "full") == 0) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "Unrecognized mode value '%s': it is full, valid or same", mode);
    return false;
}

/* (x, y, mode): irfft(rfft(x) rfft(y)) of a length at which nothing wraps around */
tern_value tern_op_fftconvolve(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0), *y = tern_arg_tensor(call, 1);
    if (!operands_fit(call, BODY(x), BODY(y))) return tern_none();
    int last = BODY(x)->rank - 1;
    int64_t n = BODY(x)->shape[last], m = BODY(y)->shape[last], start, length;
    if (n > INT64_C(1) << 39 || m > INT64_C(1) << 39)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects up to 2^39 elements in a line");
    if (!part_of(call, n, m, &start, &length)) return tern_none();
    tern_value dtypes[2] = {ARG_TENSOR(x), ARG_TENSOR(y)};
    tern_dtype dtype = tern_result_type(dtypes, 2);
    x = tern_fft_operand(call, tern_to_dtype(x, dtype), false);
    y = tern_fft_operand(call, tern_to_dtype(y, dtype), false);
    if (call->ctx->status != TERN_OK) return tern_none();
    int64_t size = fast_length(n + m - 1);
    tern_tensor *product = tern_mul(tern_fft_r2c(tern_fft_resized(x, last, size), last, 1),
                                    tern_fft_r2c(tern_fft_resized(y, last, size), last, 1));
    tern_tensor *all = tern_fft_c2r(product, last, size, 1 / (double)size);
    return tern_result(call, tern_contiguous(tern_narrow(all, last, start, length)));
}
