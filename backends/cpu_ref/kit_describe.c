/*
 * kit_describe.c: what every backend answers when it is loaded, those included that have none of the kit's kernels.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kit.h"

#if defined(__clang__)
#define BUILD_ID "clang " __clang_version__
#elif defined(__GNUC__)
#define BUILD_ID "gcc " __VERSION__
#else
#define BUILD_ID "an unknown compiler"
#endif

int32_t tern_kit_fail(tern_backend_error *err, int32_t status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return status;
}

int32_t tern_kit_describe(uint32_t host_abi, const tern_backend_desc *desc,
                          tern_backend_desc *out_desc, tern_backend_error *err) {
    if (host_abi != TERN_BACKEND_ABI) {
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "%s was built for plugin ABI %d.%d, the host has %" PRIu32 ".%" PRIu32
                             ": build it against the installed headers",
                             desc->name, TERN_BACKEND_ABI_MAJOR, TERN_BACKEND_ABI_MINOR,
                             host_abi >> 16, host_abi & 0xffffu);
    }
    tern_backend_desc full = *desc;
    uint32_t known = out_desc->struct_size;
    full.struct_size = known < sizeof full ? known : (uint32_t)sizeof full;
    full.abi = TERN_BACKEND_ABI;
    if (!full.build_id) full.build_id = BUILD_ID;
    full.sanitizers = TERN_BACKEND_SANITIZERS;
    memcpy(out_desc, &full, full.struct_size);
    return TERN_BACKEND_OK;
}

void tern_kit_device_info_give(const tern_device_info *full, tern_device_info *out_info) {
    uint32_t known = out_info->struct_size;
    if (known > sizeof *full) known = (uint32_t)sizeof *full;
    memcpy(out_info, full, known);
    out_info->struct_size = known;
}
