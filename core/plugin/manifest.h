/*
 * manifest.h: what a file `NAME.tern` in plugins.d says about a plugin, before anything is loaded.
 *
 *     # a comment has a line of its own
 *     device   = cpu_fast             what a device string names; required, or
 *     host     = lapack               the name of a library for host operations (tern/host_library.h)
 *     variant  = avx2                 tells several libraries for one device apart
 *     library  = ../libcpu_fast.so    relative to the manifest; required
 *     abi      = 0                    major number of the plugin ABI; required
 *     arch     = x86_64               machine of the library; any where absent
 *     requires = avx2 fma             CPU features, as /proc/cpuinfo spells them
 *     priority = 20                   "auto", and the choice of a variant, prefer the greatest
 *
 * Keys and values are printable ASCII. An unknown key is a warning; anything else that is not as
 * above is an error that names the line.
 */
#ifndef TERN_CORE_PLUGIN_MANIFEST_H
#define TERN_CORE_PLUGIN_MANIFEST_H

#include "core/ground/fault.h"

#define TERN_MANIFEST_MAX_BYTES 16384
#define TERN_MANIFEST_MAX_LINE  512
#define TERN_MANIFEST_MAX_VALUE 256
#define TERN_MANIFEST_NAME_SIZE 32 /* of a device, variant, arch or CPU feature, with its zero */
#define TERN_MANIFEST_FEATURES  16
#define TERN_MANIFEST_PRIORITY  1000 /* the largest, and -1000 the smallest */

typedef struct tern_manifest {
    char device[TERN_MANIFEST_NAME_SIZE];  /* "" of a library for host operations */
    char host[TERN_MANIFEST_NAME_SIZE];    /* "" of a device */
    char variant[TERN_MANIFEST_NAME_SIZE]; /* "" where there is one library only */
    char library[TERN_MANIFEST_MAX_VALUE];
    char arch[TERN_MANIFEST_NAME_SIZE]; /* "" is any */
    char features[TERN_MANIFEST_FEATURES][TERN_MANIFEST_NAME_SIZE];
    int feature_count;
    int abi;
    int priority;
    char warning[160]; /* the first unknown key; "" where there is none */
} tern_manifest;

/*
 * Reads a manifest; `name` is what its messages call it. On failure (TERN_ERR_FORMAT)
 * `out_manifest` is all zero. The text needs no final zero.
 */
tern_status tern_manifest_parse(const char *name, const char *text, size_t length,
                                tern_manifest *out_manifest, tern_fault *fault);

#endif
