/* gemm_weights.c: a table of sets, and in a set any place. */
#include "gemm_weights.h"

#define SETS   64
#define WAYS   8
#define PLACES (SETS * WAYS)
/* One that so many products have not asked for makes room. */
#define STALE 4096

struct tern_simd_weight {
    /* what it is: equal where all of this is */
    const void *b;
    int64_t n, k, rs, cs;
    int32_t in, sums; /* dtypes */
    /* and its contents */
    uint64_t stamp;
    uint64_t used; /* the turn that asked for it last; 0 is a place that is free */
    void *packed;  /* may be there before it is ready */
    size_t bytes;
    int32_t users;
    bool ready;
};

/* Held for a look at one set or at the whole table, never across a call of the host. */
static void lock(tern_simd_weights *weights) {
    while (atomic_flag_test_and_set_explicit(&weights->lock, memory_order_acquire)) {
    }
}

static void unlock(tern_simd_weights *weights) {
    atomic_flag_clear_explicit(&weights->lock, memory_order_release);
}

void tern_simd_weights_init(tern_simd_weights *weights, const tern_host *host, size_t limit) {
    *weights = (tern_simd_weights){.host = host, .limit = limit};
    atomic_flag_clear(&weights->lock);
}

void tern_simd_weights_fini(tern_simd_weights *weights) {
    tern_simd_weights_drop(weights);
    weights->host->free(weights->table);
}

/* ---- with the lock held ---------------------------------------------------------------------- */

static bool is(const tern_simd_weight *w, const tern_simd_product *p) {
    return w->used && w->b == p->b && w->n == p->n && w->k == p->k && w->rs == p->rs_b &&
           w->cs == p->cs_b && w->in == p->in && w->sums == p->out_dtype;
}

static tern_simd_weight *set_of(tern_simd_weights *weights, const tern_simd_product *p) {
    uint64_t hash = (uint64_t)(uintptr_t)p->b * UINT64_C(0x9e3779b97f4a7c15);
    return weights->table + (hash >> 58) * WAYS;
}

static bool is_idle(const tern_simd_weights *weights, const tern_simd_weight *w, uint64_t turns) {
    return w->users == 0 && weights->turn - w->used >= turns;
}

/* Takes the memory out of a weight, for the caller to free. */
static void *detach(tern_simd_weights *weights, tern_simd_weight *w) {
    void *memory = w->packed;
    if (memory) weights->bytes -= w->bytes;
    w->packed = NULL;
    w->ready = false;
    return memory;
}

/* The place for a product's b; NULL where the others of its set are in use. *out_memory is what lay there. */
static tern_simd_weight *place_for(tern_simd_weights *weights, const tern_simd_product *p,
                                   void **out_memory) {
    tern_simd_weight *set = set_of(weights, p), *oldest = NULL;
    for (int i = 0; i < WAYS; i++)
        if (is(&set[i], p)) return &set[i];
    for (int i = 0; i < WAYS; i++) {
        bool free = !set[i].used || is_idle(weights, &set[i], STALE);
        if (free && (!oldest || set[i].used < oldest->used)) oldest = &set[i];
    }
    if (!oldest) return NULL;
    *out_memory = detach(weights, oldest);
    *oldest = (tern_simd_weight){.b = p->b,
                                 .n = p->n,
                                 .k = p->k,
                                 .rs = p->rs_b,
                                 .cs = p->cs_b,
                                 .in = p->in,
                                 .sums = p->out_dtype};
    return oldest;
}

/* Whether the caller may use it, as one of several or, where it is not packed, alone. */
static bool enter(tern_simd_weights *weights, tern_simd_weight *w, uint64_t stamp) {
    w->used = weights->turn;
    if (w->stamp != stamp) {
        if (w->users) return false;
        w->stamp = stamp;
        w->ready = false;
        return false; /* contents that are used once are not worth it */
    }
    if (!w->ready && w->users) return false; /* another thread packs it */
    w->users++;
    return true;
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Frees what has been idle for so many turns; false where there was nothing. */
static bool drop_idle(tern_simd_weights *weights, uint64_t turns) {
    bool dropped = false;
    for (int i = 0; i < PLACES && weights->table; i++) {
        tern_simd_weight *w = &weights->table[i];
        lock(weights);
        void *memory = is_idle(weights, w, turns) ? detach(weights, w) : NULL;
        unlock(weights);
        if (memory) dropped = true;
        weights->host->free(memory);
    }
    return dropped;
}

bool tern_simd_weights_drop(tern_simd_weights *weights) {
    return drop_idle(weights, 0);
}

static bool reserve(tern_simd_weights *weights, size_t bytes) {
    lock(weights);
    bool fits = bytes <= weights->limit && weights->bytes <= weights->limit - bytes;
    if (fits) weights->bytes += bytes;
    unlock(weights);
    return fits;
}

/* Memory for a weight that the caller alone uses. */
static bool allocate(tern_simd_weights *weights, tern_simd_weight *w, size_t bytes) {
    if (w->packed) return true;
    if (!reserve(weights, bytes) && !(drop_idle(weights, STALE) && reserve(weights, bytes)))
        return false;
    void *memory = weights->host->alloc(bytes);
    lock(weights);
    w->packed = memory;
    w->bytes = bytes;
    if (!memory) weights->bytes -= bytes;
    unlock(weights);
    return memory != NULL;
}

static bool make_table(tern_simd_weights *weights) {
    tern_simd_weight *table = weights->host->alloc(PLACES * sizeof *table);
    if (!table) return false;
    memset(table, 0, PLACES * sizeof *table);
    lock(weights);
    if (!weights->table) {
        weights->table = table;
        table = NULL;
    }
    unlock(weights);
    weights->host->free(table);
    return true;
}

/* ---- use ------------------------------------------------------------------------------------- */

tern_simd_weight *tern_simd_weight_take(tern_simd_weights *weights, const tern_simd_product *p,
                                        size_t bytes, void **out_packed, bool *out_ready) {
    void *replaced = NULL;
    lock(weights);
    bool has_table = weights->table != NULL;
    unlock(weights);
    if (!has_table && !make_table(weights)) return NULL;
    lock(weights);
    weights->turn++;
    tern_simd_weight *w = place_for(weights, p, &replaced);
    if (w && !enter(weights, w, p->stamp_b)) w = NULL;
    *out_ready = w && w->ready;
    unlock(weights);
    weights->host->free(replaced);
    if (w && !allocate(weights, w, bytes)) {
        tern_simd_weight_give(weights, w);
        return NULL;
    }
    if (w) *out_packed = w->packed;
    return w;
}

void tern_simd_weight_is_packed(tern_simd_weights *weights, tern_simd_weight *weight) {
    lock(weights);
    weight->ready = true;
    unlock(weights);
}

void tern_simd_weight_give(tern_simd_weights *weights, tern_simd_weight *weight) {
    lock(weights);
    weight->users--;
    unlock(weights);
}
