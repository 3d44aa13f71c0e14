/*
 * loader.c: batches in order. A batch is stacked in a slot of host memory, by the calling thread or
 * by a worker ahead of it, and then uploaded by the calling thread, beside the device's kernels: no
 * worker touches a context.
 *
 * Workers take batch numbers in turn; batch b goes to slot b % n_slots, and is not begun before the
 * batch that was there has been taken.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <string.h>

#include "dataset.h"
#include "noise.h"
#include "tern/describe.h"
#include "tern/memory.h"

enum { MAX_WORKERS = 64, MAX_PREFETCH = 64 };

typedef struct slot {
    unsigned char *data;
    bool ready;
    int64_t bad; /* the index of a sample that could not be had, or -1 */
} slot;

#define LOADER "loader"

typedef struct loader_body {
    tern_ctx *ctx;
    const tern_dataset_body *dataset;
    tern_dataset *dataset_handle;
    tern_sampler *sampler;
    int64_t samples; /* of an epoch */
    tern_loader_options options;
    int64_t batches;
    int64_t *order; /* of the epoch */
    size_t offsets[TERN_MAX_FIELDS];
    slot *slots;
    int64_t n_slots;
    bool begun, drawn, exhausted;
    uint64_t seed; /* of the epoch: PyTorch's base seed */
    int64_t next;  /* the batch that comes next; with workers under the lock */
    int64_t shown, n_shown;

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t threads[MAX_WORKERS];
    int n_threads;
    int64_t claimed; /* the next batch that a worker takes */
    bool stop;
} loader_body;

/* ---- stacking ---- */

static int64_t batch_samples(const loader_body *loader, int64_t batch) {
    int64_t left = loader->samples - batch * loader->options.batch_size;
    return left < loader->options.batch_size ? left : loader->options.batch_size;
}

static void stack(const loader_body *loader, int64_t batch, slot *to) {
    const tern_dataset_body *dataset = loader->dataset;
    const int64_t *indices = loader->order + batch * loader->options.batch_size;
    int64_t count = batch_samples(loader, batch), first = batch * loader->options.batch_size;
    void *fields[TERN_MAX_FIELDS] = {NULL};
    to->bad = -1;
    for (int64_t i = 0; i < count && to->bad < 0; i++) {
        for (int f = 0; f < dataset->n_fields; f++)
            fields[f] = to->data + loader->offsets[f] + (size_t)i * dataset->bytes[f];
        if (indices[i] < 0 || indices[i] >= dataset->length ||
            !tern_dataset_read(dataset, indices[i], tern_noise(loader->seed, first + i), fields))
            to->bad = indices[i] < 0 ? INT64_MAX : indices[i];
    }
}

/* ---- workers ---- */

static void *run_worker(void *arg) {
    loader_body *loader = arg;
    pthread_mutex_lock(&loader->lock);
    for (;;) {
        while (!loader->stop && loader->claimed < loader->batches &&
               loader->claimed >= loader->next + loader->n_slots)
            pthread_cond_wait(&loader->work, &loader->lock);
        if (loader->stop || loader->claimed >= loader->batches) break;
        int64_t batch = loader->claimed++;
        slot *to = &loader->slots[batch % loader->n_slots];
        pthread_mutex_unlock(&loader->lock);
        stack(loader, batch, to);
        pthread_mutex_lock(&loader->lock);
        to->ready = true;
        pthread_cond_signal(&loader->done);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static void stop_workers(loader_body *loader) {
    loader->begun = false;
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
    for (int i = 0; i < loader->n_threads; i++) pthread_join(loader->threads[i], NULL);
    loader->n_threads = 0;
    loader->stop = false;
}

/* Fewer threads than asked for are enough; without any the caller stacks. */
static void start_workers(loader_body *loader) {
    loader->claimed = 0;
    for (int64_t i = 0; i < loader->n_slots; i++) loader->slots[i].ready = false;
    while (loader->n_threads < loader->options.num_workers &&
           pthread_create(&loader->threads[loader->n_threads], NULL, run_worker, loader) == 0)
        loader->n_threads++;
}

/* ---- making ---- */

static void end_loader(void *arg) {
    loader_body *loader = arg;
    stop_workers(loader);
    pthread_cond_destroy(&loader->done);
    pthread_cond_destroy(&loader->work);
    pthread_mutex_destroy(&loader->lock);
}

static bool options_valid(tern_ctx *ctx, const tern_loader_options *o) {
    if (o->batch_size <= 0)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "DataLoader: batch_size should be a positive integer value, but got "
                  "batch_size=%lld",
                  (long long)o->batch_size);
    else if (o->num_workers < 0 || o->num_workers > MAX_WORKERS || o->prefetch_factor < 1 ||
             o->prefetch_factor > MAX_PREFETCH)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "DataLoader: num_workers=%d, prefetch_factor=%d: choose 0 to %d and 1 to %d",
                  o->num_workers, o->prefetch_factor, MAX_WORKERS, MAX_PREFETCH);
    else if (o->sampler && o->shuffle)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "DataLoader: sampler option is mutually exclusive with shuffle");
    else
        return true;
    return false;
}

/* Memory for the order of an epoch and for the slots. */
static bool make_slots(loader_body *loader) {
    const tern_dataset_body *dataset = loader->dataset;
    int64_t samples = loader->samples, rows = loader->options.batch_size;
    if (rows > samples) rows = samples;
    uint64_t total = 0, field;
    if ((uint64_t)samples >= SIZE_MAX / sizeof *loader->order) {
        tern_fail(loader->ctx, TERN_ERR_ARGUMENT, "DataLoader: an epoch of %lld is too long",
                  (long long)samples);
        return false;
    }
    for (int f = 0; f < dataset->n_fields; f++) {
        loader->offsets[f] = (size_t)total;
        if (!tern_size_mul(dataset->bytes[f], (uint64_t)rows, &field) ||
            !tern_size_add(total, (field + 63) / 64 * 64, &total) || total > SIZE_MAX / 2) {
            tern_fail(loader->ctx, TERN_ERR_ARGUMENT, "DataLoader: a batch of %lld is too large",
                      (long long)rows);
            return false;
        }
    }
    loader->n_slots = 1;
    if (loader->options.num_workers)
        loader->n_slots = (int64_t)loader->options.num_workers * loader->options.prefetch_factor;
    loader->order = tern_scope_alloc(loader->ctx, ((size_t)samples + 1) * sizeof *loader->order);
    loader->slots = tern_scope_alloc(loader->ctx, (size_t)loader->n_slots * sizeof *loader->slots);
    if (!loader->order || !loader->slots) return false;
    for (int64_t i = 0; i < loader->n_slots; i++)
        if (!(loader->slots[i].data = tern_scope_alloc(loader->ctx, (size_t)total + 1)))
            return false;
    return true;
}

/* Of the context's, with options that were checked. */
static loader_body *build(tern_dataset_body *dataset, const tern_loader_options *o) {
    tern_ctx *ctx = dataset->ctx;
    loader_body *loader = tern_scope_alloc(ctx, sizeof *loader);
    if (!loader) return NULL;
    loader->ctx = ctx;
    loader->dataset = dataset;
    loader->dataset_handle = dataset->handle;
    loader->options = *o;
    loader->sampler = o->sampler;
    if (!o->sampler)
        loader->sampler =
            o->shuffle ? tern_random_sampler_new(ctx, dataset->length, false, 0, o->generator)
                       : tern_sequential_sampler_new(ctx, dataset->length);
    if (!tern_sampler_of(loader->sampler, "DataLoader")) return NULL;
    loader->samples = tern_sampler_length(loader->sampler);
    if (!make_slots(loader)) return NULL;
    loader->batches = tern_batch_count(loader->samples, o->batch_size, o->drop_last);
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->work, NULL);
    pthread_cond_init(&loader->done, NULL);
    return tern_defer(ctx, end_loader, loader) == TERN_OK ? loader : NULL;
}

tern_loader *tern_loader_new(tern_dataset *dataset, const tern_loader_options *options) {
    tern_loader_options o = TERN_LOADER_OPTIONS;
    tern_dataset_body *body = tern_dataset_of(dataset, "tern_loader_new");
    if (!body || !tern_options_read(body->ctx, "DataLoader", options, &o)) return NULL;
    if (!options_valid(body->ctx, &o)) return NULL;
    return tern_handle_new(body->ctx, LOADER, build(body, &o));
}

static loader_body *loader_of(const tern_loader *loader, const char *function) {
    return tern_handle_object(loader, LOADER, function);
}

void tern_loader_stop(tern_loader *loader) {
    loader_body *body = loader_of(loader, "tern_loader_stop");
    if (body) stop_workers(body);
}

int64_t tern_loader_length(const tern_loader *loader) {
    const loader_body *body = loader_of(loader, "tern_loader_length");
    return body ? body->batches : 0;
}

/* ---- an epoch ---- */

static tern_status draw_order(loader_body *loader) {
    tern_sampler_body *sampler = tern_sampler_of(loader->sampler, "DataLoader");
    if (!sampler) return tern_check(loader->ctx);
    tern_status status = tern_sampler_order(sampler, loader->order);
    loader->drawn = status == TERN_OK;
    return status;
}

tern_status tern_loader_begin(tern_loader *handle) {
    loader_body *loader = loader_of(handle, "tern_loader_begin");
    if (!loader) return tern_handle_status(handle);
    stop_workers(loader);
    tern_dataset_of(loader->dataset_handle, "tern_loader_begin");
    if (tern_error(loader->ctx)[0]) return tern_check(loader->ctx);
    tern_generator *generator = loader->options.generator;
    loader->seed =
        tern_generator_next_u64(generator ? generator : tern_default_generator(loader->ctx));
    loader->begun = true;
    loader->drawn = loader->exhausted = false;
    loader->next = loader->shown = loader->n_shown = 0;
    if (loader->options.num_workers == 0) return TERN_OK;
    tern_status status = draw_order(loader);
    if (status == TERN_OK) start_workers(loader);
    return status;
}

/* The batch in its slot, stacked. */
static slot *wait_for(loader_body *loader) {
    slot *from = &loader->slots[loader->next % loader->n_slots];
    if (loader->n_threads == 0) {
        stack(loader, loader->next, from);
        return from;
    }
    pthread_mutex_lock(&loader->lock);
    while (!from->ready) pthread_cond_wait(&loader->done, &loader->lock);
    pthread_mutex_unlock(&loader->lock);
    return from;
}

static void release(loader_body *loader, slot *from) {
    pthread_mutex_lock(&loader->lock);
    from->ready = false;
    loader->next++;
    pthread_cond_broadcast(&loader->work);
    pthread_mutex_unlock(&loader->lock);
}

static void upload(loader_body *loader, const slot *from, int64_t count, tern_tensor **out_batch) {
    const tern_dataset_body *dataset = loader->dataset;
    for (int f = 0; f < dataset->n_fields; f++) {
        tern_shape sample = dataset->fields[f].shape, shape = {sample.rank + 1, {count}};
        for (int32_t d = 0; d < sample.rank; d++) shape.dim[d + 1] = sample.dim[d];
        out_batch[f] = tern_from_data_async(loader->ctx, from->data + loader->offsets[f], shape,
                                            dataset->fields[f].dtype, NULL);
    }
}

/* A batch that is short, or asking for one past the last, exhausts the sampler. */
static void exhaust(loader_body *loader, bool short_batch) {
    if (loader->exhausted || !short_batch) return;
    loader->exhausted = true;
    tern_sampler_body *sampler = tern_sampler_of(loader->sampler, "DataLoader");
    if (sampler) tern_sampler_exhaust(sampler);
}

bool tern_loader_next(tern_loader *handle, tern_tensor **out_batch) {
    loader_body *loader = loader_of(handle, "tern_loader_next");
    if (!loader || !loader->begun) return false;
    tern_ctx *ctx = loader->ctx;
    if (!tern_argument_given(ctx, "tern_loader_next", "out_batch", out_batch)) return false;
    for (int f = 0; f < loader->dataset->n_fields; f++) out_batch[f] = tern_nil(ctx);
    if (!tern_dataset_of(loader->dataset_handle, "tern_loader_next")) return false;
    if (tern_error(ctx)[0] || (!loader->drawn && draw_order(loader) != TERN_OK)) return false;
    if (loader->next >= loader->batches) {
        exhaust(loader, true);
        stop_workers(loader);
        return false;
    }
    int64_t batch = loader->next, count = batch_samples(loader, batch);
    slot *from = wait_for(loader);
    if (from->bad >= 0)
        tern_fail(ctx, TERN_ERR_IO, "DataLoader: batch %lld: sample %lld of %lld cannot be read",
                  (long long)batch, (long long)from->bad, (long long)loader->dataset->length);
    else
        upload(loader, from, count, out_batch);
    loader->shown = batch * loader->options.batch_size;
    loader->n_shown = count;
    release(loader, from);
    exhaust(loader, count < loader->options.batch_size);
    return !tern_error(ctx)[0];
}

const int64_t *tern_loader_indices(const tern_loader *handle, size_t *out_count) {
    const loader_body *loader = loader_of(handle, "tern_loader_indices");
    if (out_count) *out_count = loader ? (size_t)loader->n_shown : 0;
    return loader ? loader->order + loader->shown : NULL;
}
