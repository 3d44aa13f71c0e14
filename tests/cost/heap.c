#define _GNU_SOURCE /* dladdr */
#include "heap.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands behind glibc's own malloc; exported for programs that define theirs. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

enum { FRAMES = 16, SKIPPED = 2 /* note and the function that calls it */, MOST_PLACES = 4096 };

typedef struct place {
    uint64_t count;
    void *frames[FRAMES]; /* innermost first, NULL after the last */
} place;

/* The measured programs have one thread that allocates. */
static bool watching, with_places;
static heap_counts counts;
static place places[MOST_PLACES];
static size_t n_places;

static void note_place(void) {
    void *frames[FRAMES + SKIPPED] = {NULL};
    watching = false;
    backtrace(frames, FRAMES + SKIPPED);
    watching = true;
    size_t i = 0;
    while (i < n_places && memcmp(places[i].frames, frames + SKIPPED, sizeof places[i].frames) != 0)
        i++;
    if (i == MOST_PLACES) return;
    if (i == n_places) memcpy(places[n_places++].frames, frames + SKIPPED, sizeof places[i].frames);
    places[i].count++;
}

static void note(void) {
    if (!watching) return;
    counts.allocations++;
    if (with_places) note_place();
}

/* The libraries find these only where the program exports them; its other symbols are hidden. */
#pragma GCC visibility push(default)

void *malloc(size_t bytes) {
    note();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t size) {
    note();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t bytes) {
    note();
    return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    note();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    note();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out_memory, size_t alignment, size_t bytes) {
    note();
    *out_memory = __libc_memalign(alignment, bytes);
    return *out_memory ? 0 : ENOMEM;
}

void free(void *memory) {
    if (watching && memory) counts.releases++;
    __libc_free(memory);
}

#pragma GCC visibility pop

void heap_watch(bool want_places) {
    void *frame;
    if (want_places) backtrace(&frame, 1); /* its first call loads a library */
    counts = (heap_counts){0, 0};
    n_places = 0;
    with_places = want_places;
    watching = true;
}

heap_counts heap_counted(void) {
    watching = false;
    return counts;
}

static int more_first(const void *a, const void *b) {
    const place *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

void heap_print_places(unsigned steps) {
    qsort(places, n_places, sizeof places[0], more_first);
    for (size_t i = 0; i < n_places; i++) {
        printf("%.2f a step\n", (double)places[i].count / steps);
        for (int f = 0; f < FRAMES && places[i].frames[f]; f++) {
            Dl_info info;
            const char *address = places[i].frames[f];
            if (!dladdr(address, &info) || !info.dli_fname) continue;
            /* A return address: the call is before it. */
            printf("    %s +%#tx\n", info.dli_fname, address - 1 - (const char *)info.dli_fbase);
        }
    }
}
