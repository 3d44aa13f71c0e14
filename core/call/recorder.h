/*
 * recorder.h: what hears of a context's work while a body is captured (replay/).
 *
 * A context has one or none. It is told of what has succeeded, in order: launches with the tensors behind
 * their operands, numbers that fill storage, bytes that come from the host, draws of random numbers, values that
 * were looked at to see whether a tensor is in order. What cannot be repeated it refuses. The functions are reached through the struct, so a program that never
 * captures does not carry them.
 */
#ifndef TERN_CORE_RECORDER_H
#define TERN_CORE_RECORDER_H

#include "core/objects.h"

/* A launch that a device has taken. Of MAP over tuples the counts are those of one. */
typedef struct tern_launched {
    tern_lane *lane;
    int32_t kernel, fn;
    int n_inputs, n_outputs, n_tuples;
    const tern_operand *in, *out;
    const tern_tensor_body *const *bodies; /* of all inputs, then of all outputs */
    const double *const
        *numbers; /* of each input where it is a number of the caller's; may be NULL */
    const void *attrs;
    uint32_t attrs_size;
} tern_launched;

/* Random numbers for storage: `draw` writes them to host memory. */
typedef struct tern_drawn {
    void (*draw)(const void *job, tern_mt19937 *engine, void *out);
    const void *job;
    size_t job_size;
    tern_generator_body *generator;
    uint64_t bytes;
} tern_drawn;

struct tern_recorder {
    uint32_t serial; /* of storage that is made meanwhile; never 0 */
    void (*launched)(tern_recorder *recorder, const tern_launched *launch);
    void (*filled)(tern_recorder *recorder, tern_storage *storage, const tern_operand *out,
                   const tern_fill_attrs *attrs);
    void (*uploaded)(tern_recorder *recorder, tern_storage *storage, uint64_t offset,
                     const void *data, uint64_t bytes);
    void (*drew)(tern_recorder *recorder, tern_storage *storage, const tern_drawn *drawn);
    void (*graded)(tern_recorder *recorder, tern_tensor *leaf, bool set);
    void (*checked)(tern_recorder *recorder, const tern_tensor *wrong, const char *message);
    void (*refused)(tern_recorder *recorder, const char *reason);
    void *(*kept)(tern_recorder *recorder, size_t bytes);
    tern_status (*acted)(tern_recorder *recorder, tern_action_fn before, tern_action_fn after,
                         tern_action_fn undo, void *kept);
};

/* Storage that was made while this recorder has been there: nothing outside of the body knows it. */
static inline bool tern_is_made_inside(const tern_storage *storage, const tern_recorder *recorder) {
    return storage->made_in == recorder->serial;
}

/* Says that what happens now cannot be repeated by a replay, where one is captured. */
static inline void tern_cannot_replay(tern_ctx *ctx, const char *reason) {
    if (ctx->recorder) ctx->recorder->refused(ctx->recorder, reason);
}

#endif
