/* file.c: reading whole files and replacing files atomically. */
#define _GNU_SOURCE /* O_CLOEXEC, openat and realpath in one place */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tern/describe.h"
#include "tern/io.h"
#include "tern/memory.h"

/* ---- the seam -------------------------------------------------------------------------------- */

static atomic_uint_fast64_t steps_since_armed;
static atomic_uint_fast64_t failing_step; /* 0 fails none */

uint64_t tern_fail_write(uint64_t nth) {
    uint64_t steps = atomic_exchange(&steps_since_armed, 0);
    atomic_store(&failing_step, nth);
    return steps;
}

/* Counts a step and tells whether it may be taken. */
static bool may_step(void) {
    uint64_t step = atomic_fetch_add(&steps_since_armed, 1) + 1;
    if (step != atomic_load(&failing_step)) return true;
    errno = ENOSPC;
    return false;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool tern_path_given(tern_ctx *ctx, const char *path) {
    if (!path) tern_fail(ctx, TERN_ERR_ARGUMENT, "a file's path is NULL: give its name");
    return path != NULL;
}

static tern_status fail_file(tern_ctx *ctx, const char *path, const char *what) {
    char reason[128] = "";
    int error = errno;
    const char *text = strerror_r(error, reason, sizeof reason);
    return tern_fail(ctx, error == ENOENT ? TERN_ERR_NOT_FOUND : TERN_ERR_IO, "%s: %s: %s", path,
                     what, text);
}

static tern_status read_all(tern_ctx *ctx, int fd, const char *path, unsigned char **out_bytes,
                            size_t *out_size) {
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_file(ctx, path, "cannot be read");
    if (!S_ISREG(info.st_mode))
        return tern_fail(ctx, TERN_ERR_IO, "%s: is not a regular file", path);
    size_t size = (size_t)info.st_size, done = 0;
    unsigned char *bytes = tern_alloc(size + 1);
    if (!bytes)
        return tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for its %zu bytes", path,
                         size);
    while (done < size) {
        ssize_t got = read(fd, bytes + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            if (got == 0) errno = EIO; /* it was cut off meanwhile */
            tern_free(bytes);
            return fail_file(ctx, path, "cannot be read");
        }
        done += (size_t)got;
    }
    bytes[size] = 0;
    *out_bytes = bytes;
    *out_size = size;
    return TERN_OK;
}

tern_status tern_file_load(tern_ctx *ctx, const char *path, unsigned char **out_bytes,
                           size_t *out_size) {
    *out_bytes = NULL;
    *out_size = 0;
    if (tern_check(ctx) != TERN_OK || !tern_path_given(ctx, path)) return tern_check(ctx);
    /* Not blocking: opening a pipe must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail_file(ctx, path, "cannot be opened");
    tern_status status = read_all(ctx, fd, path, out_bytes, out_size);
    close(fd);
    return status;
}

char *tern_file_read(tern_ctx *ctx, const char *path, size_t *out_bytes) {
    unsigned char *bytes;
    size_t size;
    if (out_bytes) *out_bytes = 0;
    if (tern_file_load(ctx, path, &bytes, &size) != TERN_OK) return NULL;
    char *copy = tern_scope_alloc(ctx, size + 1);
    if (copy) {
        memcpy(copy, bytes, size + 1);
        if (out_bytes) *out_bytes = size;
    }
    tern_free(bytes);
    return copy;
}

/* ---- sinks ----------------------------------------------------------------------------------- */

void tern_sink_memory(tern_sink *sink, tern_ctx *ctx) {
    memset(sink, 0, sizeof *sink);
    sink->ctx = ctx;
    sink->fd = sink->directory = -1;
}

static tern_status sink_fail(tern_sink *sink, const char *what) {
    if (sink->status == TERN_OK) sink->status = fail_file(sink->ctx, sink->path, what);
    return sink->status;
}

/* Splits the target into its folder, which is opened, and its name. */
static tern_status open_folder(tern_sink *sink, char *path) {
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EISDIR;
        return sink_fail(sink, "cannot be written");
    }
    if (strlen(name) >= sizeof sink->target) {
        errno = ENAMETOOLONG;
        return sink_fail(sink, "cannot be written");
    }
    strcpy(sink->target, name);
    if (slash) slash[slash == path ? 1 : 0] = 0;
    sink->directory = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return sink->directory < 0 ? sink_fail(sink, "its folder cannot be opened") : TERN_OK;
}

/* The file that is replaced keeps its owner, group and rights, as far as this user may give them: a file of
 * another user's becomes this user's. The owner goes first, since a change of it takes rights away. */
static bool keep_rights(const tern_sink *sink, const struct stat *old) {
    struct stat now;
    if (fstat(sink->fd, &now) == 0 && (now.st_uid != old->st_uid || now.st_gid != old->st_gid) &&
        fchown(sink->fd, old->st_uid, old->st_gid) != 0 &&
        fchown(sink->fd, (uid_t)-1, old->st_gid) != 0)
        errno = 0;
    return fchmod(sink->fd, old->st_mode & 07777) == 0;
}

/* Creates the temporary file, with the rights of the file that it will replace, else the usual. */
static tern_status create_temporary(tern_sink *sink) {
    static atomic_uint_fast64_t serial;
    struct stat old;
    bool replaces = fstatat(sink->directory, sink->target, &old, 0) == 0;
    if (replaces && !S_ISREG(old.st_mode)) {
        errno = S_ISDIR(old.st_mode) ? EISDIR : EINVAL;
        return sink_fail(sink, "cannot be written: it is not a regular file");
    }
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(sink->temporary, sizeof sink->temporary, ".tern-%ld-%llu.tmp", (long)getpid(),
                 (unsigned long long)atomic_fetch_add(&serial, 1));
        sink->fd = may_step() ? openat(sink->directory, sink->temporary,
                                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666)
                              : -1;
        if (sink->fd >= 0 || errno != EEXIST) break;
    }
    if (sink->fd < 0) return sink_fail(sink, "cannot be written");
    if (replaces && !keep_rights(sink, &old)) return sink_fail(sink, "cannot be written");
    return TERN_OK;
}

tern_status tern_sink_file(tern_sink *sink, tern_ctx *ctx, const char *path) {
    char resolved[PATH_MAX];
    tern_sink_memory(sink, ctx);
    sink->path = path ? path : "";
    tern_path_given(ctx, path);
    sink->status = tern_check(ctx);
    if (sink->status != TERN_OK) return sink->status;
    if (strlen(path) >= sizeof resolved) {
        errno = ENAMETOOLONG;
        return sink_fail(sink, "cannot be written");
    }
    if (!realpath(path, resolved)) strcpy(resolved, path);
    sink->capacity = TERN_SINK_BUFFER;
    sink->bytes = tern_alloc(sink->capacity);
    if (!sink->bytes)
        return sink->status =
                   tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to write it", path);
    if (open_folder(sink, resolved) == TERN_OK) create_temporary(sink);
    return sink->status;
}

static tern_status write_out(tern_sink *sink, const unsigned char *data, size_t bytes) {
    while (bytes > 0 && sink->status == TERN_OK) {
        ssize_t put = may_step() ? write(sink->fd, data, bytes) : -1;
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return sink_fail(sink, "cannot be written");
        data += put;
        bytes -= (size_t)put;
    }
    return sink->status;
}

static tern_status flush(tern_sink *sink) {
    size_t bytes = sink->used;
    sink->used = 0;
    return write_out(sink, sink->bytes, bytes);
}

static tern_status grow(tern_sink *sink, size_t bytes) {
    if (bytes <= sink->capacity - sink->used) return TERN_OK;
    size_t capacity = sink->capacity ? sink->capacity : 256;
    while (capacity - sink->used < bytes && capacity < SIZE_MAX / 4) capacity *= 2;
    unsigned char *grown =
        bytes < SIZE_MAX / 4 ? tern_realloc(sink->bytes, sink->used, capacity) : NULL;
    if (!grown)
        return sink->status = tern_fail(sink->ctx, TERN_ERR_OUT_OF_MEMORY,
                                        "no memory for %zu bytes to be written", bytes);
    sink->bytes = grown;
    sink->capacity = capacity;
    return TERN_OK;
}

tern_status tern_sink_put(tern_sink *sink, const void *data, size_t bytes) {
    if (sink->status != TERN_OK || bytes == 0) return sink->status;
    sink->offset += bytes;
    if (!sink->path) {
        if (grow(sink, bytes) != TERN_OK) return sink->status;
    } else if (bytes > sink->capacity - sink->used) {
        if (flush(sink) != TERN_OK) return sink->status;
        if (bytes >= sink->capacity) return write_out(sink, data, bytes);
    }
    memcpy(sink->bytes + sink->used, data, bytes);
    sink->used += bytes;
    return TERN_OK;
}

/* The rename itself survives a crash only once the folder is flushed. Some file systems cannot do
 * that (EINVAL), which is no fault of the file. */
static void replace_target(tern_sink *sink) {
    if (!sink->passing && (!may_step() || fsync(sink->fd) != 0)) {
        sink_fail(sink, "cannot be flushed to disk");
    } else if (!may_step() ||
               renameat(sink->directory, sink->temporary, sink->directory, sink->target) != 0) {
        sink_fail(sink, "cannot be replaced");
    } else {
        sink->temporary[0] = 0;
        if (!sink->passing && fsync(sink->directory) != 0 && errno != EINVAL)
            sink_fail(sink, "is written, but its folder cannot be flushed to disk");
    }
}

tern_status tern_sink_end(tern_sink *sink) {
    if (!sink->path) return sink->status;
    if (sink->status == TERN_OK) sink->status = tern_check(sink->ctx);
    if (sink->fd >= 0 && flush(sink) == TERN_OK) replace_target(sink);
    if (sink->fd >= 0 && sink->temporary[0]) unlinkat(sink->directory, sink->temporary, 0);
    if (sink->fd >= 0) close(sink->fd);
    if (sink->directory >= 0) close(sink->directory);
    tern_free(sink->bytes);
    sink->bytes = NULL;
    sink->fd = sink->directory = -1;
    return sink->status;
}

tern_status tern_file_write(tern_ctx *ctx, const char *path, const void *data, size_t bytes) {
    tern_sink sink;
    if (bytes > 0 && !tern_argument_given(ctx, "tern_file_write", "data", data))
        return tern_check(ctx);
    tern_sink_file(&sink, ctx, path);
    tern_sink_put(&sink, data, bytes);
    return tern_sink_end(&sink);
}
