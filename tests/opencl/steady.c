/*
 * tern_opencl_steady: 1,000 steps of training hold no more memory than 10 do: neither the device's, by the
 * context's counts, nor the process's, which is where a driver of a CPU keeps its buffers, events and kernels. Nor do
 * they hold more objects of OpenCL, events among them, which tests/opencl/failing.c counts where it is preloaded.
 */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { EARLY = 10, STEPS = 1000 };

#define SLACK_KB 512 /* of the process: what malloc keeps differs from step to step */

static long resident_kb(void) {
    char line[256];
    long found = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &found) == 1) break;
    if (file) fclose(file);
    return found;
}

/* Objects of OpenCL that were made and not released; -1 where nobody counts. */
static long live_objects(void) {
    long (*count)(void);
    void *symbol = dlsym(RTLD_DEFAULT, "tern_opencl_objects");
    memcpy(&count, &symbol, sizeof symbol);
    return symbol ? count() : -1;
}

/* Every step has a batch of its own, which the host makes and uploads. */
static void step(tern_ctx *ctx, tern_module *model, tern_optim *adam) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *x = tern_rand(ctx, TERN_SHAPE(64, 6), NULL);
    tern_tensor *y = tern_randint(ctx, 0, 3, TERN_SHAPE(64), NULL);
    tern_tensor *loss = tern_cross_entropy(tern_forward(model, x), y, TERN_MEAN);
    tern_optim_zero_grad(adam);
    tern_backward(loss);
    tern_optim_step(adam);
    tern_item(loss);
    tern_scope_end(scope);
}

int main(void) {
    tern_ctx *ctx = tern_open("opencl");
    tern_module *model = tern_nn(ctx, "Sequential(Linear(6, 8), ReLU(), Linear(8, 3))");
    tern_optim *adam = model ? tern_optim_new(model, "Adam(lr=0.01)") : NULL;
    tern_stats early = {0}, late;
    long resident = 0, objects = 0;
    for (int i = 0; i < STEPS && tern_check(ctx) == TERN_OK; i++) {
        step(ctx, model, adam);
        if (i + 1 != EARLY) continue;
        early = tern_stats_of(ctx);
        resident = resident_kb();
        objects = live_objects();
    }
    late = tern_stats_of(ctx);
    long grown = resident_kb() - resident, more = live_objects() - objects;
    uint64_t before = early.device_bytes + early.cached_bytes;
    uint64_t after = late.device_bytes + late.cached_bytes;
    bool worked = tern_check(ctx) == TERN_OK;
    if (!worked) fprintf(stderr, "%s\n", tern_error(ctx));
    printf("device: %" PRIu64 " bytes after %d steps, %" PRIu64
           " after %d; process: %ld kB more, %ld of %ld "
           "objects more\n",
           before, EARLY, after, STEPS, grown, more, objects);
    bool closed = tern_close(ctx) == TERN_OK;
    if (live_objects() > 0) fprintf(stderr, "%ld objects are left\n", live_objects());
    return closed && worked && after == before && grown <= SLACK_KB && more == 0 &&
                   live_objects() <= 0
               ? 0
               : 1;
}
