/*
 * lasting.h: memory of scopes whose beginning outlives them (tern_scope_alloc_lasting).
 *
 * It comes in sizes of powers of two and is given out again, the oldest first and only when some
 * wait, to such calls alone, so that a module's mark is overwritten by nothing but another module. No
 * piece goes back to the system before the context is closed, however large it is.
 */
#ifndef TERN_CORE_LASTING_H
#define TERN_CORE_LASTING_H

#include "core/objects.h"

void tern_lasting_free(tern_ctx *ctx);

#endif
