/*
 * training_programs.h: the PyTorch programs of the training vectors (their `program`), from the seed:
 * data, model, loss, optimizer, and the batches of each step.
 */
#ifndef TERN_TOOLS_TRAINING_PROGRAMS_H
#define TERN_TOOLS_TRAINING_PROGRAMS_H

#include "tern/optim.h"

typedef struct training_program {
    tern_ctx *ctx;
    tern_value options; /* of the case */
    tern_value data;    /* what the setup made, by the case's names */
    tern_tensor *inputs, *targets;
    tern_module *model, *loss;
    tern_optim *optim;
    tern_sched *sched; /* steps with the optimizer; NULL is none */
    int64_t epochs, n_train;
    int64_t batch; /* of a shuffling loader, or of random windows; 0 trains on all at once */
    bool drop_last;
    int64_t context; /* windows of a text, of this length; 0 is none */
    double clip;     /* the gradients' largest norm; 0 is none */
    bool binary;     /* the model gives [N, 1], the targets are [N] of 0 and 1 */
} training_program;

/* One step's batch, and the positions that it took (nothing where all are taken). */
typedef struct training_batch {
    tern_tensor *inputs, *targets;
    tern_tensor *order;
} training_batch;

/* Makes everything from the options' seed; false for a name that is none of the programs, or after
 * latching an error. */
bool training_setup(tern_ctx *ctx, const char *name, tern_value options,
                    training_program *out_program);
bool training_has(const char *name);

/* Steps of an epoch. */
int64_t training_steps(const training_program *program);

/* What a shuffling DataLoader draws when an epoch begins: a permutation, or NULL where none is drawn. */
tern_tensor *training_shuffle(const training_program *program);

/* The step-th batch of an epoch. */
training_batch training_next(const training_program *program, tern_tensor *shuffle, int64_t step);

/* The loss of a batch, 0-dim, with a graph. */
tern_tensor *training_loss(const training_program *program, training_batch batch);

/* Share of right answers among targets first to first + count, in inference mode. */
double training_accuracy(const training_program *program, int64_t first, int64_t count);

#endif
