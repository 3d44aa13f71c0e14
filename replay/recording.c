/* recording.c: memory of a recording, and the storages that it knows. */
#include "recording.h"

#include <string.h>

#include "core/memory/storage.h"

void *tern_recording_alloc(tern_recording *r, size_t count, size_t size) {
    uint64_t bytes = 0;
    tern_scope scope = tern_owner_begin(r->owner, 0);
    void *memory = NULL;
    if (scope.serial && tern_size_mul(count, size, &bytes) && bytes <= SIZE_MAX / 2)
        memory = tern_scope_alloc(r->ctx, bytes ? (size_t)bytes : 1);
    else if (scope.serial)
        tern_fail(r->ctx, TERN_ERR_OUT_OF_MEMORY, "tern_capture: a recording too large for memory");
    tern_scope_end(scope);
    return memory;
}

bool tern_recording_grow(tern_recording *r, void *array, int count, int *capacity, size_t size) {
    void **at = array;
    if (count < *capacity) return true;
    if (count > INT32_MAX / 4) {
        tern_fail(r->ctx, TERN_ERR_OUT_OF_MEMORY, "tern_capture: too many launches to record");
        return false;
    }
    int wider = count ? 2 * count : 16;
    void *larger = tern_recording_alloc(r, (size_t)wider, size);
    if (!larger) return false;
    if (count) memcpy(larger, *at, (size_t)count * size);
    *at = larger;
    *capacity = wider;
    return true;
}

void tern_recording_refuse(tern_recording *r, const char *reason) {
    if (!r->refusal) r->refusal = reason;
}

/* ---- places ---------------------------------------------------------------------------------- */

static int *slot_of(const tern_recording *r, const tern_storage *storage) {
    uint64_t hash = (uint64_t)(uintptr_t)storage * UINT64_C(0x9e3779b97f4a7c15);
    int at = (int)(hash >> 33) & (r->n_place_slots - 1);
    while (r->place_slots[at] && r->places[r->place_slots[at] - 1].storage != storage)
        at = (at + 1) & (r->n_place_slots - 1);
    return &r->place_slots[at];
}

/* The number of slots is a power of two, and at most half of them are taken. */
static bool widen(tern_recording *r) {
    if (2 * r->n_places < r->n_place_slots) return true;
    int wider = r->n_place_slots ? 2 * r->n_place_slots : 64;
    int *slots = tern_recording_alloc(r, (size_t)wider, sizeof *slots);
    if (!slots) return false;
    r->place_slots = slots;
    r->n_place_slots = wider;
    for (int i = 0; i < r->n_places; i++) *slot_of(r, r->places[i].storage) = i + 1;
    return true;
}

static int input_of(const tern_recording *r, const tern_storage *storage) {
    for (int i = 0; i < r->n_inputs; i++)
        if (r->inputs[i].storage == storage) return i;
    return -1;
}

int tern_place_of(tern_recording *r, tern_storage *storage) {
    if (!widen(r)) return -1;
    int *slot = slot_of(r, storage);
    if (*slot) return *slot - 1;
    if (!tern_recording_grow(r, &r->places, r->n_places, &r->places_capacity, sizeof *r->places))
        return -1;
    tern_storage_retain(storage);
    r->places[r->n_places] = (tern_place){.storage = storage,
                                          .input = input_of(r, storage),
                                          .inside = tern_is_made_inside(storage, &r->recorder),
                                          .first = -1,
                                          .last = -1,
                                          .bytes = storage->bytes};
    *slot = ++r->n_places;
    return r->n_places - 1;
}

/* ---- cells ----------------------------------------------------------------------------------- */

bool tern_has_cell(const tern_recording *r, const tern_command *c) {
    for (int i = 0; i < r->n_cells; i++)
        for (int k = 0; k < tern_command_operands(c); k++)
            if (r->cells[i].operand == &c->operands[k]) return true;
    return false;
}
