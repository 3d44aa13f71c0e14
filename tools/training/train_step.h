/*
 * train_step.h: a training step, captured when it has run once and replayed from then on.
 *
 * A batch of another size (the last one of an epoch) and a step that cannot be replayed run as usual, with the
 * same numbers.
 */
#ifndef TERN_TOOLS_TRAIN_STEP_H
#define TERN_TOOLS_TRAIN_STEP_H

#include "tern/nn.h"
#include "tern/optim.h"
#include "tern/replay.h"

typedef struct train_step {
    tern_module *model, *loss;
    tern_optim *optim;
    double clip;          /* the norm of all gradients; 0: they are not clipped */
    bool is_eager;        /* never captured */
    tern_owner *owner;    /* of what is captured: made where the step is */
    tern_replay *replay;  /* NULL before, and where the step cannot be replayed */
    tern_shape shapes[2]; /* of the captured batch */
    char reason[160];     /* why it cannot be replayed */
    int64_t steps;        /* so far */
} train_step;

/* The loss and the predictions of a step on a batch of inputs and targets; valid until the next step or the end
 * of the open scope. nil after latching. */
void train_step_run(train_step *step, tern_tensor *const *batch, tern_tensor **out_loss,
                    tern_tensor **out_predictions);

/* "replayed: 38 of 41 launches, 1.2 MiB" or "run as usual: it reads a tensor's values ...", for a reader. */
void train_step_describe(const train_step *step, char *out_text, size_t size);

#endif
