/*
 * attempts.h: what this process already met when it opened plugins, for the load report.
 */
#ifndef TERN_CORE_PLUGIN_ATTEMPTS_H
#define TERN_CORE_PLUGIN_ATTEMPTS_H

#include "discovery.h"

/* Puts the last failure of each library that this process tried into a discovery's candidates. */
void tern_attempts_apply(tern_discovery *discovery);

#endif
