/* weight_norms.c: weight norm and spectral norm, as parametrizations. */
#include <string.h>

#include "layers/layers.h"
#include "parametrize.h"

/* All dimensions but one as a list; all of them for -1. */
static tern_shape dims_but(const tern_tensor *tensor, int64_t dim) {
    tern_shape dims = {0, {0}};
    for (int d = 0; d < tern_rank(tensor); d++)
        if (d != dim) dims.dim[dims.rank++] = d;
    return dims;
}

/* A dimension counted from the front; false after latching. */
static bool wrap(tern_module *module, const char *who, const tern_tensor *weight, int *dim,
                 bool none_allowed) {
    int rank = tern_rank(weight), wrapped = *dim < 0 ? *dim + rank : *dim;
    if (none_allowed && *dim == -1) return true;
    if (wrapped < 0 || wrapped >= rank) {
        tern_fail(module->inner->ctx, TERN_ERR_INDEX,
                  "%s: Dimension out of range (expected to be in range of [%d, %d], but got %d)",
                  who, -rank, rank - 1, *dim);
        return false;
    }
    *dim = wrapped;
    return true;
}

/* ---- weight norm ----------------------------------------------------------------------------- */

typedef struct weight_norm {
    tern_module module;
    int64_t dim;
} weight_norm;

static const tern_field weight_norm_fields[] = {TERN_FIELD(weight_norm, dim, dim), TERN_FIELD_END};

/* norm_except_dim(v, 2, dim): with the dimensions kept, but 0-dim over all. */
static tern_tensor *norm_but(tern_tensor *v, int64_t dim) {
    if (dim < 0) return tern_sqrt(tern_sum(tern_square(v)));
    return tern_sqrt(tern_sum_dims(tern_square(v), dims_but(v, dim), true));
}

static tern_value weight_norm_call(tern_module *self, const tern_value *args) {
    tern_tensor *g = args[0].as.tensor, *v = args[1].as.tensor;
    tern_tensor *norm = norm_but(v, ((weight_norm *)self)->dim);
    return tern_tensor_value(tern_mul(v, tern_div(g, norm)));
}

static const tern_module_class weight_norm_class = {
    TERN_MODULE_CLASS("_WeightNorm(int dim=0)", weight_norm),
    .fields = weight_norm_fields,
    .call_schema = "forward(Tensor weight_g, Tensor weight_v)",
    .call = weight_norm_call,
};

tern_status tern_weight_norm(tern_module *module, const char *name, int dim) {
    const char *who = "tern_weight_norm";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    tern_tensor *v = tern_plain_parameter(module, name, who);
    if (!v || !wrap(module, who, v, &dim, true)) return tern_check(ctx);
    tern_scope scope = tern_module_begin(module);
    tern_scope quiet = tern_scope_inner(ctx);
    tern_tensor *g =
        tern_scope_return(quiet, tern_clone(tern_detach(norm_but(tern_detach(v), dim))));
    weight_norm form = {.dim = dim};
    tern_module *norm = tern_module_new(ctx, &weight_norm_class, &form);
    tern_scope_end(scope);
    if (tern_latched(ctx)) return tern_check(ctx);
    tern_requires_grad(g, tern_has_grad_required(v));
    tern_tensor *const both[] = {g, v};
    tern_parametrize_with(module, name, norm, both, 2);
    return tern_check(ctx);
}

/* ---- spectral norm --------------------------------------------------------------------------- */

typedef struct spectral_norm {
    tern_module module;
    int64_t n_power_iterations, dim;
    double eps;
    tern_tensor *u, *v; /* NULL for a vector */
} spectral_norm;

static const tern_field spectral_norm_fields[] = {
    TERN_FIELD(spectral_norm, n_power_iterations, n_power_iterations),
    TERN_FIELD(spectral_norm, dim, dim),
    TERN_FIELD(spectral_norm, eps, eps),
    TERN_FIELD_END,
};

static tern_tensor *normalized(tern_tensor *x, double eps) {
    tern_tensor *norm = tern_sqrt(tern_sum(tern_square(x)));
    return tern_div(x, tern_maximum(norm, tern_mul_scalar(tern_ones_like(norm), eps)));
}

/* [outputs, all else] */
static tern_tensor *as_matrix(tern_tensor *weight, int64_t dim) {
    tern_shape order = {1, {dim}}, rest = dims_but(weight, dim);
    for (int i = 0; i < rest.rank; i++) order.dim[order.rank++] = rest.dim[i];
    return tern_flatten(dim ? tern_permute(weight, order) : weight, 1, -1);
}

static tern_tensor *product(tern_tensor *matrix, tern_tensor *vector) {
    return tern_squeeze(tern_matmul(matrix, tern_unsqueeze(vector, 1)), 1);
}

static void iterate(spectral_norm *m, tern_tensor *matrix, int64_t times) {
    tern_ctx *ctx = m->module.inner->ctx;
    tern_scope scope = tern_scope_begin(ctx, TERN_NO_GRAD);
    matrix = tern_detach(matrix);
    for (int64_t i = 0; i < times && !tern_latched(ctx); i++) {
        tern_copy_in_place(m->u, normalized(product(matrix, m->v), m->eps));
        tern_copy_in_place(m->v, normalized(product(tern_transpose(matrix, 0, 1), m->u), m->eps));
    }
    tern_scope_end(scope);
}

static tern_tensor *spectral_norm_forward(tern_module *self, tern_tensor *weight) {
    spectral_norm *m = (spectral_norm *)self;
    if (tern_rank(weight) == 1) return normalized(weight, m->eps);
    tern_tensor *matrix = as_matrix(weight, m->dim);
    if (self->inner->training) iterate(m, matrix, m->n_power_iterations);
    tern_tensor *u = tern_clone(m->u), *v = tern_clone(m->v);
    return tern_div(weight, tern_sum(tern_mul(u, product(matrix, v))));
}

static void spectral_norm_copied(tern_module *self, const tern_module *source) {
    spectral_norm *m = (spectral_norm *)self;
    if (!((const spectral_norm *)source)->u) return;
    m->u = tern_module_tensor(self, "_u");
    m->v = tern_module_tensor(self, "_v");
}

static const tern_module_class spectral_norm_class = {
    TERN_MODULE_CLASS("_SpectralNorm(int n_power_iterations=1, int dim=0, float eps=1e-12)",
                      spectral_norm),
    .fields = spectral_norm_fields,
    .forward = spectral_norm_forward,
    .copied = spectral_norm_copied,
};

static tern_tensor *draw(tern_module *self, const char *name, int64_t length,
                         const tern_tensor *like, double eps) {
    tern_ctx *ctx = self->inner->ctx;
    tern_scope scope = tern_scope_inner(ctx);
    tern_tensor *x = tern_empty(ctx, TERN_SHAPE(length), tern_dtype_of(like));
    tern_init_normal(x, 0, 1, NULL);
    x = tern_to_device(tern_detach(normalized(x, eps)), tern_device_of(like));
    return tern_module_buffer(self, name, tern_scope_return(scope, x), true);
}

/* A list of the norm's own vectors, drawn and moved near to the singular ones. */
static tern_module *new_norm(tern_ctx *ctx, const spectral_norm *form, tern_tensor *weight) {
    tern_module *self = tern_module_new(ctx, &spectral_norm_class, form);
    if (!self || tern_rank(weight) < 2) return self;
    spectral_norm *m = (spectral_norm *)self;
    tern_tensor *matrix = as_matrix(tern_detach(weight), m->dim);
    tern_scope scope = tern_module_begin(self);
    m->u = draw(self, "_u", tern_size(matrix, 0), weight, m->eps);
    m->v = draw(self, "_v", tern_size(matrix, 1), weight, m->eps);
    tern_scope_end(scope);
    if (!tern_latched(ctx)) iterate(m, matrix, 15);
    return tern_latched(ctx) ? NULL : self;
}

tern_status tern_spectral_norm(tern_module *module, const char *name, int64_t n_power_iterations,
                               double eps, int dim) {
    const char *who = "tern_spectral_norm";
    if (!tern_module_there(module, who)) return tern_module_absent(module);
    tern_ctx *ctx = module->inner->ctx;
    tern_tensor *weight = tern_plain_parameter(module, name, who);
    if (dim == -1) dim = strncmp(module->cls->schema, "ConvTranspose", 13) == 0;
    if (!weight || !wrap(module, who, weight, &dim, false)) return tern_check(ctx);
    if (n_power_iterations <= 0)
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "Expected n_power_iterations to be positive, but got "
                         "n_power_iterations=%lld",
                         (long long)n_power_iterations);
    spectral_norm form = {.n_power_iterations = n_power_iterations, .dim = dim, .eps = eps};
    tern_scope scope = tern_module_begin(module);
    tern_module *norm = new_norm(ctx, &form, weight);
    tern_scope_end(scope);
    if (norm) tern_parametrize_with(module, name, norm, &weight, 1);
    return tern_check(ctx);
}
