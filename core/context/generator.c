/* generator.c: random number generators, PyTorch's mt19937 as objects of a scope. */
#include "generator.h"
#include "scope.h"

_Static_assert(TERN_RNG_STATE_SIZE == TERN_NUM_MT19937_STATE_BYTES, "one size of a state");

tern_generator *tern_generator_make(tern_ctx *ctx, uint64_t seed) {
    tern_generator *generator = tern_scope_alloc(ctx, sizeof *generator);
    if (!generator) return NULL;
    generator->ctx = ctx;
    tern_num_mt19937_seed(&generator->engine, seed);
    return generator;
}

tern_generator *tern_generator_new(tern_ctx *ctx) {
    return tern_generator_make(ctx, TERN_NUM_MT19937_DEFAULT_SEED);
}

void tern_generator_seed(tern_generator *generator, int64_t seed) {
    if (generator) tern_num_mt19937_seed(&generator->engine, (uint64_t)seed);
}

uint64_t tern_generator_initial_seed(const tern_generator *generator) {
    return generator ? generator->engine.seed : 0;
}

void tern_generator_get_state(const tern_generator *generator, uint8_t *out_state) {
    if (generator) tern_num_mt19937_get_state(&generator->engine, out_state);
}

tern_status tern_generator_set_state(tern_generator *generator, const uint8_t *state, size_t size) {
    if (!generator) return TERN_ERR_ARGUMENT;
    if (tern_num_mt19937_set_state(&generator->engine, state, size)) return TERN_OK;
    return tern_fail(generator->ctx, TERN_ERR_ARGUMENT,
                     "generator: invalid mt19937 state (%zu bytes; %d are expected, as "
                     "tern_generator_get_state writes them)",
                     size, TERN_RNG_STATE_SIZE);
}

uint32_t tern_generator_next_u32(tern_generator *generator) {
    return generator ? tern_num_mt19937_u32(&generator->engine) : 0;
}

uint64_t tern_generator_next_u64(tern_generator *generator) {
    return generator ? tern_num_mt19937_u64(&generator->engine) : 0;
}

tern_generator *tern_default_generator(tern_ctx *ctx) {
    return ctx->generator;
}

void tern_manual_seed(tern_ctx *ctx, int64_t seed) {
    tern_generator_seed(ctx->generator, seed);
}
