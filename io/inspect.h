/*
 * inspect.h: what is in a file, told without making tensors, so that also what Tern cannot compute
 * with (complex numbers, float8) is told.
 */
#ifndef TERN_IO_INSPECT_H
#define TERN_IO_INSPECT_H

#include "inspection.h"

/* tern_file_inspect of a file's bytes; `mapping` is what they lie in, or NULL. */
tern_value tern_inspect_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size,
                             const tern_mapping *mapping);

/* A plugin's manifest, by its extension. */
bool tern_is_manifest(const char *path);
tern_value tern_manifest_inspect(tern_ctx *ctx, const char *path);

/* The formats; false after latching an error. */
bool tern_pth_inspect(tern_inspection *inspection, const char *path, const unsigned char *bytes,
                      size_t size, uint64_t most_unpacked);

#endif
