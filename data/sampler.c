/* sampler.c: orders of indices with PyTorch's draws for a seed (torch/utils/data/sampler.py). */
#include <string.h>

#include "dataset.h"
#include "tern/describe.h"
#include "tern/memory.h"
#include "tern/ops.h"

typedef enum sampler_kind { SEQUENTIAL, RANDOM, RANDOM_REPLACED, SUBSET, WEIGHTED } sampler_kind;

#define SAMPLER "sampler"

struct tern_sampler_body {
    tern_ctx *ctx;
    tern_sampler *handle;
    sampler_kind kind;
    int64_t length; /* of what is sampled */
    int64_t num_samples;
    tern_generator *generator; /* NULL: the context's */
    int64_t *indices;          /* SUBSET */
    double *weights;           /* WEIGHTED */
    bool replacement;          /* WEIGHTED */
};

/* ---- making ---- */

tern_sampler_body *tern_sampler_of(const tern_sampler *sampler, const char *function) {
    return tern_handle_object(sampler, SAMPLER, function);
}

static tern_sampler *handle_of(const tern_sampler_body *sampler) {
    return sampler ? sampler->handle : NULL;
}

static tern_sampler_body *new_sampler(tern_ctx *ctx, sampler_kind kind, int64_t length,
                                      int64_t num_samples, tern_generator *generator) {
    if (generator && !tern_handle_object(generator, "generator", "a sampler")) return NULL;
    tern_sampler_body *sampler = tern_scope_alloc(ctx, sizeof *sampler);
    if (!sampler) return NULL;
    *sampler = (tern_sampler_body){.ctx = ctx,
                                   .kind = kind,
                                   .length = length,
                                   .num_samples = num_samples,
                                   .generator = generator};
    sampler->handle = tern_handle_new(ctx, SAMPLER, sampler);
    return sampler->handle ? sampler : NULL;
}

tern_sampler *tern_sequential_sampler_new(tern_ctx *ctx, int64_t length) {
    return handle_of(new_sampler(ctx, SEQUENTIAL, length, length < 0 ? 0 : length, NULL));
}

tern_sampler *tern_random_sampler_new(tern_ctx *ctx, int64_t length, bool replacement,
                                      int64_t num_samples, tern_generator *generator) {
    if (num_samples == 0) num_samples = length;
    if (length <= 0 || num_samples <= 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "RandomSampler: num_samples should be a positive integer value, but got "
                  "num_samples=%lld of %lld",
                  (long long)num_samples, (long long)length);
        return NULL;
    }
    sampler_kind kind = replacement ? RANDOM_REPLACED : RANDOM;
    return handle_of(new_sampler(ctx, kind, length, num_samples, generator));
}

tern_sampler *tern_subset_random_sampler_new(tern_ctx *ctx, const int64_t *indices, size_t count,
                                             tern_generator *generator) {
    if (count > 0 && !tern_argument_given(ctx, "SubsetRandomSampler", "indices", indices))
        return NULL;
    tern_sampler_body *sampler =
        new_sampler(ctx, SUBSET, (int64_t)count, (int64_t)count, generator);
    if (!sampler) return NULL;
    sampler->indices = tern_scope_alloc(ctx, (count + 1) * sizeof *indices);
    if (!sampler->indices) return NULL;
    if (count > 0) memcpy(sampler->indices, indices, count * sizeof *indices);
    return sampler->handle;
}

tern_sampler *tern_weighted_random_sampler_new(tern_ctx *ctx, const double *weights, size_t count,
                                               int64_t num_samples, bool replacement,
                                               tern_generator *generator) {
    if (count == 0 || num_samples <= 0 || (!replacement && num_samples > (int64_t)count)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "WeightedRandomSampler: num_samples=%lld of %zu weights: ask for at least one, "
                  "and for no more than there are without replacement",
                  (long long)num_samples, count);
        return NULL;
    }
    if (!tern_argument_given(ctx, "WeightedRandomSampler", "weights", weights)) return NULL;
    tern_sampler_body *sampler = new_sampler(ctx, WEIGHTED, (int64_t)count, num_samples, generator);
    if (!sampler) return NULL;
    sampler->replacement = replacement;
    sampler->weights = tern_scope_alloc(ctx, count * sizeof *weights);
    if (!sampler->weights) return NULL;
    memcpy(sampler->weights, weights, count * sizeof *weights);
    return sampler->handle;
}

int64_t tern_sampler_length(const tern_sampler *handle) {
    const tern_sampler_body *sampler = tern_sampler_of(handle, "tern_sampler_length");
    return sampler ? sampler->num_samples : 0;
}

int64_t tern_batch_count(int64_t length, int64_t batch_size, bool drop_last) {
    if (length <= 0 || batch_size <= 0) return 0;
    return length / batch_size + (!drop_last && length % batch_size != 0);
}

/* ---- drawing ---- */

static tern_status read_indices(tern_ctx *ctx, tern_tensor *drawn, int64_t count,
                                int64_t *out_indices) {
    if (tern_is_nil(drawn)) return tern_check(ctx);
    return tern_to_host(drawn, out_indices, (size_t)count * sizeof *out_indices);
}

tern_status tern_permutation(tern_ctx *ctx, int64_t n, tern_generator *generator,
                             int64_t *out_indices) {
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    tern_status status = read_indices(ctx, tern_randperm(ctx, n, generator), n, out_indices);
    tern_scope_end(scope);
    return status;
}

/* Whole permutations and the beginning of one more. A last one of which nothing is used is left to
 * tern_sampler_exhaust. */
static tern_status draw_permutations(tern_sampler_body *s, tern_generator *generator,
                                     int64_t *out) {
    tern_status status = TERN_OK;
    int64_t done = 0, n = s->length, rest = s->num_samples % n;
    for (; done + n <= s->num_samples && status == TERN_OK; done += n)
        status = tern_permutation(s->ctx, n, generator, out + done);
    if (rest == 0 || status != TERN_OK) return status;
    int64_t *last = tern_alloc_zeroed((size_t)n, sizeof *last);
    if (!last)
        return tern_fail(s->ctx, TERN_ERR_OUT_OF_MEMORY,
                         "RandomSampler: no memory for %lld indices", (long long)n);
    status = tern_permutation(s->ctx, n, generator, last);
    memcpy(out + done, last, (size_t)rest * sizeof *last);
    tern_free(last);
    return status;
}

static tern_status draw_replaced(tern_sampler_body *s, tern_generator *generator, int64_t *out) {
    tern_value args[] = {tern_int(0), tern_int(s->length), tern_ints(&s->num_samples, 1)};
    tern_value named = tern_dict_new(s->ctx, false);
    if (generator) tern_dict_set(named, "generator", tern_generator_value(generator));
    tern_value drawn = tern_call(s->ctx, "randint", args, 3, named);
    if (drawn.kind != TERN_VALUE_TENSOR) return tern_check(s->ctx);
    return read_indices(s->ctx, drawn.as.tensor, s->num_samples, out);
}

static tern_status draw_random(tern_sampler_body *s, int64_t *out) {
    tern_generator *generator = s->generator;
    if (!generator) {
        uint64_t seed = tern_generator_next_u64(tern_default_generator(s->ctx)) & INT64_MAX;
        generator = tern_generator_new(s->ctx);
        if (!generator) return tern_check(s->ctx);
        tern_generator_seed(generator, (int64_t)seed);
    }
    return s->kind == RANDOM ? draw_permutations(s, generator, out)
                             : draw_replaced(s, generator, out);
}

static tern_status draw_subset(tern_sampler_body *s, int64_t *out) {
    tern_status status = tern_permutation(s->ctx, s->length, s->generator, out);
    for (int64_t i = 0; i < s->length && status == TERN_OK; i++) out[i] = s->indices[out[i]];
    return status;
}

static tern_status draw_weighted(tern_sampler_body *s, int64_t *out) {
    tern_tensor *weights = tern_from_data(s->ctx, s->weights, TERN_SHAPE(s->length), TERN_FLOAT64);
    tern_value args[] = {tern_tensor_value(weights), tern_int(s->num_samples),
                         tern_bool(s->replacement)};
    tern_value named = tern_dict_new(s->ctx, false);
    if (s->generator) tern_dict_set(named, "generator", tern_generator_value(s->generator));
    tern_value drawn = tern_call(s->ctx, "multinomial", args, 3, named);
    if (drawn.kind != TERN_VALUE_TENSOR) return tern_check(s->ctx);
    return read_indices(s->ctx, drawn.as.tensor, s->num_samples, out);
}

tern_status tern_sampler_order(tern_sampler_body *sampler, int64_t *out_indices) {
    tern_status status = TERN_OK;
    tern_scope scope = tern_scope_begin(sampler->ctx, TERN_NO_GRAD);
    switch (sampler->kind) {
    case SEQUENTIAL:
        for (int64_t i = 0; i < sampler->num_samples; i++) out_indices[i] = i;
        break;
    case RANDOM:
    case RANDOM_REPLACED: status = draw_random(sampler, out_indices); break;
    case SUBSET: status = draw_subset(sampler, out_indices); break;
    case WEIGHTED: status = draw_weighted(sampler, out_indices); break;
    }
    tern_scope_end(scope);
    return status;
}

tern_status tern_sampler_exhaust(tern_sampler_body *sampler) {
    if (sampler->kind != RANDOM || !sampler->generator ||
        sampler->num_samples % sampler->length != 0)
        return TERN_OK;
    tern_scope scope = tern_scope_begin(sampler->ctx, TERN_NO_GRAD);
    tern_status status = TERN_OK;
    if (tern_is_nil(tern_randperm(sampler->ctx, sampler->length, sampler->generator)))
        status = tern_check(sampler->ctx);
    tern_scope_end(scope);
    return status;
}

tern_status tern_sampler_draw(tern_sampler *handle, int64_t *out_indices) {
    tern_sampler_body *sampler = tern_sampler_of(handle, "tern_sampler_draw");
    if (!sampler) return tern_handle_status(handle);
    if (!tern_argument_given(sampler->ctx, "tern_sampler_draw", "out_indices", out_indices))
        return TERN_ERR_ARGUMENT;
    tern_status status = tern_sampler_order(sampler, out_indices);
    return status == TERN_OK ? tern_sampler_exhaust(sampler) : status;
}
