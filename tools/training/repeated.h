/*
 * repeated.h: work on batches of tensors that is captured when it has run once or twice, and replayed from then
 * on.
 *
 * A batch of another size (the last one) and work that cannot be replayed run as usual, with the same numbers.
 */
#ifndef TERN_TOOLS_REPEATED_H
#define TERN_TOOLS_REPEATED_H

#include "tern/replay.h"

enum { REPEATED_TENSORS = 2 };

typedef struct repeated {
    tern_ctx *ctx;
    void (*work)(void *user, tern_tensor *const *inputs, tern_tensor **out_results);
    void *user;
    size_t n_inputs, n_results; /* at most REPEATED_TENSORS */
    int64_t first;              /* the run, from 0, that is captured: what it needs is there */
    bool is_eager;              /* never captured */
    tern_owner *owner;          /* of what is captured: made where the work begins */
    tern_replay *replay;        /* NULL before, and where the work cannot be replayed */
    tern_shape shapes[REPEATED_TENSORS]; /* of the captured inputs */
    char reason[160];                    /* why it cannot be replayed */
    int64_t runs;                        /* so far */
} repeated;

/* The work's results, valid until the next run or the end of the open scope; nil after latching. */
void repeated_run(repeated *r, tern_tensor *const *inputs, tern_tensor **out_results);

/* "replayed: 38 of 41 launches (1 done twice), 1.2 MiB" or "run as usual: it reads a tensor's values ...", for a reader. */
void repeated_describe(const repeated *r, char *out_text, size_t size);

#endif
