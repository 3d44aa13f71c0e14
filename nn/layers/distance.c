/* distance.c: modules of two tensors: similarity, distance and the bilinear map. */
#include <math.h>

#include "layers.h"

typedef struct distance {
    tern_module module;
    int64_t dim, in1_features, in2_features, out_features;
    double p, eps;
    bool keepdim, bias_wanted;
    const char *device;
    tern_dtype dtype;
    tern_tensor *weight, *bias;
} distance;

static const tern_field fields[] = {
    TERN_FIELD(distance, dim, dim),
    TERN_FIELD(distance, in1_features, in1_features),
    TERN_FIELD(distance, in2_features, in2_features),
    TERN_FIELD(distance, out_features, out_features),
    TERN_FIELD(distance, p, p),
    TERN_FIELD(distance, eps, eps),
    TERN_FIELD(distance, keepdim, keepdim),
    TERN_FIELD(distance, bias, bias_wanted),
    TERN_FIELD(distance, device, device),
    TERN_FIELD(distance, dtype, dtype),
    TERN_FIELD_END,
};

const tern_module_class tern_cosine_similarity_class = {
    TERN_MODULE_CLASS("CosineSimilarity(int dim=1, float eps=1e-08)", distance),
    .fields = fields,
    .call_schema = "forward(Tensor x1, Tensor x2)",
    .operation = "nn.functional.cosine_similarity dim eps",
};

const tern_module_class tern_pairwise_distance_class = {
    TERN_MODULE_CLASS("PairwiseDistance(float p=2.0, float eps=1e-06, bool keepdim=False)",
                      distance),
    .fields = fields,
    .call_schema = "forward(Tensor x1, Tensor x2)",
    .operation = "nn.functional.pairwise_distance p eps keepdim",
};

/* ---- Bilinear: x1^T A x2 + b ----------------------------------------------------------------- */

static tern_status bilinear_init(tern_module *self) {
    distance *m = (distance *)self;
    if (!tern_layer_positive(self, "in1_features", m->in1_features)) return TERN_ERR_ARGUMENT;
    double bound = 1.0 / sqrt((double)m->in1_features);
    m->weight = tern_layer_uniform(self, "weight",
                                   TERN_SHAPE(m->out_features, m->in1_features, m->in2_features),
                                   m->dtype, bound);
    m->bias = m->bias_wanted
                  ? tern_layer_uniform(self, "bias", TERN_SHAPE(m->out_features), m->dtype, bound)
                  : tern_layer_none(self, "bias", &m->bias);
    return TERN_OK;
}

/* [*, in1] A [out, in1, in2] is [*, out, in2], which is multiplied with [*, 1, in2] and summed. */
static tern_value bilinear_call(tern_module *self, const tern_value *args) {
    const distance *m = (distance *)self;
    tern_tensor *x1 = args[0].as.tensor, *x2 = args[1].as.tensor;
    tern_shape shape = tern_shape_of(x1);
    if (shape.rank == 0 || shape.rank == TERN_MAX_RANK || tern_rank(x2) == 0 ||
        shape.dim[shape.rank - 1] != m->in1_features || tern_size(x2, -1) != m->in2_features) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "Bilinear: the last dimensions of input1 and input2 must be %lld and %lld",
                  (long long)m->in1_features, (long long)m->in2_features);
        return tern_none();
    }
    tern_tensor *flat =
        tern_reshape(tern_permute(m->weight, TERN_SHAPE(1, 0, 2)),
                     TERN_SHAPE(m->in1_features, m->out_features * m->in2_features));
    shape.dim[shape.rank - 1] = m->out_features;
    shape.dim[shape.rank++] = m->in2_features;
    tern_tensor *left = tern_reshape(tern_matmul(x1, flat), shape);
    tern_tensor *out = tern_sum_dims(tern_mul(left, tern_unsqueeze(x2, -2)), TERN_SHAPE(-1), false);
    return tern_tensor_value(m->bias ? tern_add(out, m->bias) : out);
}

const tern_module_class tern_bilinear_class = {
    TERN_MODULE_CLASS("Bilinear(int in1_features, int in2_features, int out_features, "
                      "bool bias=True, str? device=None, dtype? dtype=None)",
                      distance),
    .fields = fields,
    .init = bilinear_init,
    .call_schema = "forward(Tensor input1, Tensor input2)",
    .call = bilinear_call,
    .print = "in1_features= in2_features= out_features= bias=",
};
