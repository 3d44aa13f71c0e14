/*
 * library.h: one plugin in this process: loaded, queried and checked.
 *
 * The caller serialises all calls (the registry's lock).
 */
#ifndef TERN_CORE_PLUGIN_LIBRARY_H
#define TERN_CORE_PLUGIN_LIBRARY_H

#include "discovery.h"
#include "tern/backend.h"

typedef struct tern_library {
    char path[TERN_PATH_SIZE];   /* what it was loaded from; names it in the load report */
    void *handle;                /* of the dynamic linker; NULL in a static build */
    tern_backend_query_fn query; /* NULL while it is not loaded */
    tern_backend_desc desc;      /* zero while it was not queried */
    char name[64];               /* the backend's own */
    bool queried;
    int open_devices;
} tern_library;

/* Maps a candidate's library, which must be the file that was checked, and finds the symbol `name` in it. */
tern_status tern_library_map(const tern_candidate *candidate, const char *name, void **out_handle,
                             void **out_symbol, tern_fault *fault);

/* Whether a library was built with this process's sanitizers; `own` are its own, NULL for none. */
tern_status tern_library_check_sanitizers(const char *own, tern_fault *fault);

/* Maps the library and finds its entry point. A library that is loaded already stays so. */
tern_status tern_library_load(tern_library *library, const tern_candidate *candidate,
                              tern_fault *fault);

/* Asks for the descriptor and negotiates. One that was queried already stays so. */
tern_status tern_library_query(tern_library *library, const tern_manifest *manifest,
                               tern_fault *fault);

/* How many devices the backend finds; may start its driver. */
tern_status tern_library_count(tern_library *library, int32_t *out_count, tern_fault *fault);

/* What its index-th device is. */
tern_status tern_library_info(tern_library *library, int32_t index, tern_device_info *out_info,
                              tern_fault *fault);

/* Opens a device and copies its table, cut or zero-padded to the size that this core knows. */
tern_status tern_library_open(tern_library *library, int32_t index, tern_bdevice **out_device,
                              tern_bdevice_vtable *out_vtable, tern_fault *fault);

/* Where no device is open: shuts the backend down and unmaps it if it says that it may be. */
void tern_library_release(tern_library *library);

#endif
