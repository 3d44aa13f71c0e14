/* pth_write.c: values as torch.save writes them. */
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "pickle_writer.h"
#include "pth.h"
#include "tern/grad.h"
#include "tern/memory.h"
#include "tern/tensor.h"
#include "zip_writer.h"

/* The storages met so far, in order; a storage's key is its number. Those of one size are chained,
 * because whether two tensors share storage can only be asked for two. */
typedef struct storage {
    const tern_tensor *tensor; /* the first over it */
    uint32_t key_memo;
    size_t next_of_size; /* number plus one */
} storage;

#define N_CHAINS 256

typedef struct storages {
    storage *items;
    size_t count, capacity;
    size_t chains[N_CHAINS]; /* by size: number plus one of the newest */
} storages;

#define NO_STORAGE SIZE_MAX

static size_t fail_storage(tern_pickle_writer *w, tern_status status, const char *what) {
    if (w->out.status == TERN_OK) w->out.status = tern_fail(w->ctx, status, "save: %s", what);
    return NO_STORAGE;
}

/* The storage's number; a new one is added. */
static size_t storage_of(tern_pickle_writer *w, const tern_tensor *tensor) {
    storages *all = w->user;
    size_t bytes = tern_storage_bytes(tensor);
    size_t *chain = &all->chains[(bytes ^ bytes >> 8 ^ bytes >> 16) % N_CHAINS];
    for (size_t i = *chain; i; i = all->items[i - 1].next_of_size) {
        const tern_tensor *first = all->items[i - 1].tensor;
        if (tern_storage_bytes(first) != bytes || !tern_shares_storage(first, tensor)) continue;
        if (tern_dtype_of(first) != tern_dtype_of(tensor))
            return fail_storage(w, TERN_ERR_ARGUMENT,
                                "two tensors of different dtypes share one storage");
        return i - 1;
    }
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? all->capacity * 2 : 32;
        storage *grown =
            tern_realloc(all->items, all->count * sizeof *grown, capacity * sizeof *grown);
        if (!grown) return fail_storage(w, TERN_ERR_OUT_OF_MEMORY, "out of memory");
        all->items = grown;
        all->capacity = capacity;
    }
    all->items[all->count] = (storage){tensor, UINT32_MAX, *chain};
    *chain = ++all->count;
    return all->count - 1;
}

static const char *storage_class(tern_dtype dtype) {
    static const char *const names[TERN_COMPLEX128 + 1] = {
        "torch FloatStorage",
        "torch DoubleStorage",
        "torch HalfStorage",
        "torch BFloat16Storage",
        "torch LongStorage",
        "torch IntStorage",
        "torch ShortStorage",
        "torch CharStorage",
        "torch ByteStorage",
        "torch BoolStorage",
        [TERN_COMPLEX64] = "torch ComplexFloatStorage",
        [TERN_COMPLEX128] = "torch ComplexDoubleStorage"};
    return names[dtype];
}

/* ('storage', class, key, location, elements), by reference. The location is always the CPU: the
 * file is for any machine. */
static void put_storage(tern_pickle_writer *w, const tern_tensor *tensor, size_t number) {
    storages *all = w->user;
    char key[24];
    tern_pickle_op(w, '(');
    tern_pickle_text(w, "storage", 7);
    tern_pickle_global(w, storage_class(tern_dtype_of(tensor)));
    if (all->items[number].key_memo == UINT32_MAX) {
        int length = snprintf(key, sizeof key, "%zu", number);
        all->items[number].key_memo = tern_pickle_fresh_text(w, key, (size_t)length);
    } else {
        tern_pickle_get(w, all->items[number].key_memo);
    }
    tern_pickle_text(w, "cpu", 3);
    tern_pickle_int(w, tern_storage_numel(tensor));
    tern_pickle_op(w, 't');
    tern_pickle_put(w);
    tern_pickle_op(w, 'Q');
}

/* _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, no hooks) */
static void put_tensor(tern_pickle_writer *w, tern_tensor *tensor) {
    if (tern_is_nil(tensor)) {
        fail_storage(w, TERN_ERR_ARGUMENT, "a tensor is the empty result of an earlier error");
        return;
    }
    size_t number = storage_of(w, tensor);
    if (number == NO_STORAGE) return;
    tern_shape sizes = tern_shape_of(tensor);
    int64_t strides[TERN_MAX_RANK];
    for (int i = 0; i < sizes.rank; i++) strides[i] = tern_stride(tensor, i);
    tern_pickle_global(w, "torch._utils _rebuild_tensor_v2");
    tern_pickle_op(w, '(');
    put_storage(w, tensor, number);
    tern_pickle_int(w, tern_storage_offset(tensor));
    tern_pickle_int_tuple(w, sizes.dim, (size_t)sizes.rank);
    tern_pickle_int_tuple(w, strides, (size_t)sizes.rank);
    tern_pickle_op(w, tern_has_grad_required(tensor) ? (char)0x88 : (char)0x89);
    tern_pickle_global(w, "collections OrderedDict");
    tern_pickle_op(w, ')');
    tern_pickle_op(w, 'R');
    tern_pickle_put(w);
    tern_pickle_op(w, 't');
    tern_pickle_put(w);
    tern_pickle_op(w, 'R');
    tern_pickle_remember(w, tensor);
}

static tern_status add_storage(tern_zip_writer *zip, tern_ctx *ctx, const tern_tensor *tensor,
                               size_t number, tern_buffer *buffer) {
    char name[32];
    size_t bytes = tern_storage_bytes(tensor);
    void *data = tern_buffer_room(buffer, bytes);
    if (!data)
        return zip->sink->status = tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY,
                                             "save: no memory for a storage of %zu bytes", bytes);
    snprintf(name, sizeof name, "data/%zu", number);
    tern_status status = tern_storage_to_host(tensor, data, bytes);
    if (status == TERN_OK)
        status = tern_zip_add(zip, name, data, bytes);
    else
        zip->sink->status = status;
    return status;
}

static tern_status write_members(tern_ctx *ctx, const tern_pickle_writer *w, const char *root,
                                 tern_sink *sink) {
    const storages *all = w->user;
    tern_zip_writer zip;
    tern_zip_writer_init(&zip, ctx, sink, root);
    tern_zip_add(&zip, "data.pkl", w->out.bytes, w->out.used);
    tern_zip_add(&zip, ".format_version", "1", 1);
    tern_zip_add(&zip, ".storage_alignment", "64", 2);
    tern_zip_add(&zip, "byteorder", "little", 6);
    tern_buffer buffer = {0};
    for (size_t i = 0; i < all->count && sink->status == TERN_OK; i++)
        add_storage(&zip, ctx, all->items[i].tensor, i, &buffer);
    tern_free(buffer.bytes);
    tern_zip_add(&zip, "version", "3\n", 2);
    return tern_zip_writer_end(&zip);
}

tern_status tern_pth_write(tern_ctx *ctx, tern_value value, const char *root, tern_sink *sink) {
    tern_pickle_writer w;
    storages all = {0};
    tern_pickle_writer_init(&w, ctx);
    w.tensor = put_tensor;
    w.user = &all;
    if (sink->status == TERN_OK) {
        sink->status = tern_pickle_dump(&w, value);
        if (sink->status == TERN_OK) write_members(ctx, &w, root, sink);
    }
    tern_free(all.items);
    tern_pickle_writer_fini(&w);
    return sink->status;
}

void tern_pth_root(const char *path, char *out_root) {
    const char *start = path, *end = path + strlen(path), *dot;
    bool ascii = true;
    for (const char *c = path; *c; c++) {
        if (*c == '/' || *c == '\\') start = c + 1;
        if ((unsigned char)*c >= 0x80) ascii = false;
    }
    for (dot = end; dot > start && dot[-1] != '.';) dot--;
    if (dot > start) end = dot - 1;
    bool usable = ascii && end > start && end - start < 4096;
    snprintf(out_root, 4096, "%.*s", usable ? (int)(end - start) : 7, usable ? start : "archive");
}
