/*
 * file.h: reading whole files, and sinks: where writers put bytes, a file replaced atomically or a
 * block of memory.
 */
#ifndef TERN_IO_FILE_H
#define TERN_IO_FILE_H

#include "tern/context.h"

/* False, and a latched error, where the path is NULL. */
bool tern_path_given(tern_ctx *ctx, const char *path);

/* Reads a regular file into a block of the allocation seam, with a zero byte behind it. Latches
 * with the path and the system's reason. tern_free gives it back. */
tern_status tern_file_load(tern_ctx *ctx, const char *path, unsigned char **out_bytes,
                           size_t *out_size);

#define TERN_SINK_BUFFER 65536

/*
 * A sink collects writes and keeps the first failure: a writer puts all it has and asks once at the
 * end. `offset` is how many bytes were put so far.
 */
typedef struct tern_sink {
    tern_ctx *ctx;
    const char *path; /* as the caller spelled it, for messages; NULL for memory */
    uint64_t offset;
    tern_status status;

    unsigned char *bytes; /* buffer of a file, whole content of memory; the seam's */
    size_t used, capacity;
    int fd, directory;
    bool passing; /* a file's content is not flushed to the disk: it may be lost with the system */
    char target[1024],
        temporary[64]; /* names within `directory`; file systems allow 255 bytes and rarely more */
} tern_sink;

/* Opens a temporary file beside `path` (a symbolic link is followed). */
tern_status tern_sink_file(tern_sink *sink, tern_ctx *ctx, const char *path);

/* Content goes to sink->bytes, which the caller frees. */
void tern_sink_memory(tern_sink *sink, tern_ctx *ctx);

tern_status tern_sink_put(tern_sink *sink, const void *data, size_t bytes);

/* Ends a file: flushes (unless it is `passing`), renames over the target and flushes the folder; on a failure before that, or
 * where the context has latched an error since, removes the temporary file. Returns the status of
 * the whole. For memory returns the status. */
tern_status tern_sink_end(tern_sink *sink);

#endif
