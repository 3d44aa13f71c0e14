/*
 * zip_writer.h: writes the zip archive that torch.save writes (PyTorch 2.15), byte for byte.
 *
 * Members are stored, their data aligned to 64 bytes by an extra field, their checksums in data
 * descriptors behind them; the end is always in the 64-bit form.
 */
#ifndef TERN_IO_ZIP_WRITER_H
#define TERN_IO_ZIP_WRITER_H

#include "file.h"

typedef struct tern_zip_record {
    uint64_t name; /* offset in the writer's names */
    uint32_t name_length, crc;
    uint64_t header, size;
} tern_zip_record;

typedef struct tern_zip_writer {
    tern_ctx *ctx;
    tern_sink *sink;
    const char *root; /* the folder all members lie in; NULL: none, and no serialization id */
    tern_zip_record *records;
    size_t count, capacity;
    tern_sink names; /* full names, one behind the other */
} tern_zip_writer;

void tern_zip_writer_init(tern_zip_writer *zip, tern_ctx *ctx, tern_sink *sink, const char *root);

/* Adds the member ROOT/name; both together are shorter than 4400 bytes. */
tern_status tern_zip_add(tern_zip_writer *zip, const char *name, const void *data, uint64_t size);

/* Adds .data/serialization_id, then writes the directory. Frees what the writer holds in any case;
 * the sink stays open. Returns the first failure. */
tern_status tern_zip_writer_end(tern_zip_writer *zip);

#endif
