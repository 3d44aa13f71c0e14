/*
 * trusted.h: files that nobody else could have put there or changed.
 *
 * A file is trusted where it and every directory on the way from / belong to root or to the
 * effective user and are writable by no one else. A sticky directory of root's (/tmp) is an
 * exception, because in it nobody can replace another user's entries. The walk holds each directory
 * open, so that what was checked is what is used.
 */
#ifndef TERN_CORE_PLUGIN_TRUSTED_H
#define TERN_CORE_PLUGIN_TRUSTED_H

#include <sys/types.h>

#include "core/ground/fault.h"
#include "text.h"

typedef struct tern_trusted {
    char path[TERN_PATH_SIZE]; /* the real path: absolute, no symbolic link, no ".." */
    dev_t device;
    ino_t inode;
    off_t size;
    bool is_directory; /* else a regular file */
} tern_trusted;

/*
 * Walks to `path` (absolute) and checks every step. TERN_ERR_NOT_FOUND where something is missing;
 * TERN_ERR_IO where the system or a permission forbids it, with a message that says what to change.
 */
tern_status tern_trusted_walk(const char *path, tern_trusted *out_file, tern_fault *fault);

/* Opens what was walked to for reading, by its real path; an error where it is no longer the same
 * file. The caller closes the descriptor; -1 on failure. */
int tern_trusted_open(const tern_trusted *file, tern_fault *fault);

/* Whether the file at `path` is the one that was walked to. */
bool tern_trusted_is(const tern_trusted *file, const char *path);

#endif
