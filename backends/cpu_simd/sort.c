/*
 * SORT: values and indices along one dimension, stable; NaN is the greatest.
 *
 * Elements become unsigned integers of the same order, their keys. Of floats a negative number has all
 * bits turned, another its sign; both zeros are one key, and all NaN are the greatest. For descending
 * order all bits of keys are turned. Values are read off the sorted keys, or where a key stands for
 * several, taken from the input.
 */
#include <stdatomic.h>
#include <string.h>

#include "../cpu_ref/kernels.h"
#include "kernels.h"
#include "lines.h"
#include "sort_items.h"

/* What a chunk of parallel_for has at least, in elements. */
#define GRAIN 4096

typedef struct sorting {
    const tern_kit_call *call;
    int32_t dtype;
    bool descending;
    atomic_bool out_of_memory;
} sorting;

/* ---- keys ---- */

/* infinity: its bits; `top`: the highest bit. */
static inline uint64_t float_key(uint64_t bits, uint64_t top, uint64_t infinity) {
    uint64_t magnitude = bits & (top - 1), all = 2 * top - 1;
    uint64_t key = bits & top && magnitude ? ~bits & all : bits | top;
    return magnitude > infinity ? all : key;
}

static inline uint64_t integer_key(uint64_t bits, uint64_t top) {
    return bits ^ top;
}

static const struct key_kind {
    int bits;
    bool floating, sign;
    uint64_t infinity;
} kinds[TERN_BT_COUNT] = {
    [TERN_BT_FLOAT32] = {32, true, true, 0x7f800000},
    [TERN_BT_FLOAT64] = {64, true, true, UINT64_C(0x7ff0000000000000)},
    [TERN_BT_FLOAT16] = {16, true, true, 0x7c00},
    [TERN_BT_BFLOAT16] = {16, true, true, 0x7f80},
    [TERN_BT_INT64] = {64, false, true, 0},
    [TERN_BT_INT32] = {32, false, true, 0},
    [TERN_BT_INT16] = {16, false, true, 0},
    [TERN_BT_INT8] = {8, false, true, 0},
    [TERN_BT_UINT8] = {8, false, false, 0},
    [TERN_BT_BOOL] = {8, false, false, 0},
};

static uint64_t all_bits(int bits) {
    return UINT64_MAX >> (64 - bits);
}

static inline uint64_t load_bits(int bits, const char *from) {
    uint64_t x64;
    uint32_t x32;
    uint16_t x16;
    switch (bits) {
    case 8: return (uint8_t)*from;
    case 16: memcpy(&x16, from, 2); return x16;
    case 32: memcpy(&x32, from, 4); return x32;
    default: memcpy(&x64, from, 8); return x64;
    }
}

static inline void store_bits(int bits, char *to, uint64_t x) {
    uint32_t x32 = (uint32_t)x;
    uint16_t x16 = (uint16_t)x;
    switch (bits) {
    case 8: *to = (char)x; break;
    case 16: memcpy(to, &x16, 2); break;
    case 32: memcpy(to, &x32, 4); break;
    default: memcpy(to, &x, 8); break;
    }
}

/* Inlined for each width, so that `kind` is known where it matters. */
static inline uint64_t key_of(const struct key_kind *kind, int bits, uint64_t x) {
    uint64_t top = UINT64_C(1) << (bits - 1);
    if (kind->floating) return float_key(x, top, kind->infinity);
    return kind->sign ? integer_key(x, top) : x;
}

/* The element of a key; false where the key stands for several. */
static inline bool element_of(const struct key_kind *kind, int bits, uint64_t key, uint64_t *out) {
    uint64_t top = UINT64_C(1) << (bits - 1), all = all_bits(bits);
    if (!kind->floating) {
        *out = kind->sign ? integer_key(key, top) : key;
        return true;
    }
    *out = key & top ? key ^ top : ~key & all;
    return key != all && key != top;
}

/* ---- lines ---- */

typedef struct line {
    const char *in;
    char *values;
    int64_t *places;
    int64_t in_step, value_step, place_step; /* the first two in bytes */
    int64_t n;
} line;

static inline void load_narrow(const sorting *s, int bits, line l, narrow_item *items) {
    const struct key_kind kind = kinds[s->dtype];
    uint64_t turn = s->descending ? all_bits(bits) : 0;
    for (int64_t i = 0; i < l.n; i++) {
        uint64_t key = key_of(&kind, bits, load_bits(bits, l.in + i * l.in_step)) ^ turn;
        items[i] = key << 32 | (uint64_t)i;
    }
}

static inline void store(const struct key_kind *kind, int bits, const line *l, int64_t i,
                         uint64_t key, int64_t place) {
    uint64_t x;
    if (!element_of(kind, bits, key, &x)) x = load_bits(bits, l->in + place * l->in_step);
    store_bits(bits, l->values + i * l->value_step, x);
    l->places[i * l->place_step] = place;
}

static inline void sort_narrow(const sorting *s, int bits, line l, narrow_item *items) {
    const struct key_kind kind = kinds[s->dtype];
    uint64_t turn = s->descending ? all_bits(bits) : 0;
    load_narrow(s, bits, l, items);
    const narrow_item *sorted = tern_simd_sort_narrow(items, items + l.n, l.n, bits);
    for (int64_t i = 0; i < l.n; i++)
        store(&kind, bits, &l, i, sorted[i] >> 32 ^ turn, (int64_t)(sorted[i] & UINT32_MAX));
}

static void sort_wide(const sorting *s, line l, wide_item *items) {
    const struct key_kind kind = kinds[s->dtype];
    uint64_t turn = s->descending ? UINT64_MAX : 0;
    for (int64_t i = 0; i < l.n; i++) {
        uint64_t key = key_of(&kind, 64, load_bits(64, l.in + i * l.in_step)) ^ turn;
        items[i] = (wide_item){key, (uint64_t)i};
    }
    const wide_item *sorted = tern_simd_sort_wide(items, items + l.n, l.n, 64);
    for (int64_t i = 0; i < l.n; i++)
        store(&kind, 64, &l, i, sorted[i].key ^ turn, (int64_t)sorted[i].place);
}

static void sort_line(const sorting *s, const line *l, void *scratch) {
    switch (kinds[s->dtype].bits) {
    case 8: sort_narrow(s, 8, *l, scratch); break;
    case 16: sort_narrow(s, 16, *l, scratch); break;
    case 32: sort_narrow(s, 32, *l, scratch); break;
    default: sort_wide(s, *l, scratch); break;
    }
}

static void sort_lines(void *arg, const line_group *g) {
    sorting *s = arg;
    int64_t size = tern_kit_size(s->dtype);
    void *scratch = tern_kit_take(s->call, g->length, 2 * sizeof(wide_item));
    if (!scratch) {
        atomic_store(&s->out_of_memory, true);
        return;
    }
    for (int64_t j = 0; j < g->count; j++) {
        line l = {.in = g->data[0] + j * g->across[0] * size,
                  .values = g->data[1] + j * g->across[1] * size,
                  .places = (int64_t *)(void *)g->data[2] + j * g->across[2],
                  .in_step = g->along[0] * size,
                  .value_step = g->along[1] * size,
                  .place_step = g->along[2],
                  .n = g->length};
        sort_line(s, &l, scratch);
    }
    tern_kit_give(s->call, scratch);
}

int32_t tern_simd_sort(const tern_kit_call *call) {
    const tern_sort_attrs *attrs = call->attrs;
    const tern_kit_tensor *in = &call->inputs[0], *values = &call->outputs[0];
    bool apart = in->data != values->data;
    bool short_lines = in->rank == 0 || in->shape[attrs->dim] <= UINT32_MAX;
    if (!apart || !short_lines || call->n_outputs < 2 || call->outputs[1].dtype != TERN_BT_INT64 ||
        values->dtype != in->dtype)
        return tern_ref_sort(call);
    sorting s = {.call = call, .dtype = in->dtype, .descending = attrs->descending != 0};
    atomic_init(&s.out_of_memory, false);
    tern_simd_each_line(call, attrs->dim, GRAIN, sort_lines, &s);
    return atomic_load(&s.out_of_memory) ? TERN_BACKEND_OUT_OF_MEMORY : TERN_BACKEND_OK;
}
