/* profiled.h: --profile FILE of the commands that train. */
#ifndef TERN_TOOLS_PROFILED_H
#define TERN_TOOLS_PROFILED_H

#include "options.h"

#include "tern/base.h"

/* Before the first device is opened; `path` may be NULL: nothing is profiled. The exit status. */
int profiled_begin(const verb *v, const char *path);

/* Writes the profile, and says where it is; takes the exit status so far, and returns the one now. */
int profiled_end(const verb *v, tern_ctx *ctx, const char *path, const common_options *common,
                 int status);

#endif
