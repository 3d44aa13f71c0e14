/*
 * tern/device.h: which devices exist, and why one is not available.
 *
 * A load report is plain data, made without a context: every folder that was searched, every plugin
 * that was found and how far loading it got, and the resulting devices. `tern devices` and `tern
 * doctor` print it.
 *
 *     tern_load_report *report = tern_load_report_new(0);
 *     for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
 *         const tern_device_entry *d = tern_load_report_device_at(report, i);
 *         printf("%s: %s\n", d->name, tern_device_state_name(d->state));
 *     }
 *     tern_load_report_free(report);
 *
 * Texts are one line of valid UTF-8, possibly empty, and belong to the report.
 */
#ifndef TERN_DEVICE_H
#define TERN_DEVICE_H

#include "tern/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How far loading a plugin got, in this order. A plugin that failed stays at the stage that failed.
 */
typedef enum tern_load_stage {
    TERN_STAGE_MANIFEST,    /* the manifest is valid and the plugin is for this kind of machine */
    TERN_STAGE_PERMISSIONS, /* no other user can write to the library or to a folder above it */
    TERN_STAGE_FILE,        /* the library exists, is complete and is for this architecture */
    TERN_STAGE_LOAD,        /* the dynamic linker loads it */
    TERN_STAGE_QUERY,       /* it speaks this ABI */
    TERN_STAGE_OPEN,        /* its devices open */
    TERN_STAGE_READY
} tern_load_stage;

/* "manifest", "permissions", "file", "load", "query", "open", "ready"; never NULL. */
TERN_API const char *tern_load_stage_name(tern_load_stage stage);

/* What is known of a device. */
typedef enum tern_device_state {
    TERN_STATE_UNKNOWN,     /* TERN_DEVICE names it, but no plugin provides it */
    TERN_STATE_UNAVAILABLE, /* a plugin provides it, but it cannot be used: see the reason */
    TERN_STATE_NOT_PROBED,  /* no problem is known; its driver was not opened */
    TERN_STATE_READY        /* it was opened */
} tern_device_state;

/* "unknown", "unavailable", "not probed", "ready"; never NULL. */
TERN_API const char *tern_device_state_name(tern_device_state state);

/* A folder of manifests. */
typedef struct tern_search_entry {
    const char *path;
    const char *origin;  /* "TERN_PLUGIN_PATH", "user", "system", "library", "built in" */
    bool found;          /* the folder exists and was read */
    const char *message; /* why not */
} tern_search_entry;

/* A manifest and its library. */
typedef struct tern_plugin_entry {
    const char *manifest; /* path */
    const char *library;  /* real path, or the expected one; "" if the manifest is invalid */
    const char *device;   /* "" of a host library, and of an invalid manifest */
    const char *variant;
    tern_load_stage stage;
    bool ok; /* it works, even if another variant was chosen */
    /* TERN_OK; TERN_ERR_NOT_FOUND: not installed, or no such hardware; TERN_ERR_UNSUPPORTED: not
     * for this machine; TERN_ERR_STATE: another was chosen; the others: broken. */
    tern_status code;
    const char *message; /* what is wrong and what to do, including the dynamic linker's message */
    const char *arch;    /* the machine that it is for; "" is any, and of an invalid manifest */
    const char *needs;   /* CPU features, separated by spaces */
    const char *host;    /* the name of a library for host operations; "" of a device */
    int abi, priority;   /* the plugin ABI's major number; the greatest priority is preferred */
} tern_plugin_entry;

/* A device of the report. */
typedef struct tern_device_entry {
    const char *name;    /* as in a device string: "cuda:1"; "cuda" while not probed */
    const char *plugin;  /* the backend's name */
    const char *variant; /* which of its libraries: "avx2"; "" if there is only one */
    tern_device_state state;
    const char *reason;   /* why it is not available; the hardware's name once it is ready */
    const char *identity; /* UUID or PCI address, once probed */
    uint64_t memory;      /* bytes, once probed; 0 is unknown */
    bool is_default;      /* what tern_open(NULL) opens */
} tern_device_entry;

typedef struct tern_load_report tern_load_report;

/*
 * Looks for plugins. With `probe_ms` 0 no library is loaded and no driver started. Otherwise each
 * usable plugin is opened in a helper process of its own (tern-probe) with that many milliseconds:
 * a plugin that crashes or hangs becomes a line of the report. Plugins that this process has
 * already failed to open are included. NULL if memory is exhausted. Thread safe.
 */
TERN_API tern_load_report *tern_load_report_new(int probe_ms);

/* The same of one manifest alone, by its path: what it says, and whether its plugin could be used here. No folder is
 * searched, and the default device is not looked for. */
TERN_API tern_load_report *tern_load_report_of(const char *manifest, int probe_ms);

/* NULL is allowed. */
TERN_API void tern_load_report_free(tern_load_report *report);

/* False if no device can be used, or a plugin is broken (not merely missing or unsuitable). */
TERN_API bool tern_load_report_ok(const tern_load_report *report);

/* The tables, in the order of search or of preference; NULL if the index is out of range. */
TERN_API size_t tern_load_report_search_count(const tern_load_report *report);

/* The index-th folder that was searched. */
TERN_API const tern_search_entry *tern_load_report_search_at(const tern_load_report *report,
                                                             size_t index);

/* The number of plugins found. */
TERN_API size_t tern_load_report_plugin_count(const tern_load_report *report);

/* The index-th plugin. */
TERN_API const tern_plugin_entry *tern_load_report_plugin_at(const tern_load_report *report,
                                                             size_t index);

/* The number of devices. */
TERN_API size_t tern_load_report_device_count(const tern_load_report *report);

/* The index-th device. */
TERN_API const tern_device_entry *tern_load_report_device_at(const tern_load_report *report,
                                                             size_t index);

/* What the helper process runs: opens the plugin of a manifest and all its devices, and passes
 * lines of output for the parent process to `line`. */
typedef void (*tern_probe_line_fn)(void *user, const char *line);

/* Probes one plugin; `line` is called with `user` for every line. */
TERN_API tern_status tern_probe_plugin(const char *manifest, tern_probe_line_fn line, void *user);

#ifdef __cplusplus
}
#endif

#endif
