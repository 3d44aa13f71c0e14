/* init_call.c: initialisers by name. */
#include <math.h>
#include <string.h>

#include "module.h"

/* The arguments of all of them together. */
typedef struct init_args {
    double a, b, mean, std, gain, val, sparsity;
    int64_t groups;
    const char *mode, *nonlinearity;
    tern_optional_float param;
    tern_generator *generator;
} init_args;

static const tern_field init_fields[] = {
    TERN_FIELD(init_args, a, a),
    TERN_FIELD(init_args, b, b),
    TERN_FIELD(init_args, mean, mean),
    TERN_FIELD(init_args, std, std),
    TERN_FIELD(init_args, gain, gain),
    TERN_FIELD(init_args, val, val),
    TERN_FIELD(init_args, sparsity, sparsity),
    TERN_FIELD(init_args, groups, groups),
    TERN_FIELD(init_args, mode, mode),
    TERN_FIELD(init_args, nonlinearity, nonlinearity),
    TERN_FIELD(init_args, param, param),
    TERN_FIELD(init_args, generator, generator),
    TERN_FIELD_END,
};

static tern_tensor *uniform(tern_tensor *t, const init_args *o) {
    return tern_init_uniform(t, o->a, o->b, o->generator);
}
static tern_tensor *normal(tern_tensor *t, const init_args *o) {
    return tern_init_normal(t, o->mean, o->std, o->generator);
}
static tern_tensor *trunc_normal(tern_tensor *t, const init_args *o) {
    return tern_init_trunc_normal(t, o->mean, o->std, o->a, o->b, o->generator);
}
static tern_tensor *constant(tern_tensor *t, const init_args *o) {
    return tern_init_constant(t, o->val);
}
static tern_tensor *ones(tern_tensor *t, const init_args *o) {
    (void)o;
    return tern_init_ones(t);
}
static tern_tensor *zeros(tern_tensor *t, const init_args *o) {
    (void)o;
    return tern_init_zeros(t);
}
static tern_tensor *eye(tern_tensor *t, const init_args *o) {
    (void)o;
    return tern_init_eye(t);
}
static tern_tensor *dirac(tern_tensor *t, const init_args *o) {
    return tern_init_dirac(t, o->groups);
}
static tern_tensor *xavier_uniform(tern_tensor *t, const init_args *o) {
    return tern_init_xavier_uniform(t, o->gain, o->generator);
}
static tern_tensor *xavier_normal(tern_tensor *t, const init_args *o) {
    return tern_init_xavier_normal(t, o->gain, o->generator);
}
static tern_kaiming_options kaiming(const init_args *o) {
    tern_kaiming_options options = TERN_KAIMING_OPTIONS;
    options.a = o->a;
    options.mode = o->mode;
    options.nonlinearity = o->nonlinearity;
    options.generator = o->generator;
    return options;
}
static tern_tensor *kaiming_uniform(tern_tensor *t, const init_args *o) {
    tern_kaiming_options options = kaiming(o);
    return tern_init_kaiming_uniform(t, &options);
}
static tern_tensor *kaiming_normal(tern_tensor *t, const init_args *o) {
    tern_kaiming_options options = kaiming(o);
    return tern_init_kaiming_normal(t, &options);
}
static tern_tensor *orthogonal(tern_tensor *t, const init_args *o) {
    return tern_init_orthogonal(t, o->gain, o->generator);
}
static tern_tensor *sparse(tern_tensor *t, const init_args *o) {
    return tern_init_sparse(t, o->sparsity, o->std, o->generator);
}

#define GENERATOR "Generator? generator=None)"
#define KAIMING   "float a=0, str mode='fan_in', str nonlinearity='leaky_relu', " GENERATOR

static const struct initialiser {
    const char *schema;
    tern_tensor *(*fill)(tern_tensor *tensor, const init_args *args);
} initialisers[] = {
    {"uniform_(float a=0.0, float b=1.0, " GENERATOR, uniform},
    {"normal_(float mean=0.0, float std=1.0, " GENERATOR, normal},
    {"trunc_normal_(float mean=0.0, float std=1.0, float a=-2.0, float b=2.0, " GENERATOR,
     trunc_normal},
    {"constant_(float val)", constant},
    {"ones_()", ones},
    {"zeros_()", zeros},
    {"eye_()", eye},
    {"dirac_(int groups=1)", dirac},
    {"xavier_uniform_(float gain=1.0, " GENERATOR, xavier_uniform},
    {"xavier_normal_(float gain=1.0, " GENERATOR, xavier_normal},
    {"kaiming_uniform_(" KAIMING, kaiming_uniform},
    {"kaiming_normal_(" KAIMING, kaiming_normal},
    {"orthogonal_(float gain=1, " GENERATOR, orthogonal},
    {"sparse_(float sparsity, float std=0.01, " GENERATOR, sparse},
    {"calculate_gain(str nonlinearity, float? param=None)", NULL},
};

static const struct initialiser *find(const char *name) {
    for (size_t i = 0; i < sizeof initialisers / sizeof initialisers[0]; i++) {
        size_t length = strcspn(initialisers[i].schema, "(");
        if (strlen(name) == length && strncmp(initialisers[i].schema, name, length) == 0)
            return &initialisers[i];
    }
    return NULL;
}

tern_value tern_init_call(tern_ctx *ctx, const char *name, tern_tensor *tensor, tern_value args) {
    if (tern_latched(ctx) || !tern_argument_given(ctx, "tern_init_call", "name", name))
        return tern_none();
    const struct initialiser *initialiser = find(name);
    init_args bound = {0};
    if (!initialiser) {
        tern_fail(ctx, TERN_ERR_NOT_FOUND, "nn.init: there is no initialiser '%s'", name);
        return tern_none();
    }
    if (initialiser->fill && tern_is_nil(tensor)) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "nn.init: %s needs a tensor", name);
        return tern_none();
    }
    if (initialiser->fill && !tern_argument_tensor(ctx, name, tensor)) return tern_none();
    tern_scope scope = tern_scope_inner(ctx);
    tern_value result = tern_none();
    if (tern_fields_bind(ctx, "nn.init", initialiser->schema, init_fields, NULL, 0, args, &bound)) {
        if (initialiser->fill)
            result = tern_tensor_value(initialiser->fill(tensor, &bound));
        else
            result = tern_float(tern_init_gain(ctx, bound.nonlinearity,
                                               bound.param.has ? &bound.param.value : NULL));
    }
    tern_scope_end(scope);
    return tern_latched(ctx) ? tern_none() : result;
}
