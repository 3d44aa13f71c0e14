/*
 * pth_storage.h: the storages of a .pth file while it is read: where their bytes lie and the tensors
 * that were made over them.
 */
#ifndef TERN_IO_PTH_STORAGE_H
#define TERN_IO_PTH_STORAGE_H

#include "pickle_reader.h"
#include "pth_globals.h"
#include "tern/tensor.h"
#include "zip_reader.h"

typedef struct tern_pth_storage {
    tern_dtype dtype; /* TERN_DTYPE_DEFAULT until a tensor over an untyped storage tells */
    const unsigned char *data;
    uint64_t bytes;
    tern_tensor *base; /* the first tensor made over it */
} tern_pth_storage;

typedef struct tern_pth_storages {
    tern_ctx *ctx;
    const char *path;
    tern_zip *zip; /* NULL for the stream of old versions */
    const char *root;
    size_t root_length;
    tern_value by_key; /* key -> index */
    tern_pth_storage *items;
    size_t count, capacity;
} tern_pth_storages;

/* The storage that a persistent id names; NULL after latching an error. In an archive its bytes are
 * found and checked; in a stream tern_pth_place_storages has done so before. */
tern_pth_storage *tern_pth_find_storage(tern_pth_storages *all, const tern_pnode *stored);

/* Old streams: the list of keys, and behind it each storage's count and bytes, up to the end. */
tern_status tern_pth_place_storages(tern_pth_storages *all, const tern_pickle_reader *reader,
                                    const tern_pnode *keys, const unsigned char *bytes,
                                    size_t size);

/* A tensor over a storage. Every bound is checked. Nil after latching an error. */
tern_tensor *tern_pth_tensor(tern_pth_storages *all, tern_pth_storage *storage, tern_dtype dtype,
                             int64_t offset, const tern_pnode *sizes, const tern_pnode *strides);

void tern_pth_storages_free(tern_pth_storages *all);

#endif
