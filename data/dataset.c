/* dataset.c: samples by index: from tensors, from a function, and parts of other datasets. */
#include "dataset.h"

#include <math.h>
#include <string.h>

#include "tern/describe.h"
#include "tern/memory.h"

/* Bytes of one field; false where a few of them would exceed the address space. */
static bool field_bytes(const tern_sample_field *field, size_t *out_bytes) {
    uint64_t bytes = tern_dtype_size(field->dtype);
    if (bytes == 0 || field->shape.rank < 0 || field->shape.rank >= TERN_MAX_RANK) return false;
    for (int32_t d = 0; d < field->shape.rank; d++)
        if (field->shape.dim[d] < 0 || !tern_size_mul(bytes, (uint64_t)field->shape.dim[d], &bytes))
            return false;
    *out_bytes = (size_t)bytes;
    return bytes <= SIZE_MAX / 8;
}

#define DATASET "dataset"

tern_dataset_body *tern_dataset_of(const tern_dataset *dataset, const char *function) {
    tern_dataset_body *body = tern_handle_object(dataset, DATASET, function);
    for (const tern_dataset_body *part = body; part && part->whole; part = part->whole)
        if (!tern_handle_object(part->whole_handle, DATASET, function)) return NULL;
    return body;
}

tern_dataset *tern_dataset_new(tern_ctx *ctx, int64_t length, const tern_sample_field *fields,
                               int n_fields, tern_sample_fn get, void *user) {
    if (!tern_argument_given(ctx, "tern_dataset_new", "fields", fields)) return NULL;
    if (length < 0 || n_fields < 1 || n_fields > TERN_MAX_FIELDS || !get) {
        tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "Dataset: %lld samples of %d fields: give a length, 1 to %d fields and a function",
            (long long)length, n_fields, TERN_MAX_FIELDS);
        return NULL;
    }
    tern_dataset_body *dataset = tern_scope_alloc(ctx, sizeof *dataset);
    if (!dataset) return NULL;
    dataset->ctx = ctx;
    dataset->length = length;
    dataset->n_fields = n_fields;
    dataset->get = get;
    dataset->user = user;
    for (int f = 0; f < n_fields; f++)
        if (!tern_dataset_set_field(dataset, f, &fields[f])) return NULL;
    return dataset->handle = tern_handle_new(ctx, DATASET, dataset);
}

bool tern_dataset_set_field(tern_dataset_body *dataset, int index, const tern_sample_field *field) {
    dataset->fields[index] = *field;
    if (field_bytes(field, &dataset->bytes[index])) return true;
    tern_fail(dataset->ctx, TERN_ERR_ARGUMENT,
              "Dataset: field %d has no dtype or an impossible shape", index);
    return false;
}

tern_dataset_body *tern_dataset_derived(tern_dataset_body *whole, int64_t length,
                                        tern_derived_fn derive, const void *part) {
    tern_dataset_body *dataset = tern_scope_alloc(whole->ctx, sizeof *dataset);
    if (!dataset) return NULL;
    *dataset = *whole;
    dataset->length = length;
    dataset->get = NULL;
    dataset->user = NULL;
    dataset->derive = derive;
    dataset->part = part;
    dataset->indices = NULL;
    dataset->whole = whole;
    dataset->whole_handle = whole->handle;
    dataset->handle = tern_handle_new(whole->ctx, DATASET, dataset);
    return dataset->handle ? dataset : NULL;
}

bool tern_dataset_read(const tern_dataset_body *dataset, int64_t index, uint64_t noise,
                       void *const *out_fields) {
    if (dataset->derive) return dataset->derive(dataset->part, index, noise, out_fields);
    return dataset->get(dataset->user, index, out_fields);
}

/* ---- tensors ---- */

typedef struct tensor_rows {
    int count;
    unsigned char *data[TERN_MAX_FIELDS];
    size_t bytes[TERN_MAX_FIELDS];
} tensor_rows;

static bool get_row(void *user, int64_t index, void *const *out_fields) {
    const tensor_rows *rows = user;
    for (int f = 0; f < rows->count; f++)
        memcpy(out_fields[f], rows->data[f] + (size_t)index * rows->bytes[f], rows->bytes[f]);
    return true;
}

/* Copies a tensor to the host and describes one slice of it. */
static bool take_tensor(tern_ctx *ctx, tern_tensor *tensor, tensor_rows *rows, int64_t length,
                        tern_sample_field *out_field) {
    int f = rows->count++;
    if (!tern_argument_tensor(ctx, "TensorDataset", tensor)) return false;
    tern_shape shape = tern_shape_of(tensor);
    if (shape.rank < 1 || shape.dim[0] != length) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "TensorDataset: Size mismatch between tensors: tensor %d does not have %lld rows",
                  f, (long long)length);
        return false;
    }
    *out_field = (tern_sample_field){tern_dtype_of(tensor), {shape.rank - 1, {0}}};
    for (int32_t d = 1; d < shape.rank; d++) out_field->shape.dim[d - 1] = shape.dim[d];
    if (!field_bytes(out_field, &rows->bytes[f])) return false;
    size_t bytes = (size_t)tern_numel(tensor) * tern_dtype_size(out_field->dtype);
    rows->data[f] = tern_scope_alloc(ctx, bytes ? bytes : 1);
    return rows->data[f] && tern_to_host(tensor, rows->data[f], bytes) == TERN_OK;
}

tern_dataset *tern_tensor_dataset_new(tern_ctx *ctx, tern_tensor *const *tensors, int n_tensors) {
    tern_sample_field fields[TERN_MAX_FIELDS];
    if (n_tensors < 1 || n_tensors > TERN_MAX_FIELDS) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "TensorDataset: takes 1 to %d tensors, not %d",
                  TERN_MAX_FIELDS, n_tensors);
        return NULL;
    }
    if (!tern_argument_given(ctx, "TensorDataset", "tensors", tensors)) return NULL;
    tensor_rows *rows = tern_scope_alloc(ctx, sizeof *rows);
    if (!rows) return NULL;
    if (!tern_argument_tensor(ctx, "TensorDataset", tensors[0])) return NULL;
    int64_t length = tern_rank(tensors[0]) > 0 ? tern_size(tensors[0], 0) : 0;
    for (int f = 0; f < n_tensors; f++)
        if (!take_tensor(ctx, tensors[f], rows, length, &fields[f])) return NULL;
    return tern_dataset_new(ctx, length, fields, n_tensors, get_row, rows);
}

/* ---- parts ---- */

typedef struct subset {
    tern_dataset_body *whole;
    int64_t *indices;
} subset;

static bool get_of_whole(const void *user, int64_t index, uint64_t noise, void *const *out_fields) {
    const subset *part = user;
    return tern_dataset_read(part->whole, part->indices[index], noise, out_fields);
}

tern_dataset *tern_subset_new(tern_dataset *handle, const int64_t *indices, size_t count) {
    tern_dataset_body *dataset = tern_dataset_of(handle, "tern_subset_new");
    if (!dataset) return NULL;
    tern_ctx *ctx = dataset->ctx;
    if (count > 0 && !tern_argument_given(ctx, "Subset", "indices", indices)) return NULL;
    for (size_t i = 0; i < count; i++) {
        if (indices[i] >= 0 && indices[i] < dataset->length) continue;
        tern_fail(ctx, TERN_ERR_INDEX, "Subset: index %lld is outside the %lld samples",
                  (long long)indices[i], (long long)dataset->length);
        return NULL;
    }
    subset *part = tern_scope_alloc(ctx, sizeof *part);
    int64_t *copy = part ? tern_scope_alloc(ctx, (count + 1) * sizeof *copy) : NULL;
    if (!copy) return NULL;
    if (count > 0) memcpy(copy, indices, count * sizeof *copy);
    *part = (subset){dataset, copy};
    tern_dataset_body *out = tern_dataset_derived(dataset, (int64_t)count, get_of_whole, part);
    if (out) out->indices = copy;
    return out ? out->handle : NULL;
}

/* Turns lengths or fractions into counts, as torch.utils.data.random_split. */
static bool split_counts(const double *lengths, size_t count, int64_t length, int64_t *out_counts) {
    double sum = 0;
    int64_t total = 0;
    bool fits = true;
    for (size_t i = 0; i < count; i++) {
        if (!(lengths[i] >= 0) || lengths[i] > 9e15) return false;
        sum += lengths[i];
    }
    bool fractions = fabs(sum - 1) <= 1e-9 && sum <= 1;
    for (size_t i = 0; i < count; i++) {
        out_counts[i] = (int64_t)floor(fractions ? (double)length * lengths[i] : lengths[i]);
        total = tern_dim_add(total, out_counts[i], &fits);
    }
    if (!fits) return false;
    for (size_t i = 0; fractions && total < length; i = (i + 1) % count, total++) out_counts[i]++;
    return total == length;
}

tern_status tern_random_split(tern_dataset *handle, const double *lengths, size_t count,
                              tern_generator *generator, tern_dataset **out_parts) {
    tern_dataset_body *dataset = tern_dataset_of(handle, "tern_random_split");
    if (!dataset) return tern_handle_status(handle);
    tern_ctx *ctx = dataset->ctx;
    if (count > 0 && (!tern_argument_given(ctx, "random_split", "lengths", lengths) ||
                      !tern_argument_given(ctx, "random_split", "out_parts", out_parts)))
        return TERN_ERR_ARGUMENT;
    for (size_t i = 0; i < count; i++) out_parts[i] = NULL;
    int64_t *counts = tern_alloc_zeroed(count + 1, sizeof *counts);
    int64_t *order = tern_alloc_zeroed((size_t)dataset->length + 1, sizeof *order);
    tern_status status = TERN_OK;
    if (!counts || !order)
        status = tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "random_split: no memory for the indices");
    else if (!split_counts(lengths, count, dataset->length, counts))
        status = tern_fail(
            ctx, TERN_ERR_ARGUMENT,
            "random_split: Sum of input lengths does not equal the length of the input dataset!");
    else
        status = tern_permutation(ctx, dataset->length, generator, order);
    const int64_t *next = order;
    for (size_t i = 0; status == TERN_OK && i < count; i++) {
        out_parts[i] = tern_subset_new(handle, next, (size_t)counts[i]);
        if (!out_parts[i]) status = tern_check(ctx);
        next += counts[i];
    }
    tern_free(counts);
    tern_free(order);
    return status;
}

/* ---- reading ---- */

int64_t tern_dataset_length(const tern_dataset *handle) {
    const tern_dataset_body *dataset = tern_dataset_of(handle, "tern_dataset_length");
    return dataset ? dataset->length : 0;
}

int tern_dataset_field_count(const tern_dataset *handle) {
    const tern_dataset_body *dataset = tern_dataset_of(handle, "tern_dataset_field_count");
    return dataset ? dataset->n_fields : 0;
}

bool tern_dataset_field(const tern_dataset *handle, int index, tern_sample_field *out_field) {
    const tern_dataset_body *dataset = tern_dataset_of(handle, "tern_dataset_field");
    if (!dataset || index < 0 || index >= dataset->n_fields) return false;
    if (out_field) *out_field = dataset->fields[index];
    return true;
}

const int64_t *tern_subset_indices(const tern_dataset *handle) {
    const tern_dataset_body *dataset = tern_dataset_of(handle, "tern_subset_indices");
    return dataset ? dataset->indices : NULL;
}

tern_status tern_dataset_get(tern_dataset *handle, int64_t index, tern_tensor **out_tensors) {
    void *fields[TERN_MAX_FIELDS] = {NULL};
    tern_dataset_body *dataset = tern_dataset_of(handle, "tern_dataset_get");
    if (!dataset) return tern_handle_status(handle);
    tern_ctx *ctx = dataset->ctx;
    bool memory = true;
    uint64_t noise = 0;
    if (!tern_argument_given(ctx, "tern_dataset_get", "out_tensors", out_tensors))
        return TERN_ERR_ARGUMENT;
    for (int f = 0; f < dataset->n_fields; f++) out_tensors[f] = tern_nil(ctx);
    if (index < 0 || index >= dataset->length)
        return tern_fail(ctx, TERN_ERR_INDEX, "Dataset: index %lld is outside the %lld samples",
                         (long long)index, (long long)dataset->length);
    for (int f = 0; f < dataset->n_fields; f++)
        memory = (fields[f] = tern_alloc(dataset->bytes[f])) && memory;
    if (dataset->random) noise = tern_generator_next_u64(tern_default_generator(ctx));
    if (!memory)
        tern_fail(ctx, TERN_ERR_OUT_OF_MEMORY, "Dataset: no memory for sample %lld",
                  (long long)index);
    else if (!tern_dataset_read(dataset, index, noise, fields))
        tern_fail(ctx, TERN_ERR_IO, "Dataset: sample %lld cannot be read", (long long)index);
    else
        for (int f = 0; f < dataset->n_fields; f++)
            out_tensors[f] =
                tern_from_data(ctx, fields[f], dataset->fields[f].shape, dataset->fields[f].dtype);
    for (int f = 0; f < dataset->n_fields; f++) tern_free(fields[f]);
    return tern_check(ctx);
}
