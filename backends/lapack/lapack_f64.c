/* lapack_f64.c: LAPACK's d-routines. */
#define REAL       double
#define ROUTINE(x) LAPACKE_d##x##_work
#define TRSM       dtrsm_
#define ROWS       lapack_rows_f64
#include "typed.inc"
