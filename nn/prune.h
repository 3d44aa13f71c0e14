/* prune.h: parameters under masks, shared by what applies masks and what chooses them. */
#ifndef TERN_NN_PRUNE_H
#define TERN_NN_PRUNE_H

#include "module.h"
#include "tern/nn_utils.h"

/* A parameter that can be pruned, or is pruned already. */
typedef struct tern_prunable {
    tern_module *module;
    tern_tensor *weight; /* the parameter itself, under whichever name it has now */
    bool pruned;
    char name[96], original[128], mask[128]; /* "weight", "weight_orig", "weight_mask" */
} tern_prunable;

/* Finds a parameter by the name that it has, or had before it was pruned. False after latching, and for a
 * module that is NULL. */
bool tern_prunable_find(tern_module *module, const char *name, const char *who, tern_prunable *out);

/* Its mask, or ones in the open scope. */
tern_tensor *tern_prunable_mask(const tern_prunable *p);

/* Masks it, with a mask of zeros and ones in any dtype and scope that has the weight's shape. */
tern_status tern_prunable_apply(const tern_prunable *p, tern_tensor *mask);

#endif
