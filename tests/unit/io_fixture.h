/*
 * io_fixture.h: what the tests of files share: samples (tests/data/pth, written by PyTorch 2.15 and
 * 1.13), folders to write in, and changes that no reader may crash on.
 */
#ifndef TERN_TESTS_IO_FIXTURE_H
#define TERN_TESTS_IO_FIXTURE_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tern/io.h"

#define SAMPLE(name) TERN_TEST_SOURCE "/tests/data/pth/" name

/* A file of at most 64 KB; the length is returned. */
static inline size_t slurp(const char *path, unsigned char *out_bytes) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s cannot be opened", path);
    size_t size = fread(out_bytes, 1, 65536, file);
    fclose(file);
    return size;
}

/* A new folder of the test's own under $TMPDIR. */
static inline const char *make_folder(void) {
    static char folder[256];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tern-test-XXXXXX", base && *base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

/* How many files lie in a folder; removes them where asked to, and the folder. */
static inline int count_files(const char *folder, bool remove_all) {
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count++;
        if (remove_all) unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    if (remove_all) rmdir(folder);
    return count;
}

/* splitmix64 (Steele, Lea and Flood 2014): the same changes on every machine. */
static inline uint64_t draw(uint64_t *state, uint64_t below) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

/* An error message is one line that says something. */
static inline void check_message(tern_ctx *ctx) {
    const char *message = tern_error(ctx);
    cr_assert_gt(strlen(message), 0, "an error without a message");
    cr_assert_null(strchr(message, '\n'), "a message of several lines: %s", message);
}

#endif
