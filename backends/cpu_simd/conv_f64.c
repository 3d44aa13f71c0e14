/*
 * Convolutions summed in float64.
 */
#include "conv.h"

#define NUMBER  double
#define VECTOR  f64v
#define MASK    i64v
#define LANES   F64_LANES
#define DTYPE   TERN_BT_FLOAT64
#define NAME(x) x##_f64
#define OP(x)   f64_##x
#include "conv_weight.inc"
