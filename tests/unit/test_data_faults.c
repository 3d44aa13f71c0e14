/* test_data_faults.c: an epoch of data, once for every allocation in it, which fails. */
#include "nn_fixture.h"
#include "tern/data.h"
#include "tern/memory.h"

enum { SAMPLES = 10, MOST_CALLS = 20000 };

/* What an epoch gave: batches, the sum of what was in them by place, and the accuracy. */
typedef struct outcome {
    int batches;
    double sum, accuracy;
} outcome;

static tern_loader *make_loader(int workers) {
    unsigned char pixels[SAMPLES * 4];
    int64_t labels[SAMPLES];
    for (int i = 0; i < SAMPLES * 4; i++) pixels[i] = (unsigned char)(i * 37);
    for (int i = 0; i < SAMPLES; i++) labels[i] = i % 4;
    tern_tensor *both[2] = {tern_from_data(ctx, pixels, TERN_SHAPE(SAMPLES, 2, 2), TERN_UINT8),
                            tern_from_data(ctx, labels, TERN_SHAPE(SAMPLES), TERN_INT64)};
    tern_dataset *data =
        tern_transformed_new(tern_tensor_dataset_new(ctx, both, 2), 0,
                             "Compose([RandomHorizontalFlip(), ToTensor(), Normalize(0.25, 0.5)])");
    tern_loader_options o = TERN_LOADER_OPTIONS;
    o.batch_size = 4;
    o.shuffle = true;
    o.num_workers = workers;
    return tern_loader_new(data, &o);
}

static outcome run_epoch(int workers) {
    outcome seen = {0, 0, 0};
    tern_manual_seed(ctx, 7);
    tern_loader *loader = make_loader(workers);
    tern_loader_begin(loader);
    for (bool more = true; more;) {
        tern_tensor *batch[2];
        double pixels[16] = {0};
        tern_scope scope = tern_scope_begin(ctx, 0);
        more = tern_loader_next(loader, batch);
        if (more) {
            int64_t count = tern_numel(batch[0]);
            tern_to_doubles(batch[0], pixels, (size_t)count);
            for (int64_t i = 0; i < count; i++)
                seen.sum += pixels[i] * (double)(16 * seen.batches + i + 1);
            tern_tensor *scores = tern_reshape(batch[0], TERN_SHAPE(-1, 4));
            seen.accuracy += tern_accuracy(scores, batch[1]);
            seen.batches++;
        }
        tern_scope_end(scope);
    }
    return seen;
}

static void fail_each_allocation(int workers) {
    open_context();
    run_epoch(workers);
    CHECK_CLEAN();
    outcome wanted = run_epoch(workers);
    CHECK_CLEAN();
    cr_assert_eq(wanted.batches, 3);
    close_context();
    int errors = 0;
    bool all = false;
    for (uint64_t nth = 1; !all && nth < MOST_CALLS; nth++) {
        open_context();
        tern_fail_allocation(nth);
        outcome seen = run_epoch(workers);
        all = tern_fail_allocation(0) < nth;
        const char *error = tern_error(ctx);
        cr_assert_null(strchr(error, '\n'), "allocation %d: %s", (int)nth, error);
        cr_assert(error[0] || (seen.batches == wanted.batches && seen.sum == wanted.sum &&
                               seen.accuracy == wanted.accuracy),
                  "allocation %d: no error and another result", (int)nth);
        errors += error[0] != 0;
        tern_error_clear(ctx);
        close_context();
    }
    cr_assert(all, "the epoch's allocations do not end");
    cr_assert(errors > 30, "only %d allocations failed", errors);
}

Test(data_faults, each_failed_allocation_is_an_error_or_changes_nothing) {
    fail_each_allocation(0);
}

Test(data_faults, each_failed_allocation_is_an_error_or_changes_nothing_with_workers) {
    fail_each_allocation(2);
}
