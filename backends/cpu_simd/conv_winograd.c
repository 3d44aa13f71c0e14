/*
 * CONV and CONV_GRAD_INPUT of 3 x 3 kernels (conv_winograd.h).
 */
#include "conv_winograd.h"

#include "simd_lanes.h"

#define LANES  F32_LANES
#define PANEL  WINOGRAD_PANEL
#define PLACES WINOGRAD_PLACES

/* Channels from which it pays. */
#define MIN_CHANNELS 16

/* Tiles whose products are made together: whole tiles of gemm.h, so few that they stay in the second level
 * cache with what is made of them. */
#define BLOCK (4 * TERN_SIMD_ROWS)

/* Products below which a chunk of parallel_for is not worth a thread. */
#define CHUNK_PRODUCTS 250000

typedef struct winograd_job {
    tern_simd_winograd w;
    tern_simd_planes source, result;
    const float *plain;   /* the kernels as they are given */
    int64_t row, channel; /* in it, from one result to the next, and from one source */
    bool flipped;         /* the last tap comes first */
    float *weight;        /* G g G': [group, panel of results, place, source, PANEL] */
    const float *bias;    /* of all results, in whole panels a group, or NULL */
    int64_t panels;       /* of results */
    int64_t sum_place;    /* numbers from one place of a block's sums to the next */
    int64_t slot_numbers;
    float *slots; /* for each thread: a strip, a block, its sums, the strip's results */
    atomic_int *busy;
    int slot_count;
    atomic_int infinite; /* a result is not finite */
} winograd_job;

/* ---- weights --------------------------------------------------------------------------------- */

/* One dimension of G g G': four of three. */
SIMD_INLINE void change_three(f32v a, f32v b, f32v c, f32v *to) {
    const f32v half = f32_set(0.5F);
    f32v ends = (a + c) * half, middle = b * half;
    to[0] = a;
    to[1] = ends + middle;
    to[2] = ends - middle;
    to[3] = c;
}

/* The kernels of a vector of results for one source: g[tap]. */
static void read_kernels(const winograd_job *job, const float *from, int64_t results, f32v *g) {
    f32v x[LANES];
    for (int q = 0; q < 9; q += LANES) {
        for (int r = 0; r < LANES; r++)
            x[r] = r < results
                       ? f32_load_some(from + r * job->row + q, 9 - q < LANES ? 9 - q : LANES)
                       : (f32v){0};
        f32_transpose(x);
        for (int i = 0; i < LANES && q + i < 9; i++) g[job->flipped ? 8 - q - i : q + i] = x[i];
    }
}

/* Vectors of results, counted over groups and panels. */
static void change_weights(void *arg, int64_t begin, int64_t end) {
    const winograd_job *job = arg;
    const tern_simd_winograd *w = &job->w;
    const int64_t place = w->sources * PANEL, vectors = job->panels * (PANEL / LANES);
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / vectors, m = i % vectors * LANES;
        int64_t results = w->results - m < LANES ? w->results - m : LANES;
        const float *from = job->plain + group * w->sources * w->results * 9 + m * job->row;
        float *to = job->weight + (group * job->panels + m / PANEL) * PLACES * place + m % PANEL;
        for (int64_t s = 0; s < w->sources; s++, from += job->channel, to += PANEL) {
            f32v g[9], x[3][4], u[4];
            read_kernels(job, from, results, g);
            for (int k = 0; k < 3; k++) change_three(g[k], g[k + 3], g[k + 6], x[k]);
            for (int r = 0; r < 4; r++) {
                change_three(x[0][r], x[1][r], x[2][r], u);
                for (int k = 0; k < 4; k++) f32_store(to + (r * 4 + k) * place, u[k]);
            }
        }
    }
}

/* ---- results --------------------------------------------------------------------------------- */

/* A' m A + bias of a vector of results; returns 0, or no number where one is not finite. */
SIMD_INLINE f32v change_sums(const float *m, int64_t place, f32v bias, float *to, int64_t row) {
    f32v x[2][4], odd = {0};
    SIMD_UNROLL
    for (int j = 0; j < 4; j++) {
        f32v m0 = f32_load(m + j * place), m1 = f32_load(m + (4 + j) * place);
        f32v m2 = f32_load(m + (8 + j) * place), m3 = f32_load(m + (12 + j) * place);
        x[0][j] = m0 + m1 + m2;
        x[1][j] = m1 - m2 - m3;
    }
    SIMD_UNROLL
    for (int i = 0; i < 2; i++) {
        f32v left = x[i][0] + x[i][1] + x[i][2] + bias, right = x[i][1] - x[i][2] - x[i][3] + bias;
        f32_store(to + i * row, left);
        f32_store(to + i * row + PANEL, right);
        odd += left * f32_set(0) + right * f32_set(0);
    }
    return odd;
}

/* The results of `count` tiles of a strip from `first` on, of one panel: [row, column, PANEL]. */
static f32v write_tiles(const winograd_job *job, const float *sums, const float *bias,
                        int64_t first, int64_t count, float *to) {
    const int64_t row = 2 * job->w.tiles[1] * PANEL;
    f32v odd = {0};
    for (int64_t v = 0; v < PANEL; v += LANES) {
        tern_simd_winograd_tile tile = tern_simd_winograd_first(&job->w, first);
        f32v add = bias ? f32_load(bias + v) : (f32v){0};
        for (int64_t t = 0; t < count; t++, tern_simd_winograd_next(&job->w, &tile))
            odd += change_sums(sums + t * PANEL + v, job->sum_place, add,
                               to + tern_simd_winograd_at(tile, row) + v, row);
    }
    return odd;
}

/* Rows of a strip's results go where they belong; `to` is the first channel's first of them. */
static void store_rows(const winograd_job *job, const float *from, int64_t results, int64_t rows,
                       char *to) {
    const int64_t width = job->w.out[1], row = 2 * job->w.tiles[1] * PANEL;
    f32v x[LANES];
    for (int64_t y = 0; y < rows; y++, from += row, to += job->result.spatial[1])
        for (int64_t v = 0; v < results; v += LANES)
            for (int64_t i = 0; i < width; i += LANES) {
                int64_t some = width - i < LANES ? width - i : LANES;
                for (int64_t p = 0; p < LANES; p++)
                    x[p] = f32_load(from + (i + (p < some ? p : 0)) * PANEL + v);
                f32_transpose(x);
                for (int64_t r = 0; r < LANES && v + r < results; r++)
                    f32_store_some(to + (v + r) * job->result.c + i * (int64_t)sizeof(float), x[r],
                                   some);
            }
}

/* ---- strips ---------------------------------------------------------------------------------- */

/* All results of `count` tiles from `first` on. */
static f32v run_block(const winograd_job *job, const float *weight, const float *bias,
                      const float *sources, int64_t first, int64_t count, float *sums, float *out) {
    const tern_simd_winograd *w = &job->w;
    const int64_t place = w->sources * PANEL, out_panel = 4 * w->strip * w->tiles[1] * PANEL;
    f32v odd = {0};
    for (int64_t p = 0; p < job->panels; p++, weight += PLACES * place, out += out_panel) {
        int64_t results = w->results - p * PANEL, n = results > LANES ? PANEL : LANES;
        for (int i = 0; i < PLACES; i++) {
            const tern_simd_sink sink =
                tern_simd_sums_to(sums + i * job->sum_place, PANEL, 1, false);
            tern_simd_block_f32(count, n, w->sources, sources + i * w->source_place, w->source_row,
                                1, weight + i * place, 0, PANEL, &sink);
        }
        odd += write_tiles(job, sums, bias ? bias + p * PANEL : NULL, first, count, out);
    }
    return odd;
}

static void run_strip(winograd_job *job, int64_t n, int64_t group, int64_t strip, float *turned) {
    const tern_simd_winograd *w = &job->w;
    float *sources = turned + w->turned, *sums = sources + w->changed;
    float *out = sums + PLACES * job->sum_place;
    int64_t start = tern_simd_winograd_start(w, strip);
    int64_t tiles = tern_simd_winograd_start(w, strip + 1) - start;
    int64_t first[2] = {w->first[0] + 2 * start, w->first[1]};
    int64_t count[2] = {2 * w->strip + 2, w->columns};
    const char *from = job->source.data + n * job->source.n + group * w->sources * job->source.c;
    char *to = job->result.data + n * job->result.n + group * w->results * job->result.c;
    const float *weight = job->weight + group * job->panels * PLACES * w->sources * PANEL;
    const float *bias = job->bias ? job->bias + group * job->panels * PANEL : NULL;
    f32v odd = {0};
    tern_simd_winograd_turn(&job->source, from, w->sources, w->in, first, count, turned);
    tiles *= w->tiles[1];
    for (int64_t t = 0; t < tiles; t += w->block) {
        int64_t some = tiles - t < w->block ? tiles - t : w->block;
        tern_simd_winograd_sources(w, turned, t, some, sources);
        odd += run_block(job, weight, bias, sources, t, some, sums, out);
    }
    for (int i = 0; i < LANES; i++)
        if (odd[i] != 0) atomic_store_explicit(&job->infinite, 1, memory_order_relaxed);
    int64_t rows = w->out[0] - 2 * start, most = 2 * (tiles / w->tiles[1]);
    if (rows > most) rows = most;
    to += 2 * start * job->result.spatial[1];
    for (int64_t p = 0; p < job->panels; p++, to += PANEL * job->result.c) {
        int64_t results = w->results - p * PANEL < PANEL ? w->results - p * PANEL : PANEL;
        store_rows(job, out + p * 4 * w->strip * w->tiles[1] * PANEL, results, rows, to);
    }
}

static void run_strips(void *arg, int64_t begin, int64_t end) {
    winograd_job *job = arg;
    const tern_simd_winograd *w = &job->w;
    int slot = tern_simd_slot_take(job->busy, job->slot_count);
    for (int64_t i = begin; i < end; i++) {
        int64_t plane = i / w->strips;
        run_strip(job, plane / w->groups, plane % w->groups, i % w->strips,
                  job->slots + slot * job->slot_numbers);
    }
    atomic_store(&job->busy[slot], 0);
}

/* ---- a launch -------------------------------------------------------------------------------- */

/* The bias of each group in whole panels. */
static void read_bias(const winograd_job *job, const tern_kit_tensor *bias, float *to) {
    const float *from = (const float *)(const void *)bias->data;
    for (int64_t g = 0; g < job->w.groups; g++)
        for (int64_t i = 0; i < job->panels * PANEL; i++)
            *to++ = i < job->w.results ? from[(g * job->w.results + i) * bias->strides[0]] : 0;
}

static int32_t run_all(winograd_job *job, const tern_simd_conv_call *c, float *bias) {
    const tern_simd_winograd *w = &job->w;
    const tern_host *host = c->call->host;
    int64_t tasks = w->n * w->groups * w->strips;
    double each = (double)(w->sources * w->results * 9) * (double)(4 * w->tiles[0] * w->tiles[1]) /
                  (double)w->strips;
    int64_t grain = each < CHUNK_PRODUCTS ? (int64_t)(CHUNK_PRODUCTS / each) : 1;
    job->slot_count = host->thread_count();
    if (job->slot_count > (tasks - 1) / grain + 1) job->slot_count = (int)((tasks - 1) / grain + 1);
    job->slots = tern_kit_take(c->call, job->slot_count * job->slot_numbers, sizeof(float));
    job->busy = tern_kit_take(c->call, job->slot_count, sizeof *job->busy);
    job->bias = bias;
    int32_t status = TERN_BACKEND_OUT_OF_MEMORY;
    if (job->slots && job->busy) {
        for (int i = 0; i < job->slot_count; i++) atomic_init(&job->busy[i], 0);
        if (bias) read_bias(job, c->bias, bias);
        int64_t vectors = w->groups * job->panels * (PANEL / LANES);
        int64_t some = CHUNK_PRODUCTS / (w->sources * 9 * LANES) + 1;
        host->parallel_for(vectors, some, change_weights, job);
        host->parallel_for(tasks, grain, run_strips, job);
        status = atomic_load(&job->infinite) ? TERN_BACKEND_DECLINED : TERN_BACKEND_OK;
    }
    tern_kit_give(c->call, job->busy);
    tern_kit_give(c->call, job->slots);
    return status;
}

int32_t tern_simd_conv_winograd(const tern_simd_conv_call *c, const tern_conv_attrs *attrs,
                                bool by_input) {
    winograd_job job = {.source = tern_simd_planes_of(c->source),
                        .result = tern_simd_planes_of(c->result),
                        .plain = (const float *)(const void *)c->weight->data,
                        .flipped = by_input};
    tern_simd_winograd *w = &job.w;
    if (!tern_simd_winograd_plan(w, c, attrs, by_input, MIN_CHANNELS, BLOCK))
        return TERN_BACKEND_DECLINED;
    job.row = by_input ? 9 : w->sources * 9;
    job.channel = by_input ? w->results * 9 : 9;
    job.panels = (w->results - 1) / PANEL + 1;
    job.sum_place = tern_simd_conv_spaced(w->block * PANEL, sizeof(float));
    job.slot_numbers = w->turned + w->changed + PLACES * job.sum_place +
                       job.panels * 4 * w->strip * w->tiles[1] * PANEL;
    atomic_init(&job.infinite, 0);
    int64_t weights = w->groups * job.panels * PLACES * w->sources * PANEL;
    int64_t biases = c->bias ? w->groups * job.panels * PANEL : 0;
    job.weight = tern_kit_take(c->call, weights + biases, sizeof(float));
    if (!job.weight) return TERN_BACKEND_OUT_OF_MEMORY;
    int32_t status = run_all(&job, c, c->bias ? job.weight + weights : NULL);
    tern_kit_give(c->call, job.weight);
    return status;
}
