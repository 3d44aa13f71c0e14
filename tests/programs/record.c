/*
 * record.c: runs the operations, losses, modules and optimizers that are programs, on a device whose launch
 * is watched.
 *
 * An operation runs forward and backward, with a gradient for all of its tensors and for the first alone:
 * those are the gradients that training asks for.
 */
#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu_simd/map_hash.h"
#include "core/objects.h"
#include "tern/tern.h"

recorded programs[MOST_PROGRAMS];
int n_programs;

static char label[64]; /* of what runs */
static tern_bdevice_vtable real;

/* ---- watching -------------------------------------------------------------------------------- */

static uint32_t numbers_of(const tern_operand *inputs, int32_t n) {
    uint32_t numbers = 0;
    for (int32_t k = 0; k < n; k++) numbers |= (uint32_t)!inputs[k].buffer << k;
    return numbers;
}

static void note(const tern_map_attrs *p, const tern_operand *inputs) {
    uint32_t size = map_program_bytes(p), numbers = numbers_of(inputs, p->n_inputs);
    if (p->compute != TERN_BT_FLOAT32 || n_programs == MOST_PROGRAMS) return;
    for (int k = 0; k < n_programs; k++) {
        const tern_map_attrs *own = programs[k].program;
        bool same = own->n_inputs == p->n_inputs && own->n_outputs == p->n_outputs &&
                    own->n_constants == p->n_constants && own->n_steps == p->n_steps;
        if (!same || memcmp(own + 1, p + 1, size) != 0) continue;
        programs[k].numbers &= numbers;
        return;
    }
    recorded *r = &programs[n_programs];
    r->program = malloc(sizeof *p + size);
    if (!r->program) return;
    memcpy(r->program, p, sizeof *p + size);
    r->program->flags = 0;
    r->size = size;
    r->numbers = numbers;
    snprintf(r->label, sizeof r->label, "%s", label);
    n_programs++;
}

static int32_t launch(tern_bdevice *device, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    if (kernel == TERN_KERNEL_MAP) note(attrs, inputs);
    return real.launch(device, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                       attrs_size, err);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* t is a tensor that may want a gradient, w one of a single element, n a number, y is True. */
typedef struct operation {
    const char *name, *arguments;
    const char *option, *text; /* one keyword and its text, or NULL */
} operation;

static const operation operations[] = {
    {"gelu", "t", NULL, NULL},
    {"gelu", "t", "approximate", "tanh"},
    {"logit", "t", NULL, NULL},
    {"logit", "tn", NULL, NULL},
    {"prelu", "tw", NULL, NULL},
    {"glu", "t", NULL, NULL},
    {"dropout", "t", NULL, NULL},
    {"alpha_dropout", "tny", NULL, NULL},
    {"l1_loss", "tt", "reduction", "none"},
    {"mse_loss", "tt", "reduction", "none"},
    {"smooth_l1_loss", "tt", "reduction", "none"},
    {"huber_loss", "tt", "reduction", "none"},
    {"soft_margin_loss", "tt", "reduction", "none"},
    {"poisson_nll_loss", "tt", "reduction", "none"},
    {"hinge_embedding_loss", "tt", "reduction", "none"},
    {"margin_ranking_loss", "ttt", "reduction", "none"},
    {"binary_cross_entropy", "tt", "reduction", "none"},
    {"binary_cross_entropy_with_logits", "tt", "reduction", "none"},
    {"kl_div", "tt", "reduction", "none"},
    {"multilabel_soft_margin_loss", "tt", "reduction", "none"},
};

/* The rows of the table: a tensor and as many numbers as they have names for. */
static const struct {
    const char *name, *names;
} rows[] = {
#define POINTWISE(id, names, formula, derivative)         {#id, names},
#define POINTWISE_CHECKED(id, names, formula, derivative) {#id, names},
#define POINTWISE_FORM(id, names, formula, derivative)
#include "functional/pointwise.def"
#undef POINTWISE
#undef POINTWISE_CHECKED
#undef POINTWISE_FORM
};

static const struct {
    const char *id, *schema;
} schemas[] = {
#define TERN_OP(id, schema, kind, saves, kernel, fn)      {#id, schema},
#define TERN_OP_GRAD(id, schema, kind, saves, kernel, fn) {#id, schema},
#include "tern/functional.def"
#undef TERN_OP
#undef TERN_OP_GRAD
};

enum { MOST_ARGUMENTS = 4, MOST_NAME = 64 };

/* The name that a row of the table is called by, before the arguments of its schema. */
static void name_of(const char *id, char *out_name) {
    out_name[0] = '\0';
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        if (strcmp(schemas[i].id, id) == 0)
            snprintf(out_name, MOST_NAME, "%.*s", (int)strcspn(schemas[i].schema, "("),
                     schemas[i].schema);
}

/* With a gradient of the result that is a tensor too. */
static void run_backward(tern_value result) {
    if (result.kind != TERN_VALUE_TENSOR) return;
    tern_tensor *weights = tern_rand_like(result.as.tensor);
    tern_backward(tern_sum(tern_mul(result.as.tensor, weights)));
}

/* All tensors want a gradient, or the first alone, or none. */
static void run_with(tern_ctx *ctx, const operation *o, int gradients) {
    char name[MOST_NAME];
    tern_value arguments[MOST_ARGUMENTS], options = tern_none();
    int count = (int)strlen(o->arguments), wanted = 0;
    for (int i = 0; i < count; i++) {
        char kind = o->arguments[i];
        tern_tensor *x = tern_rand(ctx, kind == 'w' ? TERN_SHAPE(1) : TERN_SHAPE(4, 6), NULL);
        if (kind != 'y' && kind != 'n' && wanted < gradients) {
            tern_requires_grad(x, true);
            wanted++;
        }
        arguments[i] = kind == 'n'   ? tern_float(0.25)
                       : kind == 'y' ? tern_bool(true)
                                     : tern_tensor_value(x);
    }
    if (o->option) {
        options = tern_dict_new(ctx, false);
        tern_dict_set(options, o->option, tern_text(o->text));
    }
    name_of(o->name, name);
    tern_value result = tern_call(ctx, name, arguments, count, options);
    if (gradients > 0) run_backward(result);
}

static void run_operation(tern_ctx *ctx, const operation *o) {

    snprintf(label, sizeof label, "%s%s%s", o->name, o->text ? ", " : "", o->text ? o->text : "");
    for (int gradients = 0; gradients <= 2 && tern_check(ctx) == TERN_OK; gradients++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        run_with(ctx, o, gradients);
        tern_scope_end(scope);
    }
}

static void run_operations(tern_ctx *ctx) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char arguments[MOST_ARGUMENTS + 1] = "t";
        size_t n = 1;
        for (const char *at = rows[i].names; *at; at++)
            if (*at == ' ') arguments[n++] = 'n';
        arguments[n] = '\0';
        run_operation(ctx, &(operation){rows[i].name, arguments, NULL, NULL});
    }
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        run_operation(ctx, &operations[i]);
}

/* ---- modules --------------------------------------------------------------------------------- */

static const char *const modules[] = {
    "BatchNorm1d(6)",
    "LSTMCell(6, 5)",
    "GRUCell(6, 5)",
    "RNNCell(6, 5)",
};

/* Training, until no state is as it was made, and evaluation. */
static void run_module(tern_ctx *ctx, const char *text) {
    snprintf(label, sizeof label, "%s", text);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_module *module = tern_nn(ctx, text);
    tern_optim *optim = tern_optim_new(module, "SGD(lr=0.1)");
    for (int step = 0; step < 4 && tern_check(ctx) == TERN_OK; step++) {
        if (step == 3) tern_module_eval(module);
        tern_tensor *x = tern_rand(ctx, TERN_SHAPE(4, 6), NULL);
        tern_requires_grad(x, true);
        tern_value input = tern_tensor_value(x),
                   result = tern_module_call(module, &input, 1, tern_none());
        run_backward(result.kind == TERN_VALUE_TENSOR ? result : tern_value_at(result, 0));
        tern_optim_step(optim);
    }
    tern_scope_end(scope);
}

/* ---- optimizers ------------------------------------------------------------------------------ */

static const char *const optimizers[] = {
    "SGD(lr=0.1)",
    "SGD(lr=0.1, weight_decay=0.1)",
    "SGD(lr=0.1, momentum=0.9)",
    "SGD(lr=0.1, momentum=0.9, weight_decay=0.1)",
    "SGD(lr=0.1, momentum=0.9, nesterov=True)",
    "SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)",
    "SGD(lr=0.1, maximize=True)",
    "SGD(lr=0.1, momentum=0.9, maximize=True)",
    "Adam()",
    "Adam(weight_decay=0.1)",
    "Adam(amsgrad=True)",
    "Adam(amsgrad=True, weight_decay=0.1)",
    "Adam(maximize=True)",
    "AdamW()",
    "AdamW(amsgrad=True)",
    "AdamW(maximize=True)",
    "Adamax()",
    "Adamax(weight_decay=0.1)",
    "NAdam()",
    "NAdam(weight_decay=0.1)",
    "NAdam(weight_decay=0.1, decoupled_weight_decay=True)",
    "RAdam()",
    "RAdam(weight_decay=0.1)",
    "RAdam(weight_decay=0.1, decoupled_weight_decay=True)",
    "RMSprop()",
    "RMSprop(weight_decay=0.1)",
    "RMSprop(momentum=0.9)",
    "RMSprop(momentum=0.9, weight_decay=0.1)",
    "RMSprop(centered=True)",
    "RMSprop(centered=True, momentum=0.9)",
    "Adagrad()",
    "Adagrad(weight_decay=0.1)",
    "Adadelta()",
    "Adadelta(weight_decay=0.1)",
    "ASGD()",
    "Rprop()",
};

/* Several steps, since the first ones may be others, with the gradients clipped. */
static void run_optimizer(tern_ctx *ctx, const char *text) {
    snprintf(label, sizeof label, "%s", text);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_module *module = tern_nn(ctx, "Linear(6, 5)");
    tern_optim *optim = tern_optim_new(module, text);
    for (int step = 0; step < 8 && tern_check(ctx) == TERN_OK; step++) {
        tern_tensor *x = tern_rand(ctx, TERN_SHAPE(4, 6), NULL);
        tern_optim_zero_grad(optim);
        tern_backward(tern_sum(tern_forward(module, x)));
        tern_clip_grad_norm(ctx, tern_module_parameters(module), 1, 2, false);
        tern_optim_step(optim);
    }
    tern_scope_end(scope);
}

/* ---- all ------------------------------------------------------------------------------------- */

bool run_programs(const char *device) {
    tern_ctx *ctx = tern_open(device);
    if (tern_check(ctx) == TERN_OK) {
        run_operations(ctx);
        for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) run_module(ctx, modules[i]);
        for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++)
            run_optimizer(ctx, optimizers[i]);
    }
    bool failed = tern_check(ctx) != TERN_OK;
    if (failed) fprintf(stderr, "%s: %s\n", label, tern_error(ctx));
    return tern_close(ctx) == TERN_OK && !failed;
}

bool record_programs(void) {
    /* The table is copied when a device is opened: what contexts get that open it later. */
    tern_ctx *keeper = tern_open("cpu_ref");
    if (tern_check(keeper) == TERN_OK) {
        tern_bdevice_vtable *table = &keeper->lanes[0]->device->vtable;
        real = *table;
        table->launch = launch;
        bool passed = run_programs("cpu_ref");
        *table = real;
        return tern_close(keeper) == TERN_OK && passed;
    }
    fprintf(stderr, "%s\n", tern_error(keeper));
    tern_close(keeper);
    return false;
}
