/*
 * host.h: what plugins get from the core.
 */
#ifndef TERN_CORE_PLUGIN_HOST_H
#define TERN_CORE_PLUGIN_HOST_H

#include "tern/backend.h"

/*
 * Sizes the pool of threads (pool.h) by TERN_NUM_THREADS, from 1 to TERN_MAX_THREADS. Unset or empty
 * is the number of CPUs that this process may use. A wrong value is no error: a warning says what is
 * used instead, 1 for 0, the most for too many, and the CPUs for what is no number.
 */
void tern_host_configure(void);

/* The table that every plugin gets; it lives as long as the process. */
const tern_host *tern_host_table(void);

#endif
