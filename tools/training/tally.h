/*
 * tally.h: what a model's predictions are worth, gathered batch by batch: the mean loss, and by the task
 * the accuracy (classes, binary), the area under the ROC curve (binary), or the mean absolute error and
 * the coefficient of determination R2 (regression).
 */
#ifndef TERN_TOOLS_TALLY_H
#define TERN_TOOLS_TALLY_H

#include "task.h"

#include <stdio.h>

/* NaN where the task has no such score, or the samples decide none. */
typedef struct scores {
    int64_t count; /* samples */
    double loss;   /* as the model is trained by it: of scaled targets where they are scaled */
    double accuracy, auc;
    double mae, r2; /* the error in the target's own unit */
} scores;

/* The model's output for a sample, and whether its target is 1. */
typedef struct rated_sample {
    double score;
    bool positive;
} rated_sample;

typedef struct tally {
    task task;
    double loss;
    int64_t count;
    int64_t right, judged;      /* predictions with a right answer, of all that have one */
    double absolute, squared;   /* sums of errors of a regression */
    double shift, sum, squares; /* of its targets less the first one, which is `shift` */
    int64_t numbers;
    bool single; /* one number a sample so far */
    rated_sample *rated;
    size_t n_rated, room;
} tally;

tally tally_begin(const task *t);

/* Adds a batch: its mean loss, what the model gave, and the targets (NULL: none). */
void tally_add(tally *sums, double loss, tern_tensor *output, tern_tensor *targets);

/* The scores of all batches; frees what the tally holds. */
scores tally_end(tally *sums);

/* ", acc: 98.00%", ", acc: 98.00%, AUC: 0.9950", ", MAE: 3.2, R2: 0.9912" or nothing. */
void scores_print(FILE *stream, const scores *s);

#endif
