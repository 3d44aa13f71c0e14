#define _DEFAULT_SOURCE
#include "alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "tern/context.h"

#define ALIGNMENT 64u

/* No process has more: where an address has 64 bits, 47 of them are a program's. */
#if SIZE_MAX > UINT32_MAX
#define MOST_BYTES ((size_t)1 << 47)
#else
#define MOST_BYTES (SIZE_MAX / 2)
#endif

static atomic_uint_fast64_t total_calls;
static atomic_uint_fast64_t calls_since_armed;
static atomic_uint_fast64_t failing_call; /* 0 fails none */

uint64_t tern_fail_allocation(uint64_t nth) {
    uint64_t calls = atomic_exchange(&calls_since_armed, 0);
    atomic_store(&failing_call, nth);
    return calls;
}

uint64_t tern_alloc_count(void) {
    return atomic_load(&total_calls);
}

/* Counts a call and tells whether it is the one that a test wants to fail. */
static bool may_allocate(void) {
    atomic_fetch_add(&total_calls, 1);
    uint64_t call = atomic_fetch_add(&calls_since_armed, 1) + 1;
    return call != atomic_load(&failing_call);
}

static size_t rounded(size_t bytes) {
    return bytes ? (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
}

#if defined(MADV_HUGEPAGE)
#define LARGE_PAGE ((size_t)2 << 20)

/* Memory that begins with a large page, and asks the system to map it by such: programs that pass over much
 * memory otherwise wait for addresses to be translated. It is a wish, which may fail. */
static void *by_large_pages(size_t bytes) {
    void *memory = NULL; /* aligned_alloc would want whole large pages */
    if (posix_memalign(&memory, LARGE_PAGE, bytes) != 0) return NULL;
    (void)madvise(memory, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
    return memory;
}
#endif

void *tern_alloc(size_t bytes) {
    if (bytes > MOST_BYTES || !may_allocate()) return NULL;
#if defined(MADV_HUGEPAGE)
    if (bytes >= 2 * LARGE_PAGE) return by_large_pages(rounded(bytes));
#endif
    return aligned_alloc(ALIGNMENT, rounded(bytes));
}

void *tern_alloc_zeroed(size_t count, size_t size) {
    uint64_t bytes;
    if (!tern_size_mul(count, size, &bytes)) return NULL;
    void *memory = tern_alloc((size_t)bytes);
    if (memory) memset(memory, 0, (size_t)bytes);
    return memory;
}

void *tern_realloc(void *memory, size_t old_bytes, size_t new_bytes) {
    void *grown = tern_alloc(new_bytes);
    if (!grown) return NULL;
    if (memory) memcpy(grown, memory, old_bytes < new_bytes ? old_bytes : new_bytes);
    tern_free(memory);
    return grown;
}

void tern_free(void *memory) {
    free(memory);
}

char *tern_strdup(const char *text) {
    if (!text) return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = tern_alloc(bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

bool tern_size_mul(uint64_t a, uint64_t b, uint64_t *out) {
    if (a != 0 && b > UINT64_MAX / a) return false;
    if (out) *out = a * b;
    return true;
}

bool tern_size_add(uint64_t a, uint64_t b, uint64_t *out) {
    if (b > UINT64_MAX - a) return false;
    if (out) *out = a + b;
    return true;
}

static uint64_t magnitude(int64_t x) {
    return x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
}

static int64_t no_size(bool *fits) {
    *fits = false;
    return 0;
}

int64_t tern_dim_mul(int64_t a, int64_t b, bool *fits) {
    bool negative = (a < 0) != (b < 0);
    uint64_t product, most = (uint64_t)INT64_MAX + negative;
    if (!tern_size_mul(magnitude(a), magnitude(b), &product) || product > most)
        return no_size(fits);
    return !negative || product == 0 ? (int64_t)product : -(int64_t)(product - 1) - 1;
}

int64_t tern_dim_add(int64_t a, int64_t b, bool *fits) {
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b) return no_size(fits);
    return a + b;
}

int64_t tern_dim_sub(int64_t a, int64_t b, bool *fits) {
    if (b > 0 ? a < INT64_MIN + b : a > INT64_MAX + b) return no_size(fits);
    return a - b;
}
