/* division.h: Python's // and % of floating-point numbers, which torch.floor_divide and torch.remainder are. */
#ifndef TERN_NUMERICS_DIVISION_H
#define TERN_NUMERICS_DIVISION_H

/* floor(a / b) of the exact quotient, with the sign of zero of a / b; a / b where b is 0. */
double tern_num_div_floor(double a, double b);

/* a - b * floor(a / b), exact: the result has the sign of b. */
double tern_num_remainder(double a, double b);

#endif
