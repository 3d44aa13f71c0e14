/* raw.h: filling and copying without recording. */
#ifndef TERN_CORE_RAW_H
#define TERN_CORE_RAW_H

#include "core/objects.h"

/* One number everywhere: f where the dtype is floating, else i. Written when somebody looks. */
TERN_API void tern_fill_raw(tern_tensor *tensor, double f, int64_t i);

/* A contiguous tensor of the same values; itself where it is. No recording. */
TERN_API tern_tensor *tern_contiguous_raw(tern_tensor *tensor);

/* Copies between tensors of one shape, any strides and dtypes, devices too. No recording. */
TERN_API tern_status tern_copy_raw(tern_tensor *dst, tern_tensor *src);

#endif
