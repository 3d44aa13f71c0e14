/*
 * hook.c: puts itself between the core and the functions of a device.
 *
 * Every device that is opened while a profile is taken gets a table of functions that call its own ones and
 * look at the clock before and after.
 */
#define _GNU_SOURCE /* secure_getenv */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/context/lane.h"
#include "core/ground/error.h"
#include "core/plugin/profiler.h"
#include "profile.h"

/* A device with its own functions. */
typedef struct watched {
    tern_device *device;
    tern_bdevice_vtable own;
} watched;
enum { MOST_DEVICES = 32 };
static watched devices[MOST_DEVICES]; /* device NULL: free */

/* A context's use of one. */
typedef struct user {
    tern_lane *lane;
    pthread_t thread;
    tern_bevent *event; /* of a device with queues: passes when a launch is done */
    char track[160];    /* what the trace calls it */
    struct user *next;
} user;
static user *users;

/* What prepare made a plan for: launches of it name only the plan. */
typedef struct plan_name {
    const tern_bplan *plan;
    const tern_bdevice *device;
    char name[PROFILE_NAME];
    struct plan_name *next;
} plan_name;
enum { PLAN_BUCKETS = 1024 };
static plan_name *plans[PLAN_BUCKETS];

/* Under the lock. */
static const watched *find_device(const tern_bdevice *object) {
    const watched *found = devices;
    while (found < devices + MOST_DEVICES - 1 &&
           !(found->device && found->device->object == object))
        found++;
    return found; /* one of them it is: the functions below are those of watched devices alone */
}

/* A device's own functions, which stay where they are while it is open. */
static const tern_bdevice_vtable *own_of(const tern_bdevice *object) {
    profile_lock();
    const watched *found = find_device(object);
    profile_unlock();
    return &found->own;
}

/* The context that calls: by its queue, else by its thread, else the only one there is. NULL where none is
 * known: a second queue, which uploads, for one. */
static user *user_of(const tern_bdevice *object, const tern_bqueue *queue) {
    user *found = NULL;
    int count = 0;
    for (user *u = users; u; u = u->next) {
        if (u->lane->device->object != object) continue;
        if (queue ? u->lane->queue == queue : (bool)pthread_equal(u->thread, pthread_self()))
            return u;
        found = u;
        count++;
    }
    return !queue && count == 1 ? found : NULL;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What took from `begin` until now, by its name's number. Under the lock, while a profile is taken. */
static void note(const tern_bdevice *device, const tern_bqueue *queue, profile_kind kind,
                 uint64_t begin, uint64_t end, uint32_t name, const char *detail) {
    const user *u = user_of(device, queue);
    const tern_ctx *ctx = u ? u->lane->ctx : NULL;
    uint64_t start = profile_taken.start;
    profile_phase phase;
    profile_event event = {.begin = begin > start ? begin - start : 0,
                           .length = end - begin,
                           .place = profile_place(ctx, &phase),
                           .held = ctx ? ctx->stats.device_bytes : 0,
                           .name = name,
                           .detail = profile_text(detail),
                           .kind = (uint8_t)kind};
    event.phase = (uint8_t)phase;
    event.track = profile_text(u ? u->track : find_device(device)->device->name);
    profile_add(&event);
}

static void note_named(const tern_bdevice *device, const tern_bqueue *queue, profile_kind kind,
                       uint64_t begin, const char *name, const char *detail) {
    uint64_t end = profile_now();
    profile_lock();
    if (profile_taken.taken) note(device, queue, kind, begin, end, profile_text(name), detail);
    profile_unlock();
}

static void note_copy(const tern_bdevice *device, const tern_bqueue *queue, uint64_t begin,
                      const char *name, uint64_t bytes) {
    char detail[PROFILE_DETAIL];
    snprintf(detail, sizeof detail, "%llu bytes", (unsigned long long)bytes);
    note_named(device, queue, KIND_COPY, begin, name, detail);
}

/* Waits until the device has done what was launched: with an event, which takes no kernel's error away. */
static void wait_for_launch(const tern_bdevice_vtable *own, tern_bdevice *device,
                            tern_bqueue *queue) {
    if (!queue) return;
    profile_lock();
    const user *u = profile_taken.taken ? user_of(device, queue) : NULL;
    tern_bevent *event = u ? u->event : NULL;
    profile_unlock();
    tern_backend_error err;
    if (event && own->event_record(device, queue, event, &err) == TERN_BACKEND_OK)
        own->event_synchronize(device, event, &err);
}

/* ---- plans ----------------------------------------------------------------------------------- */

static plan_name **bucket_of(const tern_bplan *plan) {
    uint64_t hash = (uint64_t)(uintptr_t)plan * UINT64_C(0x9e3779b97f4a7c15);
    return &plans[hash >> 32 & (PLAN_BUCKETS - 1)];
}

static void plan_made(const tern_bdevice *device, const tern_bplan *plan, const char *name) {
    plan_name *made = tern_alloc(sizeof *made);
    if (!made) return; /* its launches are called "planned kernel" */
    plan_name **bucket = bucket_of(plan);
    *made = (plan_name){.plan = plan, .device = device, .next = *bucket};
    snprintf(made->name, sizeof made->name, "%s", name);
    *bucket = made;
}

static const char *name_of_plan(const tern_bdevice *device, const tern_bplan *plan) {
    for (const plan_name *p = *bucket_of(plan); p; p = p->next)
        if (p->plan == plan && p->device == device) return p->name;
    return "planned kernel";
}

static void plan_gone(const tern_bdevice *device, const tern_bplan *plan) {
    for (plan_name **link = bucket_of(plan); *link; link = &(*link)->next)
        if ((*link)->plan == plan && (*link)->device == device) {
            plan_name *gone = *link;
            *link = gone->next;
            tern_free(gone);
            return;
        }
}

/* ---- the device's functions ------------------------------------------------------------------ */

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    const tern_bdevice_vtable *own = own_of(device);
    char name[PROFILE_NAME], detail[PROFILE_DETAIL];
    uint64_t begin = profile_now();
    int32_t status = own->launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                                 attrs_size, err);
    if (status != TERN_BACKEND_OK) return status;
    wait_for_launch(own, device, queue);
    uint64_t end = profile_now();
    profile_lock();
    if (profile_taken.taken) {
        profile_name(kernel, attrs, attrs_size, name);
        profile_detail(inputs, n_inputs, outputs, n_outputs, detail);
        note(device, queue, KIND_LAUNCH, begin, end, profile_text(name), detail);
    }
    profile_unlock();
    return status;
}

static int32_t launch_plan(tern_bdevice *device, tern_bqueue *queue, tern_bplan *plan,
                           const tern_operand *inputs, int32_t n_inputs,
                           const tern_operand *outputs, int32_t n_outputs, tern_bbuffer *workspace,
                           uint64_t workspace_offset, tern_backend_error *err) {
    const tern_bdevice_vtable *own = own_of(device);
    char detail[PROFILE_DETAIL];
    uint64_t begin = profile_now();
    int32_t status = own->launch_plan(device, queue, plan, inputs, n_inputs, outputs, n_outputs,
                                      workspace, workspace_offset, err);
    if (status != TERN_BACKEND_OK) return status;
    wait_for_launch(own, device, queue);
    uint64_t end = profile_now();
    profile_lock();
    if (profile_taken.taken) {
        profile_detail(inputs, n_inputs, outputs, n_outputs, detail);
        note(device, queue, KIND_LAUNCH, begin, end, profile_text(name_of_plan(device, plan)),
             detail);
    }
    profile_unlock();
    return status;
}

static int32_t prepare(tern_bdevice *device, const tern_plan_query *query, tern_bplan **out_plan,
                       uint64_t *out_workspace, tern_backend_error *err) {
    char name[PROFILE_NAME], text[PROFILE_NAME + 16], detail[PROFILE_DETAIL];
    uint64_t begin = profile_now();
    int32_t status = own_of(device)->prepare(device, query, out_plan, out_workspace, err);
    if (status != TERN_BACKEND_OK) return status;
    profile_name(query->kernel, query->attrs, query->attrs_size, name);
    profile_detail(query->inputs, query->n_inputs, query->outputs, query->n_outputs, detail);
    snprintf(text, sizeof text, "prepare %s", name);
    profile_lock();
    plan_made(device, *out_plan, name);
    profile_unlock();
    note_named(device, NULL, KIND_PREPARE, begin, text, detail);
    return status;
}

static void plan_free(tern_bdevice *device, tern_bplan *plan) {
    profile_lock();
    plan_gone(device, plan);
    profile_unlock();
    own_of(device)->plan_free(device, plan);
}

static int32_t copy_to_device(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    uint64_t begin = profile_now();
    int32_t status =
        own_of(device)->copy_to_device(device, queue, dst, dst_offset, src, bytes, err);
    note_copy(device, queue, begin, "copy to the device", bytes);
    return status;
}

static int32_t copy_to_host(tern_bdevice *device, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    uint64_t begin = profile_now();
    int32_t status = own_of(device)->copy_to_host(device, queue, dst, src, src_offset, bytes, err);
    note_copy(device, queue, begin, "copy to the host", bytes);
    return status;
}

static int32_t copy_between(tern_bdevice *device, tern_bqueue *queue, tern_bbuffer *dst,
                            uint64_t dst_offset, tern_bdevice *src_device, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    uint64_t begin = profile_now();
    int32_t status = own_of(device)->copy_between(device, queue, dst, dst_offset, src_device, src,
                                                  src_offset, bytes, err);
    note_copy(device, queue, begin, "copy from another device", bytes);
    return status;
}

static int32_t queue_synchronize(tern_bdevice *device, tern_bqueue *queue,
                                 tern_backend_error *err) {
    uint64_t begin = profile_now();
    int32_t status = own_of(device)->queue_synchronize(device, queue, err);
    note_named(device, queue, KIND_WAIT, begin, "wait for the device", "");
    return status;
}

/* ---- beginning and ending -------------------------------------------------------------------- */

static tern_status begin_profile(const char *path) {
    profile *p = &profile_taken;
    if (!path || !*path || strlen(path) >= sizeof p->path) return TERN_ERR_ARGUMENT;
    if (p->taken) return TERN_ERR_STATE;
    profile_clear();
    snprintf(p->path, sizeof p->path, "%s", path);
    p->start = profile_now();
    p->process = getpid();
    p->taken = true;
    return TERN_OK;
}

/* A table of its own for a device that is opened while a profile is taken. */
static void device_opened(tern_device *device) {
    const char *path = secure_getenv("TERN_PROFILE");
    profile_lock();
    static bool asked;
    if (!asked && !profile_taken.taken && path && *path && begin_profile(path) != TERN_OK)
        tern_notice(TERN_LOG_WARNING, "TERN_PROFILE: the path is longer than 4000 characters");
    asked = true;
    watched *free_one = NULL;
    for (int i = 0; i < MOST_DEVICES && !free_one; i++)
        if (!devices[i].device) free_one = &devices[i];
    if (profile_taken.taken && free_one) {
        tern_bdevice_vtable *vt = &device->vtable;
        *free_one = (watched){device, *vt};
        vt->launch = launch;
        vt->copy_to_device = copy_to_device;
        vt->copy_to_host = copy_to_host;
        if (vt->copy_between) vt->copy_between = copy_between;
        if (vt->queue_create) vt->queue_synchronize = queue_synchronize;
        if (vt->prepare) {
            vt->prepare = prepare;
            vt->launch_plan = launch_plan;
            vt->plan_free = plan_free;
        }
        profile_taken.waits_for_launches |= vt->queue_create != NULL;
    }
    profile_unlock();
}

static void device_closing(tern_device *device) {
    profile_lock();
    for (int i = 0; i < MOST_DEVICES; i++)
        if (devices[i].device == device) {
            device->vtable = devices[i].own;
            devices[i] = (watched){0};
        }
    profile_unlock();
}

static void lane_opened(tern_lane *lane) {
    static int contexts;
    profile_lock();
    user *u = profile_taken.taken ? tern_alloc_zeroed(1, sizeof *u) : NULL;
    if (u) {
        tern_backend_error err;
        const tern_bdevice_vtable *vt = &lane->device->vtable;
        *u = (user){.lane = lane, .thread = pthread_self(), .next = users};
        if (!lane->queue ||
            vt->event_create(lane->device->object, &u->event, &err) != TERN_BACKEND_OK)
            u->event = NULL;
        snprintf(u->track, sizeof u->track, "%s, context %d", lane->device->name, ++contexts);
        users = u;
    }
    profile_unlock();
}

static void lane_closing(tern_lane *lane) {
    profile_lock();
    user **link = &users;
    while (*link && (*link)->lane != lane) link = &(*link)->next;
    user *gone = *link;
    if (gone) *link = gone->next;
    profile_unlock();
    if (gone && gone->event) lane->device->vtable.event_destroy(lane->device->object, gone->event);
    tern_free(gone);
}

static void launched(const tern_ctx *ctx, tern_origin *out_origin) {
    *out_origin = (tern_origin){0};
    profile_lock();
    if (profile_taken.taken) {
        profile_phase phase;
        out_origin->profile = profile_taken.start;
        out_origin->place = profile_place(ctx, &phase);
        out_origin->phase = (uint32_t)phase;
    }
    profile_unlock();
}

static const tern_profiler profiler = {device_opened, device_closing, lane_opened, lane_closing,
                                       launched};

/* A shared library holds the profiler, and says so before the program begins. */
__attribute__((constructor)) static void link_profiler(void) {
    tern_profiler_linked = &profiler;
}

tern_status tern_profile_begin(const char *path) {
    profile_lock();
    tern_profiler_linked = &profiler;
    tern_status status = begin_profile(path);
    profile_unlock();
    return status;
}

/* trace.txt for trace.json */
static void tables_path(const char *path, char *out, size_t size) {
    size_t length = strlen(path);
    if (length > 5 && strcmp(path + length - 5, ".json") == 0) length -= 5;
    snprintf(out, size, "%.*s.txt", (int)length, path);
}

tern_status tern_profile_end(tern_ctx *ctx) {
    profile *p = &profile_taken;
    char trace[sizeof p->path], tables[sizeof p->path + 4];
    profile_lock();
    bool taken = p->taken;
    p->taken = false;
    memcpy(trace, p->path, sizeof trace);
    tables_path(trace, tables, sizeof tables);
    bool written = !taken || (profile_write_trace(p, trace) && profile_write_tables(p, tables));
    int reason = errno;
    if (taken) profile_clear();
    profile_unlock();
    if (written) return TERN_OK;
    if (ctx)
        return tern_fail(ctx, TERN_ERR_IO, "tern_profile_end: %s cannot be written: %s", trace,
                         strerror(reason));
    tern_notice(TERN_LOG_WARNING, "the profile %s cannot be written: %s", trace, strerror(reason));
    return TERN_ERR_IO;
}

__attribute__((destructor)) static void end_with_program(void) {
    if (profile_taken.taken && profile_taken.n_events && profile_taken.process == getpid())
        tern_profile_end(NULL);
}
