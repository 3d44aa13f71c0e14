#include "train_step.h"

#include "tern/grad.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>

static void run(const train_step *s, tern_tensor *const *batch, tern_tensor **out) {
    out[1] = tern_forward(s->model, batch[0]);
    out[0] = tern_forward2(s->loss, out[1], batch[1]);
    tern_optim_zero_grad(s->optim);
    tern_backward(out[0]);
    if (s->clip > 0)
        tern_clip_grad_norm(tern_optim_context(s->optim), tern_module_parameters(s->model), s->clip,
                            2, false);
    tern_optim_step(s->optim);
}

static bool has_shape(const tern_tensor *tensor, const tern_shape *shape) {
    tern_shape is = tern_shape_of(tensor);
    return is.rank == shape->rank &&
           memcmp(is.dim, shape->dim, (size_t)is.rank * sizeof *is.dim) == 0;
}

/* The step is taken, and recorded; a reason against replaying it is no error. */
static void capture(train_step *s, tern_tensor *const *batch, tern_tensor **out) {
    tern_ctx *ctx = tern_optim_context(s->optim);
    tern_scope scope = tern_owner_begin(s->owner, 0);
    if (scope.serial) tern_capture_begin(ctx, batch, 2);
    tern_scope_end(scope);
    run(s, batch, out);
    if (tern_capture_refusal(ctx)) {
        snprintf(s->reason, sizeof s->reason, "%s", tern_capture_refusal(ctx));
        tern_capture_cancel(ctx);
        return;
    }
    s->replay = tern_capture_end(ctx, out, 2);
    for (int i = 0; i < 2; i++) s->shapes[i] = tern_shape_of(batch[i]);
}

/* A first step makes the optimizer's state, which a replay cannot. */
void train_step_run(train_step *s, tern_tensor *const *batch, tern_tensor **out_loss,
                    tern_tensor **out_predictions) {
    tern_tensor *out[2] = {NULL, NULL};
    if (s->replay && has_shape(batch[0], &s->shapes[0]) && has_shape(batch[1], &s->shapes[1])) {
        tern_replay_run(s->replay, batch, 2);
        for (size_t i = 0; i < 2; i++) out[i] = tern_replay_output(s->replay, i);
    } else if (s->steps == 1 && !s->is_eager) {
        capture(s, batch, out);
    } else {
        run(s, batch, out);
    }
    s->steps++;
    *out_loss = out[0];
    *out_predictions = out[1];
}

void train_step_describe(const train_step *s, char *out_text, size_t size) {
    tern_replay_info info = s->replay ? tern_replay_describe(s->replay) : (tern_replay_info){0};
    if (s->replay)
        snprintf(out_text, size, "replayed: %zu of %zu launches, %.1f MiB", info.launches,
                 info.captured_launches, (double)info.block_bytes / (1 << 20));
    else
        snprintf(out_text, size, "run as usual: %s", *s->reason ? s->reason : "--eager");
}
