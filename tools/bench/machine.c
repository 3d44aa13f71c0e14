/* Compiled with contraction of products and sums, unlike all other files (cmake/programs.cmake). */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

/* Chains cover the latency times the units of today's CPUs (4 cycles; 2 units of x86-64, 4 of Arm's), and
 * fit beside a row's number and two columns into the registers. */
#if defined(__aarch64__)
#define FMA_CHAINS 16
#else
#define FMA_CHAINS 12
#endif

#define FMA_BYTES 16
#define FMA_TARGET
#define FMA_NAME    baseline_f32
#define FMA_ELEMENT float
#include "machine_fma.inc"
#define FMA_NAME    baseline_f64
#define FMA_ELEMENT double
#include "machine_fma.inc"
#undef FMA_BYTES
#undef FMA_TARGET

#if defined(__x86_64__)
#define FMA_BYTES   32
#define FMA_TARGET  __attribute__((target("avx2,fma")))
#define FMA_NAME    avx2_f32
#define FMA_ELEMENT float
#include "machine_fma.inc"
#define FMA_NAME    avx2_f64
#define FMA_ELEMENT double
#include "machine_fma.inc"
#undef FMA_BYTES
#undef FMA_TARGET

#define FMA_BYTES   64
#define FMA_TARGET  __attribute__((target("avx512f")))
#define FMA_NAME    avx512_f32
#define FMA_ELEMENT float
#include "machine_fma.inc"
#define FMA_NAME    avx512_f64
#define FMA_ELEMENT double
#include "machine_fma.inc"
#undef FMA_BYTES
#undef FMA_TARGET
#endif

typedef struct loop_row {
    const char *set;
    machine_loop_fn narrow, wide;
    int64_t bytes; /* of a vector */
} loop_row;

static const loop_row rows[] = {
#if defined(__x86_64__)
    {"sse2", baseline_f32, baseline_f64, 16},
    {"avx2", avx2_f32, avx2_f64, 32},
    {"avx512", avx512_f32, avx512_f64, 64},
#else
    {"baseline", baseline_f32, baseline_f64, 16},
#endif
};

enum { N_ROWS = sizeof rows / sizeof rows[0] };

/* How many rows this CPU can run. */
static size_t rows_here(void) {
    size_t count = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) count = 2;
    if (count == 2 && __builtin_cpu_supports("avx512f")) count = 3;
#endif
    return count;
}

bool machine_loop_at(bool wide, size_t index, machine_loop *out_loop) {
    const char *wanted = getenv("TERN_CPU_VARIANT");
    size_t count = rows_here();
    for (size_t i = 0; wanted && i < count; i++)
        if (strncmp(wanted, rows[i].set, strlen(rows[i].set)) == 0) count = i + 1;
    if (index >= count) return false;
    const loop_row *row = &rows[index];
    int64_t lanes = row->bytes / (int64_t)(wide ? sizeof(double) : sizeof(float));
    *out_loop = (machine_loop){wide ? row->wide : row->narrow, 2 * FMA_CHAINS * lanes};
    return true;
}

/* Several places at once keep more cache lines under way than one does. */
uint64_t machine_read(const uint64_t *words, size_t count) {
    enum { STREAMS = 8, LINE = 8 };
    uint64_t sums[LINE] = {0}, total = 0;
    size_t part = count / STREAMS;
    for (size_t i = 0; i + LINE <= part; i += LINE)
        for (size_t stream = 0; stream < STREAMS; stream++)
            for (size_t k = 0; k < LINE; k++) sums[k] += words[stream * part + i + k];
    for (size_t k = 0; k < LINE; k++) total += sums[k];
    return total;
}

void machine_copy(uint64_t *restrict to, const uint64_t *restrict from, size_t count) {
    /* As a sum, so that the compiler makes no memcpy of it. */
    for (size_t i = 0; i < count; i++) to[i] = from[i] + 1;
}
