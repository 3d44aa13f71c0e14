/* Handles, contexts and clocks of the driver that stands in. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static stream_clock known;

void standin_lock(void) {
    pthread_mutex_lock(&lock);
}
void standin_unlock(void) {
    pthread_mutex_unlock(&lock);
}

stream_clock *standin_known(void) {
    return &known;
}

void standin_join(stream_clock *into, const stream_clock *from) {
    for (int i = 0; i < STREAMS; i++)
        if (into->at[i] < from->at[i]) into->at[i] = from->at[i];
}

/* ---- handles: every object ever made, by address --------------------------------------------- */

static object **table;
static size_t capacity, used;

static size_t slot_of(object *const *in, size_t size, const void *pointer) {
    size_t at = (size_t)((uintptr_t)pointer >> 4) * 2654435761u & (size - 1);
    while (in[at] && in[at] != pointer) at = (at + 1) & (size - 1);
    return at;
}

static void grow(void) {
    size_t size = capacity ? 2 * capacity : 1024;
    object **larger = calloc(size, sizeof *larger);
    if (!larger) abort();
    for (size_t i = 0; i < capacity; i++)
        if (table[i]) larger[slot_of(larger, size, table[i])] = table[i];
    free(table);
    table = larger;
    capacity = size;
}

void *standin_new(kind of, size_t size) {
    object *own = calloc(1, size);
    if (!own) abort();
    own->kind = of;
    own->context = standin_current();
    if (2 * ++used > capacity) grow();
    table[slot_of(table, capacity, own)] = own;
    standin_made(1);
    return own;
}

void *standin_new_free(kind of, size_t size) {
    object *own = standin_new(of, size);
    own->context = NULL;
    return own;
}

static const char *const names[] = {
    "context",    "stream",     "event", "module",   "function",
    "graph",      "node",       "graph", "cuBLASLt", "product's description",
    "layout",     "preference", "cuDNN", "tensor",   "filter",
    "convolution"};

bool standin_check(const void *pointer, kind wanted, const char *what) {
    const char *name = names[wanted - KIND_CONTEXT];
    const object *own = pointer && capacity ? table[slot_of(table, capacity, pointer)] : NULL;
    if (!own) {
        standin_report("%s: no %s", what, name);
        return false;
    }
    if (own->kind != wanted) {
        standin_report("%s: a %s, not a %s", what, names[own->kind - KIND_CONTEXT], name);
        return false;
    }
    if (own->is_dead) {
        standin_report("%s: a %s that was freed", what, name);
        return false;
    }
    if (wanted != KIND_CONTEXT && own->context && own->context != standin_current()) {
        standin_report("%s: a %s of another context than the current one", what, name);
        return false;
    }
    return true;
}

void standin_end(void *pointer) {
    ((object *)pointer)->is_dead = true;
    standin_made(-1);
}
