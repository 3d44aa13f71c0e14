/* advice.h: what the author of a backend should do next. */
#ifndef TERN_TOOLS_ADVICE_H
#define TERN_TOOLS_ADVICE_H

#include "conformance.h"

/* Tells the report (report_advise) which primitives the device lacks for which dtypes, and which families
 * of fused kernels it lacks, with the launches that each would save in a training step of the models of
 * the vectors. */
void advise(conformance *run);

#endif
