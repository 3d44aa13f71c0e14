#define _POSIX_C_SOURCE 200809L
#include "samples.h"

#include "folders.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FASHION_MNIST "/usr/share/datasets/fashion-mnist"

/* The header of an IDX file: two zero bytes, the dtype (8: unsigned bytes), the rank, the sizes. */
enum { IDX_BYTES = 8, MOST_ELEMENTS = 1 << 30 };

static bool read_all(gzFile file, void *out, size_t bytes) {
    return bytes < MOST_ELEMENTS && gzread(file, out, (unsigned)bytes) == (int)bytes;
}

static bool read_header(gzFile file, tern_shape *out_shape, int64_t *out_count) {
    unsigned char head[4], size[4];
    *out_count = 1;
    if (!read_all(file, head, 4) || head[0] || head[1] || head[2] != IDX_BYTES) return false;
    out_shape->rank = head[3];
    if (out_shape->rank < 1 || out_shape->rank > 4) return false;
    for (int d = 0; d < out_shape->rank; d++) {
        if (!read_all(file, size, 4)) return false;
        int64_t n = ((int64_t)size[0] << 24) | (size[1] << 16) | (size[2] << 8) | size[3];
        if (n < 1 || n > MOST_ELEMENTS / *out_count) return false;
        out_shape->dim[d] = n;
        *out_count *= n;
    }
    return true;
}

/* The file's bytes as a uint8 tensor; memory grows only as the file gives bytes. */
static tern_tensor *read_idx(tern_ctx *ctx, const char *path) {
    tern_shape shape = {0, {0}};
    int64_t count;
    gzFile file = gzopen(path, "rb");
    unsigned char *data = NULL;
    bool good = file && read_header(file, &shape, &count);
    if (good) data = tern_alloc((size_t)count);
    good = good && data && read_all(file, data, (size_t)count);
    if (file) gzclose(file);
    tern_tensor *tensor = good ? tern_from_data(ctx, data, shape, TERN_UINT8) : NULL;
    tern_free(data);
    if (!good)
        tern_fail(ctx, TERN_ERR_FORMAT,
                  "%s: no readable IDX file of bytes, or shorter than it says", path);
    return tensor;
}

/* FOLDER/NAME or FOLDER/NAME.gz, whichever is there; false where neither is. */
static bool find_file(tern_ctx *ctx, const char *folder, const char *name, char *out_path) {
    char zipped[64];
    snprintf(zipped, sizeof zipped, "%s.gz", name);
    return (path_join(ctx, folder, name, out_path) && access(out_path, R_OK) == 0) ||
           (path_join(ctx, folder, zipped, out_path) && access(out_path, R_OK) == 0);
}

static void load_idx(tern_ctx *ctx, const char *images, const char *labels, samples *out) {
    tern_tensor *pixels = read_idx(ctx, images), *classes = read_idx(ctx, labels);
    if (!pixels || !classes) return;
    out->inputs = tern_div_scalar(tern_to_dtype(pixels, TERN_FLOAT32), 255);
    if (tern_rank(out->inputs) == 3) out->inputs = tern_unsqueeze(out->inputs, 1);
    out->targets = tern_to_dtype(classes, TERN_INT64);
}

static void load_npy(tern_ctx *ctx, const char *folder, const char *part, samples *out) {
    char name[64], path[PATH_SIZE];
    snprintf(name, sizeof name, "%s_inputs.npy", part);
    if (path_join(ctx, folder, name, path)) out->inputs = tern_npy_load(ctx, path);
    snprintf(name, sizeof name, "%s_targets.npy", part);
    if (path_join(ctx, folder, name, path)) out->targets = tern_npy_load(ctx, path);
}

bool samples_load(tern_ctx *ctx, const char *data, bool train, samples *out_samples) {
    const char *folder = strcmp(data, "fashion-mnist") == 0 ? FASHION_MNIST : data;
    char images[PATH_SIZE], labels[PATH_SIZE];
    *out_samples = (samples){NULL, NULL, 0};
    if (find_file(ctx, folder, train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte",
                  images) &&
        find_file(ctx, folder, train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte",
                  labels))
        load_idx(ctx, images, labels, out_samples);
    else if (strcmp(folder, FASHION_MNIST) == 0)
        tern_fail(ctx, TERN_ERR_NOT_FOUND,
                  "%s: the images are not there; install dataset-fashion-mnist", folder);
    else
        load_npy(ctx, folder, train ? "train" : "test", out_samples);
    if (tern_check(ctx) != TERN_OK) return false;
    out_samples->count = tern_size(out_samples->inputs, 0);
    if (tern_size(out_samples->targets, 0) != out_samples->count)
        tern_fail(ctx, TERN_ERR_FORMAT, "%s: %lld inputs but %lld targets", folder,
                  (long long)out_samples->count, (long long)tern_size(out_samples->targets, 0));
    return tern_check(ctx) == TERN_OK;
}

void samples_cut(samples *s, int64_t count) {
    if (count <= 0 || count >= s->count) return;
    s->inputs = tern_narrow(s->inputs, 0, 0, count);
    s->targets = tern_narrow(s->targets, 0, 0, count);
    s->count = count;
}
