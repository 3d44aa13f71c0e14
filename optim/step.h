/* step.h: a step while it is taken. */
#ifndef TERN_OPTIM_STEP_H
#define TERN_OPTIM_STEP_H

#include "internal.h"

/* The tuples of one program on one device: a launch. */
typedef struct batch {
    const tern_update_rule *rule;
    uint32_t flags;
    tern_tensor *first; /* a tensor that is written */
    int n_tensors, n_numbers;
    size_t count, capacity;
    tern_tensor **tensors;
    double *numbers;
    tern_update_run *run;
} batch;

typedef struct step {
    tern_optim_body *optim;
    tern_update_call *calls;
    size_t n_calls, n_batches, batches_capacity;
    batch *batches;
} step;

/* What the step counted becomes the state's. */
void tern_step_count(const tern_optim_body *optim, const tern_update_call *call);

/* ---- repeat.c ---- */

/* The step is captured: its numbers become cells, which each replay works out anew. Before the step's runs are
 * prepared. False after latching. */
bool tern_step_repeat(step *s);

#endif
