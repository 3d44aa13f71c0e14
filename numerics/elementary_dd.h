/*
 * The double-double kernels that the elementary functions share. Internal to numerics/.
 *
 * Arguments are finite and in the domain said; special cases are the callers'.
 */
#ifndef TERN_NUMERICS_ELEMENTARY_DD_H
#define TERN_NUMERICS_ELEMENTARY_DD_H

#include "numerics/double_double.h"

/* e^x - 1 = 2^k (1 + fraction) - 1, |fraction| < 0.42. */
typedef struct tern_dd_power {
    tern_dd fraction;
    int k;
} tern_dd_power;

/* e^x in that form, |x| < 2^20. */
tern_dd_power tern_num_dd_exp(tern_dd x);

/* e^x - 1, -60 < x < 700. */
tern_dd tern_num_dd_expm1(tern_dd x);

/* 2^k (1 + fraction) rounded once, subnormal results too; inf or 0 beyond the range. */
double tern_num_dd_round_power(tern_dd_power p);

/* m 2^k rounded once, subnormal results too. 0.25 < |m| < 4. */
double tern_num_dd_ldexp(tern_dd m, int k);

/* log(x), x > 0. */
tern_dd tern_num_dd_log(tern_dd x);

/* log(1 + f), |f| >= 2^-200, f > -1. */
tern_dd tern_num_dd_log1p(tern_dd f);

/* sin(r) and cos(r), |r| <= 0.8. */
tern_dd tern_num_dd_sin(tern_dd r);
tern_dd tern_num_dd_cos(tern_dd r);

/* |sin(pi x)| and |cos(pi x)| with the sign of their quotient moved to the cosine. */
void tern_num_dd_sin_cos_pi(double x, tern_dd *out_sin, tern_dd *out_cos);

/* The angle of (x, y), x >= 0, y >= 0, not both 0, both scaled so that no product underflows. */
tern_dd tern_num_dd_atan2(tern_dd y, tern_dd x);

#endif
