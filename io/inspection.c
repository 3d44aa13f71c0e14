/* inspection.c: what is told of a file so far: the path, the budget, tensors and leaves. */
#include "inspection.h"

#include <stdio.h>
#include <string.h>

#include "sha256.h"
#include "tern/memory.h"
#include "utf8.h"
#include "widen.h"

/* What the report takes for a leaf and for a tensor, beside their paths; measured. */
enum { LEAF_COST = 160, TENSOR_COST = 640 };

/* Pages are let go after this many bytes, which are also gathered at once. */
enum { STRETCH = 1 << 24, GATHERED = 1 << 16 };

/* ---- paths ----------------------------------------------------------------------------------- */

size_t tern_inspect_enter(tern_inspection *in, const char *key, size_t length) {
    size_t before = in->name.used;
    if (in->depth++) tern_sink_put(&in->name, ".", 1);
    tern_sink_put(&in->name, key, length);
    return before;
}

void tern_inspect_leave(tern_inspection *in, size_t before) {
    in->depth--;
    in->name.used = before;
}

static tern_value path_value(tern_inspection *in) {
    if (in->name.status != TERN_OK) return tern_none();
    return tern_string_n(in->ctx, in->name.used ? (const char *)in->name.bytes : "", in->name.used);
}

bool tern_inspect_spend(tern_inspection *in, uint64_t cost) {
    if (tern_check(in->ctx) != TERN_OK) return false;
    if (in->memory >= cost) {
        in->memory -= cost;
        return true;
    }
    tern_fail(in->ctx, TERN_ERR_FORMAT,
              "inspect: refused: the file repeats its parts too often to list them");
    return false;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

static void copy_element(unsigned char *out, const unsigned char *from, const tern_inspected *a) {
    if (!a->swapped) {
        memcpy(out, from, a->element);
        return;
    }
    for (uint32_t i = 0; i < a->element; i += a->unit)
        for (uint32_t k = 0; k < a->unit; k++) out[i + k] = from[i + a->unit - 1 - k];
}

/* The bytes from an array's first element to its last. */
static size_t reach(const tern_inspected *a) {
    uint64_t last = 0;
    for (int d = 0; d < a->shape.rank; d++)
        last += (uint64_t)(a->shape.dim[d] - 1) * (uint64_t)a->strides.dim[d];
    return (size_t)((last + 1) * a->element);
}

/* Row-major, little endian, a block at a time. */
static bool sum_rows(const tern_inspection *in, const tern_inspected *a, uint64_t numel,
                     tern_sha256 *sum) {
    int64_t index[TERN_MAX_RANK] = {0}, at = 0;
    unsigned char *block = tern_alloc(GATHERED), *out = block;
    size_t all = reach(a), since = 0;
    for (uint64_t i = 0; block && i < numel; i++, out += a->element) {
        if ((size_t)(out - block) + a->element > GATHERED) {
            tern_sha256_add(sum, block, (size_t)(out - block));
            out = block;
            since += GATHERED;
            if (since >= STRETCH) tern_mapping_forget(in->mapping, a->data, all);
            if (since >= STRETCH) since = 0;
        }
        copy_element(out, a->data + (uint64_t)at * a->element, a);
        for (int d = a->shape.rank; d-- > 0;) {
            at += a->strides.dim[d];
            if (++index[d] < a->shape.dim[d]) break;
            at -= index[d] * a->strides.dim[d];
            index[d] = 0;
        }
    }
    if (block) tern_sha256_add(sum, block, (size_t)(out - block));
    tern_free(block);
    return block != NULL;
}

/* Whether the first dimension runs along the memory, and its rows are short enough to gather some. */
static bool is_turned(const tern_inspected *a, uint64_t numel) {
    return a->shape.rank > 1 && a->strides.dim[0] == 1 && a->shape.dim[0] > 1 &&
           numel / (uint64_t)a->shape.dim[0] * a->element <= STRETCH;
}

/* Fills rows `first` up to `first + count` of a turned array: down each column, as it lies in the file, so that few of
 * its pages are in memory at once. */
static void gather_rows(const tern_inspection *in, const tern_inspected *a, uint64_t columns,
                        int64_t first, int64_t count, unsigned char *rows) {
    int64_t index[TERN_MAX_RANK] = {0}, at = first;
    size_t all = reach(a), since = 0;
    for (uint64_t c = 0; c < columns; c++) {
        const unsigned char *from = a->data + (uint64_t)at * a->element;
        for (int64_t r = 0; r < count; r++)
            copy_element(rows + ((uint64_t)r * columns + c) * a->element,
                         from + (uint64_t)r * a->element, a);
        since += (size_t)count * a->element + GATHERED; /* with what the system reads ahead */
        if (since >= STRETCH) tern_mapping_forget(in->mapping, a->data, all);
        if (since >= STRETCH) since = 0;
        for (int d = a->shape.rank; d-- > 1;) {
            at += a->strides.dim[d];
            if (++index[d] < a->shape.dim[d]) break;
            at -= index[d] * a->strides.dim[d];
            index[d] = 0;
        }
    }
}

static bool sum_turned(const tern_inspection *in, const tern_inspected *a, uint64_t numel,
                       tern_sha256 *sum) {
    uint64_t columns = numel / (uint64_t)a->shape.dim[0], row = columns * a->element;
    int64_t at_once = (int64_t)(STRETCH / row), left = a->shape.dim[0];
    if (at_once > left) at_once = left;
    unsigned char *rows = tern_alloc((size_t)row * (size_t)at_once);
    for (int64_t first = 0; rows && left > 0; first += at_once, left -= at_once) {
        int64_t count = left < at_once ? left : at_once;
        gather_rows(in, a, columns, first, count, rows);
        tern_sha256_add(sum, rows, (size_t)row * (size_t)count);
    }
    tern_free(rows);
    return rows != NULL;
}

static bool sum_gathered(const tern_inspection *in, const tern_inspected *a, uint64_t numel,
                         tern_sha256 *sum) {
    return is_turned(a, numel) ? sum_turned(in, a, numel, sum) : sum_rows(in, a, numel, sum);
}

static void sum_bytes(const tern_inspection *in, const unsigned char *data, size_t bytes,
                      tern_sha256 *sum) {
    for (size_t done = 0, part; done < bytes; done += part) {
        part = bytes - done < STRETCH ? bytes - done : STRETCH;
        tern_sha256_add(sum, data + done, part);
        tern_mapping_forget(in->mapping, data + done, part);
    }
}

static bool is_row_major(const tern_inspected *a) {
    int64_t step = 1;
    if (a->swapped && a->unit > 1) return false;
    for (int d = a->shape.rank; d-- > 0; step *= a->shape.dim[d])
        if (a->shape.dim[d] != 1 && a->strides.dim[d] != step) return false;
    return true;
}

bool tern_inspect_warn(tern_inspection *in, const char *what) {
    char text[400], shown[TERN_SHOWN];
    snprintf(text, sizeof text, "'%s': %.200s",
             tern_shown((const char *)in->name.bytes, in->name.used, shown), what);
    return tern_list_append(in->warnings, tern_string(in->ctx, text)) == TERN_OK;
}

static bool describe(tern_inspection *in, const char *dtype_name, const tern_shape *shape,
                     tern_value sum) {
    tern_value entry = tern_dict_new(in->ctx, false), sizes = tern_list_new(in->ctx);
    for (int d = 0; d < shape->rank; d++) tern_list_append(sizes, tern_int(shape->dim[d]));
    tern_dict_set(entry, "name", path_value(in));
    tern_dict_set(entry, "dtype", tern_string(in->ctx, dtype_name));
    tern_dict_set(entry, "shape", sizes);
    const tern_wide *wide = tern_wide_of(dtype_name);
    const char *other = wide ? tern_dtype_name(wide->dtype) : in->loads_as;
    if (other) tern_dict_set(entry, "loads_as", tern_string(in->ctx, other));
    tern_dict_set(entry, "sha256", sum);
    return tern_check(in->ctx) == TERN_OK && tern_list_append(in->tensors, entry) == TERN_OK;
}

bool tern_inspect_warn_file(tern_inspection *in, const char *what) {
    return tern_list_append(in->warnings, tern_string(in->ctx, what)) == TERN_OK;
}

bool tern_inspect_bytes(tern_inspection *in, const char *dtype_name, const tern_shape *shape,
                        const void *data, size_t bytes) {
    char text[65];
    tern_sha256 sum;
    if (!tern_inspect_spend(in, TENSOR_COST + 2 * in->name.used)) return false;
    tern_sha256_begin(&sum);
    sum_bytes(in, data, bytes, &sum);
    tern_sha256_end(&sum, text);
    return describe(in, dtype_name, shape, tern_string(in->ctx, text));
}

bool tern_inspect_tensor(tern_inspection *in, const tern_inspected *a) {
    uint64_t bytes = a->element;
    tern_sha256 sum;
    char text[65];
    bool fits = true, empty = false;
    for (int d = 0; d < a->shape.rank; d++) empty = empty || a->shape.dim[d] == 0;
    for (int d = 0; d < a->shape.rank && !empty && fits; d++)
        fits = tern_size_mul(bytes, (uint64_t)a->shape.dim[d], &bytes);
    if (empty) bytes = 0;
    if (!fits || bytes > in->budget)
        return tern_inspect_spend(in, TENSOR_COST + 2 * in->name.used) &&
               tern_inspect_warn(in,
                                 "its checksum is left out: it repeats its storage too often") &&
               describe(in, a->dtype_name, &a->shape, tern_none());
    in->budget -= bytes;
    if (empty || is_row_major(a))
        return tern_inspect_bytes(in, a->dtype_name, &a->shape, a->data, (size_t)bytes);
    if (!tern_inspect_spend(in, TENSOR_COST + 2 * in->name.used)) return false;
    tern_sha256_begin(&sum);
    if (!sum_gathered(in, a, bytes / a->element, &sum)) {
        tern_fail(in->ctx, TERN_ERR_OUT_OF_MEMORY, "inspect: no memory for a tensor");
        return false;
    }
    tern_sha256_end(&sum, text);
    return describe(in, a->dtype_name, &a->shape, tern_string(in->ctx, text));
}

bool tern_inspect_leaf(tern_inspection *in, tern_value value) {
    if (!tern_inspect_spend(in, LEAF_COST + 2 * in->name.used)) return false;
    return tern_dict_set_value(in->values, path_value(in), value) == TERN_OK;
}
