/* model_fit.h: whether a model's output suits the targets that it is to be trained on, found out before
 * the first epoch. */
#ifndef TERN_TOOLS_MODEL_FIT_H
#define TERN_TOOLS_MODEL_FIT_H

#include "run_data.h"

#include "tern/nn.h"

/*
 * Runs the model on one sample, in evaluation mode; the generator is then as before. False after latching
 * an error: classes beyond the model's scores, real-valued targets of a loss over classes, several
 * numbers for a table's one target, or whatever the model itself reports.
 */
bool model_fits(tern_module *model, const recipe *r, const run_data *data);

#endif
