/* The helper's side of probe.h: runs in the process that may crash or hang. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "host_library.h"
#include "library.h"
#include "probe.h"
#include "tern/device.h"
#include "tern/memory.h"

typedef struct teller {
    tern_probe_line_fn line;
    void *user;
} teller;

static void tell_stage(const teller *t, tern_load_stage stage) {
    char text[64];
    snprintf(text, sizeof text, "stage\t%s", tern_load_stage_name(stage));
    t->line(t->user, text);
}

static void tell_result(const teller *t, const tern_fault *fault) {
    char message[TERN_FAULT_SIZE];
    char text[TERN_FAULT_SIZE + 32];
    tern_text_copy(message, sizeof message, fault->message);
    snprintf(text, sizeof text, "result\t%d\t%s", (int)fault->status, message);
    t->line(t->user, text);
}

/* Opens and closes one device, and tells what it is. */
static tern_status tell_device(const teller *t, tern_library *library, int32_t index,
                               tern_fault *fault) {
    tern_device_info info;
    tern_bdevice *device;
    tern_bdevice_vtable vtable;
    if (tern_library_info(library, index, &info, fault) == TERN_OK &&
        tern_library_open(library, index, &device, &vtable, fault) == TERN_OK) {
        vtable.close(device);
        library->open_devices--;
    }
    char name[64];
    char identity[64];
    char error[256];
    char text[512];
    tern_text_copy(name, sizeof name, info.name);
    tern_text_copy(identity, sizeof identity, info.identity);
    tern_text_copy(error, sizeof error, fault->message);
    snprintf(text, sizeof text, "device\t%d\t%d\t%" PRIu64 "\t%s\t%s\t%s", (int)index,
             (int)info.type, info.memory_bytes, identity, name, error);
    t->line(t->user, text);
    return fault->status;
}

/* One device that opens is enough. */
static void tell_devices(const teller *t, tern_library *library, tern_fault *fault) {
    int32_t count;
    if (tern_library_count(library, &count, fault) != TERN_OK) return;
    if (count == 0) tern_fault_set(fault, TERN_ERR_NOT_FOUND, "no such hardware was found");
    tern_fault first = {0};
    int opened = 0;
    for (int32_t i = 0; i < count && i < TERN_PROBE_DEVICES; i++) {
        tern_fault problem = {0};
        if (tell_device(t, library, i, &problem) == TERN_OK)
            opened++;
        else
            tern_fault_set(&first, problem.status, "%s", problem.message);
    }
    if (opened == 0 && count > 0) tern_fault_set(fault, first.status, "%s", first.message);
}

/* A host library has no devices; what it is, is its result's message, as what a backend says of its libraries is. */
static void run_host_library(const teller *t, const tern_candidate *candidate, tern_fault *fault) {
    tern_host_library table;
    tern_host_library_query_fn query;
    tell_stage(t, TERN_STAGE_LOAD);
    if (tern_host_library_load(candidate, &query, fault) != TERN_OK) return;
    tell_stage(t, TERN_STAGE_QUERY);
    if (tern_host_library_ask(query, &candidate->manifest, &table, fault) == TERN_OK)
        tern_text_copy(fault->message, sizeof fault->message, table.description);
}

static void run(const teller *t, const tern_candidate *candidate, tern_library *library,
                tern_fault *fault) {
    tern_host_configure();
    if (candidate->manifest.host[0]) {
        run_host_library(t, candidate, fault);
        return;
    }
    tell_stage(t, TERN_STAGE_LOAD);
    if (tern_library_load(library, candidate, fault) != TERN_OK) return;
    tell_stage(t, TERN_STAGE_QUERY);
    if (tern_library_query(library, &candidate->manifest, fault) != TERN_OK) return;
    tell_stage(t, TERN_STAGE_OPEN);
    tell_devices(t, library, fault);
    if (fault->status == TERN_OK && library->desc.tell_libraries)
        library->desc.tell_libraries(fault->message, sizeof fault->message);
    tern_library_release(library);
}

tern_status tern_probe_plugin(const char *manifest, tern_probe_line_fn line, void *user) {
    if (!manifest || !line) return TERN_ERR_ARGUMENT;
    teller t = {line, user};
    tern_fault fault = {0};
    tern_discovery *discovery = NULL;
    tern_library *library = tern_alloc_zeroed(1, sizeof *library);
    if (!library)
        tern_fault_set(&fault, TERN_ERR_OUT_OF_MEMORY, "out of memory");
    else if (tern_discovery_of(manifest, &discovery, &fault) == TERN_OK) {
        const tern_candidate *c = discovery->count ? discovery->items[0] : NULL;
        if (!c)
            tern_fault_set(&fault, TERN_ERR_NOT_FOUND, "there is no plugin %s", manifest);
        else if (!c->chosen)
            tern_fault_set(&fault, c->code, "%s", c->message);
        else
            run(&t, c, library, &fault);
        if (c && !c->chosen) tell_stage(&t, c->stage);
    }
    tell_result(&t, &fault);
    tern_discovery_free(discovery);
    tern_free(library);
    return fault.status;
}
