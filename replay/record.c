/* record.c: what a recording hears while the body runs. */
#include <string.h>

#include "core/call/operand.h"
#include "core/context/generator.h"
#include "core/memory/storage.h"
#include "core/tensor/tensor.h"
#include "recording.h"

static tern_recording *of(tern_recorder *recorder) {
    return (tern_recording *)recorder; /* its first member */
}

/* The body goes on as usual where it cannot be replayed, and nothing further is recorded. */
static bool records(const tern_recording *r) {
    return !r->refusal && r->ctx->status == TERN_OK;
}

static void refused(tern_recorder *recorder, const char *reason) {
    tern_recording_refuse(of(recorder), reason);
}

/* ---- commands -------------------------------------------------------------------------------- */

/* A new command with room for its operands; NULL after latching. */
static tern_command *command_new(tern_recording *r, int n_operands, const void *attrs,
                                 size_t attrs_size) {
    if (!tern_recording_grow(r, &r->commands, r->n_commands, &r->commands_capacity,
                             sizeof *r->commands))
        return NULL;
    tern_operand *operands = tern_recording_alloc(r, (size_t)n_operands, sizeof *operands);
    int *places = tern_recording_alloc(r, (size_t)n_operands, sizeof *places);
    void *own = tern_recording_alloc(r, attrs_size, 1);
    if (!operands || !places || !own) return NULL;
    if (attrs_size) memcpy(own, attrs, attrs_size);
    tern_command *c = &r->commands[r->n_commands];
    *c = (tern_command){
        .attrs = own, .attrs_size = (uint32_t)attrs_size, .operands = operands, .places = places};
    if (tern_profiler_linked) tern_profiler_linked->launched(r->ctx, &c->origin);
    return c;
}

/* A copy with a shape of its own. False after latching. */
static bool copy_operand(tern_recording *r, const tern_operand *from, tern_operand *to) {
    size_t rank = (size_t)from->rank;
    *to = *from;
    to->stamp = 0;
    if (rank == 0) return true;
    int64_t *dims = tern_recording_alloc(r, 2 * rank, sizeof *dims);
    if (!dims) return false;
    memcpy(dims, from->shape, rank * sizeof *dims);
    memcpy(dims + rank, from->strides, rank * sizeof *dims);
    to->shape = dims;
    to->strides = dims + rank;
    return true;
}

/* Operand `i` of the command that is being made lies in a storage. False after latching. */
static bool lies_in(tern_recording *r, tern_command *c, int i, tern_storage *storage, bool written,
                    const tern_tensor *owner) {
    int place = tern_place_of(r, storage);
    if (place < 0) return false;
    tern_place *p = &r->places[place];
    c->places[i] = place;
    p->written = p->written || written;
    if (owner && !p->inside)
        p->owner = p->owner ? p->owner : owner;
    else if (owner && !(BODY(owner)->flags & TERN_T_OWNED)) /* a .grad may be new in each run */
        tern_recording_refuse(r, "it makes a parameter, a buffer or optimizer state: run one step "
                                 "before capturing");
    return true;
}

/* The handle that a module, an optimizer or a leaf keeps over the storage of an operand, which may be a view or
 * a face of it; NULL where none does. */
static const tern_tensor *owner_of(const tern_tensor_body *body) {
    if (!body->frame || !body->frame->is_owner) return NULL;
    if (body->flags & TERN_T_OWNED) return tern_is_face(body) ? NULL : body->self;
    const tern_tensor *kept = body->frame->tensors;
    while (kept && BODY(kept)->storage != body->storage) kept = BODY(kept)->next;
    return kept;
}

static bool is_kept_number(const tern_recording *r, const double *number) {
    for (int i = 0; number && i < r->n_kept; i++) {
        const char *memory = r->kept[i].memory;
        if ((const char *)number >= memory && (const char *)number < memory + r->kept[i].bytes)
            return true;
    }
    return false;
}

static bool add_cell(tern_recording *r, tern_operand *operand, const double *number) {
    if (!tern_recording_grow(r, &r->cells, r->n_cells, &r->cells_capacity, sizeof *r->cells))
        return false;
    r->cells[r->n_cells++] = (tern_cell){operand, number};
    return true;
}

/* False after latching. */
static bool fill_command(tern_recording *r, tern_command *c, const tern_launched *launch) {
    int n_in = c->n_inputs * c->n_tuples, n = n_in + c->n_outputs * c->n_tuples;
    for (int i = 0; i < n; i++) {
        const tern_operand *from = i < n_in ? &launch->in[i] : &launch->out[i - n_in];
        const tern_tensor_body *body = launch->bodies[i];
        if (!copy_operand(r, from, &c->operands[i])) return false;
        c->places[i] = -1;
        if (from->buffer) {
            if (!lies_in(r, c, i, body->storage, i >= n_in, owner_of(body))) return false;
        } else if (i < n_in && launch->numbers && is_kept_number(r, launch->numbers[i]) &&
                   !add_cell(r, &c->operands[i], launch->numbers[i])) {
            return false;
        }
    }
    return true;
}

static void launched(tern_recorder *recorder, const tern_launched *launch) {
    tern_recording *r = of(recorder);
    if (launch->lane != r->lane) tern_recording_refuse(r, "it uses more than one device");
    if (!records(r)) return;
    int n = (launch->n_inputs + launch->n_outputs) * launch->n_tuples;
    tern_command *c = command_new(r, n, launch->attrs, launch->attrs_size);
    if (!c) return;
    c->kernel = launch->kernel;
    c->fn = launch->fn;
    c->n_inputs = launch->n_inputs;
    c->n_outputs = launch->n_outputs;
    c->n_tuples = launch->n_tuples;
    if (fill_command(r, c, launch)) r->n_commands++;
}

static void filled(tern_recorder *recorder, tern_storage *storage, const tern_operand *out,
                   const tern_fill_attrs *attrs) {
    tern_recording *r = of(recorder);
    if (storage->lane != r->lane) tern_recording_refuse(r, "it uses more than one device");
    if (!records(r)) return;
    tern_command *c = command_new(r, 1, attrs, sizeof *attrs);
    if (!c) return;
    c->kernel = TERN_KERNEL_FILL;
    c->n_outputs = c->n_tuples = 1;
    if (copy_operand(r, out, &c->operands[0]) && lies_in(r, c, 0, storage, true, NULL))
        r->n_commands++;
}

/* Operations that make an index or a table on the host upload it into storage of their own. */
static void uploaded(tern_recorder *recorder, tern_storage *storage, uint64_t offset,
                     const void *data, uint64_t bytes) {
    tern_recording *r = of(recorder);
    if (storage->lane != r->lane) tern_recording_refuse(r, "it uses more than one device");
    if (!tern_is_made_inside(storage, recorder))
        tern_recording_refuse(r,
                              "it copies data from the host into a tensor that was there before");
    if (!records(r)) return;
    tern_command *c = command_new(r, 1, data, (size_t)bytes);
    if (!c) return;
    c->kernel = TERN_COMMAND_UPLOAD;
    c->n_outputs = c->n_tuples = 1;
    c->operands[0] =
        (tern_operand){.buffer = storage->buffer, .at.byte_offset = storage->offset + offset};
    if (lies_in(r, c, 0, storage, true, NULL)) r->n_commands++;
}

/* What was uploaded last is drawn anew in each run. */
static void drew(tern_recorder *recorder, tern_storage *storage, const tern_drawn *drawn) {
    tern_recording *r = of(recorder);
    if (!records(r)) return;
    int place = tern_place_of(r, storage);
    const tern_command *last = r->n_commands ? &r->commands[r->n_commands - 1] : NULL;
    if (place < 0 || !last || last->kernel != TERN_COMMAND_UPLOAD || last->places[0] != place) {
        tern_recording_refuse(r, "it draws random numbers into memory that was there before");
        return;
    }
    void *job = tern_recording_alloc(r, drawn->job_size, 1);
    if (!job ||
        !tern_recording_grow(r, &r->draws, r->n_draws, &r->draws_capacity, sizeof *r->draws))
        return;
    memcpy(job, drawn->job, drawn->job_size);
    r->n_commands--;
    r->places[place].is_drawn = true;
    r->draws[r->n_draws++] = (tern_draw){.draw = drawn->draw,
                                         .job = job,
                                         .generator = drawn->generator->handle,
                                         .place = place,
                                         .bytes = drawn->bytes};
}

/* A bool that is true where something is wrong, which the body has looked at. */
static void checked(tern_recorder *recorder, const tern_tensor *wrong, const char *message) {
    tern_recording *r = of(recorder);
    const tern_tensor_body *body = BODY(wrong);
    if (body->lane != r->lane) tern_recording_refuse(r, "it uses more than one device");
    if (!records(r)) return;
    tern_command *c = command_new(r, 1, message, strlen(message) + 1);
    if (!c) return;
    c->kernel = TERN_COMMAND_CHECK;
    c->n_inputs = c->n_tuples = 1;
    c->operands[0] =
        (tern_operand){.buffer = body->storage->buffer, .at.byte_offset = tern_first_byte(body)};
    if (lies_in(r, c, 0, body->storage, false, NULL)) r->n_commands++;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void graded(tern_recorder *recorder, tern_tensor *leaf, bool set) {
    tern_recording *r = of(recorder);
    if (!records(r)) return;
    for (int i = 0; i < r->n_grads; i++)
        if (r->grads[i].leaf == leaf) return;
    if (tern_recording_grow(r, &r->grads, r->n_grads, &r->grads_capacity, sizeof *r->grads))
        r->grads[r->n_grads++] = (tern_graded){.leaf = leaf, .was_cleared = !set};
}

/* ---- what owners say ------------------------------------------------------------------------- */

static void *kept(tern_recorder *recorder, size_t bytes) {
    tern_recording *r = of(recorder);
    void *memory = tern_recording_alloc(r, bytes, 1);
    if (!memory || !tern_recording_grow(r, &r->kept, r->n_kept, &r->kept_capacity, sizeof *r->kept))
        return NULL;
    r->kept[r->n_kept++] = (tern_kept){memory, bytes};
    return memory;
}

static tern_status acted(tern_recorder *recorder, tern_action_fn before, tern_action_fn after,
                         tern_action_fn undo, void *memory) {
    tern_recording *r = of(recorder);
    if (tern_recording_grow(r, &r->actions, r->n_actions, &r->actions_capacity, sizeof *r->actions))
        r->actions[r->n_actions++] = (tern_host_action){before, after, undo, memory};
    return r->ctx->status;
}

void tern_recording_listen(tern_recording *r) {
    if (++r->ctx->n_captures == 0) r->ctx->n_captures = 1;
    r->recorder = (tern_recorder){.serial = r->ctx->n_captures,
                                  .launched = launched,
                                  .filled = filled,
                                  .uploaded = uploaded,
                                  .drew = drew,
                                  .graded = graded,
                                  .checked = checked,
                                  .refused = refused,
                                  .kept = kept,
                                  .acted = acted};
}
