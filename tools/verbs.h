/* verbs.h: what `tern` can do, one file a verb. */
#ifndef TERN_TOOLS_VERBS_H
#define TERN_TOOLS_VERBS_H

#include "options.h"

extern const verb verb_devices;
extern const verb verb_doctor;
extern const verb verb_ops;
extern const verb verb_op;
extern const verb verb_conformance;
extern const verb verb_train_linear;
extern const verb verb_inspect;
extern const verb verb_convert;
extern const verb verb_summary;
extern const verb verb_bench;
extern const verb verb_tune;
extern const verb verb_train;
extern const verb verb_evaluate;
extern const verb verb_predict;
extern const verb verb_plot;

#endif
