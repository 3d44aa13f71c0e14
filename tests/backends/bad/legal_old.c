/* Legal: a descriptor that ends earlier, as an older one may; what follows must count as absent. */
#define PLUGIN_NAME "legal_old"
#define PLUGIN_OPEN old_open
#define PLUGIN_OWN_QUERY
#include "plugin.h"

static int32_t old_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    (void)index, (void)err;
    return plugin_open_with(&plugin_vtable, out_device);
}

static void never(void) {
    abort();
}

int32_t tern_backend_query(uint32_t host_abi, const tern_host *host, tern_backend_desc *out_desc,
                           tern_backend_error *err) {
    (void)host_abi, (void)host, (void)err;
    plugin_describe(out_desc);
    out_desc->shutdown = never; /* beyond the size below: the core must not see it */
    out_desc->struct_size = offsetof(tern_backend_desc, shutdown);
    return TERN_BACKEND_OK;
}
