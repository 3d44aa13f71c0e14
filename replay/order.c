/*
 * order.c: the order of a replay's launches.
 *
 * The body's order is one of many that give the same bits: a launch may trade places with its neighbour unless one
 * of the two writes what the other uses. A launch that frees more memory than it takes (the mask of a ReLU, of
 * which the backward pass needs no more than one byte an element) goes up to where what it frees was used last.
 * One that takes more than it would hold on to by waiting goes down to where its result is used. Neither makes any
 * moment of the run need more memory than before.
 *
 * What moves is arithmetic that cannot fail and that writes nothing from outside: an update, a check and whatever
 * looks at an index stay in the body's order.
 */
#include <string.h>

#include "recording.h"

enum { READS = 1, WRITES = 2, ENDS = 4 };

enum { ROUNDS = 4 }; /* over the body; the second one mostly finds nothing */

/* ---- uses ------------------------------------------------------------------------------------ */

void tern_find_lifetimes(tern_recording *r) {
    for (int i = 0; i < r->n_places; i++) r->places[i].first = r->places[i].last = -1;
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = 0; k < tern_command_operands(c); k++) {
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

static bool is_arithmetic(int32_t kernel) {
    switch (kernel) {
    case TERN_KERNEL_COPY:
    case TERN_KERNEL_UNARY:
    case TERN_KERNEL_BINARY:
    case TERN_KERNEL_TERNARY:
    case TERN_KERNEL_REDUCE:
    case TERN_KERNEL_MATMUL:
    case TERN_KERNEL_MATMUL_MAP:
    case TERN_KERNEL_CONV:
    case TERN_KERNEL_CONV_MAP:
    case TERN_KERNEL_CONV_GRAD_INPUT:
    case TERN_KERNEL_CONV_GRAD_WEIGHT: return true;
    default: return false;
    }
}

static bool is_movable(const tern_recording *r, const tern_command *c) {
    if (c->n_tuples != 1) return false;
    if (c->kernel == TERN_KERNEL_MAP) {
        const tern_map_attrs *program = c->attrs;
        if (program->flags & TERN_MAP_SKIPS) return false;
    } else if (!is_arithmetic(c->kernel)) {
        return false;
    }
    for (int k = c->n_inputs; k < tern_command_operands(c); k++)
        if (!r->places[c->places[k]].inside) return false;
    return true;
}

/* What command `i` does to its places, or none of it. */
static void mark(const tern_recording *r, int i, uint8_t *marks, bool on) {
    const tern_command *c = &r->commands[i];
    for (int k = 0; k < tern_command_operands(c); k++) {
        int place = c->places[k];
        if (place < 0) continue;
        uint8_t does = k < c->n_inputs ? READS : WRITES;
        const tern_place *p = &r->places[place];
        if (tern_is_in_block(p) && p->last == i) does |= ENDS;
        marks[place] = on ? marks[place] | does : 0;
    }
}

/* Whether command `j` may not trade places with the one that is marked. */
static bool conflicts(const tern_command *j, const uint8_t *marks) {
    int n_in = j->n_inputs * j->n_tuples;
    for (int k = 0; k < tern_command_operands(j); k++) {
        if (j->places[k] < 0) continue;
        uint8_t does = marks[j->places[k]];
        if (does & WRITES || (k >= n_in && does)) return true;
    }
    return false;
}

static bool uses_ended(const tern_command *j, const uint8_t *marks) {
    for (int k = 0; k < tern_command_operands(j); k++)
        if (j->places[k] >= 0 && marks[j->places[k]] & ENDS) return true;
    return false;
}

/* ---- moves ----------------------------------------------------------------------------------- */

/* Each place of the command counts once. */
static bool is_repeated(const tern_command *c, int k) {
    for (int before = 0; before < k; before++)
        if (c->places[before] == c->places[k]) return true;
    return false;
}

/* Bytes that the command takes, and bytes that are free behind it if nothing is used from `end` on. */
static void weigh(const tern_recording *r, int i, int end, uint64_t *out_takes,
                  uint64_t *out_frees) {
    const tern_command *c = &r->commands[i];
    *out_takes = *out_frees = 0;
    for (int k = 0; k < tern_command_operands(c); k++) {
        if (c->places[k] < 0 || is_repeated(c, k)) continue;
        const tern_place *p = &r->places[c->places[k]];
        if (!tern_is_in_block(p)) continue;
        if (p->first == i && k >= c->n_inputs) *out_takes += p->bytes;
        if (p->last < end && k < c->n_inputs) *out_frees += p->bytes;
    }
}

static void move(tern_recording *r, int from, int to) {
    tern_command c = r->commands[from];
    if (to < from)
        memmove(r->commands + to + 1, r->commands + to, (size_t)(from - to) * sizeof c);
    else
        memmove(r->commands + from, r->commands + from + 1, (size_t)(to - from) * sizeof c);
    r->commands[to] = c;
    tern_find_lifetimes(r);
}

/* Up, behind the last use of what it frees. */
static bool hoist(tern_recording *r, int i, uint8_t *marks) {
    uint64_t takes, frees;
    weigh(r, i, i + 1, &takes, &frees);
    if (frees <= takes) return false;
    int to = i;
    mark(r, i, marks, true);
    while (to > 0 && !conflicts(&r->commands[to - 1], marks) &&
           !uses_ended(&r->commands[to - 1], marks))
        to--;
    mark(r, i, marks, false);
    if (to < i) move(r, i, to);
    return to < i;
}

/* Down, before the first use of what it makes. */
static bool delay(tern_recording *r, int i, uint8_t *marks) {
    uint64_t takes, frees, holds;
    weigh(r, i, i + 1, &takes, &frees);
    if (takes == 0 || takes <= frees) return false;
    int to = i;
    mark(r, i, marks, true);
    while (to + 1 < r->n_commands && !conflicts(&r->commands[to + 1], marks)) to++;
    mark(r, i, marks, false);
    weigh(r, i, to + 1, &takes, &holds);
    if (to == i || holds > takes) return false;
    move(r, i, to);
    return true;
}

void tern_recording_order(tern_recording *r) {
    uint8_t *marks = tern_recording_alloc(r, (size_t)r->n_places, sizeof *marks);
    if (!marks) return;
    tern_find_lifetimes(r);
    bool moved = true;
    for (int round = 0; moved && round < ROUNDS; round++) {
        moved = false;
        for (int i = 0; i < r->n_commands; i++)
            if (is_movable(r, &r->commands[i]) && hoist(r, i, marks)) moved = true;
        for (int i = r->n_commands - 1; i >= 0; i--)
            if (is_movable(r, &r->commands[i]) && delay(r, i, marks)) moved = true;
    }
}
