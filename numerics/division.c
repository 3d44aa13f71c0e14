#include "numerics/division.h"

#include <math.h>

double tern_num_remainder(double a, double b) {
    double mod = fmod(a, b);
    return mod != 0 && (b < 0) != (mod < 0) ? mod + b : mod;
}

/* Exact through fmod: a / b may round up to the next integer. */
double tern_num_div_floor(double a, double b) {
    if (b == 0) return a / b;
    double mod = fmod(a, b);
    double quotient = (a - mod) / b;
    if (mod != 0 && (b < 0) != (mod < 0)) quotient -= 1;
    if (quotient == 0) return copysign(0, a / b);
    double floored = floor(quotient);
    return quotient - floored > 0.5 ? floored + 1 : floored;
}
