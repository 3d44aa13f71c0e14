/*
 * vectors_file.h: reading a file of conformance vectors ("tern-vectors 1": safetensors with the cases
 * as JSON in the metadata).
 */
#ifndef TERN_TOOLS_VECTORS_FILE_H
#define TERN_TOOLS_VECTORS_FILE_H

#include "tern/value.h"

/* A tensor as the file holds it: row-major little-endian elements, valid as long as the file is. */
typedef struct stored_tensor {
    tern_dtype dtype;
    tern_shape shape;
    const void *data;
    size_t bytes;
} stored_tensor;

typedef struct vectors_file vectors_file;

/* Reads a file into the open scope, which owns it. NULL after latching an error that names the file. */
vectors_file *vectors_open(tern_ctx *ctx, const char *path);

/* The subject as PyTorch spells it ("nn.functional.conv2d"), and the list of cases. */
const char *vectors_name(const vectors_file *file);
tern_value vectors_cases(const vectors_file *file);

/* Finds "@7/input" (the @ may be left out); false after latching an error where it is absent or of a
 * dtype that Tern has not. */
bool vectors_tensor(const vectors_file *file, const char *reference, stored_tensor *out_tensor);

/* Elements as a tensor on the context's device, with these strides and an offset over a storage whose other
 * elements hold NaN or large numbers, so that a kernel that ignores strides is seen. Nil after latching an
 * error. No size may be 0. */
tern_tensor *stored_upload(tern_ctx *ctx, const stored_tensor *stored, const tern_shape *strides,
                           int64_t offset);

/* A tensor of the file on the context's device, laid out with the strides of `layout` (a list of
 * integers; none is row-major). Nil after latching an error. */
tern_tensor *vectors_upload(const vectors_file *file, const char *reference, tern_value layout);

#endif
