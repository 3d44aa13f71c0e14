/*
 * pth.h: what torch.save writes and torch.load reads.
 *
 *     ROOT/data.pkl                the value as a pickle; a tensor is a call of _rebuild_tensor_v2
 *                                  with a storage named by key, an offset, sizes and strides
 *     ROOT/.format_version         "1"
 *     ROOT/.storage_alignment      "64"
 *     ROOT/byteorder               "little"
 *     ROOT/data/0, 1, ...          the storages, whole, in the order of their first use
 *     ROOT/version                 "3\n"
 *     ROOT/.data/serialization_id  40 digits
 */
#ifndef TERN_IO_PTH_H
#define TERN_IO_PTH_H

#include "file.h"
#include "mapping.h"
#include "tern/value.h"

/* ROOT for a path: its last part without the last extension; "archive" where torch.save says so
 * (a path that is not ASCII) and where nothing is left. `out_root` needs 4096 bytes. */
void tern_pth_root(const char *path, char *out_root);

/* Writes the archive to a sink. */
tern_status tern_pth_write(tern_ctx *ctx, tern_value value, const char *root, tern_sink *sink);

/* Reads an archive, or the stream of PyTorch before 1.6. None after latching an error. */
tern_value tern_pth_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size);

/* The same from a mapped file; storages that are stored and aligned are not copied. */
tern_value tern_pth_map(tern_ctx *ctx, const char *path, tern_mapping *mapping);

#endif
