#include "evaluation.h"

#include "repeated.h"

#include "tern/grad.h"

enum { BATCH = 256 };

static void forward(void *user, tern_tensor *const *inputs, tern_tensor **out) {
    out[0] = tern_forward(user, inputs[0]);
}

/* False at the end of the data. */
static bool see_batch(const evaluation *e, repeated *model, tern_loader *loader, tally *sums) {
    tern_ctx *ctx = tern_module_context(e->model);
    tern_tensor *fields[TERN_MAX_FIELDS] = {NULL};
    if (!tern_loader_next(loader, fields)) return false;
    seen_batch batch = {fields[0], fields[1], NULL};
    repeated_run(model, fields, &batch.output);
    double loss = 0;
    if (e->loss && batch.targets)
        loss = tern_item(tern_forward2(e->loss, batch.output, batch.targets));
    tally_add(sums, loss, batch.output, batch.targets);
    if (e->visit && tern_check(ctx) == TERN_OK) e->visit(e->user, &batch);
    return true;
}

bool evaluate(const evaluation *e, scores *out_scores) {
    tern_ctx *ctx = tern_module_context(e->model);
    tern_loader_options o = TERN_LOADER_OPTIONS;
    tally sums = tally_begin(&e->task);
    o.batch_size = BATCH;
    tern_scope whole = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_loader *loader = tern_loader_new(e->data, &o);
    repeated model = {.ctx = ctx,
                      .work = forward,
                      .user = e->model,
                      .n_inputs = 1,
                      .n_results = 1,
                      .is_eager = e->is_eager,
                      .owner = tern_owner_new(ctx)};
    tern_module_eval(e->model);
    tern_loader_begin(loader);
    for (bool more = true; more && !(e->stop && *e->stop);) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        more = see_batch(e, &model, loader, &sums);
        tern_scope_end(scope);
    }
    tern_owner_free(model.owner);
    tern_scope_end(whole);
    *out_scores = tally_end(&sums);
    return tern_check(ctx) == TERN_OK;
}
