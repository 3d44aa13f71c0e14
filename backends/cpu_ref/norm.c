/*
 * NORM, NORM_GRAD: normalisation over the dimensions D, and its gradient (the formulas are in
 * tern/backend_fused.h). Layer norm: Ba, Kiros, Hinton 2016; batch norm: Ioffe, Szegedy 2015; group norm:
 * Wu, He 2018; root mean square: Zhang, Sennrich 2019.
 *
 * Sums and variances are those of REDUCE, and every step rounds to the dtype of the statistics, so that
 * the bits are those of the operations one by one. An operand that a form does not have is a number that
 * changes nothing: the weight 1, the bias -0, the mean 0.
 */

#include "kernels.h"
#include "numerics/elementary.h"
#include "walk.h"

typedef struct norm {
    const tern_kit_call *call;
    const tern_kit_tensor *x;
    int32_t wide;                          /* dtype of statistics and steps */
    uint32_t dims;                         /* D */
    double n, eps;                         /* elements of one statistic */
    int64_t size;                          /* bytes of a wide element */
    int64_t count;                         /* elements of x */
    int64_t results;                       /* statistics of one kind */
    int64_t packed[TERN_BACKEND_MAX_RANK]; /* row-major strides of x's shape */
    int64_t kept[TERN_BACKEND_MAX_RANK];   /* x's shape with size 1 in D, and its strides */
    int64_t strides[TERN_BACKEND_MAX_RANK];
    int64_t spread[TERN_BACKEND_MAX_RANK]; /* the same with 0 in D: broadcast to x */
} norm;

static double as_wide(const norm *s, double value) {
    return s->wide == TERN_BT_FLOAT32 ? (double)(float)value : value;
}

static norm describe(const tern_kit_call *call, const tern_kit_tensor *x, uint32_t dims) {
    int32_t wide = tern_kit_wide(x->dtype);
    norm s = {.call = call, .x = x, .wide = wide, .dims = dims, .size = tern_kit_size(wide)};
    s.count = s.results = 1;
    for (int32_t d = x->rank - 1; d >= 0; d--) {
        bool reduced = dims >> d & 1u;
        s.packed[d] = s.count;
        s.kept[d] = reduced ? 1 : x->shape[d];
        s.strides[d] = s.results;
        s.spread[d] = reduced ? 0 : s.results;
        s.count *= x->shape[d];
        s.results *= s.kept[d];
    }
    int64_t each = s.count / s.results;
    s.n = as_wide(&s, (double)each);
    return s;
}

/* ---- tensors over scratch memory ------------------------------------------------------------- */

static tern_kit_tensor full(const norm *s, char *memory) {
    return tern_kit_tensor_over(memory, s->wide, s->x->rank, s->x->shape, s->packed);
}

static tern_kit_tensor statistic(const norm *s, char *memory) {
    return tern_kit_tensor_over(memory, s->wide, s->x->rank, s->kept, s->strides);
}

static tern_kit_tensor spread(const norm *s, char *memory) {
    return tern_kit_tensor_over(memory, s->wide, s->x->rank, s->x->shape, s->spread);
}

/* One number everywhere. */
static tern_kit_tensor number(const norm *s, double *value) {
    static const int64_t standing[TERN_BACKEND_MAX_RANK];
    return tern_kit_tensor_over((char *)value, TERN_BT_FLOAT64, s->x->rank, s->x->shape, standing);
}

/* ---- position by position -------------------------------------------------------------------- */

/* Operands, and how many of each at a time: little, for a small stack. */
enum { MOST = TERN_KIT_WALK_OPERANDS, PIECE = 128 };

/* From n positions of the operands, one array each, the result, in place of the first. */
typedef void (*formula)(const norm *s, double (*v)[PIECE], int64_t n);

/* The last operand becomes f of those before it. */
static void each(const norm *s, const tern_kit_tensor *const *operands, int32_t count, formula f) {
    double v[MOST][PIECE];
    tern_kit_walk walk;
    tern_kit_walk_begin(&walk, operands, count, 0);
    tern_kit_row row = tern_kit_walk_row(&walk);
    do {
        for (int64_t i = 0; i < row.length; i += PIECE) {
            int64_t n = row.length - i < PIECE ? row.length - i : PIECE;
            void *at[MOST];
            for (int32_t k = 0; k < count; k++)
                at[k] = tern_kit_at(operands[k], walk.offset[k] + i * row.stride[k]);
            for (int32_t k = 0; k < count - 1; k++)
                tern_kit_load_f64(operands[k]->dtype, at[k], row.stride[k], n, v[k]);
            f(s, v, n);
            tern_kit_store_f64(operands[count - 1]->dtype, at[count - 1], row.stride[count - 1], n,
                               v[0]);
        }
    } while (tern_kit_walk_next(&walk));
}

static void square(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) v[0][i] = as_wide(s, v[0][i] * v[0][i]);
}

static void over_n(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) v[0][i] = as_wide(s, v[0][i] / s->n);
}

/* var -> rstd */
static void inverse_root(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++)
        v[0][i] = as_wide(s, tern_num_rsqrt(as_wide(s, v[0][i] + s->eps)));
}

static double normal(const norm *s, double x, double mean, double rstd) {
    return as_wide(s, as_wide(s, x - mean) * rstd);
}

/* x, mean, rstd, weight, bias -> y */
static void apply(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double h = normal(s, v[0][i], v[1][i], v[2][i]);
        v[0][i] = as_wide(s, as_wide(s, h * v[3][i]) + v[4][i]);
    }
}

/* g, weight -> u */
static void scaled(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) v[0][i] = as_wide(s, v[0][i] * v[1][i]);
}

/* g, x, mean, rstd, weight -> u h */
static void product(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double u = as_wide(s, v[0][i] * v[4][i]);
        v[0][i] = as_wide(s, u * normal(s, v[1][i], v[2][i], v[3][i]));
    }
}

/* g, x, mean, rstd, weight, a = s_D(u), b = s_D(u h) -> (u - a - h b) rstd */
static void input_gradient(const norm *s, double (*v)[PIECE], int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double u = as_wide(s, v[0][i] * v[4][i]), h = normal(s, v[1][i], v[2][i], v[3][i]);
        double d = as_wide(s, as_wide(s, u - v[5][i]) - as_wide(s, h * v[6][i]));
        v[0][i] = as_wide(s, d * v[3][i]);
    }
}

/* ---- other kernels --------------------------------------------------------------------------- */

static void copy(const norm *s, const tern_kit_tensor *from, const tern_kit_tensor *to) {
    tern_kit_call own = *s->call;
    own.inputs = from;
    own.outputs = to;
    tern_ref_copy(&own);
}

static int32_t reduce(const norm *s, int32_t fn, uint32_t dims, const tern_kit_tensor *in,
                      const tern_kit_tensor *out) {
    tern_reduce_attrs attrs = {fn, dims, 0};
    tern_kit_call own = *s->call;
    own.inputs = in;
    own.outputs = out;
    own.attrs = &attrs;
    return tern_ref_reduce(&own);
}

/* s_D(in) */
static int32_t mean_over(const norm *s, const tern_kit_tensor *in, char *memory) {
    tern_kit_tensor out = statistic(s, memory);
    const tern_kit_tensor *operands[] = {&out, &out};
    int32_t status = reduce(s, TERN_REDUCE_SUM, s->dims, in, &out);
    if (status == TERN_BACKEND_OK) each(s, operands, 2, over_n);
    return status;
}

/* ---- NORM ------------------------------------------------------------------------------------ */

static int32_t mean_and_variance(const norm *s, char *mean, char *var) {
    tern_kit_tensor out = statistic(s, var);
    int32_t status = mean_over(s, s->x, mean);
    return status == TERN_BACKEND_OK ? reduce(s, TERN_REDUCE_VAR, s->dims, s->x, &out) : status;
}

static int32_t mean_square(const norm *s, char *squares, char *var) {
    tern_kit_tensor out = full(s, squares);
    const tern_kit_tensor *operands[] = {s->x, &out};
    each(s, operands, 2, square);
    return mean_over(s, &out, var);
}

/* The statistics are there: rstd, y, and what goes out. */
static void finish(const norm *s, const tern_norm_attrs *attrs, char *mean, char *rstd, char *var) {
    const tern_kit_call *call = s->call;
    bool rms = attrs->fn == TERN_NORM_RMS;
    double zero = 0, one = 1, nothing = -0.0;
    tern_kit_tensor variances = statistic(s, var), roots = statistic(s, rstd);
    const tern_kit_tensor *inverse[] = {&variances, &roots};
    each(s, inverse, 2, inverse_root);

    const tern_kit_tensor *next = &call->inputs[1];
    tern_kit_tensor weight = attrs->affine & TERN_NORM_WEIGHT ? *next++ : number(s, &one);
    tern_kit_tensor bias = attrs->affine & TERN_NORM_BIAS ? *next : number(s, &nothing);
    tern_kit_tensor centre = rms ? number(s, &zero) : spread(s, mean), scale = spread(s, rstd);
    const tern_kit_tensor *operands[] = {s->x, &centre, &scale, &weight, &bias, &call->outputs[0]};
    each(s, operands, 6, apply);

    tern_kit_tensor means = statistic(s, mean);
    int32_t k = 1;
    if (!rms) copy(s, &means, &call->outputs[k++]);
    copy(s, &roots, &call->outputs[k++]);
    if (k < call->n_outputs) copy(s, &variances, &call->outputs[k]);
}

int32_t tern_ref_norm(const tern_kit_call *call) {
    const tern_norm_attrs *attrs = call->attrs;
    norm s = describe(call, &call->inputs[0], attrs->dims);
    s.eps = as_wide(&s, attrs->eps);
    bool rms = attrs->fn == TERN_NORM_RMS;
    char *mean = tern_kit_take(call, 3 * s.results + (rms ? s.count : 0), (size_t)s.size);
    if (!mean) return TERN_BACKEND_OUT_OF_MEMORY;
    char *rstd = mean + s.results * s.size, *var = rstd + s.results * s.size;
    int32_t status =
        rms ? mean_square(&s, var + s.results * s.size, var) : mean_and_variance(&s, mean, var);
    if (status == TERN_BACKEND_OK) finish(&s, attrs, mean, rstd, var);
    tern_kit_give(call, mean);
    return status;
}

/* ---- NORM_GRAD ------------------------------------------------------------------------------- */

/* The operands of `product` and `input_gradient`, and memory for what they need. */
typedef struct gradient {
    norm s;
    const tern_kit_tensor *g;
    tern_kit_tensor mean, rstd, weight;
    double zero, one;
    char *a, *b;    /* statistics */
    char *products; /* of x's shape */
    char *sums;     /* as much again */
} gradient;

static int32_t to_input(gradient *q, bool rms, const tern_kit_tensor *out) {
    tern_kit_tensor work = full(&q->s, q->products);
    tern_kit_tensor a = rms ? number(&q->s, &q->zero) : spread(&q->s, q->a),
                    b = spread(&q->s, q->b);
    const tern_kit_tensor *first[] = {q->g, &q->weight, &work};
    const tern_kit_tensor *second[] = {q->g, q->s.x, &q->mean, &q->rstd, &q->weight, &work};
    const tern_kit_tensor *last[] = {q->g, q->s.x, &q->mean, &q->rstd, &q->weight, &a, &b, out};
    int32_t status = TERN_BACKEND_OK;
    if (!rms) {
        each(&q->s, first, 3, scaled);
        status = mean_over(&q->s, &work, q->a);
    }
    if (status != TERN_BACKEND_OK) return status;
    each(&q->s, second, 6, product);
    status = mean_over(&q->s, &work, q->b);
    if (status == TERN_BACKEND_OK) each(&q->s, last, 8, input_gradient);
    return status;
}

/* The sum over the dimensions that out has not; rounded to its dtype at the end. */
static int32_t sum_to(const gradient *q, const tern_kit_tensor *in, const tern_kit_tensor *out) {
    int64_t strides[TERN_BACKEND_MAX_RANK], step = 1;
    uint32_t dims = 0;
    for (int32_t d = in->rank - 1; d >= 0; d--) {
        if (out->shape[d] != in->shape[d]) dims |= 1u << d;
        strides[d] = step;
        step *= out->shape[d];
    }
    if (in->dtype == out->dtype && dims) return reduce(&q->s, TERN_REDUCE_SUM, dims, in, out);
    tern_kit_tensor sum = tern_kit_tensor_over(q->sums, q->s.wide, out->rank, out->shape, strides);
    int32_t status = dims ? reduce(&q->s, TERN_REDUCE_SUM, dims, in, &sum) : TERN_BACKEND_OK;
    if (status == TERN_BACKEND_OK) copy(&q->s, dims ? &sum : in, out);
    return status;
}

static int32_t to_weight(gradient *q, const tern_kit_tensor *out) {
    tern_kit_tensor work = full(&q->s, q->products), one = number(&q->s, &q->one);
    const tern_kit_tensor *operands[] = {q->g, q->s.x, &q->mean, &q->rstd, &one, &work};
    each(&q->s, operands, 6, product);
    return sum_to(q, &work, out);
}

/* The mean and rstd of the launch as they broadcast, at `memory`, and the weight. */
static void take_operands(gradient *q, const tern_norm_grad_attrs *attrs, char *memory) {
    const tern_kit_call *call = q->s.call;
    const tern_kit_tensor *next = &call->inputs[2];
    q->zero = 0;
    q->one = 1;
    q->mean = number(&q->s, &q->zero);
    if (attrs->fn != TERN_NORM_RMS) {
        tern_kit_tensor means = statistic(&q->s, memory);
        copy(&q->s, next++, &means);
        q->mean = spread(&q->s, memory);
        memory += q->s.results * q->s.size;
    }
    tern_kit_tensor roots = statistic(&q->s, memory);
    copy(&q->s, next++, &roots);
    q->rstd = spread(&q->s, memory);
    q->weight = attrs->affine & TERN_NORM_WEIGHT ? *next : number(&q->s, &q->one);
}

int32_t tern_ref_norm_grad(const tern_kit_call *call) {
    const tern_norm_grad_attrs *attrs = call->attrs;
    gradient q = {.s = describe(call, &call->inputs[1], attrs->dims), .g = &call->inputs[0]};
    int64_t statistics = q.s.results * q.s.size;
    q.a = tern_kit_take(call, 4 * q.s.results + 2 * q.s.count, (size_t)q.s.size);
    if (!q.a) return TERN_BACKEND_OUT_OF_MEMORY;
    q.b = q.a + statistics;
    q.products = q.a + 4 * statistics;
    q.sums = q.products + q.s.count * q.s.size;
    take_operands(&q, attrs, q.b + statistics);

    const tern_kit_tensor *out = call->outputs;
    int32_t status = TERN_BACKEND_OK;
    if (attrs->wants & TERN_WANTS_INPUT) status = to_input(&q, attrs->fn == TERN_NORM_RMS, out++);
    if (status == TERN_BACKEND_OK && attrs->wants & TERN_WANTS_WEIGHT)
        status = to_weight(&q, out++);
    if (status == TERN_BACKEND_OK && attrs->wants & TERN_WANTS_BIAS) status = sum_to(&q, q.g, out);
    tern_kit_give(call, q.a);
    return status;
}
