/*
 * random.c: random tensors with PyTorch's bits for the same seed (numerics/random_fill.h).
 *
 * Drawing is host work: a buffer is filled in the order of memory, then uploaded. The fills that
 * PyTorch spells with a trailing underscore (uniform_) are in-place calls of the operations here,
 * which take the tensor for its shape, strides and dtype, and return the values.
 */
#include "numerics/random_fill.h"

#include <math.h>

#include "core/call/recorder.h"
#include "core/context/generator.h"
#include "core/memory/handle.h"
#include "core/ops/layout.h"
#include "functional.h"

/* ---- what all fills share ---- */

/* A fill of n elements of `dtype` at `out` in memory order. */
typedef struct fill_job {
    void (*fill)(const struct fill_job *job);
    tern_generator_body *generator;
    tern_mt19937 *engine; /* the generator's */
    int dtype;
    void *out;
    int64_t n;
    double a, b;  /* its parameters */
    int64_t base; /* of integers */
    uint64_t range;
    bool contiguous; /* Tensor.is_contiguous(): normal draws in another order otherwise */
} fill_job;

typedef void (*fill_fn)(const fill_job *job);

/* The call was refused before where its generator is gone (core/call/operands.c). */
static tern_generator_body *generator_argument(const tern_opcall *call, int index) {
    tern_value v = tern_arg(call, index);
    tern_generator_body *given = NULL;
    if (v.kind == TERN_VALUE_GENERATOR) given = OBJECT(v.as.generator)->object;
    return given ? given : call->ctx->generator;
}

static bool floating_only(tern_opcall *call, tern_dtype dtype) {
    if (tern_dtype_is_floating(dtype)) return true;
    tern_call_fail(call, TERN_ERR_ARGUMENT,
                   "is a continuous distribution: the dtype must be floating, not %s",
                   tern_dtype_name(dtype));
    return false;
}

/* A replay draws again. */
static void redraw(const void *drawn, tern_mt19937 *engine, void *out) {
    fill_job job = *(const fill_job *)drawn;
    job.engine = engine;
    job.out = out;
    job.fill(&job);
}

static void tell(const fill_job *job, const tern_tensor *out) {
    tern_ctx *ctx = BODY(out)->ctx;
    if (!ctx->recorder || ctx->status != TERN_OK || job->n == 0) return;
    tern_drawn drawn = {redraw, job, sizeof *job, job->generator, BODY(out)->storage->bytes};
    ctx->recorder->drew(ctx->recorder, BODY(out)->storage, &drawn);
}

/* Runs a fill into a new tensor: of `shape`, or of the shape and memory order of `like`. */
static tern_value run_fill(tern_opcall *call, fill_job *job, fill_fn fill, const tern_shape *shape,
                           const tern_tensor *like) {
    tern_dtype dtype = (tern_dtype)job->dtype;
    if (like)
        job->n = BODY(like)->numel;
    else if (!tern_shape_numel(shape->rank, shape->dim, &job->n))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "a size is negative or too large");
    job->contiguous = like ? tern_is_contiguous(like) : true;
    job->out = tern_host_buffer(call->ctx, job->n, tern_dtype_size(dtype));
    if (!job->out) return tern_none();
    job->fill = fill;
    job->engine = &job->generator->engine;
    fill(job);
    tern_tensor *out = tern_new_from_host(call->lane, job->out, dtype, shape, like);
    tell(job, out);
    tern_host_give(call->ctx, job->out);
    return tern_result(call, out);
}

static void do_uniform(const fill_job *j) {
    tern_num_fill_uniform(j->engine, j->dtype, j->out, j->n, j->a, j->b);
}
static void do_normal(const fill_job *j) {
    tern_num_fill_normal(j->engine, j->dtype, j->out, j->n, j->a, j->b, j->contiguous);
}
static void do_random(const fill_job *j) {
    tern_num_fill_random(j->engine, j->dtype, j->out, j->n);
}
static void do_randint(const fill_job *j) {
    tern_num_fill_randint(j->engine, j->dtype, j->out, j->n, j->base, j->range);
}
static void do_randperm(const fill_job *j) {
    tern_num_fill_randperm(j->engine, j->dtype, j->out, j->n);
}
static void do_bernoulli(const fill_job *j) {
    tern_num_fill_bernoulli(j->engine, j->dtype, j->out, j->n, j->a);
}
static void do_exponential(const fill_job *j) {
    tern_num_fill_exponential(j->engine, j->dtype, j->out, j->n, j->a);
}
static void do_geometric(const fill_job *j) {
    tern_num_fill_geometric(j->engine, j->dtype, j->out, j->n, j->a);
}
static void do_cauchy(const fill_job *j) {
    tern_num_fill_cauchy(j->engine, j->dtype, j->out, j->n, j->a, j->b);
}
static void do_log_normal(const fill_job *j) {
    tern_num_fill_log_normal(j->engine, j->dtype, j->out, j->n, j->a, j->b);
}

/* ---- rand, randn and their fills ---- */

/* rand(size), randn(size): arguments size, generator, dtype. */
static tern_value from_size(tern_opcall *call, fill_fn fill, double a, double b) {
    tern_shape size = tern_arg_ints(call, 0);
    tern_dtype dtype = tern_arg_dtype(call, 2, TERN_FLOAT32);
    if (size.rank < 0 || !floating_only(call, dtype)) return tern_none();
    fill_job job = {.generator = generator_argument(call, 1), .dtype = (int)dtype, .a = a, .b = b};
    return run_fill(call, &job, fill, &size, NULL);
}

/* A fill like the first argument, which may change the dtype at `dtype_index` (0: keeps it). */
static tern_value from_like(tern_opcall *call, fill_fn fill, double a, double b,
                            int generator_index, int dtype_index) {
    tern_tensor *like = tern_arg_tensor(call, 0);
    tern_dtype dtype =
        dtype_index ? tern_arg_dtype(call, dtype_index, BODY(like)->dtype) : BODY(like)->dtype;
    fill_job job = {.generator = generator_argument(call, generator_index),
                    .dtype = (int)dtype,
                    .a = a,
                    .b = b};
    if ((fill == do_uniform || fill == do_normal || fill == do_exponential || fill == do_cauchy ||
         fill == do_log_normal) &&
        !floating_only(call, dtype))
        return tern_none();
    return run_fill(call, &job, fill, NULL, like);
}

tern_value tern_op_rand(tern_opcall *call) {
    return from_size(call, do_uniform, 0.0, 1.0);
}
tern_value tern_op_randn(tern_opcall *call) {
    return from_size(call, do_normal, 0.0, 1.0);
}

/* An index past the arguments stands for "none given": the context's generator. */
#define NO_ARGUMENT TERN_MAX_ARGS

tern_value tern_op_rand_like(tern_opcall *call) {
    return from_like(call, do_uniform, 0.0, 1.0, NO_ARGUMENT, 1);
}

tern_value tern_op_randn_like(tern_opcall *call) {
    return from_like(call, do_normal, 0.0, 1.0, NO_ARGUMENT, 1);
}

tern_value tern_op_uniform(tern_opcall *call) {
    double from = tern_arg_double(call, 1, 0.0), to = tern_arg_double(call, 2, 1.0);
    if (!(from <= to))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "expects to return a [from, to) range, but found from=%g > to=%g",
                              from, to);
    if (!isfinite(to - from))
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "the range from %g to %g is not finite: choose closer bounds", from,
                              to);
    return from_like(call, do_uniform, from, to, 3, 0);
}

tern_value tern_op_normal(tern_opcall *call) {
    double mean = tern_arg_double(call, 1, 0.0), std = tern_arg_double(call, 2, 1.0);
    if (!(std >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects std >= 0.0, but found std %g", std);
    return from_like(call, do_normal, mean, std, 3, 0);
}

/* ---- normal over tensors of means and deviations ---- */

/* normal_(0, std) of the broadcast shape, times a tensor of deviations, plus means. */
static tern_value normal_of(tern_opcall *call, tern_tensor *mean, tern_tensor *std,
                            double mean_number, double std_number, int generator_index) {
    tern_tensor *both[2] = {mean ? mean : std, std ? std : mean};
    tern_shape shape;
    if (!tern_broadcast_shape(call, both, 2, &shape)) return tern_none();
    tern_dtype dtype = BODY(both[0])->dtype;
    if (!floating_only(call, dtype)) return tern_none();
    if (!(std_number >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects std >= 0.0, but found std %g",
                              std_number);
    fill_job job = {.generator = generator_argument(call, generator_index),
                    .dtype = (int)dtype,
                    .b = std_number};
    tern_value drawn = run_fill(call, &job, do_normal, &shape, NULL);
    if (drawn.kind != TERN_VALUE_TENSOR) return drawn;
    tern_tensor *out = drawn.as.tensor;
    if (std) out = tern_mul(out, std);
    out = mean ? tern_add(out, mean) : tern_add_scalar(out, mean_number);
    return tern_result(call, out);
}

tern_value tern_op_normal_tensors(tern_opcall *call) {
    tern_tensor *std = tern_arg_tensor(call, 1);
    if (!std && !tern_arg_tensor(call, 0))
        return tern_call_fail(
            call, TERN_ERR_ARGUMENT,
            "mean and std are both numbers: normal(mean, std, size) takes a size, "
            "normal(mean, std) a tensor for one of them");
    if (std && BODY(std)->numel > 0 && tern_item(tern_any(tern_lt_scalar(std, 0.0))) != 0.0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects all elements of std >= 0.0");
    return normal_of(call, tern_arg_tensor(call, 0), std, tern_arg_double(call, 0, 0.0),
                     std ? 1.0 : tern_arg_double(call, 1, 1.0), 2);
}

tern_value tern_op_normal_size(tern_opcall *call) {
    double std = tern_arg_double(call, 1, 1.0);
    tern_shape size = tern_arg_ints(call, 2);
    tern_dtype dtype = tern_arg_dtype(call, 4, TERN_FLOAT32);
    if (size.rank < 0 || !floating_only(call, dtype)) return tern_none();
    if (!(std >= 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects std >= 0.0, but found std %g", std);
    fill_job job = {.generator = generator_argument(call, 3),
                    .dtype = (int)dtype,
                    .a = tern_arg_double(call, 0, 0.0),
                    .b = std};
    return run_fill(call, &job, do_normal, &size, NULL);
}

/* ---- integers ---- */

/* The largest value that random_ draws for a dtype: the integers' maximum, 2^digits of floats. */
static int64_t largest_random(tern_dtype dtype) {
    switch (dtype) {
    case TERN_FLOAT64: return INT64_C(1) << 53;
    case TERN_FLOAT32: return INT64_C(1) << 24;
    case TERN_FLOAT16: return INT64_C(1) << 11;
    case TERN_BFLOAT16: return INT64_C(1) << 8;
    case TERN_INT32: return INT32_MAX;
    case TERN_INT16: return INT16_MAX;
    case TERN_INT8: return INT8_MAX;
    case TERN_UINT8: return UINT8_MAX;
    case TERN_BOOL: return 1;
    case TERN_INT64:
    default: return INT64_MAX;
    }
}

/* Sets the job's range to [from, to); false after latching. */
static bool integer_range(tern_opcall *call, fill_job *job, int64_t from, int64_t to) {
    if (from >= to) {
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "expects 'from' to be less than 'to', but got from=%lld >= to=%lld",
                       (long long)from, (long long)to);
        return false;
    }
    int64_t least = job->dtype == TERN_UINT8 || job->dtype == TERN_BOOL
                        ? 0
                        : -largest_random((tern_dtype)job->dtype);
    if (!tern_dtype_is_floating((tern_dtype)job->dtype) && job->dtype != TERN_INT64 &&
        (from < least - (least < 0) || to - 1 > largest_random((tern_dtype)job->dtype))) {
        tern_call_fail(call, TERN_ERR_ARGUMENT, "[%lld, %lld) is out of bounds for %s",
                       (long long)from, (long long)to, tern_dtype_name((tern_dtype)job->dtype));
        return false;
    }
    tern_num_randint_bounds(job->dtype, &from, &to);
    job->base = from;
    job->range = (uint64_t)to - (uint64_t)from;
    return true;
}

/* randint(low, high, size, generator, dtype); randint(high, size) comes with high left out. */
tern_value tern_op_randint(tern_opcall *call) {
    int64_t low = tern_arg_int(call, 0, 0), high = tern_arg_int(call, 1, 0);
    if (!tern_arg_given(call, 1)) {
        high = low;
        low = 0;
    }
    tern_shape size = tern_arg_ints(call, 2);
    if (size.rank < 0) {
        if (call->ctx->status != TERN_OK) return tern_none();
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "missing argument 'size' (int[])");
    }
    fill_job job = {.generator = generator_argument(call, 3),
                    .dtype = (int)tern_arg_dtype(call, 4, TERN_INT64)};
    if (!integer_range(call, &job, low, high)) return tern_none();
    return run_fill(call, &job, do_randint, &size, NULL);
}

tern_value tern_op_randint_like(tern_opcall *call) {
    tern_tensor *like = tern_arg_tensor(call, 0);
    int64_t low = tern_arg_int(call, 1, 0), high = tern_arg_int(call, 2, 0);
    if (!tern_arg_given(call, 2)) {
        high = low;
        low = 0;
    }
    fill_job job = {.generator = generator_argument(call, NO_ARGUMENT),
                    .dtype = (int)tern_arg_dtype(call, 3, BODY(like)->dtype)};
    if (!integer_range(call, &job, low, high)) return tern_none();
    return run_fill(call, &job, do_randint, NULL, like);
}

tern_value tern_op_random(tern_opcall *call) {
    return from_like(call, do_random, 0.0, 0.0, 1, 0);
}

tern_value tern_op_random_to(tern_opcall *call) {
    tern_tensor *like = tern_arg_tensor(call, 0);
    fill_job job = {.generator = generator_argument(call, 2), .dtype = (int)BODY(like)->dtype};
    if (!integer_range(call, &job, 0, tern_arg_int(call, 1, 0))) return tern_none();
    return run_fill(call, &job, do_randint, NULL, like);
}

tern_value tern_op_random_from(tern_opcall *call) {
    tern_tensor *like = tern_arg_tensor(call, 0);
    int64_t from = tern_arg_int(call, 1, 0);
    fill_job job = {.generator = generator_argument(call, 3), .dtype = (int)BODY(like)->dtype};
    if (tern_arg_given(call, 2)) {
        if (!integer_range(call, &job, from, tern_arg_int(call, 2, 0))) return tern_none();
    } else {
        int64_t last = largest_random(BODY(like)->dtype);
        if (from > last)
            return tern_call_fail(call, TERN_ERR_ARGUMENT, "from=%lld is out of bounds for %s",
                                  (long long)from, tern_dtype_name(BODY(like)->dtype));
        job.base = from;
        job.range = (uint64_t)last - (uint64_t)from + 1; /* 2^64 wraps to 0, which stands for it */
    }
    return run_fill(call, &job, do_randint, NULL, like);
}

tern_value tern_op_randperm(tern_opcall *call) {
    int64_t n = tern_arg_int(call, 0, 0);
    tern_dtype dtype = tern_arg_dtype(call, 2, TERN_INT64);
    if (n < 0)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "n must be non-negative, got %lld",
                              (long long)n);
    if (n - 1 > largest_random(dtype))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "n=%lld is too large for %s", (long long)n,
                              tern_dtype_name(dtype));
    tern_shape shape = {1, {n}};
    fill_job job = {.generator = generator_argument(call, 1), .dtype = (int)dtype};
    return run_fill(call, &job, do_randperm, &shape, NULL);
}

/* ---- other distributions ---- */

tern_value tern_op_bernoulli_p(tern_opcall *call) {
    double p = tern_arg_double(call, 1, 0.5);
    if (!(p >= 0.0 && p <= 1.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects p to be in [0, 1], but got p=%g",
                              p);
    return from_like(call, do_bernoulli, p, 0.0, 2, 0);
}

/* bernoulli(p): one draw for each probability, in p's memory order. */
tern_value tern_op_bernoulli(tern_opcall *call) {
    tern_tensor *p = tern_arg_tensor(call, 0);
    if (!floating_only(call, BODY(p)->dtype)) return tern_none();
    int perm[TERN_MAX_RANK], reversed[TERN_MAX_RANK];
    tern_memory_order(p, perm);
    tern_shape dims = {BODY(p)->rank, {0}};
    for (int i = 0; i < BODY(p)->rank; i++) reversed[i] = perm[BODY(p)->rank - 1 - i];
    for (int i = 0; i < BODY(p)->rank; i++) dims.dim[i] = reversed[i];
    void *from = tern_host_copy(call->ctx, tern_permute(p, dims), BODY(p)->dtype);
    if (!from) return tern_none();
    void *to = tern_host_buffer(call->ctx, BODY(p)->numel, tern_dtype_size(BODY(p)->dtype));
    tern_tensor *out = call->ctx->nil;
    bool valid = true;
    for (int64_t i = 0; i < BODY(p)->numel && valid; i++) {
        double v = tern_num_load_f64((int)BODY(p)->dtype, from, i);
        valid = v >= 0.0 && v <= 1.0;
    }
    if (to && valid) {
        tern_num_fill_bernoulli_each(&generator_argument(call, 1)->engine, (int)BODY(p)->dtype,
                                     from, (int)BODY(p)->dtype, to, BODY(p)->numel);
        out = tern_new_from_host(call->lane, to, BODY(p)->dtype, NULL, p);
    }
    tern_host_give(call->ctx, from);
    tern_host_give(call->ctx, to);
    if (!valid)
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects all probabilities in [0, 1]");
    return tern_result(call, out);
}

tern_value tern_op_exponential(tern_opcall *call) {
    double lambd = tern_arg_double(call, 1, 1.0);
    if (!(lambd > 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects lambda > 0.0, but found lambda=%g",
                              lambd);
    return from_like(call, do_exponential, lambd, 0.0, 2, 0);
}

tern_value tern_op_geometric(tern_opcall *call) {
    double p = tern_arg_double(call, 1, 0.5);
    if (!(p > 0.0 && p < 1.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects p to be in (0, 1), but got p=%g",
                              p);
    return from_like(call, do_geometric, p, 0.0, 2, 0);
}

tern_value tern_op_cauchy(tern_opcall *call) {
    double median = tern_arg_double(call, 1, 0.0), sigma = tern_arg_double(call, 2, 1.0);
    if (!(sigma > 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects sigma > 0.0, but found sigma=%g",
                              sigma);
    return from_like(call, do_cauchy, median, sigma, 3, 0);
}

tern_value tern_op_log_normal(tern_opcall *call) {
    double mean = tern_arg_double(call, 1, 1.0), std = tern_arg_double(call, 2, 2.0);
    if (!(std > 0.0))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "expects std > 0.0, but found std=%g", std);
    return from_like(call, do_log_normal, mean, std, 3, 0);
}

/* ---- multinomial ---- */

static bool multinomial_valid(tern_opcall *call, const tern_tensor *p, int64_t samples,
                              bool replacement) {
    const char *wrong = NULL;
    int64_t categories = BODY(p)->rank ? BODY(p)->shape[BODY(p)->rank - 1] : 0;
    if (!tern_dtype_is_floating(BODY(p)->dtype))
        wrong = "only supports floating-point dtypes for input";
    else if (BODY(p)->rank != 1 && BODY(p)->rank != 2)
        wrong = "prob_dist must be 1 or 2 dim";
    else if (categories == 0 || BODY(p)->numel == 0)
        wrong = "there is no category to draw";
    else if (samples <= 0)
        wrong = "cannot sample n_sample <= 0 samples";
    else if (!replacement && samples > categories)
        wrong = "cannot sample n_sample > prob_dist.size(-1) samples without replacement";
    else if (categories > (INT64_C(1) << 24))
        wrong = "number of categories cannot exceed 2^24";
    if (!wrong) return true;
    char text[TERN_SHAPE_TEXT];
    tern_call_fail(call, TERN_ERR_ARGUMENT, "%s (input is %s of %s, num_samples=%lld)", wrong,
                   tern_shape_text(BODY(p)->rank, BODY(p)->shape, text),
                   tern_dtype_name(BODY(p)->dtype), (long long)samples);
    return false;
}

tern_value tern_op_multinomial(tern_opcall *call) {
    tern_tensor *p = tern_arg_tensor(call, 0);
    int64_t samples = tern_arg_int(call, 1, 0);
    bool replacement = tern_arg_bool(call, 2, false);
    if (!multinomial_valid(call, p, samples, replacement)) return tern_none();
    int64_t categories = BODY(p)->shape[BODY(p)->rank - 1],
            rows = BODY(p)->rank == 2 ? BODY(p)->shape[0] : 1;
    tern_shape shape = {BODY(p)->rank, {rows, samples}};
    if (BODY(p)->rank == 1) shape.dim[0] = samples;
    int64_t count;
    if (!tern_shape_numel(shape.rank, shape.dim, &count))
        return tern_call_fail(call, TERN_ERR_ARGUMENT, "num_samples=%lld is too large",
                              (long long)samples);
    void *from = tern_host_copy(call->ctx, p, BODY(p)->dtype);
    if (!from) return tern_none();
    tern_tensor *out = call->ctx->nil;
    void *scratch = tern_host_buffer(call->ctx, 1, tern_num_multinomial_scratch(categories));
    int64_t *to = scratch ? tern_host_buffer(call->ctx, count, sizeof *to) : NULL;
    bool drawn =
        to && tern_num_multinomial(&generator_argument(call, 3)->engine, (int)BODY(p)->dtype, from,
                                   rows, categories, samples, replacement, scratch, to);
    if (drawn) out = tern_new_from_host(call->lane, to, TERN_INT64, &shape, NULL);
    tern_host_give(call->ctx, from);
    tern_host_give(call->ctx, scratch);
    tern_host_give(call->ctx, to);
    if (!drawn && call->ctx->status == TERN_OK)
        return tern_call_fail(call, TERN_ERR_ARGUMENT,
                              "probability tensor contains either inf, nan or element < 0, or a "
                              "row that sums to 0");
    return tern_result(call, out);
}

/* ---- C functions ---- */

#define G(generator) tern_generator_value(generator)

tern_tensor *tern_rand(tern_ctx *ctx, tern_shape size, tern_generator *generator) {
    return TERN_CALL_CTX(ctx, rand, ARG_SHAPE(size), G(generator));
}
tern_tensor *tern_randn(tern_ctx *ctx, tern_shape size, tern_generator *generator) {
    return TERN_CALL_CTX(ctx, randn, ARG_SHAPE(size), G(generator));
}
tern_tensor *tern_randint(tern_ctx *ctx, int64_t low, int64_t high, tern_shape size,
                          tern_generator *generator) {
    return TERN_CALL_CTX(ctx, randint, ARG_INT(low), ARG_INT(high), ARG_SHAPE(size), G(generator));
}
tern_tensor *tern_randperm(tern_ctx *ctx, int64_t n, tern_generator *generator) {
    return TERN_CALL_CTX(ctx, randperm, ARG_INT(n), G(generator));
}
tern_tensor *tern_rand_like(tern_tensor *input) {
    return TERN_CALL(rand_like, ARG_TENSOR(input));
}
tern_tensor *tern_randn_like(tern_tensor *input) {
    return TERN_CALL(randn_like, ARG_TENSOR(input));
}
tern_tensor *tern_randint_like(tern_tensor *input, int64_t low, int64_t high) {
    return TERN_CALL(randint_like, ARG_TENSOR(input), ARG_INT(low), ARG_INT(high));
}
tern_tensor *tern_uniform_in_place(tern_tensor *input, double from, double to,
                                   tern_generator *generator) {
    return TERN_CALL_IN_PLACE(uniform, ARG_TENSOR(input), ARG_FLOAT(from), ARG_FLOAT(to),
                              G(generator));
}
tern_tensor *tern_normal_in_place(tern_tensor *input, double mean, double std,
                                  tern_generator *generator) {
    return TERN_CALL_IN_PLACE(normal, ARG_TENSOR(input), ARG_FLOAT(mean), ARG_FLOAT(std),
                              G(generator));
}
