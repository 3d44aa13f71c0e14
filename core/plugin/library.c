#define _GNU_SOURCE /* dlinfo */
#include "library.h"

#include <stdio.h>
#include <string.h>

#include "host.h"

#ifndef TERN_STATIC
#include <dlfcn.h>
#include <link.h>
#endif

/* ---- loading --------------------------------------------------------------------------------- */

#ifndef TERN_STATIC

static void keep_linker_error(const char *what, tern_fault *fault) {
    const char *words = dlerror();
    tern_fault_set(fault, TERN_ERR_DEVICE, "%s: %s", what,
                   words ? words : "the dynamic linker gives no reason");
}

/* What was mapped must be what was checked. */
static bool is_checked_file(void *handle, const tern_trusted *checked) {
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !map) return false;
    return tern_trusted_is(checked, map->l_name);
}

tern_status tern_library_map(const tern_candidate *candidate, const char *name, void **out_handle,
                             void **out_symbol, tern_fault *fault) {
    void *handle = dlopen(candidate->library.path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        keep_linker_error("the dynamic linker refuses it", fault);
        return fault->status;
    }
    if (!is_checked_file(handle, &candidate->library)) {
        dlclose(handle);
        return tern_fault_set(fault, TERN_ERR_IO, "%s was replaced while it was being loaded",
                              candidate->library.path);
    }
    *out_symbol = dlsym(handle, name);
    if (!*out_symbol) {
        keep_linker_error("it is not a Tern plugin", fault);
        dlclose(handle);
        return fault->status;
    }
    *out_handle = handle;
    return TERN_OK;
}

static tern_status map_library(tern_library *library, const tern_candidate *candidate,
                               tern_fault *fault) {
    void *symbol;
    if (tern_library_map(candidate, TERN_BACKEND_QUERY_SYMBOL, &library->handle, &symbol, fault) ==
        TERN_OK)
        memcpy(&library->query, &symbol,
               sizeof symbol); /* POSIX allows it, ISO C has no such cast */
    return fault->status;
}

static void unmap_library(tern_library *library) {
    dlclose(library->handle);
    library->handle = NULL;
}

#else

static tern_status map_library(tern_library *library, const tern_candidate *candidate,
                               tern_fault *fault) {
    (void)fault;
    library->query = candidate->query;
    return TERN_OK;
}

static void unmap_library(tern_library *library) {
    (void)library;
}

#endif

tern_status tern_library_load(tern_library *library, const tern_candidate *candidate,
                              tern_fault *fault) {
    return library->query ? TERN_OK : map_library(library, candidate, fault);
}

/* ---- negotiation ----------------------------------------------------------------------------- */

static const char *status_word(int32_t status) {
    switch (status) {
    case TERN_BACKEND_OUT_OF_MEMORY: return "out of memory";
    case TERN_BACKEND_UNSUPPORTED: return "unsupported";
    case TERN_BACKEND_INVALID: return "invalid call";
    case TERN_BACKEND_LOST: return "the device is lost";
    default: return "failed";
    }
}

/* Turns a backend's status and message into a fault. */
static tern_status backend_fault(const char *what, int32_t status, tern_backend_error *err,
                                 tern_fault *fault) {
    char words[sizeof err->message];
    err->message[sizeof err->message - 1] = '\0';
    tern_text_copy(words, sizeof words, err->message);
    bool memory = status == TERN_BACKEND_OUT_OF_MEMORY;
    return tern_fault_set(fault, memory ? TERN_ERR_OUT_OF_MEMORY : TERN_ERR_DEVICE, "%s: %s", what,
                          words[0] ? words : status_word(status));
}

tern_status tern_library_check_sanitizers(const char *own, tern_fault *fault) {
    if (strcmp(own ? own : "", TERN_BACKEND_SANITIZERS) != 0)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "it was built with sanitizer '%.32s' and this process with '%s': "
                              "build both alike",
                              own ? own : "", TERN_BACKEND_SANITIZERS);
    return TERN_OK;
}

static tern_status check_desc(const tern_backend_desc *desc, const tern_manifest *manifest,
                              tern_fault *fault) {
    if (desc->abi != TERN_BACKEND_ABI)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "it was built for plugin ABI %u.%u, but this Tern has ABI %d.%d: "
                              "install a matching plugin",
                              (unsigned)(desc->abi >> 16), (unsigned)(desc->abi & 0xffffu),
                              TERN_BACKEND_ABI_MAJOR, TERN_BACKEND_ABI_MINOR);
    if (!desc->device_count || !desc->device_info || !desc->device_open)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "its descriptor lacks device_count, device_info or device_open");
    if (!desc->name || !desc->name[0])
        return tern_fault_set(fault, TERN_ERR_DEVICE, "its descriptor has no name");
    char name[64];
    tern_text_copy(name, sizeof name, desc->name);
    if (strcmp(name, manifest->device) != 0 && strcmp(name, manifest->variant) != 0)
        return tern_fault_set(fault, TERN_ERR_DEVICE,
                              "the library calls itself '%s', its manifest says '%s'", name,
                              manifest->device);
    return tern_library_check_sanitizers(desc->sanitizers, fault);
}

tern_status tern_library_query(tern_library *library, const tern_manifest *manifest,
                               tern_fault *fault) {
    if (library->queried) return TERN_OK;
    /* A plugin of a later minor version must not write more than it was told that there is; room
     * after the descriptor keeps one that does so from harming us. */
    union {
        tern_backend_desc desc;
        unsigned char room[4 * sizeof(tern_backend_desc)];
    } answer = {.room = {0}};
    tern_backend_error err = {{0}};
    answer.desc.struct_size = sizeof answer.desc;
    int32_t status = library->query(TERN_BACKEND_ABI, tern_host_table(), &answer.desc, &err);
    if (status != TERN_BACKEND_OK)
        return backend_fault("it refuses to work with this Tern", status, &err, fault);
    uint32_t size = answer.desc.struct_size;
    if (size < offsetof(tern_backend_desc, device_open) + sizeof answer.desc.device_open)
        return tern_fault_set(fault, TERN_ERR_DEVICE, "its descriptor has only %u bytes",
                              (unsigned)size);
    if (size < sizeof answer.desc) memset(answer.room + size, 0, sizeof answer.desc - size);
    if (check_desc(&answer.desc, manifest, fault) != TERN_OK) return fault->status;
    library->desc = answer.desc;
    tern_text_copy(library->name, sizeof library->name, answer.desc.name);
    library->queried = true;
    return TERN_OK;
}

/* ---- devices --------------------------------------------------------------------------------- */

tern_status tern_library_count(tern_library *library, int32_t *out_count, tern_fault *fault) {
    tern_backend_error err = {{0}};
    *out_count = 0;
    int32_t status = library->desc.device_count(out_count, &err);
    if (status != TERN_BACKEND_OK) backend_fault("it finds no device", status, &err, fault);
    /* a driver that is not there makes no plugin broken */
    if (status == TERN_BACKEND_UNSUPPORTED) fault->status = TERN_ERR_UNSUPPORTED;
    if (status != TERN_BACKEND_OK) return fault->status;
    if (*out_count < 0 || *out_count > 4096)
        return tern_fault_set(fault, TERN_ERR_DEVICE, "it claims to have %d devices",
                              (int)*out_count);
    return TERN_OK;
}

tern_status tern_library_info(tern_library *library, int32_t index, tern_device_info *out_info,
                              tern_fault *fault) {
    tern_backend_error err = {{0}};
    memset(out_info, 0, sizeof *out_info);
    out_info->struct_size = sizeof *out_info;
    int32_t status = library->desc.device_info(index, out_info, &err);
    out_info->name[sizeof out_info->name - 1] = '\0';
    out_info->identity[sizeof out_info->identity - 1] = '\0';
    if (status == TERN_BACKEND_OK) return TERN_OK;
    return backend_fault("it cannot describe its device", status, &err, fault);
}

static bool queues_are_whole(const tern_bdevice_vtable *v, bool *out_any) {
    int have = (v->queue_create != NULL) + (v->queue_destroy != NULL) +
               (v->queue_synchronize != NULL) + (v->event_create != NULL) +
               (v->event_destroy != NULL) + (v->event_record != NULL) + (v->event_wait != NULL) +
               (v->event_synchronize != NULL) + (v->event_query != NULL);
    *out_any = have > 0;
    return have == 0 || have == 9;
}

/* What is wrong with a device's table; NULL where it keeps the contract. */
static const char *broken_rule(const tern_bdevice_vtable *v) {
    bool queues;
    if (!v->close || !v->buffer_alloc || !v->buffer_free || !v->copy_to_device ||
        !v->copy_to_host || !v->supports || !v->launch)
        return "close, buffer_alloc, buffer_free, copy_to_device, copy_to_host, supports and "
               "launch must all be set";
    if (!queues_are_whole(v, &queues)) return "queues and events must be set all or none";
    if ((v->host_alloc != NULL) != (v->host_free != NULL))
        return "host_alloc and host_free must be set both or none";
    if ((v->prepare != NULL) != (v->launch_plan != NULL) ||
        (v->prepare != NULL) != (v->plan_free != NULL))
        return "prepare, launch_plan and plan_free must be set all or none";
    if ((v->replay_begin != NULL) != (v->replay_end != NULL) ||
        (v->replay_begin != NULL) != (v->replay_free != NULL))
        return "replay_begin, replay_end and replay_free must be set all or none";
    if (v->alignment == 0 || (v->alignment & (v->alignment - 1)) != 0)
        return "the alignment must be a power of two";
    return NULL;
}

tern_status tern_library_open(tern_library *library, int32_t index, tern_bdevice **out_device,
                              tern_bdevice_vtable *out_vtable, tern_fault *fault) {
    tern_backend_error err = {{0}};
    tern_bdevice *device = NULL;
    *out_device = NULL;
    memset(out_vtable, 0, sizeof *out_vtable);
    int32_t status = library->desc.device_open(index, &device, &err);
    if (status != TERN_BACKEND_OK)
        return backend_fault("the device cannot be opened", status, &err, fault);
    if (!device || !device->vtable)
        return tern_fault_set(fault, TERN_ERR_DEVICE, "it opens a device without a table");
    size_t size = device->vtable->struct_size;
    if (size < offsetof(tern_bdevice_vtable, close) + sizeof out_vtable->close)
        return tern_fault_set(fault, TERN_ERR_DEVICE, "its device's table has only %zu bytes",
                              size);
    memcpy(out_vtable, device->vtable, size < sizeof *out_vtable ? size : sizeof *out_vtable);
    const char *rule = broken_rule(out_vtable);
    if (rule) {
        if (out_vtable->close) out_vtable->close(device);
        return tern_fault_set(fault, TERN_ERR_DEVICE, "it breaks the plugin ABI: %s", rule);
    }
    *out_device = device;
    library->open_devices++;
    return TERN_OK;
}

void tern_library_release(tern_library *library) {
    if (library->open_devices > 0) return;
    bool unmap = library->queried && library->desc.can_unload;
    if (library->queried && library->desc.shutdown) library->desc.shutdown();
    library->queried = false;
    memset(&library->desc, 0, sizeof library->desc);
    if (!unmap || !library->query) return;
    library->query = NULL;
    unmap_library(library);
}
