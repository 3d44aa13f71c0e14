/*
 * static_backends.h: the table of a static build, generated from plugins.d by
 * static_backends.cmake.
 *
 * The manifests are the same text as in a shared build, so both list the same devices; only the
 * library is found by name in this table instead of in a file.
 */
#ifndef TERN_CORE_PLUGIN_STATIC_BACKENDS_H
#define TERN_CORE_PLUGIN_STATIC_BACKENDS_H

#include "tern/backend.h"

typedef struct tern_static_backend {
    const char *name;            /* of the manifest: "cpu_fast.tern" */
    const char *manifest;        /* its text */
    tern_backend_query_fn query; /* NULL where the backend is known, but was not linked in */
} tern_static_backend;

/* Ends with an entry whose name is NULL. */
extern const tern_static_backend tern_static_backends[];

#endif
