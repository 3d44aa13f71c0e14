/* loss.h: what the losses share. */
#ifndef TERN_FUNCTIONAL_LOSS_H
#define TERN_FUNCTIONAL_LOSS_H

#include "core/ops/layout.h"
#include "functional.h"
#include "programs/program.h"

/* The reduction argument ("none", "mean", "sum"); false after latching. */
bool tern_reduction_argument(tern_opcall *call, int index, tern_reduction *out_reduction);

/* The name of a reduction as an argument. */
tern_value tern_reduction_value(tern_reduction reduction);

/* A loss by element, reduced: in one launch. */
tern_tensor *tern_reduce_loss(tern_tensor *loss, tern_reduction reduction);

/* The same in the dtype of the first argument, by the reduction argument. None after latching. */
tern_value tern_loss_result(tern_opcall *call, tern_tensor *loss, int reduction_index);

/* An argument as floats: integers become float32. */
tern_tensor *tern_loss_floats(tern_opcall *call, int index);

/* An error where `wrong`, a tensor of bools or numbers, is not 0 somewhere: waits for the device. True
 * after latching. */
bool tern_loss_refuses(tern_opcall *call, tern_tensor *wrong, const char *message);

#endif
