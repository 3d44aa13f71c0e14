/* lbfgs_state.h: what LBFGS remembers over all parameters, and how it is saved. */
#ifndef TERN_OPTIM_LBFGS_STATE_H
#define TERN_OPTIM_LBFGS_STATE_H

#include "internal.h"

/* One remembered step over all n elements. */
typedef struct tern_lbfgs_pair {
    tern_tensor *y, *s;   /* [n]: the gradient's change; the step */
    tern_tensor *ro, *al; /* 0-dim: 1 / y.s; the weight in the last first loop */
} tern_lbfgs_pair;

/* In the optimizer's state_owner. Its tensors are written anew, not made anew, by every iteration. */
typedef struct tern_lbfgs {
    int64_t func_evals, n_iter;
    double t, prev_loss;
    tern_tensor *d, *prev_grad;   /* [n], NULL before the first iteration */
    tern_tensor *h_diag;          /* 0-dim */
    tern_lbfgs_pair *pairs;       /* the oldest first */
    size_t count, made, capacity; /* in use; with tensors; room */
} tern_lbfgs;

/* How many elements all parameters have. */
int64_t tern_lbfgs_numel(const tern_optim_body *optim);

/* The optimizer's state, made where there is none; its tensors follow the parameters to another dtype
 * or device. NULL after latching. */
tern_lbfgs *tern_lbfgs_prepare(tern_optim_body *optim);

/* d, prev_grad and h_diag, which is then 1. False after latching. */
bool tern_lbfgs_begin(tern_optim_body *optim);

/* Room for one more pair, at most `most` of them: the oldest one's is used again. NULL after latching. */
tern_lbfgs_pair *tern_lbfgs_next_pair(tern_optim_body *optim, size_t most);

/* The functions of tern_whole_class. */
tern_value tern_lbfgs_save(const tern_optim_body *optim);
void *tern_lbfgs_load(tern_optim_body *optim, tern_value saved);

#endif
