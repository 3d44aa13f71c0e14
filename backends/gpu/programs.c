/*
 * programs.c: the programs of a device: sources with their options, built once and found again by key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "sources.h"

/* ---- the table ------------------------------------------------------------------------------- */

bool gpu_device_init(gpu_device *device, const tern_bdevice_vtable *vtable, const tern_host *host,
                     const gpu_driver *driver) {
    device->base.vtable = vtable;
    device->host = host;
    device->driver = driver;
    memset(device->programs, 0, sizeof device->programs);
    memset(device->compiled, 0, sizeof device->compiled);
    gpu_tune_load(device);
    return pthread_mutex_init(&device->lock, NULL) == 0;
}

void gpu_device_fini(gpu_device *device) {
    for (int i = 0; i < GPU_BUCKETS; i++) {
        while (device->programs[i]) {
            gpu_entry *entry = device->programs[i];
            device->programs[i] = entry->next;
            if (entry->program) device->driver->program_free(device, entry->program);
            device->host->free(entry);
        }
    }
    pthread_mutex_destroy(&device->lock);
}

/* By words, since every launch waits for it; a product mixes its high bits best, and an index takes the low ones. */
static uint64_t hash_of(const void *key, size_t size) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325), word;
    for (size_t i = 0; i < size; i += sizeof word) {
        word = 0;
        memcpy(&word, (const char *)key + i, size - i < sizeof word ? size - i : sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static gpu_entry *look_up(const gpu_device *device, uint64_t hash, const void *key, size_t size) {
    gpu_entry *entry = device->programs[hash % GPU_BUCKETS];
    while (entry &&
           (entry->hash != hash || entry->key_size != size || memcmp(entry->key, key, size) != 0))
        entry = entry->next;
    return entry;
}

/* An entry without a program; the lock is held. */
static gpu_entry *add(gpu_device *device, uint64_t hash, const void *key, size_t size) {
    gpu_entry *entry = device->host->alloc(sizeof *entry + size);
    if (!entry) return NULL;
    *entry =
        (gpu_entry){.next = device->programs[hash % GPU_BUCKETS], .hash = hash, .key_size = size};
    memcpy(entry->key, key, size);
    device->programs[hash % GPU_BUCKETS] = entry;
    return entry;
}

/* Builds what is not there; the lock is held. */
static int32_t build(const gpu_call *call, gpu_entry *entry, gpu_writer write, const void *what,
                     const char *const *entries) {
    gpu_device *device = call->device;
    char *source = write(device, what);
    if (!source)
        return tern_kit_fail(call->err, TERN_BACKEND_OUT_OF_MEMORY, "no memory for a source");
    int32_t status = device->driver->build(device, source, entries, &entry->program, call->err);
    device->host->free(source);
    return status;
}

static int32_t decline(tern_backend_error *err) {
    return tern_kit_fail(err, TERN_BACKEND_DECLINED,
                         "this kernel was not compiled ahead, and there is no compiler for it");
}

int32_t gpu_find_written(const gpu_call *call, const void *key, size_t key_size, gpu_writer write,
                         const void *what, const char *const *entries, gpu_program **out_program) {
    gpu_device *device = call->device;
    uint64_t hash = hash_of(key, key_size);
    pthread_mutex_lock(&device->lock);
    gpu_entry *entry = look_up(device, hash, key, key_size);
    int32_t status = TERN_BACKEND_OK;
    if (!entry) entry = add(device, hash, key, key_size);
    if (!entry)
        status = tern_kit_fail(call->err, TERN_BACKEND_OUT_OF_MEMORY, "no memory for a program");
    else if (!entry->program && !entry->declined)
        status = build(call, entry, write, what, entries);
    if (entry && status == TERN_BACKEND_DECLINED) entry->declined = true;
    if (status == TERN_BACKEND_OK) *out_program = entry->program;
    if (status == TERN_BACKEND_OK && !entry->program) status = decline(call->err);
    pthread_mutex_unlock(&device->lock);
    return status;
}

bool gpu_builds_now(const gpu_call *call, const void *key, size_t key_size, int32_t group,
                    uint64_t work, gpu_program **out_program) {
    gpu_device *device = call->device;
    uint64_t hash = hash_of(key, key_size);
    int64_t first = device->compiles_first;
    if (group == GPU_PLAIN) first *= 10;
    pthread_mutex_lock(&device->lock);
    gpu_entry *entry = look_up(device, hash, key, key_size);
    if (!entry) entry = add(device, hash, key, key_size);
    bool built = entry && entry->program, declined = entry && entry->declined;
    if (built) *out_program = entry->program;
    bool now = !built && !declined && device->compiled[group] < first;
    if (now) device->compiled[group]++;
    if (!built && !declined && !now && entry) {
        entry->interpreted += work;
        now = device->interprets_most && entry->interpreted > device->interprets_most;
    }
    pthread_mutex_unlock(&device->lock);
    return built || now;
}

/* ---- sources --------------------------------------------------------------------------------- */

/* A source: the files that it is made of, and its kernels. */
typedef struct source {
    const char *bodies[5]; /* NULL behind the last */
    const char *entries[4];
} source;

static const source sources[GPU_SOURCE_COUNT] = {
    [GPU_SOURCE_COPY] = {{gpu_text_positions, gpu_text_cell, gpu_text_copy}, {"fill", "copy"}},
    [GPU_SOURCE_REDUCE] = {{gpu_text_positions, gpu_text_reduce},
                           {"reduce_item", "reduce_group", "reduce_run"}},
    [GPU_SOURCE_PRODUCT] = {{gpu_text_tile, gpu_text_product, gpu_text_tile_sum}, {"product"}},
    [GPU_SOURCE_CONV] = {{gpu_text_window, gpu_text_tile, gpu_text_conv, gpu_text_tile_sum},
                         {NULL}},
    [GPU_SOURCE_POOL] = {{gpu_text_image, gpu_text_pool}, {NULL}},
    [GPU_SOURCE_RESIZE] = {{gpu_text_image, gpu_text_resize}, {NULL}},
    [GPU_SOURCE_SCAN] = {{gpu_text_functions, gpu_text_positions, gpu_text_scan}, {"scan"}},
    [GPU_SOURCE_SORT] = {{gpu_text_positions, gpu_text_sort},
                         {"sort_first", "sort_pass", "sort_last"}},
    [GPU_SOURCE_INDEX] = {{gpu_text_positions, gpu_text_cell, gpu_text_index},
                          {"gather", "scatter"}},
    [GPU_SOURCE_PICK] = {{gpu_text_positions, gpu_text_cell, gpu_text_pick},
                         {"resolve", "pick_get", "pick_put"}},
    [GPU_SOURCE_NONZERO] = {{gpu_text_positions, gpu_text_nonzero}, {"nonzero_count", "nonzero"}},
    [GPU_SOURCE_SOFTMAX] = {{gpu_text_functions, gpu_text_positions, gpu_text_fold,
                             gpu_text_softmax},
                            {NULL}},
    [GPU_SOURCE_EMBEDDING] = {{gpu_text_embedding}, {"embedding_grad"}},
    [GPU_SOURCE_CROSS_ENTROPY] = {{gpu_text_functions, gpu_text_fold, gpu_text_cross_entropy},
                                  {"cross_entropy", "cross_entropy_sum", "cross_entropy_grad"}},
    [GPU_SOURCE_ATTENTION] = {{gpu_text_fold, gpu_text_attention}, {NULL}},
    [GPU_SOURCE_RECURRENT] = {{gpu_text_functions, gpu_text_recurrent}, {NULL}},
    [GPU_SOURCE_NORM] = {{gpu_text_positions, gpu_text_fold, gpu_text_norm}, {NULL}},
};

/* Where what is built depends on DIRECTION, there is one kernel for each. */
static const char *const directions[GPU_SOURCE_COUNT][5][3] = {
    [GPU_SOURCE_CONV] = {{"conv"}, {"conv_grad_input"}, {"conv_grad_weight"}},
    [GPU_SOURCE_POOL] = {{"max_pool"}, {"max_pool_grad"}, {"avg_pool"}, {"avg_pool_grad"}},
    [GPU_SOURCE_RESIZE] = {{"resize"}, {"resize_grad"}},
    [GPU_SOURCE_SOFTMAX] = {{"softmax"}, {"softmax_grad"}},
    [GPU_SOURCE_ATTENTION] = {{"attention"}, {"attention_grad_queries", "attention_grad_keys"}},
    [GPU_SOURCE_RECURRENT] = {{"recurrent"}, {"recurrent_back", "recurrent_grad_bias"}},
    [GPU_SOURCE_NORM] = {{"norm_forward"},
                         {"norm_grad_input"},
                         {"norm_grad_items", "norm_grad_groups"}},
};

const char *gpu_source_name(gpu_source of) {
    const char *first = sources[of].entries[0];
    return first ? first : directions[of][0][0];
}

char *gpu_compose(const gpu_device *device, const char *defines, const char *const *bodies) {
    const char *pieces[12] = {device->has_f64 ? "#define GPU_F64 1\n" : "", defines,
                              gpu_text_dialect, gpu_text_launch, gpu_text_numbers};
    size_t size = 1;
    int count = 5;
    for (int i = 0; bodies[i] && count < 12; i++) pieces[count++] = bodies[i];
    for (int i = 0; i < count; i++) size += strlen(pieces[i]);
    char *text = device->host->alloc(size), *at = text;
    for (int i = 0; text && i < count; i++) {
        size_t length = strlen(pieces[i]);
        memcpy(at, pieces[i], length);
        at += length;
    }
    if (text) *at = 0;
    return text;
}

/* What a source is written from; tile and epilogue are NULL where it has none. */
typedef struct tiled {
    const gpu_variant *variant;
    const gpu_tile *tile;
    const gpu_epilogue *epilogue;
} tiled;

/* A source behind the epilogue, which its results go through. */
static char *write_behind(const gpu_device *device, const char *defines,
                          const gpu_epilogue *epilogue, const char *const *bodies) {
    char *own = gpu_epilogue_write(device, epilogue);
    const char *all[8] = {gpu_text_functions, own};
    for (int i = 0; bodies[i] && i < 5; i++) all[2 + i] = bodies[i];
    char *text = own ? gpu_compose(device, defines, all) : NULL;
    device->host->free(own);
    return text;
}

#define TILE_NUMBERS 6

static void tile_numbers(const gpu_tile *tile, int64_t out[TILE_NUMBERS]) {
    const int64_t all[TILE_NUMBERS] = {tile->m,      tile->n,      tile->slice,
                                       tile->each_m, tile->each_n, tile->lanes};
    memcpy(out, all, sizeof all);
}

static char *write_variant(const gpu_device *device, const void *what) {
    static const char *const names[TILE_NUMBERS] = {"TILE_M", "TILE_N", "SLICE",
                                                    "EACH_M", "EACH_N", "TILE_LANES"};
    const gpu_variant *variant = ((const tiled *)what)->variant;
    const gpu_tile *tile = ((const tiled *)what)->tile;
    char defines[512];
    int64_t numbers[TILE_NUMBERS];
    int length = snprintf(defines, sizeof defines, "/* variant %s */\n#define CLASS %" PRId32 "\n",
                          gpu_source_name(variant->source), variant->number_class);
    for (int i = 0; i < GPU_OPTIONS && variant->options[i].name; i++)
        length +=
            snprintf(defines + length, sizeof defines - (size_t)length, "#define %s %" PRId64 "\n",
                     variant->options[i].name, variant->options[i].value);
    if (tile) tile_numbers(tile, numbers);
    for (int i = 0; tile && i < TILE_NUMBERS; i++)
        length += snprintf(defines + length, sizeof defines - (size_t)length,
                           "#define %s %" PRId64 "\n", names[i], numbers[i]);
    const char *const *bodies = sources[variant->source].bodies;
    const gpu_epilogue *epilogue = ((const tiled *)what)->epilogue;
    return epilogue ? write_behind(device, defines, epilogue, bodies)
                    : gpu_compose(device, defines, bodies);
}

/* What a program is found by. */
typedef struct key {
    int64_t numbers[2 + GPU_OPTIONS + TILE_NUMBERS];
    gpu_epilogue epilogue; /* up to its last step */
} key;

static const char *const with_epilogue[][2] = {
    [GPU_SOURCE_PRODUCT] = {"product_map"},
    [GPU_SOURCE_CONV] = {"conv_map"},
};

int32_t gpu_find_tiled(const gpu_call *call, const gpu_variant *variant, const gpu_tile *tile,
                       const gpu_epilogue *epilogue, gpu_program **out_program) {
    key k = {.numbers = {variant->source, variant->number_class}};
    size_t size = offsetof(key, epilogue);
    int64_t direction = 0;
    tiled what = {variant, tile, epilogue};
    for (int i = 0; i < GPU_OPTIONS && variant->options[i].name; i++) {
        k.numbers[2 + i] = variant->options[i].value;
        if (strcmp(variant->options[i].name, "DIRECTION") == 0)
            direction = variant->options[i].value;
    }
    if (tile) tile_numbers(tile, k.numbers + 2 + GPU_OPTIONS);
    const char *const *entries = sources[variant->source].entries;
    if (!entries[0]) entries = directions[variant->source][direction];
    if (epilogue) {
        memcpy(&k.epilogue, epilogue, sizeof *epilogue);
        size += offsetof(gpu_epilogue, steps) + sizeof *epilogue->steps * (size_t)epilogue->n_steps;
        entries = with_epilogue[variant->source];
    }
    return gpu_find_written(call, &k, size, write_variant, &what, entries, out_program);
}

int32_t gpu_find(const gpu_call *call, const gpu_variant *variant, gpu_program **out_program) {
    return gpu_find_tiled(call, variant, NULL, NULL, out_program);
}
