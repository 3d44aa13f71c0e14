/*
 * discovery.h: the plugins that there are, judged from their manifests and files alone.
 *
 * Nothing is loaded here. Every manifest becomes a candidate and keeps how far it came and why; for
 * each device one candidate is chosen: the library of a (device, variant) that comes first in the
 * search order and is sound, then the variant of the highest priority whose CPU features are there.
 */
#ifndef TERN_CORE_PLUGIN_DISCOVERY_H
#define TERN_CORE_PLUGIN_DISCOVERY_H

#include "manifest.h"
#include "search.h"
#include "tern/backend.h"
#include "tern/device.h"

typedef struct tern_candidate {
    char manifest_path[TERN_PATH_SIZE];
    char library_path[TERN_PATH_SIZE]; /* where it should be, before it is found */
    tern_manifest manifest;
    tern_trusted manifest_file;
    tern_trusted library;        /* all zero in a static build */
    tern_backend_query_fn query; /* of a static build, else NULL */
    bool parsed;                 /* `manifest` counts */
    bool sound;                  /* nothing speaks against loading it */
    bool chosen;                 /* the one that its device string opens */
    tern_load_stage stage;
    tern_status code;
    char message[TERN_FAULT_SIZE];
} tern_candidate;

typedef struct tern_discovery {
    tern_search search;
    tern_candidate **items; /* in the order of search; each owned */
    size_t count;
    size_t capacity;
    bool variant_missing; /* TERN_CPU_VARIANT names none that can be used: "cpu" and "auto" then do
                             not stand for another of the CPU's devices */
} tern_discovery;

/* Looks for plugins; an error only where memory is out. */
tern_status tern_discovery_new(tern_discovery **out_discovery, tern_fault *fault);
void tern_discovery_free(tern_discovery *discovery);

/* A discovery of one manifest, by its path (its name in a static build). */
tern_status tern_discovery_of(const char *manifest, tern_discovery **out_discovery,
                              tern_fault *fault);

/*
 * The chosen candidates that `name` stands for ("cpu" for itself and for all "cpu_..."; NULL for
 * every device), the most preferred first. Returns how many; `out_candidates` holds at least
 * `count` pointers.
 */
size_t tern_discovery_rank(const tern_discovery *discovery, const char *name,
                           tern_candidate **out_candidates);

/* Whether `name` (NULL for any device, "auto") may stand for a candidate's device. */
bool tern_discovery_stands(const tern_discovery *discovery, const tern_candidate *candidate,
                           const char *name);

/* Whether a device string's name stands for a manifest's device. */
bool tern_device_in_family(const char *device, const char *name);

/* The candidate that says most about a device: the one chosen, else the first that names it. */
const tern_candidate *tern_discovery_speaker(const tern_discovery *discovery, const char *device);

/* A device's full name: "cuda:1"; the CPU's first device has no index. */
void tern_device_full_name(const char *device, int32_t index, char *out_name, size_t size);

/* Sets the error for a name that stands for no chosen candidate: unknown, or why it is not
 * available. */
tern_status tern_discovery_explain(const tern_discovery *discovery, const char *name,
                                   tern_fault *fault);

/* Records a failure at a stage. */
void tern_candidate_fail(tern_candidate *candidate, tern_load_stage stage, const tern_fault *fault);

/* Whether a code means a plugin that is broken, rather than absent, unsuitable or not chosen. */
bool tern_code_is_broken(tern_status code);

#endif
