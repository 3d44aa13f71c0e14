/* loss.h: what the losses share. */
#ifndef TERN_CORE_OPS_LOSS_H
#define TERN_CORE_OPS_LOSS_H

#include "layout.h"

/* The reduction argument ("none", "mean", "sum"); false after latching. */
TERN_API bool tern_reduction_argument(tern_opcall *call, int index, tern_reduction *out_reduction);

/* A loss by element, reduced. */
TERN_API tern_tensor *tern_reduce_loss(tern_tensor *loss, tern_reduction reduction);

/* The name of a reduction as an argument. */
TERN_API tern_value tern_reduction_value(tern_reduction reduction);

#endif
