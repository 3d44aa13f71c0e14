/*
 * gemm.c: a product cut into blocks that the caches hold, and the blocks given to the threads.
 *
 *     for each part of out, m1 by n1, and each k1 of k (what is packed at once):
 *         pack a [m1, k1] and b [k1, n1], block by block            (parallel)
 *         for each block of out, mc by nb:  add the product to it   (parallel, gemm_block.inc)
 *
 * A panel of b, k1 long, stays in the first cache (with AVX-512 in the second), mc rows of a in the second.
 * Where k is cut follows from the sizes alone, and it is never shared among threads, so the bits are the same for
 * any number of them, and for any blocks.
 *
 * Where all rows of a fit the second cache, each panel of b is packed on the stack right before it is used, so
 * that it never leaves the first cache. Where blocks are whole columns of the part and a is read where it lies,
 * a block packs its own columns, and no thread waits for another between the parts of k.
 *
 * An operand that is small, or used only a few times, is read where it lies. Sums go to out directly where
 * its rows are contiguous and of the type that is summed in, or where they are rounded and all k are summed at once;
 * else to scratch memory, and from there through `finish`.
 */
#include <stdatomic.h>
#include <unistd.h>

#include "../cpu_ref/walk.h"
#include "gemm_number.h"
#include "gemm_weights.h"

/* Bytes. Written when a device opens, always the same. */
static _Atomic int64_t first_cache = 32 << 10, second_cache = 256 << 10;

/* The most that is packed of an operand at once, in elements, and the side of sums that wait apart. */
#define PACKED (INT64_C(1) << 21)
#define APART  1024
/* So many k at once are enough for sums to go through memory seldom. A tile of AVX-512 reads its panel slowly
 * enough for that to come from the second cache. */
#define ENOUGH_K (SIMD_BYTES == 64 ? 512 : 128)
/* Bytes of panels of b that are packed where they are used. */
#define NEAR_PANELS (16 << 10)
/* Multiplications of a block where each thread has one. */
#define BLOCK_WORK 0x1p22
/* The most rows of a block: a part of the second cache, which panels of b pass through and rows of out. */
#define MOST_ROWS (SIMD_BYTES == 64 ? 112 : 256)
/* The fewest rows of a block that threads share. */
#define BLOCK_ROWS 16

typedef struct gemm_job {
    tern_simd_product p;
    const tern_simd_number *number;
    int64_t in_size;
    bool packs_a, packs_b;
    bool sums_apart;    /* not in out */
    int32_t rounds_to;  /* of out, as a tile's sums leave it (tern_simd_sink) */
    bool by_panels;     /* b is packed panel by panel, where it is used */
    bool by_columns;    /* each block is whole columns, packs what it needs of b, and takes all k */
    int64_t mc, nb;     /* rows of a that are packed and multiplied at once, columns of a block */
    int64_t mb;         /* rows of a block: mc, or more where b is packed panel by panel */
    int64_t i, j, k;    /* where the part begins */
    int64_t m1, n1, k1; /* its size */
    int64_t across;     /* blocks in a row of the part */
    char *a, *b, *sums; /* packed, and sums [m1, n1] */
    const char *kept;   /* all of b, packed before; NULL where it is not */
} gemm_job;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static int64_t divided(int64_t n, int64_t by) {
    return (n + by - 1) / by;
}
static int64_t multiple(int64_t n, int64_t of) {
    return divided(n, of) * of;
}

static void look_up(int name, _Atomic int64_t *cache, int64_t low, int64_t high) {
    int64_t bytes = sysconf(name);
    if (bytes > 0) *cache = most(low, least(bytes, high));
}

void tern_simd_gemm_init(void) {
#if defined(_SC_LEVEL1_DCACHE_SIZE) && defined(_SC_LEVEL2_CACHE_SIZE)
    look_up(_SC_LEVEL1_DCACHE_SIZE, &first_cache, 16 << 10, 128 << 10);
    look_up(_SC_LEVEL2_CACHE_SIZE, &second_cache, 128 << 10, 4 << 20);
#else
    (void)look_up;
#endif
}

/* Elements that k of a row or column take where they are packed. */
static int64_t packed_k(const tern_simd_number *number, int64_t k) {
    return divided(k, number->k_together);
}
static int64_t depth_of(const gemm_job *job) {
    return packed_k(job->number, job->k1);
}

/* ---- packing --------------------------------------------------------------------------------- */

/* The columns of b that are read where they lie; those behind them are less than a panel, and packed. */
static int64_t unpacked(const gemm_job *job) {
    return job->packs_b ? 0 : job->n1 / job->number->panel * job->number->panel;
}

static void pack_a(const gemm_job *job, int64_t i) {
    const tern_simd_product *p = &job->p;
    int64_t rows = least(job->mc, job->m1 - i);
    int64_t at = (job->i + i) * p->rs_a + job->k * p->cs_a;
    job->number->pack_rows[p->in](rows, job->k1, (const char *)p->a + at * job->in_size, p->rs_a,
                                  p->cs_a, job->a + i * depth_of(job) * job->number->size);
}

/* Columns j .. end of the part. */
static void pack_b(const gemm_job *job, int64_t j, int64_t end, void *packed) {
    const tern_simd_product *p = &job->p;
    int64_t at = job->k * p->rs_b + (job->j + j) * p->cs_b;
    job->number->pack_columns[p->in](end - j, job->k1, (const char *)p->b + at * job->in_size,
                                     p->cs_b, p->rs_b, packed);
}

/* Where columns from j on are packed, of a part whose b is packed at once. */
static char *packed_b(const gemm_job *job, int64_t j) {
    if (job->kept) /* all columns of the k before, and of these k those before */
        return (char *)job->kept +
               (packed_k(job->number, job->k) * multiple(job->p.n, job->number->panel) +
                (job->j + j) * depth_of(job)) *
                   job->number->size;
    return job->b + (j - unpacked(job)) * depth_of(job) * job->number->size;
}

/* Blocks of a that are packed. */
static int64_t blocks_of_a(const gemm_job *job) {
    return job->packs_a ? divided(job->m1, job->mc) : 0;
}

/* Columns of b that are packed before the product begins. */
static int64_t packed_before(const gemm_job *job) {
    return job->by_panels || job->kept ? 0 : job->n1 - unpacked(job);
}

/* Blocks of rows of a, and behind them blocks of columns of b. */
static void pack(void *arg, int64_t begin, int64_t end) {
    const gemm_job *job = arg;
    int64_t blocks_a = blocks_of_a(job), first = unpacked(job);
    for (int64_t u = begin; u < end; u++) {
        int64_t j = first + (u - blocks_a) * job->nb;
        if (u < blocks_a)
            pack_a(job, u * job->mc);
        else
            pack_b(job, j, least(j + job->nb, job->n1), packed_b(job, j));
    }
}

/* ---- multiplying ----------------------------------------------------------------------------- */

/* Where the sums of element (i, j) of the part go. */
static tern_simd_sink sink_at(const gemm_job *job, int64_t i, int64_t j) {
    const tern_simd_product *p = &job->p;
    int64_t size = job->number->size;
    if (job->sums_apart) {
        char *sums = job->sums + (i * job->n1 + j) * size;
        return tern_simd_sums_to(sums, job->n1, 1, false);
    }
    int64_t at = ((job->i + i) * p->rs_out + job->j + j) * tern_kit_size(p->out_dtype);
    int64_t c_at = (job->i + i) * p->rs_c + (job->j + j) * p->cs_c;
    const char *c = p->c ? (const char *)p->c + c_at * size : NULL;
    return (tern_simd_sink){.out = (char *)p->out + at,
                            .c = c,
                            .rs_out = p->rs_out,
                            .rs_c = p->rs_c,
                            .cs_c = p->cs_c,
                            .alpha = p->alpha,
                            .beta = p->beta,
                            .rounds_to = job->rounds_to};
}

/* Adds the product of a block of rows with columns of b: packed ones at `packed`, or as they lie (NULL). */
static void multiply(const gemm_job *job, int64_t i, int64_t j, int64_t n, const void *packed) {
    const tern_simd_product *p = &job->p;
    const int64_t size = job->number->size, panel = job->number->panel;
    const int64_t m = least(job->mc, job->m1 - i), k = depth_of(job);
    tern_simd_sink sink = sink_at(job, i, j);
    if (job->k > 0) { /* what there is already */
        sink.c = sink.out;
        sink.rs_c = sink.rs_out;
        sink.cs_c = 1;
        sink.beta = 1;
    }
    const char *a = job->a + i * k * size;
    if (!job->packs_a) a = (const char *)p->a + ((job->i + i) * p->rs_a + job->k * p->cs_a) * size;
    int64_t cs_a = job->packs_a ? 0 : p->cs_a;
    const char *b = (const char *)p->b + (job->k * p->rs_b + job->j + j) * size;
    if (packed)
        job->number->block(m, n, k, a, p->rs_a, cs_a, packed, panel * k, panel, &sink);
    else
        job->number->block(m, n, k, a, p->rs_a, cs_a, b, panel, p->rs_b, &sink);
}

static void finish(const gemm_job *job, int64_t i, int64_t j, int64_t n) {
    if (!job->sums_apart || job->k + job->k1 < job->p.k) return;
    tern_simd_number_of(&job->p)->finish(
        &job->p, job->i + i, job->j + j, least(job->mc, job->m1 - i), n,
        job->sums + (i * job->n1 + j) * job->number->size, job->n1);
}

/* A block: panels are multiplied as soon as they are packed. */
static void multiply_panels(const gemm_job *job, int64_t first, int64_t j) {
    double packed[NEAR_PANELS / sizeof(double)] __attribute__((aligned(64)));
    const int64_t last = least(first + job->mb, job->m1), end = least(j + job->nb, job->n1);
    const int64_t panel = job->number->panel, whole = least(end, unpacked(job));
    const int64_t near = panel * (NEAR_PANELS / (panel * depth_of(job) * job->number->size));
    for (int64_t i = first; i < last && whole > j; i += job->mc)
        multiply(job, i, j, whole - j, NULL);
    for (int64_t t = most(j, whole); t < end; t += near) {
        int64_t n = least(near, end - t);
        pack_b(job, t, t + n, packed);
        for (int64_t i = first; i < last; i += job->mc) multiply(job, i, t, n, packed);
    }
    for (int64_t i = first; i < last; i += job->mc) finish(job, i, j, end - j);
}

static void multiply_block(const gemm_job *job, int64_t i, int64_t j) {
    int64_t end = least(j + job->nb, job->n1), first = unpacked(job);
    int64_t middle = j < first ? least(end, first) : j;
    if (middle > j) multiply(job, i, j, middle - j, NULL);
    if (end > middle) multiply(job, i, middle, end - middle, packed_b(job, middle));
    finish(job, i, j, end - j);
}

static void multiply_blocks(void *arg, int64_t begin, int64_t end) {
    const gemm_job *job = arg;
    for (int64_t u = begin; u < end; u++) {
        int64_t i = u / job->across * job->mb, j = u % job->across * job->nb;
        if (job->by_panels)
            multiply_panels(job, i, j);
        else
            multiply_block(job, i, j);
    }
}

/* Blocks that are whole columns of the part, each with all k; it packs what it needs of b for each part of k. */
static void multiply_columns(void *arg, int64_t begin, int64_t end) {
    const gemm_job *job = arg;
    gemm_job part = *job;
    for (int64_t u = begin; u < end; u++) {
        const int64_t j = u * job->nb, last = least(j + job->nb, job->n1);
        const int64_t first = least(last, most(j, unpacked(job)));
        char *own = NULL;
        if (last > first)
            own = job->b + (first - unpacked(job)) * depth_of(job) * job->number->size;
        for (part.k = 0; part.k < job->p.k; part.k += job->k1) {
            part.k1 = least(job->k1, job->p.k - part.k);
            if (own) pack_b(&part, first, last, own);
            if (first > j) multiply(&part, 0, j, first - j, NULL);
            if (own) multiply(&part, 0, first, last - first, own);
            finish(&part, 0, j, last - j);
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* On the threads, but for what is done before one has woken up. */
static void spread(const tern_kit_call *call, int64_t units, int64_t work,
                   void (*fn)(void *, int64_t, int64_t), gemm_job *job) {
    if (units < 2 || work < TERN_SIMD_THREAD_WORK)
        fn(job, 0, units);
    else
        call->host->parallel_for(units, 1, fn, job);
}

static void run_part(const tern_kit_call *call, gemm_job *job) {
    int64_t work = job->m1 * job->n1 * job->k1, packed = packed_before(job);
    int64_t to_pack = (job->packs_a ? job->m1 * job->k1 : 0) + packed * job->k1;
    spread(call, blocks_of_a(job) + divided(packed, job->nb), 8 * to_pack, pack, job);
    spread(call, divided(job->m1, job->mb) * job->across, work, multiply_blocks, job);
}

/* A part of out, and each part of k for it; each packs what it needs. */
static void run_all_k(const tern_kit_call *call, gemm_job *job) {
    const int64_t k = job->p.k, k1 = job->k1;
    job->across = divided(job->n1, job->nb);
    if (job->by_columns) {
        spread(call, job->across, job->m1 * job->n1 * k, multiply_columns, job);
        return;
    }
    for (job->k = 0; job->k < k; job->k += k1) {
        job->k1 = least(k1, k - job->k);
        run_part(call, job);
    }
    job->k1 = k1;
}

static void run_parts(const tern_kit_call *call, gemm_job *job) {
    const tern_simd_product *p = &job->p;
    const int64_t m1 = job->m1, n1 = job->n1;
    for (job->j = 0; job->j < p->n; job->j += n1)
        for (job->i = 0; job->i < p->m; job->i += m1) {
            job->m1 = least(m1, p->m - job->i);
            job->n1 = least(n1, p->n - job->j);
            run_all_k(call, job);
        }
}

/* Whether `lines` of an operand's rows, one of each, stay in the first cache together: rows that are a power of
 * two apart displace one another there. */
static bool lines_fit(int64_t lines, int64_t stride, int64_t size) {
    int64_t apart = stride * size, sets = 4096;
    while (apart % sets != 0 && sets > 64) sets /= 2;
    return lines * sets <= first_cache;
}

/* What is packed, and what is read where it lies. */
static void choose_packing(gemm_job *job) {
    const tern_simd_product *p = &job->p;
    const bool native = job->in_size == job->number->size;
    const int64_t panel = job->number->panel, size = job->number->size;
    const int64_t k = least(p->k, first_cache / 2 / (panel * size));
    bool down = p->rs_a == 1 && p->cs_a != 0 && p->n <= 4 * panel;
    bool along = p->cs_a == 1 && lines_fit(TERN_SIMD_ROWS, p->rs_a, size) &&
                 p->n <= (p->rs_a * size % 4096 == 0 ? 8 : 16) * panel;
    bool few = p->m <= 2 * TERN_SIMD_ROWS;
    bool some = p->m <= 16 * TERN_SIMD_ROWS && lines_fit(k, p->rs_b, size);
    job->packs_a = !(native && (down || along));
    job->packs_b = job->kept || !(native && p->cs_b == 1 && (few || some));
}

/* How many k are packed, and multiplied, at once. */
static int64_t k_at_once(int64_t k, const tern_simd_number *number) {
    int64_t kc = most(ENOUGH_K, first_cache / 2 / (number->panel * number->size));
    return multiple(divided(k, divided(packed_k(number, k), kc)), number->k_together);
}

/* Where sums go. */
static void choose_sums(gemm_job *job) {
    const tern_simd_product *p = &job->p;
    const bool own = p->out_dtype == TERN_BT_FLOAT64 || p->out_dtype == TERN_BT_FLOAT32;
    const bool rounds = !own && !p->c && k_at_once(p->k, job->number) >= p->k;
    job->sums_apart = (!own && !rounds) || p->cs_out != 1 || (p->c && p->cs_c != 0 && p->cs_c != 1);
    job->rounds_to = rounds && !job->sums_apart ? p->out_dtype : 0;
}

/*
 * Whether threads share rows of out, and not columns. A thread that reads a row of an operand has mostly written it
 * too (pool.c), so rows of a and of out stay in the cache of one CPU, and columns of b where they are rows of what
 * it is the transpose of. By rows, half of b comes from the cache of another CPU, and where b is packed panel by
 * panel, each thread packs all of it; by columns, half of a and of out comes from there.
 */
static bool shares_rows(const gemm_job *job, int64_t threads) {
    const tern_simd_product *p = &job->p;
    const double by_columns = (double)p->m * (double)(p->k + p->n), b = (double)p->k * (double)p->n;
    if (p->m < threads * BLOCK_ROWS) return false;
    return by_columns + (p->rs_b == 1 ? 0 : b) >= (job->by_panels ? 2 : 1) * b;
}

/* Into how many blocks out is cut: what the caches hold; a block a thread where each has work; and where they have
 * much, more, for the threads to help each other. */
static void count_blocks(const gemm_job *job, int64_t threads, int64_t *down, int64_t *across) {
    const tern_simd_product *p = &job->p;
    const int64_t panel = job->number->panel, bytes = depth_of(job) * job->number->size;
    const double work = (double)p->m * (double)p->n * (double)job->k1;
    int64_t mc = most(4 * TERN_SIMD_ROWS, least(MOST_ROWS, second_cache / 2 / bytes));
    int64_t i = job->by_panels ? 1 : divided(p->m, mc), j = divided(p->n, 16 * panel);
    const bool rows = shares_rows(job, threads);
    int64_t *shared = rows ? &i : &j, most_shared = rows ? p->m / BLOCK_ROWS : p->n / panel;
    while (*shared < least(threads, most_shared) &&
           work / (double)(i * j) >= 2 * TERN_SIMD_THREAD_WORK)
        ++*shared;
    while (i * j < 16 && work / (double)(i * j) > BLOCK_WORK) {
        bool tall = p->m / i > p->n / j && !job->by_panels;
        if (tall && p->m / i > 4 * TERN_SIMD_ROWS)
            i++;
        else if (p->n / j > 2 * panel)
            j++;
        else
            break;
    }
    *down = i;
    *across = j;
}

static void choose_blocks(gemm_job *job, int64_t threads) {
    const tern_simd_product *p = &job->p;
    int64_t down, across;
    job->k1 = k_at_once(p->k, job->number);
    const int64_t bytes = depth_of(job) * job->number->size; /* of a row that is packed */
    job->by_panels = !job->kept && p->m * bytes <= second_cache / 4 * 3 &&
                     bytes * job->number->panel <= NEAR_PANELS;
    count_blocks(job, threads, &down, &across);
    job->by_columns = down == 1 && !job->packs_a && !job->by_panels && !job->kept;
    job->mb = divided(p->m, down);
    if (down != threads) job->mb = multiple(job->mb, TERN_SIMD_ROWS);
    job->mc = job->mb;
    if (job->by_panels) { /* the threads pack a, too */
        int64_t parts = divided(job->mb, 16 * TERN_SIMD_ROWS);
        job->mc = divided(job->mb, parts);
        job->mb = job->mc * parts;
    }
    job->nb = multiple(divided(p->n, across), job->number->panel);
}

/* How much of the operands is packed at once. */
static void choose_parts(gemm_job *job) {
    const tern_simd_product *p = &job->p;
    int64_t side = job->sums_apart ? APART : PACKED / depth_of(job);
    bool limits_m = job->packs_a || job->sums_apart;
    bool limits_n = packed_before(job) > 0 || job->sums_apart;
    int64_t m1 = most(1, side / job->mb) * job->mb, n1 = most(1, side / job->nb) * job->nb;
    job->m1 = limits_m ? least(m1, p->m) : p->m;
    job->n1 = limits_n ? least(n1, p->n) : p->n;
}

/* Whether it pays to compute out's transpose: the k of a and b are contiguous, and so many more columns are
 * than rows that packing them takes longer than to turn the sums. */
static bool turns(const tern_simd_product *p) {
    double packed = (double)p->k * (double)(p->n - p->m), turned = (double)p->m * (double)p->n;
    return p->cs_a == 1 && p->rs_b == 1 && tern_kit_size(p->in) == tern_kit_size(p->out_dtype) &&
           packed > 2 * turned;
}

/* out by columns is its transpose by rows. */
static void turn(tern_simd_product *p) {
    tern_simd_product t = *p;
    *p = (tern_simd_product){t.n,    t.m,      t.k,      t.in,    t.out_dtype, t.b,    t.a,
                             t.c,    t.out,    t.cs_b,   t.rs_b,  t.cs_a,      t.rs_a, t.cs_c,
                             t.rs_c, t.cs_out, t.rs_out, t.alpha, t.beta,      0,      t.is_chunk};
}

/* Elements of scratch memory: packed a, packed b, sums. */
static int64_t room_for(const gemm_job *job, int64_t *out_b, int64_t *out_sums) {
    int64_t a = job->packs_a ? job->m1 * depth_of(job) : 0;
    int64_t b = multiple(packed_before(job), job->number->panel) * depth_of(job);
    *out_b = multiple(a, 16);
    *out_sums = *out_b + multiple(b, 16);
    return *out_sums + (job->sums_apart ? job->m1 * job->n1 : 0);
}

/* `kept` is b, packed whole, or NULL. */
static int32_t multiply_parts(const tern_kit_call *call, const tern_simd_product *p,
                              const void *kept) {
    gemm_job job = {.p = *p,
                    .number = tern_simd_block_number_of(p),
                    .in_size = tern_kit_size(p->in),
                    .kept = kept};
    choose_sums(&job);
    choose_packing(&job);
    choose_blocks(&job, p->is_chunk ? 1 : call->host->thread_count());
    choose_parts(&job);
    int64_t b_at, sums_at, room = room_for(&job, &b_at, &sums_at);
    char *scratch = room ? tern_kit_take(call, room, (size_t)job.number->size) : NULL;
    if (room && !scratch) return TERN_BACKEND_OUT_OF_MEMORY;
    job.a = scratch;
    job.b = scratch ? scratch + b_at * job.number->size : NULL;
    job.sums = scratch ? scratch + sums_at * job.number->size : NULL;
    run_parts(call, &job);
    tern_kit_give(call, scratch);
    return TERN_BACKEND_OK;
}

/* ---- constant weights ------------------------------------------------------------------------ */

/* Fewer rows are no blocks (gemm_small.c), and of more rows packing is a small part. */
#define KEPT_MORE 16
#define KEPT_ROWS 256

static bool is_worth_keeping(const tern_simd_product *p) {
    return p->stamp_b && p->m > KEPT_MORE && p->m <= KEPT_ROWS && p->n > KEPT_MORE;
}

typedef struct whole_pack {
    const tern_simd_product *p;
    char *to;
} whole_pack;

/* Panels of all k. */
static void pack_panels(void *arg, int64_t begin, int64_t end) {
    const whole_pack *w = arg;
    const tern_simd_product *p = w->p;
    const tern_simd_number *number = tern_simd_block_number_of(p);
    const int64_t panel = number->panel, in_size = tern_kit_size(p->in);
    const int64_t columns = multiple(p->n, panel), k1 = k_at_once(p->k, number);
    const int64_t j = begin * panel, n = least(end * panel, p->n) - j;
    for (int64_t k = 0; k < p->k; k += k1) {
        int64_t some = least(k1, p->k - k);
        const char *from = (const char *)p->b + (k * p->rs_b + j * p->cs_b) * in_size;
        number->pack_columns[p->in](
            n, some, from, p->cs_b, p->rs_b,
            w->to + (packed_k(number, k) * columns + j * packed_k(number, some)) * number->size);
    }
}

/* True where b is a weight that is kept; then it is computed, with the status. */
static bool multiply_kept(const tern_kit_call *call, const tern_simd_product *p,
                          int32_t *out_status) {
    const tern_simd_number *number = tern_simd_block_number_of(p);
    int64_t panels = divided(p->n, number->panel), rows = packed_k(number, p->k) * number->size;
    bool is_ready;
    whole_pack pack = {p, NULL};
    void *packed;
    if (rows > PTRDIFF_MAX / (panels * number->panel)) return false;
    size_t bytes = (size_t)(rows * panels * number->panel);
    tern_simd_weight *weight = tern_simd_weight_take(call->kept, p, bytes, &packed, &is_ready);
    if (!weight) return false;
    if (!is_ready) {
        pack.to = packed;
        call->host->parallel_for(panels, TERN_SIMD_THREAD_WORK / (8 * rows) + 1, pack_panels,
                                 &pack);
        tern_simd_weight_is_packed(call->kept, weight);
    }
    *out_status = multiply_parts(call, p, packed);
    tern_simd_weight_give(call->kept, weight);
    return true;
}

/* Constant weights are never turned, so that it does not show in the bits when one begins to be kept. */
int32_t tern_simd_gemm(const tern_kit_call *call, tern_simd_product *p) {
    int32_t status;
    if (p->beta == 0) p->c = NULL;
    if (p->rs_out == 1 && (p->cs_out != 1 || p->n == 1)) turn(p);
    const bool keeps = call->kept && is_worth_keeping(p);
    if (keeps && multiply_kept(call, p, &status)) return status;
    if (tern_simd_gemm_small(call, p, &status)) return status;
    if (!keeps && turns(p)) turn(p);
    return multiply_parts(call, p, NULL);
}
