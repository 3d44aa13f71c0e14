/* gzip.h: what a gzip file holds (RFC 1952), in memory. */
#ifndef TERN_IO_GZIP_H
#define TERN_IO_GZIP_H

#include "tern/context.h"

/* Whether the bytes begin as a gzip file does. */
bool tern_is_gzip(const unsigned char *bytes, size_t size);

/*
 * Unpacks members one after the other, as gunzip does, until their end or until `most` bytes are
 * there: then the rest is not looked at. The block is the allocation seam's, with a zero byte behind
 * the content; it grows with what is unpacked. Latches with the path; checksums are verified.
 */
tern_status tern_gunzip(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                        size_t most, unsigned char **out_bytes, size_t *out_size);

#endif
