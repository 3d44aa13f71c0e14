/* pth_file.h: a file of torch.save, opened: its pickle as a tree, and where its storages lie. */
#ifndef TERN_IO_PTH_FILE_H
#define TERN_IO_PTH_FILE_H

#include "pickle_reader.h"
#include "pth_storage.h"
#include "zip_reader.h"

typedef struct tern_pth_file {
    tern_ctx *ctx;
    const char *path; /* for messages */
    tern_pickle_reader pickles;
    tern_zip zip;
    tern_pth_storages storages;
    tern_pnode *root;
    size_t pickle_length;
} tern_pth_file;

/* Opens an archive, or the stream of PyTorch before 1.6; `mapping` is NULL, or the one that the bytes
 * lie in. The bytes must live as long; tern_pth_close
 * is fine after a failure too. */
tern_status tern_pth_open(tern_pth_file *file, tern_ctx *ctx, const char *path,
                          const unsigned char *bytes, size_t size, tern_mapping *mapping);
void tern_pth_close(tern_pth_file *file);

#endif
