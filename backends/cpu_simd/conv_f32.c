/*
 * Convolutions summed in float32, of float32, float16 and bfloat16.
 */
#include "conv.h"

#define NUMBER  float
#define VECTOR  f32v
#define MASK    i32v
#define LANES   F32_LANES
#define DTYPE   TERN_BT_FLOAT32
#define NAME(x) x##_f32
#define OP(x)   f32_##x
#include "conv_weight.inc"
