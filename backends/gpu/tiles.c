/*
 * Tiles of products by what a device is like (kernels/tile.h).
 *
 * Large tiles move less memory for each result, small ones give more groups to share. A device takes the first
 * tile of its kind that fits into the memory of a group and of which there are enough for all its units, else the
 * last that fits.
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

gpu_tile gpu_tile_of(const gpu_device *device, int32_t number_class, int64_t m, int64_t n,
                     int64_t batch) {
    int wide = number_class != GPU_F32;
    const gpu_tile *last = NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const gpu_tile *tile = &table[i].tiles[wide];
        if (table[i].kind != device->kind || !fits(device, tile, wide ? 8 : 4)) continue;
        last = tile;
        if (is_enough(device, tile, m, n, batch)) break;
    }
    return last ? *last : table[GPU_COUNT_OF(table) - 1].tiles[wide];
}
