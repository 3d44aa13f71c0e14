/* evaluation.h: a model over a dataset: its scores, and what it said of each batch. */
#ifndef TERN_TOOLS_EVALUATION_H
#define TERN_TOOLS_EVALUATION_H

#include "tally.h"

#include "tern/data.h"
#include "tern/nn.h"

/* One batch; its tensors die afterwards. `targets` is NULL where the dataset has inputs alone. */
typedef struct seen_batch {
    tern_tensor *inputs, *targets, *output;
} seen_batch;
typedef void (*batch_visitor)(void *user, const seen_batch *batch);

/* `loss`, `visit` and `stop` may be NULL; where *stop becomes true the rest is left out. */
typedef struct evaluation {
    tern_module *model, *loss;
    task task;
    tern_dataset *data;
    batch_visitor visit;
    void *user;
    const volatile int *stop;
    bool is_eager; /* decides every batch anew, with the same numbers */
} evaluation;

/* Runs the model in evaluation mode and without gradients. False after latching an error. */
bool evaluate(const evaluation *e, scores *out_scores);

#endif
