#define _POSIX_C_SOURCE 200809L
#include "registry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempts.h"
#include "device_string.h"
#include "discovery.h"
#include "host.h"
#include "library.h"
#include "profiler.h"
#include "tern/context.h"
#include "tern/memory.h"

/* A library that this process has tried, and how that went. Kept until the process ends. */
typedef struct known_library {
    tern_library library;
    tern_load_stage stage;
    tern_fault fault;
    struct known_library *next;
} known_library;

typedef struct open_device {
    tern_device device; /* first: the pointer that callers hold */
    known_library *owner;
    int32_t index;
    struct open_device *next;
} open_device;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static known_library *libraries;
static open_device *devices;
const tern_profiler *tern_profiler_linked;

/* ---- libraries ------------------------------------------------------------------------------- */

static const char *library_key(const tern_candidate *candidate) {
    return candidate->library.path[0] ? candidate->library.path : candidate->manifest_path;
}

static known_library *find_library(const tern_candidate *candidate) {
    for (known_library *k = libraries; k; k = k->next)
        if (strcmp(k->library.path, library_key(candidate)) == 0) return k;
    return NULL;
}

static known_library *know_library(const tern_candidate *candidate, tern_fault *fault) {
    known_library *known = find_library(candidate);
    if (known) return known;
    known = tern_alloc_zeroed(1, sizeof *known);
    if (!known) {
        tern_fault_set(fault, TERN_ERR_OUT_OF_MEMORY, "out of memory while opening device '%s'",
                       candidate->manifest.device);
        return NULL;
    }
    strcpy(known->library.path, library_key(candidate));
    known->next = libraries;
    libraries = known;
    return known;
}

/* Loads, queries and counts; `known->stage` is how far that came. */
static tern_status start_library(known_library *known, const tern_candidate *candidate,
                                 int32_t *out_count) {
    tern_fault *fault = &known->fault;
    memset(fault, 0, sizeof *fault);
    *out_count = 0;
    known->stage = TERN_STAGE_LOAD;
    if (tern_library_load(&known->library, candidate, fault) != TERN_OK) return fault->status;
    known->stage = TERN_STAGE_QUERY;
    if (tern_library_query(&known->library, &candidate->manifest, fault) != TERN_OK)
        return fault->status;
    known->stage = TERN_STAGE_OPEN;
    return tern_library_count(&known->library, out_count, fault);
}

void tern_attempts_apply(tern_discovery *discovery) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < discovery->count; i++) {
        tern_candidate *c = discovery->items[i];
        const known_library *known = c->chosen ? find_library(c) : NULL;
        /* Memory that was out once says nothing about the plugin. */
        if (!known || known->fault.status == TERN_OK ||
            known->fault.status == TERN_ERR_OUT_OF_MEMORY)
            continue;
        c->stage = known->stage;
        c->code = known->fault.status;
        tern_text_copy(c->message, sizeof c->message, known->fault.message);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- devices --------------------------------------------------------------------------------- */

static open_device *find_device(const known_library *owner, int32_t index) {
    for (open_device *d = devices; d; d = d->next)
        if (d->owner == owner && d->index == index) return d;
    return NULL;
}

static open_device *create_device(known_library *known, const tern_candidate *candidate,
                                  int32_t index) {
    open_device *d = tern_alloc_zeroed(1, sizeof *d);
    if (!d) {
        tern_fault_set(&known->fault, TERN_ERR_OUT_OF_MEMORY, "out of memory");
        return NULL;
    }
    if (tern_library_open(&known->library, index, &d->device.object, &d->device.vtable,
                          &known->fault) != TERN_OK) {
        tern_free(d);
        return NULL;
    }
    const char *name = candidate->manifest.device;
    tern_device_full_name(name, index, d->device.name, sizeof d->device.name);
    d->device.is_cpu = tern_device_in_family(name, "cpu");
    strcpy(d->device.plugin, known->library.name);
    d->device.speed = d->device.vtable.speed;
    d->owner = known;
    d->index = index;
    d->next = devices;
    devices = d;
    if (tern_profiler_linked) tern_profiler_linked->device_opened(&d->device);
    return d;
}

/* The first device that is not a CPU behind another interface; -1 where all are. */
static int32_t first_accelerator(known_library *known, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        tern_device_info info;
        tern_fault ignored = {0};
        if (tern_library_info(&known->library, i, &info, &ignored) == TERN_OK &&
            info.type != TERN_DEVICE_CPU)
            return i;
    }
    return -1;
}

enum { ANY_ACCELERATOR = -1 }; /* an index for open_candidate */

/* The index to open; -1 with the reason, which is the request's fault and not the plugin's. */
static int32_t pick_index(known_library *known, const tern_candidate *candidate, int32_t count,
                          int32_t index, tern_fault *fault) {
    const char *name = candidate->manifest.device;
    if (index == ANY_ACCELERATOR) {
        index = first_accelerator(known, count);
        if (index < 0) tern_fault_set(fault, TERN_ERR_STATE, "it offers nothing but the CPU");
        return index;
    }
    if (index < count) return index;
    if (count == 1)
        tern_fault_set(fault, TERN_ERR_NOT_FOUND, "there is only %s:0", name);
    else
        tern_fault_set(fault, TERN_ERR_NOT_FOUND, "there are only %s:0 to %s:%d", name, name,
                       (int)count - 1);
    return -1;
}

/* One reference to the index-th device of a candidate; NULL with the reason in the fault. */
static open_device *open_candidate(const tern_candidate *candidate, int32_t index,
                                   tern_fault *fault) {
    known_library *known = know_library(candidate, fault);
    if (!known) return NULL;
    open_device *device = NULL;
    int32_t count;
    if (start_library(known, candidate, &count) == TERN_OK && count == 0)
        tern_fault_set(&known->fault, TERN_ERR_NOT_FOUND, "no such hardware was found");
    if (known->fault.status == TERN_OK) index = pick_index(known, candidate, count, index, fault);
    if (known->fault.status == TERN_OK && index >= 0) {
        device = find_device(known, index);
        if (!device) device = create_device(known, candidate, index);
    }
    if (device) {
        known->stage = TERN_STAGE_READY;
        device->device.references++;
        return device;
    }
    if (known->fault.status != TERN_OK)
        tern_fault_set(fault, known->fault.status, "%s", known->fault.message);
    tern_library_release(&known->library);
    return NULL;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static open_device *open_named(const tern_discovery *discovery, const tern_device_string *string,
                               tern_candidate **ranked, tern_fault *fault) {
    size_t count = tern_discovery_rank(discovery, string->name, ranked);
    if (count == 0) {
        tern_discovery_explain(discovery, string->name, fault);
        return NULL;
    }
    tern_fault problem = {0};
    int32_t index = string->index < 0 ? 0 : string->index;
    open_device *device = open_candidate(ranked[0], index, &problem);
    if (!device)
        tern_fault_set(fault, problem.status, "device '%s' cannot be opened: %s", string->text,
                       problem.message);
    return device;
}

/* Notes in `reason` why auto passed a candidate over: "cpu_simd (avx512): it requires ...". */
static void pass_over(char *reason, size_t size, const tern_candidate *candidate,
                      const char *message) {
    const char *variant = candidate->manifest.variant;
    char name[128];
    snprintf(name, sizeof name, "%s%s%s%s", candidate->manifest.device, variant[0] ? " (" : "",
             variant, variant[0] ? ")" : "");
    if (reason[0]) tern_text_append(reason, size, "; ");
    tern_text_append(reason, size, name);
    tern_text_append(reason, size, ": ");
    tern_text_append(reason, size, message);
    tern_notice(TERN_LOG_INFO, "auto: %s is skipped: %s", name, message);
}

/* What cannot be opened at all is passed over too, and said so. */
static void pass_over_unavailable(const tern_discovery *discovery, char *reason, size_t size) {
    for (size_t i = 0; i < discovery->count; i++) {
        const tern_candidate *c = discovery->items[i];
        if (c->manifest.device[0] && !c->chosen && c->code != TERN_ERR_STATE)
            pass_over(reason, size, c, c->message);
    }
}

/* Why a manifest was not read: all there is to say where none was. */
static const char *first_message(const tern_discovery *discovery) {
    for (size_t i = 0; i < discovery->count; i++)
        if (discovery->items[i]->message[0]) return discovery->items[i]->message;
    return "";
}

/*
 * By priority; the first that opens. What turns out to be the CPU behind another interface comes
 * after the CPU's own plugins.
 */
static open_device *open_auto(const tern_discovery *discovery, tern_candidate **ranked,
                              tern_fault *fault, char *reason, size_t size) {
    size_t count = tern_discovery_rank(discovery, NULL, ranked);
    pass_over_unavailable(discovery, reason, size);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            if (!ranked[i]) continue;
            bool cpu = tern_device_in_family(ranked[i]->manifest.device, "cpu");
            tern_fault problem = {0};
            open_device *device =
                open_candidate(ranked[i], cpu || pass == 1 ? 0 : ANY_ACCELERATOR, &problem);
            if (device) return device;
            if (problem.status == TERN_ERR_OUT_OF_MEMORY) {
                *fault = problem;
                return NULL;
            }
            pass_over(reason, size, ranked[i], problem.message);
            if (problem.status != TERN_ERR_STATE) ranked[i] = NULL;
        }
    }
    if (discovery->count == 0)
        tern_discovery_explain(discovery, "auto", fault);
    else
        tern_fault_set(fault, TERN_ERR_NOT_FOUND, "no device can be opened: %s",
                       reason[0] ? reason : first_message(discovery));
    return NULL;
}

static void set_reason(tern_device *device, const tern_device_string *string, bool from_variable,
                       const char *passed_over) {
    if (device->reason[0]) return;
    char *reason = device->reason;
    size_t size = sizeof device->reason;
    if (string->is_auto) {
        snprintf(reason, size, "auto: %s is the best that opened", device->name);
        if (passed_over[0]) tern_text_append(reason, size, "; ");
        tern_text_append(reason, size, passed_over);
    } else {
        snprintf(reason, size, "%s%s", from_variable ? "TERN_DEVICE=" : "", string->text);
    }
    tern_notice(TERN_LOG_INFO, "device %s: %s", device->name, device->reason);
}

static tern_status open_locked(const tern_device_string *string, bool from_variable,
                               tern_device **out_device, tern_fault *fault) {
    tern_discovery *discovery;
    if (tern_discovery_new(&discovery, fault) != TERN_OK) return fault->status;
    tern_candidate **ranked = tern_alloc(discovery->count * sizeof *ranked);
    char passed_over[512] = "";
    open_device *device = NULL;
    if (!ranked)
        tern_fault_set(fault, TERN_ERR_OUT_OF_MEMORY, "out of memory while opening a device");
    else if (string->is_auto)
        device = open_auto(discovery, ranked, fault, passed_over, sizeof passed_over);
    else
        device = open_named(discovery, string, ranked, fault);
    tern_free(ranked);
    tern_discovery_free(discovery);
    if (!device) return fault->status;
    set_reason(&device->device, string, from_variable, passed_over);
    *out_device = &device->device;
    return TERN_OK;
}

tern_status tern_registry_open(const char *spec, tern_device **out_device, tern_fault *fault) {
    *out_device = NULL;
    const char *variable = getenv("TERN_DEVICE");
    bool from_variable = !spec && variable && variable[0];
    tern_device_string string;
    const char *text = spec ? spec : from_variable ? variable : "auto";
    if (tern_device_string_parse(text, &string, fault) != TERN_OK) return fault->status;
    pthread_mutex_lock(&lock);
    tern_host_configure();
    tern_status status = open_locked(&string, from_variable, out_device, fault);
    pthread_mutex_unlock(&lock);
    return status;
}

static void remove_device(open_device *device) {
    open_device **link = &devices;
    while (*link != device) link = &(*link)->next;
    *link = device->next;
    if (tern_profiler_linked) tern_profiler_linked->device_closing(&device->device);
    device->device.vtable.close(device->device.object);
    device->owner->library.open_devices--;
    tern_library_release(&device->owner->library);
    tern_free(device);
}

bool tern_device_same_library(const tern_device *a, const tern_device *b) {
    return ((const open_device *)a)->owner == ((const open_device *)b)->owner;
}

void tern_registry_close(tern_device *device) {
    if (!device) return;
    pthread_mutex_lock(&lock);
    if (--device->references == 0) remove_device((open_device *)device);
    pthread_mutex_unlock(&lock);
}
