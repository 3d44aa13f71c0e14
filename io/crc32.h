/* crc32.h: the checksum of zip archives (the polynomial of IEEE 802.3). */
#ifndef TERN_IO_CRC32_H
#define TERN_IO_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from the checksum of what came before, which is 0 at first. By carry-less products where the
 * CPU has them (x86-64), else by zlib. */
uint32_t tern_crc32(uint32_t crc, const void *data, size_t bytes);

#endif
