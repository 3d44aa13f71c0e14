/* generator.c: random number generators, PyTorch's mt19937 as objects of a scope. */
#include "generator.h"

#include "core/call/recorder.h"
#include "core/ground/error.h"

#define GENERATOR "generator"

_Static_assert(TERN_RNG_STATE_SIZE == TERN_NUM_MT19937_STATE_BYTES, "one size of a state");

tern_generator_body *tern_generator_make(tern_ctx *ctx, uint64_t seed) {
    tern_generator_body *generator = tern_scope_alloc(ctx, sizeof *generator);
    if (!generator) return NULL;
    generator->ctx = ctx;
    generator->handle = tern_handle_new(ctx, GENERATOR, generator);
    tern_num_mt19937_seed(&generator->engine, seed);
    return generator->handle ? generator : NULL;
}

tern_generator_body *tern_generator_of(const tern_generator *generator, const char *function) {
    return tern_handle_object(generator, GENERATOR, function);
}

/* The same for a function that changes its state, which no replay repeats. */
static tern_generator_body *changed(tern_generator *generator, const char *function) {
    tern_generator_body *body = tern_generator_of(generator, function);
    if (body) tern_cannot_replay(body->ctx, "it seeds a generator, or draws a number on the host");
    return body;
}

tern_generator *tern_generator_new(tern_ctx *ctx) {
    if (!ctx) ctx = tern_no_context();
    tern_generator_body *body = tern_generator_make(ctx, TERN_NUM_MT19937_DEFAULT_SEED);
    return body ? body->handle : NULL;
}

void tern_generator_seed(tern_generator *generator, int64_t seed) {
    tern_generator_body *body = changed(generator, "tern_generator_seed");
    if (body) tern_num_mt19937_seed(&body->engine, (uint64_t)seed);
}

uint64_t tern_generator_initial_seed(const tern_generator *generator) {
    const tern_generator_body *body = tern_generator_of(generator, "tern_generator_initial_seed");
    return body ? body->engine.seed : 0;
}

void tern_generator_get_state(const tern_generator *generator, uint8_t *out_state) {
    const tern_generator_body *body = tern_generator_of(generator, "tern_generator_get_state");
    if (body && !out_state)
        tern_fail(body->ctx, TERN_ERR_ARGUMENT, "tern_generator_get_state: out_state is NULL");
    else if (body)
        tern_num_mt19937_get_state(&body->engine, out_state);
}

tern_status tern_generator_set_state(tern_generator *generator, const uint8_t *state, size_t size) {
    tern_generator_body *body = changed(generator, "tern_generator_set_state");
    if (!body) return tern_handle_status(generator);
    if (state && tern_num_mt19937_set_state(&body->engine, state, size)) return TERN_OK;
    return tern_fail(body->ctx, TERN_ERR_ARGUMENT,
                     "generator: invalid mt19937 state (%zu bytes; %d are expected, as "
                     "tern_generator_get_state writes them)",
                     size, TERN_RNG_STATE_SIZE);
}

uint32_t tern_generator_next_u32(tern_generator *generator) {
    tern_generator_body *body = changed(generator, "tern_generator_next_u32");
    return body ? tern_num_mt19937_u32(&body->engine) : 0;
}

uint64_t tern_generator_next_u64(tern_generator *generator) {
    tern_generator_body *body = changed(generator, "tern_generator_next_u64");
    return body ? tern_num_mt19937_u64(&body->engine) : 0;
}

tern_generator *tern_default_generator(tern_ctx *ctx) {
    return ctx && ctx->generator ? ctx->generator->handle : NULL;
}

void tern_manual_seed(tern_ctx *ctx, int64_t seed) {
    tern_generator_seed(tern_default_generator(ctx), seed);
}
