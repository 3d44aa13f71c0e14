/* lines.c: transforms along the lines of a tensor, and their gradients. */
#include <math.h>
#include <string.h>

#include "fft.h"
#include "tern/memory.h"
#include "transform.h"

/* ---- shared ---------------------------------------------------------------------------------- */

bool tern_fft_norm_of(tern_opcall *call, int i, tern_fft_norm *out_norm) {
    static const char *const names[] = {"backward", "ortho", "forward"};
    const char *text = tern_arg_text(call, i, "backward");
    for (int k = 0; k < 3; k++) {
        *out_norm = (tern_fft_norm)k;
        if (strcmp(text, names[k]) == 0) return true;
    }
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "Invalid normalization mode: '%s'; it is backward, ortho or forward", text);
    return false;
}

double tern_fft_scale(tern_fft_norm norm, bool forward, double n) {
    if (norm == TERN_FFT_ORTHO) return 1 / sqrt(n);
    return (norm == TERN_FFT_FORWARD) == forward ? 1 / n : 1;
}

tern_tensor *tern_fft_resized(tern_tensor *x, int dim, int64_t n) {
    if (tern_is_nil(x) || BODY(x)->shape[dim] == n) return x;
    if (BODY(x)->shape[dim] > n) return tern_narrow(x, dim, 0, n);
    tern_shape size = tern_shape_of(x);
    bool fits = true;
    size.dim[dim] = tern_dim_sub(n, size.dim[dim], &fits);
    tern_tensor *zeros = TERN_CALL(new_zeros, ARG_TENSOR(x), ARG_SHAPE(size));
    return tern_cat((tern_tensor *[]){x, zeros}, 2, dim);
}

tern_tensor *tern_fft_operand(tern_opcall *call, tern_tensor *x, bool to_complex) {
    tern_dtype dtype = BODY(x)->dtype;
    if (!tern_is_continuous(dtype)) dtype = TERN_FLOAT32;
    if (dtype == TERN_FLOAT16 || dtype == TERN_BFLOAT16) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "Unsupported dtype %s: transforms are of float32, float64, complex64 and "
                       "complex128",
                       tern_dtype_name(dtype));
        return call->ctx->nil;
    }
    return tern_to_dtype(x, to_complex ? tern_complex_dtype(dtype) : dtype);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* The lines of a row-major block: element t of line (outer, inner) is at outer n inner_count + t inner_count +
 * inner. Of a number there are none: dimension 0 of its shape is 0. */
typedef struct lines {
    int64_t outer, n, inner;
} lines;

static lines lines_of(const tern_shape *shape, int dim) {
    lines l = {1, shape->dim[dim], 1};
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] == 0) return (lines){0, l.n, 0}; /* however many the others make */
    for (int d = 0; d < dim; d++) l.outer *= shape->dim[d];
    for (int d = dim + 1; d < shape->rank; d++) l.inner *= shape->dim[d];
    return l;
}

/* A transform of one length, of real or complex numbers, with the line that it works on. */
typedef struct worker {
    int64_t n;
    double *room, *line;
} worker;

static void end(tern_opcall *call, worker *w) {
    tern_host_give(call->ctx, w->line);
    tern_host_give(call->ctx, w->room);
}

/* False after latching. */
static bool begin(tern_opcall *call, int64_t n, bool real, worker *out) {
    int64_t room = real ? tern_fft_real_room(n) : tern_fft_room(n);
    *out = (worker){.n = n};
    if (room == 0) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "Invalid number of data points (%lld) specified",
                       (long long)n);
        return false;
    }
    out->room = tern_host_buffer(call->ctx, room, sizeof *out->room);
    if (out->room) out->line = tern_host_buffer(call->ctx, n, 2 * sizeof *out->line);
    if (out->line) (real ? tern_fft_real_prepare : tern_fft_prepare)(n, out->room);
    return out->line != NULL;
}

/* For another length than before, unless it is the same: the sides of a square share their table. */
static bool resize(tern_opcall *call, int64_t n, worker *w) {
    if (w->line && w->n == n) return true;
    end(call, w);
    return begin(call, n, false, w);
}

/* Transforms all lines of complex numbers; backward with the parts exchanged before and after. */
static void transform_lines(const worker *w, const lines *l, double *data, bool forward,
                            double scale) {
    int re = forward ? 0 : 1;
    for (int64_t o = 0; o < l->outer; o++) {
        for (int64_t i = 0; i < l->inner; i++) {
            double *first = data + 2 * (o * l->n * l->inner + i);
            for (int64_t t = 0; t < l->n; t++) {
                w->line[2 * t] = first[2 * t * l->inner + re];
                w->line[2 * t + 1] = first[2 * t * l->inner + 1 - re];
            }
            tern_fft_line(w->n, w->room, w->line);
            for (int64_t t = 0; t < l->n; t++) {
                first[2 * t * l->inner + re] = w->line[2 * t] * scale;
                first[2 * t * l->inner + 1 - re] = w->line[2 * t + 1] * scale;
            }
        }
    }
}

/* A result of host data, which goes back. */
static tern_value result_of(tern_opcall *call, double *data, tern_dtype wide, tern_dtype dtype,
                            const tern_shape *shape) {
    tern_tensor *out = data && call->ctx->status == TERN_OK
                           ? tern_new_from_host(call->lane, data, wide, shape, NULL)
                           : call->ctx->nil;
    tern_host_give(call->ctx, data);
    return tern_result(call, tern_to_dtype(out, dtype));
}

/* ---- complex to complex: _fft_c2c(input, dim, forward, scale) ---- */

tern_value tern_op__fft_c2c(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape shape = tern_shape_of(x), dims = tern_arg_ints(call, 1);
    bool forward = tern_arg_bool(call, 2, true);
    double scale = tern_arg_double(call, 3, 1);
    double *data = tern_host_copy(call->ctx, x, TERN_COMPLEX128);
    worker w = {0, NULL, NULL};
    for (int k = 0; k < dims.rank && data && call->ctx->status == TERN_OK; k++) {
        int dim;
        if (!tern_wrap_dim(call->ctx, shape.rank, dims.dim[k], &dim)) break;
        lines l = lines_of(&shape, dim);
        if (resize(call, l.n, &w)) transform_lines(&w, &l, data, forward, k == 0 ? scale : 1);
    }
    end(call, &w);
    return result_of(call, data, TERN_COMPLEX128, BODY(x)->dtype, &shape);
}

void tern_grad__fft_c2c(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    bool forward = tern_value_as_int(tern_node_arg(node, 2)) != 0;
    grads[0] = TERN_CALL(_fft_c2c, ARG_TENSOR(grad_out[0]), tern_node_arg(node, 1),
                         ARG_BOOL(!forward), tern_node_arg(node, 3));
}

/* ---- real to complex: _fft_r2c(input, dim, scale) ---- */

static void real_lines(const worker *w, const lines *l, const double *in, double *out,
                       double scale) {
    int64_t half = l->n / 2 + 1;
    for (int64_t o = 0; o < l->outer; o++) {
        for (int64_t i = 0; i < l->inner; i++) {
            const double *from = in + o * l->n * l->inner + i;
            double *to = out + 2 * (o * half * l->inner + i);
            for (int64_t t = 0; t < l->n; t++) w->line[t] = from[t * l->inner];
            tern_fft_real_line(w->n, w->room, w->line);
            for (int64_t k = 0; k < half; k++) {
                to[2 * k * l->inner] = w->line[2 * k] * scale;
                to[2 * k * l->inner + 1] = w->line[2 * k + 1] * scale;
            }
        }
    }
}

/* A buffer for the elements of a shape. */
static double *buffer_of(tern_opcall *call, const tern_shape *shape, size_t element) {
    int64_t numel = 1;
    bool fits = true;
    for (int d = 0; d < shape->rank; d++) numel = tern_dim_mul(numel, shape->dim[d], &fits);
    if (fits) return tern_host_buffer(call->ctx, numel, element);
    tern_fail_memory(call->ctx, SIZE_MAX);
    return NULL;
}

tern_value tern_op__fft_r2c(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape shape = tern_shape_of(x);
    int dim;
    worker w;
    if (!tern_wrap_dim(call->ctx, shape.rank, tern_arg_int(call, 1, -1), &dim)) return tern_none();
    lines l = lines_of(&shape, dim);
    shape.dim[dim] = l.n / 2 + 1;
    double *in = NULL, *out = NULL;
    if (begin(call, l.n, true, &w)) in = tern_host_copy(call->ctx, x, TERN_FLOAT64);
    if (in) out = buffer_of(call, &shape, 2 * sizeof *out);
    if (out) real_lines(&w, &l, in, out, tern_arg_double(call, 2, 1));
    tern_host_give(call->ctx, in);
    end(call, &w);
    return result_of(call, out, TERN_COMPLEX128, tern_complex_dtype(BODY(x)->dtype), &shape);
}

/* The real part of the transform back of what is zero beyond the half. */
void tern_grad__fft_r2c(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_shape shape = tern_node_input_shape(node, 0);
    int dim;
    if (!tern_wrap_dim(tern_node_ctx(node), shape.rank, tern_value_as_int(tern_node_arg(node, 1)),
                       &dim))
        return;
    tern_tensor *whole = tern_fft_resized(grad_out[0], dim, shape.dim[dim]);
    double scale = tern_value_as_double(tern_node_arg(node, 2));
    grads[0] = tern_part_of(tern_fft_c2c(whole, TERN_SHAPE(dim), false, scale), 0);
}

/* ---- complex to real: _fft_c2r(input, dim, n, scale) ---- */

static void half_lines(const worker *w, const lines *l, const double *in, double *out,
                       double scale) {
    int64_t half = w->n / 2 + 1;
    for (int64_t o = 0; o < l->outer; o++) {
        for (int64_t i = 0; i < l->inner; i++) {
            const double *from = in + 2 * (o * half * l->inner + i);
            double *to = out + o * w->n * l->inner + i;
            for (int64_t k = 0; k < half; k++) {
                w->line[2 * k] = from[2 * k * l->inner];
                w->line[2 * k + 1] = from[2 * k * l->inner + 1];
            }
            tern_fft_real_back(w->n, w->room, w->line);
            for (int64_t t = 0; t < w->n; t++) to[t * l->inner] = w->line[t] * scale;
        }
    }
}

tern_value tern_op__fft_c2r(tern_opcall *call) {
    tern_tensor *x = tern_arg_tensor(call, 0);
    tern_shape shape = tern_shape_of(x);
    int64_t n = tern_arg_int(call, 2, 1), half = n / 2 + 1;
    int dim;
    worker w;
    if (!tern_wrap_dim(call->ctx, shape.rank, tern_arg_int(call, 1, -1), &dim)) return tern_none();
    lines l = lines_of(&shape, dim);
    if (n < 1 || l.n != half || !tern_is_complex(BODY(x)->dtype))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT, "%lld numbers need a complex half of %lld, got %lld of %s",
            (long long)n, (long long)half, (long long)l.n, tern_dtype_name(BODY(x)->dtype));
    shape.dim[dim] = n;
    double *in = NULL, *out = NULL;
    if (begin(call, n, true, &w)) in = tern_host_copy(call->ctx, x, TERN_COMPLEX128);
    if (in) out = buffer_of(call, &shape, sizeof *out);
    if (out) half_lines(&w, &l, in, out, tern_arg_double(call, 3, 1));
    tern_host_give(call->ctx, in);
    end(call, &w);
    return result_of(call, out, TERN_FLOAT64, tern_real_dtype(BODY(x)->dtype), &shape);
}

/* What stands for a conjugate too has twice the slope. */
void tern_grad__fft_c2r(tern_node *node, tern_tensor *const *grad_out, tern_tensor **grads) {
    tern_tensor *g = grad_out[0];
    int64_t n = tern_value_as_int(tern_node_arg(node, 2));
    int dim;
    if (!tern_wrap_dim(tern_node_ctx(node), BODY(g)->rank,
                       tern_value_as_int(tern_node_arg(node, 1)), &dim))
        return;
    tern_tensor *half = tern_fft_r2c(g, dim, tern_value_as_double(tern_node_arg(node, 3)));
    int64_t last = (n + 1) / 2; /* before the middle of an even n */
    if (tern_is_nil(half) || last <= 1) {
        grads[0] = half;
        return;
    }
    tern_tensor *parts[3] = {tern_narrow(half, dim, 0, 1),
                             tern_mul_scalar(tern_narrow(half, dim, 1, last - 1), 2),
                             tern_narrow(half, dim, last, n / 2 + 1 - last)};
    grads[0] = tern_cat(parts, 3, dim);
}
