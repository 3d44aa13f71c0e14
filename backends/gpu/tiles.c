/*
 * Tiles of products by what a device is like (kernels/tile.h).
 *
 * Large tiles move less memory for each result, small ones give more groups to share. A device takes the first
 * tile of its kind that fits into the memory of a group and of which there are enough for all its units, else the
 * last that fits. Where `tern tune` has measured (tune.c), the fastest of that size of results is taken.
 */
#include "call.h"

/* Of numbers of four bytes, and of eight. */
typedef struct row {
    gpu_kind kind;
    gpu_tile tiles[2];
} row;

static const row table[] = {
    /* 16 columns are two registers of 8 numbers; left and right of a slice are to stay in the second cache */
    {GPU_KIND_CORES, {{96, 128, 256, 4, 16, 1}, {96, 128, 128, 4, 8, 1}}},
    {GPU_KIND_CORES, {{48, 64, 256, 4, 16, 1}, {48, 64, 128, 4, 8, 1}}},
    {GPU_KIND_CORES, {{24, 32, 64, 4, 16, 1}, {24, 32, 32, 4, 8, 1}}},
    {GPU_KIND_LANES, {{128, 128, 16, 8, 8, 256}, {64, 64, 16, 4, 4, 256}}},
    {GPU_KIND_LANES, {{64, 64, 16, 4, 4, 256}, {64, 64, 16, 4, 4, 256}}},
    {GPU_KIND_LANES, {{32, 32, 16, 4, 4, 64}, {32, 32, 16, 4, 4, 64}}},
};

/* What `tern tune` tries beside them. */
static const row others[] = {
    {GPU_KIND_CORES, {{96, 128, 256, 6, 16, 1}, {96, 128, 128, 6, 8, 1}}},
    {GPU_KIND_CORES, {{96, 256, 128, 4, 16, 1}, {96, 256, 64, 4, 8, 1}}},
    {GPU_KIND_CORES, {{192, 128, 128, 6, 16, 1}, {192, 128, 64, 6, 8, 1}}},
    {GPU_KIND_CORES, {{96, 128, 256, 4, 32, 1}, {96, 128, 128, 4, 16, 1}}},
    {GPU_KIND_LANES, {{128, 64, 16, 8, 4, 256}, {128, 64, 16, 8, 4, 256}}},
    {GPU_KIND_LANES, {{64, 64, 8, 4, 4, 256}, {64, 64, 8, 4, 4, 256}}},
    {GPU_KIND_LANES, {{64, 64, 16, 8, 8, 64}, {64, 64, 16, 8, 4, 128}}},
    {GPU_KIND_LANES, {{64, 32, 16, 4, 4, 128}, {64, 32, 16, 4, 4, 128}}},
};

/* Bytes of tile_memory, at most. */
static uint64_t memory_of(const gpu_tile *t, uint64_t number) {
    uint64_t m = (uint64_t)t->m, n = (uint64_t)t->n, slice = (uint64_t)t->slice;
    uint64_t numbers = slice * (m + n + 8) + (t->lanes == 1 ? m * n : 0);
    return numbers * number + (m + n + slice) * 8 + (n + slice) * 40;
}

static bool fits(const gpu_device *device, const gpu_tile *tile, uint64_t number) {
    return (!device->most_lanes || tile->lanes <= device->most_lanes) &&
           (!device->shared_bytes || memory_of(tile, number) <= device->shared_bytes);
}

static bool is_enough(const gpu_device *device, const gpu_tile *tile, int64_t m, int64_t n,
                      int64_t batch) {
    int64_t groups = (m + tile->m - 1) / tile->m * ((n + tile->n - 1) / tile->n) * batch;
    return groups >= 2 * (int64_t)device->units;
}

bool gpu_tile_candidate(const gpu_device *device, int32_t number_class, int32_t k,
                        gpu_tile *out_tile) {
    int wide = number_class != GPU_F32;
    int32_t first = GPU_COUNT_OF(table), count = first + GPU_COUNT_OF(others);
    for (int32_t i = 0; i < count; i++) {
        const row *r = i < first ? &table[i] : &others[i - first];
        if (r->kind != device->kind || !fits(device, &r->tiles[wide], wide ? 8 : 4) || k-- > 0)
            continue;
        *out_tile = r->tiles[wide];
        return true;
    }
    return false;
}

#define SMALL    ((int64_t)128 * 128) /* results, at most */
#define MIDDLING ((int64_t)512 * 512)

gpu_tile *gpu_tile_tuned(gpu_device *device, int32_t number_class, int64_t m, int64_t n,
                         int64_t batch) {
    int64_t results = m * n * batch;
    int size = results <= SMALL ? 0 : results <= MIDDLING ? 1 : 2;
    return &device->tuned[number_class != GPU_F32][size];
}

gpu_tile gpu_tile_of(gpu_device *device, int32_t number_class, int64_t m, int64_t n,
                     int64_t batch) {
    int wide = number_class != GPU_F32;
    const gpu_tile *last = NULL, *tuned = gpu_tile_tuned(device, number_class, m, n, batch);
    if (tuned->m) return *tuned;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const gpu_tile *tile = &table[i].tiles[wide];
        if (table[i].kind != device->kind || !fits(device, tile, wide ? 8 : 4)) continue;
        last = tile;
        if (is_enough(device, tile, m, n, batch)) break;
    }
    return last ? *last : table[GPU_COUNT_OF(table) - 1].tiles[wide];
}
