/*
 * safetensors.h: tensors by name in one file.
 *
 *     u64 N | N bytes of JSON, padded with spaces | data
 *     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
 *      "__metadata__": {text: text}}
 *
 * The reader is as strict as the format's own: the data are covered whole and once, sizes agree with
 * shapes, white space may stand around the JSON and null for the metadata; and stricter: no name is
 * there twice.
 */
#ifndef TERN_IO_SAFETENSORS_H
#define TERN_IO_SAFETENSORS_H

#include "file.h"
#include "mapping.h"
#include "tern/io.h"

/* The dtypes that the format knows, in its own order. */
typedef struct tern_st_dtype {
    const char *name;
    int bits;
    tern_dtype dtype;       /* TERN_DTYPE_DEFAULT: Tern does not have it */
    const char *torch_name; /* PyTorch's, or the format's where that has none */
} tern_st_dtype;

extern const tern_st_dtype tern_st_dtypes[];
extern const size_t tern_st_n_dtypes;

/* Whether the bytes begin as such a file does: a plausible length, and an object behind it. */
bool tern_is_safetensors(const unsigned char *bytes, size_t size);

/* The dtype of a name; NULL where there is none. */
const tern_st_dtype *tern_st_dtype_of(const char *name);

/* An index over bytes, which it takes over (they are the seam's), also on failure. */
tern_safetensors *tern_safetensors_over(tern_ctx *ctx, const char *path, unsigned char *bytes,
                                        size_t size);

/* An index over bytes that somebody else keeps for as long. */
tern_safetensors *tern_safetensors_lent(tern_ctx *ctx, const char *path, unsigned char *bytes,
                                        size_t size);

/* An index over a mapped file, of which it keeps a reference. Tensors are made over its pages. */
tern_safetensors *tern_safetensors_map(tern_ctx *ctx, const char *path, tern_mapping *mapping);

/* All entries as a dict of tensors, with the metadata as attribute. */
tern_value tern_safetensors_value(const tern_safetensors *file);

/* Writes a dict of tensors. */
tern_status tern_safetensors_write(tern_ctx *ctx, tern_value tensors, tern_sink *sink);

#endif
