/* alloc.h: what the core knows of the allocation seam beyond tern/memory.h. */
#ifndef TERN_CORE_ALLOC_H
#define TERN_CORE_ALLOC_H

#include "tern/memory.h"

/* Calls of the seam so far, for tern_stats. */
uint64_t tern_alloc_count(void);

#endif
