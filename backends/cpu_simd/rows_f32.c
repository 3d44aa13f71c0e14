/* The members of UNARY, BINARY and TERNARY over rows of float32. */
#include <math.h>
#include <stdbool.h>

#include "../cpu_ref/binary.h"
#include "../cpu_ref/walk.h"
#include "ahead.h"
#include "rows_tables.h"
#include "vmath.h"

#define T       float
#define V       f32v
#define M       i32v
#define LANES   F32_LANES
#define F(name) f32_##name
#define FMA_ONE f32_fma_one
#define DTYPE   TERN_BT_FLOAT32
#define ROW_OF  tern_simd_rows_f32
#include "rows_floating.inc"
