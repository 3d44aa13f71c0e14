/*
 * pth_storage.h: the storages of a .pth file while it is read: where their bytes lie and the tensors
 * that were made over them.
 */
#ifndef TERN_IO_PTH_STORAGE_H
#define TERN_IO_PTH_STORAGE_H

#include "mapping.h"
#include "pickle_reader.h"
#include "pth_globals.h"
#include "tern/tensor.h"
#include "zip_reader.h"

typedef struct tern_pth_storage {
    tern_pth_type type; /* without a name until a tensor over an untyped storage tells */
    const unsigned char *data;
    uint64_t bytes;
    bool mapped;       /* `data` lies in the mapping */
    tern_tensor *base; /* the first tensor made over it */
} tern_pth_storage;

typedef struct tern_pth_storages {
    tern_ctx *ctx;
    const char *path;
    tern_mapping *mapping; /* NULL where the file was read */
    tern_zip *zip;         /* NULL for the stream of old versions */
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

/* A tensor as a file describes it: which elements of a storage it has. */
typedef struct tern_pth_array {
    tern_pth_storage *storage;
    tern_pth_type type;
    tern_shape sizes, strides; /* strides and offset in elements */
    int64_t offset;
    uint64_t numel;
    bool requires_grad;
} tern_pth_array;

/* The tensor that the arguments of _rebuild_tensor (version 1), _v2 or _v3 describe, which
 * tern_pth_call_fault has passed. Every bound is checked; its dtype may be one that Tern does not have. False after latching an error. */
bool tern_pth_array_of(tern_pth_storages *all, const tern_pnode *arguments, int version,
                       tern_pth_array *out_array);

/* The tensor itself; tensors over one storage share it. Nil after latching an error. */
tern_tensor *tern_pth_tensor(tern_pth_storages *all, const tern_pth_array *array);

void tern_pth_storages_free(tern_pth_storages *all);

#endif
