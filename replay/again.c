/*
 * again.c: computing again instead of keeping.
 *
 * What most memory is held for, at the moment of a run that needs most, is often a result of the forward pass that
 * waits for its place in the backward pass. Where launching it once more, with the same operands and so to the same
 * bits, costs little (the first convolution of an image network, an activation), it ends after its first uses and
 * comes back before the next one. One such change is kept if it lowers what the run needs by a share at least
 * WORTH times as large as its share of the work, and all of them together stay below a BUDGET-th of the work.
 */
#include <string.h>

#include "core/memory/storage.h"
#include "recording.h"

enum { CHAIN = 4, TRIALS = 64, WORTH = 2, BUDGET = 10 };

/* A byte moved between a processor and its memory takes about as long as so many operations. */
#define OPERATIONS_PER_BYTE 10.0

typedef struct again {
    tern_recording *r;
    tern_command *before; /* the commands before a trial */
    uint64_t *live;       /* bytes, by command */
    bool *is_tried;       /* by place; those that a trial makes are never tried */
    double work, allowed; /* the body's, and what may still be added */
    int place, next;      /* of a trial: what is computed again, and the command that needs it */
    int chain[CHAIN];     /* the commands that do so, in order */
    int n_chain;
} again;

/* ---- work ------------------------------------------------------------------------------------ */

static double numel(const tern_operand *o) {
    double n = 1;
    for (int d = 0; d < o->rank; d++) n *= (double)o->shape[d];
    return n;
}

static double products(const tern_command *c) {
    const tern_operand *in = c->operands, *out = c->operands + c->n_inputs * c->n_tuples;
    switch (c->kernel) {
    case TERN_KERNEL_MATMUL:
    case TERN_KERNEL_MATMUL_MAP: return numel(out) * (double)in->shape[in->rank - 1];
    case TERN_KERNEL_CONV:
    case TERN_KERNEL_CONV_MAP: return numel(out) * numel(&in[1]) / (double)in[1].shape[0];
    case TERN_KERNEL_CONV_GRAD_INPUT: return numel(in) * numel(&in[1]) / (double)in[1].shape[0];
    case TERN_KERNEL_CONV_GRAD_WEIGHT: return numel(in) * numel(out) / (double)out->shape[0];
    default: return 0;
    }
}

static double work_of(const tern_command *c) {
    double bytes = 0;
    for (int k = 0; k < tern_command_operands(c); k++)
        bytes += numel(&c->operands[k]) * (double)tern_dtype_size((tern_dtype)c->operands[k].dtype);
    return 2 * products(c) + OPERATIONS_PER_BYTE * bytes;
}

/* ---- memory ---------------------------------------------------------------------------------- */

int tern_recording_peak(tern_recording *r, uint64_t *live) {
    int peak = -1;
    tern_find_lifetimes(r);
    tern_find_replaced(r);
    memset(live, 0, ((size_t)r->n_commands + 2) * sizeof *live);
    for (int i = 0; i < r->n_places; i++) { /* differences, which wrap */
        const tern_place *p = &r->places[i];
        if (!tern_is_in_block(p)) continue;
        live[p->first + (p->over >= 0)] += p->bytes;
        live[p->last + 1] -= p->bytes;
    }
    for (int i = 0; i < r->n_commands; i++) {
        if (i > 0) live[i] += live[i - 1];
        if (peak < 0 || live[i] > live[peak]) peak = i;
    }
    return peak;
}

static bool writes(const tern_command *c, int place) {
    for (int k = c->n_inputs * c->n_tuples; k < tern_command_operands(c); k++)
        if (c->places[k] == place) return true;
    return false;
}

static bool is_written(const tern_recording *r, int place, int from, int end) {
    for (int i = from; i < end; i++)
        if (writes(&r->commands[i], place)) return true;
    return false;
}

/* ---- what can be computed again -------------------------------------------------------------- */

static bool is_repeatable(const tern_recording *r, const tern_command *c) {
    if (c->n_tuples != 1 || c->n_outputs != 1 || tern_has_cell(r, c)) return false;
    switch (c->kernel) {
    case TERN_KERNEL_MAP: return !(((const tern_map_attrs *)c->attrs)->flags & TERN_MAP_SKIPS);
    case TERN_KERNEL_COPY:
    case TERN_KERNEL_UNARY:
    case TERN_KERNEL_BINARY:
    case TERN_KERNEL_TERNARY:
    case TERN_KERNEL_CONV:
    case TERN_KERNEL_CONV_MAP: return true;
    default: return false;
    }
}

/* The only command that writes a place, as a whole; -1 where there are more. */
static int writer_of(const tern_recording *r, int place) {
    int writer = -1;
    for (int i = 0; i < r->n_commands; i++) {
        if (!writes(&r->commands[i], place)) continue;
        if (writer >= 0) return -1;
        writer = i;
    }
    return writer;
}

/* Appends the commands that make a place again before the command `a->next`, those that it needs first. */
static bool gather(again *a, int place) {
    const tern_recording *r = a->r;
    int writer = writer_of(r, place);
    for (int i = 0; i < a->n_chain; i++)
        if (a->chain[i] == writer) return true;
    if (writer < 0 || writer >= a->next || !is_repeatable(r, &r->commands[writer])) return false;
    const tern_command *c = &r->commands[writer];
    if (!tern_fills_place(r, c, c->n_inputs)) return false;
    for (int k = 0; k < c->n_inputs; k++) {
        if (c->places[k] < 0) continue;
        const tern_place *p = &r->places[c->places[k]];
        bool is_there = !tern_is_in_block(p) || p->last >= a->next;
        if (is_there && is_written(r, c->places[k], writer, a->next)) return false;
        if (!is_there && !gather(a, c->places[k])) return false;
    }
    if (a->n_chain == CHAIN) return false;
    a->chain[a->n_chain++] = writer;
    return true;
}

/* Whether the place waits at `peak` and can be made again; finds how. */
static bool plan(again *a, int place, int peak) {
    const tern_recording *r = a->r;
    const tern_place *p = &r->places[place];
    if (!tern_is_in_block(p) || p->is_drawn || p->first >= peak || p->last <= peak) return false;
    if (tern_command_uses(&r->commands[peak], place)) return false;
    a->place = place;
    a->next = peak + 1;
    while (!tern_command_uses(&r->commands[a->next], place)) a->next++;
    a->n_chain = 0;
    return !is_written(r, place, a->next, r->n_commands) && gather(a, place);
}

/* The largest one that waits; false if there is none. */
static bool choose(again *a, int peak) {
    again best = {.place = -1};
    for (int i = 0; i < a->r->n_places; i++) {
        bool is_larger = best.place < 0 || a->r->places[i].bytes > a->r->places[best.place].bytes;
        if (!a->is_tried[i] && is_larger && plan(a, i, peak)) best = *a;
    }
    if (best.place < 0) return false;
    *a = best;
    return a->is_tried[a->place] = true;
}

/* ---- a trial --------------------------------------------------------------------------------- */

/* Uses of `from` by commands from number `first` on are uses of `to`. */
static void redirect(tern_recording *r, int first, int from, int to) {
    for (int i = first; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < tern_command_operands(c); k++)
            if (c->places[k] == from) c->places[k] = to;
    }
}

/* A place like the one that a command writes. -1 after latching. */
static int twin_of(again *a, int place) {
    tern_recording *r = a->r;
    if (!tern_recording_grow(r, &r->places, r->n_places, &r->places_capacity, sizeof *r->places))
        return -1;
    tern_storage_retain(r->places[place].storage);
    r->places[r->n_places] = r->places[place];
    return r->n_places++;
}

/* Command `i` once more, with an output of its own. False after latching. */
static bool repeat(again *a, int i, tern_command *out) {
    tern_recording *r = a->r;
    *out = r->commands[i];
    size_t n = (size_t)tern_command_operands(out);
    tern_operand *operands = tern_recording_alloc(r, n, sizeof *operands);
    int *places = tern_recording_alloc(r, n, sizeof *places);
    int twin = operands && places ? twin_of(a, out->places[out->n_inputs]) : -1;
    if (twin < 0) return false;
    memcpy(operands, out->operands, n * sizeof *operands);
    memcpy(places, out->places, n * sizeof *places);
    places[out->n_inputs] = twin;
    out->operands = operands;
    out->places = places;
    return true;
}

/* Inserts the chain. False after latching. */
static bool insert(again *a) {
    tern_recording *r = a->r;
    tern_command repeated[CHAIN];
    int old[CHAIN], n = a->n_chain;
    for (int i = 0; i < n; i++) {
        old[i] = r->commands[a->chain[i]].places[r->commands[a->chain[i]].n_inputs];
        if (!repeat(a, a->chain[i], &repeated[i])) return false;
        for (int k = 0; k < repeated[i].n_inputs; k++)
            for (int j = 0; j < i; j++)
                if (repeated[i].places[k] == old[j])
                    repeated[i].places[k] = repeated[j].places[repeated[j].n_inputs];
    }
    if (!tern_recording_grow(r, &r->commands, r->n_commands + n, &r->commands_capacity,
                             sizeof *r->commands))
        return false;
    redirect(r, a->next, a->place, r->n_places - 1); /* the chain's last one makes it */
    tern_command *at = r->commands + a->next;
    memmove(at + n, at, (size_t)(r->n_commands - a->next) * sizeof *at);
    memcpy(at, repeated, (size_t)n * sizeof *at);
    r->n_commands += n;
    return true;
}

static void take_back(again *a, int n_commands, int n_places) {
    tern_recording *r = a->r;
    redirect(r, 0, r->n_places - 1, a->place);
    memcpy(r->commands, a->before, (size_t)n_commands * sizeof *r->commands);
    r->n_commands = n_commands;
    while (r->n_places > n_places) tern_storage_release(r->places[--r->n_places].storage);
}

/* False after latching, and when nothing is left to try. */
static bool try_one(again *a) {
    tern_recording *r = a->r;
    int peak = tern_recording_peak(r, a->live), n_commands = r->n_commands, n_places = r->n_places;
    if (peak < 0 || !choose(a, peak)) return false;
    double needed = (double)a->live[peak], work = 0;
    for (int i = 0; i < a->n_chain; i++) work += work_of(&r->commands[a->chain[i]]);
    if (work > a->allowed) return true;
    memcpy(a->before, r->commands, (size_t)n_commands * sizeof *a->before);
    if (!insert(a)) return false;
    tern_recording_order(r);
    if (r->ctx->status != TERN_OK) return false;
    double saved = needed - (double)a->live[tern_recording_peak(r, a->live)];
    if (saved / needed < WORTH * work / a->work) {
        take_back(a, n_commands, n_places);
        return true;
    }
    a->allowed -= work;
    r->info.repeated_launches += (size_t)a->n_chain;
    return true;
}

void tern_recording_again(tern_recording *r) {
    again a = {.r = r};
    size_t most = (size_t)r->n_commands + (size_t)TRIALS * CHAIN + 2;
    size_t places = (size_t)r->n_places + (size_t)TRIALS * CHAIN;
    a.before = tern_recording_alloc(r, most, sizeof *a.before);
    a.live = tern_recording_alloc(r, most, sizeof *a.live);
    a.is_tried = tern_recording_alloc(r, places, sizeof *a.is_tried);
    if (!a.before || !a.live || !a.is_tried) return;
    memset(a.is_tried + r->n_places, true, places - (size_t)r->n_places);
    for (int i = 0; i < r->n_commands; i++) a.work += work_of(&r->commands[i]);
    a.allowed = a.work / BUDGET;
    for (int i = 0; i < TRIALS && try_one(&a); i++) {
    }
}
