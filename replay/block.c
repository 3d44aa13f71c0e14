/*
 * block.c: one block of memory for all that lives between two launches of a run.
 *
 * A place is needed from the first command that uses it to the last. One that an element-wise launch makes of
 * another one that ends there lies over it, and both are placed as one. The largest are placed first, each as
 * low as it fits beside those that live at the same time (Pisarchyk and Lee 2020, greedy by size). Other orders are
 * tried, too, and the smallest block is taken.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ground/error.h"
#include "core/memory/storage.h"
#include "recording.h"

/* ---- replacing ------------------------------------------------------------------------------- */

/* Kernels that read an element of an input only for the same element of an output, so that one may be written over
 * the other (tern/backend.h). */
static bool is_elementwise(const tern_command *c) {
    return c->n_tuples == 1 && (c->kernel == TERN_KERNEL_UNARY || c->kernel == TERN_KERNEL_BINARY ||
                                c->kernel == TERN_KERNEL_TERNARY || c->kernel == TERN_KERNEL_MAP);
}

bool tern_fills_place(const tern_recording *r, const tern_command *c, int k) {
    const tern_operand *o = &c->operands[k];
    const tern_place *p = &r->places[c->places[k]];
    uint64_t bytes = tern_dtype_size((tern_dtype)o->dtype);
    for (int d = 0; d < o->rank; d++) bytes *= (uint64_t)o->shape[d]; /* fits: it is a tensor's */
    return o->flags & TERN_OPERAND_CONTIGUOUS && o->at.byte_offset == p->storage->offset &&
           bytes == p->bytes;
}

/* How many operands of the command lie in a place. */
static int times_used(const tern_command *c, int place) {
    int n = 0;
    for (int k = 0; k < tern_command_operands(c); k++) n += c->places[k] == place;
    return n;
}

/* Whether input `k` of command `i` ends there, and output `out` begins. */
static bool may_replace(const tern_recording *r, int i, int k, int out) {
    const tern_command *c = &r->commands[i];
    if (c->places[k] < 0 || c->places[k] == c->places[out]) return false;
    const tern_place *from = &r->places[c->places[k]], *to = &r->places[c->places[out]];
    return tern_is_in_block(from) && from->last == i && tern_is_in_block(to) && to->first == i &&
           to->over < 0 && !to->is_drawn && times_used(c, c->places[k]) == 1 &&
           times_used(c, c->places[out]) == 1 && c->operands[k].dtype == c->operands[out].dtype &&
           tern_operand_has_shape(&c->operands[k], &c->operands[out]) &&
           tern_fills_place(r, c, k) && tern_fills_place(r, c, out);
}

static void replace_in(tern_recording *r, int i) {
    const tern_command *c = &r->commands[i];
    for (int k = 0; k < c->n_inputs; k++) {
        for (int out = c->n_inputs; out < tern_command_operands(c); out++) {
            if (!may_replace(r, i, k, out)) continue;
            r->places[c->places[out]].over = c->places[k];
            break;
        }
    }
}

void tern_find_replaced(tern_recording *r) {
    for (int i = 0; i < r->n_places; i++) r->places[i].over = -1;
    for (int i = 0; i < r->n_commands; i++)
        if (is_elementwise(&r->commands[i])) replace_in(r, i);
}

/* ---- assignment ------------------------------------------------------------------------------ */

/* The larger key first. */
static int by_key(const void *a, const void *b) {
    const tern_place *x = *(tern_place *const *)a, *y = *(tern_place *const *)b;
    if (x->key != y->key) return x->key < y->key ? 1 : -1;
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

/* The largest first; those of the fullest moment first; the first that begin; the last that end. */
enum { BY_SIZE, BY_BREADTH, BY_FIRST, BY_LAST, KEYS };

static void set_keys(tern_place **all, int count, const uint64_t *live, int key) {
    for (int i = 0; i < count; i++) {
        tern_place *p = all[i];
        p->key = 0;
        if (key == BY_SIZE) p->key = p->bytes;
        if (key == BY_FIRST) p->key = INT32_MAX - (uint64_t)p->first;
        if (key == BY_LAST) p->key = (uint64_t)p->last;
        for (int at = p->first; key == BY_BREADTH && at <= p->last; at++)
            if (live[at] > p->key) p->key = live[at];
    }
}

/* Gives each its address, and returns how large the block must be. */
static uint64_t assign(tern_place **all, int count, tern_place **beside, uint64_t alignment) {
    uint64_t size = 0;
    qsort(all, (size_t)count, sizeof(tern_place *), by_key);
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

/* By the order that needs least. */
static uint64_t assign_best(tern_place **all, int count, tern_place **beside, const uint64_t *live,
                            uint64_t alignment) {
    uint64_t least = UINT64_MAX;
    int best = 0;
    for (int key = 0; key < KEYS; key++) {
        set_keys(all, count, live, key);
        uint64_t size = assign(all, count, beside, alignment);
        if (size < least) best = key;
        if (size < least) least = size;
    }
    set_keys(all, count, live, best);
    return assign(all, count, beside, alignment);
}

static tern_place *lowest(const tern_recording *r, int place) {
    while (r->places[place].over >= 0) place = r->places[place].over;
    return &r->places[place];
}

/* A place that others lie over is needed until they end. */
static void lengthen_lowest(const tern_recording *r) {
    for (int i = 0; i < r->n_places; i++) {
        tern_place *under = lowest(r, i);
        if (under->last < r->places[i].last) under->last = r->places[i].last;
    }
}

/* False after latching. */
static bool make_block(tern_recording *r) {
    tern_place **all = tern_recording_alloc(r, (size_t)r->n_places, sizeof *all);
    tern_place **beside = tern_recording_alloc(r, (size_t)r->n_places, sizeof *beside);
    uint64_t *live = tern_recording_alloc(r, (size_t)r->n_commands + 1, sizeof *live);
    int count = 0;
    if (!all || !beside || !live) return false;
    lengthen_lowest(r);
    for (int i = 0; i < r->n_places; i++) {
        const tern_place *p = &r->places[i];
        if (!tern_is_in_block(p)) continue;
        r->info.captured_bytes += p->bytes;
        if (p->over >= 0) continue;
        all[count++] = &r->places[i];
        for (int at = p->first; at <= p->last; at++) live[at] += p->bytes;
    }
    r->info.block_bytes = assign_best(all, count, beside, live, r->lane->device->vtable.alignment);
    for (int i = 0; i < r->n_places; i++)
        if (r->places[i].over >= 0) r->places[i].at = lowest(r, i)->at;
    if (count) r->block = tern_storage_exact(r->lane, r->info.block_bytes);
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

/* What the launches are told of their inputs: which end there, and which an output replaces. */
static void tell_ends(const tern_recording *r) {
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < c->n_inputs * c->n_tuples; k++) {
            if (c->places[k] < 0) continue;
            const tern_place *p = &r->places[c->places[k]];
            uint32_t *flags = &c->operands[k].flags;
            *flags &= ~(uint32_t)TERN_OPERAND_DEAD;
            if (tern_is_in_block(p) && p->last == i) *flags |= TERN_OPERAND_DEAD;
            for (int out = c->n_inputs; out < tern_command_operands(c) && c->n_tuples == 1; out++)
                if (c->places[out] >= 0 && r->places[c->places[out]].over == c->places[k])
                    *flags |= TERN_OPERAND_ALIASES_OUTPUT;
        }
    }
}

/* Operand k of a command has a place. False after latching. */
static bool point(tern_recording *r, const tern_command *c, int k) {
    const tern_place *p = &r->places[c->places[k]];
    tern_operand *operand = &c->operands[k];
    bool is_output = k >= c->n_inputs * c->n_tuples;
    if (p->input >= 0 && !bind(r, operand, p->input)) return false;
    if (tern_is_in_block(p)) {
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
        const tern_storage *to = tern_is_in_block(p) ? r->block : p->storage;
        d->buffer = to->buffer;
        d->offset = to->offset + (tern_is_in_block(p) ? p->at : 0);
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
    tern_find_lifetimes(r);
    tern_find_replaced(r);
    find_constants(r);
    tell_ends(r);
    if (!make_block(r) || !point_all(r)) return false;
    point_draws(r);
    drop_inside(r);
    return true;
}
