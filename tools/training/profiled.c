#include "profiled.h"

#include "tern/context.h"
#include "tern/profile.h"

#include <stdio.h>

int profiled_begin(const verb *v, const char *path) {
    if (path && tern_profile_begin(path) != TERN_OK)
        return wrong_usage(v, "--profile: a path of 1 to 4000 characters is needed");
    return EXIT_OK;
}

int profiled_end(const verb *v, tern_ctx *ctx, const char *path, const common_options *common,
                 int status) {
    if (!path || status != EXIT_OK) return status;
    if (tern_profile_end(ctx) != TERN_OK) return work_failed(v, "%s", tern_error(ctx));
    if (!common->quiet)
        fprintf(common->json ? stderr : stdout,
                "the profile is in %s: open it at ui.perfetto.dev; tables are in the .txt beside "
                "it\n",
                path);
    return EXIT_OK;
}
