#define _POSIX_C_SOURCE 200809L
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT     ((uint64_t)256 << 20) /* bytes in the folder */
#define PATH_SIZE 1024

/* Begins every file. */
typedef struct head {
    char magic[8];
    uint64_t key[2]; /* two hashes of the key */
    uint64_t size;
    uint64_t checksum;
} head;

static const char magic[8] = "ternGPU1";

static uint64_t hash(uint64_t seed, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return seed;
}

static head head_of(const gpu_cache_key *key, const unsigned char *bytes, size_t size) {
    head h = {.key = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f)}, .size = size};
    memcpy(h.magic, magic, sizeof magic);
    for (int k = 0; k < 2; k++)
        for (int part = 0; part < 3;
             part++) /* with the end of each, so that none runs into the next */
            h.key[k] = hash(h.key[k], key->parts[part], strlen(key->parts[part]) + 1);
    if (bytes) h.checksum = hash(h.key[0], bytes, size);
    return h;
}

/* The folder, made where it is missing if `make`; false where there is none. */
static bool folder_of(const gpu_cache_key *key, bool make, char *out) {
    const char *own = getenv("TERN_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (own && *own)
        length = snprintf(out, PATH_SIZE, "%s/%s", own, key->family);
    else if (xdg && *xdg)
        length = snprintf(out, PATH_SIZE, "%s/tern/%s", xdg, key->family);
    else if (home && *home)
        length = snprintf(out, PATH_SIZE, "%s/.cache/tern/%s", home, key->family);
    else
        return false;
    if (length < 0 || length > PATH_SIZE - 64) return false;
    for (char *at = out + 1; make && *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        mkdir(out, 0700);
        *at = '/';
    }
    return !make || mkdir(out, 0700) == 0 || errno == EEXIST;
}

static bool path_of(const gpu_cache_key *key, const head *h, bool make, char *out) {
    if (!folder_of(key, make, out)) return false;
    size_t length = strlen(out);
    snprintf(out + length, PATH_SIZE - length, "/%016" PRIx64 "%016" PRIx64, h->key[0], h->key[1]);
    return true;
}

unsigned char *gpu_cache_load(const tern_host *host, const gpu_cache_key *key, size_t *out_size) {
    char path[PATH_SIZE];
    head wanted = head_of(key, NULL, 0), there;
    if (!path_of(key, &wanted, false, path)) return NULL;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    unsigned char *bytes = NULL;
    bool sound = fread(&there, sizeof there, 1, file) == 1 &&
                 memcmp(there.magic, magic, sizeof magic) == 0 &&
                 memcmp(there.key, wanted.key, sizeof there.key) == 0 && there.size <= LIMIT;
    if (sound) bytes = host->alloc((size_t)there.size + 1);
    sound = bytes && fread(bytes, 1, (size_t)there.size + 1, file) == there.size &&
            hash(there.key[0], bytes, (size_t)there.size) == there.checksum;
    fclose(file);
    if (!sound) {
        host->free(bytes);
        return NULL;
    }
    *out_size = (size_t)there.size;
    return bytes;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* Bytes in the folder; the name of the file that was written longest ago. */
static uint64_t look_around(const char *folder, char *out_oldest) {
    DIR *all = opendir(folder);
    uint64_t bytes = 0;
    struct timespec oldest = {0, 0};
    out_oldest[0] = 0;
    for (struct dirent *entry; all && (entry = readdir(all));) {
        struct stat about;
        if (entry->d_name[0] == '.' || fstatat(dirfd(all), entry->d_name, &about, 0)) continue;
        bytes += (uint64_t)about.st_size;
        bool older =
            about.st_mtim.tv_sec < oldest.tv_sec ||
            (about.st_mtim.tv_sec == oldest.tv_sec && about.st_mtim.tv_nsec < oldest.tv_nsec);
        if (out_oldest[0] && !older) continue;
        int length = snprintf(out_oldest, PATH_SIZE, "%s/%s", folder, entry->d_name);
        if (length < 0 || length >= PATH_SIZE) out_oldest[0] = 0;
        oldest = about.st_mtim;
    }
    if (all) closedir(all);
    return bytes;
}

static void trim(const gpu_cache_key *key) {
    char folder[PATH_SIZE], oldest[PATH_SIZE];
    if (!folder_of(key, false, folder)) return;
    while (look_around(folder, oldest) > LIMIT && oldest[0])
        if (unlink(oldest)) return;
}

void gpu_cache_store(const gpu_cache_key *key, const unsigned char *bytes, size_t size) {
    char path[PATH_SIZE], beside[PATH_SIZE + 32];
    head h = head_of(key, bytes, size);
    if (size > LIMIT || !path_of(key, &h, true, path)) return;
    snprintf(beside, sizeof beside, "%s.%ld.new", path, (long)getpid());
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return;
    FILE *file = fdopen(fd, "wb");
    bool written = file && fwrite(&h, sizeof h, 1, file) == 1 &&
                   fwrite(bytes, 1, size, file) == size && fflush(file) == 0;
    if (file)
        written = fclose(file) == 0 && written;
    else
        close(fd);
    if (!written || rename(beside, path)) {
        unlink(beside);
        return;
    }
    trim(key);
}
