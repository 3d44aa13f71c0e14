/* generator.h: what a generator is. */
#ifndef TERN_CORE_GENERATOR_H
#define TERN_CORE_GENERATOR_H

#include "core/objects.h"
#include "numerics/mt19937.h"

struct tern_generator_body {
    tern_ctx *ctx;
    tern_generator *handle;
    tern_mt19937 engine;
};

/* In the open scope; NULL and latched when memory is out. */
tern_generator_body *tern_generator_make(tern_ctx *ctx, uint64_t seed);

/* The generator behind a handle; NULL for NULL, and after latching that it is gone. */
TERN_API tern_generator_body *tern_generator_of(const tern_generator *generator,
                                                const char *function);

#endif
