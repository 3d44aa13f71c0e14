/*
 * block.c: one block of memory for all that lives between two launches of a run.
 *
 * A place is needed from the first command that uses it to the last. The largest are placed first, each as
 * low as it fits beside those that live at the same time (Pisarchyk and Lee 2020, greedy by size).
 */
#include <stdlib.h>
#include <string.h>

#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "recording.h"

/* ---- lifetimes ------------------------------------------------------------------------------- */

static void find_lifetimes(tern_recording *r) {
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < tern_command_operands(c) && !c->is_dead; k++) {
            if (c->places[k] < 0) continue;
            tern_place *p = &r->places[c->places[k]];
            if (p->first < 0) p->first = p->is_drawn ? 0 : i; /* draws come before all launches */
            p->last = i;
        }
    }
    for (int i = 0; i < r->n_draws; i++) { /* drawn for nothing, and still drawn */
        tern_place *p = &r->places[r->draws[i].place];
        if (p->first < 0) p->first = p->last = 0;
    }
}

/* ---- assignment ------------------------------------------------------------------------------ */

static bool is_in_block(const tern_place *p) {
    return p->inside && !p->kept && p->first >= 0;
}

static int by_size(const void *a, const void *b) {
    const tern_place *x = *(tern_place *const *)a, *y = *(tern_place *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first - y->first;
}

static int by_start(const void *a, const void *b) {
    const tern_place *x = *(tern_place *const *)a, *y = *(tern_place *const *)b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static uint64_t aligned(uint64_t bytes, uint64_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

/* `placed` are those that live at the same time, in the order of their addresses. */
static uint64_t lowest_gap(tern_place *const *placed, int count, uint64_t bytes,
                           uint64_t alignment) {
    uint64_t at = 0;
    for (int i = 0; i < count; i++) {
        if (placed[i]->at >= at && placed[i]->at - at >= bytes) break;
        uint64_t end = aligned(placed[i]->at + placed[i]->bytes, alignment);
        if (end > at) at = end;
    }
    return at;
}

/* Returns how large the block must be. */
static uint64_t assign(tern_place **all, int count, tern_place **beside, uint64_t alignment) {
    uint64_t size = 0;
    qsort(all, (size_t)count, sizeof(tern_place *), by_size);
    for (int i = 0; i < count; i++) {
        tern_place *p = all[i];
        int n = 0;
        for (int k = 0; k < i; k++)
            if (all[k]->first <= p->last && p->first <= all[k]->last) beside[n++] = all[k];
        qsort(beside, (size_t)n, sizeof(tern_place *), by_start);
        p->at = lowest_gap(beside, n, p->bytes, alignment);
        if (p->at + p->bytes > size) size = p->at + p->bytes;
    }
    return size;
}

/* False after latching. */
static bool make_block(tern_recording *r) {
    tern_place **all = tern_recording_alloc(r, (size_t)r->n_places, sizeof *all);
    tern_place **beside = tern_recording_alloc(r, (size_t)r->n_places, sizeof *beside);
    int count = 0;
    if (!all || !beside) return false;
    for (int i = 0; i < r->n_places; i++) {
        if (!is_in_block(&r->places[i])) continue;
        all[count++] = &r->places[i];
        r->info.captured_bytes += r->places[i].bytes;
    }
    r->info.block_bytes = assign(all, count, beside, r->lane->device->vtable.alignment);
    if (count) r->block = tern_storage_new(r->lane, r->info.block_bytes);
    return r->ctx->status == TERN_OK;
}

/* ---- operands -------------------------------------------------------------------------------- */

/* False after latching. */
static bool bind(tern_recording *r, tern_operand *operand, int input) {
    if (!tern_recording_grow(r, &r->bindings, r->n_bindings, &r->bindings_capacity,
                             sizeof *r->bindings))
        return false;
    int64_t behind = (int64_t)(operand->at.byte_offset - r->inputs[input].byte_offset);
    r->bindings[r->n_bindings++] = (tern_binding){operand, input, behind};
    return true;
}

/* False after latching. */
static bool stamp(tern_recording *r, tern_operand *operand, tern_storage *storage) {
    if (!tern_recording_grow(r, &r->stamped, r->n_stamped, &r->stamped_capacity,
                             sizeof *r->stamped))
        return false;
    r->stamped[r->n_stamped++] = (tern_stamped){operand, storage};
    return true;
}

static void find_constants(const tern_recording *r) {
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < c->n_inputs * c->n_tuples; k++)
            if (c->places[k] >= 0 && c->operands[k].flags & TERN_OPERAND_CONSTANT)
                r->places[c->places[k]].is_constant = true;
    }
}

/* Operand k of a command has a place. False after latching. */
static bool point(tern_recording *r, const tern_command *c, int k) {
    const tern_place *p = &r->places[c->places[k]];
    tern_operand *operand = &c->operands[k];
    bool is_output = k >= c->n_inputs * c->n_tuples;
    if (p->input >= 0 && !bind(r, operand, p->input)) return false;
    if (is_in_block(p)) {
        operand->flags &= ~(uint32_t)TERN_OPERAND_CONSTANT;
        operand->at.byte_offset += r->block->offset + p->at - p->storage->offset;
        operand->buffer = r->block->buffer;
        return true;
    }
    if (is_output) return !p->is_constant || stamp(r, NULL, p->storage);
    return !(operand->flags & TERN_OPERAND_CONSTANT) || stamp(r, operand, p->storage);
}

static bool point_all(tern_recording *r) {
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < tern_command_operands(c) && !c->is_dead; k++)
            if (c->places[k] >= 0 && !point(r, c, k)) return false;
    }
    return true;
}

static void point_draws(tern_recording *r) {
    for (int i = 0; i < r->n_draws; i++) {
        tern_draw *d = &r->draws[i];
        const tern_place *p = &r->places[d->place];
        const tern_storage *to = is_in_block(p) ? r->block : p->storage;
        d->buffer = to->buffer;
        d->offset = to->offset + (is_in_block(p) ? p->at : 0);
    }
}

/* Releases what lies in the block now; the body's tensors may still hold it. */
static void drop_inside(tern_recording *r) {
    int left = 0;
    for (int i = 0; i < r->n_places; i++)
        if (r->places[i].inside && !r->places[i].kept)
            tern_storage_release(r->places[i].storage);
        else
            r->places[left++] = r->places[i];
    r->n_places = left;
}

bool tern_recording_place(tern_recording *r) {
    find_lifetimes(r);
    find_constants(r);
    if (!make_block(r) || !point_all(r)) return false;
    point_draws(r);
    drop_inside(r);
    return true;
}
