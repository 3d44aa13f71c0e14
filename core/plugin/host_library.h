/*
 * host_library.h: the process's library of factorisations for the host operations (tern/host_library.h).
 */
#ifndef TERN_CORE_PLUGIN_HOST_LIBRARY_H
#define TERN_CORE_PLUGIN_HOST_LIBRARY_H

#include "discovery.h"
#include "tern/host_library.h"

/*
 * The library that TERN_HOST_LIBRARY names, unset the best that plugins.d has; loaded by the first call in
 * the process, which also reads the variable. *out_library is NULL where there is none, it is "off", or the
 * library cannot be used, which a warning says: the plain functions compute then. An error only where
 * memory is out; the next call tries again.
 */
TERN_API tern_status tern_host_library_get(const tern_host_library **out_library,
                                           tern_fault *fault);

/* Its name, "plain" where the plain functions compute, "" before it was looked for. */
const char *tern_host_library_name(void);

/* Maps a candidate's library and finds its entry point. It is never unmapped: libraries of numerics keep threads. */
tern_status tern_host_library_load(const tern_candidate *candidate,
                                   tern_host_library_query_fn *out_query, tern_fault *fault);

/* Asks for its table, cut or zero-padded to the size that this core knows, and checks it. */
tern_status tern_host_library_ask(tern_host_library_query_fn query, const tern_manifest *manifest,
                                  tern_host_library *out_library, tern_fault *fault);

/* For tests: the next call of tern_host_library_get looks again. No operation may be running. */
void tern_host_library_forget(void);

/* Puts what this process met when it opened its library into a discovery's candidate. */
void tern_host_library_apply(tern_discovery *discovery);

#endif
