/* tern/tern.h: all of Tern for a program: includes every public header but backend.h. */
#ifndef TERN_H
#define TERN_H

#include "tern/averaged.h"
#include "tern/base.h"
#include "tern/checkpoint.h"
#include "tern/context.h"
#include "tern/data.h"
#include "tern/describe.h"
#include "tern/device.h"
#include "tern/distributions.h"
#include "tern/formula.h"
#include "tern/function.h"
#include "tern/grad.h"
#include "tern/hooks.h"
#include "tern/io.h"
#include "tern/literals.h"
#include "tern/memory.h"
#include "tern/nn.h"
#include "tern/nn_utils.h"
#include "tern/ops.h"
#include "tern/optim.h"
#include "tern/profile.h"
#include "tern/replay.h"
#include "tern/state.h"
#include "tern/summary.h"
#include "tern/tensor.h"
#include "tern/update.h"
#include "tern/value.h"

#endif
