#include "numerics/mt19937.h"

#include <string.h>

enum { WORDS = TERN_NUM_MT19937_WORDS };

/* Offsets in the 5056 bytes. */
enum {
    AT_SEED = 0,
    AT_LEFT = 8,
    AT_SEEDED = 12,
    AT_NEXT = 16,
    AT_WORDS = 24,
    AT_NORMAL = 5024,
    AT_NORMAL_VALID = 5040,
    AT_FLOAT_NORMAL = 5048,
    AT_FLOAT_NORMAL_VALID = 5052
};

void tern_num_mt19937_seed(tern_mt19937 *g, uint64_t seed) {
    memset(g, 0, sizeof *g);
    g->seed = seed;
    g->state[0] = (uint32_t)(seed & UINT32_MAX);
    for (uint32_t j = 1; j < WORDS; j++) {
        uint32_t previous = g->state[j - 1];
        g->state[j] = 1812433253U * (previous ^ (previous >> 30)) + j;
    }
    g->left = 1;
    g->next = 0;
}

static void put(uint8_t *at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)((value >> (8 * i)) & 0xffU);
}

static uint64_t take(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--) value = value << 8 | at[i];
    return value;
}

void tern_num_mt19937_get_state(const tern_mt19937 *g,
                                uint8_t out_bytes[TERN_NUM_MT19937_STATE_BYTES]) {
    memset(out_bytes, 0, TERN_NUM_MT19937_STATE_BYTES);
    put(out_bytes + AT_SEED, g->seed, 8);
    put(out_bytes + AT_LEFT, (uint64_t)g->left, 4);
    put(out_bytes + AT_SEEDED, 1, 4);
    put(out_bytes + AT_NEXT, g->next, 8);
    for (int j = 0; j < WORDS; j++) put(out_bytes + AT_WORDS + 8 * j, g->state[j], 8);
    uint64_t normal;
    uint32_t float_normal;
    memcpy(&normal, &g->next_normal, sizeof normal);
    memcpy(&float_normal, &g->next_float_normal, sizeof float_normal);
    put(out_bytes + AT_NORMAL, normal, 8);
    put(out_bytes + AT_NORMAL_VALID, g->has_next_normal ? 1 : 0, 4);
    put(out_bytes + AT_FLOAT_NORMAL, float_normal, 4);
    put(out_bytes + AT_FLOAT_NORMAL_VALID, g->has_next_float_normal ? 1 : 0, 1);
}

bool tern_num_mt19937_set_state(tern_mt19937 *g, const uint8_t *bytes, size_t size) {
    if (size != TERN_NUM_MT19937_STATE_BYTES) return false;
    uint64_t left = take(bytes + AT_LEFT, 4);
    uint64_t next = take(bytes + AT_NEXT, 8);
    bool valid = take(bytes + AT_SEEDED, 4) == 1 && left > 0 && left <= WORDS && next <= WORDS;
    if (!valid) return false;
    g->seed = take(bytes + AT_SEED, 8);
    g->left = (int32_t)left;
    g->next = (uint32_t)next;
    for (int j = 0; j < WORDS; j++)
        g->state[j] = (uint32_t)(take(bytes + AT_WORDS + 8 * j, 8) & UINT32_MAX);
    uint64_t normal = take(bytes + AT_NORMAL, 8);
    uint32_t float_normal = (uint32_t)take(bytes + AT_FLOAT_NORMAL, 4);
    memcpy(&g->next_normal, &normal, sizeof normal);
    memcpy(&g->next_float_normal, &float_normal, sizeof float_normal);
    g->has_next_normal = take(bytes + AT_NORMAL_VALID, 4) != 0;
    g->has_next_float_normal = bytes[AT_FLOAT_NORMAL_VALID] != 0;
    return true;
}
