/* The loader: a hundred shuffled batches of an epoch that is then given up. */
#include "bench.h"

enum { BATCH = 64, BATCHES = 100 };

static void prepare_loader(bench_subject *s) {
    if (!bench_fashion(s)) return;
    tern_tensor *both[] = {s->session->images, s->session->labels};
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = BATCH;
    o.shuffle = true;
    s->loader = tern_loader_new(tern_tensor_dataset_new(s->ctx, both, 2), &o);
    s->work = BATCH * BATCHES;
}

/* As many draws as PyTorch's loop makes, which leaves when the batch behind the last one is there. */
static void run_epoch(bench_subject *s) {
    tern_loader_begin(s->loader);
    for (int i = 0; i <= BATCHES; i++) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        tern_tensor *batch[TERN_MAX_FIELDS];
        tern_loader_next(s->loader, batch);
        tern_scope_end(scope);
    }
}

static const bench_case cases[] = {
    {"loader_b64_shuffle", BENCH_SAMPLES, prepare_loader, run_epoch, .budgets = 2},
};

const bench_group bench_loader = BENCH_GROUP("loader", cases);
