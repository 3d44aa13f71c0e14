/* safetensors_write.c: a dict of tensors as the format's own writer lays it out. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json.h"
#include "safetensors.h"
#include "tern/memory.h"
#include "tern/tensor.h"
#include "utf8.h"

typedef struct item {
    const char *name;
    size_t length;
    tern_tensor *tensor;
    size_t dtype; /* index into tern_st_dtypes */
    uint64_t bytes;
} item;

typedef struct writer {
    tern_ctx *ctx;
    tern_sink header; /* in memory */
    item *items;
    size_t count;
} writer;

static tern_status refuse(tern_ctx *ctx, const tern_value *key, const char *what) {
    char name[128] = "";
    if (key) tern_value_repr(*key, name, sizeof name);
    return tern_fail(ctx, TERN_ERR_ARGUMENT, "safetensors: %s%s%s", name, key ? " " : "", what);
}

static tern_status collect(writer *w, tern_value tensors) {
    tern_value key, value;
    if (tensors.kind != TERN_VALUE_DICT)
        return refuse(w->ctx, NULL, "a file holds only a dict of tensors by name");
    w->items = tern_alloc_zeroed(tern_value_count(tensors) + 1, sizeof *w->items);
    if (!w->items) return tern_fail(w->ctx, TERN_ERR_OUT_OF_MEMORY, "safetensors: out of memory");
    for (size_t i = 0; tern_dict_at(tensors, i, &key, &value); i++) {
        if (key.kind != TERN_VALUE_STRING || memchr(key.as.s, 0, key.length) ||
            !tern_is_utf8(key.as.s, key.length) || strcmp(key.as.s, "__metadata__") == 0)
            return refuse(w->ctx, &key, "is not a name for a tensor");
        if (value.kind != TERN_VALUE_TENSOR || tern_is_nil(value.as.tensor))
            return refuse(w->ctx, &key, "is not a tensor");
        item *it = &w->items[w->count++];
        *it = (item){key.as.s, key.length, value.as.tensor, 0, 0};
        tern_dtype dtype = tern_dtype_of(it->tensor);
        while (it->dtype < tern_st_n_dtypes && tern_st_dtypes[it->dtype].dtype != dtype)
            it->dtype++;
        if (it->dtype == tern_st_n_dtypes)
            return refuse(w->ctx, &key,
                          "is complex128, which the format does not have: save complex64");
        it->bytes = (uint64_t)tern_numel(it->tensor) * tern_dtype_size(dtype);
    }
    return TERN_OK;
}

/* Wide elements first, so that all stay aligned; then by name. */
static int by_dtype_and_name(const void *a, const void *b) {
    const item *x = a, *y = b;
    if (x->dtype != y->dtype) return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void put(writer *w, const char *text) {
    tern_sink_put(&w->header, text, strlen(text));
}

static tern_status put_metadata(writer *w, tern_value metadata) {
    tern_value key, text;
    if (metadata.kind != TERN_VALUE_DICT) {
        put(w, "\"__metadata__\":{\"format\":\"pt\"}");
        return TERN_OK;
    }
    put(w, "\"__metadata__\":{");
    for (size_t i = 0; tern_dict_at(metadata, i, &key, &text); i++) {
        if (key.kind != TERN_VALUE_STRING || text.kind != TERN_VALUE_STRING ||
            !tern_is_utf8(key.as.s, key.length) || !tern_is_utf8(text.as.s, text.length))
            return refuse(w->ctx, &key, "of the metadata is not text by name");
        if (i) put(w, ",");
        tern_json_put_text(&w->header, key.as.s, key.length);
        put(w, ":");
        tern_json_put_text(&w->header, text.as.s, text.length);
    }
    put(w, "}");
    return TERN_OK;
}

static void put_entry(writer *w, const item *it, uint64_t begin) {
    char text[80];
    tern_shape shape = tern_shape_of(it->tensor);
    put(w, ",");
    tern_json_put_text(&w->header, it->name, it->length);
    put(w, ":{\"dtype\":\"");
    put(w, tern_st_dtypes[it->dtype].name);
    put(w, "\",\"shape\":[");
    for (int i = 0; i < shape.rank; i++) {
        snprintf(text, sizeof text, "%s%" PRId64, i ? "," : "", shape.dim[i]);
        put(w, text);
    }
    snprintf(text, sizeof text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin,
             begin + it->bytes);
    put(w, text);
}

static tern_status put_tensors(writer *w, tern_sink *sink) {
    tern_buffer buffer = {0};
    for (size_t i = 0; i < w->count && sink->status == TERN_OK; i++) {
        const item *it = &w->items[i];
        void *data = tern_buffer_room(&buffer, (size_t)it->bytes);
        sink->status = data ? tern_to_host(it->tensor, data, (size_t)it->bytes)
                            : tern_fail(w->ctx, TERN_ERR_OUT_OF_MEMORY,
                                        "safetensors: no memory for tensor '%.100s'", it->name);
        tern_sink_put(sink, data, (size_t)it->bytes);
    }
    tern_free(buffer.bytes);
    return sink->status;
}

static tern_status write_all(writer *w, tern_value tensors, tern_sink *sink) {
    unsigned char length[8];
    tern_status status = collect(w, tensors);
    if (status != TERN_OK) return status;
    qsort(w->items, w->count, sizeof *w->items, by_dtype_and_name);
    put(w, "{");
    status = put_metadata(w, tern_dict_get(tern_dict_attributes(tensors), "__metadata__"));
    if (status != TERN_OK) return status;
    uint64_t begin = 0;
    for (size_t i = 0; i < w->count; i++) {
        put_entry(w, &w->items[i], begin);
        begin += w->items[i].bytes;
    }
    put(w, "}");
    while (w->header.offset % 8 && w->header.status == TERN_OK) put(w, " ");
    if (w->header.status != TERN_OK) return w->header.status;
    tern_put_le(length, w->header.used, 8);
    tern_sink_put(sink, length, sizeof length);
    tern_sink_put(sink, w->header.bytes, w->header.used);
    return put_tensors(w, sink);
}

tern_status tern_safetensors_write(tern_ctx *ctx, tern_value tensors, tern_sink *sink) {
    writer w = {.ctx = ctx};
    tern_sink_memory(&w.header, ctx);
    if (sink->status == TERN_OK) {
        tern_status status = write_all(&w, tensors, sink);
        if (sink->status == TERN_OK) sink->status = status;
    }
    tern_free(w.header.bytes);
    tern_free(w.items);
    return sink->status;
}
