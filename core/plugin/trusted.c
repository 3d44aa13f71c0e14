#define _GNU_SOURCE /* O_PATH */
#include "trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tern/memory.h"

#define MAX_SYMLINKS 40 /* as the kernel's */

typedef struct walk {
    const char *asked; /* the path as the caller gave it, for messages */
    int fd;            /* the step reached, opened with O_PATH; -1 before the first */
    struct stat stat;
    char real[TERN_PATH_SIZE];    /* of fd; "" is / */
    char pending[TERN_PATH_SIZE]; /* what is left to walk */
    char name[TERN_PATH_SIZE];    /* the component that is walked to */
    char target[TERN_PATH_SIZE];  /* of a symbolic link, or the path of a step not yet taken */
    char rest[TERN_PATH_SIZE];
    int symlinks;
    tern_fault *fault;
} walk;

static bool system_error(walk *w, const char *path, int error) {
    bool missing = error == ENOENT || error == ENOTDIR;
    tern_fault_set(w->fault, missing ? TERN_ERR_NOT_FOUND : TERN_ERR_IO, "cannot reach %s: %s: %s",
                   w->asked, path[0] ? path : "/", strerror(error));
    return false;
}

static bool too_long(walk *w) {
    tern_fault_set(w->fault, TERN_ERR_IO, "cannot reach %.200s: the path is too long", w->asked);
    return false;
}

static bool refused(walk *w, const char *why, const char *cure) {
    tern_fault_set(w->fault, TERN_ERR_IO,
                   "%s %s %s (owner %lu, mode %04o), so its content cannot be trusted: %s",
                   S_ISDIR(w->stat.st_mode) ? "directory" : "file", w->real[0] ? w->real : "/", why,
                   (unsigned long)w->stat.st_uid, (unsigned)w->stat.st_mode & 07777u, cure);
    return false;
}

/* Checks the step that was just reached. */
static bool check(walk *w) {
    const struct stat *s = &w->stat;
    if (s->st_uid != 0 && s->st_uid != geteuid())
        return refused(w, "belongs to another user", "chown it to root or to you");
    bool sticky_of_root = S_ISDIR(s->st_mode) && (s->st_mode & S_ISVTX) && s->st_uid == 0;
    if (sticky_of_root) return true;
    if (s->st_mode & S_IWOTH) return refused(w, "is writable by everyone", "chmod go-w it");
    if (s->st_mode & S_IWGRP) return refused(w, "is writable by its group", "chmod g-w it");
    return true;
}

static bool enter(walk *w, int fd) {
    if (w->fd >= 0) close(w->fd);
    w->fd = fd;
    if (fd >= 0 && fstat(fd, &w->stat) == 0) return true;
    return system_error(w, w->real, errno);
}

static bool enter_root(walk *w) {
    w->real[0] = '\0';
    return enter(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) && check(w);
}

static bool enter_parent(walk *w) {
    char *slash = strrchr(w->real, '/');
    if (slash) *slash = '\0';
    return enter(w, openat(w->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC)) && check(w);
}

/* Puts a symbolic link's target in front of what is left. */
static bool follow(walk *w, int link_fd) {
    ssize_t length = readlinkat(link_fd, "", w->target, sizeof w->target - 1);
    int error = errno;
    close(link_fd);
    if (length < 0) return system_error(w, w->real, error);
    if (++w->symlinks > MAX_SYMLINKS) return system_error(w, w->real, ELOOP);
    w->target[length] = '\0';
    strcpy(w->rest, w->pending);
    if (!tern_path_join(w->pending, sizeof w->pending, w->target, w->rest)) return too_long(w);
    return w->target[0] != '/' || enter_root(w);
}

static bool enter_child(walk *w, const char *name) {
    size_t length = strlen(w->real);
    char *child = w->target;
    if (!tern_path_join(child, sizeof w->target, w->real, name)) return too_long(w);
    int fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return system_error(w, child, errno);
    struct stat stat;
    if (fstat(fd, &stat) == 0 && S_ISLNK(stat.st_mode)) {
        /* A link's mode means nothing; in a sticky directory its owner does. */
        if (stat.st_uid == 0 || stat.st_uid == geteuid()) return follow(w, fd);
        close(fd);
        strcpy(w->real + length, child + length);
        w->stat = stat;
        return refused(w, "is a symbolic link of another user", "remove it");
    }
    strcpy(w->real + length, child + length);
    return enter(w, fd) && check(w);
}

/* Takes the next component off `pending`; false at the end. */
static bool next_component(walk *w) {
    const char *start = w->pending + strspn(w->pending, "/");
    size_t length = strcspn(start, "/");
    if (length == 0) return false;
    memcpy(w->name, start, length);
    w->name[length] = '\0';
    memmove(w->pending, start + length, strlen(start + length) + 1);
    return true;
}

static bool walk_all(walk *w) {
    if (!enter_root(w)) return false;
    while (next_component(w)) {
        if (strcmp(w->name, ".") == 0) continue;
        if (strcmp(w->name, "..") == 0 ? !enter_parent(w) : !enter_child(w, w->name)) return false;
    }
    if (S_ISDIR(w->stat.st_mode) || S_ISREG(w->stat.st_mode)) return true;
    tern_fault_set(w->fault, TERN_ERR_IO, "%s is neither a file nor a directory", w->real);
    return false;
}

static void keep(const walk *w, tern_trusted *out_file) {
    strcpy(out_file->path, w->real[0] ? w->real : "/");
    out_file->device = w->stat.st_dev;
    out_file->inode = w->stat.st_ino;
    out_file->size = w->stat.st_size;
    out_file->is_directory = S_ISDIR(w->stat.st_mode);
}

tern_status tern_trusted_walk(const char *path, tern_trusted *out_file, tern_fault *fault) {
    memset(out_file, 0, sizeof *out_file);
    if (path[0] != '/')
        return tern_fault_set(fault, TERN_ERR_IO, "%.200s is not an absolute path", path);
    walk *w = tern_alloc_zeroed(1, sizeof *w); /* five paths are too much for a small stack */
    if (!w)
        return tern_fault_set(fault, TERN_ERR_OUT_OF_MEMORY,
                              "out of memory while looking for devices");
    w->asked = path;
    w->fd = -1;
    w->fault = fault;
    bool reached = false;
    if (strlen(path) >= sizeof w->pending) {
        too_long(w);
    } else {
        strcpy(w->pending, path);
        reached = walk_all(w);
    }
    if (w->fd >= 0) close(w->fd);
    if (reached) keep(w, out_file);
    tern_free(w);
    return reached ? TERN_OK : fault->status;
}

int tern_trusted_open(const tern_trusted *file, tern_fault *fault) {
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) != 0) {
        tern_fault_set(fault, TERN_ERR_IO, "cannot read %s: %s", file->path, strerror(errno));
    } else if (stat.st_dev != file->device || stat.st_ino != file->inode) {
        tern_fault_set(fault, TERN_ERR_IO, "%s was replaced while it was being opened", file->path);
    } else {
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

bool tern_trusted_is(const tern_trusted *file, const char *path) {
    struct stat stat_now;
    return stat(path, &stat_now) == 0 && stat_now.st_dev == file->device &&
           stat_now.st_ino == file->inode;
}
