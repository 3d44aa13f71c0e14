/*
 * plan.c: a lane's plans.
 *
 * A key is all that a plan may depend on, as words in a row:
 *
 *     kernel and fn | n_in and n_out | attrs_size | attrs, padded | for each operand: dtype and rank,
 *     flags and layout, stamp of a constant (else 0), shape, strides
 *
 * Hashes find a bucket and nothing more. The plan that a family used last is tried before any hash.
 */
#include "plan.h"

#include <string.h>

#include "core/memory/storage.h"

#define PLANS     256
#define BUCKETS   256
#define FAMILIES  (TERN_PLANNED_WORDS * 64)
#define MAX_ATTRS 2048 /* bytes; a call with more is launched without a plan */
#define KEY_WORDS (3 + MAX_ATTRS / 8 + TERN_MAX_OPERANDS * (3 + 2 * TERN_BACKEND_MAX_RANK))

typedef struct plan {
    struct plan *next;          /* in its bucket */
    struct plan *newer, *older; /* by use */
    tern_bplan *object;         /* NULL where the device refused */
    int32_t status;             /* what it answered: OK, DECLINED, UNSUPPORTED */
    uint64_t workspace;
    uint64_t hash;
    size_t words;
    uint64_t key[]; /* the reason of a refusal follows */
} plan;

struct tern_plans {
    plan *buckets[BUCKETS];
    plan *last[FAMILIES];
    plan *newest, *oldest;
    int count;
};

/* ---- keys ----------------------------------------------------------------------------------- */

static uint64_t pair(uint32_t high, uint32_t low) {
    return (uint64_t)high << 32 | low;
}

static uint64_t stamp_of(const tern_operand *operand) {
    return operand->flags & TERN_OPERAND_CONSTANT ? operand->stamp : 0;
}

static uint64_t *add_operand(uint64_t *key, const tern_operand *operand) {
    size_t rank = (size_t)operand->rank;
    *key++ = pair((uint32_t)operand->dtype, (uint32_t)operand->rank);
    *key++ = pair(operand->flags, operand->layout);
    *key++ = stamp_of(operand);
    if (rank == 0) return key;
    memcpy(key, operand->shape, rank * sizeof *key);
    memcpy(key + rank, operand->strides, rank * sizeof *key);
    return key + 2 * rank;
}

/* Returns how many words it has; at most KEY_WORDS. */
static size_t write_key(uint64_t *key, const tern_plan_query *q) {
    uint64_t *at = key;
    *at++ = pair((uint32_t)q->kernel, (uint32_t)q->fn);
    *at++ = pair((uint32_t)q->n_inputs, (uint32_t)q->n_outputs);
    *at++ = q->attrs_size;
    if (q->attrs_size) {
        size_t words = ((size_t)q->attrs_size + 7) / 8;
        at[words - 1] = 0;
        memcpy(at, q->attrs, q->attrs_size);
        at += words;
    }
    for (int i = 0; i < q->n_inputs; i++) at = add_operand(at, &q->inputs[i]);
    for (int i = 0; i < q->n_outputs; i++) at = add_operand(at, &q->outputs[i]);
    return (size_t)(at - key);
}

static uint64_t hash_of(const uint64_t *key, size_t words) {
    uint64_t hash = words;
    for (size_t i = 0; i < words; i++) {
        hash = (hash ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool has_key(const plan *p, const uint64_t *key, size_t words) {
    return p->words == words && memcmp(p->key, key, words * sizeof *key) == 0;
}

/* ---- the cache ------------------------------------------------------------------------------ */

static int32_t family_of(const plan *p) {
    return (int32_t)(p->key[0] >> 32);
}

static void unlink_use(tern_plans *plans, plan *p) {
    if (p->newer)
        p->newer->older = p->older;
    else
        plans->newest = p->older;
    if (p->older)
        p->older->newer = p->newer;
    else
        plans->oldest = p->newer;
}

static void link_newest(tern_plans *plans, plan *p) {
    p->newer = NULL;
    p->older = plans->newest;
    if (plans->newest)
        plans->newest->newer = p;
    else
        plans->oldest = p;
    plans->newest = p;
}

static void evict(tern_lane *lane, plan *p) {
    tern_plans *plans = lane->plans;
    plan **link = &plans->buckets[p->hash % BUCKETS];
    while (*link != p) link = &(*link)->next;
    *link = p->next;
    unlink_use(plans, p);
    if (plans->last[family_of(p)] == p) plans->last[family_of(p)] = NULL;
    plans->count--;
    if (p->object) lane->device->vtable.plan_free(lane->device->object, p->object);
    tern_free(p);
}

static plan *find(tern_plans *plans, int32_t kernel, const uint64_t *key, size_t words,
                  uint64_t *out_hash) {
    plan *last = plans->last[kernel];
    if (last && has_key(last, key, words)) return last;
    *out_hash = hash_of(key, words);
    for (plan *p = plans->buckets[*out_hash % BUCKETS]; p; p = p->next)
        if (p->hash == *out_hash && has_key(p, key, words)) return p;
    return NULL;
}

void tern_plans_free(tern_lane *lane) {
    while (lane->plans && lane->plans->oldest) evict(lane, lane->plans->oldest);
    tern_free(lane->plans);
    lane->plans = NULL;
}

/* ---- making --------------------------------------------------------------------------------- */

/* Asks the device with operands as the contract shows them: without buffers, stamps of constants alone. */
static int32_t ask(tern_lane *lane, const tern_plan_query *query, tern_bplan **out_plan,
                   uint64_t *out_workspace, tern_backend_error *err) {
    tern_operand bare[TERN_MAX_OPERANDS];
    int count = query->n_inputs + query->n_outputs;
    for (int i = 0; i < count; i++) {
        bare[i] = i < query->n_inputs ? query->inputs[i] : query->outputs[i - query->n_inputs];
        bare[i].buffer = NULL;
        bare[i].at.i = 0;
        bare[i].stamp = stamp_of(&bare[i]);
    }
    tern_plan_query shown = *query;
    shown.inputs = bare;
    shown.outputs = bare + query->n_inputs;
    *out_plan = NULL;
    *out_workspace = 0;
    return lane->device->vtable.prepare(lane->device->object, &shown, out_plan, out_workspace, err);
}

/* An answer worth keeping: a plan, or a refusal, which will not change. */
static bool is_kept(int32_t status) {
    return status == TERN_BACKEND_OK || status == TERN_BACKEND_DECLINED ||
           status == TERN_BACKEND_UNSUPPORTED;
}

/* A plan in the cache; NULL without memory (*out_status is OUT_OF_MEMORY) or where the device fails. */
static plan *make(tern_lane *lane, const tern_plan_query *query, const uint64_t *key, size_t words,
                  uint64_t hash, int32_t *out_status, tern_backend_error *err) {
    tern_plans *plans = lane->plans;
    tern_bplan *object;
    uint64_t workspace;
    int32_t status = *out_status = ask(lane, query, &object, &workspace, err);
    if (!is_kept(status)) return NULL;
    size_t reason = status == TERN_BACKEND_OK ? 0 : sizeof err->message;
    plan *p = tern_alloc(sizeof *p + words * sizeof *key + reason);
    if (!p) {
        if (status == TERN_BACKEND_OK) lane->device->vtable.plan_free(lane->device->object, object);
        *out_status = TERN_BACKEND_OUT_OF_MEMORY;
        return NULL;
    }
    *p = (plan){.object = status == TERN_BACKEND_OK ? object : NULL,
                .status = status,
                .workspace = workspace,
                .hash = hash,
                .words = words};
    memcpy(p->key, key, words * sizeof *key);
    if (reason) memcpy(p->key + words, err->message, reason);
    if (plans->count == PLANS) evict(lane, plans->oldest);
    p->next = plans->buckets[hash % BUCKETS];
    plans->buckets[hash % BUCKETS] = p;
    link_newest(plans, p);
    plans->count++;
    return p;
}

/* The plan for a call; NULL as above. */
static plan *plan_for(tern_lane *lane, const tern_plan_query *query, int32_t *out_status,
                      tern_backend_error *err) {
    uint64_t key[KEY_WORDS], hash = 0;
    *out_status = TERN_BACKEND_OUT_OF_MEMORY;
    if (!lane->plans) lane->plans = tern_alloc_zeroed(1, sizeof *lane->plans);
    if (!lane->plans || query->attrs_size > MAX_ATTRS) return NULL;
    tern_plans *plans = lane->plans;
    size_t words = write_key(key, query);
    plan *p = find(plans, query->kernel, key, words, &hash);
    if (!p) p = make(lane, query, key, words, hash, out_status, err);
    if (!p) return NULL;
    if (plans->newest != p) {
        unlink_use(plans, p);
        link_newest(plans, p);
    }
    return plans->last[query->kernel] = p;
}

/* ---- launching ------------------------------------------------------------------------------ */

int32_t tern_plan_launch(tern_lane *lane, int32_t kernel, int32_t fn, const tern_operand *in,
                         int n_in, const tern_operand *out, int n_out, int n_tuples,
                         const void *attrs, uint32_t size, tern_backend_error *err,
                         bool *out_handled) {
    tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_plan_query query = {(uint32_t)sizeof query, kernel, fn, n_in, n_out, size, in, out, attrs};
    int32_t status;
    err->message[0] = 0;
    const plan *p = plan_for(lane, &query, &status, err);
    *out_handled = p || status != TERN_BACKEND_OUT_OF_MEMORY;
    if (!p) return status;
    if (p->status != TERN_BACKEND_OK) {
        memcpy(err->message, p->key + p->words, sizeof err->message);
        return p->status;
    }
    tern_storage *workspace = NULL;
    if (p->workspace && tern_storage_try(lane, p->workspace, &workspace, err) != TERN_BACKEND_OK) {
        *out_handled = false;
        return TERN_BACKEND_OUT_OF_MEMORY;
    }
    status = vt->launch_plan(lane->device->object, lane->queue, p->object, in, n_in * n_tuples, out,
                             n_out * n_tuples, workspace ? workspace->buffer : NULL,
                             workspace ? workspace->offset : 0, err);
    tern_storage_release(workspace);
    return status;
}
