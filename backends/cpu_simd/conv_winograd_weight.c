/*
 * CONV_GRAD_WEIGHT of 3 x 3 kernels (conv_winograd.h):
 *
 *     dW[k, c] = G' [ sum over tiles of (A dY[k] A') * (B' d[c] B) ] G
 *
 * The batch is cut into chunks by its size alone; each makes sums of its own, which are then added in order.
 */
#include "conv_winograd.h"

#include "simd_lanes.h"

#define LANES  F32_LANES
#define PANEL  WINOGRAD_PANEL
#define PLACES WINOGRAD_PLACES

/* Channels from which it pays. */
#define MIN_CHANNELS 12

/* Tiles over which products are summed before the sums go through memory. */
#define BLOCK 112

/* Products below which a chunk of parallel_for is not worth a thread, and the most chunks of a group. */
#define CHUNK_PRODUCTS 250000
#define MOST_CHUNKS    8

/* Bytes that the sums of all chunks may take, beyond those of one each. */
#define SUMS_BYTES (INT64_C(64) << 20)

typedef struct winograd_weight_job {
    tern_simd_winograd w;
    tern_simd_planes source, grad;
    int64_t chunks;               /* of a group */
    int64_t grad_row, grad_place; /* as source_row and source_place */
    int64_t grad_turned;          /* numbers of a strip of the gradient */
    float *sums;                  /* of groups and chunks: [place, result, source_row] */
    float *slots;                 /* for each thread: two strips and two blocks */
    int64_t slot_numbers;
    atomic_int *busy;
    int slot_count;
} winograd_weight_job;

/* A dY A' of a vector of results: y[2][2] to [4][4]. */
SIMD_INLINE void change_grad(const float *y, int64_t row, float *to, int64_t place) {
    f32v x[4][2];
    SIMD_UNROLL
    for (int j = 0; j < 2; j++) {
        f32v top = f32_load(y + j * PANEL), low = f32_load(y + row + j * PANEL);
        x[0][j] = top;
        x[1][j] = top + low;
        x[2][j] = top - low;
        x[3][j] = -low;
    }
    SIMD_UNROLL
    for (int i = 0; i < 4; i++, to += 4 * place) {
        f32_store(to, x[i][0]);
        f32_store(to + place, x[i][0] + x[i][1]);
        f32_store(to + 2 * place, x[i][0] - x[i][1]);
        f32_store(to + 3 * place, -x[i][1]);
    }
}

/* The same of `count` tiles of a strip from tile `first` on: [place, tile, result]. */
static void change_grads(const winograd_weight_job *job, const float *turned, int64_t first,
                         int64_t count, float *to) {
    const tern_simd_winograd *w = &job->w;
    tern_simd_winograd_change(w, 2 * w->strip, 2 * w->tiles[1] * PANEL, job->grad_row, first, count,
                              turned, to, job->grad_place, change_grad);
}

/* Adds a block's products to the sums; `fresh`: there are none yet. */
static void add_block(const winograd_weight_job *job, const float *sources, const float *grads,
                      int64_t count, bool fresh, float *sums) {
    const tern_simd_winograd *w = &job->w;
    for (int i = 0; i < PLACES; i++) {
        float *out = sums + i * w->results * w->source_row;
        const tern_simd_sink sink = tern_simd_sums_to(out, w->source_row, 1, !fresh);
        tern_simd_block_f32(w->results, w->source_row, count, grads + i * job->grad_place, 1,
                            job->grad_row, sources + i * w->source_place, PANEL, w->source_row,
                            &sink);
    }
}

/* Strip `strip` of image n. */
static void add_strip(const winograd_weight_job *job, int64_t n, int64_t group, int64_t strip,
                      bool fresh, float *turned, float *sums) {
    const tern_simd_winograd *w = &job->w;
    float *grad = turned + w->turned, *sources = grad + job->grad_turned;
    float *grads = sources + w->changed;
    int64_t start = tern_simd_winograd_start(w, strip);
    int64_t tiles = (tern_simd_winograd_start(w, strip + 1) - start) * w->tiles[1];
    int64_t first[2] = {w->first[0] + 2 * start, w->first[1]}, grad_first[2] = {2 * start, 0};
    int64_t count[2] = {2 * w->strip + 2, w->columns};
    int64_t grad_count[2] = {2 * w->strip, 2 * w->tiles[1]};
    tern_simd_winograd_turn(
        &job->source, job->source.data + n * job->source.n + group * w->sources * job->source.c,
        w->sources, w->in, first, count, turned);
    tern_simd_winograd_turn(&job->grad,
                            job->grad.data + n * job->grad.n + group * w->results * job->grad.c,
                            w->results, w->out, grad_first, grad_count, grad);
    for (int64_t t = 0; t < tiles; t += w->block, fresh = false) {
        int64_t some = tiles - t < w->block ? tiles - t : w->block;
        tern_simd_winograd_sources(w, turned, t, some, sources);
        change_grads(job, grad, t, some, grads);
        add_block(job, sources, grads, some, fresh, sums);
    }
}

static void run_chunks(void *arg, int64_t begin, int64_t end) {
    const winograd_weight_job *job = arg;
    const tern_simd_winograd *w = &job->w;
    const int64_t units = w->n * w->strips, numbers = PLACES * w->results * w->source_row;
    int slot = tern_simd_slot_take(job->busy, job->slot_count);
    for (int64_t i = begin; i < end; i++) {
        int64_t first = units * (i % job->chunks) / job->chunks;
        int64_t last = units * (i % job->chunks + 1) / job->chunks;
        for (int64_t unit = first; unit < last; unit++)
            add_strip(job, unit / w->strips, i / job->chunks, unit % w->strips, unit == first,
                      job->slots + slot * job->slot_numbers, job->sums + i * numbers);
    }
    atomic_store(&job->busy[slot], 0);
}

/* One dimension of G' x: three of four. */
SIMD_INLINE void change_four(f32v a, f32v b, f32v c, f32v d, f32v *to) {
    const f32v half = f32_set(0.5F);
    f32v sum = (b + c) * half;
    to[0] = a + sum;
    to[1] = (b - c) * half;
    to[2] = sum + d;
}

/* G' sums G of a result and a vector of sources, tap by tap. False where one is not finite. */
static bool change_sums(const float *sums, int64_t place, int64_t count, float *to) {
    f32v x[4][3], g[3], odd = {0};
    float taps[9][LANES];
    for (int i = 0; i < 4; i++, sums += 4 * place)
        change_four(f32_load(sums), f32_load(sums + place), f32_load(sums + 2 * place),
                    f32_load(sums + 3 * place), x[i]);
    for (int j = 0; j < 3; j++) {
        change_four(x[0][j], x[1][j], x[2][j], x[3][j], g);
        for (int i = 0; i < 3; i++) {
            f32_store(taps[i * 3 + j], g[i]);
            odd += g[i] * f32_set(0);
        }
    }
    bool finite = true;
    for (int64_t c = 0; c < count; c++) {
        for (int tap = 0; tap < 9; tap++) *to++ = taps[tap][c];
        finite = finite && odd[c] == 0;
    }
    return finite;
}

static bool write_weight(const winograd_weight_job *job, float *to) {
    const tern_simd_winograd *w = &job->w;
    const int64_t place = w->results * w->source_row, numbers = PLACES * place;
    bool finite = true;
    for (int64_t g = 0; g < w->groups; g++) {
        float *sums = job->sums + g * job->chunks * numbers;
        for (int64_t i = 1; i < job->chunks; i++)
            for (int64_t j = 0; j < numbers; j++) sums[j] += sums[i * numbers + j];
        for (int64_t m = 0; m < w->results; m++, sums += w->source_row)
            for (int64_t c = 0; c < w->sources; c += LANES) {
                int64_t some = w->sources - c < LANES ? w->sources - c : LANES;
                finite = change_sums(sums + c, place, some, to) && finite;
                to += some * 9;
            }
    }
    return finite;
}

static int32_t run_all(winograd_weight_job *job, const tern_simd_conv_call *c) {
    const tern_simd_winograd *w = &job->w;
    const tern_host *host = c->call->host;
    int64_t tasks = w->groups * job->chunks;
    job->slot_count = host->thread_count();
    if (job->slot_count > tasks) job->slot_count = (int)tasks;
    job->sums = tern_kit_take(c->call, tasks * PLACES * w->results * w->source_row, sizeof(float));
    job->slots = tern_kit_take(c->call, job->slot_count * job->slot_numbers, sizeof(float));
    job->busy = tern_kit_take(c->call, job->slot_count, sizeof *job->busy);
    int32_t status = TERN_BACKEND_OUT_OF_MEMORY;
    if (job->sums && job->slots && job->busy) {
        for (int i = 0; i < job->slot_count; i++) atomic_init(&job->busy[i], 0);
        host->parallel_for(tasks, 1, run_chunks, job);
        bool finite = write_weight(job, (float *)(void *)c->weight->data);
        status = finite ? TERN_BACKEND_OK : TERN_BACKEND_DECLINED;
    }
    tern_kit_give(c->call, job->busy);
    tern_kit_give(c->call, job->slots);
    tern_kit_give(c->call, job->sums);
    return status;
}

/* By the launch's sizes alone. */
static int64_t count_chunks(const tern_simd_winograd *w) {
    double products = (double)(w->sources * w->results * 9) *
                      (double)(4 * w->tiles[0] * w->tiles[1]) * (double)w->n;
    int64_t each = PLACES * w->results * w->source_row * (int64_t)sizeof(float);
    int64_t chunks = (MOST_CHUNKS - 1) / w->groups + 1, room = SUMS_BYTES / w->groups / each;
    if ((double)chunks > products / CHUNK_PRODUCTS) chunks = (int64_t)(products / CHUNK_PRODUCTS);
    if (chunks > w->n * w->strips) chunks = w->n * w->strips;
    if (chunks > room) chunks = room;
    return chunks < 1 ? 1 : chunks;
}

int32_t tern_simd_conv_winograd_weight(const tern_simd_conv_call *c, const tern_conv_attrs *attrs) {
    winograd_weight_job job = {.source = tern_simd_planes_of(c->source),
                               .grad = tern_simd_planes_of(c->result)};
    tern_simd_winograd *w = &job.w;
    if (!tern_simd_winograd_plan(w, c, attrs, false, MIN_CHANNELS, BLOCK))
        return TERN_BACKEND_DECLINED;
    job.chunks = count_chunks(w);
    job.grad_row = (w->results + LANES - 1) / LANES * LANES;
    job.grad_place = tern_simd_conv_spaced(w->block * job.grad_row, sizeof(float));
    job.grad_turned = ((w->results - 1) / PANEL + 1) * PANEL * 2 * w->strip * 2 * w->tiles[1];
    job.slot_numbers = w->turned + job.grad_turned + w->changed + PLACES * job.grad_place;
    return run_all(&job, c);
}
