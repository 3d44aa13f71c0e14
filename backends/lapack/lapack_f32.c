/* lapack_f32.c: LAPACK's s-routines. */
#define REAL       float
#define ROUTINE(x) LAPACKE_s##x##_work
#define TRSM       strsm_
#define ROWS       lapack_rows_f32
#include "typed.inc"
