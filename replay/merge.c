/*
 * merge.c: element-wise launches that follow one another as one, and behind a product or a convolution as its
 * epilogue.
 *
 * A launch whose result one other launch reads, element by element, and nobody else, need not write it: the two are
 * one program (MAP, MATMUL_MAP, CONV_MAP). Every step of a program rounds as its family does by itself
 * (tern/backend.h), so the bits stay the same. Left alone are float16 and bfloat16, which a program rounds only
 * where it ends, and programs that are long already: a device may have a loop of its own for those.
 *
 * What a merged launch reads is needed longer than before. None is merged where the run would then need more memory,
 * and none that the device does not take: it is asked, by the launch itself, into memory that is thrown away.
 */
#include <stddef.h>
#include <string.h>

#include "core/call/fused.h"
#include "core/call/plan.h"
#include "core/memory/storage.h"
#include "merge_program.h"

/* ---- which two ------------------------------------------------------------------------------- */

/* Whether commands between `i` and `j`, or `j` itself, write what `i` reads. */
static bool is_overwritten(const tern_recording *r, int i, int j) {
    const tern_command *c = &r->commands[i];
    for (int k = 0; k < c->n_inputs; k++)
        for (int m = i + 1; m <= j && c->places[k] >= 0; m++) {
            const tern_command *other = &r->commands[m];
            for (int out = other->n_inputs * other->n_tuples; out < tern_command_operands(other);
                 out++)
                if (other->places[out] == c->places[k]) return true;
        }
    return false;
}

/* The command that alone reads the only result of command `i`, which could be made where that one runs; -1 if there
 * is none. Lifetimes are known. */
static int reader_of(const tern_recording *r, int i) {
    const tern_command *c = &r->commands[i];
    if (c->n_tuples != 1 || c->n_outputs != 1 || tern_has_cell(r, c)) return -1;
    int place = c->places[c->n_inputs];
    const tern_place *p = &r->places[place];
    if (!tern_is_in_block(p) || p->is_drawn || p->first != i || p->last <= i ||
        !tern_fills_place(r, c, c->n_inputs))
        return -1;
    for (int k = 0; k < c->n_inputs; k++)
        if (c->places[k] == place) return -1;
    for (int m = i + 1; m < p->last; m++)
        if (tern_command_uses(&r->commands[m], place)) return -1;
    const tern_command *reader = &r->commands[p->last];
    if (reader->n_tuples != 1 || reader->n_outputs != 1 || tern_has_cell(r, reader)) return -1;
    return is_overwritten(r, i, p->last) ? -1 : p->last;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Whether the device says that it has such a kernel. */
static bool is_supported(const tern_recording *r, const tern_command *c) {
    int32_t dtypes[TERN_MAX_OPERANDS];
    const char *reason = NULL;
    int n = tern_command_operands(c);
    if (n > TERN_MAX_OPERANDS || tern_is_composed(r->ctx, c->kernel)) return false;
    for (int k = 0; k < n; k++) dtypes[k] = c->operands[k].dtype;
    const tern_kernel_query query = {
        (uint32_t)sizeof query, c->kernel,     c->fn,  c->n_inputs,
        c->n_outputs,           c->attrs_size, dtypes, dtypes + c->n_inputs};
    return r->lane->device->vtable.supports(r->lane->device->object, &query, &reason);
}

/* Whether it takes this launch: its result goes to memory of its own. Latches where there is none. */
static bool is_taken(tern_recording *r, const tern_command *c) {
    tern_operand operands[TERN_MAX_OPERANDS];
    tern_backend_error err;
    if (!is_supported(r, c)) return false;
    const tern_place *p = &r->places[c->places[c->n_inputs]];
    tern_storage *storage = tern_storage_exact(r->lane, p->bytes);
    if (!storage) return false;
    for (int k = 0; k < tern_command_operands(c); k++) {
        operands[k] = c->operands[k];
        operands[k].flags &= (uint32_t)TERN_OPERAND_CONTIGUOUS | (uint32_t)TERN_OPERAND_CONSTANT;
    }
    tern_operand *out = &operands[c->n_inputs];
    out->buffer = storage->buffer;
    out->at.byte_offset += storage->offset - p->storage->offset;
    int32_t status = tern_start(r->lane, c->kernel, c->fn, operands, c->n_inputs, out, 1, 1,
                                c->attrs, c->attrs_size, &err);
    tern_storage_release(storage);
    return status == TERN_BACKEND_OK;
}

/* ---- merging --------------------------------------------------------------------------------- */

static void remove_command(tern_recording *r, int i) {
    memmove(r->commands + i, r->commands + i + 1,
            (size_t)(r->n_commands - i - 1) * sizeof *r->commands);
    r->n_commands--;
}

static void insert_command(tern_recording *r, int i, tern_command c) {
    memmove(r->commands + i + 1, r->commands + i,
            (size_t)(r->n_commands - i) * sizeof *r->commands);
    r->commands[i] = c;
    r->n_commands++;
}

/* Command `i` becomes a part of the one that reads its result, where that can be. `needed` is what a run needs. */
static bool merge(tern_recording *r, int i, uint64_t *live, uint64_t needed) {
    int j = reader_of(r, i);
    tern_command merged;
    if (j < 0 || !tern_merged_command(r, &r->commands[i], &r->commands[j], &merged)) return false;
    const tern_command first = r->commands[i], second = r->commands[j];
    r->commands[j] = merged;
    remove_command(r, i);
    if (live[tern_recording_peak(r, live)] <= needed && is_taken(r, &merged)) return true;
    insert_command(r, i, first);
    r->commands[j] = second;
    tern_find_lifetimes(r);
    return false;
}

void tern_recording_merge(tern_recording *r) {
    uint64_t *live = tern_recording_alloc(r, (size_t)r->n_commands + 2, sizeof *live);
    int peak = live ? tern_recording_peak(r, live) : -1;
    if (peak < 0) return;
    uint64_t needed = live[peak];
    for (int i = 0; i < r->n_commands && r->ctx->status == TERN_OK;)
        if (!merge(r, i, live, needed)) i++; /* else there is another command at i */
}
