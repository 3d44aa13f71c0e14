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

static tern_value bag_call(tern_module *self, const tern_value *args) {
    const bag *m = (bag *)self;
    tern_value named = tern_dict_new(tern_module_context(self), false);
    tern_value all[] = {args[0], tern_tensor_value(m->weight), args[1], m->max_norm, m->norm_type};
    tern_dict_set(named, "scale_grad_by_freq", tern_bool(m->scale_grad_by_freq));
    tern_dict_set(named, "mode", tern_text(m->mode));
    tern_dict_set(named, "per_sample_weights", args[2]);
    tern_dict_set(named, "include_last_offset", tern_bool(m->include_last_offset));
    if (m->padding_idx.has) tern_dict_set(named, "padding_idx", tern_int(m->padding_idx.value));
    return tern_module_operation(self, "nn.functional.embedding_bag", all, 5, named);
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
