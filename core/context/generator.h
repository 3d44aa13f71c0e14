/* generator.h: what a tern_generator is. */
#ifndef TERN_CORE_GENERATOR_H
#define TERN_CORE_GENERATOR_H

#include "core/objects.h"
#include "numerics/mt19937.h"

struct tern_generator {
    tern_ctx *ctx;
    tern_mt19937 engine;
};

/* In the open scope; NULL and latched when memory is out. */
tern_generator *tern_generator_make(tern_ctx *ctx, uint64_t seed);

#endif
