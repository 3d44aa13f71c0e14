/*
 * training.h: a training run from a recipe: the model with what trains it, its epochs, its checkpoint.
 *
 * A checkpoint holds all that the next epoch depends on (model, optimizer, scheduler, generator, what
 * was measured so far), so a run that was stopped at any point goes on to the same bits.
 */
#ifndef TERN_TOOLS_TRAINING_H
#define TERN_TOOLS_TRAINING_H

#include "recipe.h"
#include "repeated.h"
#include "run_data.h"
#include "tally.h"

#include "tern/optim.h"

/* What an epoch came to. */
typedef struct epoch_result {
    int64_t epoch;
    scores train, test;
    double seconds, samples_per_s;
} epoch_result;

typedef struct training {
    tern_ctx *ctx;
    const recipe *recipe;
    task task;
    tern_module *model, *loss;
    tern_optim *optim;
    tern_sched *sched; /* NULL: none */
    run_data data;
    tern_loader *loader; /* of the training data */
    repeated step;
    int64_t done;       /* epochs */
    int64_t waited;     /* epochs since the test loss was best */
    double best;        /* test loss */
    tern_value history; /* a list of dicts, one per epoch */
    const volatile int *stop;
    bool shows_progress;
} training;

/* Loads the data and makes the model and what trains it. Fills in what the recipe left open: the
 * transforms, and the limit of a device of speed class reference. False after latching an error. */
bool training_init(training *t, tern_ctx *ctx, recipe *r, const volatile int *stop);

/* One epoch over the training data and a look at the test data. False where it was interrupted or
 * failed; the checkpoint is then still the last epoch's. */
bool training_epoch(training *t, epoch_result *out_result);

/* True where `patience` epochs passed without a better test loss. */
bool training_is_stuck(const training *t);

/* FOLDER/checkpoint.pth, model.pth (where keep is best: after a best epoch) and metrics.jsonl, each
 * replaced as a whole. Whichever of them a run was stopped at, a resumed one makes them anew. */
bool training_save(training *t, const char *folder);

/* Takes over FOLDER/checkpoint.pth. */
bool training_resume(training *t, const char *folder);

#endif
