/* run.c: running what was captured. */
#include <string.h>

#include "core/autograd/graph.h"
#include "core/call/launch.h"
#include "core/call/operand.h"
#include "core/call/plan.h"
#include "core/context/entered.h"
#include "core/context/generator.h"
#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/memory/block.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"
#include "recording.h"

#define REPLAY "replay"

static tern_recording *replay_of(const tern_replay *replay, const char *function) {
    return tern_handle_object(replay, REPLAY, function);
}

/* ---- what must be as it was ------------------------------------------------------------------ */

static bool has_geometry(const tern_tensor_body *body, const tern_bound *input) {
    return body->dtype == input->dtype && body->rank == input->rank &&
           tern_dims_equal(body->rank, body->shape, input->shape) &&
           tern_dims_equal(body->rank, body->strides, input->strides);
}

static tern_status refuse_input(const tern_recording *r, int i, const tern_tensor_body *body) {
    char is[TERN_SHAPE_TEXT], was[TERN_SHAPE_TEXT];
    const tern_bound *input = &r->inputs[i];
    return tern_fail(r->ctx, TERN_ERR_ARGUMENT,
                     "tern_replay_run: input %d is %s %s%s, but it was captured as %s %s", i,
                     tern_dtype_name(body->dtype), tern_shape_text(body->rank, body->shape, is),
                     body->lane != r->lane ? " on another device" : "",
                     tern_dtype_name(input->dtype),
                     tern_shape_text(input->rank, input->shape, was));
}

static bool inputs_fit(const tern_recording *r, tern_tensor *const *inputs, size_t n_inputs) {
    if (n_inputs != (size_t)r->n_inputs || (n_inputs && !inputs)) {
        tern_fail(r->ctx, TERN_ERR_ARGUMENT, "tern_replay_run: %zu inputs, %d were captured",
                  inputs ? n_inputs : 0, r->n_inputs);
        return false;
    }
    for (int i = 0; i < r->n_inputs; i++) {
        if (!tern_usable(inputs[i], "tern_replay_run")) {
            if (r->ctx->status == TERN_OK)
                tern_fail(r->ctx, TERN_ERR_ARGUMENT, "tern_replay_run: input %d is NULL", i);
            return false;
        }
        const tern_tensor_body *body = BODY(inputs[i]);
        if (body->lane != r->lane || !has_geometry(body, &r->inputs[i])) {
            refuse_input(r, i, body);
            return false;
        }
        int same = r->inputs[i].same_as;
        if (same >= 0 && !tern_same_elements(body, BODY(inputs[same]))) {
            tern_fail(r->ctx, TERN_ERR_ARGUMENT,
                      "tern_replay_run: input %d is another tensor than input %d, but they were "
                      "captured as one",
                      i, same);
            return false;
        }
        if (tern_storage_settle(body->storage) != TERN_OK) return false;
    }
    return true;
}

/* Parameters, buffers and gradients that commands use lie where they did, and their values are there. */
static bool places_fit(const tern_recording *r) {
    for (int i = 0; i < r->n_places; i++) {
        const tern_place *p = &r->places[i];
        if (tern_storage_settle(p->storage) != TERN_OK) return false;
        if (!tern_is_live(p->owner) || BODY(p->owner)->storage == p->storage) continue;
        tern_fail(
            r->ctx, TERN_ERR_STATE,
            "tern_replay_run: a parameter, buffer or gradient of %llu bytes has moved to other "
            "memory since the body was captured: capture it again",
            (unsigned long long)p->bytes);
        return false;
    }
    return true;
}

/* ---- the host's part ------------------------------------------------------------------------- */

/* Bytes of the host into a buffer. Latches. */
static void copy_in(tern_lane *lane, tern_bbuffer *buffer, uint64_t offset, const void *data,
                    uint64_t bytes) {
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status = lane->device->vtable.copy_to_device(lane->device->object, lane->queue, buffer,
                                                         offset, data, bytes, &err);
    if (status != TERN_BACKEND_OK) tern_lane_fail(lane, "copy to device", status, &err);
}

/* Waits for what was started, and looks whether it is in order. Latches. */
static void check(tern_lane *lane, const tern_operand *wrong, const char *message) {
    uint8_t is_wrong = 0;
    tern_backend_error err;
    err.message[0] = 0;
    int32_t status =
        lane->device->vtable.copy_to_host(lane->device->object, lane->queue, &is_wrong,
                                          wrong->buffer, wrong->at.byte_offset, 1, &err);
    if (status != TERN_BACKEND_OK)
        tern_lane_fail(lane, "copy to host", status, &err);
    else if (tern_lane_synchronize(lane) == TERN_OK && is_wrong)
        tern_fail(lane->ctx, TERN_ERR_ARGUMENT, "tern_replay_run: %s", message);
}

static void draw(tern_recording *r) {
    for (int i = 0; i < r->n_draws && r->ctx->status == TERN_OK; i++) {
        const tern_draw *d = &r->draws[i];
        tern_generator_body *generator = tern_generator_of(d->generator, "tern_replay_run");
        void *host = generator ? tern_block_take(r->ctx, (size_t)d->bytes) : NULL;
        if (!host) {
            if (generator) tern_fail_memory(r->ctx, (size_t)d->bytes);
            return;
        }
        d->draw(d->job, &generator->engine, host);
        copy_in(r->lane, d->buffer, d->offset, host, d->bytes);
        tern_block_give(r->ctx, host);
    }
}

static void read_cells(const tern_recording *r) {
    for (int i = 0; i < r->n_cells; i++) {
        const tern_cell *cell = &r->cells[i];
        double number = *cell->number;
        bool narrow = cell->operand->dtype == TERN_BT_FLOAT32;
        cell->operand->at.f = narrow ? (double)(float)number : number;
    }
}

static void bind(const tern_recording *r, tern_tensor *const *inputs) {
    for (int i = 0; i < r->n_bindings; i++) {
        const tern_binding *b = &r->bindings[i];
        const tern_tensor_body *body = BODY(inputs[b->input]);
        b->operand->buffer = body->storage->buffer;
        b->operand->at.byte_offset = tern_first_byte(body) + (uint64_t)b->from_first;
        b->operand->stamp = body->storage->stamp;
    }
}

/* Contents that are read as constant have the stamp of the write before, be it in this run. */
static void read_stamps(const tern_recording *r) {
    for (int i = 0; i < r->n_stamped; i++) {
        const tern_stamped *s = &r->stamped[i];
        if (s->operand)
            s->operand->stamp = s->storage->stamp;
        else
            tern_storage_restamp(s->storage);
    }
}

/* What the launches wrote has new contents, for whoever has kept something of the old ones. */
static void note_writes(const tern_recording *r, tern_tensor *const *inputs) {
    for (int i = 0; i < r->n_places; i++) {
        const tern_place *p = &r->places[i];
        if (!p->written) continue;
        tern_storage *storage = p->input >= 0 ? BODY(inputs[p->input])->storage : p->storage;
        tern_storage_raise_version(storage);
        tern_storage_restamp(storage);
    }
}

/* .grad as the body left it. */
static void set_grads(const tern_recording *r) {
    for (int i = 0; i < r->n_grads; i++) {
        const tern_graded *g = &r->grads[i];
        if (!tern_is_live(g->leaf)) continue;
        const tern_tensor_body *leaf = BODY(g->leaf);
        bool is_there = g->grad && leaf->flags & TERN_T_GRAD_SET && leaf->grad &&
                        BODY(leaf->grad)->storage == BODY(g->grad)->storage;
        if (is_there || (!g->grad && !(leaf->flags & TERN_T_GRAD_SET))) continue;
        tern_set_grad(g->leaf, NULL);
        if (g->grad) tern_grad_take(g->leaf, g->grad);
    }
}

/* Returns how many actions were done. */
static int act_before(const tern_recording *r) {
    int done = 0;
    for (; done < r->n_actions; done++) {
        const tern_host_action *action = &r->actions[done];
        if (action->before && action->before(action->kept) != TERN_OK) break;
    }
    return done;
}

static void act_after(const tern_recording *r) {
    for (int i = 0; i < r->n_actions && r->ctx->status == TERN_OK; i++)
        if (r->actions[i].after) r->actions[i].after(r->actions[i].kept);
}

static void undo(const tern_recording *r, int done) {
    while (done-- > 0)
        if (r->actions[done].undo) r->actions[done].undo(r->actions[done].kept);
}

/* ---- the device's part ----------------------------------------------------------------------- */

/* Latches. */
static void start(tern_lane *lane, const tern_command *c) {
    const tern_operand *out = c->operands + c->n_inputs * c->n_tuples;
    if (c->kernel == TERN_COMMAND_UPLOAD) {
        copy_in(lane, out->buffer, out->at.byte_offset, c->attrs, c->attrs_size);
        return;
    }
    if (c->kernel == TERN_COMMAND_CHECK) {
        check(lane, c->operands, c->attrs);
        return;
    }
    tern_backend_error err;
    int32_t status = tern_start(lane, c->kernel, c->fn, c->operands, c->n_inputs, out, c->n_outputs,
                                c->n_tuples, c->attrs, c->attrs_size, &err);
    if (status != TERN_BACKEND_OK) tern_launch_failed(lane, c->kernel, status, &err);
}

static void start_all(tern_recording *r) {
    for (int i = 0; i < r->n_commands && r->ctx->status == TERN_OK; i++) {
        r->ctx->origin = &r->commands[i].origin;
        start(r->lane, &r->commands[i]);
    }
    r->ctx->origin = NULL;
}

/* A device that records hears where the launches begin and end. */
static void launch_all(tern_recording *r) {
    tern_lane *lane = r->lane;
    const tern_bdevice_vtable *vt = &lane->device->vtable;
    tern_backend_error err;
    err.message[0] = 0;
    if (!vt->replay_begin) {
        start_all(r);
        return;
    }
    int32_t status = vt->replay_begin(lane->device->object, lane->queue, &r->device, &err);
    if (status == TERN_BACKEND_OK) {
        start_all(r);
        status = vt->replay_end(lane->device->object, lane->queue, r->device, &err);
    }
    if (status != TERN_BACKEND_OK && r->ctx->status == TERN_OK)
        tern_lane_fail(lane, "replay", status, &err);
}

static void run(tern_recording *r, tern_tensor *const *inputs) {
    read_cells(r);
    read_stamps(r);
    bind(r, inputs);
    launch_all(r);
    note_writes(r, inputs);
    if (r->ctx->status == TERN_OK) set_grads(r);
}

tern_status tern_replay_run(tern_replay *replay, tern_tensor *const *inputs, size_t n_inputs) {
    tern_recording *r = replay_of(replay, "tern_replay_run");
    if (!r) return tern_handle_status(replay);
    tern_ctx *ctx = r->ctx;
    TERN_ENTER(ctx, "replay_run", return TERN_ERR_STATE);
    if (ctx->status != TERN_OK) return ctx->status;
    if (ctx->recorder)
        return tern_fail(ctx, TERN_ERR_STATE, "tern_replay_run: a body is being captured");
    if (!inputs_fit(r, inputs, n_inputs) || !places_fit(r)) return ctx->status;
    int done = act_before(r);
    if (ctx->status == TERN_OK) draw(r);
    if (ctx->status == TERN_OK) run(r, inputs);
    if (ctx->status != TERN_OK)
        undo(r, done);
    else
        act_after(r);
    return ctx->status;
}

/* ---- looking --------------------------------------------------------------------------------- */

tern_tensor *tern_replay_output(const tern_replay *replay, size_t index) {
    const tern_recording *r = replay_of(replay, "tern_replay_output");
    if (!r) return tern_no_context()->nil;
    if (index < r->n_outputs) return r->outputs[index];
    tern_fail(r->ctx, TERN_ERR_INDEX, "tern_replay_output: number %zu of %zu outputs", index,
              r->n_outputs);
    return r->ctx->nil;
}

tern_replay_info tern_replay_describe(const tern_replay *replay) {
    const tern_recording *r = replay_of(replay, "tern_replay_describe");
    return r ? r->info : (tern_replay_info){0};
}

void tern_replay_free(tern_replay *replay) {
    const tern_recording *r = replay_of(replay, "tern_replay_free");
    if (r) tern_owner_free(r->owner);
}
