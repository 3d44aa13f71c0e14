/*
 * task.h: what a run predicts, which its loss decides, and how a prediction is shown.
 *
 *   classes      CrossEntropyLoss, NLLLoss: the class with the highest score
 *   binary       BCEWithLogitsLoss, BCELoss: the probability of 1
 *   regression   MSELoss, L1Loss, SmoothL1Loss, HuberLoss: a number in the unit of the target
 *   other        any other loss: what the model gives
 */
#ifndef TERN_TOOLS_TASK_H
#define TERN_TOOLS_TASK_H

#include "recipe.h"

#include "tern/tensor.h"
#include "tern/value.h"

typedef enum task_kind { TASK_OTHER, TASK_CLASSES, TASK_BINARY, TASK_REGRESSION } task_kind;

typedef struct task {
    task_kind kind;
    bool logits; /* binary: the model gives logits, not probabilities */
    double mean,
        deviation; /* regression: a number of the model * deviation + mean is the target's */
} task;

task_kind task_kind_of(const recipe *r);

/* The recipe's task; the facts of its data (run_data.h) hold the target's scale. */
task task_of(const recipe *r, tern_value facts);

/* The model's output as it is shown: probabilities, or numbers in the target's own unit. */
tern_tensor *task_predicted(const task *t, tern_tensor *output);

/* Targets of the dataset in their own unit. */
tern_tensor *task_target(const task *t, tern_tensor *targets);

#endif
