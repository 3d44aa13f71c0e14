#include "evaluation.h"

#include "tern/grad.h"
#include "tern/ops.h"

#include <math.h>

enum { BATCH = 256 };

void tally_add(tally *sums, double loss, tern_tensor *predictions, tern_tensor *targets) {
    int64_t count = tern_size(predictions, 0);
    sums->loss += loss * (double)count;
    sums->count += count;
    sums->classes = targets && tern_dtype_of(targets) == TERN_INT64 && tern_rank(predictions) == 2;
    if (sums->classes)
        sums->right += tern_item_i64(
            tern_sum(tern_eq(tern_argmax(tern_detach(predictions), 1, false), targets)));
}

double tally_loss(const tally *sums) {
    return sums->count ? sums->loss / (double)sums->count : (double)NAN;
}

double tally_accuracy(const tally *sums) {
    return sums->classes && sums->count ? (double)sums->right / (double)sums->count : (double)NAN;
}

bool evaluate(tern_module *model, tern_module *loss, tern_dataset *data, batch_visitor visit,
              void *user, const volatile int *stop, tally *out_sums) {
    tern_ctx *ctx = tern_module_context(model);
    tern_loader_options o = TERN_LOADER_OPTIONS;
    *out_sums = (tally){0};
    o.batch_size = BATCH;
    tern_scope whole = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_loader *loader = tern_loader_new(data, &o);
    tern_module_eval(model);
    tern_loader_begin(loader);
    for (bool more = true; more && !(stop && *stop);) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *fields[TERN_MAX_FIELDS] = {NULL};
        more = tern_loader_next(loader, fields);
        if (more) {
            seen_batch batch = {fields[0], fields[1], tern_forward(model, fields[0])};
            double value = 0;
            if (loss && batch.targets)
                value = tern_item(tern_forward2(loss, batch.predictions, batch.targets));
            tally_add(out_sums, value, batch.predictions, batch.targets);
            if (visit && tern_check(ctx) == TERN_OK) visit(user, &batch);
        }
        tern_scope_end(scope);
    }
    tern_scope_end(whole);
    return tern_check(ctx) == TERN_OK;
}
