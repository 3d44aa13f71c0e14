/*
 * fault.h: an error on its way to a context.
 *
 * Code that runs before a context exists (finding plugins), or without one (parsers), fills in a
 * fault; whoever has the context latches it (tern_latch_fault). One line, no newline.
 */
#ifndef TERN_CORE_FAULT_H
#define TERN_CORE_FAULT_H

#include "tern/base.h"

#define TERN_FAULT_SIZE 1024

typedef struct tern_fault {
    tern_status status;
    char message[TERN_FAULT_SIZE];
} tern_fault;

/* Keeps the first error. Returns the fault's status. A message that is too long is cut and ends in
 * "...". */
tern_status tern_fault_set(tern_fault *fault, tern_status status, const char *format, ...)
    TERN_PRINTF(3, 4);

#endif
