/* The members of UNARY, BINARY and TERNARY over rows of float64. */
#include <math.h>
#include <stdbool.h>

#include "../cpu_ref/binary.h"
#include "../cpu_ref/walk.h"
#include "ahead.h"
#include "rows_tables.h"
#include "vmath.h"

#define T       double
#define V       f64v
#define M       i64v
#define LANES   F64_LANES
#define F(name) f64_##name
#define FMA_ONE f64_fma_one
#define DTYPE   TERN_BT_FLOAT64
#define ROW_OF  tern_simd_rows_f64
#include "rows_floating.inc"
