/*
 * npy.h: numpy's .npy, one array in a file (NEP 1; numpy/lib/format.py), and .npz, a zip archive of
 * them.
 *
 *     93 'NUMPY' | major minor | u16 (version 1) or u32 length | header | data
 *     header: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } spaces newline
 */
#ifndef TERN_IO_NPY_H
#define TERN_IO_NPY_H

#include "file.h"
#include "mapping.h"
#include "tern/tensor.h"
#include "tern/value.h"
#include "zip_reader.h"

typedef struct tern_npy_header {
    const char *dtype_name; /* PyTorch's: "float32", "uint16", "complex64" */
    tern_dtype dtype;       /* TERN_DTYPE_DEFAULT where Tern has no such dtype */
    uint32_t element, unit; /* bytes of an element, and of the number in it */
    bool swapped;           /* big endian */
    bool fortran;           /* column-major */
    tern_shape shape;
    uint64_t numel;
    size_t data; /* where it begins: it reaches exactly to the end of the bytes */
} tern_npy_header;

/* Parses and checks a whole file's header; `path` is for messages. */
tern_status tern_npy_parse(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size,
                           tern_npy_header *out_header);

/* Whether the bytes begin as a .npy file does. */
bool tern_is_npy(const unsigned char *bytes, size_t size);

/* Strides in elements, row-major or column-major. */
void tern_npy_strides(const tern_npy_header *header, tern_shape *out_strides);

/* The header that numpy writes for a contiguous array; returns its length, at most
 * TERN_NPY_HEADER. NULL and 0 for a dtype that numpy does not have. */
#define TERN_NPY_HEADER 640
size_t tern_npy_format(tern_dtype dtype, const tern_shape *shape, unsigned char *out_bytes);

/* The array of a file's bytes. Nil after latching an error. */
tern_tensor *tern_npy_read(tern_ctx *ctx, const char *path, const unsigned char *bytes,
                           size_t size);
tern_tensor *tern_npy_map(tern_ctx *ctx, const char *path, tern_mapping *mapping);

/* A tensor, row-major; `sink` keeps the first failure. */
tern_status tern_npy_write(tern_tensor *tensor, tern_sink *sink);

/* Whether the bytes begin as an archive of numpy's: its first member ends in ".npy", or there is
 * none. */
bool tern_is_npz(const unsigned char *bytes, size_t size);

/* Name -> tensor in the order of the archive. None after latching an error. */
tern_value tern_npz_read(tern_ctx *ctx, const char *path, const unsigned char *bytes, size_t size);

/*
 * Calls `visit` for each array of an open archive, in its order, with the bytes of a .npy file; `label` is
 * for messages. Ends where that returns another status than TERN_OK, and returns it.
 */
typedef tern_status (*tern_npz_visit)(void *user, const char *label, const char *name,
                                      size_t name_length, const unsigned char *bytes, size_t size);
tern_status tern_npz_walk(tern_zip *zip, tern_npz_visit visit, void *user);

/* A dict of tensors, members stored. */
tern_status tern_npz_write(tern_ctx *ctx, tern_value tensors, tern_sink *sink);

#endif
