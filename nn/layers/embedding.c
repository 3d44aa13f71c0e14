/* embedding.c: Embedding: rows of a table by index. */
#include "layers.h"

typedef struct embedding {
    tern_module module;
    int64_t num_embeddings, embedding_dim;
    tern_optional_int padding_idx;
    tern_value max_norm, norm_type; /* numbers that print as they were given; max_norm or none */
    bool scale_grad_by_freq, sparse;
    const char *device;
    tern_dtype dtype;
    tern_tensor *weight;
} embedding;

static const tern_field fields[] = {
    TERN_FIELD(embedding, num_embeddings, num_embeddings),
    TERN_FIELD(embedding, embedding_dim, embedding_dim),
    TERN_FIELD(embedding, padding_idx, padding_idx),
    TERN_FIELD(embedding, max_norm, max_norm),
    TERN_FIELD(embedding, norm_type, norm_type),
    TERN_FIELD(embedding, scale_grad_by_freq, scale_grad_by_freq),
    TERN_FIELD(embedding, sparse, sparse),
    TERN_FIELD(embedding, device, device),
    TERN_FIELD(embedding, dtype, dtype),
    TERN_FIELD(embedding, weight, weight),
    TERN_FIELD_END,
};

/* The row of padding, counted from the front. */
static bool check_padding(tern_module *self, int64_t rows, tern_optional_int *padding) {
    if (!padding->has) return true;
    int64_t index = padding->value < 0 ? padding->value + rows : padding->value;
    if (index < 0 || index >= rows) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: padding_idx=%lld must be within num_embeddings=%lld", tern_module_name(self),
                  (long long)padding->value, (long long)rows);
        return false;
    }
    padding->value = index;
    return true;
}

/* Normal values; the padding's row is drawn too and then zeroed. */
bool tern_layer_table(tern_module *self, int64_t rows, int64_t width, tern_optional_int *padding,
                      tern_dtype dtype, tern_tensor **out_weight) {
    tern_ctx *ctx = tern_module_context(self);
    if (rows < 0 || width < 0) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: num_embeddings=%lld and embedding_dim=%lld must not be negative",
                  tern_module_name(self), (long long)rows, (long long)width);
        return false;
    }
    if (!check_padding(self, rows, padding)) return false;
    tern_tensor *weight = tern_empty(ctx, TERN_SHAPE(rows, width), tern_layer_dtype(dtype));
    tern_init_normal(weight, 0, 1, NULL);
    if (padding->has) tern_zero_in_place(tern_select(weight, 0, padding->value));
    *out_weight = tern_module_parameter(self, "weight", weight);
    return true;
}

static tern_status embedding_init(tern_module *self) {
    embedding *m = (embedding *)self;
    bool ok = tern_layer_table(self, m->num_embeddings, m->embedding_dim, &m->padding_idx, m->dtype,
                               &m->weight);
    return ok ? TERN_OK : TERN_ERR_ARGUMENT;
}

const tern_module_class tern_embedding_class = {
    TERN_MODULE_CLASS("Embedding(int num_embeddings, int embedding_dim, int? padding_idx=None, "
                      "Number? max_norm=None, Number norm_type=2.0, bool scale_grad_by_freq=False, "
                      "bool sparse=False, *, str? device=None, dtype? dtype=None)",
                      embedding),
    .fields = fields,
    .init = embedding_init,
    .operation =
        "nn.functional.embedding weight padding_idx max_norm norm_type scale_grad_by_freq sparse",
    .print = "num_embeddings embedding_dim padding_idx=? max_norm=? norm_type=? "
             "scale_grad_by_freq=? sparse=?",
};

tern_module *tern_nn_embedding(tern_ctx *ctx, int64_t num_embeddings, int64_t embedding_dim,
                               const tern_embedding_options *options) {
    tern_embedding_options o = TERN_EMBEDDING_OPTIONS;
    if (!tern_options_read(ctx, "tern_nn_embedding", options, &o)) return NULL;
    embedding config = {.num_embeddings = num_embeddings,
                        .embedding_dim = embedding_dim,
                        .padding_idx = o.padding_idx,
                        .max_norm = o.max_norm.has ? tern_float(o.max_norm.value) : tern_none(),
                        .norm_type = tern_float(o.norm_type),
                        .scale_grad_by_freq = o.scale_grad_by_freq,
                        .device = o.device,
                        .dtype = o.dtype};
    return tern_module_new(ctx, &tern_embedding_class, &config);
}
