/*
 * skips.c: which steps a device skipped.
 *
 * Behind a step the queue copies its skip flag to the host, into the step's entry. The flag stays set from
 * the error until that is taken, so the first step with a set flag and all behind it were skipped.
 */
#include <string.h>

#include "core/context/lane.h"
#include "core/objects.h"
#include "core/tensor/tensor.h"
#include "tern/update.h"

enum { ENTRIES = 2 * TERN_SKIPS_STEPS };

/* A step on one device. It is over when the queue has been waited for since. */
typedef struct entry {
    tern_lane *lane;
    uint64_t step, waits;
    int32_t flag;
} entry;

typedef struct skips {
    tern_watch watch;
    tern_ctx *ctx;
    tern_skips_undo_fn undo;
    void *user;
    uint64_t first, next; /* entries in a ring: their numbers, of which first..next are in use */
    entry entries[ENTRIES];
} skips;

static entry *at(skips *s, uint64_t number) {
    return &s->entries[number % ENTRIES];
}

static void drop_what_is_over(skips *s) {
    while (s->first < s->next && at(s, s->first)->lane->waits > at(s, s->first)->waits) s->first++;
}

/* The error has surfaced, so all of the lane's flags have come. */
static void failed(tern_watch *watch, tern_lane *lane) {
    skips *s = (skips *)watch;
    bool undone = false;
    for (uint64_t i = s->first; i < s->next; i++) {
        entry *e = at(s, i);
        if (e->lane != lane) continue;
        if (e->flag && !undone) s->undo(s->user, lane->device->name, e->step);
        undone = undone || e->flag;
        e->flag = 0;
    }
    drop_what_is_over(s);
}

/* No copy may be under way when the memory goes. */
static void end(void *arg) {
    skips *s = arg;
    for (drop_what_is_over(s); s->first < s->next; drop_what_is_over(s))
        tern_lane_synchronize(at(s, s->first)->lane);
    tern_watch_remove(s->ctx, &s->watch);
}

tern_skips *tern_skips_new(tern_ctx *ctx, tern_skips_undo_fn undo, void *user) {
    skips *s = tern_scope_alloc(ctx, sizeof *s);
    if (!s || ctx->status != TERN_OK) return NULL;
    if (!undo) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "tern_skips_new: undo is NULL");
        return NULL;
    }
    s->ctx = ctx;
    s->undo = undo;
    s->user = user;
    s->watch.failed = failed;
    tern_skips *handle = tern_handle_new(ctx, "record of skipped steps", s);
    if (!handle || tern_defer(ctx, end, s) != TERN_OK) return NULL;
    tern_watch_add(ctx, &s->watch);
    return handle;
}

static skips *skips_of(const tern_skips *handle, const char *function) {
    return tern_handle_object(handle, "record of skipped steps", function);
}

bool tern_skips_possible(const tern_tensor *tensor) {
    if (!tern_usable(tensor, "tern_skips_possible")) return false;
    return BODY(tensor)->lane->queue && BODY(tensor)->lane->skip_flag;
}

static tern_status settle(skips *s) {
    for (drop_what_is_over(s); s->first < s->next && s->ctx->status == TERN_OK;
         drop_what_is_over(s))
        tern_lane_synchronize(at(s, s->first)->lane);
    return s->ctx->status;
}

tern_status tern_skips_begin(tern_skips *handle, uint64_t step) {
    skips *s = skips_of(handle, "tern_skips_begin");
    if (!s) return tern_handle_status(handle);
    for (drop_what_is_over(s); s->first < s->next && s->ctx->status == TERN_OK;
         drop_what_is_over(s)) {
        if (step - at(s, s->first)->step < TERN_SKIPS_STEPS) break;
        tern_lane_synchronize(at(s, s->first)->lane);
    }
    return s->ctx->status;
}

tern_status tern_skips_note(tern_skips *handle, const tern_tensor *tensor, uint64_t step) {
    skips *s = skips_of(handle, "tern_skips_note");
    if (!s) return tern_handle_status(handle);
    if (!tern_usable(tensor, "tern_skips_note")) {
        if (s->ctx->status == TERN_OK)
            tern_fail(s->ctx, TERN_ERR_STATE, "tern_skips_note: the tensor is NULL or nil");
        return s->ctx->status;
    }
    tern_lane *lane = BODY(tensor)->lane;
    if (BODY(tensor)->ctx != s->ctx)
        return tern_fail(s->ctx, TERN_ERR_ARGUMENT, "tern_skips_note: a tensor of another context");
    if (!lane->queue || !lane->skip_flag) return TERN_OK;
    tern_backend_error err = {{0}};
    if (s->next - s->first == ENTRIES && settle(s) != TERN_OK) return s->ctx->status;
    entry *e = at(s, s->next);
    *e = (entry){lane, step, lane->waits, 0};
    int32_t status = lane->device->vtable.copy_to_host(lane->device->object, lane->queue, &e->flag,
                                                       lane->skip_flag, lane->skip_flag_offset,
                                                       sizeof e->flag, &err);
    if (status != TERN_BACKEND_OK) return tern_lane_fail(lane, "copy to host", status, &err);
    s->next++;
    return TERN_OK;
}

tern_status tern_skips_settle(tern_skips *handle) {
    skips *s = skips_of(handle, "tern_skips_settle");
    return s ? settle(s) : tern_handle_status(handle);
}
