/*
 * What `tern tune` finds: with TERN_TUNE=1, the first product of each size and width of number is run with every
 * tile that fits, and the fastest is kept, in memory and beside the compiled programs. The sum over k is in order
 * in all of them, so tuning changes no result. TERN_TUNE=0 leaves out what was kept.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "call.h"

#define ROUNDS 5  /* of which the fastest run counts */
#define MOST   16 /* tiles */
#define GAIN                                                                                       \
    0.95 /* what another tile has to take of the own one's time, so that noise chooses nothing */

static gpu_cache_key key_of(const gpu_device *device) {
    return (gpu_cache_key){"tiles", {device->signature, "tiles of products, 1", ""}};
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Whether the tile is one that this version would try: what is read from a file has to be. */
static bool is_candidate(const gpu_device *device, int32_t number_class, const gpu_tile *tile) {
    gpu_tile own;
    for (int32_t k = 0; gpu_tile_candidate(device, number_class, k, &own); k++)
        if (memcmp(&own, tile, sizeof own) == 0) return true;
    return false;
}

void gpu_tune_load(gpu_device *device) {
    static const int32_t classes[2] = {GPU_F32, GPU_F64};
    const char *wanted = getenv("TERN_TUNE");
    size_t size;
    memset(device->tuned, 0, sizeof device->tuned);
    device->tunes = device->signature && wanted && strcmp(wanted, "1") == 0;
    if (!device->signature || (wanted && *wanted)) return;
    gpu_cache_key key = key_of(device);
    unsigned char *bytes = gpu_cache_load(device->host, &key, &size);
    if (bytes && size == sizeof device->tuned) memcpy(device->tuned, bytes, size);
    device->host->free(bytes);
    for (int wide = 0; wide < 2; wide++)
        for (int k = 0; k < GPU_SIZES; k++)
            if (!is_candidate(device, classes[wide], &device->tuned[wide][k]))
                device->tuned[wide][k].m = 0;
}

/* Seconds of the product with this tile; negative where the device cannot run it. */
static double seconds(const gpu_call *call, const gpu_product *product, const gpu_tile *tile) {
    tern_bdevice *base = &call->device->base;
    double start = now();
    if (gpu_start_product_by(call, product, tile) != TERN_BACKEND_OK ||
        base->vtable->queue_synchronize(base, call->queue, call->err) != TERN_BACKEND_OK)
        return -1;
    return now() - start;
}

static void report(const gpu_call *call, const gpu_product *product, const gpu_tile *tile,
                   double took) {
    char line[160];
    snprintf(line, sizeof line, "tile %dx%dx%d by %dx%d: a product of %lld by %lld takes %.3g ms",
             (int)tile->m, (int)tile->n, (int)tile->slice, (int)tile->each_m, (int)tile->each_n,
             (long long)product->l.m, (long long)product->l.n, took * 1e3);
    call->device->host->log(TERN_BACKEND_LOG_INFO, line);
}

/* Every tile in turn, and that again and again, so that other load on the machine meets them all. The first round
 * compiles and does not count. */
static int32_t measure(const gpu_call *call, const gpu_product *product, double *out_least) {
    gpu_tile tile;
    int32_t count = 0;
    for (int round = 0; round <= ROUNDS; round++) {
        int32_t number_class = gpu_class(call);
        for (count = 0;
             count < MOST && gpu_tile_candidate(call->device, number_class, count, &tile);
             count++) {
            double *least = &out_least[count];
            double took = round > 0 && *least < 0 ? -1 : seconds(call, product, &tile);
            if (round <= 1 || took < 0 || took < *least) *least = took;
        }
    }
    return count;
}

void gpu_tune(const gpu_call *call, const gpu_product *product) {
    gpu_device *device = call->device;
    int32_t number_class = gpu_class(call), best = -1;
    const gpu_product_launch *l = &product->l;
    gpu_tile *kept = gpu_tile_tuned(device, number_class, l->m, l->n, product->batch);
    gpu_tile own = gpu_tile_of(device, number_class, l->m, l->n, product->batch), tile;
    double least[MOST], fastest = 0, ours = 0;
    if (kept->m || number_class == GPU_I64 || !device->base.vtable->queue_synchronize) return;
    int32_t count = measure(call, product, least);
    for (int32_t k = 0; k < count; k++) {
        gpu_tile_candidate(device, number_class, k, &tile);
        if (least[k] < 0) continue;
        report(call, product, &tile, least[k]);
        if (memcmp(&tile, &own, sizeof tile) == 0) ours = least[k];
        if (best >= 0 && least[k] >= fastest) continue;
        fastest = least[k];
        best = k;
    }
    if (best < 0) return;
    gpu_tile_candidate(device, number_class, best, &tile);
    *kept = fastest < GAIN * ours || ours <= 0 ? tile : own;
    gpu_cache_key key = key_of(device);
    gpu_cache_store(&key, (const unsigned char *)device->tuned, sizeof device->tuned);
}
