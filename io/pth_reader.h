/* pth_reader.h: turns the tree of a .pth file's pickle into values. */
#ifndef TERN_IO_PTH_READER_H
#define TERN_IO_PTH_READER_H

#include "pth_file.h"

typedef struct tern_pth_reader {
    tern_ctx *ctx;
    const char *path;
    tern_pth_storages *storages;
    uint64_t weight, weight_limit;
    int depth;
    bool failed;
    char place[256]; /* where in the value: "optimizer.state.0" */
    size_t place_length;
} tern_pth_reader;

void tern_pth_reader_init(tern_pth_reader *reader, tern_pth_file *file);

/* The value of a node of the file's tree; none after latching an error, and `failed` is set. */
tern_value tern_pth_convert(tern_pth_reader *reader, tern_pnode *node);

/* The items of a node as those of a set: a list. */
tern_value tern_pth_set(tern_pth_reader *reader, tern_pnode *node);

/* Whether Python would take a value as a dict's key: text, number, None, dtype, or a tuple of them. */
bool tern_pth_is_key(tern_value value);

#endif
