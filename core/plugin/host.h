/*
 * host.h: what plugins get from the core.
 */
#ifndef TERN_CORE_PLUGIN_HOST_H
#define TERN_CORE_PLUGIN_HOST_H

#include "core/ground/fault.h"
#include "tern/backend.h"

#define TERN_MAX_THREADS 1024

/* Reads TERN_NUM_THREADS; TERN_ERR_ARGUMENT where it is no number from 1 to TERN_MAX_THREADS.
 * Unset or empty is the number of CPUs that this process may use. */
tern_status tern_host_configure(tern_fault *fault);

/* The table that every plugin gets; it lives as long as the process. */
const tern_host *tern_host_table(void);

#endif
