/*
 * kit_dtypes.h: which element types a kernel family takes together, for a backend's `supports`.
 */
#ifndef TERN_KIT_DTYPES_H
#define TERN_KIT_DTYPES_H

#include "tern/backend.h"

/* Whether all operands have dtypes of today's tensors. */
bool tern_kit_knows_dtypes(const tern_kernel_query *query);

/* Whether the operands' dtypes go together; families that are not named there convert or have one. */
bool tern_kit_dtypes_fit(const tern_kernel_query *query);

#endif
