/* Splits, samplers and loaders of the suite `random`: the indices in order. */
#include "conformance.h"

#include "tern/data.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <string.h>

static bool get_index(void *user, int64_t index, void *const *out_fields) {
    (void)user;
    memcpy(out_fields[0], &index, sizeof index);
    return true;
}

static int64_t integer(tern_value args, const char *name) {
    return tern_value_as_int(tern_dict_get(args, name));
}

/* An argument absent or false is false. */
static bool truth(tern_value args, const char *name) {
    return integer(args, name) != 0;
}

static tern_value indices_value(tern_ctx *ctx, const int64_t *indices, int64_t count) {
    tern_shape shape = {1, {count}};
    return tern_tensor_value(tern_from_data(ctx, indices, shape, TERN_INT64));
}

static tern_value split(tern_ctx *ctx, tern_dataset *dataset, tern_value args) {
    enum { MOST = 8 };
    tern_value lengths = tern_dict_get(args, "lengths");
    size_t count = tern_value_count(lengths);
    double numbers[MOST];
    tern_dataset *parts[MOST];
    int64_t done = 0,
            *all = tern_scope_alloc(ctx, ((size_t)tern_dataset_length(dataset) + 1) * sizeof *all);
    if (!all || count > MOST) return tern_none();
    for (size_t i = 0; i < count; i++) numbers[i] = tern_value_as_double(tern_value_at(lengths, i));
    if (tern_random_split(dataset, numbers, count, NULL, parts) != TERN_OK) return tern_none();
    for (size_t i = 0; i < count; i++)
        for (int64_t k = 0; k < tern_dataset_length(parts[i]); k++)
            all[done++] = tern_subset_indices(parts[i])[k];
    return indices_value(ctx, all, done);
}

static tern_value load(tern_ctx *ctx, tern_dataset *dataset, tern_value args,
                       tern_generator *generator) {
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = integer(args, "batch_size");
    o.shuffle = truth(args, "shuffle");
    o.drop_last = truth(args, "drop_last");
    o.generator = generator;
    tern_loader *loader = tern_loader_new(dataset, &o);
    int64_t epochs = integer(args, "epochs"), done = 0;
    size_t room = (size_t)(epochs * tern_dataset_length(dataset)) + 1;
    int64_t *all = tern_scope_alloc(ctx, room * sizeof *all);
    for (int64_t e = 0; all && e < epochs; e++) {
        tern_tensor *batch;
        tern_loader_begin(loader);
        while (tern_loader_next(loader, &batch)) {
            size_t bytes = (size_t)tern_numel(batch) * sizeof *all;
            if (tern_to_host(batch, all + done, bytes) != TERN_OK) return tern_none();
            done += tern_numel(batch);
        }
    }
    return indices_value(ctx, all, done);
}

static tern_sampler *make_sampler(tern_ctx *ctx, const char *name, tern_value args,
                                  tern_generator *generator) {
    enum { MOST = 64 };
    bool subset = strcmp(name, "SubsetRandomSampler") == 0;
    if (strcmp(name, "RandomSampler") == 0)
        return tern_random_sampler_new(ctx, integer(args, "n"), truth(args, "replacement"),
                                       integer(args, "num_samples"), generator);
    tern_value list = tern_dict_get(args, subset ? "indices" : "weights");
    size_t count = tern_value_count(list);
    double weights[MOST];
    int64_t indices[MOST];
    if (count > MOST) return NULL;
    for (size_t i = 0; i < count; i++) {
        weights[i] = tern_value_as_double(tern_value_at(list, i));
        indices[i] = tern_value_as_int(tern_value_at(list, i));
    }
    if (subset) return tern_subset_random_sampler_new(ctx, indices, count, generator);
    return tern_weighted_random_sampler_new(ctx, weights, count, integer(args, "num_samples"),
                                            truth(args, "replacement"), generator);
}

bool case_call_data(tern_ctx *ctx, const char *name, tern_value args, tern_value *out_result) {
    bool is_split = strcmp(name, "random_split") == 0, is_loader = strcmp(name, "DataLoader") == 0;
    *out_result = tern_none();
    if (!is_split && !is_loader && !strstr(name, "Sampler")) return false;
    tern_sample_field field = {TERN_INT64, {0, {0}}};
    tern_generator *generator = truth(args, "generator") ? tern_default_generator(ctx) : NULL;
    if (is_split || is_loader) {
        tern_dataset *range = tern_dataset_new(ctx, integer(args, "n"), &field, 1, get_index, NULL);
        *out_result = is_split ? split(ctx, range, args) : load(ctx, range, args, generator);
        return true;
    }
    tern_sampler *sampler = make_sampler(ctx, name, args, generator);
    int64_t count = tern_sampler_length(sampler);
    int64_t *all = tern_scope_alloc(ctx, ((size_t)count + 1) * sizeof *all);
    if (all && tern_sampler_draw(sampler, all) == TERN_OK)
        *out_result = indices_value(ctx, all, count);
    return true;
}
