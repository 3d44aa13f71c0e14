#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tern_status tern_fault_set(tern_fault *fault, tern_status status, const char *format, ...) {
    if (fault->status != TERN_OK) return fault->status;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(fault->message, sizeof fault->message, format, args);
    va_end(args);
    if (length >= (int)sizeof fault->message)
        memcpy(fault->message + sizeof fault->message - 4, "...", 4);
    fault->status = status;
    return status;
}
