/* capture.c: the beginning and the end of a captured body. */
#include <string.h>

#include "core/autograd/graph.h"
#include "core/call/operand.h"
#include "core/context/entered.h"
#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"
#include "recording.h"
#include "tern/describe.h"

static tern_recording *recording_of(const tern_ctx *ctx) {
    return ctx ? (tern_recording *)ctx->recorder : NULL;
}

/* ---- the lane's cache ------------------------------------------------------------------------ */

/* Whatever the body makes has new storage, and what it gives back goes: each stands for one thing. The short
 * path of element-wise calls tells no recorder. */
static void hide_cache(tern_recording *r) {
    tern_lane *lane = r->lane;
    memcpy(r->hidden, lane->cached, sizeof r->hidden);
    memset(lane->cached, 0, sizeof lane->cached);
    memset(lane->mapped, 0, sizeof lane->mapped);
    r->hidden_bytes = lane->cached_bytes;
    r->cache_limit = lane->cache_limit;
    lane->cached_bytes = 0;
    lane->cache_limit = 0;
}

static void show_cache(tern_recording *r) {
    tern_lane *lane = r->lane;
    for (int c = 0; c < TERN_SIZE_CLASSES; c++) {
        tern_storage **end = &lane->cached[c];
        while (*end) end = &(*end)->next;
        *end = r->hidden[c];
    }
    lane->cached_bytes += r->hidden_bytes;
    lane->cache_limit = r->cache_limit;
}

/* The context goes on without a recorder. */
static void stop(tern_recording *r) {
    if (r->ctx->recorder != &r->recorder) return;
    r->ctx->recorder = NULL;
    show_cache(r);
}

/* What the recording's owner calls when it ends. */
static void end_recording(void *arg) {
    tern_recording *r = arg;
    stop(r);
    if (r->device)
        r->lane->device->vtable.replay_free(r->lane->device->object, r->lane->queue, r->device);
    r->device = NULL;
    for (int i = 0; i < r->n_places; i++) tern_storage_release(r->places[i].storage);
    for (int i = 0; i < r->n_inputs; i++) tern_storage_release(r->inputs[i].storage);
    tern_storage_release(r->block);
    r->n_places = r->n_inputs = 0;
    r->block = NULL;
}

/* For a tensor that is not usable: NULL is not latched yet. False. */
static bool refuse_tensor(tern_recording *r, const char *which) {
    if (r->ctx->status == TERN_OK)
        tern_fail(r->ctx, TERN_ERR_ARGUMENT, "tern_capture_%s: a tensor is NULL", which);
    return false;
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* One tensor may be given twice: an autoencoder's input is its target. */
static bool is_same(const tern_tensor *a, const tern_tensor *b) {
    return tern_same_elements(BODY(a), BODY(b)) && BODY(a)->dtype == BODY(b)->dtype;
}

static int same_as(const tern_recording *r, const tern_tensor *input) {
    for (int i = 0; i < r->n_inputs; i++)
        if (is_same(r->inputs[i].tensor, input)) return i;
    return -1;
}

static const char *problem_of(const tern_recording *r, const tern_tensor *input) {
    const tern_tensor_body *body = BODY(input);
    if (body->ctx != r->ctx) return "belongs to another context";
    if (body->lane != r->lane) return "is on another device than the first";
    if (tern_needs_grad((tern_tensor *)(uintptr_t)input))
        return "requires a gradient: detach it, and let the body require one";
    if (body->numel == 0) return "is empty";
    for (int i = 0; i < r->n_inputs; i++)
        if (r->inputs[i].storage == body->storage && !is_same(r->inputs[i].tensor, input))
            return "shares memory with another one: clone one of them";
    return NULL;
}

/* False after latching. */
static bool add_input(tern_recording *r, tern_tensor *input) {
    if (!tern_usable(input, "tern_capture_begin")) return refuse_tensor(r, "begin");
    const tern_tensor_body *body = BODY(input);
    const char *problem = problem_of(r, input);
    if (problem) {
        tern_fail(r->ctx, TERN_ERR_ARGUMENT, "tern_capture_begin: input %d %s", r->n_inputs,
                  problem);
        return false;
    }
    size_t rank = (size_t)body->rank;
    int64_t *dims = tern_recording_alloc(r, 2 * rank, sizeof *dims);
    if (!dims || tern_storage_settle(body->storage) != TERN_OK ||
        !tern_recording_grow(r, &r->inputs, r->n_inputs, &r->inputs_capacity, sizeof *r->inputs))
        return false;
    if (rank) memcpy(dims, body->shape, rank * sizeof *dims);
    if (rank) memcpy(dims + rank, body->strides, rank * sizeof *dims);
    tern_storage_retain(body->storage);
    int same = same_as(r, input);
    r->inputs[r->n_inputs++] = (tern_bound){.tensor = input,
                                            .storage = body->storage,
                                            .byte_offset = tern_first_byte(body),
                                            .dtype = body->dtype,
                                            .rank = body->rank,
                                            .shape = dims,
                                            .strides = dims + rank,
                                            .same_as = same};
    return true;
}

static tern_lane *lane_for(tern_ctx *ctx, tern_tensor *const *inputs, size_t n_inputs) {
    bool given = n_inputs && tern_is_live(inputs[0]) && BODY(inputs[0])->ctx == ctx;
    return given ? BODY(inputs[0])->lane : tern_lane_open(ctx, NULL);
}

/* In an owner of its own; NULL after latching. */
static tern_recording *recording_new(tern_ctx *ctx, tern_lane *lane) {
    tern_owner *owner = tern_owner_new(ctx);
    tern_scope scope = tern_owner_begin(owner, 0);
    tern_recording *r = scope.serial ? tern_scope_alloc(ctx, sizeof *r) : NULL;
    if (r) {
        r->ctx = ctx;
        r->lane = lane;
        r->owner = owner;
        r->handle = tern_handle_new(ctx, "replay", r);
        if (!r->handle || tern_defer(ctx, end_recording, r) != TERN_OK) r = NULL;
    }
    tern_scope_end(scope);
    if (!r) tern_owner_free(owner);
    return r;
}

tern_status tern_capture_begin(tern_ctx *ctx, tern_tensor *const *inputs, size_t n_inputs) {
    ctx = tern_given(ctx);
    TERN_ENTER(ctx, "capture_begin", return TERN_ERR_STATE);
    if (ctx->status != TERN_OK) return ctx->status;
    if (ctx->recorder)
        return tern_fail(ctx, TERN_ERR_STATE,
                         "tern_capture_begin: a body is captured already: end it first");
    if (!inputs && n_inputs)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_capture_begin: the inputs are NULL");
    tern_lane *lane = lane_for(ctx, inputs, n_inputs);
    tern_recording *r = lane ? recording_new(ctx, lane) : NULL;
    if (!r) return ctx->status;
    for (size_t i = 0; i < n_inputs && ctx->status == TERN_OK; i++) add_input(r, inputs[i]);
    if (ctx->status != TERN_OK) {
        tern_owner_free(r->owner);
        return ctx->status;
    }
    hide_cache(r);
    tern_recording_listen(r);
    ctx->recorder = &r->recorder;
    return TERN_OK;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* A handle of the replay's own over a tensor's storage, which it keeps. NULL after latching. */
static tern_tensor *keep(tern_recording *r, const tern_tensor *tensor) {
    const tern_tensor_body *body = BODY(tensor);
    if (tern_storage_settle(body->storage) != TERN_OK) return NULL;
    int place = tern_place_of(r, body->storage);
    if (place < 0) return NULL;
    r->places[place].kept = r->places[place].inside;
    tern_scope scope = tern_owner_begin(r->owner, TERN_NO_GRAD);
    tern_tensor *own = tern_tensor_over(r->lane, body->storage, body->dtype, body->rank,
                                        body->shape, body->strides, body->offset);
    tern_scope_end(scope);
    return r->ctx->status == TERN_OK ? own : NULL;
}

/* False after latching. */
static bool keep_outputs(tern_recording *r, tern_tensor *const *outputs, size_t n_outputs) {
    r->outputs = tern_recording_alloc(r, n_outputs, sizeof(tern_tensor *));
    if (!r->outputs) return false;
    for (size_t i = 0; i < n_outputs; i++) {
        tern_tensor *output = outputs[i];
        if (!tern_usable(output, "tern_capture_end")) return refuse_tensor(r, "end");
        if (BODY(output)->ctx != r->ctx) {
            tern_fail(r->ctx, TERN_ERR_ARGUMENT,
                      "tern_capture_end: output %zu belongs to another context", i);
            return false;
        }
        if (BODY(output)->lane != r->lane) {
            tern_recording_refuse(r, "an output is on another device");
            return true;
        }
        r->outputs[i] = keep(r, output);
        if (!r->outputs[i]) return false;
        if (r->places[tern_place_of(r, BODY(output)->storage)].input >= 0)
            tern_recording_refuse(r, "an output lies in an input's memory: clone it");
        r->n_outputs++;
    }
    return true;
}

/* What is in .grad now is there after each run. False after latching. */
static bool keep_grads(tern_recording *r) {
    int count = 0;
    for (int i = 0; i < r->n_grads; i++) {
        tern_graded *g = &r->grads[i];
        if (!tern_is_live(g->leaf) || tern_is_made_inside(BODY(g->leaf)->storage, &r->recorder))
            continue;
        if (BODY(g->leaf)->flags & TERN_T_GRAD_SET) {
            if (!g->was_cleared)
                tern_recording_refuse(r, "it makes a .grad that was empty: clear gradients in the "
                                         "body, so that each run begins without");
            g->grad = keep(r, BODY(g->leaf)->grad);
            if (!g->grad) return false;
        }
        r->grads[count++] = *g;
    }
    r->n_grads = count;
    return true;
}

static size_t launches(const tern_recording *r) {
    size_t n = 0;
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        n += !c->is_dead && c->kernel != TERN_COMMAND_CHECK;
    }
    return n;
}

static void count(tern_recording *r) {
    tern_replay_info *info = &r->info;
    info->launches = launches(r);
    for (int i = 0; i < r->n_places; i++) {
        const tern_place *p = &r->places[i];
        if (p->inside && p->kept) info->kept_bytes += p->bytes;
    }
    info->draws = (size_t)r->n_draws;
    info->cells = (size_t)r->n_cells;
}

/* The recording as a replay; false after latching. */
static bool finish(tern_recording *r, tern_tensor *const *outputs, size_t n_outputs) {
    if (r->ctx->status != TERN_OK || !keep_outputs(r, outputs, n_outputs) || !keep_grads(r))
        return false;
    stop(r);
    if (r->refusal) {
        tern_fail(r->ctx, TERN_ERR_UNSUPPORTED, "tern_capture_end: the body cannot be replayed: %s",
                  r->refusal);
        return false;
    }
    r->info.captured_launches = launches(r);
    tern_recording_prune(r);
    tern_recording_order(r);
    if (r->ctx->status == TERN_OK) tern_recording_again(r);
    if (r->ctx->status == TERN_OK) tern_recording_merge(r);
    if (!tern_recording_place(r)) return false;
    count(r);
    return true;
}

tern_replay *tern_capture_end(tern_ctx *ctx, tern_tensor *const *outputs, size_t n_outputs) {
    ctx = tern_given(ctx);
    TERN_ENTER(ctx, "capture_end", return NULL);
    tern_recording *r = recording_of(ctx);
    if (!r) {
        if (ctx->status == TERN_OK)
            tern_fail(ctx, TERN_ERR_STATE,
                      "tern_capture_end: nothing is captured: call tern_capture_begin first");
        return NULL;
    }
    if (!outputs && n_outputs)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_capture_end: the outputs are NULL");
    if (finish(r, outputs, n_outputs)) return r->handle;
    stop(r);
    tern_owner_free(r->owner);
    return NULL;
}

const char *tern_capture_refusal(const tern_ctx *ctx) {
    const tern_recording *r = recording_of(ctx);
    return r ? r->refusal : NULL;
}

void tern_capture_cancel(tern_ctx *ctx) {
    tern_recording *r = recording_of(ctx);
    if (!r) return;
    stop(r);
    tern_owner_free(r->owner);
}

/* ---- for owners ------------------------------------------------------------------------------ */

bool tern_is_capturing(const tern_ctx *ctx) {
    return ctx && ctx->recorder;
}

void *tern_capture_keep(tern_ctx *ctx, size_t bytes) {
    return ctx && ctx->recorder ? ctx->recorder->kept(ctx->recorder, bytes) : NULL;
}

tern_status tern_capture_action(tern_ctx *ctx, tern_action_fn before, tern_action_fn after,
                                tern_action_fn undo, void *kept) {
    if (!ctx || !ctx->recorder) return TERN_OK;
    return ctx->recorder->acted(ctx->recorder, before, after, undo, kept);
}

void tern_capture_refuse(tern_ctx *ctx, const char *reason) {
    if (ctx && ctx->recorder && tern_argument_given(ctx, "tern_capture_refuse", "reason", reason))
        ctx->recorder->refused(ctx->recorder, reason);
}
