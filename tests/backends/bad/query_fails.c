/* Wrong: refuses the host, and says why. */
#define PLUGIN_OWN_QUERY
#include "plugin.h"

int32_t tern_backend_query(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,
                           tern_backend_error *err) {
    (void)host_abi, (void)host;
    plugin_describe(out_desc);
    snprintf(err->message, sizeof err->message, "the moon is in the wrong phase");
    return TERN_BACKEND_UNSUPPORTED;
}
