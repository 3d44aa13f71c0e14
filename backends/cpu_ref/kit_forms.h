/*
 * kit_forms.h: what a kernel family takes: how many operands, which attributes, which element types.
 *
 * One table for every backend whose kernels follow tern/backend.h. A backend adds which families it has,
 * and which members of them.
 */
#ifndef TERN_KIT_FORMS_H
#define TERN_KIT_FORMS_H

#include "tern/backend.h"

/* The most operands that a launch may have, or a tuple of MAP: an output or input for each dimension, and
 * a few. */
#define TERN_KIT_OPERANDS 24

typedef bool (*tern_kit_has)(int32_t fn, int32_t dtype);

typedef struct tern_kit_form {
    uint32_t attrs_size; /* at least; a program comes behind them */
    bool has_program;
    int32_t min_inputs, max_inputs, max_outputs; /* at least one output */
    int32_t deciding;                            /* the input whose dtype decides */
    tern_kit_has has;                            /* of that dtype; NULL: every one */
} tern_kit_form;

/* Ids of kernels have a gap before the fused ones; forms have not, and are found by this index. */
#define TERN_KIT_PRIMITIVES (TERN_KERNEL_RESIZE_GRAD + 1)
#define TERN_KIT_FUSED(id)  ((id)-TERN_KERNEL_FUSED + TERN_KIT_PRIMITIVES)

/* The index of a kernel, below `count`; -1 where there is none. */
int32_t tern_kit_form_index(int32_t kernel, int32_t count);

/* NULL where no family has the id. */
const tern_kit_form *tern_kit_form_of(int32_t kernel);

/* Why a kernel of the form does not take the query's operands; NULL where it does. `has` says which members
 * the backend has, NULL: all. */
const char *tern_kit_form_refuses(const tern_kit_form *form, const tern_kernel_query *query,
                                  tern_kit_has has);

#endif
