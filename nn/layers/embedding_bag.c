/* embedding_bag.c: EmbeddingBag: sums, means or maxima of rows of a table, bag by bag. */
#include <string.h>

#include "layers.h"

typedef struct bag {
    tern_module module;
    int64_t num_embeddings, embedding_dim;
    tern_value max_norm, norm_type; /* numbers that print as they were given; max_norm or none */
    tern_optional_int padding_idx;
    const char *mode, *device;
    bool scale_grad_by_freq, sparse, include_last_offset;
    tern_dtype dtype;
    tern_tensor *weight;
} bag;

static const tern_field fields[] = {
    TERN_FIELD(bag, num_embeddings, num_embeddings),
    TERN_FIELD(bag, embedding_dim, embedding_dim),
    TERN_FIELD(bag, max_norm, max_norm),
    TERN_FIELD(bag, padding_idx, padding_idx),
    TERN_FIELD(bag, norm_type, norm_type),
    TERN_FIELD(bag, mode, mode),
    TERN_FIELD(bag, scale_grad_by_freq, scale_grad_by_freq),
    TERN_FIELD(bag, sparse, sparse),
    TERN_FIELD(bag, include_last_offset, include_last_offset),
    TERN_FIELD(bag, device, device),
    TERN_FIELD(bag, dtype, dtype),
    TERN_FIELD(bag, weight, weight),
    TERN_FIELD_END,
};

static tern_status bag_init(tern_module *self) {
    bag *m = (bag *)self;
    if (strcmp(m->mode, "sum") != 0 && strcmp(m->mode, "mean") != 0 && strcmp(m->mode, "max") != 0)
        return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                         "EmbeddingBag: mode has to be one of sum, mean or max, not %s", m->mode);
    if (!tern_layer_table(self, m->num_embeddings, m->embedding_dim, &m->padding_idx, m->dtype,
                          &m->weight))
        return TERN_ERR_ARGUMENT;
    return TERN_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* A call in flight: index [n] and which bag each belongs to. */
typedef struct bags {
    tern_module *self;
    tern_ctx *ctx;
    const bag *m;
    tern_tensor *index, *of, *factors; /* factors: per_sample_weights or NULL */
    int64_t count;
} bags;

static tern_tensor *called(const bags *b, const char *name, const tern_value *args, int count) {
    return tern_layer_tensor(b->self,
                             tern_module_operation(b->self, name, args, count, tern_none()));
}

static tern_tensor *positions(const bags *b, int64_t count) {
    return tern_to_device(tern_arange_i64(b->ctx, count), tern_device_of(b->index));
}

/* Rows of a matrix of indices are the bags. */
static void read_matrix(bags *b) {
    int64_t width = tern_size(b->index, 1);
    b->count = tern_size(b->index, 0);
    tern_tensor *row = tern_unsqueeze(positions(b, b->count), 1);
    b->of = tern_reshape(tern_expand(row, TERN_SHAPE(b->count, width)), TERN_SHAPE(-1));
    b->index = tern_reshape(b->index, TERN_SHAPE(-1));
    if (b->factors) b->factors = tern_reshape(b->factors, TERN_SHAPE(-1));
}

/* A position belongs to the last bag whose offset is not beyond it. */
static void read_offsets(bags *b, tern_tensor *offsets) {
    b->count = tern_numel(offsets) - (b->m->include_last_offset ? 1 : 0);
    offsets = tern_narrow(offsets, 0, 0, b->count);
    tern_value named = tern_dict_new(b->ctx, false);
    tern_value args[] = {tern_tensor_value(tern_to_dtype(offsets, TERN_INT64)),
                         tern_tensor_value(positions(b, tern_numel(b->index)))};
    tern_dict_set(named, "right", tern_bool(true));
    tern_tensor *after =
        tern_layer_tensor(b->self, tern_module_operation(b->self, "searchsorted", args, 2, named));
    tern_value less[] = {tern_tensor_value(after), tern_int(1)};
    b->of = called(b, "sub", less, 2);
}

static bool read_bags(bags *b, tern_value offsets) {
    int rank = tern_rank(b->index);
    if (rank == 2 && offsets.kind == TERN_VALUE_NONE) {
        read_matrix(b);
    } else if (rank == 1 && offsets.kind == TERN_VALUE_TENSOR &&
               tern_rank(offsets.as.tensor) == 1 &&
               tern_numel(offsets.as.tensor) > b->m->include_last_offset) {
        read_offsets(b, offsets.as.tensor);
    } else {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT,
                  "EmbeddingBag: input must be 2D without offsets, or 1D with 1D offsets of at "
                  "least one bag");
        return false;
    }
    if (b->factors &&
        (strcmp(b->m->mode, "sum") != 0 || tern_numel(b->factors) != tern_numel(b->index))) {
        tern_fail(b->ctx, TERN_ERR_ARGUMENT,
                  "EmbeddingBag: per_sample_weights must have input's shape and mode='sum'");
        return false;
    }
    return true;
}

/* Indices of padding belong to no bag. */
static void drop_padding(bags *b) {
    if (!b->m->padding_idx.has) return;
    tern_value args[] = {tern_tensor_value(b->index), tern_int(b->m->padding_idx.value)};
    tern_value kept[] = {tern_tensor_value(called(b, "ne", args, 2))};
    tern_tensor *at = tern_reshape(called(b, "nonzero", kept, 1), TERN_SHAPE(-1));
    b->index = tern_index_select(b->index, 0, at);
    b->of = tern_index_select(b->of, 0, at);
    if (b->factors) b->factors = tern_index_select(b->factors, 0, at);
}

static tern_tensor *summed(const bags *b, tern_tensor *rows) {
    tern_shape shape = TERN_SHAPE(b->count, tern_size(rows, 1));
    tern_value args[] = {tern_tensor_value(tern_layer_zeros(b->self, rows, shape)), tern_int(0),
                         tern_tensor_value(b->of), tern_tensor_value(rows)};
    return called(b, "index_add", args, 4);
}

static tern_tensor *largest(const bags *b, tern_tensor *rows) {
    tern_shape shape = TERN_SHAPE(b->count, b->m->embedding_dim);
    tern_tensor *of = tern_expand(tern_unsqueeze(b->of, 1), tern_shape_of(rows));
    tern_value args[] = {tern_tensor_value(tern_layer_zeros(b->self, rows, shape)), tern_int(0),
                         tern_tensor_value(of), tern_tensor_value(rows), tern_text("amax")};
    tern_value named = tern_dict_new(b->ctx, false);
    tern_dict_set(named, "include_self", tern_bool(false));
    return tern_layer_tensor(b->self,
                             tern_module_operation(b->self, "scatter_reduce", args, 5, named));
}

/* An empty bag is zero in every mode. */
static tern_tensor *reduced(const bags *b, tern_tensor *rows) {
    if (strcmp(b->m->mode, "max") == 0) return largest(b, rows);
    if (strcmp(b->m->mode, "sum") == 0) return summed(b, rows);
    tern_tensor *ones = tern_ones_like(tern_narrow(tern_detach(rows), 1, 0, 1));
    tern_tensor *sizes = summed(b, ones);
    return tern_div(summed(b, rows), tern_maximum(sizes, tern_ones_like(sizes)));
}

static tern_value bag_call(tern_module *self, const tern_value *args) {
    bags b = {.self = self,
              .ctx = tern_module_context(self),
              .m = (bag *)self,
              .index = args[0].as.tensor,
              .factors = args[2].kind == TERN_VALUE_TENSOR ? args[2].as.tensor : NULL};
    if (!read_bags(&b, args[1])) return tern_none();
    drop_padding(&b);
    tern_value index[] = {tern_tensor_value(b.index)};
    tern_tensor *rows = tern_layer_tensor(
        self, tern_nn_operation(
                  self, "nn.functional.embedding weight max_norm norm_type scale_grad_by_freq",
                  index, 1));
    if (b.factors) rows = tern_mul(rows, tern_unsqueeze(b.factors, 1));
    return tern_tensor_value(reduced(&b, rows));
}

const tern_module_class tern_embedding_bag_class = {
    TERN_MODULE_CLASS("EmbeddingBag(int num_embeddings, int embedding_dim, Number? max_norm=None, "
                      "Number norm_type=2.0, bool scale_grad_by_freq=False, str mode='mean', "
                      "bool sparse=False, *, bool include_last_offset=False, "
                      "int? padding_idx=None, str? device=None, dtype? dtype=None)",
                      bag),
    .fields = fields,
    .init = bag_init,
    .call_schema = "forward(Tensor input, Tensor? offsets=None, Tensor? per_sample_weights=None)",
    .call = bag_call,
    .print = "num_embeddings embedding_dim max_norm=? norm_type=? scale_grad_by_freq=? mode= "
             "padding_idx=?",
};
