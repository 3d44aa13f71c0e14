/* shape.c: Flatten and Unflatten. */
#include "layers.h"

typedef struct flatten {
    tern_module module;
    int64_t start_dim, end_dim;
} flatten;

static const tern_field flatten_fields[] = {
    TERN_FIELD(flatten, start_dim, start_dim),
    TERN_FIELD(flatten, end_dim, end_dim),
    TERN_FIELD_END,
};

/* A dimension as the operations take it; one that no tensor has stays out of range. */
static int dim_of(int64_t dim) {
    if (dim > TERN_MAX_RANK) return TERN_MAX_RANK + 1;
    return dim < -TERN_MAX_RANK ? -TERN_MAX_RANK - 1 : (int)dim;
}

static tern_tensor *flatten_forward(tern_module *self, tern_tensor *input) {
    flatten *m = (flatten *)self;
    return tern_flatten(input, dim_of(m->start_dim), dim_of(m->end_dim));
}

const tern_module_class tern_flatten_class = {
    TERN_MODULE_CLASS("Flatten(int start_dim=1, int end_dim=-1)", flatten),
    .fields = flatten_fields,
    .forward = flatten_forward,
    .print = "start_dim= end_dim=",
};

tern_module *tern_nn_flatten(tern_ctx *ctx, int64_t start_dim, int64_t end_dim) {
    flatten config = {.start_dim = start_dim, .end_dim = end_dim};
    return tern_module_new(ctx, &tern_flatten_class, &config);
}

/* ---- Unflatten ------------------------------------------------------------------------------- */

typedef struct unflatten {
    tern_module module;
    int64_t dim;
    tern_shape unflattened_size;
} unflatten;

static const tern_field unflatten_fields[] = {
    TERN_FIELD(unflatten, dim, dim),
    TERN_FIELD(unflatten, unflattened_size, unflattened_size),
    TERN_FIELD_END,
};

/* Fills in the one size that may be -1; false where the sizes do not make `size`. */
static bool resolve_sizes(tern_shape *sizes, int64_t size) {
    int64_t product = 1;
    int open = -1;
    bool fits = true;
    for (int i = 0; i < sizes->rank; i++) {
        if (sizes->dim[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        fits = fits && sizes->dim[i] >= 0;
        product = tern_dim_mul(product, sizes->dim[i], &fits);
    }
    if (!fits) return false;
    if (open < 0) return product == size;
    if (product == 0 || size % product != 0) return false;
    sizes->dim[open] = size / product;
    return true;
}

/* [.., size of dim, ..] to [.., unflattened_size, ..] */
static tern_tensor *unflatten_forward(tern_module *self, tern_tensor *input) {
    unflatten *m = (unflatten *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_shape shape = tern_shape_of(input), sizes = m->unflattened_size, out = {0, {0}};
    int64_t dim = m->dim < 0 ? m->dim + shape.rank : m->dim;
    if (dim < 0 || dim >= shape.rank) {
        tern_fail(ctx, TERN_ERR_INDEX,
                  "Dimension out of range (expected to be in range of [%d, %d], but got %lld)",
                  -shape.rank, shape.rank - 1, (long long)m->dim);
        return tern_nil(ctx);
    }
    if (!resolve_sizes(&sizes, shape.dim[dim]) || shape.rank - 1 + sizes.rank > TERN_MAX_RANK) {
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "Unflatten: the sizes do not multiply up to the size of dim %lld (%lld) in the "
                  "input tensor",
                  (long long)m->dim, (long long)shape.dim[dim]);
        return tern_nil(ctx);
    }
    for (int i = 0; i < dim; i++) out.dim[out.rank++] = shape.dim[i];
    for (int i = 0; i < sizes.rank; i++) out.dim[out.rank++] = sizes.dim[i];
    for (int i = (int)dim + 1; i < shape.rank; i++) out.dim[out.rank++] = shape.dim[i];
    return tern_reshape(input, out);
}

const tern_module_class tern_unflatten_class = {
    TERN_MODULE_CLASS("Unflatten(int dim, int[] unflattened_size)", unflatten),
    .fields = unflatten_fields,
    .forward = unflatten_forward,
    .print = "dim= unflattened_size=",
};

tern_module *tern_nn_unflatten(tern_ctx *ctx, int64_t dim, tern_shape unflattened_size) {
    unflatten config = {.dim = dim, .unflattened_size = unflattened_size};
    return tern_module_new(ctx, &tern_unflatten_class, &config);
}
