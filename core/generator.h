/* generator.h: what a tern_generator is. */
#ifndef TERN_CORE_GENERATOR_H
#define TERN_CORE_GENERATOR_H

#include "internal.h"
#include "numerics/mt19937.h"

struct tern_generator {
    tern_ctx *ctx;
    tern_mt19937 engine;
};

#endif
