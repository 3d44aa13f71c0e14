/*
 * launches: an operation with a number for an operand starts one kernel, as one with a tensor does; the
 * steps of small models start as many as they must; an optimizer's step is one launch over all parameters,
 * clipping by their norm is three.
 *
 * Runs on the device `counting`. Every operation that takes a number is called out of place and,
 * where it has such a form, in place, of float32 and int64, and with a gradient recorded.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { FLOATS = 1, INTS = 2, RECORDED = 4, ALL = FLOATS | INTS | RECORDED };

/* `arguments`: t is the tensor, n a number, m a mask, - is None. */
typedef struct row {
    const char *name, *arguments;
    unsigned forms;
} row;

static const row rows[] = {
    {"add", "tt", ALL}, /* what the others are compared with */
    {"add", "tn", ALL},
    {"sub", "tn", ALL},
    {"rsub", "tn", ALL},
    {"mul", "tn", ALL},
    {"div", "tn", FLOATS | RECORDED}, /* of integers it converts them first */
    {"floor_divide", "tn", FLOATS | INTS},
    {"remainder", "tn", ALL},
    {"remainder", "nt", FLOATS | INTS},
    {"fmod", "tn", ALL},
    {"pow", "tn", FLOATS | RECORDED},
    {"pow", "nt", FLOATS | RECORDED},
    {"eq", "tn", FLOATS | INTS},
    {"ne", "tn", FLOATS | INTS},
    {"lt", "tn", FLOATS | INTS},
    {"le", "tn", FLOATS | INTS},
    {"gt", "tn", FLOATS | INTS},
    {"ge", "tn", FLOATS | INTS},
    {"bitwise_and", "tn", INTS},
    {"bitwise_or", "tn", INTS},
    {"bitwise_xor", "tn", INTS},
    {"bitwise_left_shift", "tn", INTS},
    {"bitwise_right_shift", "tn", INTS},
    {"clamp", "tnn", ALL},
    {"clamp", "tn-", ALL},
    {"clamp", "t-n", ALL},
    {"clamp_min", "tn", ALL},
    {"clamp_max", "tn", ALL},
    {"where", "mtn", ALL},
    {"where", "mnt", ALL},
    {"masked_fill", "tmn", ALL},
    {"add_", "tn", FLOATS | INTS},
    {"sub_", "tn", FLOATS | INTS},
    {"mul_", "tn", FLOATS | INTS},
    {"div_", "tn", FLOATS},
    {"remainder_", "tn", FLOATS | INTS},
    {"pow_", "tn", FLOATS},
    {"clamp_", "tnn", FLOATS | INTS},
};

enum { N_ROWS = sizeof rows / sizeof rows[0], MOST_ARGUMENTS = 3 };

typedef struct form {
    unsigned flag;
    const char *name;
    tern_dtype dtype;
    bool records;
} form;

static const form forms[] = {
    {FLOATS, "float32", TERN_FLOAT32, false},
    {INTS, "int64", TERN_INT64, false},
    {RECORDED, "float32, recorded", TERN_FLOAT32, true},
};

/* How many kernels one call starts. */
static uint64_t launches_of(tern_ctx *ctx, const row *r, const form *f) {
    tern_tensor *input = tern_ones(ctx, TERN_SHAPE(2, 3), f->dtype);
    tern_tensor *mask = tern_ones(ctx, TERN_SHAPE(2, 3), TERN_BOOL);
    if (f->records) tern_requires_grad(input, true);
    tern_value arguments[MOST_ARGUMENTS];
    int count = (int)strlen(r->arguments);
    for (int i = 0; i < count; i++) {
        char kind = r->arguments[i];
        arguments[i] = kind == 't'              ? tern_tensor_value(input)
                       : kind == 'm'            ? tern_tensor_value(mask)
                       : kind == '-'            ? tern_none()
                       : f->dtype == TERN_INT64 ? tern_int(3)
                                                : tern_float(0.3);
    }
    uint64_t before = tern_stats_of(ctx).launches;
    tern_call(ctx, r->name, arguments, count, tern_none());
    return tern_stats_of(ctx).launches - before;
}

/* ---- steps of models ------------------------------------------------------------------------- */

typedef struct step {
    const char *module;
    int64_t inputs; /* features */
    uint64_t forward, backward;
} step;

/* With L1Loss, which is two launches forward and one backward; the input needs no gradient. */
static const step steps[] = {
    {"Linear(1, 1)", 1, 3, 3}, /* the product and its bias; two gradients */
    {"Sequential(Linear(4, 8), SiLU(), Linear(8, 1))", 4, 5, 7},
    {"Sequential(Linear(4, 8), Dropout(0.25), Linear(8, 1))", 4, 5, 7},
    {"Sequential(Linear(4, 8), GLU(), Linear(4, 1))", 4, 5, 7},
};

/* True where a step starts as many kernels as it must. */
static bool step_fits(tern_ctx *ctx, const step *s) {
    tern_module *model = tern_nn(ctx, s->module);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(16, s->inputs), TERN_FLOAT32);
    tern_tensor *y = tern_ones(ctx, TERN_SHAPE(16, 1), TERN_FLOAT32);
    tern_item(tern_sum(x)); /* no longer a number, which would be free */
    uint64_t begin = tern_stats_of(ctx).launches;
    tern_tensor *loss = tern_l1_loss(tern_forward(model, x), y, TERN_MEAN);
    uint64_t forward = tern_stats_of(ctx).launches - begin;
    tern_backward(loss);
    uint64_t backward = tern_stats_of(ctx).launches - begin - forward;
    if (forward == s->forward && backward == s->backward) return true;
    printf("%s: %llu launches forward, %llu backward; expected %llu, %llu\n", s->module,
           (unsigned long long)forward, (unsigned long long)backward,
           (unsigned long long)s->forward, (unsigned long long)s->backward);
    return false;
}

/* ---- optimizers ------------------------------------------------------------------------------ */

enum { LAYERS = 20, MOST_CLIPPING = 3 };

static const char *const optimizers[] = {"SGD(lr=0.1)", "SGD(lr=0.1, momentum=0.9)", "Adam()",
                                         "AdamW()"};

/* Weights and biases of 20 layers, which grow. */
static tern_module *many_layers(tern_ctx *ctx) {
    tern_module *model = tern_nn_sequential(ctx, NULL, 0);
    for (int i = 0; i < LAYERS; i++)
        tern_module_append(model, tern_nn_linear(ctx, 1 + i, 2 + i, NULL));
    return model;
}

static uint64_t launches_now(const tern_ctx *ctx) {
    return tern_stats_of(ctx).launches;
}

/* How many of the optimizers' steady steps start another number of kernels than they should. */
static unsigned check_optimizers(tern_ctx *ctx) {
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_module *model = many_layers(ctx);
        tern_optim *optim = tern_optim_new(model, optimizers[i]);
        uint64_t clipping = 0, stepping = 0;
        for (int round = 0; round < 3; round++) {
            tern_backward(
                tern_sum(tern_forward(model, tern_ones(ctx, TERN_SHAPE(1, 1), TERN_FLOAT32))));
            uint64_t before = launches_now(ctx);
            tern_clip_grad_norm(ctx, tern_module_parameters(model), 1, 2, false);
            clipping = launches_now(ctx) - before;
            before = launches_now(ctx);
            tern_optim_step(optim);
            stepping = launches_now(ctx) - before;
        }
        tern_scope_end(scope);
        printf("%s of %d tensors: %llu launches to clip, %llu to step\n", optimizers[i], 2 * LAYERS,
               (unsigned long long)clipping, (unsigned long long)stepping);
        wrong += clipping > MOST_CLIPPING || stepping != 1;
    }
    return wrong;
}

/* ---- all ------------------------------------------------------------------------------------- */

int main(void) {
    unsigned calls = 0, wrong = 0;
    tern_ctx *ctx = tern_open("counting");
    for (size_t i = 0; i < N_ROWS; i++) {
        for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
            if (!(rows[i].forms & forms[k].flag)) continue;
            tern_scope scope = tern_scope_begin(ctx, 0);
            uint64_t launches = launches_of(ctx, &rows[i], &forms[k]);
            tern_scope_end(scope);
            if (tern_check(ctx) != TERN_OK) break;
            calls++;
            if (launches == 1) continue;
            wrong++;
            printf("%s(%s) of %s: %llu launches\n", rows[i].name, rows[i].arguments, forms[k].name,
                   (unsigned long long)launches);
        }
    }
    printf("%u of %u calls start one kernel\n", calls - wrong, calls);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (tern_check(ctx) == TERN_OK && !step_fits(ctx, &steps[i])) wrong++;
    wrong += check_optimizers(ctx);
    bool failed = tern_check(ctx) != TERN_OK;
    if (failed) fprintf(stderr, "launches: %s\n", tern_error(ctx));
    failed = tern_close(ctx) != TERN_OK || failed;
    return failed || wrong;
}
