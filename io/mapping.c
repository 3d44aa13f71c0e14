/* mapping.c: files mapped into memory, and tensors over them. */
#define _GNU_SOURCE /* strerror_r that returns the text */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "tern/memory.h"

static void *fail(tern_ctx *ctx, const char *path, const char *reason) {
    tern_fail(ctx, errno == ENOENT ? TERN_ERR_NOT_FOUND : TERN_ERR_IO, "%s: cannot be mapped: %s",
              path, reason);
    return NULL;
}

static tern_mapping *map_open(tern_ctx *ctx, const char *path, int fd) {
    struct stat info;
    char reason[128];
    if (fstat(fd, &info) != 0) return fail(ctx, path, strerror_r(errno, reason, sizeof reason));
    errno = 0;
    if (!S_ISREG(info.st_mode)) return fail(ctx, path, "it is not a regular file");
    if (info.st_size == 0) return fail(ctx, path, "it is empty");
    tern_mapping *mapping = tern_alloc(sizeof *mapping);
    if (!mapping) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory to map it", path);
        return NULL;
    }
    /* Private and writable: a trained tensor changes its own pages, never the file. */
    void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        tern_free(mapping);
        return fail(ctx, path, strerror_r(errno, reason, sizeof reason));
    }
    atomic_init(&mapping->references, 1);
    mapping->bytes = bytes;
    mapping->size = (size_t)info.st_size;
    return mapping;
}

tern_mapping *tern_mapping_open(tern_ctx *ctx, const char *path) {
    char reason[128];
    if (tern_check(ctx) != TERN_OK || !tern_path_given(ctx, path)) return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail(ctx, path, strerror_r(errno, reason, sizeof reason));
    tern_mapping *mapping = map_open(ctx, path, fd);
    close(fd);
    return mapping;
}

void tern_mapping_forget(const tern_mapping *mapping, const void *bytes, size_t size) {
    const unsigned char *first = bytes;
    /* what was unpacked lies elsewhere */
    if (!mapping || first < mapping->bytes || first > mapping->bytes + mapping->size) return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), begin = (size_t)(first - mapping->bytes);
    if (size > mapping->size - begin) return;
    size_t end = (begin + size) / page * page;
    begin = (begin + page - 1) / page * page;
    if (begin < end) madvise(mapping->bytes + begin, end - begin, MADV_DONTNEED);
}

void tern_mapping_release(void *user) {
    tern_mapping *mapping = user;
    if (!mapping || atomic_fetch_sub(&mapping->references, 1) != 1) return;
    munmap(mapping->bytes, mapping->size);
    tern_free(mapping);
}

tern_tensor *tern_mapping_tensor(tern_ctx *ctx, tern_mapping *mapping, const unsigned char *data,
                                 tern_shape shape, tern_dtype dtype) {
    atomic_fetch_add(&mapping->references, 1);
    return tern_from_memory_within(ctx, mapping->bytes, (size_t)(data - mapping->bytes), shape,
                                   dtype, tern_mapping_release, mapping);
}
