/* rows_tables.h: the lookups of rows.h for one dtype each. */
#ifndef TERN_CPU_SIMD_ROWS_TABLES_H
#define TERN_CPU_SIMD_ROWS_TABLES_H

#include "../cpu_ref/kernels.h"
#include "rows.h"

tern_simd_row tern_simd_rows_f32(int32_t family, int32_t fn);
tern_simd_row tern_simd_rows_f64(int32_t family, int32_t fn);
tern_simd_row tern_simd_rows_integer(int32_t dtype, int32_t family, int32_t fn);

#endif
