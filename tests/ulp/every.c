/*
 * All 2^32 inputs of float32. The state file has one line: the function, the next input, and the worst so
 * far; it is written after every round, so that a run that was ended goes on from there.
 */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "ulp.h"

enum { THREADS = 2 };
static const uint64_t CHUNK = UINT64_C(1) << 20, END = UINT64_C(1) << 32;

typedef struct worker {
    tern_ctx *ctx;
    const ulp_function *function;
    uint64_t begin;
    ulp_worst worst;
    bool ok;
} worker;

static void *work(void *arg) {
    worker *w = arg;
    const ulp_format *f = &ulp_formats[ULP_FLOAT32];
    ulp_samples s = {0};
    for (uint64_t bits = w->begin; bits < w->begin + CHUNK; bits++)
        ulp_sample(&s, ulp_from_bits(f, bits), 0);
    w->ok = ulp_measure(w->ctx, w->function, f, &s, ULP_CONFIRM_SOME, &w->worst);
    ulp_samples_free(&s);
    mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE);
    return NULL;
}

/* True where there is nothing to go on with, or what is there belongs to this function. */
static bool load_state(const char *path, const ulp_function *function, uint64_t *out_next,
                       ulp_worst *worst) {
    FILE *file = fopen(path, "r");
    *out_next = 0;
    if (!file) return true;
    char name[64] = "";
    int read = fscanf(file, "%63s %" SCNu64 " %lf %la %la %" SCNu64, name, out_next, &worst->error,
                      &worst->x, &worst->got, &worst->confirmed);
    fclose(file);
    if (read == 6 && strcmp(name, function->name) == 0) return true;
    fprintf(stderr, "ulp: %s is the state of '%s': name another file or remove it\n", path, name);
    return false;
}

static bool save_state(const char *path, const ulp_function *function, uint64_t next,
                       const ulp_worst *worst) {
    FILE *file = fopen(path, "w");
    if (!file) return false;
    fprintf(file, "%s %" PRIu64 " %.17g %a %a %" PRIu64 "\n", function->name, next, worst->error,
            worst->x, worst->got, worst->confirmed);
    return fclose(file) == 0;
}

/* One chunk on each thread. */
static bool run_round(worker *workers, uint64_t begin, ulp_worst *worst) {
    pthread_t threads[THREADS];
    bool ok = true;
    for (int i = 0; i < THREADS; i++) {
        workers[i].begin = begin + (uint64_t)i * CHUNK;
        workers[i].worst = (ulp_worst){0};
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) return false;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ok = ok && workers[i].ok;
        uint64_t confirmed = worst->confirmed + workers[i].worst.confirmed;
        if (workers[i].worst.error > worst->error) *worst = workers[i].worst;
        worst->confirmed = confirmed;
    }
    return ok;
}

int ulp_run_every(const char *device, const ulp_function *function, const char *state) {
    uint64_t next;
    ulp_worst worst = {0};
    worker workers[THREADS];
    if (!load_state(state, function, &next, &worst)) return 2;
    for (int i = 0; i < THREADS; i++)
        workers[i] = (worker){.ctx = tern_open(device), .function = function};
    clock_t start = clock();
    uint64_t first = next;
    bool ok = true;
    while (ok && next < END) {
        ok = run_round(workers, next, &worst);
        if (!ok) break;
        next += THREADS * CHUNK;
        ok = save_state(state, function, next, &worst);
        printf("\r%s: %5.1f %%, %.4f ulp at %a", function->name, 100 * ldexp((double)next, -32),
               worst.error, worst.x);
        fflush(stdout);
    }
    for (int i = 0; i < THREADS; i++) tern_close(workers[i].ctx);
    printf("\n%s: %.4f ulp at %a, which gives %a; %" PRIu64 " of %" PRIu64
           " inputs in %.0f s of CPU time, %" PRIu64 " confirmed by MPFR\n",
           function->name, worst.error, worst.x, worst.got, next - first, END,
           (double)(clock() - start) / CLOCKS_PER_SEC, worst.confirmed);
    return ok && worst.error <= 1 ? 0 : 1;
}
