/*
 * npy_folder.c: a dataset whose samples are .npy files. A sample is read by whichever thread asks,
 * from the place in the file that was found when the dataset was made.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "npy.h"
#include "tern/io.h"
#include "tern/memory.h"

enum { PATH_SIZE = 4096 };

typedef struct array_file {
    char *path;
    size_t data; /* where the elements begin */
    int64_t label;
    bool swapped, fortran;
} array_file;

typedef struct npy_folder {
    tern_ctx *ctx;
    array_file *files;
    size_t count, room;
    bool labelled;
    tern_sample_field fields[2];
    size_t bytes, element;
} npy_folder;

static void end_folder(void *arg) {
    npy_folder *folder = arg;
    for (size_t i = 0; i < folder->count; i++) tern_free(folder->files[i].path);
    tern_free(folder->files);
    tern_free(folder);
}

/* ---- a sample ---- */

static bool read_at(const array_file *file, unsigned char *out, size_t bytes) {
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t got = 0;
    while (got < bytes) {
        ssize_t n = pread(fd, out + got, bytes - got, (off_t)(file->data + got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        got += (size_t)n;
    }
    close(fd);
    return got == bytes;
}

static void swap_elements(unsigned char *data, size_t bytes, size_t element) {
    for (size_t i = 0; i < bytes; i += element)
        for (size_t k = 0; k < element / 2; k++) {
            unsigned char kept = data[i + k];
            data[i + k] = data[i + element - 1 - k];
            data[i + element - 1 - k] = kept;
        }
}

/* Column-major elements in row-major order. */
static void to_rows(const unsigned char *columns, const tern_shape *shape, size_t element,
                    size_t bytes, unsigned char *out) {
    int64_t index[TERN_MAX_RANK] = {0}, steps[TERN_MAX_RANK] = {0}, step = 1, at = 0;
    for (int d = 0; d < shape->rank; d++) {
        steps[d] = step;
        step *= shape->dim[d];
    }
    for (size_t to = 0; to < bytes; to += element) {
        memcpy(out + to, columns + (size_t)at * element, element);
        for (int d = shape->rank; d-- > 0;) {
            at += steps[d];
            if (++index[d] < shape->dim[d]) break;
            at -= index[d] * steps[d];
            index[d] = 0;
        }
    }
}

static bool get_array(void *user, int64_t index, void *const *out_fields) {
    const npy_folder *folder = user;
    const array_file *file = &folder->files[index];
    size_t bytes = folder->bytes;
    if (folder->labelled) memcpy(out_fields[1], &file->label, sizeof file->label);
    unsigned char *columns = file->fortran ? tern_alloc(bytes) : NULL;
    unsigned char *data = file->fortran ? columns : out_fields[0];
    bool read = data && read_at(file, data, bytes);
    if (read && file->swapped) swap_elements(data, bytes, folder->element);
    if (read && file->fortran)
        to_rows(columns, &folder->fields[0].shape, folder->element, bytes, out_fields[0]);
    tern_free(columns);
    return read;
}

/* ---- looking through folders ---- */

/* The names in a folder, sorted; freed by free_names. */
typedef struct name_list {
    char **names;
    size_t count, room;
} name_list;

static void free_names(name_list *list) {
    for (size_t i = 0; i < list->count; i++) tern_free(list->names[i]);
    tern_free(list->names);
    *list = (name_list){NULL, 0, 0};
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool no_memory(tern_ctx *ctx, const char *path) {
    tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "%s: no memory for the names of its files", path);
    return false;
}

static bool add_name(name_list *list, const char *name) {
    if (list->count == list->room) {
        size_t wider = list->room ? list->room * 2 : 64;
        char **moved = tern_realloc(list->names, list->room * sizeof *moved, wider * sizeof *moved);
        if (!moved) return false;
        list->names = moved;
        list->room = wider;
    }
    list->names[list->count] = tern_strdup(name);
    return list->names[list->count] && ++list->count;
}

static bool join(tern_ctx *ctx, const char *folder, const char *name, char out_path[PATH_SIZE]) {
    size_t length = strlen(folder), n = strlen(name);
    if (length + n + 2 > PATH_SIZE) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%.40s...: the name of the path is too long", folder);
        return false;
    }
    memcpy(out_path, folder, length);
    out_path[length] = '/';
    memcpy(out_path + length + 1, name, n + 1);
    return true;
}

static bool is_npy_name(const char *name) {
    size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0;
}

/* Folders or .npy files in a folder; hidden ones are passed over. */
static bool list_folder(tern_ctx *ctx, const char *path, bool folders, name_list *out_list) {
    char full[PATH_SIZE];
    struct stat status;
    *out_list = (name_list){NULL, 0, 0};
    if (!tern_path_given(ctx, path)) return false;
    DIR *dir = opendir(path);
    if (!dir) {
        tern_fail(ctx, TERN_ERR_IO, "%s: cannot be opened as a folder: %s", path, strerror(errno));
        return false;
    }
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || (!folders && !is_npy_name(entry->d_name))) continue;
        good = join(ctx, path, entry->d_name, full);
        if (good && stat(full, &status) == 0 && (S_ISDIR(status.st_mode) != 0) == folders)
            good = add_name(out_list, entry->d_name) || no_memory(ctx, path);
    }
    closedir(dir);
    if (!good) free_names(out_list);
    if (out_list->count) qsort(out_list->names, out_list->count, sizeof(char *), by_name);
    return good;
}

/* ---- making ---- */

/* The first array tells what all are. */
static bool fits(npy_folder *folder, const char *path, const tern_npy_header *h) {
    tern_sample_field *field = &folder->fields[0];
    if (h->dtype == TERN_DTYPE_DEFAULT) {
        tern_fail(folder->ctx, TERN_ERR_UNSUPPORTED,
                  "%s: its elements are %s, which Tern does not support", path, h->dtype_name);
        return false;
    }
    if (folder->count == 0) {
        *field = (tern_sample_field){h->dtype, h->shape};
        folder->element = h->element;
        folder->bytes = (size_t)h->numel * h->element;
        return true;
    }
    if (field->dtype == h->dtype && tern_shape_equal(&field->shape, &h->shape)) return true;
    tern_fail(folder->ctx, TERN_ERR_FORMAT,
              "%s: its shape or dtype differs from that of %s; all files must be alike", path,
              folder->files[0].path);
    return false;
}

static bool add_file(npy_folder *folder, const char *path, int64_t label) {
    tern_npy_header h;
    tern_mapping *mapping = tern_mapping_open(folder->ctx, path);
    if (!mapping) return false;
    bool good = tern_npy_parse(folder->ctx, path, mapping->bytes, mapping->size, &h) == TERN_OK &&
                fits(folder, path, &h);
    tern_mapping_release(mapping);
    if (!good) return false;
    if (folder->count == folder->room) {
        size_t wider = folder->room ? folder->room * 2 : 64, item = sizeof *folder->files;
        array_file *moved = tern_realloc(folder->files, folder->room * item, wider * item);
        if (!moved) return no_memory(folder->ctx, path);
        folder->files = moved;
        folder->room = wider;
    }
    char *kept = tern_strdup(path);
    if (!kept) return no_memory(folder->ctx, path);
    bool columns = h.fortran && h.shape.rank > 1;
    folder->files[folder->count++] = (array_file){kept, h.data, label, h.swapped, columns};
    return true;
}

static bool add_files(npy_folder *folder, const char *path, int64_t label) {
    char full[PATH_SIZE];
    name_list files;
    if (!list_folder(folder->ctx, path, false, &files)) return false;
    bool good = files.count > 0;
    if (!good) tern_fail(folder->ctx, TERN_ERR_NOT_FOUND, "%s: holds no .npy file", path);
    for (size_t i = 0; good && i < files.count; i++)
        good = join(folder->ctx, path, files.names[i], full) && add_file(folder, full, label);
    free_names(&files);
    return good;
}

static bool add_classes(npy_folder *folder, const char *path, const name_list *classes,
                        tern_value *out_classes) {
    char full[PATH_SIZE];
    tern_value names = tern_list_new(folder->ctx);
    for (size_t i = 0; i < classes->count; i++) {
        if (!join(folder->ctx, path, classes->names[i], full) ||
            !add_files(folder, full, (int64_t)i))
            return false;
        tern_list_append(names, tern_string(folder->ctx, classes->names[i]));
    }
    if (out_classes) *out_classes = names;
    return tern_check(folder->ctx) == TERN_OK;
}

tern_dataset *tern_npy_folder_new(tern_ctx *ctx, const char *path, tern_value *out_classes) {
    name_list classes;
    if (out_classes) *out_classes = tern_none();
    if (!list_folder(ctx, path, true, &classes)) return NULL;
    npy_folder *folder = tern_alloc_zeroed(1, sizeof *folder);
    bool good = folder || no_memory(ctx, path);
    if (good) {
        folder->ctx = ctx;
        folder->labelled = classes.count > 0;
        folder->fields[1] = (tern_sample_field){TERN_INT64, {0, {0}}};
        good = folder->labelled ? add_classes(folder, path, &classes, out_classes)
                                : add_files(folder, path, 0);
    }
    free_names(&classes);
    if (!good || tern_defer(ctx, end_folder, folder) != TERN_OK) {
        if (folder) end_folder(folder);
        return NULL;
    }
    return tern_dataset_new(ctx, (int64_t)folder->count, folder->fields, 1 + folder->labelled,
                            get_array, folder);
}
