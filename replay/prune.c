/*
 * prune.c: what a replay need not do.
 *
 * From the last command to the first: one whose outputs are read by no later command, and do not outlive the
 * body, is dead. A check has no outputs, and lives. Storage counts as a whole, so a part that is written keeps what wrote the rest.
 */
#include "recording.h"

/* An index or a table that nothing writes but its upload is there once and for all. */
static void keep_constants(tern_recording *r, int *writes) {
    for (int i = 0; i < r->n_commands; i++) {
        const tern_command *c = &r->commands[i];
        for (int k = c->n_inputs * c->n_tuples; k < tern_command_operands(c); k++)
            writes[c->places[k]]++;
    }
    for (int i = 0; i < r->n_commands; i++) {
        tern_command *c = &r->commands[i];
        if (c->kernel != TERN_COMMAND_UPLOAD || writes[c->places[0]] != 1) continue;
        tern_place *p = &r->places[c->places[0]];
        c->is_dead = true;
        p->kept = true;
        p->written = false;
    }
}

static void prune_dead(tern_recording *r, bool *wanted) {
    for (int i = 0; i < r->n_places; i++) wanted[i] = !r->places[i].inside || r->places[i].kept;
    for (int i = r->n_commands - 1; i >= 0; i--) {
        tern_command *c = &r->commands[i];
        if (c->is_dead) continue;
        int n_in = c->n_inputs * c->n_tuples;
        c->is_dead = c->kernel != TERN_COMMAND_CHECK;
        for (int k = n_in; k < tern_command_operands(c); k++)
            if (wanted[c->places[k]]) c->is_dead = false;
        for (int k = 0; k < n_in && !c->is_dead; k++)
            if (c->places[k] >= 0) wanted[c->places[k]] = true;
    }
}

static void drop_dead(tern_recording *r) {
    int left = 0;
    for (int i = 0; i < r->n_commands; i++)
        if (!r->commands[i].is_dead) r->commands[left++] = r->commands[i];
    r->n_commands = left;
}

void tern_recording_prune(tern_recording *r) {
    int *writes = tern_recording_alloc(r, (size_t)r->n_places, sizeof *writes);
    bool *wanted = tern_recording_alloc(r, (size_t)r->n_places, sizeof *wanted);
    if (!writes || !wanted) return;
    keep_constants(r, writes);
    prune_dead(r, wanted);
    drop_dead(r);
}
