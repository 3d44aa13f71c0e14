/* format.c: first bytes of files. */
#include "format.h"

#include <string.h>

#include "gguf_read.h"
#include "idx.h"
#include "npy.h"
#include "safetensors.h"

/* A zip archive's first bytes, or a pickle's that begins with the long magic number. */
static bool is_pth(const unsigned char *bytes, size_t size) {
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 ||
                         (bytes[0] == 0x80 && bytes[1] == 2 && bytes[2] == 0x8a));
}

tern_format tern_format_of(const unsigned char *bytes, size_t size) {
    if (tern_is_npy(bytes, size)) return TERN_FORMAT_NPY;
    if (tern_is_npz(bytes, size)) return TERN_FORMAT_NPZ;
    if (tern_is_gguf(bytes, size)) return TERN_FORMAT_GGUF;
    if (is_pth(bytes, size)) return TERN_FORMAT_PTH;
    if (tern_is_safetensors(bytes, size)) return TERN_FORMAT_SAFETENSORS;
    return tern_is_idx(bytes, size) ? TERN_FORMAT_IDX : TERN_FORMAT_UNKNOWN;
}

tern_status tern_format_fail(tern_ctx *ctx, const char *path, size_t size) {
    return tern_fail(ctx, TERN_ERR_FORMAT,
                     "%s: not a file of torch.save, safetensors, .npy, .npz, GGUF or IDX%s", path,
                     size == 0 ? ": it is empty" : "");
}
