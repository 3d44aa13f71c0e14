#define _POSIX_C_SOURCE 200809L
#include "folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_join(tern_ctx *ctx, const char *parent, const char *name, char *out_path) {
    int length = snprintf(out_path, PATH_SIZE, "%s/%s", parent, name);
    if (length >= 0 && length < PATH_SIZE) return true;
    tern_fail(ctx, TERN_ERR_ARGUMENT, "%.40s...: the name of the path is too long", parent);
    return false;
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* mkdir that takes a folder that is there already. */
static bool make_one(const char *path) {
    if (mkdir(path, 0777) == 0) return true;
    if (errno != EEXIST) return false;
    if (is_folder(path)) return true;
    errno = ENOTDIR;
    return false;
}

bool folder_make(tern_ctx *ctx, const char *path) {
    char part[PATH_SIZE];
    bool made = true;
    size_t length = strlen(path);
    if (length >= PATH_SIZE) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%.40s...: the name of the folder is too long", path);
        return false;
    }
    for (size_t i = 1; i <= length && made; i++) {
        if (path[i] != '/' && path[i] != 0) continue;
        memcpy(part, path, i);
        part[i] = 0;
        made = make_one(part);
    }
    if (!made) tern_fail(ctx, TERN_ERR_IO, "%s: %s", part, strerror(errno));
    return made;
}

void folder_sweep(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        size_t length = strlen(entry->d_name);
        if (strncmp(entry->d_name, ".tern-", 6) == 0 && length > 10 &&
            strcmp(entry->d_name + length - 4, ".tmp") == 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
}
