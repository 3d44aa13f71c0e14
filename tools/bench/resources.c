/* What several cases need: the images, and a folder for files. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include "folders.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bench_lacks(bench_subject *s, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->missing, sizeof s->missing, format, arguments);
    va_end(arguments);
}

/* ---- Fashion-MNIST --------------------------------------------------------------------------- */

static void load_images(bench_session *session, const char *images, const char *labels) {
    tern_scope lasting = tern_owner_begin(session->owner, TERN_NO_GRAD);
    tern_scope temporary = tern_scope_inner(session->ctx);
    tern_tensor *pixels = tern_to_dtype(tern_idx_load(session->ctx, images), TERN_FLOAT32);
    pixels = tern_view(tern_div_scalar(pixels, 255), TERN_SHAPE(-1, 1, 28, 28));
    session->images = tern_scope_return(temporary, pixels);
    session->labels = tern_to_dtype(tern_idx_load(session->ctx, labels), TERN_INT64);
    tern_scope_end(lasting);
}

bool bench_fashion(bench_subject *s) {
    bench_session *session = s->session;
    char images[PATH_SIZE], labels[PATH_SIZE];
    if (session->images) return true;
    if (!path_join(s->ctx, session->fashion, "train-images-idx3-ubyte.gz", images) ||
        !path_join(s->ctx, session->fashion, "train-labels-idx1-ubyte.gz", labels))
        return false;
    if (access(images, R_OK) != 0 || access(labels, R_OK) != 0) {
        bench_lacks(s, "the images are not in %s; install Debian's package dataset-fashion-mnist",
                    session->fashion);
        return false;
    }
    load_images(session, images, labels);
    return tern_check(s->ctx) == TERN_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void remove_folder(void *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    rmdir(path);
}

const char *bench_folder(bench_subject *s) {
    const char *where = getenv("TMPDIR");
    char *path = tern_scope_alloc(s->ctx, PATH_SIZE);
    if (!path || !path_join(s->ctx, where && *where ? where : "/tmp", "tern-bench-XXXXXX", path))
        return NULL;
    if (!mkdtemp(path)) {
        tern_fail(s->ctx, TERN_ERR_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    tern_defer(s->ctx, remove_folder, path);
    return path;
}
