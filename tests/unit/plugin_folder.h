/*
 * plugin_folder.h: a folder of manifests and plugins in a temporary place, for the loader's tests.
 *
 * While it is open, TERN_PLUGIN_PATH names it and TERN_DEVICE is unset; closing it restores both.
 */
#ifndef TERN_TESTS_PLUGIN_FOLDER_H
#define TERN_TESTS_PLUGIN_FOLDER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_plugins.h"

typedef struct plugin_folder {
    char path[64];
    char *old_path; /* of TERN_PLUGIN_PATH; NULL was unset */
    char *old_device;
} plugin_folder;

static inline plugin_folder folder_open(void) {
    plugin_folder f = {.path = "/tmp/tern-plugins-XXXXXX"};
    cr_assert_not_null(mkdtemp(f.path));
    f.old_path = saved_variable("TERN_PLUGIN_PATH");
    f.old_device = saved_variable("TERN_DEVICE");
    setenv("TERN_PLUGIN_PATH", f.path, 1);
    unsetenv("TERN_DEVICE");
    return f;
}

/* The path of a file in the folder; valid until the next call. */
static inline const char *folder_file(const plugin_folder *f, const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return path;
}

static inline void folder_close(plugin_folder *f) {
    DIR *dir = opendir(f->path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir) closedir(dir);
    rmdir(f->path);
    restore_variable("TERN_PLUGIN_PATH", f->old_path);
    restore_variable("TERN_DEVICE", f->old_device);
}

static inline void folder_write(const plugin_folder *f, const char *name, const char *text) {
    FILE *file = fopen(folder_file(f, name), "w");
    cr_assert_not_null(file);
    cr_assert(fputs(text, file) >= 0);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(folder_file(f, name), 0644), 0);
}

/* Copies a plugin that tests/backends/bad built, or its first `limit` bytes. */
static inline void folder_copy_part(const plugin_folder *f, const char *plugin, const char *name,
                                    size_t limit) {
    char from[1024];
    snprintf(from, sizeof from, "%s/tests/bad/%s.so", TERN_TEST_BUILD, plugin);
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(folder_file(f, name), "wb");
    cr_assert_not_null(in, "%s is missing: build the target tern_bad_plugins", from);
    cr_assert_not_null(out);
    int c;
    while (limit-- > 0 && (c = getc(in)) != EOF) putc(c, out);
    fclose(in);
    cr_assert_eq(fclose(out), 0);
    cr_assert_eq(chmod(folder_file(f, name), 0755), 0);
}

/* A plugin and its manifest: `device` from the library `plugin`, with further manifest lines. */
static inline void folder_add(const plugin_folder *f, const char *device, const char *plugin,
                              const char *more) {
    char name[128];
    char text[1024];
    snprintf(name, sizeof name, "%s.so", plugin);
    if (access(folder_file(f, name), F_OK) != 0) folder_copy_part(f, plugin, name, (size_t)-1);
    snprintf(text, sizeof text, "device = %s\nlibrary = %s.so\nabi = 0\n%s", device, plugin, more);
    snprintf(name, sizeof name, "%s.tern", device);
    folder_write(f, name, text);
}

#endif
