/* record.c: what a profile keeps: events, and texts by number. */
#define _POSIX_C_SOURCE 200809L
#include "profile.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/autograd/graph.h"
#include "core/call/op.h"
#include "core/plugin/profiler.h"

#define MOST_EVENTS ((size_t)1 << 20)

profile profile_taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void profile_lock(void) {
    pthread_mutex_lock(&lock);
}

void profile_unlock(void) {
    pthread_mutex_unlock(&lock);
}

uint64_t profile_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text) {
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* Where a text is, or would be. */
static uint32_t *slot_of(profile *p, const char *text) {
    uint32_t at = (uint32_t)hash_of(text) & (p->n_slots - 1);
    while (p->slots[at] && strcmp(p->texts[p->slots[at] - 1], text) != 0)
        at = (at + 1) & (p->n_slots - 1);
    return &p->slots[at];
}

/* Room for one more text. */
static bool texts_grow(profile *p) {
    if (p->n_texts < p->texts_capacity) return true;
    uint32_t capacity = p->texts_capacity ? 2 * p->texts_capacity : 256;
    char **texts =
        tern_realloc(p->texts, p->texts_capacity * sizeof *texts, capacity * sizeof *texts);
    if (texts) p->texts = texts;
    uint32_t *slots = texts ? tern_alloc_zeroed(4 * (size_t)capacity, sizeof *slots) : NULL;
    if (!slots) return false;
    tern_free(p->slots);
    p->slots = slots;
    p->n_slots = 4 * capacity;
    p->texts_capacity = capacity;
    for (uint32_t i = 0; i < p->n_texts; i++) *slot_of(p, p->texts[i]) = i + 1;
    return true;
}

/* Adds it under the next number. */
static bool add_text(profile *p, const char *text) {
    size_t size = strlen(text) + 1;
    char *own = texts_grow(p) ? tern_alloc(size) : NULL;
    if (!own) return false;
    memcpy(own, text, size);
    p->texts[p->n_texts++] = own;
    *slot_of(p, own) = p->n_texts;
    return true;
}

uint32_t profile_text(const char *text) {
    profile *p = &profile_taken;
    if (p->n_texts == 0 && !add_text(p, "")) return 0;
    uint32_t known = *slot_of(p, text);
    if (known) return known - 1;
    if (add_text(p, text)) return p->n_texts - 1;
    p->incomplete = true;
    return 0;
}

/* ---- where ----------------------------------------------------------------------------------- */

/*
 * Nodes of a graph are numbered in the order of the forward pass. What was noted there, the first number of
 * each place, tells whose node the backward pass is at. Only the last places are kept.
 */
enum { NOTES = 1 << 14 };
typedef struct note {
    const tern_ctx *ctx;
    uint64_t sequence; /* the first node that may belong to the place */
    uint32_t place;
} note;
static note notes[NOTES];
static uint64_t n_notes; /* so far; the last NOTES of them are there */

static void note_place(const tern_ctx *ctx, uint32_t place) {
    const note *last = n_notes ? &notes[(n_notes - 1) % NOTES] : NULL;
    if (last && last->ctx == ctx && last->place == place) return;
    notes[n_notes++ % NOTES] = (note){ctx, ctx->next_sequence + 1, place};
}

static uint32_t noted_place(const tern_ctx *ctx, uint64_t sequence) {
    uint64_t oldest = n_notes > NOTES ? n_notes - NOTES : 0;
    for (uint64_t i = n_notes; i-- > oldest;) {
        const note *n = &notes[i % NOTES];
        if (n->ctx == ctx && n->sequence <= sequence) return n->place;
    }
    return 0;
}

/* "2 (Linear)" of the module that runs now, as errors name it. */
static uint32_t module_now(const tern_ctx *ctx) {
    char text[256];
    size_t length = ctx->error_place(ctx->error_place_user, text, sizeof text);
    if (length == 0) return profile_text("(outermost module)");
    while (length && (text[length - 1] == ' ' || text[length - 1] == ':')) length--;
    text[length] = '\0';
    return profile_text(text);
}

uint32_t profile_place(const tern_ctx *ctx, profile_phase *out_phase) {
    *out_phase = PHASE_OTHER;
    if (!ctx) return 0;
    if (ctx->origin) {
        bool is_known = ctx->origin->profile == profile_taken.start;
        if (is_known) *out_phase = (profile_phase)ctx->origin->phase;
        return is_known ? ctx->origin->place : 0;
    }
    bool backward = ctx->backward_depth > 0;
    uint32_t place = ctx->error_place ? module_now(ctx) : 0;
    if (backward)
        *out_phase = PHASE_BACKWARD;
    else if (place)
        *out_phase = PHASE_FORWARD;
    if (!backward) note_place(ctx, place);
    /* The formula of a leaf's accumulator has no number of its own. */
    if (backward && !place && ctx->running && ctx->running->op)
        place = noted_place(ctx, ctx->running->sequence);
    return place;
}

/* ---- events ---------------------------------------------------------------------------------- */

void profile_add(const profile_event *event) {
    profile *p = &profile_taken;
    if (p->n_events == p->events_capacity) {
        size_t capacity = p->events_capacity ? 2 * p->events_capacity : 1024;
        profile_event *events = capacity > MOST_EVENTS
                                    ? NULL
                                    : tern_realloc(p->events, p->events_capacity * sizeof *events,
                                                   capacity * sizeof *events);
        p->incomplete = p->incomplete || !events;
        if (!events) return;
        p->events = events;
        p->events_capacity = capacity;
    }
    p->events[p->n_events++] = *event;
}

void profile_clear(void) {
    profile *p = &profile_taken;
    for (uint32_t i = 0; i < p->n_texts; i++) tern_free(p->texts[i]);
    tern_free(p->texts);
    tern_free(p->slots);
    tern_free(p->events);
    *p = (profile){.path = ""};
    n_notes = 0;
}
