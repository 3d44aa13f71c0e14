/* inspect.c: tern_file_inspect: tensors, values and warnings of any format that is read. */
#include "inspect.h"

#include <string.h>

#include "format.h"
#include "gguf_read.h"
#include "gzip.h"
#include "idx.h"
#include "npy.h"
#include "safetensors.h"
#include "tern/io.h"
#include "tern/memory.h"

/* The start lets any small file be summed whole, repeated parts included. */
#define BUDGET_START    ((uint64_t)64 << 20)
#define BUDGET_PER_BYTE 64u

/* What a report and what is unpacked for it may take beyond the file's size. */
#define REPORT   ((uint64_t)32 << 20)
#define UNPACKED ((uint64_t)32 << 20)

/* ---- numpy ----------------------------------------------------------------------------------- */

static bool inspect_npy(tern_inspection *in, const char *path, const unsigned char *bytes,
                        size_t size) {
    tern_npy_header h;
    tern_inspected a;
    if (tern_npy_parse(in->ctx, path, bytes, size, &h) != TERN_OK) return false;
    a = (tern_inspected){h.dtype_name, h.shape, {0, {0}}, bytes + h.data,
                         h.element,    h.unit,  h.swapped};
    tern_npy_strides(&h, &a.strides);
    return tern_inspect_tensor(in, &a);
}

static tern_status inspect_array(void *user, const char *label, const char *name,
                                 size_t name_length, const unsigned char *bytes, size_t size) {
    tern_inspection *in = user;
    size_t before = tern_inspect_enter(in, name, name_length);
    bool ok = inspect_npy(in, label, bytes, size);
    tern_inspect_leave(in, before);
    return ok ? TERN_OK : tern_check(in->ctx);
}

/* ---- IDX ------------------------------------------------------------------------------------- */

static bool tell_idx(tern_inspection *in, const char *path, const unsigned char *bytes,
                     size_t size) {
    tern_idx_header h;
    if (tern_idx_parse(in->ctx, path, bytes, size, &h) != TERN_OK) return false;
    tern_inspected a = {.dtype_name = tern_dtype_name(h.dtype),
                        .shape = h.shape,
                        .strides = {h.shape.rank, {0}},
                        .data = bytes + h.data,
                        .element = h.element,
                        .unit = h.element,
                        .swapped = true};
    int64_t step = 1;
    for (int d = h.shape.rank; d-- > 0;) {
        a.strides.dim[d] = step;
        if (h.bytes) step *= h.shape.dim[d];
    }
    in->budget += h.bytes; /* unpacked, it is longer than the file that set the budget */
    return tern_inspect_tensor(in, &a);
}

static bool inspect_idx(tern_inspection *in, const char *path, const unsigned char *bytes,
                        size_t size) {
    unsigned char *unpacked;
    size_t unpacked_size;
    if (!tern_is_gzip(bytes, size)) return tell_idx(in, path, bytes, size);
    if (tern_idx_unpack(in->ctx, path, bytes, size, size + UNPACKED, &unpacked, &unpacked_size) !=
        TERN_OK)
        return false;
    bool ok = tell_idx(in, path, unpacked, unpacked_size);
    tern_free(unpacked);
    return ok;
}

/* ---- safetensors ----------------------------------------------------------------------------- */

static bool inspect_safetensors(tern_inspection *in, const tern_safetensors *file) {
    tern_safetensors_entry e;
    tern_value key, text, metadata = tern_safetensors_metadata(file);
    bool ok = file != NULL;
    for (size_t i = 0; ok && tern_safetensors_at(file, i, &e); i++) {
        size_t before = tern_inspect_enter(in, e.name, strlen(e.name));
        ok = tern_inspect_bytes(in, tern_st_dtype_of(e.dtype_name)->torch_name, &e.shape, e.data,
                                e.bytes);
        tern_inspect_leave(in, before);
    }
    size_t outer = tern_inspect_enter(in, "__metadata__", 12);
    for (size_t i = 0; ok && tern_dict_at(metadata, i, &key, &text); i++) {
        size_t before = tern_inspect_enter(in, key.as.s, key.length);
        ok = tern_inspect_leaf(in, text);
        tern_inspect_leave(in, before);
    }
    tern_inspect_leave(in, outer);
    return ok;
}

/* ---- GGUF ------------------------------------------------------------------------------------ */

static bool inspect_gguf(tern_inspection *in, const char *path, const unsigned char *bytes,
                         size_t size) {
    tern_gguf file;
    tern_value key, item;
    bool ok = tern_gguf_parse(in->ctx, path, bytes, size, &file);
    for (size_t i = 0; ok && i < file.count; i++) {
        const tern_gguf_entry *e = &file.entries[i];
        size_t before = tern_inspect_enter(in, e->name.as.s, e->name.length);
        in->loads_as = e->type->decode ? tern_dtype_name(e->type->dtype) : NULL;
        ok = tern_inspect_bytes(in, e->type->name, &e->shape, e->data, (size_t)e->bytes);
        tern_inspect_leave(in, before);
    }
    for (size_t i = 0; ok && tern_dict_at(file.metadata, i, &key, &item); i++) {
        size_t before = tern_inspect_enter(in, key.as.s, key.length);
        ok = tern_inspect_leaf(in, item);
        tern_inspect_leave(in, before);
    }
    return ok;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool is_table(const char *path) {
    static const char *const endings[] = {".csv", ".tsv", ".csv.gz", ".tsv.gz"};
    size_t length = path ? strlen(path) : 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (length > n && strcmp(path + length - n, endings[i]) == 0) return true;
    }
    return false;
}

static tern_value tell_column(tern_ctx *ctx, const tern_csv *csv, int column) {
    static const char *const kinds[] = {"empty", "integer", "number", "date", "text"};
    tern_csv_summary s;
    tern_value told = tern_dict_new(ctx, false);
    if (!tern_csv_summarize(csv, column, &s)) {
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "inspect: no memory for a column");
        return tern_none();
    }
    tern_dict_set(told, "name", tern_string(ctx, tern_csv_name(csv, column)));
    tern_dict_set(told, "kind", tern_text(kinds[s.kind]));
    tern_dict_set(told, "missing", tern_int(s.missing));
    tern_dict_set(told, "different", tern_int(s.different));
    return told;
}

static tern_value inspect_table(tern_ctx *ctx, const char *path) {
    tern_csv_options o = TERN_CSV_OPTIONS;
    if (strstr(path, ".tsv")) o.delimiter = '\t';
    tern_csv *csv = tern_csv_open(ctx, path, &o);
    if (!csv) return tern_none();
    tern_value all = tern_dict_new(ctx, false), columns = tern_list_new(ctx);
    for (int i = 0; i < tern_csv_column_count(csv) && tern_check(ctx) == TERN_OK; i++)
        tern_list_append(columns, tell_column(ctx, csv, i));
    tern_dict_set(all, "format", tern_text("csv"));
    tern_dict_set(all, "rows", tern_int(tern_csv_row_count(csv)));
    tern_dict_set(all, "columns", columns);
    return tern_check(ctx) == TERN_OK ? all : tern_none();
}

/* ---- files ----------------------------------------------------------------------------------- */

static tern_value report(tern_inspection *in, const char *format) {
    tern_value all = tern_dict_new(in->ctx, false);
    tern_dict_set(all, "format", tern_text(format));
    tern_dict_set(all, "tensors", in->tensors);
    tern_dict_set(all, "values", in->values);
    if (tern_value_count(in->warnings)) tern_dict_set(all, "warnings", in->warnings);
    return tern_check(in->ctx) == TERN_OK ? all : tern_none();
}

static bool inspect_packed(tern_inspection *in, const char *path, const unsigned char *bytes,
                           size_t size) {
    tern_zip zip;
    bool ok = tern_zip_open(&zip, in->ctx, path, bytes, size) == TERN_OK;
    zip.most = size + UNPACKED;
    zip.forgets = in->mapping;
    ok = ok && tern_npz_walk(&zip, inspect_array, in) == TERN_OK;
    tern_zip_close(&zip);
    return ok;
}

/* The name of the format, or NULL after latching. */
static const char *inspect_bytes(tern_inspection *in, const char *path, unsigned char *bytes,
                                 size_t size) {
    switch (tern_format_of(bytes, size)) {
    case TERN_FORMAT_PTH:
        return tern_pth_inspect(in, path, bytes, size, size + UNPACKED) ? "pth" : NULL;
    case TERN_FORMAT_NPY: return inspect_npy(in, path, bytes, size) ? "npy" : NULL;
    case TERN_FORMAT_NPZ: return inspect_packed(in, path, bytes, size) ? "npz" : NULL;
    case TERN_FORMAT_GGUF: return inspect_gguf(in, path, bytes, size) ? "gguf" : NULL;
    case TERN_FORMAT_IDX: return inspect_idx(in, path, bytes, size) ? "idx" : NULL;
    case TERN_FORMAT_SAFETENSORS: {
        tern_safetensors *file = tern_safetensors_lent(in->ctx, path, bytes, size);
        bool ok = inspect_safetensors(in, file);
        tern_safetensors_close(file);
        return ok ? "safetensors" : NULL;
    }
    case TERN_FORMAT_UNKNOWN: break;
    }
    tern_format_fail(in->ctx, path, size);
    return NULL;
}

tern_value tern_inspect_over(tern_ctx *ctx, const char *path, unsigned char *bytes, size_t size,
                             const tern_mapping *mapping) {
    tern_inspection in = {.ctx = ctx, .mapping = mapping};
    in.tensors = tern_list_new(ctx);
    in.values = tern_dict_new(ctx, false);
    in.warnings = tern_list_new(ctx);
    in.budget = BUDGET_START + (uint64_t)size * BUDGET_PER_BYTE;
    in.memory = REPORT + size;
    tern_sink_memory(&in.name, ctx);
    const char *format = inspect_bytes(&in, path, bytes, size);
    tern_free(in.name.bytes);
    return format ? report(&in, format) : tern_none();
}

tern_value tern_file_inspect(tern_ctx *ctx, const char *path) {
    if (is_table(path)) return inspect_table(ctx, path);
    if (tern_is_manifest(path)) return tern_manifest_inspect(ctx, path);
    tern_mapping *mapping = tern_mapping_open(ctx, path);
    if (!mapping) return tern_none();
    tern_value value = tern_inspect_over(ctx, path, mapping->bytes, mapping->size, mapping);
    tern_mapping_release(mapping);
    return value;
}
