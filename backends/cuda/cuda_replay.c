/*
 * Replays as graphs of the driver's: the kernels between two other calls on the queue are a chain, which is made once
 * and started by one call. In each later run the kernels are compared with those of the last: where arguments
 * differ (a number, an address), that node alone is set anew; where a kernel does, the chain is made again.
 *
 * A chain that the driver refuses is started kernel by kernel.
 */
#include <string.h>

#include "cuda.h"

#define MOST_ARGUMENTS 128
#define WORTH          3 /* kernels, of a chain: fewer are started as fast one by one */

/* A kernel with its arguments, one behind the other, in the units that `at` counts. */
typedef struct link {
    CUgraphNode node;
    CUfunction kernel;
    gpu_extent extent;
    int32_t count;
    size_t size;
    uint16_t at[MOST_ARGUMENTS];
    uint64_t words[];
} link;

typedef struct chain {
    link **links;
    int32_t count, capacity;
    int32_t next; /* of the run that is under way */
    CUgraph graph;
    CUgraphExec exec; /* NULL: it is to be made */
    bool is_refused;
} chain;

struct cuda_replay {
    chain *chains;
    int32_t count, current;
};

/* ---- chains ---------------------------------------------------------------------------------- */

/* The graph goes; the links stay. */
static void unmake(chain *own) {
    if (own->exec) cuda.graph_exec_destroy(own->exec);
    if (own->graph) cuda.graph_destroy(own->graph);
    own->exec = NULL;
    own->graph = NULL;
}

/* Forgets the links from `from` on. */
static void cut(chain *own, int32_t from) {
    if (from == own->count) return;
    unmake(own);
    own->is_refused = false;
    while (own->count > from) cuda_host->free(own->links[--own->count]);
}

/* An array of `count` elements with room for one more; NULL where there is no memory. */
static void *grown(void *array, int32_t count, int32_t *capacity, size_t size) {
    if (count < *capacity) return array;
    int32_t wider = count ? 2 * count : 16;
    void *larger = cuda_host->alloc((size_t)wider * size);
    if (!larger) return NULL;
    if (count) memcpy(larger, array, (size_t)count * size);
    cuda_host->free(array);
    *capacity = wider;
    return larger;
}

static size_t words_of(const gpu_argument *argument) {
    return argument->buffer ? 1 : (argument->size + 7) / 8;
}

/* The arguments as a link holds them; their words, which have to fit. */
static size_t pack(const cuda_start *start, uint16_t *at, uint64_t *words, size_t most) {
    size_t used = 0;
    for (int32_t i = 0; i < start->count; i++) {
        const gpu_argument *argument = &start->arguments[i];
        size_t size = words_of(argument);
        if (used + size > most) return 0;
        at[i] = (uint16_t)used;
        words[used + size - 1] = 0; /* what is behind a last odd byte is compared too */
        if (argument->buffer)
            words[used] = ((const cuda_buffer *)(const void *)argument->buffer)->at;
        else
            memcpy(&words[used], argument->bytes, argument->size);
        used += size;
    }
    return used;
}

static void point(link *own, void **parameters) {
    for (int32_t i = 0; i < own->count; i++) parameters[i] = &own->words[own->at[i]];
}

static CUDA_KERNEL_NODE_PARAMS describe(const link *own, void **parameters) {
    const int64_t *groups = own->extent.groups;
    return (CUDA_KERNEL_NODE_PARAMS){.func = own->kernel,
                                     .gridDimX = (unsigned)groups[0],
                                     .gridDimY = (unsigned)groups[1],
                                     .gridDimZ = (unsigned)groups[2],
                                     .blockDimX = (unsigned)own->extent.lanes,
                                     .blockDimY = 1,
                                     .blockDimZ = 1,
                                     .kernelParams = parameters};
}

static CUresult make(chain *own) {
    void *parameters[MOST_ARGUMENTS];
    CUresult code = cuda.graph_create(&own->graph, 0);
    for (int32_t i = 0; i < own->count && code == CUDA_SUCCESS; i++) {
        link *l = own->links[i];
        point(l, parameters);
        CUDA_KERNEL_NODE_PARAMS p = describe(l, parameters);
        code = cuda.graph_add_kernel(&l->node, own->graph, i ? &own->links[i - 1]->node : NULL,
                                     i > 0, &p);
    }
    if (code == CUDA_SUCCESS) code = cuda.graph_instantiate(&own->exec, own->graph, 0);
    if (code != CUDA_SUCCESS) {
        own->exec = NULL;
        unmake(own);
    }
    return code;
}

/* Starts what the run has of the chain. */
static CUresult run(chain *own, CUstream stream) {
    void *parameters[MOST_ARGUMENTS];
    CUresult code = CUDA_SUCCESS;
    cut(own, own->next);
    if (!own->exec && !own->is_refused && own->count >= WORTH)
        own->is_refused = make(own) != CUDA_SUCCESS;
    if (own->exec) return cuda.graph_launch(own->exec, stream);
    for (int32_t i = 0; i < own->count && code == CUDA_SUCCESS; i++) {
        point(own->links[i], parameters);
        code = cuda_start_now(stream, own->links[i]->kernel, &own->links[i]->extent, parameters);
    }
    return code;
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* The chain that is being met; NULL where there is no memory for one. */
static chain *chain_of(cuda_replay *own) {
    if (own->current < own->count) return &own->chains[own->current];
    chain *more = cuda_host->alloc((size_t)(own->count + 1) * sizeof *more);
    if (!more) return NULL;
    if (own->count) memcpy(more, own->chains, (size_t)own->count * sizeof *more);
    memset(&more[own->count++], 0, sizeof *more);
    cuda_host->free(own->chains);
    own->chains = more;
    return &more[own->current];
}

static bool is_same(const link *own, const cuda_start *start, const uint16_t *at, size_t size) {
    return own->kernel == start->kernel && own->count == start->count && own->size == size &&
           memcmp(own->at, at, sizeof *at * (size_t)start->count) == 0;
}

/* The kernel was there in the last run; false where its node could not be set. */
static bool renew(chain *own, link *l, const cuda_start *start, const uint64_t *words) {
    void *parameters[MOST_ARGUMENTS];
    if (memcmp(l->words, words, l->size * sizeof *words) == 0 &&
        memcmp(l->extent.groups, start->extent.groups, sizeof l->extent.groups) == 0 &&
        l->extent.lanes == start->extent.lanes)
        return true;
    memcpy(l->words, words, l->size * sizeof *words);
    l->extent = start->extent;
    if (!own->exec) return true;
    point(l, parameters);
    CUDA_KERNEL_NODE_PARAMS p = describe(l, parameters);
    if (cuda.graph_set_kernel(own->exec, l->node, &p) != CUDA_SUCCESS) unmake(own);
    return true;
}

bool cuda_replay_start(cuda_queue *queue, const cuda_start *start) {
    uint16_t at[MOST_ARGUMENTS];
    uint64_t words[512]; /* 4 KiB, all that a kernel takes */
    chain *own = chain_of(queue->replay);
    size_t size = pack(start, at, words, sizeof words / sizeof *words);
    if (!own || !size) return false;
    if (own->next < own->count && is_same(own->links[own->next], start, at, size))
        return renew(own, own->links[own->next++], start, words);
    cut(own, own->next);
    unmake(own);
    link **links = grown(own->links, own->count, &own->capacity, sizeof *links);
    if (links) own->links = links;
    link *l = links ? cuda_host->alloc(sizeof *l + size * sizeof *words) : NULL;
    if (!l) return false;
    memset(l, 0, sizeof *l);
    l->kernel = start->kernel;
    l->extent = start->extent;
    l->count = start->count;
    l->size = size;
    memcpy(l->at, at, sizeof *at * (size_t)start->count);
    memcpy(l->words, words, size * sizeof *words);
    own->links[own->count++] = l;
    own->next++;
    return true;
}

CUstream cuda_ordered(cuda_queue *queue) {
    cuda_replay *own = queue->replay;
    if (!own || own->current >= own->count || !own->chains[own->current].next) return queue->stream;
    CUresult code = run(&own->chains[own->current++], queue->stream);
    if (code != CUDA_SUCCESS) queue->replay_failed = code;
    return queue->stream;
}

/* ---- the slots ------------------------------------------------------------------------------- */

static void set_replay(cuda_device *self, cuda_queue *queue, cuda_replay *replay) {
    pthread_mutex_lock(&self->lock);
    queue->replay = replay;
    pthread_mutex_unlock(&self->lock);
}

int32_t cuda_replay_begin(tern_bdevice *base, tern_bqueue *queue, tern_breplay **replay,
                          tern_backend_error *err) {
    cuda_queue *to = (cuda_queue *)(void *)queue;
    cuda_replay *own = (cuda_replay *)(void *)*replay;
    if (!own) own = cuda_host->alloc(sizeof *own);
    if (!own) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    if (!*replay) memset(own, 0, sizeof *own);
    own->current = 0;
    for (int32_t i = 0; i < own->count; i++) own->chains[i].next = 0;
    *replay = (tern_breplay *)(void *)own;
    to->replay_failed = CUDA_SUCCESS;
    set_replay((cuda_device *)base, to, own);
    return TERN_BACKEND_OK;
}

int32_t cuda_replay_end(tern_bdevice *base, tern_bqueue *queue, tern_breplay *replay,
                        tern_backend_error *err) {
    cuda_device *self = (cuda_device *)base;
    cuda_queue *to = (cuda_queue *)(void *)queue;
    (void)replay;
    bool is_current = cuda_enter(self, err);
    if (is_current) cuda_ordered(to);
    set_replay(self, to, NULL);
    if (!is_current) return cuda_refusal(self);
    cuda_leave();
    return cuda_result(self, to, "starting a replay", to->replay_failed, err);
}

void cuda_replay_free(tern_bdevice *base, tern_bqueue *queue, tern_breplay *replay) {
    cuda_replay *own = (cuda_replay *)(void *)replay;
    bool is_current = cuda_enter_to_free((cuda_device *)base);
    (void)queue; /* a graph that is under way goes when it has ended */
    for (int32_t i = 0; i < own->count; i++) {
        cut(&own->chains[i], 0);
        cuda_host->free(own->chains[i].links);
    }
    if (is_current) cuda_leave();
    cuda_host->free(own->chains);
    cuda_host->free(own);
}
