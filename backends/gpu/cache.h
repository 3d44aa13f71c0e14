/*
 * cache.h: compiled programs on disk, so that a program starts without compiling what an earlier one did.
 *
 * A folder FAMILY lies in TERN_CACHE_DIR, else in $XDG_CACHE_HOME/tern, else in ~/.cache/tern. An entry's name
 * is the hash of everything that its contents depend on; the file repeats that, with a checksum, so that a
 * broken or foreign file is not taken. Files are written beside and renamed: two processes may share the
 * folder. Where the folder cannot be written nothing is kept, and nothing is wrong.
 */
#ifndef TERN_GPU_CACHE_H
#define TERN_GPU_CACHE_H

#include "tern/backend.h"

typedef struct gpu_cache_key {
    const char *family;
    const char *parts[3]; /* device and driver, options, source */
} gpu_cache_key;

/* What is kept under the key, the host's to free; NULL where there is nothing, or nothing sound. */
unsigned char *gpu_cache_load(const tern_host *host, const gpu_cache_key *key, size_t *out_size);

/* Keeps it. The oldest entries go where the folder has become larger than 256 MiB. */
void gpu_cache_store(const gpu_cache_key *key, const unsigned char *bytes, size_t size);

#endif
