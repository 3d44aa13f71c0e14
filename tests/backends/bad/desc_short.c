/* Wrong: a descriptor that ends before its functions. */
#define PLUGIN_OWN_QUERY
#include "plugin.h"

int32_t tern_backend_query(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,
                           tern_backend_error *err) {
    (void)host_abi, (void)host, (void)err;
    plugin_describe(out_desc);
    out_desc->struct_size = 16;
    return TERN_BACKEND_OK;
}
