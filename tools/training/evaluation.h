/* evaluation.h: a model over a dataset: the loss, the accuracy, and what it said of each batch. */
#ifndef TERN_TOOLS_EVALUATION_H
#define TERN_TOOLS_EVALUATION_H

#include "tern/data.h"
#include "tern/nn.h"

/* Means over samples. */
typedef struct tally {
    double loss;
    int64_t right, count;
    bool classes; /* the targets are classes */
} tally;

/* Adds a batch of predictions and int64 classes [N], or other targets. */
void tally_add(tally *sums, double loss, tern_tensor *predictions, tern_tensor *targets);
double tally_loss(const tally *sums);

/* NaN where the targets are no classes. */
double tally_accuracy(const tally *sums);

/* One batch; its tensors die afterwards. `targets` is NULL where the dataset has inputs alone. */
typedef struct seen_batch {
    tern_tensor *inputs, *targets, *predictions;
} seen_batch;
typedef void (*batch_visitor)(void *user, const seen_batch *batch);

/* Runs the model in evaluation mode and without gradients. `loss`, `visit` and `stop` may be NULL;
 * where *stop becomes true the rest is left out. False after latching an error. */
bool evaluate(tern_module *model, tern_module *loss, tern_dataset *data, batch_visitor visit,
              void *user, const volatile int *stop, tally *out_sums);

#endif
