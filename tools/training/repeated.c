#include "repeated.h"

#include "tern/tensor.h"

#include <stdio.h>
#include <string.h>

static bool is_captured_for(const repeated *r, tern_tensor *const *inputs) {
    if (!r->replay) return false;
    for (size_t i = 0; i < r->n_inputs; i++) {
        tern_shape shape = tern_shape_of(inputs[i]);
        if (!tern_shape_equal(&shape, &r->shapes[i])) return false;
    }
    return true;
}

/* The work is done, and recorded; a reason against replaying it is no error. */
static void capture(repeated *r, tern_tensor *const *inputs, tern_tensor **out) {
    tern_scope scope = tern_owner_begin(r->owner, 0);
    if (scope.serial) tern_capture_begin(r->ctx, inputs, r->n_inputs);
    tern_scope_end(scope);
    r->work(r->user, inputs, out);
    if (tern_capture_refusal(r->ctx)) {
        snprintf(r->reason, sizeof r->reason, "%s", tern_capture_refusal(r->ctx));
        tern_capture_cancel(r->ctx);
        return;
    }
    r->replay = tern_capture_end(r->ctx, out, r->n_results);
    for (size_t i = 0; i < r->n_inputs; i++) r->shapes[i] = tern_shape_of(inputs[i]);
}

void repeated_run(repeated *r, tern_tensor *const *inputs, tern_tensor **out) {
    if (is_captured_for(r, inputs)) {
        tern_replay_run(r->replay, inputs, r->n_inputs);
        for (size_t i = 0; i < r->n_results; i++) out[i] = tern_replay_output(r->replay, i);
    } else if (r->runs == r->first && !r->is_eager) {
        capture(r, inputs, out);
    } else {
        r->work(r->user, inputs, out);
    }
    r->runs++;
}

void repeated_describe(const repeated *r, char *out_text, size_t size) {
    tern_replay_info info = r->replay ? tern_replay_describe(r->replay) : (tern_replay_info){0};
    char twice[48] = "";
    if (info.repeated_launches)
        snprintf(twice, sizeof twice, " (%zu done twice)", info.repeated_launches);
    if (r->replay)
        snprintf(out_text, size, "replayed: %zu of %zu launches%s, %.1f MiB", info.launches,
                 info.captured_launches, twice, (double)info.block_bytes / (1 << 20));
    else
        snprintf(out_text, size, "run as usual: %s", *r->reason ? r->reason : "--eager");
}
