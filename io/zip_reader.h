/*
 * zip_reader.h: a strict reader of zip archives held in memory.
 *
 * Sources: PKWARE APPNOTE 6.3.10 for the layout; what torch.save writes is a subset of it.
 *
 *     local header, name, extra, data [, data descriptor]      once per member
 *     central directory                                        one entry per member
 *     [zip64 end record, zip64 locator,] end record
 *
 * Accepted: one disk, members stored or deflated, zip64. The directory rules; each local header must
 * agree with it. Members may not overlap, names are unique, and a member that unpacks to far more than
 * the file holds is refused. Checksums are verified, but in an archive where all are 0: then none were
 * computed (torch.serialization.set_crc32_options(False)). Bytes behind the end are passed over, as far
 * as Python's zipfile and PyTorch look for the end.
 */
#ifndef TERN_IO_ZIP_READER_H
#define TERN_IO_ZIP_READER_H

#include "mapping.h"
#include "tern/context.h"

typedef struct tern_zip_member {
    const char *name; /* not terminated */
    size_t name_length;
    uint64_t header, data; /* offsets in the file */
    uint64_t packed, size; /* bytes in the file and unpacked */
    uint32_t crc;
    uint16_t method, flags;
    unsigned char *unpacked; /* the seam's; NULL until read, and for stored members */
    bool verified;
} tern_zip_member;

typedef struct tern_zip {
    tern_ctx *ctx;
    const char *path; /* for messages */
    const unsigned char *bytes;
    size_t size;
    tern_zip_member *members; /* by name */
    size_t count;
    bool no_checksums; /* all are 0 */
    size_t behind;     /* bytes behind the end record and its comment */
    uint64_t unpacked; /* bytes that deflated members take now */
    uint64_t most; /* what they may take together; without a bound, but what is set after opening */
    const tern_mapping
        *forgets; /* pages that are let go behind a checksum; NULL, or set after opening */
    uint32_t
        ratio; /* how many times its size a member may unpack to: 256, or as set after opening */
} tern_zip;

/* Reads the directory. The bytes must live as long as the archive; tern_zip_close is fine after a
 * failure too. */
tern_status tern_zip_open(tern_zip *zip, tern_ctx *ctx, const char *path,
                          const unsigned char *bytes, size_t size);
void tern_zip_close(tern_zip *zip);

/* NULL where there is no such member. */
tern_zip_member *tern_zip_find(tern_zip *zip, const char *name, size_t length);

/* A member's content, checked; it lives as long as the archive (and its bytes). */
tern_status tern_zip_read(tern_zip *zip, tern_zip_member *member, const unsigned char **out_data);

/* The same without its checksum where it is stored: no byte of it is touched. */
tern_status tern_zip_place(tern_zip *zip, tern_zip_member *member, const unsigned char **out_data);

/* Gives back what a member was unpacked to. */
void tern_zip_forget(tern_zip *zip, tern_zip_member *member);

#endif
